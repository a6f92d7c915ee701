/* Packing of the augmented matrix, one step forward, its twin backward by finite differences, and the gradient as a
   sum of outer products, each from its formula. Returns non-zero on failure. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cell.h"

enum { N_MAX = 61, P_MAX = 3 * N_MAX * (N_MAX + 6) + 2, Z_MAX = 272, LANES = 5, STEPS = 6 };

static int expect_at(int holds, size_t n_hidden, const char *what)
{
    char where[32];
    snprintf(where, sizeof where, "N = %zu", n_hidden);
    return expect(holds, where, what);
}

/* W h + U x + b of unit i of a gate, the rows of gate after those of the gates before it. */
static double form(size_t n, size_t gate, size_t i, const double *W, const double *U, const double *b, const double *z)
{
    size_t row = gate * n + i;
    double a = b ? b[row] : 0;
    for (size_t j = 0; W && j < n; j++)
        a += W[row * n + j] * z[j];
    for (size_t j = 0; U && j < HRNN_INPUTS; j++)
        a += U[row * HRNN_INPUTS + j] * z[n + j];
    return a;
}

static double sigma(double a) { return 1 / (1 + exp(-a)); }

/* h' and logits of one step, from theta alone. z is [h, x, 1]. */
static void step(const struct hrnn_cell *cell, const double *theta, const double *z, double *next, double *logits)
{
    struct hrnn_cell_block at[HRNN_CELL_BLOCKS_MAX];
    size_t n = cell->n_hidden, last = hrnn_cell_layout(cell, at) - 1;
    const double *W = theta + at[0].offset, *U = theta + at[1].offset, *b = theta + at[2].offset;
    const double *V = theta + at[last - 1].offset, *c = theta + at[last].offset, *b_inner = theta + at[3].offset;
    for (size_t i = 0; i < n; i++)
        if (cell->kind.n_forms == 1) {
            next[i] = (1 - cell->leak) * z[i] + cell->leak * tanh(form(n, 0, i, W, U, b, z));
        } else {
            double reset = sigma(form(n, 0, i, W, U, b, z)), update = sigma(form(n, 1, i, W, U, b, z));
            double inner = form(n, 2, i, W, NULL, NULL, z) + b_inner[i];
            double candidate = tanh(form(n, 2, i, NULL, U, b, z) + reset * inner);
            next[i] = (1 - update) * candidate + update * z[i];
        }
    for (size_t k = 0; k < HRNN_ACTIONS; k++) {
        logits[k] = c[k];
        for (size_t i = 0; i < n; i++)
            logits[k] += V[k * n + i] * next[i];
    }
}

