#include "policy.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "linalg.h"
#include "scratch.h"

/* How many standard deviations of the sums the grid holds beyond their extreme means. */
static const double REACH = 4.5;

static double scale(const struct hrnn_task *task, enum hrnn_evidence evidence)
{
    return evidence == HRNN_EVIDENCE_DIFFERENCE ? sqrt(2) * task->noise_sd : task->noise_sd;
}

static double largest(const struct hrnn_task *task)
{
    double most = 0;
    for (size_t i = 0; i < task->n_strengths; i++)
        most = fmax(most, task->strengths[i]);
    return most;
}

/* The largest spacing <= limit that divides all strengths, if one of limit's first few fractions does; else limit. */
static double common_spacing(const struct hrnn_task *task, double unit, double limit)
{
    double smallest = INFINITY;
    for (size_t i = 0; i < task->n_strengths; i++)
        if (task->strengths[i] > 0)
            smallest = fmin(smallest, task->strengths[i] / unit);
    double spacing = smallest / ceil(smallest / limit);
    for (size_t i = 0; i < task->n_strengths; i++) {
        double steps = task->strengths[i] / unit / spacing;
        if (fabs(steps - round(steps)) > 1e-9 * fmax(1, steps))
            return limit;
    }
    return isfinite(smallest) && spacing > limit / 2 ? spacing : limit;
}

struct hrnn_policy_grid hrnn_policy_grid_of(const struct hrnn_task *task, enum hrnn_evidence evidence, double spacing)
{
    struct hrnn_policy_grid grid;
    double unit = scale(task, evidence), n = (double)task->n_obs_max;
    double high = n * largest(task) / unit + REACH * sqrt(n);
    grid.spacing = common_spacing(task, unit, spacing);
    grid.low = -ceil((evidence == HRNN_EVIDENCE_BOTH ? REACH * sqrt(n) : high) / grid.spacing) * grid.spacing;
    double n_points = ceil((high - grid.low) / grid.spacing) + 1;
    grid.n_right = n_points >= 2 && n_points <= HRNN_POLICY_POINTS_MAX ? (size_t)n_points : 0;
    grid.n_left = evidence == HRNN_EVIDENCE_BOTH ? grid.n_right : 1;
    return grid;
}

static size_t points(const struct hrnn_policy_grid *grid) { return grid->n_left * grid->n_right; }

/* What the two sides' observations say at a grid point: total likelihood of each side, already times its prior. */
struct tables {
    double *left, *right;             /* (n_strengths, n_right) joint with strength, priors included */
    double *left_total, *right_total; /* (n_right,) */
};

struct work {
    double *value, *blurred, *half; /* (n_left, n_right) */
    double *blur;                   /* (n_right, n_right) */
    struct tables tables;
};

static size_t lay_out(struct work *work, const struct hrnn_task *task, const struct hrnn_policy_grid *grid,
                      double *base)
{
    struct hrnn_scratch scratch = {base, 0};
    size_t n_points = points(grid), width = grid->n_right;
    work->value = hrnn_scratch_take(&scratch, n_points);
    work->blurred = hrnn_scratch_take(&scratch, n_points);
    work->half = hrnn_scratch_take(&scratch, n_points);
    work->blur = hrnn_scratch_take(&scratch, width * width);
    work->tables.left = hrnn_scratch_take(&scratch, task->n_strengths * width);
    work->tables.right = hrnn_scratch_take(&scratch, task->n_strengths * width);
    work->tables.left_total = hrnn_scratch_take(&scratch, width);
    work->tables.right_total = hrnn_scratch_take(&scratch, width);
    return scratch.used;
}

size_t hrnn_policy_solve_scratch(const struct hrnn_task *task, const struct hrnn_policy_grid *grid)
{
    struct work work;
    return lay_out(&work, task, grid, NULL);
}

