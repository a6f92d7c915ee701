#include "py.h"

#include <float.h>
#include <math.h>
#include <string.h>

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
    arrays->seen[arrays->n].array = array;
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

void *py_copy(struct py_arrays *arrays, const void *data, size_t n_bytes)
{
    if (arrays->failed)
        return NULL;
    void *copy = arrays->n_copies < PY_COPIES_MAX ? PyMem_Malloc(n_bytes) : NULL;
    if (!copy) {
        PyErr_NoMemory();
        py_fail(arrays);
        return NULL;
    }
    arrays->copies[arrays->n_copies++] = copy;
    return memcpy(copy, data, n_bytes);
}

/* The array that owns the memory of another, if one does. */
static PyObject *owner_of(PyArrayObject *array)
{
    PyObject *owner = (PyObject *)array, *base;
    while ((base = PyArray_BASE((PyArrayObject *)owner)) && PyArray_Check(base))
        owner = base;
    return owner;
}

int py_begin(struct py_arrays *arrays)
{
    for (size_t i = 0; i < arrays->n && !arrays->failed; i++) {
        PyArrayObject *array = arrays->seen[i].array;
        const char *first = PyArray_BYTES(array);
        arrays->seen[i].pin = PyWeakref_NewRef(owner_of(array), NULL);
        if (!arrays->seen[i].pin) {
            py_fail(arrays);
        } else if (first != arrays->seen[i].first || first + PyArray_NBYTES(array) != arrays->seen[i].last) {
            PyErr_Format(PyExc_ValueError, "%s must keep its size while it is used", arrays->seen[i].name);
            py_fail(arrays);
        }
    }
    if (arrays->failed)
        py_end(arrays);
    return arrays->failed ? -1 : 0;
}

void py_end(struct py_arrays *arrays)
{
    for (size_t i = 0; i < arrays->n; i++)
        Py_CLEAR(arrays->seen[i].pin);
    while (arrays->n_copies)
        PyMem_Free(arrays->copies[--arrays->n_copies]);
}

void py_within(struct py_arrays *arrays, const char *name, Py_ssize_t value, Py_ssize_t low, Py_ssize_t high)
{
    if (arrays->failed || (value >= low && value <= high))
        return;
    PyErr_Format(PyExc_ValueError, "%s must be in %zd..%zd, got %zd", name, low, high, value);
    py_fail(arrays);
}

void py_within_reals(struct py_arrays *arrays, const char *name, double value, double low, double high)
{
    if (arrays->failed || (value >= low && value <= high))
        return;
    PyObject *number = PyFloat_FromDouble(value);
    PyErr_Format(PyExc_ValueError, "%s is out of range: %S", name, number);
    Py_XDECREF(number);
    py_fail(arrays);
}

double py_real(struct py_arrays *arrays, const char *name, PyObject *object)
{
    if (arrays->failed)
        return 0;
    if (PyFloat_Check(object))
        return PyFloat_AS_DOUBLE(object);
    if (!PyLong_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a float, got %s", name, Py_TYPE(object)->tp_name);
        py_fail(arrays);
        return 0;
    }
    double value = PyLong_AsDouble(object);
    if (PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "%s is too large for a float", name);
        py_fail(arrays);
        return 0;
    }
    return value;
}

double py_real_in(struct py_arrays *arrays, const char *name, PyObject *object, double low, double high)
{
    double value = py_real(arrays, name, object);
    py_within_reals(arrays, name, value, low, high);
    return value;
}

Py_ssize_t py_whole(struct py_arrays *arrays, const char *name, PyObject *object, Py_ssize_t low, Py_ssize_t high)
{
    if (arrays->failed)
        return 0;
    if (!PyLong_Check(object) && !PyArray_IsScalar(object, Integer)) {
        PyErr_Format(PyExc_TypeError, "%s must be an int, got %s", name, Py_TYPE(object)->tp_name);
        py_fail(arrays);
        return 0;
    }
    Py_ssize_t value = PyNumber_AsSsize_t(object, NULL); /* what is beyond a Py_ssize_t becomes its end */
    if (value == -1 && PyErr_Occurred())
        py_fail(arrays);
    py_within(arrays, name, value, low, high);
    return arrays->failed ? 0 : value;
}

PyObject **py_fields(struct py_arrays *arrays, const char *name, PyObject *object, Py_ssize_t n)
{
    if (arrays->failed)
        return NULL;
    if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) == n)
        return ((PyTupleObject *)object)->ob_item;
    if (PyTuple_Check(object))
        PyErr_Format(PyExc_TypeError, "%s must be a tuple of exactly %zd, got %zd", name, n, PyTuple_GET_SIZE(object));
    else
        PyErr_Format(PyExc_TypeError, "%s must be a tuple, got %s", name, Py_TYPE(object)->tp_name);
    py_fail(arrays);
    return NULL;
}

