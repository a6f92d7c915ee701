/* policy: the grid and one backward induction. Acting on the result is inference_actor's. */
#include "py.h"

#include <float.h>
#include <math.h>

/* Of the grid's axes, in standard deviations of the noise: what a blur of the value can reach in a bounded time. */
static const double SPACING_MIN = 1.0 / 1024, SPACING_MAX = 1024;

static PyObject *policy_grid(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *task_, *evidence_, *spacing_;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    if (!PyArg_ParseTuple(args, "OOO:policy_grid", &task_, &evidence_, &spacing_))
        return NULL;
    py_task(&arrays, task_, &task);
    Py_ssize_t evidence = py_whole(&arrays, "evidence", evidence_, 0, HRNN_EVIDENCE_COUNT - 1);
    double spacing = py_real_in(&arrays, "spacing", spacing_, SPACING_MIN, SPACING_MAX);
    if (arrays.failed)
        return NULL;
    struct hrnn_policy_grid grid = hrnn_policy_grid_of(&task, (enum hrnn_evidence)evidence, spacing);
    if (!grid.n_right) {
        PyErr_Format(PyExc_ValueError, "strengths / noise_sd must be >= 0 and need a grid of at most %d points",
                     HRNN_POLICY_POINTS_MAX);
        return NULL;
    }
    return Py_BuildValue("ddnn", grid.low, grid.spacing, (Py_ssize_t)grid.n_left, (Py_ssize_t)grid.n_right);
}

/* A grid from the tuple that policy_grid returns. 0 on success. */
static int grid_of(struct py_arrays *arrays, PyObject *tuple, struct hrnn_policy_grid *grid)
{
    PyObject **field = py_fields(arrays, "grid", tuple, 4);
    if (!field)
        return -1;
    grid->low = py_real(arrays, "low", field[0]);
    grid->spacing = py_real_in(arrays, "spacing", field[1], SPACING_MIN / 2, SPACING_MAX);
    Py_ssize_t n_left = py_whole(arrays, "n_left", field[2], 1, HRNN_POLICY_POINTS_MAX);
    Py_ssize_t n_right = py_whole(arrays, "n_right", field[3], 2, HRNN_POLICY_POINTS_MAX);
    if (arrays->failed)
        return -1;
    grid->n_left = (size_t)n_left;
    grid->n_right = (size_t)n_right;
    double origin = -grid->low / grid->spacing;
    if (!(origin >= 0 && origin <= (double)(n_right - 1)) || (n_left != 1 && n_left != n_right)) {
        PyErr_SetString(PyExc_ValueError, "grid must hold zero and be square or a line");
        return py_fail(arrays);
    }
    return 0;
}

static PyObject *policy_scratch(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *task_, *grid_;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_policy_grid grid;
    if (!PyArg_ParseTuple(args, "OO:policy_scratch", &task_, &grid_) || py_task(&arrays, task_, &task) ||
        grid_of(&arrays, grid_, &grid))
        return NULL;
    return PyLong_FromSize_t(hrnn_policy_solve_scratch(&task, &grid));
}

static PyObject *policy_solve(PyObject *module, PyObject *args)
{
    PyObject *task_, *believer_, *grid_, *prior_, *rho_, *wait_, *scratch_, *look_ = Py_None;
    double value;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_believer believer;
    struct hrnn_policy_grid grid;
    if (!PyArg_ParseTuple(args, "OOOOOOO|O:policy_solve", &task_, &believer_, &grid_, &prior_, &rho_, &wait_, &scratch_,
                          &look_) ||
        py_task(&arrays, task_, &task) || py_believer(py_state(module), &arrays, believer_, &task, &believer) ||
        grid_of(&arrays, grid_, &grid))
        return NULL;
    double prior = py_real_in(&arrays, "prior", prior_, DBL_MIN, 1 - DBL_EPSILON / 2);
    double rho = py_real(&arrays, "rho", rho_);
    npy_intp shape[3] = {task.n_obs_max - 1, (npy_intp)grid.n_left, (npy_intp)grid.n_right};
    npy_intp n_scratch = (npy_intp)hrnn_policy_solve_scratch(&task, &grid);
    double *wait = py_output(&arrays, wait_, "wait", NPY_DOUBLE, 3, shape);
    double *scratch = py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    struct py_watch watch;
    py_watch(&arrays, look_, &watch);
    if (py_begin(&arrays))
        return NULL;
    watch.thread = PyEval_SaveThread();
    enum hrnn_status status = hrnn_policy_solve(&believer, &grid, prior, rho, wait, &value, scratch, &watch.watch);
    PyEval_RestoreThread(watch.thread);
    py_end(&arrays);
    if (status == HRNN_OK && !isfinite(value))
        status = HRNN_NONFINITE;
    return py_raise(py_state(module), status) ? NULL : PyFloat_FromDouble(value);
}

PyMethodDef py_policy_methods[] = {
    {"policy_grid", policy_grid, METH_VARARGS,
     "policy_grid(task, evidence, spacing): (low, spacing, n_left, n_right)."},
    {"policy_scratch", policy_scratch, METH_VARARGS, "policy_scratch(task, grid): doubles of scratch."},
    {"policy_solve", policy_solve, METH_VARARGS,
     "policy_solve(task, believer, grid, prior, rho, wait, scratch, look or None): value before the first "
     "observation."},
    {NULL, NULL, 0, NULL},
};
