/* Packing of the augmented matrix, one step forward, its twin backward by finite differences, and the gradient as a
   sum of outer products, each from its formula. Returns non-zero on failure. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cell.h"

enum { N_MAX = 61, P_MAX = N_MAX * (N_MAX + 6) + 2, Z_MAX = 80, LANES = 5, STEPS = 6 };

static int expect_at(int holds, size_t n_hidden, const char *what)
{
    char where[32];
    snprintf(where, sizeof where, "N = %zu", n_hidden);
    return expect(holds, where, what);
}

/* h' and logits of one step, from theta alone. x is [h, x, 1]. */
static void step(size_t n, double leak, const double *theta, const double *z, double *next, double *logits)
{
    struct hrnn_cell_block at[HRNN_CELL_BLOCKS];
    hrnn_cell_layout(n, at);
    const double *W = theta + at[0].offset, *U = theta + at[1].offset, *b = theta + at[2].offset;
    const double *V = theta + at[3].offset, *c = theta + at[4].offset;
    for (size_t i = 0; i < n; i++) {
        double a = b[i];
        for (size_t j = 0; j < n; j++)
            a += W[i * n + j] * z[j];
        for (size_t j = 0; j < HRNN_INPUTS; j++)
            a += U[i * HRNN_INPUTS + j] * z[n + j];
        next[i] = (1 - leak) * z[i] + leak * tanh(a);
    }
    for (size_t k = 0; k < HRNN_ACTIONS; k++) {
        logits[k] = c[k];
        for (size_t i = 0; i < n; i++)
            logits[k] += V[k * n + i] * next[i];
    }
}

static int check_packing(const struct hrnn_cell *cell, const double *theta)
{
    size_t n = cell->n_hidden, p = hrnn_cell_n_parameters(n);
    double *A = malloc(hrnn_cell_forward_size(cell) * sizeof *A), gradient[P_MAX], error = 0;
    fill(p, 1, gradient);
    double before = gradient[p - 1];
    hrnn_cell_pack(cell, theta, A);
    hrnn_cell_unpack_gradient(cell, A, 2, gradient);
    error = fabs(gradient[p - 1] - before - 2 * theta[p - 1]);
    memset(gradient, 0, sizeof gradient);
    hrnn_cell_unpack_gradient(cell, A, 0.5, gradient);
    for (size_t i = 0; i < p; i++)
        error = fmax(error, fabs(gradient[i] - 0.5 * theta[i]));
    free(A);
    return expect_at(error < 1e-15, n, "unpacking what was packed");
}

static int check_forward(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, const double *theta)
{
    size_t n = cell->n_hidden;
    double *A = malloc(hrnn_cell_forward_size(cell) * sizeof *A), error = 0;
    double z[LANES][Z_MAX] = {{0}}, next[LANES][Z_MAX] = {{0}}, a[LANES][Z_MAX], h[N_MAX], logits[HRNN_ACTIONS];
    const double *z_[LANES];
    double *next_[LANES], *a_[LANES];
    hrnn_cell_pack(cell, theta, A);
    for (size_t l = 0; l < LANES; l++) {
        fill(n + HRNN_INPUTS, 1, z[l]);
        z[l][n + HRNN_INPUTS] = 1;
        z_[l] = z[l];
        next_[l] = next[l];
        a_[l] = a[l];
    }
    hrnn_cell_prepare(kernel, cell, LANES, A, z_, a_);
    hrnn_cell_forward(kernel, cell, LANES, A, z_, next_, a_);
    for (size_t l = 0; l < LANES; l++) {
        step(n, cell->leak, theta, z[l], h, logits);
        for (size_t i = 0; i < n; i++)
            error = fmax(error, fabs(next[l][i] - h[i]));
        for (size_t k = 0; k < HRNN_ACTIONS; k++)
            error = fmax(error, fabs(a[l][n + k] - logits[k]));
    }
    free(A);
    return expect_at(error < 1e-13, n, "one step forward");
}

