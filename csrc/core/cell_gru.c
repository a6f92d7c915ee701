/* The gated recurrent unit in PyTorch's convention (Cho et al. 2014, with b' inside the reset gate): with forms
     r = sigma(W_r h + U_r x + b_r), z = sigma(W_z h + U_z x + b_z), m = W_n h + b', q = U_n x + b_n,
     c = tanh(q + r m), h' = (1 - z) c + z h.
   q is an inner form: it has no recurrent weights, and its bias stands in b beside those of r and z. */
#include <math.h>
#include <string.h>

#include "cell.h"

enum { RESET, UPDATE, MEMORY, FORMS };

static size_t layout(const struct hrnn_cell *cell, struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX])
{
    size_t n = cell->n_hidden, s = cell->stride, q = cell->rows, input = n, one = n + HRNN_INPUTS;
    blocks[0] = (struct hrnn_cell_block){"W", 0, 3 * n, n, 3, {0, s, 2 * s}, 0};
    blocks[1] = (struct hrnn_cell_block){"U", 0, 3 * n, HRNN_INPUTS, 3, {0, s, q}, input};
    blocks[2] = (struct hrnn_cell_block){"b", 0, 3 * n, 0, 3, {0, s, q}, one};
    blocks[3] = (struct hrnn_cell_block){"b_inner", 0, n, 0, 1, {2 * s}, one};
    blocks[4] = (struct hrnn_cell_block){"V", 0, HRNN_ACTIONS, n, 1, {cell->logits}, 0};
    blocks[5] = (struct hrnn_cell_block){"c", 0, HRNN_ACTIONS, 0, 1, {cell->logits}, one};
    return 6;
}

static void forward(const struct hrnn_cell *cell, const double *U, const struct hrnn_cell_batch *batch)
{
    const struct hrnn_kernel_gru form = {cell->stride, cell->rows, cell->ld};
    for (size_t l = 0; l < batch->n; l++)
        cell->kernel->gru(cell->rows_back, &form, U, batch->z[l] + cell->n_hidden, batch->a[l], batch->z[l],
                          batch->next[l], batch->saved[l]);
}

static void backward(const struct hrnn_cell *cell, const struct hrnn_cell_batch *batch)
{
    const struct hrnn_kernel_gru form = {cell->stride, cell->rows, cell->ld};
    for (size_t l = 0; l < batch->n; l++)
        cell->kernel->gru_backward(cell->rows_back, &form, batch->z[l], batch->saved[l], batch->dh[l], batch->d[l]);
}

static void advance(const struct hrnn_cell *cell, size_t n, double *a, double *h, size_t ld, double *saved)
{
    size_t stride = cell->n_hidden * n;
    const struct hrnn_kernel_gru form = {stride, FORMS * stride, 0};
    for (size_t i = 0; i < cell->n_hidden; i++, h += ld)
        cell->kernel->gru(n, &form, NULL, NULL, a + i * n, h, h + n, saved + i * cell->kind.n_saved * n);
}

static void retreat(const struct hrnn_cell *cell, size_t n, const double *h, const double *h_next, const double *saved,
                    double *dh, double *d, size_t stride)
{
    const struct hrnn_kernel_gru form = {stride, FORMS * stride, 0};
    (void)h_next;
    cell->kernel->gru_backward(n, &form, h, saved, dh, d);
}

/* Leaves r, z, m and, in place of q, c. */
static void target(const struct hrnn_cell *cell, const double *h, double *a, double *u)
{
    size_t n = cell->n_hidden, gates = UPDATE * cell->stride + cell->rows_back;
    double *r = a, *z = a + UPDATE * cell->stride, *m = a + MEMORY * cell->stride, *c = a + cell->rows;
    for (size_t i = 0; i < gates; i++)
        a[i] *= 0.5;
    cell->kernel->tanh(gates, a, a);
    for (size_t i = 0; i < gates; i++)
        a[i] = 0.5 + 0.5 * a[i];
    for (size_t i = 0; i < n; i++)
        c[i] += r[i] * m[i];
    cell->kernel->tanh(cell->rows_back, c, c);
    for (size_t i = 0; i < n; i++)
        u[i] = c[i] + z[i] * (h[i] - c[i]);
}

static void slope(const struct hrnn_cell *cell, const double *h, const double *a, const double *u, double *by_h,
                  double *by_form)
{
    size_t s = cell->stride;
    const double *c = a + cell->rows;
    (void)u;
    for (size_t i = 0; i < cell->n_hidden; i++) {
        double r = a[i], z = a[UPDATE * s + i], m = a[MEMORY * s + i], inward = (1 - z) * (1 - c[i] * c[i]);
        by_h[i] = z;
        by_form[i] = inward * m * r * (1 - r);
        by_form[UPDATE * s + i] = z * (1 - z) * (h[i] - c[i]);
        by_form[MEMORY * s + i] = inward * r;
    }
}

static void curve(const struct hrnn_cell *cell, const double *h, const double *a, const double *u, const double *f,
                  double *by_forms, double *by_h)
{
    size_t s = cell->stride;
    double *at[FORMS][FORMS];
    (void)u;
    for (size_t p = 0; p < FORMS; p++)
        for (size_t q = 0; q < FORMS; q++)
            at[p][q] = by_forms + (FORMS * p + q) * s;
    memset(by_h, 0, FORMS * s * sizeof *by_h);
    for (size_t i = 0; i < cell->n_hidden; i++) {
        double r = a[i], z = a[UPDATE * s + i], m = a[MEMORY * s + i], c = a[cell->rows + i];
        double dr = r * (1 - r), dz = z * (1 - z), dc = 1 - c * c, d2c = -2 * c * dc, open = f[i] * (1 - z);
        by_h[UPDATE * s + i] = f[i] * dz;
        at[RESET][RESET][i] = open * m * (d2c * m * dr * dr + dc * dr * (1 - 2 * r));
        at[RESET][UPDATE][i] = at[UPDATE][RESET][i] = -f[i] * dz * dc * m * dr;
        at[RESET][MEMORY][i] = at[MEMORY][RESET][i] = open * dr * (d2c * r * m + dc);
        at[UPDATE][UPDATE][i] = f[i] * dz * (1 - 2 * z) * (h[i] - c);
        at[UPDATE][MEMORY][i] = at[MEMORY][UPDATE][i] = -f[i] * dz * dc * r;
        at[MEMORY][MEMORY][i] = open * d2c * r * r;
    }
}

/* Of du/dh no constant holds for all h: no ball around a point is taken to lead to it. */
static double bend(const struct hrnn_cell *cell, const double *A)
{
    (void)cell;
    (void)A;
    return INFINITY;
}

struct hrnn_cell_kind hrnn_cell_gru(void)
{
    return (struct hrnn_cell_kind){"gru",    FORMS,   1,       4,      0,     layout, forward,
                                   backward, advance, retreat, target, slope, curve,  bend};
}
