/* gru: gated recurrent units on given inputs. */
#include "py.h"

#include "gru.h"

/* What both functions take: theta, n_hidden, x (I, T, L). 0 on success. */
static int given(struct py_arrays *arrays, PyObject *theta_, Py_ssize_t n_hidden, PyObject *x_, const double **theta,
                 struct hrnn_sequence *sequence)
{
    npy_intp shape[3] = {HRNN_INPUTS, -1, -1};
    if (py_check_range("n_hidden", n_hidden, 1, HRNN_GRU_UNITS_MAX))
        return -1;
    npy_intp n_parameters = (npy_intp)hrnn_gru_n_parameters((size_t)n_hidden);
    if (!(*theta = py_input(arrays, theta_, "theta", NPY_DOUBLE, 1, &n_parameters)) ||
        !(sequence->x = py_input(arrays, x_, "x", NPY_DOUBLE, 3, shape)) ||
        py_check_range("x.shape[1]", shape[1], 1, 1 << 24) || py_check_range("x.shape[2]", shape[2], 1, 1 << 16) ||
        py_check_range("x.shape[2] modulo the width", shape[2] % HRNN_KERNEL_WIDTH, 0, 0))
        return -1;
    sequence->n_steps = (size_t)shape[1];
    sequence->n_sequences = (size_t)shape[2];
    return 0;
}

static PyObject *gru_sizes(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_ssize_t n_hidden, n_steps, n_sequences;
    if (!PyArg_ParseTuple(args, "nnn:gru_sizes", &n_hidden, &n_steps, &n_sequences) ||
        py_check_range("n_hidden", n_hidden, 1, HRNN_GRU_UNITS_MAX) || py_check_range("n_steps", n_steps, 1, 1 << 24) ||
        py_check_range("n_sequences", n_sequences, 1, 1 << 16))
        return NULL;
    struct hrnn_sequence sequence = {.n_steps = (size_t)n_steps, .n_sequences = (size_t)n_sequences};
    return Py_BuildValue("nn", (Py_ssize_t)hrnn_gru_n_parameters((size_t)n_hidden),
                         (Py_ssize_t)hrnn_gru_scratch((size_t)n_hidden, &sequence));
}

static PyObject *gru_forward(PyObject *module, PyObject *args)
{
    PyObject *theta_, *x_, *margin_, *hidden_, *scratch_;
    Py_ssize_t n_hidden;
    struct py_arrays arrays = {0};
    struct hrnn_sequence sequence;
    const double *theta;
    if (!PyArg_ParseTuple(args, "OnOOOO:gru_forward", &theta_, &n_hidden, &x_, &margin_, &hidden_, &scratch_) ||
        given(&arrays, theta_, n_hidden, x_, &theta, &sequence))
        return NULL;
    npy_intp steps[2] = {(npy_intp)sequence.n_steps, (npy_intp)sequence.n_sequences};
    npy_intp states[3] = {n_hidden, steps[0], steps[1]},
             n_scratch = (npy_intp)hrnn_gru_scratch((size_t)n_hidden, &sequence);
    double *margin = py_output(&arrays, margin_, "margin", NPY_DOUBLE, 2, steps);
    double *hidden = margin ? py_output(&arrays, hidden_, "hidden", NPY_DOUBLE, 3, states) : NULL;
    double *scratch = hidden ? py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch) : NULL;
    if (!scratch)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_gru_forward(&py_state(module)->kernel, (size_t)n_hidden, &sequence, theta, margin, hidden, scratch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *gru_gradient(PyObject *module, PyObject *args)
{
    PyObject *theta_, *x_, *q_, *weight_, *gradient_, *scratch_;
    Py_ssize_t n_hidden;
    double loss;
    struct py_arrays arrays = {0};
    struct hrnn_sequence sequence;
    const double *theta;
    if (!PyArg_ParseTuple(args, "OnOOOOO:gru_gradient", &theta_, &n_hidden, &x_, &q_, &weight_, &gradient_,
                          &scratch_) ||
        given(&arrays, theta_, n_hidden, x_, &theta, &sequence))
        return NULL;
    npy_intp steps[2] = {(npy_intp)sequence.n_steps, (npy_intp)sequence.n_sequences};
    npy_intp n_parameters = (npy_intp)hrnn_gru_n_parameters((size_t)n_hidden);
    npy_intp n_scratch = (npy_intp)hrnn_gru_scratch((size_t)n_hidden, &sequence);
    const double *q = py_input(&arrays, q_, "q", NPY_DOUBLE, 2, steps);
    const double *weight = q ? py_input(&arrays, weight_, "weight", NPY_DOUBLE, 2, steps) : NULL;
    double *gradient = weight ? py_output(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &n_parameters) : NULL;
    double *scratch = gradient ? py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch) : NULL;
    if (!scratch)
        return NULL;
    enum hrnn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = hrnn_gru_gradient(&py_state(module)->kernel, (size_t)n_hidden, &sequence, q, weight, theta, &loss,
                               gradient, scratch);
    Py_END_ALLOW_THREADS
    return py_raise(py_state(module), status) ? NULL : PyFloat_FromDouble(loss);
}

PyMethodDef py_gru_methods[] = {
    {"gru_sizes", gru_sizes, METH_VARARGS,
     "gru_sizes(n_hidden, n_steps, n_sequences): parameters, doubles of scratch."},
    {"gru_forward", gru_forward, METH_VARARGS, "gru_forward(theta, n_hidden, x, margin, hidden, scratch)."},
    {"gru_gradient", gru_gradient, METH_VARARGS,
     "gru_gradient(theta, n_hidden, x, q, weight, gradient, scratch): the loss."},
    {NULL, NULL, 0, NULL},
};
