/* kernel, linalg, rng, loss: thin doors for the tests and the benchmarks. */
#include "py.h"

#include "linalg.h"
#include "loss.h"

static PyObject *elementwise(PyObject *args, const char *format, void (*function)(size_t, const double *, double *))
{
    PyObject *x_, *out_;
    struct py_arrays arrays = {0};
    npy_intp n = -1;
    if (!PyArg_ParseTuple(args, format, &x_, &out_))
        return NULL;
    const double *x = py_input(&arrays, x_, "x", NPY_DOUBLE, 1, &n);
    double *out = py_output(&arrays, out_, "out", NPY_DOUBLE, 1, &n);
    if (arrays.failed)
        return NULL;
    if (n % HRNN_KERNEL_WIDTH) {
        PyErr_Format(PyExc_ValueError, "x.shape[0] must be a multiple of %d, got %zd", HRNN_KERNEL_WIDTH, n);
        return NULL;
    }
    function((size_t)n, x, out);
    Py_RETURN_NONE;
}

static PyObject *kernel_tanh(PyObject *module, PyObject *args)
{
    return elementwise(args, "OO:kernel_tanh", py_state(module)->kernel.tanh);
}

static PyObject *kernel_exp(PyObject *module, PyObject *args)
{
    return elementwise(args, "OO:kernel_exp", py_state(module)->kernel.exp);
}

static PyObject *kernel_log(PyObject *module, PyObject *args)
{
    return elementwise(args, "OO:kernel_log", py_state(module)->kernel.log);
}

static PyObject *kernel_probit(PyObject *module, PyObject *args)
{
    return elementwise(args, "OO:kernel_probit", py_state(module)->kernel.probit);
}

static PyObject *kernel_normal(PyObject *module, PyObject *args)
{
    PyObject *x_, *density_, *cumulative_;
    struct py_arrays arrays = {0};
    npy_intp n = -1;
    if (!PyArg_ParseTuple(args, "OOO:kernel_normal", &x_, &density_, &cumulative_))
        return NULL;
    const double *x = py_input(&arrays, x_, "x", NPY_DOUBLE, 1, &n);
    double *density = py_output(&arrays, density_, "density", NPY_DOUBLE, 1, &n);
    double *cumulative = py_output(&arrays, cumulative_, "cumulative", NPY_DOUBLE, 1, &n);
    py_within(&arrays, "x.shape[0] modulo the width", n % HRNN_KERNEL_WIDTH, 0, 0);
    if (arrays.failed)
        return NULL;
    py_state(module)->kernel.normal((size_t)n, x, density, cumulative);
    Py_RETURN_NONE;
}

static PyObject *linalg_gemm(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *A_, *B_, *C_;
    struct py_arrays arrays = {0};
    if (!PyArg_ParseTuple(args, "OOO:linalg_gemm", &A_, &B_, &C_))
        return NULL;
    npy_intp a[2] = {-1, -1};
    const double *A = py_input(&arrays, A_, "A", NPY_DOUBLE, 2, a);
    npy_intp b[2] = {a[1], -1};
    const double *B = py_input(&arrays, B_, "B", NPY_DOUBLE, 2, b);
    npy_intp c[2] = {a[0], b[1]};
    double *C = py_output(&arrays, C_, "C", NPY_DOUBLE, 2, c);
    py_within(&arrays, "size", c[0] | c[1] | a[1], 1, 1 << 20);
    if (py_begin(&arrays))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_linalg_gemm((size_t)c[0], (size_t)c[1], (size_t)a[1], 1, A, (size_t)a[1], B, (size_t)b[1], 0, C, (size_t)c[1]);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    Py_RETURN_NONE;
}

static PyObject *rng_normal(PyObject *module, PyObject *args)
{
    PyObject *bit_generator, *out_;
    struct py_arrays arrays = {0};
    struct py_bitgen held = {0};
    npy_intp n = -1;
    if (!PyArg_ParseTuple(args, "OO:rng_normal", &bit_generator, &out_))
        return NULL;
    double *out = py_output(&arrays, out_, "out", NPY_DOUBLE, 1, &n);
    py_bitgen_hold(&arrays, bit_generator, &held);
    if (py_begin(&arrays)) {
        py_bitgen_release(&held);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    hrnn_rng_normal(py_rng(module, &held), (size_t)n, out);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    py_bitgen_release(&held);
    Py_RETURN_NONE;
}

static const char *cell_name(int cell) { return hrnn_cell_kind_of((enum hrnn_cell_name)cell).name; }

static const char *loss_name(int loss) { return hrnn_loss_name((enum hrnn_loss)loss); }

/* Also those of cell and loss, which have no doors of their own. */
int py_kernel_constants(PyObject *module)
{
    if (PyModule_AddIntConstant(module, "WIDTH", HRNN_KERNEL_WIDTH) ||
        PyModule_AddIntConstant(module, "LANES_MAX", HRNN_LANES_MAX) ||
        PyModule_AddIntConstant(module, "N_HIDDEN_MAX", HRNN_UNITS_MAX) ||
        py_add_enum(module, "CELLS", HRNN_CELL_COUNT, cell_name))
        return -1;
    return py_add_enum(module, "LOSSES", HRNN_LOSS_COUNT, loss_name);
}

PyMethodDef py_kernel_methods[] = {
    {"kernel_tanh", kernel_tanh, METH_VARARGS, "kernel_tanh(x, out): out = tanh(x)."},
    {"kernel_exp", kernel_exp, METH_VARARGS, "kernel_exp(x, out): out = exp(x)."},
    {"kernel_log", kernel_log, METH_VARARGS, "kernel_log(x, out): out = log(x), x > 0."},
    {"kernel_probit", kernel_probit, METH_VARARGS, "kernel_probit(x, out): quantiles of the standard normal law."},
    {"kernel_normal", kernel_normal, METH_VARARGS, "kernel_normal(x, density, cumulative): the standard normal law."},
    {"linalg_gemm", linalg_gemm, METH_VARARGS, "linalg_gemm(A, B, C): C = A B."},
    {"rng_normal", rng_normal, METH_VARARGS, "rng_normal(bit_generator, out): standard normal draws."},
    {NULL, NULL, 0, NULL},
};
