/* rollout: networks in closed loop with the task, and the gradient through whole sessions. */
#include "py.h"

#include <string.h>

#include "rollout.h"

static PyObject *rollout_scratch(PyObject *module, PyObject *args)
{
    PyObject *task_, *cell_, *n_lanes_, *n_trials_;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_cell cell;
    if (!PyArg_ParseTuple(args, "OOOO:rollout_scratch", &task_, &cell_, &n_lanes_, &n_trials_))
        return NULL;
    py_task(&arrays, task_, &task);
    py_cell(py_state(module), &arrays, cell_, &cell);
    Py_ssize_t n_lanes = py_whole(&arrays, "n_lanes", n_lanes_, 1, HRNN_LANES_MAX);
    Py_ssize_t n_trials = py_whole(&arrays, "n_trials", n_trials_, 1, 1LL << 32);
    if (arrays.failed)
        return NULL;
    size_t forward = hrnn_rollout_forward_scratch(&cell);
    size_t gradient = hrnn_rollout_gradient_scratch(&cell, &task, (size_t)n_lanes, (size_t)n_trials);
    return Py_BuildValue("nn", (Py_ssize_t)forward, (Py_ssize_t)gradient);
}

static PyObject *rollout_forward(PyObject *module, PyObject *args)
{
    PyObject *theta_, *cell_, *task_, *sessions_, *end_, *place_, *h_, *p_right_, *hidden_, *choice_, *n_obs_,
        *scratch_, *look_ = Py_None;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell = {0};
    struct hrnn_task task = {0};
    struct hrnn_sessions sessions = {0};
    if (!PyArg_ParseTuple(args, "OOOOOOOOOOOO|O:rollout_forward", &theta_, &cell_, &task_, &sessions_, &end_, &place_,
                          &h_, &p_right_, &hidden_, &choice_, &n_obs_, &scratch_, &look_))
        return NULL;
    const double *theta = py_network(py_state(module), &arrays, theta_, cell_, &cell);
    py_task(&arrays, task_, &task);
    py_sessions(&arrays, sessions_, &task, &sessions);
    Py_ssize_t end = py_whole(&arrays, "end", end_, 0, (Py_ssize_t)sessions.n_trials);
    npy_intp n = (npy_intp)sessions.n_trials, three = 3, n_h = (npy_intp)cell.n_hidden, most = -1;
    double *values = py_output(&arrays, place_, "place", NPY_DOUBLE, 1, &three);
    double *h = py_output(&arrays, h_, "h", NPY_DOUBLE, 1, &n_h);
    double *p_right = py_output(&arrays, p_right_, "p_right", NPY_DOUBLE, 1, &most);
    int8_t *choice = py_output(&arrays, choice_, "choice", NPY_INT8, 1, &n);
    int64_t *n_obs = py_output(&arrays, n_obs_, "n_obs", NPY_INT64, 1, &n);
    npy_intp n_scratch = arrays.failed ? 0 : (npy_intp)hrnn_rollout_forward_scratch(&cell), shape[2] = {most, n_h};
    double *scratch = py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    double *hidden = hidden_ == Py_None ? NULL : py_output(&arrays, hidden_, "hidden", NPY_DOUBLE, 2, shape);
    struct hrnn_place place = py_place(&arrays, values, end, &task);
    struct py_watch watch;
    py_watch(&arrays, look_, &watch);
    if (py_begin(&arrays))
        return NULL;
    size_t n_steps;
    watch.thread = PyEval_SaveThread();
    n_steps = hrnn_rollout_forward(&cell, &task, &sessions, theta, (size_t)end, (size_t)most, &place, h, p_right,
                                   hidden, choice, n_obs, scratch, &watch.watch);
    PyEval_RestoreThread(watch.thread);
    if (PyErr_Occurred()) {
        py_end(&arrays);
        return NULL;
    }
    values[0] = (double)place.trial;
    values[1] = (double)place.step;
    values[2] = place.feedback;
    py_end(&arrays);
    return PyLong_FromSize_t(n_steps);
}

static void check_offsets(struct py_arrays *arrays, const int64_t *offsets, npy_intp n_lanes, size_t n_trials)
{
    for (npy_intp l = 0; !arrays->failed && l < n_lanes; l++)
        if (offsets[l] < 0 || offsets[l] >= offsets[l + 1] || offsets[l + 1] > (int64_t)n_trials) {
            PyErr_Format(PyExc_ValueError, "offsets must increase from 0 to at most %zu", n_trials);
            py_fail(arrays);
        }
}

