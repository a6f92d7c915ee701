/* sequence: open-loop sequences of small networks. */
#include "py.h"

#include "sequence.h"

/* Sizes and inputs that all functions take: theta, n_hidden, leak, x (I, T, L). 0 on success. */
static int given(struct py_arrays *arrays, PyObject *theta_, Py_ssize_t n_hidden, double leak, PyObject *x_,
                 struct hrnn_cell *cell, const double **theta, struct hrnn_sequence *sequence)
{
    npy_intp shape[3] = {HRNN_INPUTS, -1, -1};
    if (py_check_range("n_hidden", n_hidden, 1, HRNN_SEQUENCE_UNITS_MAX) ||
        !(*theta = py_network(arrays, theta_, n_hidden, leak, cell)) ||
        !(sequence->x = py_input(arrays, x_, "x", NPY_DOUBLE, 3, shape)))
        return -1;
    sequence->n_steps = (size_t)shape[1];
    sequence->n_sequences = (size_t)shape[2];
    if (shape[1] < 1 || shape[2] < 1 || shape[2] % HRNN_KERNEL_WIDTH) {
        PyErr_Format(PyExc_ValueError, "x must have shape (%d, T, L) with T > 0 and L > 0 a multiple of %d, got (%zd, %zd, %zd)",
                     HRNN_INPUTS, HRNN_KERNEL_WIDTH, shape[0], shape[1], shape[2]);
        return -1;
    }
    return 0;
}

