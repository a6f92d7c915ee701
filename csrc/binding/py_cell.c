/* cell: where the parameters of a network stand in theta. */
#include "py.h"

static PyObject *cell_layout(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_ssize_t n_hidden;
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS];
    if (!PyArg_ParseTuple(args, "n:cell_layout", &n_hidden) || py_check_range("n_hidden", n_hidden, 1, 4096))
        return NULL;
    hrnn_cell_layout((size_t)n_hidden, blocks);
    PyObject *layout = PyTuple_New(HRNN_CELL_BLOCKS);
    for (Py_ssize_t i = 0; layout && i < HRNN_CELL_BLOCKS; i++) {
        PyObject *shape = blocks[i].n_columns
                              ? Py_BuildValue("(nn)", (Py_ssize_t)blocks[i].n_rows, (Py_ssize_t)blocks[i].n_columns)
                              : Py_BuildValue("(n)", (Py_ssize_t)blocks[i].n_rows);
        PyObject *row = shape ? Py_BuildValue("(snN)", blocks[i].name, (Py_ssize_t)blocks[i].offset, shape) : NULL;
        if (!row)
            Py_CLEAR(layout);
        else
            PyTuple_SET_ITEM(layout, i, row);
    }
    return layout;
}

PyMethodDef py_cell_methods[] = {
    {"cell_layout", cell_layout, METH_VARARGS, "cell_layout(n_hidden): (name, offset in theta, shape) of W, U, b, V, c."},
    {NULL, NULL, 0, NULL},
};
