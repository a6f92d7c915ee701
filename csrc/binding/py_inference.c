/* inference: evidence of one trial, filter over known sides, actor in closed loop, passive observer. */
#include "py.h"

/* Sizes of the state and scratch arrays that the functions below take. */
static PyObject *inference_sizes(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *task_;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    if (!PyArg_ParseTuple(args, "O:inference_sizes", &task_) || py_task(&arrays, task_, &task))
        return NULL;
    return Py_BuildValue("nn", (Py_ssize_t)hrnn_inference_state_size(&task), (Py_ssize_t)hrnn_inference_scratch(&task));
}

static double *state_of(struct py_arrays *arrays, PyObject *state, const struct hrnn_task *task)
{
    npy_intp n = (npy_intp)hrnn_inference_state_size(task);
    return py_output(arrays, state, "state", NPY_DOUBLE, 1, &n);
}

static double *scratch_of(struct py_arrays *arrays, PyObject *scratch, const struct hrnn_task *task)
{
    npy_intp n = (npy_intp)hrnn_inference_scratch(task);
    return py_output(arrays, scratch, "scratch", NPY_DOUBLE, 1, &n);
}

/* Trials first .. last-1 of n. */
static void check_span(struct py_arrays *arrays, Py_ssize_t first, Py_ssize_t last, npy_intp n)
{
    py_within(arrays, "last", last, 0, n);
    py_within(arrays, "first", first, 0, last);
}

