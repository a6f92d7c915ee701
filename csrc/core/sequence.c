#include "sequence.h"

#include <math.h>
#include <string.h>

#include "linalg.h"

/* Blocks of theta of the cells that this file knows, tanh and leaky. */
enum { W, U, B, V, C };

/* The network of one call as rows on z = [h, x, 1]: N rows [W U b] and one, [v 0 c], of the log odds; and its history.
   Time t of z holds the state before step t; time t of d the derivatives [da_t, dmargin_{t-1}]. */
struct work {
    size_t n, k;                /* N, and N + I + 1 numbers in z */
    size_t length;              /* (T + 1) L, the distance between rows */
    double *w, *w_transposed;   /* (N + 1, k), (N, N + 1) */
    double *z, *d;              /* (k, T + 1, L), (N + 1, T + 1, L) */
    double *margin, *e;         /* (T, L) each */
    double *a, *dh, *zero;      /* (N, L), (N, L), (L,) */
    double *G;                  /* (N + 1, k) */
};

size_t hrnn_sequence_scratch(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence)
{
    size_t n = cell->n_hidden, k = n + HRNN_INPUTS + 1, lanes = sequence->n_sequences;
    size_t length = (sequence->n_steps + 1) * lanes;
    return (k + n + 3) * length + (2 * n + 1) * lanes + (n + 1) * (2 * k + n) + 10 * HRNN_KERNEL_LINE;
}

/* theta as the rows w. */
static void pack(const struct hrnn_cell *cell, const double *theta, double *w)
{
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX];
    size_t n = cell->n_hidden, k = n + HRNN_INPUTS + 1;
    hrnn_cell_layout(cell, blocks);
    const double *readout = theta + blocks[V].offset, *bias = theta + blocks[C].offset;
    memset(w + n * k, 0, k * sizeof *w);
    for (size_t i = 0; i < n; i++) {
        double *row = w + i * k;
        memcpy(row, theta + blocks[W].offset + i * n, n * sizeof *row);
        memcpy(row + n, theta + blocks[U].offset + i * HRNN_INPUTS, HRNN_INPUTS * sizeof *row);
        row[k - 1] = theta[blocks[B].offset + i];
        w[n * k + i] = readout[n + i] - readout[i];
    }
    w[n * k + k - 1] = bias[1] - bias[0];
}

/* Adds rows laid out as w to what is laid out as theta; of the last row, a share to V[1] and c[1] and as much less to
   V[0] and c[0]. */
static void add_rows(const struct hrnn_cell *cell, const double *rows, double share, double *theta)
{
    struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX];
    size_t n = cell->n_hidden, k = n + HRNN_INPUTS + 1;
    hrnn_cell_layout(cell, blocks);
    double *readout = theta + blocks[V].offset, *bias = theta + blocks[C].offset;
    for (size_t i = 0; i < n; i++) {
        const double *row = rows + i * k;
        for (size_t j = 0; j < n; j++)
            theta[blocks[W].offset + i * n + j] += row[j];
        for (size_t j = 0; j < HRNN_INPUTS; j++)
            theta[blocks[U].offset + i * HRNN_INPUTS + j] += row[n + j];
        theta[blocks[B].offset + i] += row[k - 1];
        readout[i] -= share * rows[n * k + i];
        readout[n + i] += share * rows[n * k + i];
    }
    bias[0] -= share * rows[n * k + k - 1];
    bias[1] += share * rows[n * k + k - 1];
}

static struct work begin(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence, const double *theta,
                         double *scratch)
{
    size_t n = cell->n_hidden, k = n + HRNN_INPUTS + 1, lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    struct work work = {.n = n, .k = k, .length = steps + lanes};
    work.w = hrnn_kernel_take(&scratch, (n + 1) * k);
    work.w_transposed = hrnn_kernel_take(&scratch, n * (n + 1));
    work.z = hrnn_kernel_take(&scratch, k * work.length);
    work.d = hrnn_kernel_take(&scratch, (n + 1) * work.length);
    work.margin = hrnn_kernel_take(&scratch, steps);
    work.e = hrnn_kernel_take(&scratch, steps);
    work.a = hrnn_kernel_take(&scratch, n * lanes);
    work.dh = hrnn_kernel_take(&scratch, n * lanes);
    work.zero = hrnn_kernel_take(&scratch, lanes);
    work.G = hrnn_kernel_take(&scratch, (n + 1) * k);
    pack(cell, theta, work.w);
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j < n; j++)
            work.w_transposed[j * (n + 1) + i] = work.w[i * k + j];
    memset(work.zero, 0, lanes * sizeof *work.zero);
    for (size_t j = 0; j < n; j++)
        memset(work.z + j * work.length, 0, lanes * sizeof *work.z);
    for (size_t j = 0; j < HRNN_INPUTS; j++) {
        double *row = work.z + (n + j) * work.length;
        memcpy(row, sequence->x + j * steps, steps * sizeof *row);
        memset(row + steps, 0, lanes * sizeof *row);
    }
    for (size_t i = 0; i < work.length; i++)
        work.z[(k - 1) * work.length + i] = 1;
    return work;
}

