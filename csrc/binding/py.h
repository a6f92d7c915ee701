/* What all binding files share: module state, argument checks, errors. The only files with Python.h are in this folder.
   A binding function parses, checks, releases the GIL, calls the core and returns; it never converts an array. */
#ifndef HRNN_PY_H
#define HRNN_PY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL hrnn_numpy_api
#ifndef HRNN_PY_MODULE
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include "cell.h"
#include "inference.h"
#include "kernel.h"
#include "policy.h"
#include "rng.h"
#include "task.h"

struct py_state {
    struct hrnn_kernel kernel;
    enum hrnn_kernel_isa isa;
    struct hrnn_ziggurat ziggurat;
    PyObject *numerical_error;
};

static inline struct py_state *py_state(PyObject *module) { return PyModule_GetState(module); }

/* The arrays of one call, so that an output which overlaps another argument is refused. The first failure sticks: `failed`
   is set, its exception stays, and whatever takes a struct py_arrays checks nothing more. A binding function therefore
   takes all its arrays and then asks py_begin once, before it looks at what they hold.

   Another thread, or Python code that runs while a lock is waited for, can write into every array at any time. So
   - no number is converted by code of Python: py_real and py_whole take floats and ints alone;
   - what C uses as an index or as a bound is copied first (py_copy), then checked, and the copy alone is used;
   - py_begin sees that every array still lies where it was checked, and holds it there until py_end.
   Writing into an array that C works on can thus spoil a number, and never memory. */
enum { PY_ARRAYS_MAX = 20, PY_COPIES_MAX = 2 };
struct py_arrays {
    size_t n, n_copies;
    int failed;
    struct {
        PyArrayObject *array;
        const char *name, *first, *last;
        int written;
        PyObject *pin;
    } seen[PY_ARRAYS_MAX];
    void *copies[PY_COPIES_MAX];
};

/* The failure of a check that set its own exception; -1. */
int py_fail(struct py_arrays *arrays);

/* Data of an array after checking type, number of dimensions, shape (-1: any, filled in), C order, alignment, byte
   order and, if written, writability. NULL with an exception naming the argument otherwise. */
const void *py_input(struct py_arrays *arrays, PyObject *object, const char *name, int type, int n_dims,
                     npy_intp *shape);
void *py_output(struct py_arrays *arrays, PyObject *object, const char *name, int type, int n_dims, npy_intp *shape);

/* A private copy of n_bytes of an argument, until py_end. NULL with MemoryError, and after a failure. */
void *py_copy(struct py_arrays *arrays, const void *data, size_t n_bytes);

/* 0 if all checks passed, and then no array moves until py_end: ndarray.resize refuses an array that a weak reference
   refers to, whatever its `refcheck`. -1 with the exception otherwise; py_end is then done. */
int py_begin(struct py_arrays *arrays);
void py_end(struct py_arrays *arrays);

/* Fails with ValueError "<name> must be in low..high, got <value>" where a number is not. */
void py_within(struct py_arrays *arrays, const char *name, Py_ssize_t value, Py_ssize_t low, Py_ssize_t high);

/* The same of reals; NaN is in no interval. */
void py_within_reals(struct py_arrays *arrays, const char *name, double value, double low, double high);

/* A float or an int, of Python; for py_real_in one in low..high. 0 after a failure. */
double py_real(struct py_arrays *arrays, const char *name, PyObject *object);
double py_real_in(struct py_arrays *arrays, const char *name, PyObject *object, double low, double high);

/* An int of Python or NumPy in low..high. 0 after a failure. */
Py_ssize_t py_whole(struct py_arrays *arrays, const char *name, PyObject *object, Py_ssize_t low, Py_ssize_t high);

/* The items of an argument that must be a tuple of n. NULL with an exception otherwise, and after a failure. */
PyObject **py_fields(struct py_arrays *arrays, const char *name, PyObject *object, Py_ssize_t n);

/* How many names a NULL-terminated table of a form's fields has. */
#define PY_N_FIELDS(fields) ((Py_ssize_t)(sizeof(fields) / sizeof *(fields)) - 1)

