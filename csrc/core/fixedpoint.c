#include "fixedpoint.h"

#include <math.h>
#include <string.h>

#include "linalg.h"

/* A search is at a local minimum of |f| where the slope of |f| is below SLOPE, or below FLAT and no step goes down. A
   step of Newton's must lower |f| by the fraction DECREASE of its length, and is shortened at most HALVINGS times; a
   search gives up after DAMPINGS rejected steps down the speed. */
static const double SLOPE = 1e-9, FLAT = 1e-5, DECREASE = 1e-4;
enum { HALVINGS = 3, DAMPINGS = 16, KNOWN_MAX = 16 };

/* One search: the map under its input, and the buffers of an iterate. Vectors have room for `rows` entries. */
struct search {
    const struct hrnn_kernel *kernel;
    const struct hrnn_cell *cell;
    double *A, *drive;             /* forward matrix; U x + b */
    double *u, *f, *trial, *u_trial, *f_trial, *step;
    double *J, *factors, *scaled;  /* (N, N) each, by columns */
    double *slope;                 /* J' f, (N,) */
    int *pivot;
    double norm, damping;          /* |f|; what is added to the Hessian's diagonal */
    double bend;                   /* Lipschitz constant of J */
    size_t n_known;
    double *known;                 /* (KNOWN_MAX, N) points found so far */
    double radius[KNOWN_MAX];      /* inside which Newton's method converges to each */
};

static double norm(size_t n, const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* ---- the map ---------------------------------------------------------------------------------------------------- */

/* drive = U x + b, in all rows of A. */
static void fill_drive(const struct hrnn_cell *cell, const double *A, const double *x, double *drive)
{
    const double *U = A + cell->n_hidden * cell->ld, *b = U + HRNN_INPUTS * cell->ld;
    for (size_t i = 0; i < cell->rows; i++) {
        drive[i] = b[i];
        for (size_t j = 0; j < HRNN_INPUTS; j++)
            drive[i] += U[j * cell->ld + i] * x[j];
    }
}

/* u = tanh(W h + drive), f = u - h; returns |f|. h has room for `rows` entries, as all vectors here. */
static double evaluate(const struct search *s, const double *h, double *u, double *f)
{
    const double *drive = s->drive;
    s->kernel->gemm(s->cell->rows, 1, s->cell->n_hidden, s->A, s->cell->ld, &h, &drive, &u);
    s->kernel->tanh(s->cell->rows, u, u);
    for (size_t i = 0; i < s->cell->n_hidden; i++)
        f[i] = u[i] - h[i];
    return norm(s->cell->n_hidden, f);
}

/* J = diag(1 - u^2) W - 1 by columns, at the iterate whose u is given. */
static void fill_jacobian(const struct search *s)
{
    size_t n = s->cell->n_hidden;
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < n; i++)
            s->J[j * n + i] = (1 - s->u[i] * s->u[i]) * s->A[j * s->cell->ld + i];
        s->J[j * n + j] -= 1;
    }
}

/* ---- one iteration ---------------------------------------------------------------------------------------------- */

/* Goes to h + t step if |f| falls there by more than the fraction asked for. */
static int try_step(struct search *s, double *h, double t, double fraction)
{
    size_t n = s->cell->n_hidden;
    for (size_t i = 0; i < n; i++)
        s->trial[i] = h[i] + t * s->step[i];
    double there = evaluate(s, s->trial, s->u_trial, s->f_trial);
    if (!(there < (1 - fraction * t) * s->norm))
        return 0;
    memcpy(h, s->trial, n * sizeof *h);
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

/* factors = Hessian of |f|^2 / 2, J' J + W' diag(-2 f u (1 - u^2)) W, upper triangle by columns. */
static void fill_hessian(struct search *s)
{
    size_t n = s->cell->n_hidden, ld = s->cell->ld;
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < n; i++)
            s->scaled[j * n + i] = -2 * s->f[i] * s->u[i] * (1 - s->u[i] * s->u[i]) * s->A[j * ld + i];
    memset(s->factors, 0, n * n * sizeof *s->factors);
    hrnn_linalg_gram(n, s->J, s->factors);
    hrnn_linalg_gemm_transposed(n, n, n, 1, s->A, ld, s->scaled, n, 1, s->factors, n);
}

