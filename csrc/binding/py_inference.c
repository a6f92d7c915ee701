/* inference: evidence of one trial, filter over known sides, actor in closed loop, passive observer. */
#include "py.h"

#include <string.h>

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

/* What a believer carries from call to call: the caller's array, and the copy that the core works on, since places in it
   are indices. */
struct state {
    double *given, *own;
    size_t n_bytes;
};

/* What a state holds is looked at where it is used, not where a session starts at trial 0. */
static struct state state_of(struct py_arrays *arrays, PyObject *state, const struct hrnn_believer *believer,
                             Py_ssize_t first, Py_ssize_t last)
{
    size_t size = hrnn_inference_state_size(believer->task);
    npy_intp n = (npy_intp)size;
    double *given = py_output(arrays, state, "state", NPY_DOUBLE, 1, &n), *own;
    own = py_copy(arrays, given, size * sizeof *own);
    if (own && first > 0 && first < last && !hrnn_inference_goes_on(believer, own)) {
        PyErr_SetString(PyExc_ValueError, "state must be what the call before left, for first > 0");
        py_fail(arrays);
    }
    return (struct state){given, own, size * sizeof *own};
}

/* Ends a call: the state goes back to the caller. */
static void keep(struct py_arrays *arrays, const struct state *state)
{
    memcpy(state->given, state->own, state->n_bytes);
    py_end(arrays);
}

static double *scratch_of(struct py_arrays *arrays, PyObject *scratch, const struct hrnn_task *task)
{
    npy_intp n = (npy_intp)hrnn_inference_scratch(task);
    return py_output(arrays, scratch, "scratch", NPY_DOUBLE, 1, &n);
}

/* Trials first .. last-1 of n. */
static void span_of(struct py_arrays *arrays, PyObject *first_, PyObject *last_, npy_intp n, Py_ssize_t *first,
                    Py_ssize_t *last)
{
    *last = py_whole(arrays, "last", last_, 0, n);
    *first = py_whole(arrays, "first", first_, 0, *last);
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
    if (py_begin(&arrays))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    for (npy_intp i = 0; i < n; i++)
        hrnn_inference_evidence(&believer, (size_t)n_obs[i], sums[2 * i], sums[2 * i + 1], out + 2 * i, scratch);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    Py_RETURN_NONE;
}

static PyObject *inference_filter(PyObject *module, PyObject *args)
{
    PyObject *task_, *believer_, *first_, *last_, *session_, *block_side_, *side_, *log_likelihood_, *state_, *prior_,
        *block_;
    Py_ssize_t first, last;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_believer believer;
    if (!PyArg_ParseTuple(args, "OOOOOOOOOOO:inference_filter", &task_, &believer_, &first_, &last_, &session_,
                          &block_side_, &side_, &log_likelihood_, &state_, &prior_, &block_) ||
        py_task(&arrays, task_, &task) || py_believer(py_state(module), &arrays, believer_, &task, &believer))
        return NULL;
    npy_intp n = -1;
    const int64_t *session = py_input(&arrays, session_, "session", NPY_INT64, 1, &n);
    npy_intp pairs[2] = {n, 2};
    const int8_t *block_side = py_input(&arrays, block_side_, "block_side", NPY_INT8, 1, &n);
    const int8_t *side = py_input(&arrays, side_, "side", NPY_INT8, 1, &n);
    const double *log_likelihood = py_input(&arrays, log_likelihood_, "log_likelihood", NPY_DOUBLE, 2, pairs);
    double *prior = py_output(&arrays, prior_, "prior", NPY_DOUBLE, 1, &n);
    double *block = py_output(&arrays, block_, "block", NPY_DOUBLE, 1, &n);
    span_of(&arrays, first_, last_, n, &first, &last);
    struct state state = state_of(&arrays, state_, &believer, first, last);
    if (py_begin(&arrays))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_inference_filter(&believer, (size_t)first, (size_t)last, session, block_side, side, log_likelihood, state.own,
                          prior, block);
    Py_END_ALLOW_THREADS
    keep(&arrays, &state);
    Py_RETURN_NONE;
}