/* blur (n, n): row i holds the weights of a standard normal around point i, what falls outside laid on the edges. */
static void fill_blur(size_t n, double spacing, double *blur)
{
    memset(blur, 0, n * n * sizeof *blur);
    long reach = (long)ceil(8 / spacing);
    for (size_t i = 0; i < n; i++) {
        double total = 0;
        for (long k = -reach; k <= reach; k++) {
            long j = (long)i + k;
            size_t at = j < 0 ? 0 : j >= (long)n ? n - 1 : (size_t)j;
            double x = (double)k * spacing, weight = exp(-0.5 * x * x);
            blur[i * n + at] += weight;
            total += weight;
        }
        for (size_t j = 0; j < n; j++)
            blur[i * n + j] /= total;
    }
}

/* P(mu) exp(mu S - n mu^2 / 2) on the grid points S of an axis, for one strength mu (in units of the noise). */
static void fill_likelihood(const struct hrnn_policy_grid *grid, double sign, double mu, double log_weight, size_t n,
                            double *likelihood)
{
    for (size_t i = 0; i < grid->n_right; i++) {
        double sum = grid->low + grid->spacing * (double)i;
        likelihood[i] = exp(log_weight + sign * mu * sum - 0.5 * (double)n * mu * mu);
    }
}

/* out[i] += scale factor[i] values[i + shift], held constant beyond the edges of values. */
static void add_shifted(size_t n, double scale, const double *factor, const double *values, long shift, double *out)
{
    long count = (long)n, first = shift < 0 ? -shift : 0, last = shift > 0 ? count - shift : count;
    first = first < count ? first : count;
    last = last > first ? last : first;
    for (long i = 0; i < first; i++)
        out[i] += scale * factor[i] * values[0];
    for (long i = first; i < last; i++)
        out[i] += scale * factor[i] * values[i + shift];
    for (long i = last; i < count; i++)
        out[i] += scale * factor[i] * values[n - 1];
}

/* Reading `shift` grid steps ahead: a whole number of steps, and the weights of the four points around the rest. */
struct shift {
    long whole;
    size_t n_weights;
    double weights[4];
};

/* Steps beyond any grid, and those that are no number, become FAR ones: what they read is held constant there. */
static const double FAR = 1 << 30;

static struct shift shift_of(double steps)
{
    steps = fmin(fmax(steps, -FAR), FAR);
    double whole = round(steps), f;
    if (fabs(steps - whole) < 1e-9)
        return (struct shift){(long)whole, 1, {1}};
    whole = floor(steps);
    f = steps - whole;
    struct shift shift = {(long)whole - 1, 4, {0}};
    shift.weights[0] = -f * (f - 1) * (f - 2) / 6;
    shift.weights[1] = (f + 1) * (f - 1) * (f - 2) / 2;
    shift.weights[2] = -(f + 1) * f * (f - 2) / 2;
    shift.weights[3] = (f + 1) * f * (f - 1) / 6;
    return shift;
}

/* sum += likelihood times the blurred value, read where strength mu on the right (left) moves the sums to. */
static void add_right(const struct hrnn_policy_grid *grid, double mu, const double *likelihood, const double *blurred,
                      double *sum)
{
    struct shift shift = shift_of(mu / grid->spacing);
    for (size_t i = 0; i < grid->n_left; i++)
        for (size_t k = 0; k < shift.n_weights; k++)
            add_shifted(grid->n_right, shift.weights[k], likelihood, blurred + i * grid->n_right, shift.whole + (long)k,
                        sum + i * grid->n_right);
}

static void add_left(const struct hrnn_policy_grid *grid, double mu, const double *likelihood, const double *blurred,
                     double *sum)
{
    struct shift shift = shift_of(mu / grid->spacing);
    long n = (long)grid->n_left;
    for (long i = 0; i < n; i++)
        for (size_t k = 0; k < shift.n_weights; k++) {
            long at = i + shift.whole + (long)k;
            const double *row = blurred + (size_t)(at < 0 ? 0 : at < n ? at : n - 1) * grid->n_right;
            double weight = shift.weights[k] * likelihood[i], *out = sum + (size_t)i * grid->n_right;
            for (size_t j = 0; j < grid->n_right; j++)
                out[j] += weight * row[j];
        }
}

