/* policy: the grid and one backward induction. Acting on the result is inference_actor's. */
#include "py.h"

static PyObject *policy_grid(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *task_;
    int evidence;
    double spacing;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    if (!PyArg_ParseTuple(args, "Oid:policy_grid", &task_, &evidence, &spacing))
        return NULL;
    py_task(&arrays, task_, &task);
    py_within(&arrays, "evidence", evidence, 0, HRNN_EVIDENCE_COUNT - 1);
    if (arrays.failed)
        return NULL;
    struct hrnn_policy_grid grid = hrnn_policy_grid_of(&task, (enum hrnn_evidence)evidence, spacing);
    return Py_BuildValue("ddnn", grid.low, grid.spacing, (Py_ssize_t)grid.n_left, (Py_ssize_t)grid.n_right);
}

/* A grid from the tuple that policy_grid returns. 0 on success. */
static int grid_of(struct py_arrays *arrays, PyObject *tuple, struct hrnn_policy_grid *grid)
{
    Py_ssize_t n_left, n_right;
    if (py_is_tuple(arrays, "grid", tuple))
        return -1;
    if (!PyArg_ParseTuple(tuple, "ddnn", &grid->low, &grid->spacing, &n_left, &n_right))
        return py_fail(arrays);
    py_within(arrays, "n_left", n_left, 1, 1 << 14);
    py_within(arrays, "n_right", n_right, 2, 1 << 14);
    if (arrays->failed)
        return -1;
    grid->n_left = (size_t)n_left;
    grid->n_right = (size_t)n_right;
    double origin = -grid->low / grid->spacing;
    if (!(origin >= 0 && origin < (double)n_right) || (n_left != 1 && n_left != n_right)) {
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
    PyObject *task_, *believer_, *grid_, *wait_, *scratch_, *look_ = Py_None;
    double prior, rho, value;
    struct py_arrays arrays = {0};
    struct hrnn_task task;
    struct hrnn_believer believer;
    struct hrnn_policy_grid grid;
    if (!PyArg_ParseTuple(args, "OOOddOO|O:policy_solve", &task_, &believer_, &grid_, &prior, &rho, &wait_, &scratch_,
                          &look_) ||
        py_task(&arrays, task_, &task) || py_believer(py_state(module), &arrays, believer_, &task, &believer) ||
        grid_of(&arrays, grid_, &grid))
        return NULL;
    if (!(prior > 0 && prior < 1)) {
        PyErr_SetString(PyExc_ValueError, "prior must be between 0 and 1");
        return NULL;
    }
    npy_intp shape[3] = {task.n_obs_max - 1, (npy_intp)grid.n_left, (npy_intp)grid.n_right};
    npy_intp n_scratch = (npy_intp)hrnn_policy_solve_scratch(&task, &grid);
    double *wait = py_output(&arrays, wait_, "wait", NPY_DOUBLE, 3, shape);
    double *scratch = py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    struct py_watch watch;
    py_watch(&arrays, look_, &watch);
    if (arrays.failed)
        return NULL;
    watch.thread = PyEval_SaveThread();
    enum hrnn_status status = hrnn_policy_solve(&believer, &grid, prior, rho, wait, &value, scratch, &watch.watch);
    PyEval_RestoreThread(watch.thread);
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
