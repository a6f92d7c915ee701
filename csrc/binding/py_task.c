/* task: block lengths, sampling of sessions, and single steps for agents written in Python. */
#include "py.h"

static PyObject *task_block_law(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *task_, *pmf_, *hazard_;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    if (!PyArg_ParseTuple(args, "OOO:task_block_law", &task_, &pmf_, &hazard_) || py_task(&arrays, task_, &task))
        return NULL;
    npy_intp n = task.block_max + 1;
    double *pmf = py_output(&arrays, pmf_, "pmf", NPY_DOUBLE, 1, &n);
    double *hazard = py_output(&arrays, hazard_, "hazard", NPY_DOUBLE, 1, &n);
    if (arrays.failed)
        return NULL;
    hrnn_task_block_pmf(&task, pmf);
    hrnn_task_block_hazard(&task, pmf, hazard);
    Py_RETURN_NONE;
}

static PyObject *task_sample_lengths(PyObject *module, PyObject *args)
{
    PyObject *task_, *bit_generator, *length_;
    struct py_arrays arrays = {0};
    struct py_bitgen held = {0};
    struct hrnn_task task;
    npy_intp n = -1;
    int64_t total;
    if (!PyArg_ParseTuple(args, "OOO:task_sample_lengths", &task_, &bit_generator, &length_) ||
        py_task(&arrays, task_, &task))
        return NULL;
    int64_t *length = py_output(&arrays, length_, "length", NPY_INT64, 1, &n);
    py_bitgen_hold(&arrays, bit_generator, &held);
    if (py_begin(&arrays)) {
        py_bitgen_release(&held);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    total = hrnn_task_sample_lengths(&task, py_rng(module, &held), (size_t)n, length);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    py_bitgen_release(&held);
    return PyLong_FromLongLong(total);
}

static PyObject *task_sample_trials(PyObject *module, PyObject *args)
{
    PyObject *task_, *bit_generator, *noise_generator, *block_side_, *side_, *strength_, *observations_;
    struct py_arrays arrays = {0};
    struct py_bitgen held = {0}, noise = {0};
    struct hrnn_task task;
    if (!PyArg_ParseTuple(args, "OOOOOOO:task_sample_trials", &task_, &bit_generator, &noise_generator, &block_side_,
                          &side_, &strength_, &observations_) ||
        py_task(&arrays, task_, &task))
        return NULL;
    npy_intp n = -1;
    const int8_t *block_side = py_input(&arrays, block_side_, "block_side", NPY_INT8, 1, &n);
    npy_intp shape[3] = {n, task.n_obs_max, 2};
    int8_t *side = py_output(&arrays, side_, "side", NPY_INT8, 1, &n);
    double *strength = py_output(&arrays, strength_, "strength", NPY_DOUBLE, 1, &n);
    double *observations = py_output(&arrays, observations_, "observations", NPY_DOUBLE, 3, shape);
    py_bitgen_hold_two(&arrays, bit_generator, noise_generator == Py_None ? bit_generator : noise_generator, &held,
                       &noise);
    struct hrnn_rng rng = py_rng(module, &held), noise_rng = py_rng(module, &noise);
    int failed = py_begin(&arrays);
    if (failed)
        goto release;
    Py_BEGIN_ALLOW_THREADS
    hrnn_task_sample_trials(&task, rng, (size_t)n, block_side, side, strength);
    hrnn_task_sample_observations(&task, noise_rng, (size_t)n, side, strength, observations);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
release:
    py_bitgen_release(&noise);
    py_bitgen_release(&held);
    return failed ? NULL : Py_NewRef(Py_None);
}

/* Do blocks of these lengths, after the unbiased start, fit into `room` trials? */
static void check_lengths(struct py_arrays *arrays, npy_intp n_blocks, const int64_t *length, Py_ssize_t room)
{
    for (npy_intp i = 0; !arrays->failed && i < n_blocks && room >= 0; i++)
        room = length[i] < 0 || length[i] > room ? -1 : room - (Py_ssize_t)length[i];
    if (!arrays->failed && room < 0) {
        PyErr_SetString(PyExc_ValueError, "length must be >= 0 and its blocks fit into the arrays");
        py_fail(arrays);
    }
}

/* Lengths of the blocks of one session, and then the session itself from trial `first` of the arrays on. */
static PyObject *task_sample_session(PyObject *module, PyObject *args)
{
    PyObject *task_, *bit_generator, *length_, *first_, *block_side_, *side_, *strength_, *observations_;
    struct py_arrays arrays = {0};
    struct py_bitgen held = {0};
    struct hrnn_task task;
    npy_intp n_blocks = -1, n = -1;
    if (!PyArg_ParseTuple(args, "OOOOOOOO:task_sample_session", &task_, &bit_generator, &length_, &first_, &block_side_,
                          &side_, &strength_, &observations_) ||
        py_task(&arrays, task_, &task))
        return NULL;
    const int64_t *given = py_input(&arrays, length_, "length", NPY_INT64, 1, &n_blocks);
    int8_t *block_side = py_output(&arrays, block_side_, "block_side", NPY_INT8, 1, &n);
    int8_t *side = py_output(&arrays, side_, "side", NPY_INT8, 1, &n);
    double *strength = py_output(&arrays, strength_, "strength", NPY_DOUBLE, 1, &n);
    npy_intp shape[3] = {n, task.n_obs_max, 2};
    double *observations = py_output(&arrays, observations_, "observations", NPY_DOUBLE, 3, shape);
    Py_ssize_t first = py_whole(&arrays, "first", first_, 0, n);
    const int64_t *length = py_copy(&arrays, given, (size_t)n_blocks * sizeof *length);
    check_lengths(&arrays, n_blocks, length, n - first - (Py_ssize_t)task.n_unbiased);
    py_bitgen_hold(&arrays, bit_generator, &held);
    if (py_begin(&arrays)) {
        py_bitgen_release(&held);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    hrnn_task_sample_session(&task, py_rng(module, &held), (size_t)n_blocks, length, block_side + first, side + first,
                             strength + first, observations + 2 * first * (Py_ssize_t)task.n_obs_max);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    py_bitgen_release(&held);
    Py_RETURN_NONE;
}

static PyObject *task_observe(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *task_, *sessions_, *place_, *x_;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_sessions sessions;
    npy_intp three = 3;
    if (!PyArg_ParseTuple(args, "OOOO:task_observe", &task_, &sessions_, &place_, &x_) ||
        py_task(&arrays, task_, &task) || py_sessions(&arrays, sessions_, &task, &sessions))
        return NULL;
    const double *values = py_output(&arrays, place_, "place", NPY_DOUBLE, 1, &three);
    double *x = py_output(&arrays, x_, "x", NPY_DOUBLE, 1, &three);
    struct hrnn_place place = py_place(&arrays, values, (Py_ssize_t)sessions.n_trials - 1, &task);
    if (arrays.failed)
        return NULL;
    hrnn_task_observe(&task, &sessions, &place, x);
    Py_RETURN_NONE;
}

static PyObject *task_act(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *task_, *sessions_, *margin_, *place_, *choice_, *n_obs_;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_sessions sessions;
    npy_intp three = 3;
    if (!PyArg_ParseTuple(args, "OOOOOO:task_act", &task_, &sessions_, &margin_, &place_, &choice_, &n_obs_) ||
        py_task(&arrays, task_, &task) || py_sessions(&arrays, sessions_, &task, &sessions))
        return NULL;
    double margin = py_real(&arrays, "margin", margin_);
    npy_intp n = (npy_intp)sessions.n_trials;
    int8_t *choice = py_output(&arrays, choice_, "choice", NPY_INT8, 1, &n);
    int64_t *n_obs = py_output(&arrays, n_obs_, "n_obs", NPY_INT64, 1, &n);
    double *values = py_output(&arrays, place_, "place", NPY_DOUBLE, 1, &three);
    struct hrnn_place place = py_place(&arrays, values, (Py_ssize_t)sessions.n_trials - 1, &task);
    if (arrays.failed)
        return NULL;
    hrnn_task_act(&task, &sessions, hrnn_task_bound(&task), margin, &place, choice, n_obs);
    values[0] = (double)place.trial;
    values[1] = (double)place.step;
    values[2] = place.feedback;
    Py_RETURN_NONE;
}

static const char *block_law_name(int law) { return hrnn_task_block_law_name((enum hrnn_block_law)law); }

int py_task_constants(PyObject *module)
{
    return py_add_enum(module, "BLOCK_LAWS", HRNN_BLOCK_LAW_COUNT, block_law_name);
}

PyMethodDef py_task_methods[] = {
    {"task_block_law", task_block_law, METH_VARARGS,
     "task_block_law(task, pmf, hazard): of block lengths 0..block_max."},
    {"task_sample_lengths", task_sample_lengths, METH_VARARGS,
     "task_sample_lengths(task, bit_generator, length): their sum."},
    {"task_sample_trials", task_sample_trials, METH_VARARGS,
     "task_sample_trials(task, bit_generator, noise_generator or None, block_side, side, strength, observations)."},
    {"task_sample_session", task_sample_session, METH_VARARGS,
     "task_sample_session(task, bit_generator, length, first, block_side, side, strength, observations)."},
    {"task_observe", task_observe, METH_VARARGS, "task_observe(task, sessions, place, x)."},
    {"task_act", task_act, METH_VARARGS, "task_act(task, sessions, margin, place, choice, n_obs)."},
    {NULL, NULL, 0, NULL},
};
