#include "fixedpoint.h"

#include <math.h>
#include <string.h>

#include "linalg.h"
#include "scratch.h"

/* A search is at a local minimum of |f| where the slope of |f| is below SLOPE, or below FLAT and no step goes down. A
   step of Newton's must lower |f| by the fraction DECREASE of its length, and is shortened at most HALVINGS times; a
   search gives up after DAMPINGS rejected steps down the speed. */
static const double SLOPE = 1e-9, FLAT = 1e-5, DECREASE = 1e-4;
enum { HALVINGS = 3, DAMPINGS = 16, KNOWN_MAX = 16 };

/* One search: the map under its input, and the buffers of an iterate. Vectors have room for `ld` entries, those over
   forms for n_forms strides. */
struct search {
    const struct hrnn_cell *cell;
    double *A, *drive; /* forward matrix; U x + b */
    double *h;         /* the iterate */
    double *a, *u, *f; /* its forms, target and u - h */
    double *a_trial, *u_trial, *f_trial, *trial, *step;
    double *by_h, *by_form;       /* slopes of u: by h at constant forms, and by each form */
    double *curve, *curve_h;      /* curvatures of u times f */
    double *J, *factors, *scaled; /* (N, N) each, by columns */
    double *slope;                /* J' f, (N,) */
    int pivot[HRNN_UNITS_MAX];    /* indices, so not in scratch that others might write into */
    double norm, damping;         /* |f|; what is added to the Hessian's diagonal */
    double bend;                  /* Lipschitz constant of J */
    size_t n_known;
    double *known;            /* (KNOWN_MAX, N) points found so far */
    double radius[KNOWN_MAX]; /* inside which Newton's method converges to each */
    struct hrnn_watch *watch;
    int ended; /* by the watch */
};

/* Takes all buffers from base, or only counts where base is NULL. */
static size_t lay_out_search(struct search *s, const struct hrnn_cell *cell, double *base)
{
    size_t n = cell->n_hidden, n_forms = cell->kind.n_forms, over_forms = n_forms * cell->stride;
    struct hrnn_scratch scratch = {base, 0};
    double **vectors[] = {&s->drive,   &s->h,       &s->a,     &s->u,    &s->f,     &s->a_trial,
                          &s->u_trial, &s->f_trial, &s->trial, &s->step, &s->slope, &s->by_h};
    s->A = hrnn_scratch_take(&scratch, hrnn_cell_forward_size(cell));
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        *vectors[k] = hrnn_scratch_take(&scratch, cell->ld);
    s->by_form = hrnn_scratch_take(&scratch, over_forms);
    s->curve_h = hrnn_scratch_take(&scratch, over_forms);
    s->curve = hrnn_scratch_take(&scratch, n_forms * over_forms);
    s->J = hrnn_scratch_take(&scratch, n * n);
    s->factors = hrnn_scratch_take(&scratch, n * n);
    s->scaled = hrnn_scratch_take(&scratch, n * n);
    s->known = hrnn_scratch_take(&scratch, KNOWN_MAX * n);
    return scratch.used;
}

