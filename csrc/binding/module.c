/* The module hrnn._core: multi-phase initialisation, state, and the choice of the kernel at import. */
#define HRNN_PY_MODULE
#include "py.h"

#include <string.h>

#include "linalg.h"

#ifndef HRNN_BUILD_FLAGS
#define HRNN_BUILD_FLAGS "unknown"
#endif

static PyObject *info(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("{s:s,s:s,s:s,s:s}", "cpu", hrnn_kernel_name(py_state(module)->isa), "cpu_best",
                         hrnn_kernel_name(hrnn_kernel_best()), "blas", hrnn_linalg_description(), "build",
                         HRNN_BUILD_FLAGS);
}

static PyMethodDef module_methods[] = {
    {"info", info, METH_NOARGS, "CPU path, BLAS and build flags of this extension."},
    {NULL, NULL, 0, NULL},
};

/* HRNN_CPU=baseline|v3|v4 forces a kernel; unset or empty takes the best. */
static int choose_kernel(struct py_state *state)
{
    const char *wanted = getenv("HRNN_CPU");
    enum hrnn_kernel_isa best = hrnn_kernel_best(), isa = best;
    if (wanted && *wanted) {
        for (isa = 0; isa < HRNN_KERNEL_COUNT && strcmp(wanted, hrnn_kernel_name(isa)) != 0; isa++)
            ;
        if (isa > best) {
            PyErr_Format(PyExc_ImportError,
                         "HRNN_CPU must be one of baseline, v3, v4 that this machine has (up to %s), got '%s'",
                         hrnn_kernel_name(best), wanted);
            return -1;
        }
    }
    state->isa = isa;
    hrnn_kernel_fill(&state->kernel, isa);
    return 0;
}

/* Names and limits, said once in C: Python takes them from here. */
static int add_constants(PyObject *module)
{
    int (*constants[])(PyObject *) = {py_form_constants, py_kernel_constants, py_task_constants, py_inference_constants,
                                      py_choice_constants};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (constants[i](module) < 0)
            return -1;
    return 0;
}

static int module_exec(PyObject *module)
{
    struct py_state *state = py_state(module);
    PyMethodDef *methods[] = {module_methods,      py_kernel_methods,    py_task_methods,       py_cell_methods,
                              py_optim_methods,    py_inference_methods, py_policy_methods,     py_rollout_methods,
                              py_sequence_methods, py_gru_methods,       py_fixedpoint_methods, py_choice_methods};
    if (PyArray_ImportNumPyAPI() < 0 || choose_kernel(state) < 0)
        return -1;
    hrnn_rng_ziggurat_fill(&state->ziggurat);
    hrnn_linalg_use_one_thread();
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (PyModule_AddFunctions(module, methods[i]) < 0)
            return -1;
    if (add_constants(module) < 0)
        return -1;
    state->numerical_error = PyErr_NewExceptionWithDoc(
        "hrnn.NumericalError", "A computation left the finite numbers; `step` says where, if known.",
        PyExc_ArithmeticError, NULL);
    return state->numerical_error ? PyModule_AddObjectRef(module, "NumericalError", state->numerical_error) : -1;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(py_state(module)->numerical_error);
    return 0;
}

static int module_clear(PyObject *module)
{
    Py_CLEAR(py_state(module)->numerical_error);
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_mod_gil
    /* the state is written only in module_exec, and py_begin holds what calls share: two threads on one array can
       give a wrong number there, nothing worse */
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "hrnn._core",
    .m_doc = "The C core of hrnn: arrays in, arrays out. Use the Python modules instead.",
    .m_size = sizeof(struct py_state),
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