static void run(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence,
                const struct work *work)
{
    size_t n = work->n, lanes = sequence->n_sequences;
    const double *row[HRNN_SEQUENCE_UNITS_MAX + 1], *from[HRNN_SEQUENCE_UNITS_MAX + 1];
    double *to[HRNN_SEQUENCE_UNITS_MAX + 1], leak = cell->leak;
    for (size_t i = 0; i <= n; i++) {
        row[i] = work->w + i * work->k;
        from[i] = work->zero;
        to[i] = work->a + i * lanes;
    }
    for (size_t t = 0; t <= sequence->n_steps; t++) {
        double *now = work->z + t * lanes;
        to[n] = t ? work->margin + (t - 1) * lanes : work->margin; /* that of step 0 takes its place */
        cell->kernel->gemm(lanes, n + 1, work->k, now, work->length, row, from, to);
        if (t == sequence->n_steps)
            break;
        cell->kernel->tanh(n * lanes, work->a, work->a);
        for (size_t i = 0; i < n; i++) {
            double *h = now + i * work->length;
            for (size_t l = 0; l < lanes; l++)
                h[lanes + l] = (1 - leak) * h[l] + leak * work->a[i * lanes + l];
        }
    }
}

void hrnn_sequence_forward(const struct hrnn_cell *cell,
                           const struct hrnn_sequence *sequence, const double *theta, double *margin, double *hidden,
                           double *scratch)
{
    struct work work = begin(cell, sequence, theta, scratch);
    size_t lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    run(cell, sequence, &work);
    memcpy(margin, work.margin, steps * sizeof *margin);
    for (size_t i = 0; hidden && i < work.n; i++)
        memcpy(hidden + i * steps, work.z + i * work.length + lanes, steps * sizeof *hidden);
}

/* The loss of the log odds; their derivatives go to the last row of d, one time later. */
static double answer(const struct hrnn_kernel *kernel, const struct hrnn_lesson *lesson, size_t steps, size_t lanes,
                     const struct work *work)
{
    double loss = 0, tau = lesson->temperature, *dmargin = work->d + work->n * work->length + lanes;
    memset(dmargin - lanes, 0, lanes * sizeof *dmargin);
    for (size_t i = 0; i < steps; i++)
        work->e[i] = -fabs(work->margin[i] / tau);
    kernel->exp(steps, work->e, work->e);
    for (size_t i = 0; i < steps; i++) {
        double m = work->margin[i] / tau, e = work->e[i], p = (m >= 0 ? 1 : e) / (1 + e);
        dmargin[i] = lesson->weight[i] * tau * (p - lesson->q[i]);
        if (lesson->weight[i] != 0)
            loss += lesson->weight[i] * ((m > 0 ? m : 0) + log(1 + e) - lesson->q[i] * m);
    }
    return tau * tau * loss;
}

/* The loss of the states. */
static double resemble(const struct hrnn_lesson *lesson, size_t steps, size_t lanes, const struct work *work)
{
    double loss = 0;
    for (size_t i = 0; i < work->n; i++) {
        const double *h = work->z + i * work->length + lanes, *y = lesson->y + i * steps;
        for (size_t s = 0; s < steps; s++)
            loss += lesson->state_weight[s] * (h[s] - y[s]) * (h[s] - y[s]);
    }
    return loss;
}