/* Scratch of a gradient, enough for the trials that the offsets span. */
static double *gradient_scratch(struct py_arrays *arrays, PyObject *scratch_, const struct hrnn_cell *cell,
                                const struct hrnn_task *task, const int64_t *offsets, npy_intp n_lanes)
{
    if (arrays->failed)
        return NULL;
    size_t n_trials = (size_t)(offsets[n_lanes] - offsets[0]);
    return py_scratch(arrays, scratch_, hrnn_rollout_gradient_scratch(cell, task, (size_t)n_lanes, n_trials));
}

static PyObject *rollout_gradient(PyObject *module, PyObject *args)
{
    PyObject *theta_, *cell_, *task_, *sessions_, *offsets_, *kind_, *scale_, *loss_, *choice_, *n_obs_, *gradient_,
        *scratch_, *look_ = Py_None;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell = {0};
    struct hrnn_task task = {0};
    struct hrnn_sessions sessions = {0};
    if (!PyArg_ParseTuple(args, "OOOOOOOOOOOO|O:rollout_gradient", &theta_, &cell_, &task_, &sessions_, &offsets_,
                          &kind_, &scale_, &loss_, &choice_, &n_obs_, &gradient_, &scratch_, &look_))
        return NULL;
    const double *theta = py_network(py_state(module), &arrays, theta_, cell_, &cell);
    py_task(&arrays, task_, &task);
    py_sessions(&arrays, sessions_, &task, &sessions);
    Py_ssize_t loss_kind = py_whole(&arrays, "loss_kind", kind_, 0, HRNN_LOSS_COUNT - 1);
    double scale = py_real(&arrays, "scale", scale_);
    npy_intp n = (npy_intp)sessions.n_trials, n_offsets = -1;
    npy_intp n_parameters = arrays.failed ? 0 : (npy_intp)hrnn_cell_n_parameters(&cell);
    const int64_t *given = py_input(&arrays, offsets_, "offsets", NPY_INT64, 1, &n_offsets);
    npy_intp n_lanes = n_offsets - 1;
    py_within(&arrays, "number of sessions", n_lanes, 1, HRNN_LANES_MAX);
    int64_t offsets[HRNN_LANES_MAX + 1];
    if (!arrays.failed)
        memcpy(offsets, given, (size_t)n_offsets * sizeof *offsets);
    check_offsets(&arrays, offsets, n_lanes, sessions.n_trials);
    double *loss = py_output(&arrays, loss_, "loss", NPY_DOUBLE, 1, &n_lanes);
    int8_t *choice = py_output(&arrays, choice_, "choice", NPY_INT8, 1, &n);
    int64_t *n_obs = py_output(&arrays, n_obs_, "n_obs", NPY_INT64, 1, &n);
    double *gradient = py_output(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &n_parameters);
    double *scratch = gradient_scratch(&arrays, scratch_, &cell, &task, offsets, n_lanes);
    struct py_watch watch;
    py_watch(&arrays, look_, &watch);
    if (py_begin(&arrays))
        return NULL;
    enum hrnn_status status;
    watch.thread = PyEval_SaveThread();
    status = hrnn_rollout_gradient(&cell, &task, &sessions, (size_t)n_lanes, offsets, (enum hrnn_loss)loss_kind, theta,
                                   scale, loss, choice, n_obs, gradient, scratch, &watch.watch);
    PyEval_RestoreThread(watch.thread);
    py_end(&arrays);
    if (py_raise(py_state(module), status))
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef py_rollout_methods[] = {
    {"rollout_scratch", rollout_scratch, METH_VARARGS,
     "rollout_scratch(task, cell, n_lanes, n_trials): doubles of scratch for forward and for gradient."},
    {"rollout_forward", rollout_forward, METH_VARARGS,
     "rollout_forward(theta, cell, task, sessions, end, place, h, p_right, hidden, choice, n_obs, scratch, look or "
     "None): "
     "number of steps done."},
    {"rollout_gradient", rollout_gradient, METH_VARARGS,
     "rollout_gradient(theta, cell, task, sessions, offsets, loss_kind, scale, loss, choice, n_obs, gradient, "
     "scratch, look or None)."},
    {NULL, NULL, 0, NULL},
};
