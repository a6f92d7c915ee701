#include "sequence.h"

#include <math.h>
#include <string.h>

#include "linalg.h"
#include "scratch.h"

enum { ROWS_MAX = HRNN_CELL_FORMS_MAX * HRNN_SEQUENCE_UNITS_MAX + 1 };

/* The network of one call as rows on z = [h, x, 1]: those of the forms, the inner ones last, and one, [v 0 c], of the
   log odds; and its history. Time t of z holds the state before step t; time t of d the derivatives of the forms of
   step t and of the log odds of step t - 1. */
struct work {
    size_t n, k;              /* N, and N + I + 1 numbers in z */
    size_t n_rows;            /* rows of forms, and the last */
    size_t length;            /* (T + 1) L, the distance between rows */
    double *A;                /* as the cell packs it; then its gradient */
    double *w, *w_transposed; /* (n_rows, k), (N, n_rows) */
    double *z, *d;            /* (k, T + 1, L), (n_rows, T + 1, L) */
    double *saved;            /* (T, n_saved, L) */
    double *margin, *e;       /* (T, L) each */
    double *a, *dh, *zero;    /* (n_rows - 1, L), (N, L), (L,) */
    double *G;                /* (n_rows, k) */
};

static size_t rows_of(const struct hrnn_cell *cell)
{
    return (cell->kind.n_forms + cell->kind.n_inner) * cell->n_hidden + 1;
}

/* Takes all arrays from base, or only counts where base is NULL. */
static size_t lay_out(struct work *work, const struct hrnn_cell *cell, const struct hrnn_sequence *sequence,
                      double *base)
{
    size_t n = cell->n_hidden, k = n + HRNN_INPUTS + 1, lanes = sequence->n_sequences, n_rows = rows_of(cell);
    size_t steps = sequence->n_steps * lanes;
    struct hrnn_scratch scratch = {base, 0};
    work->n = n;
    work->k = k;
    work->n_rows = n_rows;
    work->length = steps + lanes;
    work->w = hrnn_scratch_take(&scratch, n_rows * k);
    work->w_transposed = hrnn_scratch_take(&scratch, n * n_rows);
    work->z = hrnn_scratch_take(&scratch, k * work->length);
    work->d = hrnn_scratch_take(&scratch, n_rows * work->length);
    work->margin = hrnn_scratch_take(&scratch, steps);
    work->e = hrnn_scratch_take(&scratch, steps);
    work->a = hrnn_scratch_take(&scratch, n_rows * lanes);
    work->dh = hrnn_scratch_take(&scratch, n * lanes);
    work->zero = hrnn_scratch_take(&scratch, lanes);
    work->G = hrnn_scratch_take(&scratch, n_rows * k);
    work->A = hrnn_scratch_take(&scratch, hrnn_cell_forward_size(cell));
    work->saved = hrnn_scratch_take(&scratch, cell->kind.n_saved * n * steps);
    return scratch.used;
}

size_t hrnn_sequence_scratch(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence)
{
    struct work work;
    return lay_out(&work, cell, sequence, NULL);
}

/* Row of A that row i of w stands for; the last one stands for two. */
static size_t place(const struct hrnn_cell *cell, size_t i)
{
    size_t n = cell->n_hidden, form = i / n, n_forms = cell->kind.n_forms;
    size_t first = form < n_forms ? form * cell->stride : cell->rows + (form - n_forms) * cell->rows_back;
    return first + i % n;
}

/* theta as the rows w, by way of A. */
static void pack(const struct hrnn_cell *cell, const double *theta, double *A, double *w)
{
    size_t k = cell->n_hidden + HRNN_INPUTS + 1, last = rows_of(cell) - 1;
    hrnn_cell_pack(cell, theta, A);
    for (size_t j = 0; j < k; j++) {
        const double *column = A + j * cell->ld;
        for (size_t i = 0; i < last; i++)
            w[i * k + j] = column[place(cell, i)];
        w[last * k + j] = column[cell->logits + 1] - column[cell->logits];
    }
}

/* Adds rows laid out as w to what is laid out as theta, by way of A; of the last row, a share to the right logit and as
   much less to the left one. */
static void add_rows(const struct hrnn_cell *cell, const double *rows, double share, double *A, double *theta)
{
    size_t k = cell->n_hidden + HRNN_INPUTS + 1, last = rows_of(cell) - 1;
    memset(A, 0, hrnn_cell_forward_size(cell) * sizeof *A);
    for (size_t j = 0; j < k; j++) {
        double *column = A + j * cell->ld;
        for (size_t i = 0; i < last; i++)
            column[place(cell, i)] = rows[i * k + j];
        column[cell->logits] = -share * rows[last * k + j];
        column[cell->logits + 1] = share * rows[last * k + j];
    }
    hrnn_cell_unpack_gradient(cell, A, 1, theta);
}

