/* gru: gated recurrent units on given inputs. */
#include "py.h"

#include "gru.h"

/* What both functions take: theta, n_hidden, x (I, T, L). Returns n_hidden. */
static Py_ssize_t given(struct py_arrays *arrays, PyObject *theta_, PyObject *n_hidden_, PyObject *x_,
                        const double **theta, struct hrnn_sequence *sequence)
{
    npy_intp shape[3] = {HRNN_INPUTS, -1, -1};
    Py_ssize_t n_hidden = py_whole(arrays, "n_hidden", n_hidden_, 1, HRNN_GRU_UNITS_MAX);
    npy_intp n_parameters = arrays->failed ? 0 : (npy_intp)hrnn_gru_n_parameters((size_t)n_hidden);
    *theta = py_input(arrays, theta_, "theta", NPY_DOUBLE, 1, &n_parameters);
    sequence->x = py_input(arrays, x_, "x", NPY_DOUBLE, 3, shape);
    py_within(arrays, "x.shape[1]", shape[1], 1, 1 << 24);
    py_within(arrays, "x.shape[2]", shape[2], 1, 1 << 16);
    py_within(arrays, "x.shape[2] modulo the width", shape[2] % HRNN_KERNEL_WIDTH, 0, 0);
    sequence->n_steps = (size_t)shape[1];
    sequence->n_sequences = (size_t)shape[2];
    return n_hidden;
}

static PyObject *gru_sizes(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *n_hidden_, *n_steps_, *n_sequences_;
    struct py_arrays arrays = {0};
    if (!PyArg_ParseTuple(args, "OOO:gru_sizes", &n_hidden_, &n_steps_, &n_sequences_))
        return NULL;
    Py_ssize_t n_hidden = py_whole(&arrays, "n_hidden", n_hidden_, 1, HRNN_GRU_UNITS_MAX);
    Py_ssize_t n_steps = py_whole(&arrays, "n_steps", n_steps_, 1, 1 << 24);
    Py_ssize_t n_sequences = py_whole(&arrays, "n_sequences", n_sequences_, 1, 1 << 16);
    if (arrays.failed)
        return NULL;
    struct hrnn_sequence sequence = {.n_steps = (size_t)n_steps, .n_sequences = (size_t)n_sequences};
    return Py_BuildValue("nn", (Py_ssize_t)hrnn_gru_n_parameters((size_t)n_hidden),
                         (Py_ssize_t)hrnn_gru_scratch((size_t)n_hidden, &sequence));
}

static PyObject *gru_forward(PyObject *module, PyObject *args)
{
    PyObject *theta_, *n_hidden_, *x_, *margin_, *hidden_, *scratch_;
    struct py_arrays arrays = {0};
    struct hrnn_sequence sequence;
    const double *theta;
    if (!PyArg_ParseTuple(args, "OOOOOO:gru_forward", &theta_, &n_hidden_, &x_, &margin_, &hidden_, &scratch_))
        return NULL;
    Py_ssize_t n_hidden = given(&arrays, theta_, n_hidden_, x_, &theta, &sequence);
    npy_intp steps[2] = {(npy_intp)sequence.n_steps, (npy_intp)sequence.n_sequences};
    npy_intp states[3] = {n_hidden, steps[0], steps[1]},
             n_scratch = arrays.failed ? 0 : (npy_intp)hrnn_gru_scratch((size_t)n_hidden, &sequence);
    double *margin = py_output(&arrays, margin_, "margin", NPY_DOUBLE, 2, steps);
    double *hidden = py_output(&arrays, hidden_, "hidden", NPY_DOUBLE, 3, states);
    double *scratch = py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    if (py_begin(&arrays))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_gru_forward(&py_state(module)->kernel, (size_t)n_hidden, &sequence, theta, margin, hidden, scratch);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    Py_RETURN_NONE;
}

static PyObject *gru_gradient(PyObject *module, PyObject *args)
{
    PyObject *theta_, *n_hidden_, *x_, *q_, *weight_, *gradient_, *scratch_;
    double loss;
    struct py_arrays arrays = {0};
    struct hrnn_sequence sequence;
    const double *theta;
    if (!PyArg_ParseTuple(args, "OOOOOOO:gru_gradient", &theta_, &n_hidden_, &x_, &q_, &weight_, &gradient_, &scratch_))
        return NULL;
    Py_ssize_t n_hidden = given(&arrays, theta_, n_hidden_, x_, &theta, &sequence);
    npy_intp steps[2] = {(npy_intp)sequence.n_steps, (npy_intp)sequence.n_sequences};
    npy_intp n_parameters = arrays.failed ? 0 : (npy_intp)hrnn_gru_n_parameters((size_t)n_hidden);
    npy_intp n_scratch = arrays.failed ? 0 : (npy_intp)hrnn_gru_scratch((size_t)n_hidden, &sequence);
    const double *q = py_input(&arrays, q_, "q", NPY_DOUBLE, 2, steps);
    const double *weight = py_input(&arrays, weight_, "weight", NPY_DOUBLE, 2, steps);
    double *gradient = py_output(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &n_parameters);
    double *scratch = py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    if (py_begin(&arrays))
        return NULL;
    enum hrnn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = hrnn_gru_gradient(&py_state(module)->kernel, (size_t)n_hidden, &sequence, q, weight, theta, &loss,
                               gradient, scratch);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
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
