#include "gru.h"

#include <math.h>
#include <string.h>

#include "scratch.h"

/* Views into theta. */
struct gru {
    size_t n;
    const double *W, *U, *b, *b_inner, *v, *c;
};

static struct gru view(size_t n, const double *theta)
{
    struct gru gru = {.n = n, .W = theta};
    gru.U = gru.W + 3 * n * HRNN_INPUTS;
    gru.b = gru.U + 3 * n * n;
    gru.b_inner = gru.b + 3 * n;
    gru.v = gru.b_inner + n;
    gru.c = gru.v + n;
    return gru;
}

size_t hrnn_gru_n_parameters(size_t n_hidden) { return 3 * n_hidden * (HRNN_INPUTS + n_hidden + 1) + 2 * n_hidden + 1; }

/* History, row by row (T + 1, L): h before each step; gates r, z and the candidate n; m = U_n h + b'. */
struct history {
    size_t length;
    double *h, *gate, *m, *margin, *e, *dh, *da;
};

static size_t lay_out(struct history *history, size_t n, const struct hrnn_sequence *sequence, double *base)
{
    size_t lanes = sequence->n_sequences;
    struct hrnn_scratch scratch = {base, 0};
    history->length = (sequence->n_steps + 1) * lanes;
    history->h = hrnn_scratch_take(&scratch, n * history->length);
    history->gate = hrnn_scratch_take(&scratch, 3 * n * history->length);
    history->m = hrnn_scratch_take(&scratch, n * history->length);
    history->margin = hrnn_scratch_take(&scratch, history->length);
    history->e = hrnn_scratch_take(&scratch, history->length);
    history->dh = hrnn_scratch_take(&scratch, 2 * n * lanes);
    history->da = hrnn_scratch_take(&scratch, 4 * n * lanes);
    return scratch.used;
}

size_t hrnn_gru_scratch(size_t n_hidden, const struct hrnn_sequence *sequence)
{
    struct history history;
    return lay_out(&history, n_hidden, sequence, NULL);
}

static struct history begin(size_t n, const struct hrnn_sequence *sequence, double *scratch)
{
    struct history history;
    lay_out(&history, n, sequence, scratch);
    for (size_t i = 0; i < n; i++)
        memset(history.h + i * history.length, 0, sequence->n_sequences * sizeof *history.h);
    return history;
}

/* y += a x over the lanes. */
static inline void add(size_t lanes, double a, const double *x, double *y)
{
    for (size_t l = 0; l < lanes; l++)
        y[l] += a * x[l];
}

static inline void set(size_t lanes, double a, double *y)
{
    for (size_t l = 0; l < lanes; l++)
        y[l] = a;
}

/* The step from time `at` (in lanes) on. */
static void step(const struct hrnn_kernel *kernel, const struct gru *gru, const struct hrnn_sequence *sequence,
                 const struct history *history, size_t at)
{
    size_t n = gru->n, lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    for (size_t row = 0; row < 3 * n; row++) {
        int candidate = row >= 2 * n;
        double *a = history->gate + row * history->length + at;
        double *m = history->m + (candidate ? row - 2 * n : 0) * history->length + at, *recurrent = candidate ? m : a;
        set(lanes, gru->b[row], a);
        if (candidate)
            set(lanes, gru->b_inner[row - 2 * n], m);
        for (size_t j = 0; j < HRNN_INPUTS; j++)
            add(lanes, gru->W[row * HRNN_INPUTS + j], sequence->x + j * steps + at, a);
        for (size_t j = 0; j < n; j++)
            add(lanes, gru->U[row * n + j], history->h + j * history->length + at, recurrent);
        if (candidate) { /* r of the same unit is ready */
            const double *r = history->gate + (row - 2 * n) * history->length + at;
            for (size_t l = 0; l < lanes; l++)
                a[l] += r[l] * m[l];
            kernel->tanh(lanes, a, a);
        } else { /* sigma(x) = (1 + tanh(x / 2)) / 2 */
            for (size_t l = 0; l < lanes; l++)
                a[l] *= 0.5;
            kernel->tanh(lanes, a, a);
            for (size_t l = 0; l < lanes; l++)
                a[l] = 0.5 + 0.5 * a[l];
        }
    }
    double *margin = history->margin + at;
    set(lanes, *gru->c, margin);
    for (size_t i = 0; i < n; i++) {
        const double *z = history->gate + (n + i) * history->length + at, *c = z + n * history->length;
        double *h = history->h + i * history->length + at;
        for (size_t l = 0; l < lanes; l++)
            h[lanes + l] = c[l] + z[l] * (h[l] - c[l]);
        add(lanes, gru->v[i], h + lanes, margin);
    }
}