struct hrnn_place py_place(struct py_arrays *arrays, const double *values, Py_ssize_t last_trial,
                           const struct hrnn_task *task)
{
    double own[3] = {0};
    if (!arrays->failed)
        memcpy(own, values, sizeof own);
    py_within_reals(arrays, "place[0]", own[0], 0, (double)last_trial);
    py_within_reals(arrays, "place[1]", own[1], 0, (double)(task->n_blank + task->n_obs_max - 1));
    if (arrays->failed)
        return (struct hrnn_place){0};
    return (struct hrnn_place){(size_t)own[0], (size_t)own[1], own[2]};
}

static const char *const task_fields[] = {
    "strengths",  "strength_weights", "p_block",   "block_law", "block_hazard", "block_min", "block_max",
    "n_unbiased", "n_blank",          "n_obs_max", "threshold", "wait_penalty", "noise_sd",  NULL,
};

int py_task(struct py_arrays *arrays, PyObject *tuple, struct hrnn_task *task)
{
    npy_intp n = -1;
    PyObject **field = py_fields(arrays, "task", tuple, PY_N_FIELDS(task_fields));
    if (!field)
        return -1;
    task->strengths = py_input(arrays, field[0], "strengths", NPY_DOUBLE, 1, &n);
    task->strength_weights = py_input(arrays, field[1], "strength_weights", NPY_DOUBLE, 1, &n);
    py_within(arrays, "n_strengths", n, 1, 1000);
    task->n_strengths = (size_t)n;
    task->p_block = py_real_in(arrays, "p_block", field[2], 0, 1);
    task->block_law = py_whole(arrays, "block_law", field[3], 0, HRNN_BLOCK_LAW_COUNT - 1);
    task->block_hazard = py_real_in(arrays, "block_hazard", field[4], DBL_MIN, 1);
    task->block_min = py_whole(arrays, "block_min", field[5], 1, 1000000);
    task->block_max = py_whole(arrays, "block_max", field[6], 1, 1000000);
    py_within(arrays, "block_min", (Py_ssize_t)task->block_min, 1, (Py_ssize_t)task->block_max);
    task->n_unbiased = py_whole(arrays, "n_unbiased", field[7], 0, 1000000);
    task->n_blank = py_whole(arrays, "n_blank", field[8], 0, 10000);
    task->n_obs_max = py_whole(arrays, "n_obs_max", field[9], 1, 10000);
    task->threshold = py_real_in(arrays, "threshold", field[10], 0.5, 1);
    task->wait_penalty = py_real(arrays, "wait_penalty", field[11]);
    task->noise_sd = py_real_in(arrays, "noise_sd", field[12], 0, HUGE_VAL);
    return arrays->failed ? -1 : 0;
}

static const char *const sessions_fields[] = {"session", "block_side", "side", "observations", NULL};

int py_sessions(struct py_arrays *arrays, PyObject *tuple, const struct hrnn_task *task, struct hrnn_sessions *sessions)
{
    npy_intp n = -1;
    PyObject **field = py_fields(arrays, "sessions", tuple, PY_N_FIELDS(sessions_fields));
    if (!field)
        return -1;
    sessions->session = py_input(arrays, field[0], "session", NPY_INT64, 1, &n);
    sessions->block_side = py_input(arrays, field[1], "block_side", NPY_INT8, 1, &n);
    sessions->side = py_input(arrays, field[2], "side", NPY_INT8, 1, &n);
    npy_intp shape[3] = {n, task->n_obs_max, 2};
    sessions->observations = py_input(arrays, field[3], "observations", NPY_DOUBLE, 3, shape);
    sessions->n_trials = (size_t)n;
    return arrays->failed ? -1 : 0;
}

static const char *const believer_fields[] = {
    "block_model", "evidence", "block_hazard", "constant_hazard", "learning_rate", "log_weights", NULL,
};

int py_believer(struct py_state *state, struct py_arrays *arrays, PyObject *tuple, const struct hrnn_task *task,
                struct hrnn_believer *believer)
{
    PyObject **field = py_fields(arrays, "believer", tuple, PY_N_FIELDS(believer_fields));
    if (!field)
        return -1;
    npy_intp n_lengths = task->block_max + 1, n_strengths = (npy_intp)task->n_strengths;
    believer->kernel = &state->kernel;
    believer->task = task;
    believer->model = (enum hrnn_block_model)py_whole(arrays, "model", field[0], 0, HRNN_BLOCK_MODEL_COUNT - 1);
    believer->evidence = (enum hrnn_evidence)py_whole(arrays, "evidence", field[1], 0, HRNN_EVIDENCE_COUNT - 1);
    believer->hazard = py_input(arrays, field[2], "hazard", NPY_DOUBLE, 1, &n_lengths);
    believer->constant_hazard = py_real(arrays, "constant_hazard", field[3]);
    believer->learning_rate = py_real(arrays, "learning_rate", field[4]);
    believer->log_weights = py_input(arrays, field[5], "log_weights", NPY_DOUBLE, 1, &n_strengths);
    return arrays->failed ? -1 : 0;
}

