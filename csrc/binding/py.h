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
   takes all its arrays and asks for `failed` once, before it looks at what they hold. */
enum { PY_ARRAYS_MAX = 20 };
struct py_arrays {
    size_t n;
    int failed;
    struct {
        const char *name, *first, *last;
        int written;
    } seen[PY_ARRAYS_MAX];
};

/* The failure of a check that set its own exception; -1. */
int py_fail(struct py_arrays *arrays);

/* Data of an array after checking type, number of dimensions, shape (-1: any, filled in), C order, alignment, byte
   order and, if written, writability. NULL with an exception naming the argument otherwise. */
const void *py_input(struct py_arrays *arrays, PyObject *object, const char *name, int type, int n_dims,
                     npy_intp *shape);
void *py_output(struct py_arrays *arrays, PyObject *object, const char *name, int type, int n_dims, npy_intp *shape);

/* Raises ValueError "<name> must be in low..high, got <value>"; 0 if in range. */
int py_check_range(const char *name, Py_ssize_t value, Py_ssize_t low, Py_ssize_t high);

/* The same as one of a call's checks: it sticks. */
void py_within(struct py_arrays *arrays, const char *name, Py_ssize_t value, Py_ssize_t low, Py_ssize_t high);

/* 0 if an argument is a tuple; -1 with an exception otherwise, and after a failure. */
int py_is_tuple(struct py_arrays *arrays, const char *name, PyObject *object);

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

/* Holds a NumPy bit generator and its lock while the GIL is released. Releasing what is not held does nothing. */
struct py_bitgen {
    PyObject *lock;
    bitgen_t *bitgen;
};
int py_bitgen_hold(PyObject *bit_generator, struct py_bitgen *held);
void py_bitgen_release(struct py_bitgen *held);

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