static void run_back(const struct hrnn_cell *cell,
                     const struct hrnn_sequence *sequence, const struct hrnn_lesson *lesson, const struct work *work)
{
    size_t n = work->n, lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    const double *row[HRNN_SEQUENCE_UNITS_MAX];
    double *dh[HRNN_SEQUENCE_UNITS_MAX];
    memset(work->dh, 0, n * lanes * sizeof *work->dh);
    for (size_t i = 0; i < n; i++) {
        row[i] = work->w_transposed + i * (n + 1);
        dh[i] = work->dh + i * lanes;
        memset(work->d + i * work->length + steps, 0, lanes * sizeof *work->d);
    }
    for (size_t at = steps; at; at -= lanes) {
        cell->kernel->gemm(lanes, n, n + 1, work->d + at, work->length, row, (const double *const *)dh, dh);
        for (size_t i = 0; i < n; i++) {
            const double *h_next = work->z + i * work->length + at;
            if (lesson->y)
                for (size_t l = 0; l < lanes; l++)
                    dh[i][l] += 2 * lesson->state_weight[at - lanes + l] * (h_next[l] - lesson->y[i * steps + at - lanes + l]);
            cell->kernel->leaky_backward(lanes, cell->leak, h_next - lanes, h_next, dh[i], work->d + i * work->length + at - lanes);
        }
    }
}

enum hrnn_status hrnn_sequence_gradient(const struct hrnn_cell *cell,
                                        const struct hrnn_sequence *sequence, const struct hrnn_lesson *lesson,
                                        const double *theta, double *loss, double *gradient, double *scratch)
{
    struct work work = begin(cell, sequence, theta, scratch);
    size_t lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    run(cell, sequence, &work);
    *loss = answer(cell->kernel, lesson, steps, lanes, &work) + (lesson->y ? resemble(lesson, steps, lanes, &work) : 0);
    if (!isfinite(*loss))
        return HRNN_NONFINITE;
    run_back(cell, sequence, lesson, &work);
    hrnn_linalg_gemm_transposed(work.n + 1, work.k, work.length, 1, work.d, work.length, work.z, work.length, 0, work.G,
                                work.k);
    add_rows(cell, work.G, 1, gradient);
    return HRNN_OK;
}

/* ---- recursive least squares ------------------------------------------------------------------------------------ */

size_t hrnn_sequence_force_scratch(const struct hrnn_cell *cell)
{
    size_t k = cell->n_hidden + HRNN_INPUTS + 1;
    return 2 * (cell->n_hidden + 1) * k + 3 * k;
}

/* One step of the running inverse P for a regressor z (k,), and the gain P z that its errors are multiplied with. */
static void regress(size_t k, const double *z, double *P, double *gain)
{
    double scale = 1;
    for (size_t i = 0; i < k; i++) {
        gain[i] = 0;
        for (size_t j = 0; j < k; j++)
            gain[i] += P[i * k + j] * z[j];
        scale += gain[i] * z[i];
    }
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++)
            P[i * k + j] -= gain[i] * gain[j] / scale;
    for (size_t i = 0; i < k; i++)
        gain[i] /= scale;
}

/* w -= (w z - target) gain; returns w z as it was before. */
static double correct(size_t k, const double *z, const double *gain, double target, double *w)
{
    double value = 0;
    for (size_t j = 0; j < k; j++)
        value += w[j] * z[j];
    for (size_t j = 0; j < k; j++)
        w[j] -= (value - target) * gain[j];
    return value;
}

enum hrnn_status hrnn_sequence_force(const struct hrnn_cell *cell, size_t n_steps, const double *x,
                                     const int8_t *starts, const double *current, const double *margin, double *theta,
                                     double *inverse, double *h, double *scratch)
{
    size_t n = cell->n_hidden, k = n + HRNN_INPUTS + 1, n_rows = (n + 1) * k;
    double *w = scratch, *before = w + n_rows, *z = before + n_rows, *after = z + k, *gain = after + k, sum = 0;
    pack(cell, theta, w);
    memcpy(before, w, n_rows * sizeof *w);
    memset(after, 0, k * sizeof *after);
    z[k - 1] = after[k - 1] = 1;
    for (size_t t = 0; t < n_steps; t++) {
        if (starts[t])
            memset(h, 0, n * sizeof *h);
        memcpy(z, h, n * sizeof *z);
        memcpy(z + n, x + t * HRNN_INPUTS, HRNN_INPUTS * sizeof *z);
        regress(k, z, inverse, gain);
        for (size_t i = 0; i < n; i++)
            h[i] = (1 - cell->leak) * h[i] + cell->leak * tanh(correct(k, z, gain, current[t * n + i], w + i * k));
        memcpy(after, h, n * sizeof *after);
        regress(k, after, inverse + k * k, gain);
        correct(k, after, gain, margin[t], w + n * k);
    }
    for (size_t i = 0; i < n_rows; i++) {
        w[i] -= before[i];
        sum += w[i];
    }
    add_rows(cell, w, 0.5, theta);
    return isfinite(sum) ? HRNN_OK : HRNN_NONFINITE;
}