static PyObject *inference_evidence(PyObject *module, PyObject *args)
{
    PyObject *task_, *believer_, *n_obs_, *sums_, *out_, *scratch_;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_believer believer;
    if (!PyArg_ParseTuple(args, "OOOOOO:inference_evidence", &task_, &believer_, &n_obs_, &sums_, &out_, &scratch_) ||
        py_task(&arrays, task_, &task) || py_believer(py_state(module), &arrays, believer_, &task, &believer))
        return NULL;
    npy_intp n = -1;
    const int64_t *n_obs = py_input(&arrays, n_obs_, "n_obs", NPY_INT64, 1, &n);
    npy_intp pairs[2] = {n, 2};
    const double *sums = py_input(&arrays, sums_, "sums", NPY_DOUBLE, 2, pairs);
    double *out = py_output(&arrays, out_, "out", NPY_DOUBLE, 2, pairs);
    double *scratch = scratch_of(&arrays, scratch_, &task);
    if (arrays.failed)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    for (npy_intp i = 0; i < n; i++)
        hrnn_inference_evidence(&believer, (size_t)n_obs[i], sums[2 * i], sums[2 * i + 1], out + 2 * i, scratch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *inference_filter(PyObject *module, PyObject *args)
{
    PyObject *task_, *believer_, *session_, *block_side_, *side_, *log_likelihood_, *state_, *prior_, *block_;
    Py_ssize_t first, last;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_believer believer;
    if (!PyArg_ParseTuple(args, "OOnnOOOOOOO:inference_filter", &task_, &believer_, &first, &last, &session_,
                          &block_side_, &side_, &log_likelihood_, &state_, &prior_, &block_) ||
        py_task(&arrays, task_, &task) || py_believer(py_state(module), &arrays, believer_, &task, &believer))
        return NULL;
    npy_intp n = -1;
    const int64_t *session = py_input(&arrays, session_, "session", NPY_INT64, 1, &n);
    npy_intp pairs[2] = {n, 2};
    const int8_t *block_side = py_input(&arrays, block_side_, "block_side", NPY_INT8, 1, &n);
    const int8_t *side = py_input(&arrays, side_, "side", NPY_INT8, 1, &n);
    const double *log_likelihood = py_input(&arrays, log_likelihood_, "log_likelihood", NPY_DOUBLE, 2, pairs);
    double *state = state_of(&arrays, state_, &task);
    double *prior = py_output(&arrays, prior_, "prior", NPY_DOUBLE, 1, &n);
    double *block = py_output(&arrays, block_, "block", NPY_DOUBLE, 1, &n);
    check_span(&arrays, first, last, n);
    if (arrays.failed)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_inference_filter(&believer, (size_t)first, (size_t)last, session, block_side, side, log_likelihood, state,
                          prior, block);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* Steps of trials first .. last-1, blanks included. */
static npy_intp steps_of(struct py_arrays *arrays, const struct hrnn_task *task, Py_ssize_t first, Py_ssize_t last,
                         const int64_t *n_obs)
{
    npy_intp n_steps = 0;
    for (Py_ssize_t r = first; r < last && !arrays->failed; r++) {
        py_within(arrays, "n_obs", (Py_ssize_t)n_obs[r], 1, (Py_ssize_t)task->n_obs_max);
        n_steps += task->n_blank + n_obs[r];
    }
    return n_steps;
}

static PyObject *inference_observer(PyObject *module, PyObject *args)
{
    PyObject *task_, *believer_, *sessions_, *choice_, *n_obs_, *state_, *prior_, *block_, *p_right_, *p_block_,
        *scratch_;
    Py_ssize_t first, last;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_believer believer;
    struct hrnn_sessions sessions;
    if (!PyArg_ParseTuple(args, "OOOnnOOOOOOOO:inference_observer", &task_, &believer_, &sessions_, &first, &last,
                          &choice_, &n_obs_, &state_, &prior_, &block_, &p_right_, &p_block_, &scratch_) ||
        py_task(&arrays, task_, &task) || py_believer(py_state(module), &arrays, believer_, &task, &believer) ||
        py_sessions(&arrays, sessions_, &task, &sessions))
        return NULL;
    npy_intp n = (npy_intp)sessions.n_trials;
    check_span(&arrays, first, last, n);
    double *state = state_of(&arrays, state_, &task);
    double *scratch = scratch_of(&arrays, scratch_, &task);
    const int8_t *choice = py_input(&arrays, choice_, "choice", NPY_INT8, 1, &n);
    const int64_t *n_obs = py_input(&arrays, n_obs_, "n_obs", NPY_INT64, 1, &n);
    double *prior = py_output(&arrays, prior_, "prior", NPY_DOUBLE, 1, &n);
    double *block = py_output(&arrays, block_, "block", NPY_DOUBLE, 1, &n);
    npy_intp n_steps = steps_of(&arrays, &task, first, last, n_obs);
    double *p_right = py_output(&arrays, p_right_, "p_right", NPY_DOUBLE, 1, &n_steps);
    double *p_block = py_output(&arrays, p_block_, "p_block", NPY_DOUBLE, 1, &n_steps);
    if (arrays.failed)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_inference_observer(&believer, &sessions, (size_t)first, (size_t)last, choice, n_obs, state, prior, block,
                            p_right, p_block, scratch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* A solved policy from the tuple (grid, logit_max, wait). 0 on success. */
static int policy_of(struct py_arrays *arrays, PyObject *tuple, const struct hrnn_believer *believer,
                     struct hrnn_policy *policy)
{
    PyObject *wait_;
    Py_ssize_t n_left, n_right;
    if (arrays->failed)
        return -1;
    *policy = (struct hrnn_policy){.believer = believer};
    if (!PyTuple_Check(tuple) || !PyArg_ParseTuple(tuple, "(ddnn)dO", &policy->grid.low, &policy->grid.spacing, &n_left,
                                                   &n_right, &policy->logit_max, &wait_)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "policy must be a tuple or None");
        return py_fail(arrays);
    }
    npy_intp shape[4] = {-1, believer->task->n_obs_max - 1, n_left, n_right};
    policy->wait = py_input(arrays, wait_, "wait", NPY_DOUBLE, 4, shape);
    py_within(arrays, "wait.shape[0]", shape[0], 1, 1 << 20);
    py_within(arrays, "n_left", n_left, 1, 1 << 20);
    py_within(arrays, "n_right", n_right, 1, 1 << 20);
    policy->grid.n_left = (size_t)n_left;
    policy->grid.n_right = (size_t)n_right;
    policy->n_priors = (size_t)shape[0];
    return arrays->failed ? -1 : 0;
}

/* Closed loop of a Bayesian actor, or of a solved policy if `policy` is not None. */
static PyObject *inference_actor(PyObject *module, PyObject *args)
{
    PyObject *own_task_, *believer_, *task_, *sessions_, *policy_, *state_, *choice_, *n_obs_, *prior_, *p_right_,
        *scratch_;
    Py_ssize_t first, last;
    struct py_arrays arrays = {0};
    struct hrnn_task own_task, task;
    struct hrnn_believer believer;
    struct hrnn_sessions sessions;
    struct hrnn_policy policy;
    if (!PyArg_ParseTuple(args, "OOOOOnnOOOOOO:inference_actor", &own_task_, &believer_, &task_, &sessions_, &policy_,
                          &first, &last, &state_, &choice_, &n_obs_, &prior_, &p_right_, &scratch_) ||
        py_task(&arrays, own_task_, &own_task) || py_task(&arrays, task_, &task) ||
        py_believer(py_state(module), &arrays, believer_, &own_task, &believer) ||
        py_sessions(&arrays, sessions_, &task, &sessions))
        return NULL;
    npy_intp n = (npy_intp)sessions.n_trials;
    check_span(&arrays, first, last, n);
    double *state = state_of(&arrays, state_, &own_task);
    double *scratch = scratch_of(&arrays, scratch_, &own_task);
    if (policy_ != Py_None)
        policy_of(&arrays, policy_, &believer, &policy);
    int8_t *choice = py_output(&arrays, choice_, "choice", NPY_INT8, 1, &n);
    int64_t *n_obs = py_output(&arrays, n_obs_, "n_obs", NPY_INT64, 1, &n);
    double *prior = py_output(&arrays, prior_, "prior", NPY_DOUBLE, 1, &n);
    npy_intp most = arrays.failed ? 0 : (last - first) * (npy_intp)(task.n_blank + task.n_obs_max);
    double *p_right = py_output(&arrays, p_right_, "p_right", NPY_DOUBLE, 1, &most);
    if (arrays.failed)
        return NULL;
    struct hrnn_decider decider = {hrnn_policy_margin, &policy};
    size_t n_steps;
    Py_BEGIN_ALLOW_THREADS
    n_steps = hrnn_inference_actor(&believer, &task, &sessions, policy_ == Py_None ? NULL : &decider, (size_t)first,
                                   (size_t)last, state, choice, n_obs, prior, p_right, scratch);
    Py_END_ALLOW_THREADS
    return PyLong_FromSize_t(n_steps);
}

PyMethodDef py_inference_methods[] = {
    {"inference_sizes", inference_sizes, METH_VARARGS, "inference_sizes(task): sizes of state and scratch."},
    {"inference_evidence", inference_evidence, METH_VARARGS,
     "inference_evidence(task, believer, n_obs, sums, out, scratch): log L of left and right."},
    {"inference_filter", inference_filter, METH_VARARGS,
     "inference_filter(task, believer, first, last, session, block_side, side, log_likelihood, state, prior, block)."},
    {"inference_observer", inference_observer, METH_VARARGS,
     "inference_observer(task, believer, sessions, first, last, choice, n_obs, state, prior, block, p_right, p_block, "
     "scratch)."},
    {"inference_actor", inference_actor, METH_VARARGS,
     "inference_actor(own_task, believer, task, sessions, policy, first, last, state, choice, n_obs, prior, p_right, "
     "scratch): number of steps written to p_right."},
    {NULL, NULL, 0, NULL},
};