static double norm(size_t n, const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* ---- the map ---------------------------------------------------------------------------------------------------- */

/* Forms a, target u, f = u - h; returns |f|. */
static double evaluate(const struct search *s, const double *h, double *a, double *u, double *f)
{
    hrnn_cell_forms(s->cell, 1, s->A, s->drive, &h, &a);
    s->cell->kind.target(s->cell, h, a, u);
    for (size_t i = 0; i < s->cell->n_hidden; i++)
        f[i] = u[i] - h[i];
    return norm(s->cell->n_hidden, f);
}

/* J = du/dh - 1 by columns, at the iterate h whose forms and target are given. */
static void fill_jacobian(const struct search *s, const double *h)
{
    const struct hrnn_cell *cell = s->cell;
    size_t n = cell->n_hidden;
    cell->kind.slope(cell, h, s->a, s->u, s->by_h, s->by_form);
    for (size_t j = 0; j < n; j++) {
        double *column = s->J + j * n;
        const double *W = s->A + j * cell->ld;
        for (size_t i = 0; i < n; i++)
            column[i] = s->by_form[i] * W[i];
        for (size_t p = cell->stride; p < cell->logits; p += cell->stride)
            for (size_t i = 0; i < n; i++)
                column[i] += s->by_form[p + i] * W[p + i];
        column[j] += s->by_h[j] - 1;
    }
}

/* ---- one iteration ---------------------------------------------------------------------------------------------- */

/* Goes to h + t step if |f| falls there by more than the fraction asked for. */
static int try_step(struct search *s, double *h, double t, double fraction)
{
    size_t n = s->cell->n_hidden;
    for (size_t i = 0; i < n; i++)
        s->trial[i] = h[i] + t * s->step[i];
    double there = evaluate(s, s->trial, s->a_trial, s->u_trial, s->f_trial);
    if (!(there < (1 - fraction * t) * s->norm))
        return 0;
    memcpy(h, s->trial, n * sizeof *h);
    memcpy(s->a, s->a_trial, s->cell->ld * sizeof *h);
    memcpy(s->u, s->u_trial, n * sizeof *h);
    memcpy(s->f, s->f_trial, n * sizeof *h);
    s->norm = there;
    return 1;
}

static int newton(struct search *s, double *h)
{
    size_t n = s->cell->n_hidden;
    memcpy(s->factors, s->J, n * n * sizeof *s->J);
    for (size_t i = 0; i < n; i++)
        s->step[i] = -s->f[i];
    if (hrnn_linalg_solve(n, 1, s->factors, s->pivot, s->step) != HRNN_OK)
        return 0;
    double t = 1;
    for (int k = 0; k <= HALVINGS; k++, t /= 2)
        if (try_step(s, h, t, DECREASE))
            return 1;
    return 0;
}

/* slope = J' f; returns the slope of |f|, |J' f| / |f|. */
static double fill_slope(struct search *s)
{
    size_t n = s->cell->n_hidden;
    for (size_t j = 0; j < n; j++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += s->J[j * n + i] * s->f[i];
        s->slope[j] = sum;
    }
    return norm(n, s->slope) / s->norm;
}

/* scaled = sum_q diag(curve_pq) W_q + diag(curve_h_p), by columns: what W_p' is multiplied with in the Hessian. */
static void fill_scaled(const struct search *s, size_t p)
{
    const struct hrnn_cell *cell = s->cell;
    size_t n = cell->n_hidden, stride = cell->stride;
    const double *curve = s->curve + p * cell->logits;
    for (size_t j = 0; j < n; j++) {
        double *column = s->scaled + j * n;
        const double *W = s->A + j * cell->ld;
        for (size_t i = 0; i < n; i++)
            column[i] = curve[i] * W[i];
        for (size_t q = stride; q < cell->logits; q += stride)
            for (size_t i = 0; i < n; i++)
                column[i] += curve[q + i] * W[q + i];
        column[j] += s->curve_h[p * stride + j];
    }
}

/* factors = Hessian of |f|^2 / 2, upper triangle by columns: J' J, and f times the second derivatives of u,
   sum_p W_p' scaled_p + diag(curve_h_p) W_p. */
static void fill_hessian(struct search *s, const double *h)
{
    const struct hrnn_cell *cell = s->cell;
    size_t n = cell->n_hidden, stride = cell->stride;
    cell->kind.curve(cell, h, s->a, s->u, s->f, s->curve, s->curve_h);
    memset(s->factors, 0, n * n * sizeof *s->factors);
    hrnn_linalg_gram(n, s->J, s->factors);
    for (size_t p = 0; p < cell->kind.n_forms; p++) {
        fill_scaled(s, p);
        hrnn_linalg_gemm_transposed(n, n, n, 1, s->A + p * stride, cell->ld, s->scaled, n, 1, s->factors, n);
        for (size_t j = 0; j < n; j++)
            for (size_t i = 0; i < n; i++)
                s->factors[j * n + i] += s->curve_h[p * stride + i] * s->A[j * cell->ld + p * stride + i];
    }
}

/* Whether the watch ends the search, after the products of an iterate. */
static int ends(struct search *s)
{
    size_t n = s->cell->n_hidden;
    s->ended = s->ended || hrnn_status_ends(s->watch, n * n * n * s->cell->kind.n_forms);
    return s->ended;
}

/* Is the Hessian positive, but for rounding? */
static int is_minimum(struct search *s, const double *h)
{
    size_t n = s->cell->n_hidden;
    fill_hessian(s, h);
    for (size_t i = 0; i < n; i++) {
        s->factors[i * n + i] += 1e-9;
        s->step[i] = 0;
    }
    return hrnn_linalg_solve_positive(n, s->factors, s->step) == HRNN_OK;
}

/* Down the speed: (Hessian + damping) step = -J' f, damping growing until |f| falls, and shrinking for the next time. */
static int damped(struct search *s, double *h)
{
    size_t n = s->cell->n_hidden;
    for (int k = 0; k < DAMPINGS && !ends(s); k++, s->damping = fmax(8 * s->damping, 1e-9)) {
        fill_hessian(s, h);
        for (size_t i = 0; i < n; i++) {
            s->factors[i * n + i] += s->damping;
            s->step[i] = -s->slope[i];
        }
        if (hrnn_linalg_solve_positive(n, s->factors, s->step) == HRNN_OK && try_step(s, h, 1, 0)) {
            s->damping /= 16;
            return 1;
        }
    }
    return 0;
}

/* ---- points already known ---------------------------------------------------------------------------------------- */

/* Keeps h with the radius 2/(3 |J^-1| bend) inside which Newton's method converges to it (Rall 1974); s->u is that of h. */
static void remember(struct search *s, const double *h)
{
    size_t n = s->cell->n_hidden;
    double inverse;
    if (s->n_known == KNOWN_MAX)
        return;
    fill_jacobian(s, h);
    memset(s->scaled, 0, n * n * sizeof *s->scaled);
    for (size_t i = 0; i < n; i++)
        s->scaled[i * n + i] = 1;
    if (hrnn_linalg_solve(n, n, s->J, s->pivot, s->scaled) != HRNN_OK)
        return;
    inverse = norm(n * n, s->scaled);
    s->radius[s->n_known] = 2 / (3 * inverse * s->bend);
    memcpy(s->known + s->n_known++ * n, h, n * sizeof *h);
}

/* Moves h to the known point around it, if there is one. */
static int arrive(struct search *s, double *h)
{
    size_t n = s->cell->n_hidden;
    for (size_t k = 0; k < s->n_known; k++) {
        double sum = 0, *point = s->known + k * n;
        for (size_t i = 0; i < n; i++)
            sum += (h[i] - point[i]) * (h[i] - point[i]);
        if (sum < s->radius[k] * s->radius[k]) {
            memcpy(h, point, n * sizeof *h);
            return 1;
        }
    }
    return 0;
}

/* Searches from h (rows,) and leaves it where the search ended. */
static enum hrnn_fixedpoint_outcome search(struct search *s, size_t max_iterations, double tolerance, double *h,
                                           int64_t *n_iterations)
{
    double leak = s->cell->leak;
    /* Whether the last step went down the speed, and not far: no fixed point is near, so Newton's would not help. */
    int creeps = 0;
    s->damping = 1e-3;
    s->norm = evaluate(s, h, s->a, s->u, s->f);
    for (size_t k = 0; k < max_iterations && !ends(s); k++) {
        *n_iterations = (int64_t)k;
        if (arrive(s, h))
            return HRNN_FIXEDPOINT_FOUND;
        if (leak * s->norm <= tolerance) {
            remember(s, h);
            return HRNN_FIXEDPOINT_FOUND;
        }
        fill_jacobian(s, h);
        if (!creeps && newton(s, h))
            continue;
        double slope = fill_slope(s), before = s->norm;
        if (slope < SLOPE)
            return is_minimum(s, h) ? HRNN_FIXEDPOINT_SLOW : HRNN_FIXEDPOINT_UNDECIDED;
        if (!damped(s, h))
            return slope < FLAT && is_minimum(s, h) ? HRNN_FIXEDPOINT_SLOW : HRNN_FIXEDPOINT_UNDECIDED;
        creeps = s->norm > 0.5 * before;
    }
    *n_iterations = (int64_t)max_iterations;
    return leak * s->norm <= tolerance ? HRNN_FIXEDPOINT_FOUND : HRNN_FIXEDPOINT_UNDECIDED;
}

/* ---- many starts ------------------------------------------------------------------------------------------------ */

size_t hrnn_fixedpoint_search_scratch(const struct hrnn_cell *cell)
{
    struct search s;
    return lay_out_search(&s, cell, NULL);
}

enum hrnn_status hrnn_fixedpoint_search(const struct hrnn_cell *cell, const double *theta, const double *x, size_t n,
                                        size_t max_iterations, double tolerance, double *points, double *residual,
                                        int8_t *outcome, int64_t *n_iterations, double *scratch,
                                        struct hrnn_watch *watch)
{
    size_t n_hidden = cell->n_hidden;
    struct search s = {.cell = cell, .watch = watch};
    lay_out_search(&s, cell, scratch);
    hrnn_cell_pack(cell, theta, s.A);
    hrnn_cell_drive(cell, s.A, x, s.drive);
    s.bend = cell->kind.bend(cell, s.A);
    for (size_t r = 0; r < n && !s.ended; r++) {
        memcpy(s.h, points + r * n_hidden, n_hidden * sizeof *s.h);
        outcome[r] = (int8_t)search(&s, max_iterations, tolerance, s.h, n_iterations + r);
        memcpy(points + r * n_hidden, s.h, n_hidden * sizeof *s.h);
        residual[r] = cell->leak * evaluate(&s, s.h, s.a, s.u, s.f);
    }
    return s.ended ? HRNN_STOPPED : HRNN_OK;
}

/* ---- iteration of the map ---------------------------------------------------------------------------------------- */

/* The states that advance in lockstep. */
struct crowd {
    double *A, *drive;
    double *h[HRNN_LANES_MAX], *next[HRNN_LANES_MAX], *a[HRNN_LANES_MAX], *saved;
};

static size_t lay_out_crowd(struct crowd *crowd, const struct hrnn_cell *cell, double *base)
{
    struct hrnn_scratch scratch = {base, 0};
    crowd->A = hrnn_scratch_take(&scratch, hrnn_cell_forward_size(cell));
    crowd->drive = hrnn_scratch_take(&scratch, cell->ld);
    for (size_t l = 0; l < HRNN_LANES_MAX; l++) {
        crowd->h[l] = hrnn_scratch_take(&scratch, cell->ld_z);
        crowd->next[l] = hrnn_scratch_take(&scratch, cell->ld_z);
        crowd->a[l] = hrnn_scratch_take(&scratch, cell->ld);
    }
    crowd->saved = hrnn_scratch_take(&scratch, cell->n_saved);
    return scratch.used;
}

size_t hrnn_fixedpoint_iterate_scratch(const struct hrnn_cell *cell)
{
    struct crowd crowd;
    return lay_out_crowd(&crowd, cell, NULL);
}

/* One step of n lanes from h to next, the input being in the drive. Returns in moved[l] how far each went. */
static void step_crowd(const struct hrnn_cell *cell, size_t n, const struct crowd *crowd, double *moved)
{
    struct hrnn_cell_batch batch = {.n = n};
    for (size_t l = 0; l < n; l++) {
        batch.z[l] = crowd->h[l];
        batch.next[l] = crowd->next[l];
        batch.a[l] = crowd->a[l];
        batch.saved[l] = crowd->saved;
        memset(crowd->h[l] + cell->n_hidden, 0, HRNN_INPUTS * sizeof **crowd->h);
    }
    hrnn_cell_forms(cell, n, crowd->A, crowd->drive, batch.z, batch.a);
    cell->kind.forward(cell, crowd->A + cell->n_hidden * cell->ld, &batch);
    for (size_t l = 0; l < n; l++) {
        double sum = 0;
        for (size_t i = 0; i < cell->n_hidden; i++)
            sum += (batch.next[l][i] - batch.z[l][i]) * (batch.next[l][i] - batch.z[l][i]);
        moved[l] = sqrt(sum);
    }
}

static void swap(double **a, double **b)
{
    double *c = *a;
    *a = *b;
    *b = c;
}

enum hrnn_status hrnn_fixedpoint_iterate(const struct hrnn_cell *cell, const double *theta, const double *x, size_t n,
                                         size_t max_steps, double tolerance, double *states, int64_t *n_steps,
                                         double *scratch, struct hrnn_watch *watch)
{
    size_t n_hidden = cell->n_hidden, of[HRNN_LANES_MAX], n_lanes = 0, next_start = 0;
    struct crowd crowd;
    double moved[HRNN_LANES_MAX];
    size_t done[HRNN_LANES_MAX]; /* steps of each lane */
    lay_out_crowd(&crowd, cell, scratch);
    hrnn_cell_pack(cell, theta, crowd.A);
    hrnn_cell_drive(cell, crowd.A, x, crowd.drive);
    for (;;) {
        while (n_lanes < HRNN_LANES_MAX && next_start < n) {
            of[n_lanes] = next_start;
            done[n_lanes] = 0;
            memcpy(crowd.h[n_lanes++], states + next_start++ * n_hidden, n_hidden * sizeof *states);
        }
        if (!n_lanes)
            return HRNN_OK;
        if (hrnn_status_ends(watch, n_lanes * hrnn_cell_forward_size(cell)))
            return HRNN_STOPPED;
        step_crowd(cell, n_lanes, &crowd, moved);
        for (size_t l = n_lanes; l-- > 0;) {
            swap(crowd.h + l, crowd.next + l);
            if (++done[l] < max_steps && !(moved[l] < tolerance))
                continue;
            n_steps[of[l]] = (int64_t)done[l];
            memcpy(states + of[l] * n_hidden, crowd.h[l], n_hidden * sizeof *states);
            of[l] = of[--n_lanes];
            done[l] = done[n_lanes];
            swap(crowd.h + l, crowd.h + n_lanes);
        }
    }
}