/* g . h' + dlogits . logits, the loss whose derivative with respect to h is checked. */
static double loss_of(const struct hrnn_cell *cell, const double *theta, const double *z, const double *g,
                      const double *dlogits)
{
    double next[N_MAX], logits[HRNN_ACTIONS], loss = 0;
    step(cell->n_hidden, cell->leak, theta, z, next, logits);
    for (size_t i = 0; i < cell->n_hidden; i++)
        loss += g[i] * next[i];
    return loss + dlogits[0] * logits[0] + dlogits[1] * logits[1];
}

/* dh' = g + V' dlogits and da = leak dh' (1 - tanh^2), so dL/dh = (1 - leak) dh' + W' da, by central differences. */
static int check_backward(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, const double *theta)
{
    size_t n = cell->n_hidden;
    double *A = malloc(hrnn_cell_backward_size(cell) * sizeof *A), h = 1e-6, error = 0;
    double z[Z_MAX] = {0}, next[Z_MAX] = {0}, g[Z_MAX] = {0}, dh[Z_MAX], logits[HRNN_ACTIONS];
    double d_next[Z_MAX] = {0}, d[Z_MAX] = {0}, *dh_[1] = {dh}, *d_[1] = {d};
    const double *d_next_[1] = {d_next}, *da[1] = {d}, *z_[1] = {z}, *next_[1] = {next};
    hrnn_cell_pack_transposed(cell, theta, A);
    fill(n + HRNN_INPUTS, 1, z);
    fill(n, 1, g);
    fill(HRNN_ACTIONS, 1, d_next + n); /* da of the step after is 0: the rest of its gradient is in g */
    step(n, cell->leak, theta, z, next, logits);
    memcpy(dh, g, sizeof dh);
    hrnn_cell_backward(kernel, cell, 1, A, d_next_, z_, next_, dh_, d_);
    d[n] = d[n + 1] = 0; /* the step itself has no logits before h: what is left is W' da */
    kernel->gemm(cell->rows_back, 1, n + HRNN_ACTIONS, A, cell->ld_back, da, (const double *const *)dh_, dh_);
    for (size_t i = 0; i < n; i++) {
        double at = z[i];
        z[i] = at + h;
        double high = loss_of(cell, theta, z, g, d_next + n);
        z[i] = at - h;
        double low = loss_of(cell, theta, z, g, d_next + n);
        z[i] = at;
        error = fmax(error, fabs((high - low) / (2 * h) - dh[i]));
    }
    free(A);
    return expect_at(error < 1e-7, n, "one step backward");
}

static int check_gradient(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell)
{
    size_t n = cell->n_hidden, size = hrnn_cell_forward_size(cell);
    double *d = malloc(STEPS * cell->ld * sizeof *d), *z = malloc(STEPS * cell->ld_z * sizeof *z);
    double *G = malloc(size * sizeof *G), error = 0;
    fill(STEPS * cell->ld, 1, d);
    fill(STEPS * cell->ld_z, 1, z);
    for (size_t i = 0; i < size; i++)
        G[i] = 1;
    hrnn_cell_gradient(kernel, cell, STEPS, d, z, G);
    for (size_t i = 0; i < n + HRNN_ACTIONS; i++)
        for (size_t j = 0; j < n + HRNN_INPUTS + 1; j++) {
            double sum = 1;
            for (size_t t = 0; t < STEPS; t++)
                sum += d[t * cell->ld + i] * z[t * cell->ld_z + j];
            error = fmax(error, fabs(G[j * cell->ld + i] - sum));
        }
    free(d);
    free(z);
    free(G);
    return expect_at(error < 1e-14, n, "the gradient must be added as a sum of outer products");
}

int main(void)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 14, 50, 61};
    static const double leaks[] = {1, 0.4};
    static double theta[P_MAX];
    int failed = 0;
    for (int isa = 0; isa <= (int)hrnn_kernel_best(); isa++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            for (size_t l = 0; l < 2; l++) {
                struct hrnn_cell cell = hrnn_cell_of(sizes[k], leaks[l]);
                struct hrnn_kernel kernel;
                hrnn_kernel_fill(&kernel, (enum hrnn_kernel_isa)isa);
                fill(hrnn_cell_n_parameters(sizes[k]), 0.5, theta);
                failed += check_packing(&cell, theta) + check_forward(&kernel, &cell, theta);
                failed += check_backward(&kernel, &cell, theta) + check_gradient(&kernel, &cell);
            }
    return failed != 0;
}