static void fill_tables(const struct hrnn_believer *believer, const struct hrnn_policy_grid *grid, double prior,
                        size_t n, struct tables *tables)
{
    const struct hrnn_task *task = believer->task;
    double unit = scale(task, believer->evidence);
    double left_sign = believer->evidence == HRNN_EVIDENCE_BOTH ? 1 : -1;
    size_t width = grid->n_right;
    memset(tables->left_total, 0, width * sizeof(double));
    memset(tables->right_total, 0, width * sizeof(double));
    for (size_t m = 0; m < task->n_strengths; m++) {
        double *left = tables->left + m * width, *right = tables->right + m * width, mu = task->strengths[m] / unit;
        fill_likelihood(grid, left_sign, mu, believer->log_weights[m] + log(1 - prior), n, left);
        fill_likelihood(grid, 1, mu, believer->log_weights[m] + log(prior), n, right);
        for (size_t i = 0; i < width; i++) {
            tables->left_total[i] += left[i];
            tables->right_total[i] += right[i];
        }
    }
}

/* Posterior-weighted mean of the next value over both sides and all strengths, at each grid point. */
static void expect(const struct hrnn_believer *believer, const struct hrnn_policy_grid *grid,
                   const struct tables *tables, const double *blurred, double *mean)
{
    const struct hrnn_task *task = believer->task;
    int both = believer->evidence == HRNN_EVIDENCE_BOTH;
    double unit = scale(task, believer->evidence);
    memset(mean, 0, points(grid) * sizeof *mean);
    for (size_t m = 0; m < task->n_strengths; m++) {
        const double *left = tables->left + m * grid->n_right, *right = tables->right + m * grid->n_right;
        double mu = task->strengths[m] / unit;
        add_right(grid, mu, right, blurred, mean);
        if (both)
            add_left(grid, mu, left, blurred, mean);
        else
            add_right(grid, -mu, left, blurred, mean);
    }
    for (size_t i = 0; i < grid->n_left; i++)
        for (size_t j = 0; j < grid->n_right; j++)
            mean[i * grid->n_right + j] /= tables->left_total[both ? i : j] + tables->right_total[j];
}

/* value = max(value, 2 max(p, 1 - p) - 1): acting now against the value of going on. */
static void act_if_better(const struct hrnn_believer *believer, const struct hrnn_policy_grid *grid,
                          const struct tables *tables, double *value)
{
    int both = believer->evidence == HRNN_EVIDENCE_BOTH;
    for (size_t i = 0; i < grid->n_left; i++)
        for (size_t j = 0; j < grid->n_right; j++) {
            double left = tables->left_total[both ? i : j], right = tables->right_total[j];
            double act = fabs(right - left) / (right + left);
            if (!(value[i * grid->n_right + j] > act))
                value[i * grid->n_right + j] = act;
        }
}

/* blurred = blur value blur' on the square grid, value blur' on a line. */
static void convolve(const struct hrnn_policy_grid *grid, const double *blur, const double *value, double *half,
                     double *blurred)
{
    size_t n = grid->n_right;
    double *rows = grid->n_left > 1 ? half : blurred;
    hrnn_linalg_gemm_transposed(grid->n_left, n, n, 1, value, n, blur, n, 0, rows, n);
    if (grid->n_left > 1)
        hrnn_linalg_gemm(n, n, n, 1, blur, n, half, n, 0, blurred, n);
}