/* Is the Hessian positive, but for rounding? */
static int is_minimum(struct search *s)
{
    size_t n = s->cell->n_hidden;
    fill_hessian(s);
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
    for (int k = 0; k < DAMPINGS; k++, s->damping = fmax(8 * s->damping, 1e-9)) {
        fill_hessian(s);
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

/* J changes by at most max |tanh''| |W| max |w_i| per unit of distance; Frobenius's norm bounds |W|. */
static double bend_of(const struct hrnn_cell *cell, const double *A)
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

/* Keeps h with the radius 2/(3 |J^-1| bend) inside which Newton's method converges to it (Rall 1974); s->u is that of h. */
static void remember(struct search *s, const double *h)
{
    size_t n = s->cell->n_hidden;
    double inverse;
    if (s->n_known == KNOWN_MAX)
        return;
    fill_jacobian(s);
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
    int creeps = 0; /* the last step went down the speed, and not far: no fixed point is near, so Newton's would not help */
    s->damping = 1e-3;
    s->norm = evaluate(s, h, s->u, s->f);
    for (size_t k = 0; k < max_iterations; k++) {
        *n_iterations = (int64_t)k;
        if (arrive(s, h))
            return HRNN_FIXEDPOINT_FOUND;
        if (leak * s->norm <= tolerance) {
            remember(s, h);
            return HRNN_FIXEDPOINT_FOUND;
        }
        fill_jacobian(s);
        if (!creeps && newton(s, h))
            continue;
        double slope = fill_slope(s), before = s->norm;
        if (slope < SLOPE)
            return is_minimum(s) ? HRNN_FIXEDPOINT_SLOW : HRNN_FIXEDPOINT_UNDECIDED;
        if (!damped(s, h))
            return slope < FLAT && is_minimum(s) ? HRNN_FIXEDPOINT_SLOW : HRNN_FIXEDPOINT_UNDECIDED;
        creeps = s->norm > 0.5 * before;
    }
    *n_iterations = (int64_t)max_iterations;
    return leak * s->norm <= tolerance ? HRNN_FIXEDPOINT_FOUND : HRNN_FIXEDPOINT_UNDECIDED;
}

/* ---- many starts ------------------------------------------------------------------------------------------------ */

size_t hrnn_fixedpoint_search_scratch(const struct hrnn_cell *cell)
{
    size_t n = cell->n_hidden, arrays = 15; /* each takes whole cache lines */
    return hrnn_cell_forward_size(cell) + 9 * cell->ld + 3 * n * n + (1 + KNOWN_MAX) * n + arrays * HRNN_KERNEL_LINE;
}

void hrnn_fixedpoint_search(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, const double *theta,
                            const double *x, size_t n, size_t max_iterations, double tolerance, double *points,
                            double *residual, int8_t *outcome, int64_t *n_iterations, double *scratch)
{
    size_t n_hidden = cell->n_hidden;
    struct search s = {.kernel = kernel, .cell = cell};
    s.A = hrnn_kernel_take(&scratch, hrnn_cell_forward_size(cell));
    double *h = hrnn_kernel_take(&scratch, cell->ld), **vectors[] = {&s.drive, &s.u, &s.f, &s.trial, &s.u_trial, &s.f_trial,
                                                                     &s.step, &s.slope};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        *vectors[k] = hrnn_kernel_take(&scratch, cell->ld);
    s.J = hrnn_kernel_take(&scratch, n_hidden * n_hidden);
    s.factors = hrnn_kernel_take(&scratch, n_hidden * n_hidden);
    s.scaled = hrnn_kernel_take(&scratch, n_hidden * n_hidden);
    s.pivot = (int *)hrnn_kernel_take(&scratch, n_hidden);
    s.known = hrnn_kernel_take(&scratch, KNOWN_MAX * n_hidden);
    hrnn_cell_pack(cell, theta, s.A);
    fill_drive(cell, s.A, x, s.drive);
    s.bend = bend_of(cell, s.A);
    for (size_t r = 0; r < n; r++) {
        memcpy(h, points + r * n_hidden, n_hidden * sizeof *h);
        outcome[r] = (int8_t)search(&s, max_iterations, tolerance, h, n_iterations + r);
        memcpy(points + r * n_hidden, h, n_hidden * sizeof *h);
        residual[r] = cell->leak * evaluate(&s, h, s.u, s.f);
    }
}

size_t hrnn_fixedpoint_iterate_scratch(const struct hrnn_cell *cell)
{
    return hrnn_cell_forward_size(cell) + (3 * HRNN_LANES_MAX + 1) * cell->ld + (3 * HRNN_LANES_MAX + 3) * HRNN_KERNEL_LINE;
}

/* One step of all lanes from h to next; a (rows,) is scratch. Returns in moved[l] how far each went. */
static void step_lanes(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, const double *A,
                       const double *drive, size_t n_lanes, double *const *h, double *const *next, double *const *a,
                       double *moved)
{
    static const double no_input[HRNN_INPUTS];
    const double *drives[HRNN_LANES_MAX], *states[HRNN_LANES_MAX];
    for (size_t l = 0; l < n_lanes; l++) {
        drives[l] = drive;
        states[l] = h[l];
    }
    kernel->gemm(cell->rows, n_lanes, cell->n_hidden, A, cell->ld, states, drives, a);
    for (size_t l = 0; l < n_lanes; l++) {
        kernel->leaky(cell->rows_back, cell->leak, A + cell->n_hidden * cell->ld, cell->ld, no_input, a[l], h[l], next[l]);
        double sum = 0;
        for (size_t i = 0; i < cell->n_hidden; i++)
            sum += (next[l][i] - h[l][i]) * (next[l][i] - h[l][i]);
        moved[l] = sqrt(sum);
    }
}

void hrnn_fixedpoint_iterate(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, const double *theta,
                             const double *x, size_t n, size_t max_steps, double tolerance, double *states,
                             int64_t *n_steps, double *scratch)
{
    size_t n_hidden = cell->n_hidden, of[HRNN_LANES_MAX], n_lanes = 0, next_start = 0;
    double *A = hrnn_kernel_take(&scratch, hrnn_cell_forward_size(cell)), *drive = hrnn_kernel_take(&scratch, cell->ld);
    double *h[HRNN_LANES_MAX], *next[HRNN_LANES_MAX], *a[HRNN_LANES_MAX], moved[HRNN_LANES_MAX];
    for (size_t l = 0; l < HRNN_LANES_MAX; l++) {
        h[l] = hrnn_kernel_take(&scratch, cell->ld);
        next[l] = hrnn_kernel_take(&scratch, cell->ld);
        a[l] = hrnn_kernel_take(&scratch, cell->ld);
    }
    hrnn_cell_pack(cell, theta, A);
    fill_drive(cell, A, x, drive);
    for (;;) {
        while (n_lanes < HRNN_LANES_MAX && next_start < n) {
            of[n_lanes] = next_start;
            n_steps[next_start] = 0;
            memcpy(h[n_lanes++], states + next_start++ * n_hidden, n_hidden * sizeof **h);
        }
        if (!n_lanes)
            return;
        step_lanes(kernel, cell, A, drive, n_lanes, h, next, a, moved);
        for (size_t l = n_lanes; l-- > 0;) {
            double *swap = h[l];
            h[l] = next[l];
            next[l] = swap;
            if (++n_steps[of[l]] < (int64_t)max_steps && !(moved[l] < tolerance))
                continue;
            memcpy(states + of[l] * n_hidden, h[l], n_hidden * sizeof **h);
            n_lanes--;
            of[l] = of[n_lanes];
            swap = h[l];
            h[l] = h[n_lanes];
            h[n_lanes] = swap;
        }
    }
}
