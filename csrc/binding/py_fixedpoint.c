/* fixedpoint: searches from many starts, and iteration of the map. */
#include "py.h"

#include "fixedpoint.h"

static PyObject *fixedpoint_scratch(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_ssize_t n_hidden;
    if (!PyArg_ParseTuple(args, "n:fixedpoint_scratch", &n_hidden) || py_check_range("n_hidden", n_hidden, 1, 4096))
        return NULL;
    struct hrnn_cell cell = hrnn_cell_of((size_t)n_hidden, 1);
    return Py_BuildValue("nn", (Py_ssize_t)hrnn_fixedpoint_search_scratch(&cell),
                         (Py_ssize_t)hrnn_fixedpoint_iterate_scratch(&cell));
}

static PyObject *fixedpoint_search(PyObject *module, PyObject *args)
{
    PyObject *theta_, *x_, *points_, *residual_, *outcome_, *n_iterations_, *scratch_;
    Py_ssize_t n_hidden, max_iterations;
    double leak, tolerance;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell;
    if (!PyArg_ParseTuple(args, "OndOndOOOOO:fixedpoint_search", &theta_, &n_hidden, &leak, &x_, &max_iterations, &tolerance,
                          &points_, &residual_, &outcome_, &n_iterations_, &scratch_))
        return NULL;
    const double *theta = py_network(&arrays, theta_, n_hidden, leak, &cell);
    npy_intp n_x = HRNN_INPUTS, shape[2] = {-1, n_hidden};
    const double *x = theta ? py_input(&arrays, x_, "x", NPY_DOUBLE, 1, &n_x) : NULL;
    double *points = x ? py_output(&arrays, points_, "points", NPY_DOUBLE, 2, shape) : NULL;
    npy_intp n = shape[0], n_scratch = points ? (npy_intp)hrnn_fixedpoint_search_scratch(&cell) : 0;
    double *residual = points ? py_output(&arrays, residual_, "residual", NPY_DOUBLE, 1, &n) : NULL;
    int8_t *outcome = residual ? py_output(&arrays, outcome_, "outcome", NPY_INT8, 1, &n) : NULL;
    int64_t *n_iterations = outcome ? py_output(&arrays, n_iterations_, "n_iterations", NPY_INT64, 1, &n) : NULL;
    double *scratch = n_iterations ? py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch) : NULL;
    if (!scratch || py_check_range("max_iterations", max_iterations, 1, 1 << 20))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_fixedpoint_search(&py_state(module)->kernel, &cell, theta, x, (size_t)n, (size_t)max_iterations, tolerance, points,
                           residual, outcome, n_iterations, scratch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *fixedpoint_iterate(PyObject *module, PyObject *args)
{
    PyObject *theta_, *x_, *states_, *n_steps_, *scratch_;
    Py_ssize_t n_hidden, max_steps;
    double leak, tolerance;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell;
    if (!PyArg_ParseTuple(args, "OndOndOOO:fixedpoint_iterate", &theta_, &n_hidden, &leak, &x_, &max_steps, &tolerance,
                          &states_, &n_steps_, &scratch_))
        return NULL;
    const double *theta = py_network(&arrays, theta_, n_hidden, leak, &cell);
    npy_intp n_x = HRNN_INPUTS, shape[2] = {-1, n_hidden};
    const double *x = theta ? py_input(&arrays, x_, "x", NPY_DOUBLE, 1, &n_x) : NULL;
    double *states = x ? py_output(&arrays, states_, "states", NPY_DOUBLE, 2, shape) : NULL;
    npy_intp n = shape[0], n_scratch = states ? (npy_intp)hrnn_fixedpoint_iterate_scratch(&cell) : 0;
    int64_t *n_steps = states ? py_output(&arrays, n_steps_, "n_steps", NPY_INT64, 1, &n) : NULL;
    double *scratch = n_steps ? py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch) : NULL;
    if (!scratch || py_check_range("max_steps", max_steps, 1, 1 << 20))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_fixedpoint_iterate(&py_state(module)->kernel, &cell, theta, x, (size_t)n, (size_t)max_steps, tolerance, states,
                            n_steps, scratch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

PyMethodDef py_fixedpoint_methods[] = {
    {"fixedpoint_scratch", fixedpoint_scratch, METH_VARARGS,
     "fixedpoint_scratch(n_hidden): doubles of scratch for search and for iterate."},
    {"fixedpoint_search", fixedpoint_search, METH_VARARGS,
     "fixedpoint_search(theta, n_hidden, leak, x, max_iterations, tolerance, points, residual, outcome, n_iterations, "
     "scratch)."},
    {"fixedpoint_iterate", fixedpoint_iterate, METH_VARARGS,
     "fixedpoint_iterate(theta, n_hidden, leak, x, max_steps, tolerance, states, n_steps, scratch)."},
    {NULL, NULL, 0, NULL},
};