enum hrnn_status hrnn_policy_solve(const struct hrnn_believer *believer, const struct hrnn_policy_grid *grid,
                                   double prior, double rho, double *wait, double *at_start, double *scratch,
                                   struct hrnn_watch *watch)
{
    const struct hrnn_task *task = believer->task;
    size_t n_points = points(grid), width = grid->n_right, origin = (size_t)lround(-grid->low / grid->spacing);
    struct work work;
    assert(grid->n_left == 1 || grid->n_left == grid->n_right);
    assert(origin < width && scratch);
    assert(prior > 0 && prior < 1);
    lay_out(&work, task, grid, scratch);
    double *value = work.value;
    fill_blur(width, grid->spacing, work.blur);
    for (size_t i = 0; i < n_points; i++)
        value[i] = -INFINITY;
    fill_tables(believer, grid, prior, (size_t)task->n_obs_max, &work.tables);
    for (size_t n = (size_t)task->n_obs_max; n > 0; n--) {
        act_if_better(believer, grid, &work.tables, value);
        convolve(grid, work.blur, value, work.half, work.blurred);
        if (hrnn_status_ends(watch, 2 * n_points * width))
            return HRNN_STOPPED;
        fill_tables(believer, grid, prior, n - 1, &work.tables);
        expect(believer, grid, &work.tables, work.blurred, value);
        if (n == 1)
            break;
        for (size_t i = 0; i < n_points; i++)
            value[i] += task->wait_penalty - rho;
        memcpy(wait + (n - 2) * n_points, value, n_points * sizeof *value);
    }
    *at_start = value[(grid->n_left > 1 ? origin * width : 0) + origin] - rho;
    return HRNN_OK;
}

/* ---- acting on it ---------------------------------------------------------------------------------------------- */

/* Position of x on an axis: the cell's index, and how far into it; clamped to the axis. */
static size_t locate(double x, size_t n, double *fraction)
{
    x = fmin(fmax(x, 0), (double)(n - 1));
    size_t i = n > 1 ? (size_t)fmin(floor(x), (double)(n - 2)) : 0;
    *fraction = x - (double)i;
    return i;
}

/* Linear between two neighbours of a line; a line of one point has no neighbour. */
static double between(const double *values, size_t stride, double fraction)
{
    return fraction > 0 ? (1 - fraction) * values[0] + fraction * values[stride] : values[0];
}

static double bilinear(const struct hrnn_policy_grid *grid, const double *values, double left, double right)
{
    double f, g;
    size_t i = locate((left - grid->low) / grid->spacing * (grid->n_left > 1), grid->n_left, &f);
    size_t j = locate((right - grid->low) / grid->spacing, grid->n_right, &g);
    const double *corner = values + i * grid->n_right + j;
    double low = between(corner, 1, g);
    return f > 0 ? (1 - f) * low + f * between(corner + grid->n_right, 1, g) : low;
}

double hrnn_policy_margin(const void *context, size_t n_obs, double sum_left, double sum_right, double prior,
                          double log_odds)
{
    const struct hrnn_policy *policy = context;
    const struct hrnn_task *task = policy->believer->task;
    const struct hrnn_policy_grid *grid = &policy->grid;
    double at_once = log_odds < 0 ? -INFINITY : INFINITY, unit = scale(task, policy->believer->evidence), f;
    size_t n_points = points(grid), per_prior = ((size_t)task->n_obs_max - 1) * n_points;
    if (n_obs >= (size_t)task->n_obs_max)
        return at_once;
    assert(n_obs > 0 && policy->n_priors > 0 && policy->wait);
    double left = sum_left / unit, right = sum_right / unit;
    if (grid->n_left == 1)
        right -= left;
    if (prior < 0.5) { /* the mirror image */
        double swap = left;
        left = right;
        right = grid->n_left > 1 ? swap : -right;
    }
    double logit = fabs(log(prior / (1 - prior)));
    double cells = policy->logit_max > 0 ? logit / policy->logit_max * (double)(policy->n_priors - 1) : 0;
    const double *wait = policy->wait + locate(cells, policy->n_priors, &f) * per_prior + (n_obs - 1) * n_points;
    double go_on = bilinear(grid, wait, left, right);
    if (f > 0)
        go_on = (1 - f) * go_on + f * bilinear(grid, wait + per_prior, left, right);
    return go_on > tanh(fabs(log_odds) / 2) ? 0 : at_once;
}