static struct work begin(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence, const double *theta,
                         double *scratch)
{
    struct work work;
    lay_out(&work, cell, sequence, scratch);
    size_t n = work.n, k = work.k, lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    pack(cell, theta, work.A, work.w);
    for (size_t i = 0; i < work.n_rows; i++)
        for (size_t j = 0; j < n; j++)
            work.w_transposed[j * work.n_rows + i] = work.w[i * k + j];
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

/* What unit i saved at time `at` (in lanes). */
static double *saved_at(const struct hrnn_cell *cell, const struct work *work, size_t lanes, size_t i, size_t at)
{
    return work->saved + cell->kind.n_saved * (work->n * at + i * lanes);
}

static void run(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence, const struct work *work)
{
    size_t lanes = sequence->n_sequences, steps = sequence->n_steps * lanes, last = work->n_rows - 1;
    const double *row[ROWS_MAX], *from[ROWS_MAX];
    double *to[ROWS_MAX];
    for (size_t i = 0; i <= last; i++) {
        row[i] = work->w + i * work->k;
        from[i] = work->zero;
        to[i] = work->a + i * lanes;
    }
    for (size_t at = 0; at <= steps; at += lanes) {
        double *now = work->z + at;
        to[last] = at ? work->margin + at - lanes : work->margin; /* that of step 0 takes its place */
        cell->kernel->gemm(lanes, last + 1, work->k, now, work->length, row, from, to);
        if (at < steps)
            cell->kind.advance(cell, lanes, work->a, now, work->length, saved_at(cell, work, lanes, 0, at));
    }
}

void hrnn_sequence_forward(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence, const double *theta,
                           double *margin, double *hidden, double *scratch)
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
    double loss = 0, tau = lesson->temperature, *dmargin = work->d + (work->n_rows - 1) * work->length + lanes;
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

static void run_back(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence,
                     const struct hrnn_lesson *lesson, const struct work *work)
{
    size_t n = work->n, lanes = sequence->n_sequences, steps = sequence->n_steps * lanes, n_rows = work->n_rows;
    const double *row[HRNN_SEQUENCE_UNITS_MAX];
    double *dh[HRNN_SEQUENCE_UNITS_MAX];
    memset(work->dh, 0, n * lanes * sizeof *work->dh);
    for (size_t i = 0; i < n; i++) {
        row[i] = work->w_transposed + i * n_rows;
        dh[i] = work->dh + i * lanes;
    }
    for (size_t i = 0; i + 1 < n_rows; i++)
        memset(work->d + i * work->length + steps, 0, lanes * sizeof *work->d);
    for (size_t at = steps; at; at -= lanes) {
        cell->kernel->gemm(lanes, n, n_rows, work->d + at, work->length, row, (const double *const *)dh, dh);
        for (size_t i = 0; i < n; i++) {
            const double *h_next = work->z + i * work->length + at;
            double *d = work->d + i * work->length + at - lanes;
            if (lesson->y)
                for (size_t l = 0; l < lanes; l++)
                    dh[i][l] +=
                        2 * lesson->state_weight[at - lanes + l] * (h_next[l] - lesson->y[i * steps + at - lanes + l]);
            cell->kind.retreat(cell, lanes, h_next - lanes, h_next, saved_at(cell, work, lanes, i, at - lanes), dh[i],
                               d, n * work->length);
        }
    }
}

enum hrnn_status hrnn_sequence_gradient(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence,
                                        const struct hrnn_lesson *lesson, const double *theta, double *loss,
                                        double *gradient, double *scratch)
{
    struct work work = begin(cell, sequence, theta, scratch);
    size_t lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    run(cell, sequence, &work);
    *loss = answer(cell->kernel, lesson, steps, lanes, &work) + (lesson->y ? resemble(lesson, steps, lanes, &work) : 0);
    if (!isfinite(*loss))
        return HRNN_NONFINITE;
    run_back(cell, sequence, lesson, &work);
    hrnn_linalg_gemm_transposed(work.n_rows, work.k, work.length, 1, work.d, work.length, work.z, work.length, 0,
                                work.G, work.k);
    add_rows(cell, work.G, 1, work.A, gradient);
    return HRNN_OK;
}

/* ---- recursive least squares ------------------------------------------------------------------------------------ */

size_t hrnn_sequence_force_scratch(const struct hrnn_cell *cell)
{
    size_t k = cell->n_hidden + HRNN_INPUTS + 1;
    return hrnn_cell_forward_size(cell) + 2 * (cell->n_hidden + 1) * k + 3 * k;
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
    double *A = scratch, *w = A + hrnn_cell_forward_size(cell), *before = w + n_rows, *z = before + n_rows,
           *after = z + k, *gain = after + k, sum = 0;
    pack(cell, theta, A, w);
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
    add_rows(cell, w, 0.5, A, theta);
    return isfinite(sum) ? HRNN_OK : HRNN_NONFINITE;
}