static int check_packing(const struct hrnn_cell *cell, const double *theta)
{
    size_t n = cell->n_hidden, p = hrnn_cell_n_parameters(cell);
    double *A = malloc(hrnn_cell_forward_size(cell) * sizeof *A), error = 0;
    static double gradient[P_MAX];
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

static int check_forward(const struct hrnn_cell *cell, const double *theta)
{
    size_t n = cell->n_hidden;
    double *A = malloc(hrnn_cell_forward_size(cell) * sizeof *A), error = 0;
    double z[LANES][Z_MAX] = {{0}}, next[LANES][Z_MAX] = {{0}}, a[LANES][Z_MAX], saved[LANES][Z_MAX];
    double h[N_MAX], logits[HRNN_ACTIONS];
    struct hrnn_cell_batch batch = {.n = LANES};
    hrnn_cell_pack(cell, theta, A);
    for (size_t l = 0; l < LANES; l++) {
        fill(n + HRNN_INPUTS, 1, z[l]);
        z[l][n + HRNN_INPUTS] = 1;
        batch.z[l] = z[l];
        batch.next[l] = next[l];
        batch.a[l] = a[l];
        batch.saved[l] = saved[l];
    }
    hrnn_cell_forms(cell, LANES, A, hrnn_cell_bias(cell, A), batch.z, batch.a);
    hrnn_cell_forward(cell, A, &batch);
    for (size_t l = 0; l < LANES; l++) {
        step(cell, theta, z[l], h, logits);
        for (size_t i = 0; i < n; i++)
            error = fmax(error, fabs(next[l][i] - h[i]));
        for (size_t k = 0; k < HRNN_ACTIONS; k++)
            error = fmax(error, fabs(a[l][cell->logits + k] - logits[k]));
    }
    free(A);
    return expect_at(error < 1e-13, n, "one step forward");
}

/* g . h' + dlogits . logits, the loss whose derivative with respect to h is checked. */
static double loss_of(const struct hrnn_cell *cell, const double *theta, const double *z, const double *g,
                      const double *dlogits)
{
    double next[N_MAX], logits[HRNN_ACTIONS], loss = 0;
    step(cell, theta, z, next, logits);
    for (size_t i = 0; i < cell->n_hidden; i++)
        loss += g[i] * next[i];
    return loss + dlogits[0] * logits[0] + dlogits[1] * logits[1];
}

/* dL/dh by central differences: dh' = g + V' dlogits goes back through the step's forms, and past them. */
static int check_backward(const struct hrnn_cell *cell, const double *theta)
{
    size_t n = cell->n_hidden;
    double *A = malloc(hrnn_cell_forward_size(cell) * sizeof *A), h = 1e-6, error = 0;
    double *A_transposed = malloc(hrnn_cell_backward_size(cell) * sizeof *A);
    double z[Z_MAX] = {0}, next[Z_MAX] = {0}, a[Z_MAX], saved[Z_MAX], g[Z_MAX] = {0}, dh[Z_MAX];
    double d_next[Z_MAX] = {0}, d[Z_MAX] = {0};
    struct hrnn_cell_batch batch = {1, {z}, {next}, {a}, {saved}, {d_next}, {dh}, {d}};
    hrnn_cell_pack(cell, theta, A);
    hrnn_cell_pack_transposed(cell, A, A_transposed);
    fill(n + HRNN_INPUTS, 1, z);
    fill(n, 1, g);
    fill(HRNN_ACTIONS, 1, d_next + cell->logits); /* da of the step after is 0: the rest of its gradient is in g */
    hrnn_cell_forms(cell, 1, A, hrnn_cell_bias(cell, A), batch.z, batch.a);
    hrnn_cell_forward(cell, A, &batch);
    memcpy(dh, g, sizeof dh);
    hrnn_cell_backward(cell, A_transposed, &batch);
    d[cell->logits] = d[cell->logits + 1] = 0; /* the step itself has no logits before h: what is left is W' da */
    batch.d_next[0] = d;
    cell->kernel->gemm(cell->rows_back, 1, cell->logits + HRNN_ACTIONS, A_transposed, cell->ld_back, batch.d_next,
                       (const double *const *)batch.dh, batch.dh);
    for (size_t i = 0; i < n; i++) {
        double at = z[i];
        z[i] = at + h;
        double high = loss_of(cell, theta, z, g, d_next + cell->logits);
        z[i] = at - h;
        double low = loss_of(cell, theta, z, g, d_next + cell->logits);
        z[i] = at;
        error = fmax(error, fabs((high - low) / (2 * h) - dh[i]));
    }
    free(A);
    free(A_transposed);
    return expect_at(error < 1e-7, n, "one step backward");
}

/* u, its slopes and curvatures of a step without leak, by central differences of the forms and of h. */
static int check_curvature(const struct hrnn_cell *cell)
{
    enum { FORMS = HRNN_CELL_FORMS_MAX };
    size_t n = cell->n_hidden, s = cell->stride, n_forms = cell->kind.n_forms;
    double h[Z_MAX] = {0}, forms[Z_MAX], a[Z_MAX], u[Z_MAX], f[Z_MAX], by_h[Z_MAX], by_form[Z_MAX], step = 1e-6, error = 0;
    double curve[FORMS * Z_MAX], curve_h[Z_MAX], slopes[2][Z_MAX], states[2][Z_MAX], ends[2][Z_MAX];
    fill(n, 1, h);
    fill(n, 1, f);
    fill(cell->ld, 1, forms);
    memcpy(a, forms, sizeof a);
    cell->kind.target(cell, h, a, u);
    cell->kind.slope(cell, h, a, u, by_h, by_form);
    cell->kind.curve(cell, h, a, u, f, curve, curve_h);
    for (size_t q = 0; q < n_forms; q++) {
        for (int side = 0; side < 2; side++) {
            memcpy(a, forms, sizeof a);
            for (size_t i = 0; i < n; i++)
                a[q * s + i] += side ? step : -step;
            cell->kind.target(cell, h, a, ends[side]);
            cell->kind.slope(cell, h, a, ends[side], states[side], slopes[side]);
        }
        for (size_t i = 0; i < n; i++) {
            error = fmax(error, fabs((ends[1][i] - ends[0][i]) / (2 * step) - by_form[q * s + i]));
            error = fmax(error, fabs(f[i] * (states[1][i] - states[0][i]) / (2 * step) - curve_h[q * s + i]));
            for (size_t p = 0; p < n_forms; p++) {
                double second = f[i] * (slopes[1][p * s + i] - slopes[0][p * s + i]) / (2 * step);
                error = fmax(error, fabs(second - curve[(p * n_forms + q) * s + i]));
            }
        }
    }
    return expect_at(error < 1e-8, n, "slopes and curvatures of the target");
}

static int check_gradient(const struct hrnn_cell *cell)
{
    size_t n = cell->n_hidden, size = hrnn_cell_forward_size(cell);
    double *d = malloc(STEPS * cell->ld * sizeof *d), *z = malloc(STEPS * cell->ld_z * sizeof *z);
    double *G = malloc(size * sizeof *G), error = 0;
    fill(STEPS * cell->ld, 1, d);
    fill(STEPS * cell->ld_z, 1, z);
    for (size_t i = 0; i < size; i++)
        G[i] = 1;
    hrnn_cell_gradient(cell, STEPS, d, z, G);
    for (size_t i = 0; i < cell->logits + HRNN_ACTIONS; i++)
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
    static const double leaks[HRNN_CELL_COUNT] = {1, 0.4, 1};
    static double theta[P_MAX];
    int failed = 0;
    for (int isa = 0; isa <= (int)hrnn_kernel_best(); isa++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            for (int name = 0; name < HRNN_CELL_COUNT; name++) {
                struct hrnn_kernel kernel;
                hrnn_kernel_fill(&kernel, (enum hrnn_kernel_isa)isa);
                struct hrnn_cell cell = hrnn_cell_of(&kernel, (enum hrnn_cell_name)name, sizes[k], leaks[name]);
                fill(hrnn_cell_n_parameters(&cell), 0.5, theta);
                failed += check_packing(&cell, theta) + check_forward(&cell, theta);
                failed += check_backward(&cell, theta) + check_gradient(&cell) + check_curvature(&cell);
            }
    return failed != 0;
}
