/* sequence: open-loop sequences of small networks. */
#include "py.h"

#include "sequence.h"

/* A cell of few units. */
static void small_cell(PyObject *module, struct py_arrays *arrays, PyObject *cell_, struct hrnn_cell *cell)
{
    if (!py_cell(py_state(module), arrays, cell_, cell))
        py_within(arrays, "n_hidden", (Py_ssize_t)cell->n_hidden, 1, HRNN_SEQUENCE_UNITS_MAX);
}

/* Sizes and inputs that all functions take: cell, theta, x (I, T, L). */
static void given(PyObject *module, struct py_arrays *arrays, PyObject *theta_, PyObject *cell_, PyObject *x_,
                  struct hrnn_cell *cell, const double **theta, struct hrnn_sequence *sequence)
{
    npy_intp shape[3] = {HRNN_INPUTS, -1, -1};
    small_cell(module, arrays, cell_, cell);
    npy_intp n_parameters = arrays->failed ? 0 : (npy_intp)hrnn_cell_n_parameters(cell);
    *theta = py_input(arrays, theta_, "theta", NPY_DOUBLE, 1, &n_parameters);
    sequence->x = py_input(arrays, x_, "x", NPY_DOUBLE, 3, shape);
    if (arrays->failed)
        return;
    sequence->n_steps = (size_t)shape[1];
    sequence->n_sequences = (size_t)shape[2];
    if (shape[1] < 1 || shape[2] < 1 || shape[2] % HRNN_KERNEL_WIDTH) {
        PyErr_Format(PyExc_ValueError,
                     "x must have shape (%d, T, L) with T > 0 and L > 0 a multiple of %d, got (%zd, %zd, %zd)",
                     HRNN_INPUTS, HRNN_KERNEL_WIDTH, shape[0], shape[1], shape[2]);
        py_fail(arrays);
    }
}

static PyObject *sequence_scratch(PyObject *module, PyObject *args)
{
    PyObject *cell_, *n_steps_, *n_sequences_;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell = {0};
    if (!PyArg_ParseTuple(args, "OOO:sequence_scratch", &cell_, &n_steps_, &n_sequences_))
        return NULL;
    small_cell(module, &arrays, cell_, &cell);
    Py_ssize_t n_steps = py_whole(&arrays, "n_steps", n_steps_, 1, 1 << 24);
    Py_ssize_t n_sequences = py_whole(&arrays, "n_sequences", n_sequences_, 1, 1 << 16);
    if (arrays.failed)
        return NULL;
    struct hrnn_sequence sequence = {.n_steps = (size_t)n_steps, .n_sequences = (size_t)n_sequences};
    return Py_BuildValue("nn", (Py_ssize_t)hrnn_sequence_scratch(&cell, &sequence),
                         (Py_ssize_t)hrnn_sequence_force_scratch(&cell));
}

/* Scratch for forward and gradient. */
static double *room(struct py_arrays *arrays, PyObject *scratch_, const struct hrnn_cell *cell,
                    const struct hrnn_sequence *sequence)
{
    return arrays->failed ? NULL : py_scratch(arrays, scratch_, hrnn_sequence_scratch(cell, sequence));
}

static PyObject *sequence_forward(PyObject *module, PyObject *args)
{
    PyObject *theta_, *cell_, *x_, *margin_, *hidden_, *scratch_;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell = {0};
    struct hrnn_sequence sequence = {0};
    const double *theta;
    if (!PyArg_ParseTuple(args, "OOOOOO:sequence_forward", &theta_, &cell_, &x_, &margin_, &hidden_, &scratch_))
        return NULL;
    given(module, &arrays, theta_, cell_, x_, &cell, &theta, &sequence);
    npy_intp steps[2] = {(npy_intp)sequence.n_steps, (npy_intp)sequence.n_sequences};
    npy_intp states[3] = {(npy_intp)cell.n_hidden, steps[0], steps[1]};
    double *margin = py_output(&arrays, margin_, "margin", NPY_DOUBLE, 2, steps);
    double *hidden = hidden_ == Py_None ? NULL : py_output(&arrays, hidden_, "hidden", NPY_DOUBLE, 3, states);
    double *scratch = room(&arrays, scratch_, &cell, &sequence);
    if (py_begin(&arrays))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_sequence_forward(&cell, &sequence, theta, margin, hidden, scratch);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    Py_RETURN_NONE;
}

