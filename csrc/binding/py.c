#include "py.h"

#include <math.h>

static PyObject *describe_type(int type)
{
    PyArray_Descr *descr = PyArray_DescrFromType(type);
    PyObject *text = descr ? PyObject_Str((PyObject *)descr) : NULL;
    Py_XDECREF(descr);
    return text;
}

static int check_type(PyObject *object, const char *name, int type, int n_dims)
{
    if (!PyArray_CheckExact(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a numpy array, got %s", name, Py_TYPE(object)->tp_name);
        return -1;
    }
    PyArrayObject *array = (PyArrayObject *)object;
    if (PyArray_TYPE(array) != type || PyArray_ISBYTESWAPPED(array)) {
        PyObject *wanted = describe_type(type);
        PyErr_Format(PyExc_TypeError, "%s must have dtype %S, got %S", name, wanted, (PyObject *)PyArray_DESCR(array));
        Py_XDECREF(wanted);
        return -1;
    }
    if (PyArray_NDIM(array) != n_dims) {
        PyErr_Format(PyExc_ValueError, "%s must have %d dimensions, got %d", name, n_dims, PyArray_NDIM(array));
        return -1;
    }
    return 0;
}

static int check_layout(PyArrayObject *array, const char *name, npy_intp *shape, int written)
{
    for (int i = 0; i < PyArray_NDIM(array); i++) {
        npy_intp n = PyArray_DIM(array, i);
        if (shape[i] >= 0 && shape[i] != n) {
            PyErr_Format(PyExc_ValueError, "%s.shape[%d] must be %zd, got %zd", name, i, shape[i], n);
            return -1;
        }
        shape[i] = n;
    }
    if (!PyArray_ISCARRAY_RO(array)) {
        PyErr_Format(PyExc_ValueError, "%s must be C-contiguous and aligned", name);
        return -1;
    }
    if (written && !PyArray_ISWRITEABLE(array)) {
        PyErr_Format(PyExc_ValueError, "%s must be writeable", name);
        return -1;
    }
    return 0;
}

static int check_overlap(struct py_arrays *arrays, PyArrayObject *array, const char *name, int written)
{
    const char *first = PyArray_BYTES(array), *last = first + PyArray_NBYTES(array);
    for (size_t i = 0; i < arrays->n; i++)
        if ((written || arrays->seen[i].written) && first < arrays->seen[i].last && arrays->seen[i].first < last) {
            PyErr_Format(PyExc_ValueError, "%s must not overlap %s", name, arrays->seen[i].name);
            return -1;
        }
    if (arrays->n == PY_ARRAYS_MAX) {
        PyErr_SetString(PyExc_SystemError, "too many array arguments");
        return -1;
    }
    arrays->seen[arrays->n].name = name;
    arrays->seen[arrays->n].first = first;
    arrays->seen[arrays->n].last = last;
    arrays->seen[arrays->n++].written = written;
    return 0;
}

int py_fail(struct py_arrays *arrays)
{
    arrays->failed = 1;
    return -1;
}

static void *checked(struct py_arrays *arrays, PyObject *object, const char *name, int type, int n_dims,
                     npy_intp *shape, int written)
{
    PyArrayObject *array = (PyArrayObject *)object;
    if (arrays->failed)
        return NULL;
    if (check_type(object, name, type, n_dims) || check_layout(array, name, shape, written) ||
        check_overlap(arrays, array, name, written)) {
        py_fail(arrays);
        return NULL;
    }
    return PyArray_DATA(array);
}

const void *py_input(struct py_arrays *arrays, PyObject *object, const char *name, int type, int n_dims,
                     npy_intp *shape)
{
    return checked(arrays, object, name, type, n_dims, shape, 0);
}

void *py_output(struct py_arrays *arrays, PyObject *object, const char *name, int type, int n_dims, npy_intp *shape)
{
    return checked(arrays, object, name, type, n_dims, shape, 1);
}

int py_check_range(const char *name, Py_ssize_t value, Py_ssize_t low, Py_ssize_t high)
{
    if (value >= low && value <= high)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s must be in %zd..%zd, got %zd", name, low, high, value);
    return -1;
}

void py_within(struct py_arrays *arrays, const char *name, Py_ssize_t value, Py_ssize_t low, Py_ssize_t high)
{
    if (!arrays->failed && py_check_range(name, value, low, high))
        py_fail(arrays);
}

static void within_reals(struct py_arrays *arrays, const char *name, double value, double low, double high)
{
    if (arrays->failed || (value >= low && value <= high))
        return;
    PyObject *number = PyFloat_FromDouble(value);
    PyErr_Format(PyExc_ValueError, "%s is out of range: %S", name, number);
    Py_XDECREF(number);
    py_fail(arrays);
}

int py_is_tuple(struct py_arrays *arrays, const char *name, PyObject *object)
{
    if (arrays->failed)
        return -1;
    if (PyTuple_Check(object))
        return 0;
    PyErr_Format(PyExc_TypeError, "%s must be a tuple", name);
    return py_fail(arrays);
}

static const char *const task_fields[] = {
    "strengths",  "strength_weights", "p_block",   "block_law", "block_hazard", "block_min", "block_max",
    "n_unbiased", "n_blank",          "n_obs_max", "threshold", "wait_penalty", "noise_sd",  NULL,
};

int py_task(struct py_arrays *arrays, PyObject *tuple, struct hrnn_task *task)
{
    PyObject *strengths, *weights;
    long long law, block_min, block_max, n_unbiased, n_blank, n_obs_max;
    npy_intp n = -1;
    if (py_is_tuple(arrays, "task", tuple))
        return -1;
    if (!PyArg_ParseTuple(tuple, "OOdLdLLLLLddd", &strengths, &weights, &task->p_block, &law, &task->block_hazard,
                          &block_min, &block_max, &n_unbiased, &n_blank, &n_obs_max, &task->threshold,
                          &task->wait_penalty, &task->noise_sd))
        return py_fail(arrays);
    task->strengths = py_input(arrays, strengths, "strengths", NPY_DOUBLE, 1, &n);
    task->strength_weights = py_input(arrays, weights, "strength_weights", NPY_DOUBLE, 1, &n);
    py_within(arrays, "n_strengths", n, 1, 1000);
    py_within(arrays, "block_law", (Py_ssize_t)law, 0, HRNN_BLOCK_LAW_COUNT - 1);
    py_within(arrays, "block_max", (Py_ssize_t)block_max, 1, 1000000);
    py_within(arrays, "block_min", (Py_ssize_t)block_min, 1, (Py_ssize_t)block_max);
    py_within(arrays, "n_unbiased", (Py_ssize_t)n_unbiased, 0, 1000000);
    py_within(arrays, "n_blank", (Py_ssize_t)n_blank, 0, 10000);
    py_within(arrays, "n_obs_max", (Py_ssize_t)n_obs_max, 1, 10000);
    within_reals(arrays, "p_block", task->p_block, 0, 1);
    within_reals(arrays, "threshold", task->threshold, 0.5, 1);
    within_reals(arrays, "noise_sd", task->noise_sd, 0, HUGE_VAL);
    task->n_strengths = (size_t)n;
    task->block_law = law;
    task->block_min = block_min;
    task->block_max = block_max;
    task->n_unbiased = n_unbiased;
    task->n_blank = n_blank;
    task->n_obs_max = n_obs_max;
    return arrays->failed ? -1 : 0;
}

static const char *const sessions_fields[] = {"session", "block_side", "side", "observations", NULL};

int py_sessions(struct py_arrays *arrays, PyObject *tuple, const struct hrnn_task *task, struct hrnn_sessions *sessions)
{
    PyObject *session, *block_side, *side, *observations;
    npy_intp n = -1;
    if (py_is_tuple(arrays, "sessions", tuple))
        return -1;
    if (!PyArg_ParseTuple(tuple, "OOOO", &session, &block_side, &side, &observations))
        return py_fail(arrays);
    sessions->session = py_input(arrays, session, "session", NPY_INT64, 1, &n);
    sessions->block_side = py_input(arrays, block_side, "block_side", NPY_INT8, 1, &n);
    sessions->side = py_input(arrays, side, "side", NPY_INT8, 1, &n);
    npy_intp shape[3] = {n, task->n_obs_max, 2};
    sessions->observations = py_input(arrays, observations, "observations", NPY_DOUBLE, 3, shape);
    sessions->n_trials = (size_t)n;
    return arrays->failed ? -1 : 0;
}

static const char *const believer_fields[] = {
    "block_model", "evidence", "block_hazard", "constant_hazard", "learning_rate", "log_weights", NULL,
};

int py_believer(struct py_state *state, struct py_arrays *arrays, PyObject *tuple, const struct hrnn_task *task,
                struct hrnn_believer *believer)
{
    PyObject *hazard, *log_weights;
    int model, evidence;
    if (py_is_tuple(arrays, "believer", tuple))
        return -1;
    if (!PyArg_ParseTuple(tuple, "iiOddO", &model, &evidence, &hazard, &believer->constant_hazard,
                          &believer->learning_rate, &log_weights))
        return py_fail(arrays);
    npy_intp n_lengths = task->block_max + 1, n_strengths = (npy_intp)task->n_strengths;
    py_within(arrays, "model", model, 0, HRNN_BLOCK_MODEL_COUNT - 1);
    py_within(arrays, "evidence", evidence, 0, HRNN_EVIDENCE_COUNT - 1);
    believer->kernel = &state->kernel;
    believer->task = task;
    believer->model = (enum hrnn_block_model)model;
    believer->evidence = (enum hrnn_evidence)evidence;
    believer->hazard = py_input(arrays, hazard, "hazard", NPY_DOUBLE, 1, &n_lengths);
    believer->log_weights = py_input(arrays, log_weights, "log_weights", NPY_DOUBLE, 1, &n_strengths);
    return arrays->failed ? -1 : 0;
}

static const char *const cell_fields[] = {"kind", "n_hidden", "leak", NULL};

int py_cell(struct py_state *state, struct py_arrays *arrays, PyObject *tuple, struct hrnn_cell *cell)
{
    int kind;
    Py_ssize_t n_hidden;
    double leak;
    if (py_is_tuple(arrays, "cell", tuple))
        return -1;
    if (!PyArg_ParseTuple(tuple, "ind", &kind, &n_hidden, &leak))
        return py_fail(arrays);
    py_within(arrays, "kind", kind, 0, HRNN_CELL_COUNT - 1);
    py_within(arrays, "n_hidden", n_hidden, 1, HRNN_UNITS_MAX);
    within_reals(arrays, "leak", leak, 1e-6, 1);
    if (!arrays->failed)
        *cell = hrnn_cell_of(&state->kernel, (enum hrnn_cell_name)kind, (size_t)n_hidden, leak);
    return arrays->failed ? -1 : 0;
}

const double *py_network(struct py_state *state, struct py_arrays *arrays, PyObject *theta, PyObject *tuple,
                         struct hrnn_cell *cell)
{
    if (py_cell(state, arrays, tuple, cell))
        return NULL;
    npy_intp n = (npy_intp)hrnn_cell_n_parameters(cell);
    return py_input(arrays, theta, "theta", NPY_DOUBLE, 1, &n);
}

int py_form_constants(PyObject *module)
{
    if (py_add_fields(module, "TASK_FIELDS", task_fields) ||
        py_add_fields(module, "SESSIONS_FIELDS", sessions_fields) ||
        py_add_fields(module, "BELIEVER_FIELDS", believer_fields))
        return -1;
    return py_add_fields(module, "CELL_FIELDS", cell_fields);
}

int py_bitgen_hold(PyObject *bit_generator, struct py_bitgen *held)
{
    PyObject *capsule = PyObject_GetAttrString(bit_generator, "capsule"), *taken = NULL;
    held->lock = capsule ? PyObject_GetAttrString(bit_generator, "lock") : NULL;
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Format(PyExc_TypeError, "bit_generator must be a numpy BitGenerator, got %s",
                     Py_TYPE(bit_generator)->tp_name);
    held->bitgen = capsule ? PyCapsule_GetPointer(capsule, "BitGenerator") : NULL;
    Py_XDECREF(capsule);
    if (held->lock && held->bitgen)
        taken = PyObject_CallMethod(held->lock, "acquire", NULL);
    if (taken) {
        Py_DECREF(taken);
        return 0;
    }
    Py_CLEAR(held->lock);
    return -1;
}

void py_bitgen_release(struct py_bitgen *held)
{
    PyObject *type, *value, *traceback;
    if (!held->lock)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *released = PyObject_CallMethod(held->lock, "release", NULL);
    if (!released)
        PyErr_WriteUnraisable(held->lock);
    Py_XDECREF(released);
    Py_CLEAR(held->lock);
    PyErr_Restore(type, value, traceback);
}

/* Whether Python ends a loop of the core; then its exception is set. */
static int ends(void *context)
{
    struct py_watch *watch = context;
    PyEval_RestoreThread(watch->thread);
    int ended = PyErr_CheckSignals();
    if (!ended && watch->look) {
        PyObject *looked = PyObject_CallNoArgs(watch->look);
        ended = !looked;
        Py_XDECREF(looked);
    }
    watch->thread = PyEval_SaveThread();
    return ended;
}

void py_watch(struct py_arrays *arrays, PyObject *look, struct py_watch *watch)
{
    *watch = (struct py_watch){.watch = {ends, watch, 0}, .look = look == Py_None ? NULL : look};
    if (arrays->failed || look == Py_None || PyCallable_Check(look))
        return;
    PyErr_Format(PyExc_TypeError, "look must be callable or None, got %s", Py_TYPE(look)->tp_name);
    py_fail(arrays);
}

int py_raise(struct py_state *state, enum hrnn_status status)
{
    if (status == HRNN_OK)
        return 0;
    if (status != HRNN_STOPPED)
        PyErr_SetString(state->numerical_error, hrnn_status_message(status));
    return -1;
}

/* Takes the reference to `value`. */
static int add(PyObject *module, const char *name, PyObject *value)
{
    int status = value ? PyModule_AddObjectRef(module, name, value) : -1;
    Py_XDECREF(value);
    return status;
}

/* Puts a string at place i of a tuple that is being filled; clears the tuple on failure. */
static void put(PyObject **tuple, Py_ssize_t i, const char *text)
{
    PyObject *string = *tuple ? PyUnicode_InternFromString(text) : NULL;
    if (string)
        PyTuple_SET_ITEM(*tuple, i, string);
    else
        Py_CLEAR(*tuple);
}

int py_add_enum(PyObject *module, const char *name, int n, const char *(*name_of)(int value))
{
    PyObject *names = PyTuple_New(n);
    for (int i = 0; i < n; i++)
        put(&names, i, name_of(i));
    return add(module, name, names);
}

int py_add_fields(PyObject *module, const char *name, const char *const *fields)
{
    Py_ssize_t n = 0;
    while (fields[n])
        n++;
    PyObject *names = PyTuple_New(n);
    for (Py_ssize_t i = 0; i < n; i++)
        put(&names, i, fields[i]);
    return add(module, name, names);
}
