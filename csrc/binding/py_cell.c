/* cell: where the parameters of a network stand in theta. */
#include "py.h"

static PyObject *shape_of(const struct hrnn_cell_block *block)
{
    if (block->n_columns)
        return Py_BuildValue("(nn)", (Py_ssize_t)block->n_rows, (Py_ssize_t)block->n_columns);
    return Py_BuildValue("(n)", (Py_ssize_t)block->n_rows);
}

static PyObject *cell_layout(PyObject *module, PyObject *args)
{
    PyObject *cell_;
    struct py_arrays arrays = {0};
    struct hrnn_cell cell;
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX];
    if (!PyArg_ParseTuple(args, "O:cell_layout", &cell_) || py_cell(py_state(module), &arrays, cell_, &cell))
        return NULL;
    Py_ssize_t n_blocks = (Py_ssize_t)hrnn_cell_layout(&cell, blocks);
    PyObject *layout = PyTuple_New(n_blocks);
    for (Py_ssize_t i = 0; layout && i < n_blocks; i++) {
        PyObject *shape = shape_of(blocks + i);
        PyObject *row = shape ? Py_BuildValue("(snN)", blocks[i].name, (Py_ssize_t)blocks[i].offset, shape) : NULL;
        if (!row)
            Py_CLEAR(layout);
        else
            PyTuple_SET_ITEM(layout, i, row);
    }
    return layout;
}

PyMethodDef py_cell_methods[] = {
    {"cell_layout", cell_layout, METH_VARARGS, "cell_layout(cell): (name, offset in theta, shape) of each block of parameters."},
    {NULL, NULL, 0, NULL},
};
