/* optim: one update of theta in place. */
#include "py.h"

#include "optim.h"

static PyObject *optim_sgd(PyObject *module, PyObject *args)
{
    PyObject *gradient_, *velocity_, *theta_;
    struct py_arrays arrays = {0};
    npy_intp n = -1;
    double rate, momentum;
    if (!PyArg_ParseTuple(args, "ddOOO:optim_sgd", &rate, &momentum, &gradient_, &velocity_, &theta_))
        return NULL;
    const double *gradient = py_input(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &n);
    double *velocity = py_output(&arrays, velocity_, "velocity", NPY_DOUBLE, 1, &n);
    double *theta = py_output(&arrays, theta_, "theta", NPY_DOUBLE, 1, &n);
    if (arrays.failed ||
        py_raise(py_state(module), hrnn_optim_sgd((size_t)n, rate, momentum, gradient, velocity, theta)))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *optim_adam(PyObject *module, PyObject *args)
{
    PyObject *gradient_, *mean_, *square_, *theta_;
    struct py_arrays arrays = {0};
    npy_intp n = -1;
    double rate, t;
    if (!PyArg_ParseTuple(args, "ddOOOO:optim_adam", &rate, &t, &gradient_, &mean_, &square_, &theta_))
        return NULL;
    const double *gradient = py_input(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &n);
    double *mean = py_output(&arrays, mean_, "mean", NPY_DOUBLE, 1, &n);
    double *square = py_output(&arrays, square_, "square", NPY_DOUBLE, 1, &n);
    double *theta = py_output(&arrays, theta_, "theta", NPY_DOUBLE, 1, &n);
    if (arrays.failed ||
        py_raise(py_state(module), hrnn_optim_adam((size_t)n, rate, t, gradient, mean, square, theta)))
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef py_optim_methods[] = {
    {"optim_sgd", optim_sgd, METH_VARARGS, "optim_sgd(rate, momentum, gradient, velocity, theta)."},
    {"optim_adam", optim_adam, METH_VARARGS, "optim_adam(rate, t, gradient, mean, square, theta)."},
    {NULL, NULL, 0, NULL},
};
