/* optim: one update of theta in place. */
#include "py.h"

#include "optim.h"

static PyObject *optim_sgd(PyObject *module, PyObject *args)
{
    PyObject *rate_, *momentum_, *gradient_, *velocity_, *theta_;
    struct py_arrays arrays = {0};
    npy_intp n = -1;
    if (!PyArg_ParseTuple(args, "OOOOO:optim_sgd", &rate_, &momentum_, &gradient_, &velocity_, &theta_))
        return NULL;
    double rate = py_real(&arrays, "rate", rate_), momentum = py_real(&arrays, "momentum", momentum_);
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
    PyObject *rate_, *t_, *gradient_, *mean_, *square_, *theta_;
    struct py_arrays arrays = {0};
    npy_intp n = -1;
    if (!PyArg_ParseTuple(args, "OOOOOO:optim_adam", &rate_, &t_, &gradient_, &mean_, &square_, &theta_))
        return NULL;
    double rate = py_real(&arrays, "rate", rate_), t = py_real(&arrays, "t", t_);
    const double *gradient = py_input(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &n);
    double *mean = py_output(&arrays, mean_, "mean", NPY_DOUBLE, 1, &n);
    double *square = py_output(&arrays, square_, "square", NPY_DOUBLE, 1, &n);
    double *theta = py_output(&arrays, theta_, "theta", NPY_DOUBLE, 1, &n);
    if (arrays.failed || py_raise(py_state(module), hrnn_optim_adam((size_t)n, rate, t, gradient, mean, square, theta)))
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef py_optim_methods[] = {
    {"optim_sgd", optim_sgd, METH_VARARGS, "optim_sgd(rate, momentum, gradient, velocity, theta)."},
    {"optim_adam", optim_adam, METH_VARARGS, "optim_adam(rate, t, gradient, mean, square, theta)."},
    {NULL, NULL, 0, NULL},
};