void hrnn_gru_forward(const struct hrnn_kernel *kernel, size_t n_hidden, const struct hrnn_sequence *sequence,
                      const double *theta, double *margin, double *hidden, double *scratch)
{
    struct gru gru = view(n_hidden, theta);
    struct history history = begin(n_hidden, sequence, scratch);
    size_t lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    for (size_t at = 0; at < steps; at += lanes)
        step(kernel, &gru, sequence, &history, at);
    memcpy(margin, history.margin, steps * sizeof *margin);
    for (size_t i = 0; hidden && i < n_hidden; i++)
        memcpy(hidden + i * steps, history.h + i * history.length + lanes, steps * sizeof *hidden);
}

static double dot(size_t lanes, const double *x, const double *y)
{
    double sum = 0;
    for (size_t l = 0; l < lanes; l++)
        sum += x[l] * y[l];
    return sum;
}

static double total(size_t lanes, const double *x)
{
    double sum = 0;
    for (size_t l = 0; l < lanes; l++)
        sum += x[l];
    return sum;
}

/* The step that began at time `at`, backwards: history->dh (N, L) holds the derivative by h' that came from later steps,
   history->e the derivative by the log odds. */
static void step_back(const struct gru *gru, const struct hrnn_sequence *sequence, const struct history *history,
                      size_t at, double *gradient)
{
    size_t n = gru->n, lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    struct gru d = view(n, gradient);
    double *dW = gradient, *dU = gradient + (d.U - d.W), *db = gradient + (d.b - d.W),
           *db_inner = gradient + (d.b_inner - d.W);
    double *dv = gradient + (d.v - d.W), *dc = gradient + (d.c - d.W), *next = history->dh + n * lanes;
    const double *g = history->e + at;
    *dc += total(lanes, g);
    for (size_t i = 0; i < n; i++) {
        const double *r = history->gate + i * history->length + at, *z = r + n * history->length;
        const double *c = z + n * history->length, *h = history->h + i * history->length + at;
        const double *m = history->m + i * history->length + at;
        double *dh = history->dh + i * lanes, *da_r = history->da + i * lanes, *da_z = da_r + n * lanes;
        double *da_n = da_z + n * lanes, *dm = da_n + n * lanes;
        dv[i] += dot(lanes, g, h + lanes);
        add(lanes, gru->v[i], g, dh);
        for (size_t l = 0; l < lanes; l++) {
            da_z[l] = dh[l] * (h[l] - c[l]) * z[l] * (1 - z[l]);
            da_n[l] = dh[l] * (1 - z[l]) * (1 - c[l] * c[l]);
            da_r[l] = da_n[l] * m[l] * r[l] * (1 - r[l]);
            dm[l] = da_n[l] * r[l];
            next[i * lanes + l] = dh[l] * z[l];
        }
        db_inner[i] += total(lanes, dm);
    }
    for (size_t row = 0; row < 3 * n; row++) {
        const double *da = history->da + row * lanes, *recurrent = row < 2 * n ? da : da + n * lanes;
        db[row] += total(lanes, da);
        for (size_t j = 0; j < HRNN_INPUTS; j++)
            dW[row * HRNN_INPUTS + j] += dot(lanes, da, sequence->x + j * steps + at);
        for (size_t j = 0; j < n; j++) {
            dU[row * n + j] += dot(lanes, recurrent, history->h + j * history->length + at);
            add(lanes, gru->U[row * n + j], recurrent, next + j * lanes);
        }
    }
    memcpy(history->dh, next, n * lanes * sizeof *next);
}

enum hrnn_status hrnn_gru_gradient(const struct hrnn_kernel *kernel, size_t n_hidden,
                                   const struct hrnn_sequence *sequence, const double *q, const double *weight,
                                   const double *theta, double *loss, double *gradient, double *scratch)
{
    struct gru gru = view(n_hidden, theta);
    struct history history = begin(n_hidden, sequence, scratch);
    size_t lanes = sequence->n_sequences, steps = sequence->n_steps * lanes;
    double sum = 0;
    for (size_t at = 0; at < steps; at += lanes)
        step(kernel, &gru, sequence, &history, at);
    for (size_t i = 0; i < steps; i++)
        history.e[i] = -fabs(history.margin[i]);
    kernel->exp(steps, history.e, history.e);
    for (size_t i = 0; i < steps; i++) {
        double m = history.margin[i], e = history.e[i];
        if (weight[i] != 0)
            sum += weight[i] * ((m > 0 ? m : 0) + log(1 + e) - q[i] * m);
        history.e[i] = weight[i] * ((m >= 0 ? 1 : e) / (1 + e) - q[i]);
    }
    *loss = sum;
    if (!isfinite(sum))
        return HRNN_NONFINITE;
    memset(history.dh, 0, n_hidden * lanes * sizeof *history.dh);
    for (size_t at = steps; at; at -= lanes)
        step_back(&gru, sequence, &history, at - lanes, gradient);
    return HRNN_OK;
}