static PyObject *sequence_gradient(PyObject *module, PyObject *args)
{
    PyObject *theta_, *cell_, *x_, *q_, *weight_, *temperature_, *y_, *state_weight_, *gradient_, *scratch_;
    double loss;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell = {0};
    struct hrnn_sequence sequence = {0};
    struct hrnn_lesson lesson = {0};
    const double *theta;
    if (!PyArg_ParseTuple(args, "OOOOOOOOOO:sequence_gradient", &theta_, &cell_, &x_, &q_, &weight_, &temperature_, &y_,
                          &state_weight_, &gradient_, &scratch_))
        return NULL;
    given(module, &arrays, theta_, cell_, x_, &cell, &theta, &sequence);
    npy_intp steps[2] = {(npy_intp)sequence.n_steps, (npy_intp)sequence.n_sequences};
    npy_intp states[3] = {(npy_intp)cell.n_hidden, steps[0], steps[1]};
    npy_intp n_parameters = arrays.failed ? 0 : (npy_intp)hrnn_cell_n_parameters(&cell);
    lesson.q = py_input(&arrays, q_, "q", NPY_DOUBLE, 2, steps);
    lesson.weight = py_input(&arrays, weight_, "weight", NPY_DOUBLE, 2, steps);
    if (y_ != Py_None) {
        lesson.y = py_input(&arrays, y_, "y", NPY_DOUBLE, 3, states);
        lesson.state_weight = py_input(&arrays, state_weight_, "state_weight", NPY_DOUBLE, 2, steps);
    }
    lesson.temperature = py_real(&arrays, "temperature", temperature_);
    if (!arrays.failed && !(lesson.temperature > 0)) {
        PyErr_SetString(PyExc_ValueError, "temperature must be > 0");
        py_fail(&arrays);
    }
    double *gradient = py_output(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &n_parameters);
    double *scratch = room(&arrays, scratch_, &cell, &sequence);
    if (py_begin(&arrays))
        return NULL;
    enum hrnn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = hrnn_sequence_gradient(&cell, &sequence, &lesson, theta, &loss, gradient, scratch);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    return py_raise(py_state(module), status) ? NULL : PyFloat_FromDouble(loss);
}

static PyObject *sequence_force(PyObject *module, PyObject *args)
{
    PyObject *theta_, *cell_, *x_, *starts_, *current_, *margin_, *inverse_, *h_, *scratch_;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell = {0};
    if (!PyArg_ParseTuple(args, "OOOOOOOOO:sequence_force", &theta_, &cell_, &x_, &starts_, &current_, &margin_,
                          &inverse_, &h_, &scratch_))
        return NULL;
    small_cell(module, &arrays, cell_, &cell);
    if (!arrays.failed && !cell.kind.is_leaky) {
        PyErr_Format(PyExc_ValueError, "cell must be tanh or leaky for recursive least squares, got %s",
                     cell.kind.name);
        py_fail(&arrays);
    }
    npy_intp n = (npy_intp)cell.n_hidden, k = n + HRNN_INPUTS + 1, square[3] = {2, k, k}, inputs[2] = {-1, HRNN_INPUTS};
    npy_intp n_parameters = arrays.failed ? 0 : (npy_intp)hrnn_cell_n_parameters(&cell);
    double *theta = py_output(&arrays, theta_, "theta", NPY_DOUBLE, 1, &n_parameters);
    const double *x = py_input(&arrays, x_, "x", NPY_DOUBLE, 2, inputs);
    npy_intp n_steps = inputs[0], currents[2] = {n_steps, n};
    const int8_t *starts = py_input(&arrays, starts_, "starts", NPY_INT8, 1, &n_steps);
    const double *current = py_input(&arrays, current_, "current", NPY_DOUBLE, 2, currents);
    const double *margin = py_input(&arrays, margin_, "margin", NPY_DOUBLE, 1, &n_steps);
    double *inverse = py_output(&arrays, inverse_, "inverse", NPY_DOUBLE, 3, square);
    double *h = py_output(&arrays, h_, "h", NPY_DOUBLE, 1, &n);
    double *scratch = arrays.failed ? NULL : py_scratch(&arrays, scratch_, hrnn_sequence_force_scratch(&cell));
    if (py_begin(&arrays))
        return NULL;
    enum hrnn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = hrnn_sequence_force(&cell, (size_t)n_steps, x, starts, current, margin, theta, inverse, h, scratch);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    if (py_raise(py_state(module), status))
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef py_sequence_methods[] = {
    {"sequence_scratch", sequence_scratch, METH_VARARGS,
     "sequence_scratch(cell, n_steps, n_sequences): doubles of scratch for forward and gradient, and for force."},
    {"sequence_forward", sequence_forward, METH_VARARGS,
     "sequence_forward(theta, cell, x, margin, hidden or None, scratch)."},
    {"sequence_gradient", sequence_gradient, METH_VARARGS,
     "sequence_gradient(theta, cell, x, q, weight, temperature, y or None, state_weight or None, gradient, "
     "scratch): the loss."},
    {"sequence_force", sequence_force, METH_VARARGS,
     "sequence_force(theta, cell, x, starts, current, margin, inverse, h, scratch)."},
    {NULL, NULL, 0, NULL},
};
