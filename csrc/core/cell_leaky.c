/* The tanh cell and the leaky one: h' = (1 - leak) h + leak tanh(W h + U x + b); leak is 1 in the tanh cell. */
#include <math.h>

#include "cell.h"

static size_t layout(const struct hrnn_cell *cell, struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX])
{
    size_t n = cell->n_hidden, input = n, one = n + HRNN_INPUTS;
    blocks[0] = (struct hrnn_cell_block){"W", 0, n, n, 1, {0}, 0};
    blocks[1] = (struct hrnn_cell_block){"U", 0, n, HRNN_INPUTS, 1, {0}, input};
    blocks[2] = (struct hrnn_cell_block){"b", 0, n, 0, 1, {0}, one};
    blocks[3] = (struct hrnn_cell_block){"V", 0, HRNN_ACTIONS, n, 1, {cell->logits}, 0};
    blocks[4] = (struct hrnn_cell_block){"c", 0, HRNN_ACTIONS, 0, 1, {cell->logits}, one};
    return 5;
}

static void forward(const struct hrnn_cell *cell, const double *U, const struct hrnn_cell_batch *batch)
{
    for (size_t l = 0; l < batch->n; l++)
        cell->kernel->leaky(cell->rows_back, cell->leak, U, cell->ld, batch->z[l] + cell->n_hidden, batch->a[l],
                            batch->z[l], batch->next[l]);
}

static void backward(const struct hrnn_cell *cell, const struct hrnn_cell_batch *batch)
{
    for (size_t l = 0; l < batch->n; l++)
        cell->kernel->leaky_backward(cell->rows_back, cell->leak, batch->z[l], batch->next[l], batch->dh[l],
                                     batch->d[l]);
}

static void advance(const struct hrnn_cell *cell, size_t n, double *a, double *h, size_t ld, double *saved)
{
    double leak = cell->leak;
    (void)saved;
    cell->kernel->tanh(cell->n_hidden * n, a, a);
    for (size_t i = 0; i < cell->n_hidden; i++, h += ld)
        for (size_t l = 0; l < n; l++)
            h[n + l] = (1 - leak) * h[l] + leak * a[i * n + l];
}

static void retreat(const struct hrnn_cell *cell, size_t n, const double *h, const double *h_next, const double *saved,
                    double *dh, double *d, size_t stride)
{
    (void)saved;
    (void)stride;
    cell->kernel->leaky_backward(n, cell->leak, h, h_next, dh, d);
}

static void target(const struct hrnn_cell *cell, const double *h, double *a, double *u)
{
    (void)h;
    cell->kernel->tanh(cell->rows_back, a, u);
}

static void slope(const struct hrnn_cell *cell, const double *h, const double *a, const double *u, double *by_h,
                  double *by_form)
{
    (void)h;
    (void)a;
    for (size_t i = 0; i < cell->n_hidden; i++) {
        by_h[i] = 0;
        by_form[i] = 1 - u[i] * u[i];
    }
}

static void curve(const struct hrnn_cell *cell, const double *h, const double *a, const double *u, const double *f,
                  double *by_forms, double *by_h)
{
    (void)h;
    (void)a;
    for (size_t i = 0; i < cell->n_hidden; i++) {
        by_forms[i] = -2 * f[i] * u[i] * (1 - u[i] * u[i]);
        by_h[i] = 0;
    }
}

/* J changes by at most max |tanh''| |W| max |w_i| per unit of distance; Frobenius's norm bounds |W|. */
static double bend(const struct hrnn_cell *cell, const double *A)
{
    double total = 0, most = 0;
    for (size_t i = 0; i < cell->n_hidden; i++) {
        double row = 0;
        for (size_t j = 0; j < cell->n_hidden; j++)
            row += A[j * cell->ld + i] * A[j * cell->ld + i];
        total += row;
        most = fmax(most, row);
    }
    return 4 / (3 * sqrt(3)) * sqrt(total * most);
}

struct hrnn_cell_kind hrnn_cell_leaky(void)
{
    return (struct hrnn_cell_kind){"leaky",  1,       0,       0,      1,     layout, forward,
                                   backward, advance, retreat, target, slope, curve,  bend};
}

struct hrnn_cell_kind hrnn_cell_tanh(void)
{
    struct hrnn_cell_kind kind = hrnn_cell_leaky();
    kind.name = "tanh";
    return kind;
}