/* Steps of n trials, blanks included. */
static npy_intp steps_of(struct py_arrays *arrays, const struct hrnn_task *task, Py_ssize_t n, const int64_t *n_obs)
{
    npy_intp n_steps = 0;
    for (Py_ssize_t r = 0; r < n && !arrays->failed; r++) {
        py_within(arrays, "n_obs", (Py_ssize_t)n_obs[r], 1, (Py_ssize_t)task->n_obs_max);
        n_steps += (npy_intp)(task->n_blank + n_obs[r]);
    }
    return n_steps;
}

/* Copies of the numbers of observations of trials first .. last-1, of which the core is told where trial 0 would be. */
static const int64_t *n_obs_of(struct py_arrays *arrays, PyObject *n_obs_, npy_intp n, Py_ssize_t first,
                               Py_ssize_t last)
{
    const int64_t *given = py_input(arrays, n_obs_, "n_obs", NPY_INT64, 1, &n);
    if (arrays->failed)
        return NULL;
    return py_copy(arrays, given + first, (size_t)(last - first) * sizeof *given);
}

static PyObject *inference_observer(PyObject *module, PyObject *args)
{
    PyObject *task_, *believer_, *sessions_, *first_, *last_, *choice_, *n_obs_, *state_, *prior_, *block_, *p_right_,
        *p_block_, *scratch_;
    Py_ssize_t first, last;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_believer believer;
    struct hrnn_sessions sessions;
    if (!PyArg_ParseTuple(args, "OOOOOOOOOOOOO:inference_observer", &task_, &believer_, &sessions_, &first_, &last_,
                          &choice_, &n_obs_, &state_, &prior_, &block_, &p_right_, &p_block_, &scratch_) ||
        py_task(&arrays, task_, &task) || py_believer(py_state(module), &arrays, believer_, &task, &believer) ||
        py_sessions(&arrays, sessions_, &task, &sessions))
        return NULL;
    npy_intp n = (npy_intp)sessions.n_trials;
    span_of(&arrays, first_, last_, n, &first, &last);
    struct state state = state_of(&arrays, state_, &believer, first, last);
    double *scratch = scratch_of(&arrays, scratch_, &task);
    const int8_t *choice = py_input(&arrays, choice_, "choice", NPY_INT8, 1, &n);
    const int64_t *n_obs = n_obs_of(&arrays, n_obs_, n, first, last);
    double *prior = py_output(&arrays, prior_, "prior", NPY_DOUBLE, 1, &n);
    double *block = py_output(&arrays, block_, "block", NPY_DOUBLE, 1, &n);
    npy_intp n_steps = steps_of(&arrays, &task, last - first, n_obs);
    double *p_right = py_output(&arrays, p_right_, "p_right", NPY_DOUBLE, 1, &n_steps);
    double *p_block = py_output(&arrays, p_block_, "p_block", NPY_DOUBLE, 1, &n_steps);
    if (py_begin(&arrays))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_inference_observer(&believer, &sessions, (size_t)first, (size_t)last, choice, n_obs, state.own, prior, block,
                            p_right, p_block, scratch);
    Py_END_ALLOW_THREADS
    keep(&arrays, &state);
    Py_RETURN_NONE;
}

