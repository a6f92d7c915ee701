/* rollout: networks in closed loop with the task, and the gradient through whole sessions. */
#include "py.h"

#include "rollout.h"

static PyObject *rollout_scratch(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *task_;
    Py_ssize_t n_hidden, n_lanes, n_trials;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    if (!PyArg_ParseTuple(args, "Onnn:rollout_scratch", &task_, &n_hidden, &n_lanes, &n_trials) ||
        py_task(&arrays, task_, &task) || py_check_range("n_hidden", n_hidden, 1, 4096) ||
        py_check_range("n_lanes", n_lanes, 1, HRNN_LANES_MAX) || py_check_range("n_trials", n_trials, 1, 1LL << 32))
        return NULL;
    struct hrnn_cell cell = hrnn_cell_of((size_t)n_hidden, 1);
    return Py_BuildValue(
        "nn", (Py_ssize_t)hrnn_rollout_forward_scratch(&cell),
        (Py_ssize_t)hrnn_rollout_gradient_scratch(&cell, &task, (size_t)n_lanes, (size_t)n_trials));
}

static PyObject *rollout_forward(PyObject *module, PyObject *args)
{
    PyObject *theta_, *task_, *sessions_, *place_, *h_, *p_right_, *hidden_, *choice_, *n_obs_, *scratch_;
    Py_ssize_t n_hidden, end;
    double leak;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell;
    struct hrnn_task task;
    struct hrnn_sessions sessions;
    if (!PyArg_ParseTuple(args, "OndOOnOOOOOOO:rollout_forward", &theta_, &n_hidden, &leak, &task_, &sessions_, &end,
                          &place_, &h_, &p_right_, &hidden_, &choice_, &n_obs_, &scratch_))
        return NULL;
    const double *theta = py_network(&arrays, theta_, n_hidden, leak, &cell);
    if (!theta || py_task(&arrays, task_, &task) || py_sessions(&arrays, sessions_, &task, &sessions) ||
        py_check_range("end", end, 0, (Py_ssize_t)sessions.n_trials))
        return NULL;
    npy_intp n = (npy_intp)sessions.n_trials, three = 3, n_h = n_hidden, most = -1;
    double *values = py_output(&arrays, place_, "place", NPY_DOUBLE, 1, &three);
    double *h = values ? py_output(&arrays, h_, "h", NPY_DOUBLE, 1, &n_h) : NULL;
    double *p_right = h ? py_output(&arrays, p_right_, "p_right", NPY_DOUBLE, 1, &most) : NULL;
    int8_t *choice = p_right ? py_output(&arrays, choice_, "choice", NPY_INT8, 1, &n) : NULL;
    int64_t *n_obs = choice ? py_output(&arrays, n_obs_, "n_obs", NPY_INT64, 1, &n) : NULL;
    npy_intp n_scratch = (npy_intp)hrnn_rollout_forward_scratch(&cell), shape[2] = {most, n_hidden};
    double *scratch = n_obs ? py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch) : NULL;
    double *hidden = NULL;
    if (!scratch || (hidden_ != Py_None && !(hidden = py_output(&arrays, hidden_, "hidden", NPY_DOUBLE, 2, shape))) ||
        py_check_range("place[0]", (Py_ssize_t)values[0], 0, end) ||
        py_check_range("place[1]", (Py_ssize_t)values[1], 0, (Py_ssize_t)(task.n_blank + task.n_obs_max - 1)))
        return NULL;
    struct hrnn_place place = {(size_t)values[0], (size_t)values[1], values[2]};
    size_t n_steps;
    Py_BEGIN_ALLOW_THREADS
    n_steps = hrnn_rollout_forward(&py_state(module)->kernel, &cell, &task, &sessions, theta, (size_t)end,
                                   (size_t)most, &place, h, p_right, hidden, choice, n_obs, scratch);
    Py_END_ALLOW_THREADS
    values[0] = (double)place.trial;
    values[1] = (double)place.step;
    values[2] = place.feedback;
    return PyLong_FromSize_t(n_steps);
}