/* Scratch of at least n doubles; NULL with an exception otherwise. */
static double *room(struct py_arrays *arrays, PyObject *scratch_, size_t n)
{
    npy_intp n_scratch = -1;
    double *scratch = py_output(arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    if (!scratch || py_check_range("scratch.shape[0]", n_scratch, (Py_ssize_t)n, PY_SSIZE_T_MAX))
        return NULL;
    return scratch;
}

static PyObject *sequence_scratch(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_ssize_t n_hidden, n_steps, n_sequences;
    if (!PyArg_ParseTuple(args, "nnn:sequence_scratch", &n_hidden, &n_steps, &n_sequences) ||
        py_check_range("n_hidden", n_hidden, 1, HRNN_SEQUENCE_UNITS_MAX) ||
        py_check_range("n_steps", n_steps, 1, 1 << 24) || py_check_range("n_sequences", n_sequences, 1, 1 << 16))
        return NULL;
    struct hrnn_cell cell = hrnn_cell_of((size_t)n_hidden, 1);
    struct hrnn_sequence sequence = {.n_steps = (size_t)n_steps, .n_sequences = (size_t)n_sequences};
    return Py_BuildValue("nn", (Py_ssize_t)hrnn_sequence_scratch(&cell, &sequence),
                         (Py_ssize_t)hrnn_sequence_force_scratch(&cell));
}

static PyObject *sequence_forward(PyObject *module, PyObject *args)
{
    PyObject *theta_, *x_, *margin_, *hidden_, *scratch_;
    Py_ssize_t n_hidden;
    double leak;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell;
    struct hrnn_sequence sequence;
    const double *theta;
    if (!PyArg_ParseTuple(args, "OndOOOO:sequence_forward", &theta_, &n_hidden, &leak, &x_, &margin_, &hidden_,
                          &scratch_) ||
        given(&arrays, theta_, n_hidden, leak, x_, &cell, &theta, &sequence))
        return NULL;
    npy_intp steps[2] = {(npy_intp)sequence.n_steps, (npy_intp)sequence.n_sequences};
    npy_intp states[3] = {n_hidden, steps[0], steps[1]};
    double *margin = py_output(&arrays, margin_, "margin", NPY_DOUBLE, 2, steps), *hidden = NULL, *scratch;
    if (!margin || (hidden_ != Py_None && !(hidden = py_output(&arrays, hidden_, "hidden", NPY_DOUBLE, 3, states))) ||
        !(scratch = room(&arrays, scratch_, hrnn_sequence_scratch(&cell, &sequence))))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_sequence_forward(&py_state(module)->kernel, &cell, &sequence, theta, margin, hidden, scratch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *sequence_gradient(PyObject *module, PyObject *args)
{
    PyObject *theta_, *x_, *q_, *weight_, *y_, *state_weight_, *gradient_, *scratch_;
    Py_ssize_t n_hidden;
    double leak, loss;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell;
    struct hrnn_sequence sequence;
    struct hrnn_lesson lesson = {0};
    const double *theta;
    if (!PyArg_ParseTuple(args, "OndOOOdOOOO:sequence_gradient", &theta_, &n_hidden, &leak, &x_, &q_, &weight_,
                          &lesson.temperature, &y_, &state_weight_, &gradient_, &scratch_) ||
        given(&arrays, theta_, n_hidden, leak, x_, &cell, &theta, &sequence))
        return NULL;
    npy_intp steps[2] = {(npy_intp)sequence.n_steps, (npy_intp)sequence.n_sequences};
    npy_intp states[3] = {n_hidden, steps[0], steps[1]}, n_parameters = (npy_intp)hrnn_cell_n_parameters(cell.n_hidden);
    if (!(lesson.q = py_input(&arrays, q_, "q", NPY_DOUBLE, 2, steps)) ||
        !(lesson.weight = py_input(&arrays, weight_, "weight", NPY_DOUBLE, 2, steps)))
        return NULL;
    if (y_ != Py_None && (!(lesson.y = py_input(&arrays, y_, "y", NPY_DOUBLE, 3, states)) ||
                          !(lesson.state_weight = py_input(&arrays, state_weight_, "state_weight", NPY_DOUBLE, 2, steps))))
        return NULL;
    if (!(lesson.temperature > 0)) {
        PyErr_SetString(PyExc_ValueError, "temperature must be > 0");
        return NULL;
    }
    double *gradient = py_output(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &n_parameters);
    double *scratch = gradient ? room(&arrays, scratch_, hrnn_sequence_scratch(&cell, &sequence)) : NULL;
    if (!scratch)
        return NULL;
    enum hrnn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = hrnn_sequence_gradient(&py_state(module)->kernel, &cell, &sequence, &lesson, theta, &loss, gradient, scratch);
    Py_END_ALLOW_THREADS
    return py_raise(py_state(module), status) ? NULL : PyFloat_FromDouble(loss);
}

static PyObject *sequence_force(PyObject *module, PyObject *args)
{
    PyObject *theta_, *x_, *starts_, *current_, *margin_, *inverse_, *h_, *scratch_;
    Py_ssize_t n_hidden;
    double leak;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell = {0};
    if (!PyArg_ParseTuple(args, "OndOOOOOOO:sequence_force", &theta_, &n_hidden, &leak, &x_, &starts_, &current_, &margin_,
                          &inverse_, &h_, &scratch_) ||
        py_check_range("n_hidden", n_hidden, 1, HRNN_SEQUENCE_UNITS_MAX))
        return NULL;
    cell = hrnn_cell_of((size_t)n_hidden, leak);
    npy_intp n = n_hidden, k = n + HRNN_INPUTS + 1, square[3] = {2, k, k}, inputs[2] = {-1, HRNN_INPUTS};
    npy_intp n_parameters = (npy_intp)hrnn_cell_n_parameters(cell.n_hidden);
    double *theta = py_output(&arrays, theta_, "theta", NPY_DOUBLE, 1, &n_parameters);
    const double *x = theta ? py_input(&arrays, x_, "x", NPY_DOUBLE, 2, inputs) : NULL;
    npy_intp n_steps = inputs[0], currents[2] = {n_steps, n};
    const int8_t *starts = x ? py_input(&arrays, starts_, "starts", NPY_INT8, 1, &n_steps) : NULL;
    const double *current = starts ? py_input(&arrays, current_, "current", NPY_DOUBLE, 2, currents) : NULL;
    const double *margin = current ? py_input(&arrays, margin_, "margin", NPY_DOUBLE, 1, &n_steps) : NULL;
    double *inverse = margin ? py_output(&arrays, inverse_, "inverse", NPY_DOUBLE, 3, square) : NULL;
    double *h = inverse ? py_output(&arrays, h_, "h", NPY_DOUBLE, 1, &n) : NULL;
    double *scratch = h ? room(&arrays, scratch_, hrnn_sequence_force_scratch(&cell)) : NULL;
    if (!scratch)
        return NULL;
    enum hrnn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = hrnn_sequence_force(&cell, (size_t)n_steps, x, starts, current, margin, theta, inverse, h, scratch);
    Py_END_ALLOW_THREADS
    if (py_raise(py_state(module), status))
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef py_sequence_methods[] = {
    {"sequence_scratch", sequence_scratch, METH_VARARGS,
     "sequence_scratch(n_hidden, n_steps, n_sequences): doubles of scratch for forward and gradient, and for force."},
    {"sequence_forward", sequence_forward, METH_VARARGS,
     "sequence_forward(theta, n_hidden, leak, x, margin, hidden or None, scratch)."},
    {"sequence_gradient", sequence_gradient, METH_VARARGS,
     "sequence_gradient(theta, n_hidden, leak, x, q, weight, temperature, y or None, state_weight or None, gradient, "
     "scratch): the loss."},
    {"sequence_force", sequence_force, METH_VARARGS,
     "sequence_force(theta, n_hidden, leak, x, starts, current, margin, inverse, h, scratch)."},
    {NULL, NULL, 0, NULL},
};
