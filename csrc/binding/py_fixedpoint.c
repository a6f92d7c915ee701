/* fixedpoint: searches from many starts, and iteration of the map. */
#include "py.h"

#include "fixedpoint.h"

static PyObject *fixedpoint_scratch(PyObject *module, PyObject *args)
{
    PyObject *cell_;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell;
    if (!PyArg_ParseTuple(args, "O:fixedpoint_scratch", &cell_) || py_cell(py_state(module), &arrays, cell_, &cell))
        return NULL;
    return Py_BuildValue("nn", (Py_ssize_t)hrnn_fixedpoint_search_scratch(&cell),
                         (Py_ssize_t)hrnn_fixedpoint_iterate_scratch(&cell));
}

static PyObject *fixedpoint_search(PyObject *module, PyObject *args)
{
    PyObject *theta_, *cell_, *x_, *max_iterations_, *tolerance_, *points_, *residual_, *outcome_, *n_iterations_,
        *scratch_, *look_ = Py_None;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell = {0};
    if (!PyArg_ParseTuple(args, "OOOOOOOOOO|O:fixedpoint_search", &theta_, &cell_, &x_, &max_iterations_, &tolerance_,
                          &points_, &residual_, &outcome_, &n_iterations_, &scratch_, &look_))
        return NULL;
    const double *theta = py_network(py_state(module), &arrays, theta_, cell_, &cell);
    npy_intp n_x = HRNN_INPUTS, shape[2] = {-1, (npy_intp)cell.n_hidden};
    const double *x = py_input(&arrays, x_, "x", NPY_DOUBLE, 1, &n_x);
    double *points = py_output(&arrays, points_, "points", NPY_DOUBLE, 2, shape);
    npy_intp n = shape[0];
    double *residual = py_output(&arrays, residual_, "residual", NPY_DOUBLE, 1, &n);
    int8_t *outcome = py_output(&arrays, outcome_, "outcome", NPY_INT8, 1, &n);
    int64_t *n_iterations = py_output(&arrays, n_iterations_, "n_iterations", NPY_INT64, 1, &n);
    npy_intp n_scratch = arrays.failed ? 0 : (npy_intp)hrnn_fixedpoint_search_scratch(&cell);
    double *scratch = py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    Py_ssize_t max_iterations = py_whole(&arrays, "max_iterations", max_iterations_, 1, 1 << 20);
    double tolerance = py_real(&arrays, "tolerance", tolerance_);
    struct py_watch watch;
    py_watch(&arrays, look_, &watch);
    if (py_begin(&arrays))
        return NULL;
    watch.thread = PyEval_SaveThread();
    enum hrnn_status status = hrnn_fixedpoint_search(&cell, theta, x, (size_t)n, (size_t)max_iterations, tolerance,
                                                     points, residual, outcome, n_iterations, scratch, &watch.watch);
    PyEval_RestoreThread(watch.thread);
    py_end(&arrays);
    if (py_raise(py_state(module), status))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *fixedpoint_iterate(PyObject *module, PyObject *args)
{
    PyObject *theta_, *cell_, *x_, *max_steps_, *tolerance_, *states_, *n_steps_, *scratch_, *look_ = Py_None;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell = {0};
    if (!PyArg_ParseTuple(args, "OOOOOOOO|O:fixedpoint_iterate", &theta_, &cell_, &x_, &max_steps_, &tolerance_,
                          &states_, &n_steps_, &scratch_, &look_))
        return NULL;
    const double *theta = py_network(py_state(module), &arrays, theta_, cell_, &cell);
    npy_intp n_x = HRNN_INPUTS, shape[2] = {-1, (npy_intp)cell.n_hidden};
    const double *x = py_input(&arrays, x_, "x", NPY_DOUBLE, 1, &n_x);
    double *states = py_output(&arrays, states_, "states", NPY_DOUBLE, 2, shape);
    npy_intp n = shape[0];
    int64_t *n_steps = py_output(&arrays, n_steps_, "n_steps", NPY_INT64, 1, &n);
    npy_intp n_scratch = arrays.failed ? 0 : (npy_intp)hrnn_fixedpoint_iterate_scratch(&cell);
    double *scratch = py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    Py_ssize_t max_steps = py_whole(&arrays, "max_steps", max_steps_, 1, 1 << 20);
    double tolerance = py_real(&arrays, "tolerance", tolerance_);
    struct py_watch watch;
    py_watch(&arrays, look_, &watch);
    if (py_begin(&arrays))
        return NULL;
    watch.thread = PyEval_SaveThread();
    enum hrnn_status status = hrnn_fixedpoint_iterate(&cell, theta, x, (size_t)n, (size_t)max_steps, tolerance, states,
                                                      n_steps, scratch, &watch.watch);
    PyEval_RestoreThread(watch.thread);
    py_end(&arrays);
    if (py_raise(py_state(module), status))
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef py_fixedpoint_methods[] = {
    {"fixedpoint_scratch", fixedpoint_scratch, METH_VARARGS,
     "fixedpoint_scratch(cell): doubles of scratch for search and for iterate."},
    {"fixedpoint_search", fixedpoint_search, METH_VARARGS,
     "fixedpoint_search(theta, cell, x, max_iterations, tolerance, points, residual, outcome, n_iterations, scratch, "
     "look or None)."},
    {"fixedpoint_iterate", fixedpoint_iterate, METH_VARARGS,
     "fixedpoint_iterate(theta, cell, x, max_steps, tolerance, states, n_steps, scratch, look or None)."},
    {NULL, NULL, 0, NULL},
};