/* Where a loop stands, from (trial, step, feedback): three doubles, since it is carried from one call to the next. Trial 0
   after a failure. */
struct hrnn_place py_place(struct py_arrays *arrays, const double *values, Py_ssize_t last_trial,
                           const struct hrnn_task *task);

/* A task from the form that hrnn.Task makes, sessions from that of hrnn.Sessions, and so on: tuples whose fields the module
   names (TASK_FIELDS, ...), so that a test sees both sides in the same order. 0 on success. */
int py_task(struct py_arrays *arrays, PyObject *tuple, struct hrnn_task *task);
int py_sessions(struct py_arrays *arrays, PyObject *tuple, const struct hrnn_task *task,
                struct hrnn_sessions *sessions);
int py_believer(struct py_state *state, struct py_arrays *arrays, PyObject *tuple, const struct hrnn_task *task,
                struct hrnn_believer *believer);

/* A cell from the tuple (kind, n_hidden, leak) that hrnn.Network makes; 0 on success. */
int py_cell(struct py_state *state, struct py_arrays *arrays, PyObject *tuple, struct hrnn_cell *cell);

/* The same, and the network's theta. NULL on error. */
const double *py_network(struct py_state *state, struct py_arrays *arrays, PyObject *theta, PyObject *tuple,
                         struct hrnn_cell *cell);

/* Scratch of at least n doubles. */
static inline double *py_scratch(struct py_arrays *arrays, PyObject *object, size_t n)
{
    npy_intp n_scratch = -1;
    double *scratch = py_output(arrays, object, "scratch", NPY_DOUBLE, 1, &n_scratch);
    py_within(arrays, "scratch.shape[0]", n_scratch, (Py_ssize_t)n, PY_SSIZE_T_MAX);
    return scratch;
}

/* Holds a NumPy bit generator and its lock while the GIL is released: the last of a call's checks, for it may wait.
   Releasing what is not held does nothing; nothing is held after a failure. */
struct py_bitgen {
    PyObject *lock;
    bitgen_t *bitgen;
};
void py_bitgen_hold(struct py_arrays *arrays, PyObject *bit_generator, struct py_bitgen *held);
void py_bitgen_release(struct py_bitgen *held);

/* Two at once; the same one twice is held once. Locks are taken in the order of their addresses, so that two threads
   which hold the same two never wait for each other. */
void py_bitgen_hold_two(struct py_arrays *arrays, PyObject *bit_generator, PyObject *other, struct py_bitgen *held,
                        struct py_bitgen *held_other);

static inline struct hrnn_rng py_rng(PyObject *module, const struct py_bitgen *held)
{
    return (struct hrnn_rng){held->bitgen, &py_state(module)->ziggurat};
}

/* Adds what the core knows to the module: a tuple of the names of an enum's first n values, one of the names of a form's
   fields (up to a NULL), a number. 0 on success, for module_exec. */
int py_add_enum(PyObject *module, const char *name, int n, const char *(*name_of)(int value));
int py_add_fields(PyObject *module, const char *name, const char *const *fields);
int py_form_constants(PyObject *module), py_kernel_constants(PyObject *module), py_task_constants(PyObject *module),
    py_inference_constants(PyObject *module), py_choice_constants(PyObject *module);

/* A watch that asks Python: whether a signal has come and, unless `look` is NULL, look(), which raises to end the loop.
   `thread` is that of the call while the GIL is released. */
struct py_watch {
    struct hrnn_watch watch;
    PyObject *look;
    PyThreadState *thread;
};

/* A watch from an argument, which is a callable or None. */
void py_watch(struct py_arrays *arrays, PyObject *look, struct py_watch *watch);

/* Raises for a core status, unless the watch has; 0 if it is HRNN_OK. */
int py_raise(struct py_state *state, enum hrnn_status status);

extern PyMethodDef py_task_methods[], py_cell_methods[], py_optim_methods[], py_inference_methods[],
    py_policy_methods[], py_rollout_methods[], py_sequence_methods[], py_gru_methods[], py_fixedpoint_methods[],
    py_choice_methods[], py_kernel_methods[];

#endif