static const char *const cell_fields[] = {"kind", "n_hidden", "leak", NULL};

int py_cell(struct py_state *state, struct py_arrays *arrays, PyObject *tuple, struct hrnn_cell *cell)
{
    PyObject **field = py_fields(arrays, "cell", tuple, PY_N_FIELDS(cell_fields));
    if (!field)
        return -1;
    Py_ssize_t kind = py_whole(arrays, "kind", field[0], 0, HRNN_CELL_COUNT - 1);
    Py_ssize_t n_hidden = py_whole(arrays, "n_hidden", field[1], 1, HRNN_UNITS_MAX);
    double leak = py_real_in(arrays, "leak", field[2], 1e-6, 1);
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

/* An attribute of a bit generator as NumPy's own class has it, whatever a subclass says. */
static PyObject *own_attribute(PyObject *type, PyObject *object, const char *name)
{
    PyObject *descriptor = PyObject_GetAttrString(type, name), *value = NULL;
    descrgetfunc get = descriptor ? Py_TYPE(descriptor)->tp_descr_get : NULL;
    if (get)
        value = get(descriptor, object, type);
    else if (descriptor)
        PyErr_SetString(PyExc_TypeError, "numpy.random.BitGenerator must be NumPy's own");
    Py_XDECREF(descriptor);
    return value;
}

static int refuse_bitgen(PyObject *object)
{
    PyErr_Format(PyExc_TypeError, "bit_generator must be a numpy BitGenerator that is ready to draw, got %s",
                 Py_TYPE(object)->tp_name);
    return -1;
}

/* The C struct of a bit generator of this class, if it has one that can draw. */
static bitgen_t *bitgen_of(PyObject *type, PyObject *object)
{
    PyObject *capsule = own_attribute(type, object, "capsule");
    bitgen_t *bitgen = NULL;
    if (capsule && PyCapsule_IsValid(capsule, "BitGenerator"))
        bitgen = PyCapsule_GetPointer(capsule, "BitGenerator");
    Py_XDECREF(capsule);
    return bitgen && bitgen->next_double && bitgen->next_uint64 ? bitgen : NULL;
}

/* Finds a bit generator and its lock, which is not yet taken. */
static int find_bitgen(PyObject *object, struct py_bitgen *found)
{
    PyObject *module = PyImport_ImportModule("numpy.random");
    PyObject *type = module ? PyObject_GetAttrString(module, "BitGenerator") : NULL;
    *found = (struct py_bitgen){0};
    if (type && PyType_Check(type) && PyObject_TypeCheck(object, (PyTypeObject *)type))
        found->bitgen = bitgen_of(type, object);
    if (found->bitgen)
        found->lock = own_attribute(type, object, "lock");
    Py_XDECREF(module);
    Py_XDECREF(type);
    if (found->lock)
        return 0;
    return PyErr_Occurred() ? -1 : refuse_bitgen(object);
}

/* Takes the lock; forgets it on failure. */
static int take(struct py_bitgen *found)
{
    PyObject *taken = PyObject_CallMethod(found->lock, "acquire", NULL);
    if (!taken)
        Py_CLEAR(found->lock);
    Py_XDECREF(taken);
    return taken ? 0 : -1;
}

void py_bitgen_hold(struct py_arrays *arrays, PyObject *bit_generator, struct py_bitgen *held)
{
    if (!arrays->failed && (find_bitgen(bit_generator, held) || take(held)))
        py_fail(arrays);
}

/* Takes the locks of both, in order; neither on failure. */
static int take_both(struct py_bitgen *one, struct py_bitgen *other)
{
    if (one->lock == other->lock)
        Py_CLEAR(other->lock);
    int in_order = (uintptr_t)one->lock > (uintptr_t)other->lock;
    struct py_bitgen *first = in_order ? one : other, *second = in_order ? other : one;
    if (take(first)) {
        Py_CLEAR(second->lock);
        return -1;
    }
    if (!second->lock || take(second) == 0)
        return 0;
    py_bitgen_release(first);
    return -1;
}

void py_bitgen_hold_two(struct py_arrays *arrays, PyObject *bit_generator, PyObject *other, struct py_bitgen *held,
                        struct py_bitgen *held_other)
{
    if (arrays->failed)
        return;
    if (find_bitgen(bit_generator, held) || find_bitgen(other, held_other)) {
        Py_CLEAR(held->lock);
        py_fail(arrays);
    } else if (take_both(held, held_other)) {
        py_fail(arrays);
    }
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
