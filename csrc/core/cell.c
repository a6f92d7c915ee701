#include "cell.h"

#include <string.h>

struct hrnn_cell hrnn_cell_of(size_t n_hidden, double leak)
{
    struct hrnn_cell cell = {.n_hidden = n_hidden, .leak = leak};
    cell.rows = hrnn_kernel_round_up(n_hidden + HRNN_ACTIONS, HRNN_KERNEL_WIDTH);
    cell.ld = hrnn_kernel_round_up(cell.rows, HRNN_KERNEL_LINE);
    cell.ld_z = hrnn_kernel_round_up(n_hidden + HRNN_INPUTS + 1, HRNN_KERNEL_LINE);
    cell.rows_back = hrnn_kernel_round_up(n_hidden, HRNN_KERNEL_WIDTH);
    cell.ld_back = hrnn_kernel_round_up(n_hidden, HRNN_KERNEL_LINE);
    return cell;
}

size_t hrnn_cell_n_parameters(size_t n_hidden)
{
    return n_hidden * (n_hidden + HRNN_INPUTS + 1 + HRNN_ACTIONS) + HRNN_ACTIONS;
}

void hrnn_cell_layout(size_t n_hidden, struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS])
{
    const struct hrnn_cell_block table[HRNN_CELL_BLOCKS] = {
        {"W", 0, n_hidden, n_hidden}, {"U", 0, n_hidden, HRNN_INPUTS}, {"b", 0, n_hidden, 0},
        {"V", 0, HRNN_ACTIONS, n_hidden}, {"c", 0, HRNN_ACTIONS, 0},
    };
    size_t offset = 0;
    for (size_t i = 0; i < HRNN_CELL_BLOCKS; i++) {
        blocks[i] = table[i];
        blocks[i].offset = offset;
        offset += table[i].n_rows * (table[i].n_columns ? table[i].n_columns : 1);
    }
}

size_t hrnn_cell_forward_size(const struct hrnn_cell *cell) { return (cell->n_hidden + HRNN_INPUTS + 1) * cell->ld; }

size_t hrnn_cell_backward_size(const struct hrnn_cell *cell)
{
    return (cell->n_hidden + HRNN_ACTIONS) * cell->ld_back;
}

/* Where blocks W, U, b, V, c start in A: row and column of the augmented matrix. */
static void place(size_t n_hidden, size_t block, size_t *row, size_t *column)
{
    const size_t first_column[HRNN_CELL_BLOCKS] = {0, n_hidden, n_hidden + HRNN_INPUTS, 0, n_hidden + HRNN_INPUTS};
    *row = block < 3 ? 0 : n_hidden;
    *column = first_column[block];
}

void hrnn_cell_pack(const struct hrnn_cell *cell, const double *theta, double *A)
{
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS];
    hrnn_cell_layout(cell->n_hidden, blocks);
    memset(A, 0, hrnn_cell_forward_size(cell) * sizeof *A);
    for (size_t k = 0; k < HRNN_CELL_BLOCKS; k++) {
        size_t row, column, width = blocks[k].n_columns ? blocks[k].n_columns : 1;
        place(cell->n_hidden, k, &row, &column);
        for (size_t j = 0; j < width; j++)
            for (size_t i = 0; i < blocks[k].n_rows; i++)
                A[(column + j) * cell->ld + row + i] = theta[blocks[k].offset + i * width + j];
    }
}

void hrnn_cell_pack_transposed(const struct hrnn_cell *cell, const double *theta, double *A_transposed)
{
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS];
    size_t n = cell->n_hidden;
    hrnn_cell_layout(n, blocks);
    memset(A_transposed, 0, hrnn_cell_backward_size(cell) * sizeof *A_transposed);
    for (size_t i = 0; i < n; i++)
        memcpy(A_transposed + i * cell->ld_back, theta + blocks[0].offset + i * n, n * sizeof *theta);
    for (size_t i = 0; i < HRNN_ACTIONS; i++)
        memcpy(A_transposed + (n + i) * cell->ld_back, theta + blocks[3].offset + i * n, n * sizeof *theta);
}

void hrnn_cell_unpack_gradient(const struct hrnn_cell *cell, const double *G, double scale, double *gradient)
{
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS];
    hrnn_cell_layout(cell->n_hidden, blocks);
    for (size_t k = 0; k < HRNN_CELL_BLOCKS; k++) {
        size_t row, column, width = blocks[k].n_columns ? blocks[k].n_columns : 1;
        place(cell->n_hidden, k, &row, &column);
        for (size_t i = 0; i < blocks[k].n_rows; i++)
            for (size_t j = 0; j < width; j++)
                gradient[blocks[k].offset + i * width + j] += scale * G[(column + j) * cell->ld + row + i];
    }
}

void hrnn_cell_forward(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, size_t n_lanes, const double *A,
                       const double *const *z, double *const *next, double *const *a)
{
    size_t n = cell->n_hidden;
    const double *h_next[HRNN_LANES_MAX] = {0};
    for (size_t l = 0; l < n_lanes; l++) {
        kernel->leaky(cell->rows_back, cell->leak, A + n * cell->ld, cell->ld, z[l] + n, a[l], z[l], next[l]);
        h_next[l] = next[l];
    }
    hrnn_cell_prepare(kernel, cell, n_lanes, A, h_next, a);
}

void hrnn_cell_prepare(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, size_t n_lanes, const double *A,
                       const double *const *h, double *const *a)
{
    const double *bias[HRNN_LANES_MAX];
    for (size_t l = 0; l < n_lanes; l++)
        bias[l] = A + (cell->n_hidden + HRNN_INPUTS) * cell->ld;
    kernel->gemm(cell->rows, n_lanes, cell->n_hidden, A, cell->ld, h, bias, a);
}

void hrnn_cell_backward(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, size_t n_lanes,
                        const double *A_transposed, const double *const *d_next, const double *const *h,
                        const double *const *h_next, double *const *dh, double *const *d)
{
    kernel->gemm(cell->rows_back, n_lanes, cell->n_hidden + HRNN_ACTIONS, A_transposed, cell->ld_back, d_next,
                 (const double *const *)dh, dh);
    for (size_t l = 0; l < n_lanes; l++)
        kernel->leaky_backward(cell->rows_back, cell->leak, h[l], h_next[l], dh[l], d[l]);
}

void hrnn_cell_gradient(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, size_t n_steps, const double *d,
                        const double *z, double *G)
{
    kernel->outer(cell->rows, cell->n_hidden + HRNN_INPUTS + 1, n_steps, d, cell->ld, z, cell->ld_z, G, cell->ld);
}
