#include "cell.h"

#include <assert.h>
#include <string.h>

struct hrnn_cell_kind hrnn_cell_kind_of(enum hrnn_cell_name name)
{
    switch (name) {
    case HRNN_CELL_GRU:
        return hrnn_cell_gru();
    case HRNN_CELL_LEAKY:
        return hrnn_cell_leaky();
    default:
        return hrnn_cell_tanh();
    }
}

struct hrnn_cell hrnn_cell_of(const struct hrnn_kernel *kernel, enum hrnn_cell_name name, size_t n_hidden, double leak)
{
    struct hrnn_cell cell = {.kernel = kernel, .kind = hrnn_cell_kind_of(name), .n_hidden = n_hidden, .leak = leak};
    size_t wide = hrnn_kernel_round_up(n_hidden, HRNN_KERNEL_WIDTH);
    cell.stride = cell.kind.n_forms > 1 ? wide : n_hidden;
    cell.logits = cell.kind.n_forms * cell.stride;
    cell.rows = hrnn_kernel_round_up(cell.logits + HRNN_ACTIONS, HRNN_KERNEL_WIDTH);
    cell.inner = cell.kind.n_inner * wide;
    cell.ld = hrnn_kernel_round_up(cell.rows + cell.inner, HRNN_KERNEL_LINE);
    cell.ld_z = hrnn_kernel_round_up(n_hidden + HRNN_INPUTS + 1, HRNN_KERNEL_LINE);
    cell.rows_back = wide;
    cell.ld_back = hrnn_kernel_round_up(n_hidden, HRNN_KERNEL_LINE);
    cell.n_saved = cell.kind.n_saved * wide;
    return cell;
}

size_t hrnn_cell_layout(const struct hrnn_cell *cell, struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX])
{
    size_t n_blocks = cell->kind.layout(cell, blocks), offset = 0;
    for (size_t i = 0; i < n_blocks; i++) {
        blocks[i].offset = offset;
        offset += blocks[i].n_rows * (blocks[i].n_columns ? blocks[i].n_columns : 1);
    }
    return n_blocks;
}

size_t hrnn_cell_n_parameters(const struct hrnn_cell *cell)
{
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX];
    const struct hrnn_cell_block *last = blocks + hrnn_cell_layout(cell, blocks) - 1;
    return last->offset + last->n_rows * (last->n_columns ? last->n_columns : 1);
}

size_t hrnn_cell_forward_size(const struct hrnn_cell *cell) { return (cell->n_hidden + HRNN_INPUTS + 1) * cell->ld; }

size_t hrnn_cell_backward_size(const struct hrnn_cell *cell) { return (cell->logits + HRNN_ACTIONS) * cell->ld_back; }

/* Row of A that row i of a block has. */
static size_t row_of(const struct hrnn_cell_block *block, size_t i)
{
    size_t piece = block->n_rows / block->n_pieces;
    return block->row[i / piece] + i % piece;
}

void hrnn_cell_pack(const struct hrnn_cell *cell, const double *theta, double *A)
{
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX];
    size_t n_blocks = hrnn_cell_layout(cell, blocks);
    memset(A, 0, hrnn_cell_forward_size(cell) * sizeof *A);
    for (size_t k = 0; k < n_blocks; k++) {
        size_t width = blocks[k].n_columns ? blocks[k].n_columns : 1;
        for (size_t i = 0; i < blocks[k].n_rows; i++) {
            double *row = A + blocks[k].column * cell->ld + row_of(blocks + k, i);
            for (size_t j = 0; j < width; j++)
                row[j * cell->ld] = theta[blocks[k].offset + i * width + j];
        }
    }
}

void hrnn_cell_pack_transposed(const struct hrnn_cell *cell, const double *A, double *A_transposed)
{
    memset(A_transposed, 0, hrnn_cell_backward_size(cell) * sizeof *A_transposed);
    for (size_t i = 0; i < cell->logits + HRNN_ACTIONS; i++)
        for (size_t j = 0; j < cell->n_hidden; j++)
            A_transposed[i * cell->ld_back + j] = A[j * cell->ld + i];
}

void hrnn_cell_unpack_gradient(const struct hrnn_cell *cell, const double *G, double scale, double *gradient)
{
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX];
    size_t n_blocks = hrnn_cell_layout(cell, blocks);
    for (size_t k = 0; k < n_blocks; k++) {
        size_t width = blocks[k].n_columns ? blocks[k].n_columns : 1;
        for (size_t i = 0; i < blocks[k].n_rows; i++) {
            const double *row = G + blocks[k].column * cell->ld + row_of(blocks + k, i);
            for (size_t j = 0; j < width; j++)
                gradient[blocks[k].offset + i * width + j] += scale * row[j * cell->ld];
        }
    }
}

void hrnn_cell_drive(const struct hrnn_cell *cell, const double *A, const double *x, double *drive)
{
    const double *U = A + cell->n_hidden * cell->ld, *b = hrnn_cell_bias(cell, A);
    for (size_t i = 0; i < cell->rows + cell->inner; i++) {
        drive[i] = b[i];
        for (size_t j = 0; j < HRNN_INPUTS; j++)
            drive[i] += U[j * cell->ld + i] * x[j];
    }
}

void hrnn_cell_forms(const struct hrnn_cell *cell, size_t n_lanes, const double *A, const double *from,
                     const double *const *h, double *const *a)
{
    const double *each[HRNN_LANES_MAX];
    assert(n_lanes <= HRNN_LANES_MAX && cell->rows % HRNN_KERNEL_WIDTH == 0);
    for (size_t l = 0; l < n_lanes; l++) {
        each[l] = from;
        if (cell->inner)
            memcpy(a[l] + cell->rows, from + cell->rows, cell->inner * sizeof *from);
    }
    cell->kernel->gemm(cell->rows, n_lanes, cell->n_hidden, A, cell->ld, h, each, a);
}

void hrnn_cell_forward(const struct hrnn_cell *cell, const double *A, struct hrnn_cell_batch *batch)
{
    cell->kind.forward(cell, A + cell->n_hidden * cell->ld, batch);
    hrnn_cell_forms(cell, batch->n, A, hrnn_cell_bias(cell, A), (const double *const *)batch->next, batch->a);
}

void hrnn_cell_backward(const struct hrnn_cell *cell, const double *A_transposed, const struct hrnn_cell_batch *batch)
{
    cell->kernel->gemm(cell->rows_back, batch->n, cell->logits + HRNN_ACTIONS, A_transposed, cell->ld_back,
                       batch->d_next, (const double *const *)batch->dh, batch->dh);
    cell->kind.backward(cell, batch);
}

void hrnn_cell_gradient(const struct hrnn_cell *cell, size_t n_steps, const double *d, const double *z, double *G)
{
    size_t n = cell->n_hidden, ld = cell->ld;
    cell->kernel->outer(cell->rows, n + HRNN_INPUTS + 1, n_steps, d, ld, z, cell->ld_z, G, ld);
    if (cell->inner)
        cell->kernel->outer(cell->inner, HRNN_INPUTS + 1, n_steps, d + cell->rows, ld, z + n, cell->ld_z,
                            G + n * ld + cell->rows, ld);
}