static int check_offsets(const int64_t *offsets, npy_intp n_lanes, size_t n_trials)
{
    for (npy_intp l = 0; l < n_lanes; l++)
        if (offsets[l] < 0 || offsets[l] >= offsets[l + 1] || offsets[l + 1] > (int64_t)n_trials) {
            PyErr_Format(PyExc_ValueError, "offsets must increase from 0 to at most %zu", n_trials);
            return -1;
        }
    return 0;
}

static PyObject *rollout_gradient(PyObject *module, PyObject *args)
{
    PyObject *theta_, *task_, *sessions_, *offsets_, *loss_, *choice_, *n_obs_, *gradient_, *scratch_;
    Py_ssize_t n_hidden;
    int loss_kind;
    double leak, scale;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell;
    struct hrnn_task task;
    struct hrnn_sessions sessions;
    if (!PyArg_ParseTuple(args, "OndOOOidOOOOO:rollout_gradient", &theta_, &n_hidden, &leak, &task_, &sessions_,
                          &offsets_, &loss_kind, &scale, &loss_, &choice_, &n_obs_, &gradient_, &scratch_))
        return NULL;
    const double *theta = py_network(&arrays, theta_, n_hidden, leak, &cell);
    if (!theta || py_task(&arrays, task_, &task) || py_sessions(&arrays, sessions_, &task, &sessions) ||
        py_check_range("loss", loss_kind, 0, HRNN_LOSS_COUNT - 1))
        return NULL;
    npy_intp n = (npy_intp)sessions.n_trials, n_offsets = -1, n_parameters = (npy_intp)hrnn_cell_n_parameters(cell.n_hidden);
    const int64_t *offsets = py_input(&arrays, offsets_, "offsets", NPY_INT64, 1, &n_offsets);
    npy_intp n_lanes = n_offsets - 1, n_scratch = -1;
    if (!offsets || py_check_range("number of sessions", n_lanes, 1, HRNN_LANES_MAX) ||
        check_offsets(offsets, n_lanes, sessions.n_trials))
        return NULL;
    double *loss = py_output(&arrays, loss_, "loss", NPY_DOUBLE, 1, &n_lanes);
    int8_t *choice = loss ? py_output(&arrays, choice_, "choice", NPY_INT8, 1, &n) : NULL;
    int64_t *n_obs = choice ? py_output(&arrays, n_obs_, "n_obs", NPY_INT64, 1, &n) : NULL;
    double *gradient = n_obs ? py_output(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &n_parameters) : NULL;
    double *scratch = gradient ? py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch) : NULL;
    size_t n_trials = scratch ? (size_t)(offsets[n_lanes] - offsets[0]) : 0;
    if (!scratch || py_check_range("scratch.shape[0]", n_scratch,
                                   (Py_ssize_t)hrnn_rollout_gradient_scratch(&cell, &task, (size_t)n_lanes, n_trials),
                                   PY_SSIZE_T_MAX))
        return NULL;
    enum hrnn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = hrnn_rollout_gradient(&py_state(module)->kernel, &cell, &task, &sessions, (size_t)n_lanes, offsets,
                                   (enum hrnn_loss)loss_kind, theta, scale, loss, choice, n_obs, gradient, scratch);
    Py_END_ALLOW_THREADS
    if (py_raise(py_state(module), status))
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef py_rollout_methods[] = {
    {"rollout_scratch", rollout_scratch, METH_VARARGS,
     "rollout_scratch(task, n_hidden, n_lanes, n_trials): doubles of scratch for forward and for gradient."},
    {"rollout_forward", rollout_forward, METH_VARARGS,
     "rollout_forward(theta, n_hidden, leak, task, sessions, end, place, h, p_right, hidden, choice, n_obs, scratch): "
     "number of steps done."},
    {"rollout_gradient", rollout_gradient, METH_VARARGS,
     "rollout_gradient(theta, n_hidden, leak, task, sessions, offsets, loss_kind, scale, loss, choice, n_obs, gradient, "
     "scratch)."},
    {NULL, NULL, 0, NULL},
};