/* A solved policy from the tuple (grid, logit_max, wait). 0 on success. */
static int policy_of(struct py_arrays *arrays, PyObject *tuple, const struct hrnn_believer *believer,
                     struct hrnn_policy *policy)
{
    PyObject **field = py_fields(arrays, "policy", tuple, 3);
    PyObject **grid = field ? py_fields(arrays, "policy[0]", field[0], 4) : NULL;
    if (!grid)
        return -1;
    *policy = (struct hrnn_policy){.believer = believer};
    policy->grid.low = py_real(arrays, "low", grid[0]);
    policy->grid.spacing = py_real(arrays, "spacing", grid[1]);
    Py_ssize_t n_left = py_whole(arrays, "n_left", grid[2], 1, 1 << 20);
    Py_ssize_t n_right = py_whole(arrays, "n_right", grid[3], 1, 1 << 20);
    policy->logit_max = py_real(arrays, "logit_max", field[1]);
    npy_intp shape[4] = {-1, (npy_intp)(believer->task->n_obs_max - 1), n_left, n_right};
    policy->wait = py_input(arrays, field[2], "wait", NPY_DOUBLE, 4, shape);
    py_within(arrays, "wait.shape[0]", shape[0], 1, 1 << 20);
    policy->grid.n_left = (size_t)n_left;
    policy->grid.n_right = (size_t)n_right;
    policy->n_priors = (size_t)shape[0];
    return arrays->failed ? -1 : 0;
}

/* Closed loop of a Bayesian actor, or of a solved policy if `policy` is not None. */
static PyObject *inference_actor(PyObject *module, PyObject *args)
{
    PyObject *own_task_, *believer_, *task_, *sessions_, *policy_, *first_, *last_, *state_, *choice_, *n_obs_, *prior_,
        *p_right_, *scratch_;
    Py_ssize_t first, last;
    struct py_arrays arrays = {0};
    struct hrnn_task own_task, task;
    struct hrnn_believer believer;
    struct hrnn_sessions sessions;
    struct hrnn_policy policy;
    if (!PyArg_ParseTuple(args, "OOOOOOOOOOOOO:inference_actor", &own_task_, &believer_, &task_, &sessions_, &policy_,
                          &first_, &last_, &state_, &choice_, &n_obs_, &prior_, &p_right_, &scratch_) ||
        py_task(&arrays, own_task_, &own_task) || py_task(&arrays, task_, &task) ||
        py_believer(py_state(module), &arrays, believer_, &own_task, &believer) ||
        py_sessions(&arrays, sessions_, &task, &sessions))
        return NULL;
    npy_intp n = (npy_intp)sessions.n_trials;
    span_of(&arrays, first_, last_, n, &first, &last);
    struct state state = state_of(&arrays, state_, &believer, first, last);
    double *scratch = scratch_of(&arrays, scratch_, &own_task);
    if (policy_ != Py_None)
        policy_of(&arrays, policy_, &believer, &policy);
    int8_t *choice = py_output(&arrays, choice_, "choice", NPY_INT8, 1, &n);
    int64_t *n_obs = py_output(&arrays, n_obs_, "n_obs", NPY_INT64, 1, &n);
    double *prior = py_output(&arrays, prior_, "prior", NPY_DOUBLE, 1, &n);
    npy_intp most = arrays.failed ? 0 : (last - first) * (npy_intp)(task.n_blank + task.n_obs_max);
    double *p_right = py_output(&arrays, p_right_, "p_right", NPY_DOUBLE, 1, &most);
    if (py_begin(&arrays))
        return NULL;
    struct hrnn_decider decider = {hrnn_policy_margin, &policy};
    size_t n_steps;
    Py_BEGIN_ALLOW_THREADS
    n_steps = hrnn_inference_actor(&believer, &task, &sessions, policy_ == Py_None ? NULL : &decider, (size_t)first,
                                   (size_t)last, state.own, choice, n_obs, prior, p_right, scratch);
    Py_END_ALLOW_THREADS
    keep(&arrays, &state);
    return PyLong_FromSize_t(n_steps);
}

static const char *block_model_name(int model) { return hrnn_inference_block_model_name((enum hrnn_block_model)model); }

static const char *evidence_name(int evidence) { return hrnn_inference_evidence_name((enum hrnn_evidence)evidence); }

int py_inference_constants(PyObject *module)
{
    if (py_add_enum(module, "BLOCK_MODELS", HRNN_BLOCK_MODEL_COUNT, block_model_name))
        return -1;
    return py_add_enum(module, "EVIDENCE", HRNN_EVIDENCE_COUNT, evidence_name);
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
