#include "choice.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Trials in one block of the decision stage: all its arrays fit into the innermost cache. */
enum { BLOCK = 128, COLUMNS = 16 };
_Static_assert(BLOCK % HRNN_KERNEL_WIDTH == 0 && COLUMNS % HRNN_KERNEL_WIDTH == 0, "whole vectors");

static const double PRIOR_MIN = 1e-7; /* priors are clipped to this and 1 minus this */
static const double P_MIN = 1e-300;   /* so that the logarithm of an impossible choice is a number */

static const char prior_names[HRNN_CHOICE_PRIOR_COUNT][24] = {
    "action_kernel", "stimulus_kernel", "four_alpha", "exponential", "markov",
};

const char *hrnn_choice_prior_name(enum hrnn_choice_prior model) { return prior_names[model]; }

/* ---- priors ----------------------------------------------------------------------------------------------------- */

size_t hrnn_choice_prior_parameters(enum hrnn_choice_prior model)
{
    static const size_t n[HRNN_CHOICE_PRIOR_COUNT] = {1, 1, 4, 3, 2};
    assert(model < HRNN_CHOICE_PRIOR_COUNT);
    return n[model];
}

static int starts(const struct hrnn_choice_trials *trials, size_t r)
{
    return r == 0 || trials->session[r] != trials->session[r - 1];
}

/* A kernel over past choices or sides. */
static void kernel_prior(const struct hrnn_choice_trials *trials, const int8_t *of, double alpha, double *prior,
                         double *dprior)
{
    double p = 0.5, dp = 0;
    for (size_t r = 0; r < trials->n; r++) {
        if (starts(trials, r)) {
            p = 0.5;
            dp = 0;
        }
        prior[r] = p;
        dprior[r] = dp;
        if (!trials->choice[r])
            continue;
        double gap = (of[r] > 0) - p;
        dp += gap - alpha * dp;
        p += alpha * gap;
    }
}

static void four_alpha(const struct hrnn_choice_trials *trials, const double alpha[4], double *prior, double *dprior)
{
    size_t n = trials->n;
    double p = 0.5, dp[4] = {0};
    for (size_t r = 0; r < n; r++) {
        if (starts(trials, r)) {
            p = 0.5;
            memset(dp, 0, sizeof dp);
        }
        prior[r] = p;
        for (size_t k = 0; k < 4; k++)
            dprior[k * n + r] = dp[k];
        if (!trials->choice[r])
            continue;
        size_t wrong = trials->choice[r] != trials->side[r], chosen = wrong, other = 2 + wrong;
        size_t right = trials->choice[r] > 0 ? chosen : other, left = trials->choice[r] > 0 ? other : chosen;
        double came = trials->side[r] > 0, v_right = p + alpha[right] * (came - p);
        double v_left = (1 - p) + alpha[left] * (p - came), total = v_right + v_left;
        for (size_t k = 0; k < 4; k++) {
            double d_right = (1 - alpha[right]) * dp[k] + (k == right ? came - p : 0);
            double d_left = -(1 - alpha[left]) * dp[k] + (k == left ? p - came : 0);
            dp[k] = (d_right * v_left - v_right * d_left) / (total * total);
        }
        p = v_right / total;
    }
}

/* Sums over the past and their derivatives by tau; shift 0 lets the present in, with weight 1. */
static void exponential(const struct hrnn_choice_trials *trials, int shift, const double parameters[3], double *prior,
                        double *dprior)
{
    size_t n = trials->n;
    double tau = parameters[0], decay = exp(-1 / tau), ddecay = decay / (tau * tau), sum[2] = {0}, dsum[2] = {0};
    for (size_t r = 0; r < n; r++) {
        if (starts(trials, r))
            sum[0] = sum[1] = dsum[0] = dsum[1] = 0;
        double now[2] = {sum[0], sum[1]};
        size_t side = trials->side[r] > 0;
        int counts = trials->choice[r] != 0;
        if (!shift && counts)
            now[side] += 1;
        double right = now[1] + parameters[1], left = now[0] + parameters[2], total = right + left;
        prior[r] = right / total;
        dprior[r] = (dsum[1] * left - right * dsum[0]) / (total * total);
        dprior[n + r] = left / (total * total);
        dprior[2 * n + r] = -right / (total * total);
        if (!counts)
            continue;
        sum[side] += 1;
        for (size_t s = 0; s < 2; s++) {
            dsum[s] = decay * dsum[s] + ddecay * sum[s];
            sum[s] *= decay;
        }
    }
}

static void markov(const struct hrnn_choice_trials *trials, const double parameters[2], double *prior, double *dprior)
{
    size_t n = trials->n;
    double hazard = parameters[0], gamma = parameters[1], b = 0.5, db[2] = {0};
    for (size_t r = 0; r < n; r++) {
        if (starts(trials, r)) {
            b = 0.5;
            memset(db, 0, sizeof db);
        }
        prior[r] = trials->biased[r] ? gamma * b + (1 - gamma) * (1 - b) : 0.5;
        for (size_t k = 0; k < 2; k++)
            dprior[k * n + r] = trials->biased[r] ? (2 * gamma - 1) * db[k] + (k == 1) * (2 * b - 1) : 0;
        if (!trials->choice[r] || !trials->biased[r])
            continue;
        int came = trials->side[r] > 0;
        double right = came ? gamma : 1 - gamma, left = 1 - right, sign = came ? 1 : -1; /* d right / d gamma = sign */
        double total = right * b + left * (1 - b), after = right * b / total;
        for (size_t k = 0; k < 2; k++) {
            double d = right * left * db[k] / (total * total) + (k == 1) * sign * b * (1 - b) / (total * total);
            db[k] = (1 - 2 * hazard) * d + (k == 0) * (1 - 2 * after);
        }
        b = hazard + (1 - 2 * hazard) * after;
    }
}

void hrnn_choice_prior(enum hrnn_choice_prior model, const struct hrnn_choice_trials *trials, int shift,
                       const double *parameters, double *prior, double *dprior)
{
    switch (model) {
    case HRNN_CHOICE_ACTION_KERNEL:
        kernel_prior(trials, trials->choice, parameters[0], prior, dprior);
        break;
    case HRNN_CHOICE_STIMULUS_KERNEL:
        kernel_prior(trials, trials->side, parameters[0], prior, dprior);
        break;
    case HRNN_CHOICE_FOUR_ALPHA:
        four_alpha(trials, parameters, prior, dprior);
        break;
    case HRNN_CHOICE_EXPONENTIAL:
        exponential(trials, shift, parameters, prior, dprior);
        break;
    default:
        markov(trials, parameters, prior, dprior);
    }
}

/* ---- decision --------------------------------------------------------------------------------------------------- */

size_t hrnn_choice_decision_parameters(const struct hrnn_choice_decision *decision)
{
    return (decision->one_zeta ? 1u : 2u) + (decision->one_lapse ? 1u : 2u) + (decision->repeats ? 1u : 0u) +
           (decision->leans ? 1u : 0u);
}

/* What a contrast's side (0 left, 1 none, 2 right) makes of the parameters. */
struct side {
    double per_zeta, slope, dslope, lapse, share[2]; /* slope = sqrt(1 + zeta^2/sigma^2); share of the two parameters */
};

static void sides_of(const struct hrnn_choice_decision *decision, struct side sides[3])
{
    assert(decision->sigma > 0 && decision->zeta[0] > 0 && decision->zeta[1] > 0);
    for (size_t s = 0; s < 3; s++) {
        double right = 0.5 * (double)s, zeta = (1 - right) * decision->zeta[0] + right * decision->zeta[1];
        double slope = sqrt(1 + zeta * zeta / (decision->sigma * decision->sigma));
        sides[s].per_zeta = 1 / zeta;
        sides[s].slope = slope;
        sides[s].dslope = zeta / (decision->sigma * decision->sigma * slope);
        sides[s].lapse = (1 - right) * decision->lapse[0] + right * decision->lapse[1];
        sides[s].share[0] = 1 - right;
        sides[s].share[1] = right;
    }
}

static size_t side_of(double contrast) { return contrast > 0 ? 2 : contrast < 0 ? 0 : 1; }

/* Arrays of one block of trials. */
struct block {
    double prior[BLOCK], u[BLOCK], density_u[BLOCK], w[BLOCK], density[BLOCK], cumulative[BLOCK], p[BLOCK],
        log_p[BLOCK], row[BLOCK * COLUMNS];
};

/* The scratch: doubles only, so that the struct is its layout and its size. */
struct work {
    struct block block;
    double G[COLUMNS * COLUMNS];
};

size_t hrnn_choice_scratch(void) { return sizeof(struct work) / sizeof(double); }

/* u = probit(pi), its density, and w = c/zeta + slope u + bias, of n trials from `first` on, padded to the kernel's width. */
static size_t evidence(const struct hrnn_kernel *kernel, const struct hrnn_choice_trials *trials,
                       const struct side sides[3], double bias, const double *prior, size_t first, struct block *block)
{
    size_t n = trials->n - first < BLOCK ? trials->n - first : BLOCK;
    size_t padded = hrnn_kernel_round_up(n, HRNN_KERNEL_WIDTH);
    for (size_t i = 0; i < n; i++) {
        double p = prior[first + i];
        block->prior[i] = p < PRIOR_MIN ? PRIOR_MIN : p > 1 - PRIOR_MIN ? 1 - PRIOR_MIN : p;
    }
    for (size_t i = n; i < padded; i++)
        block->prior[i] = 0.5;
    kernel->probit(padded, block->prior, block->u);
    for (size_t i = 0; i < n; i++) {
        const struct side *side = sides + side_of(trials->contrast[first + i]);
        block->w[i] = trials->contrast[first + i] * side->per_zeta + side->slope * block->u[i] + bias;
    }
    for (size_t i = n; i < padded; i++)
        block->w[i] = 0;
    return n;
}

/* Probability of each choice, and the gradient rows [zeta.., lapse.., repetition, bias, prior.., 0..] of its logarithm. */
static void derive(const struct hrnn_choice_trials *trials, const struct hrnn_choice_decision *decision,
                   const struct side sides[3], const double *prior, size_t n_prior, const double *dprior, size_t first,
                   size_t n, struct block *block)
{
    size_t n_decision = hrnn_choice_decision_parameters(decision);
    for (size_t i = 0; i < n; i++) {
        size_t r = first + i;
        const struct side *side = sides + side_of(trials->contrast[r]);
        double a = trials->choice[r], rho = trials->previous[r] ? decision->repetition : 0;
        double c = block->cumulative[i], left = 1 - side->lapse - rho, same = trials->previous[r] == trials->choice[r];
        double p = a != 0 ? left * c + 0.5 * side->lapse + rho * same : 1;
        p = p > P_MIN ? p : P_MIN;
        double per_p = (a != 0) / p, dw = per_p * left * a * block->density[i], du = dw * side->slope;
        double dzeta = dw * (-trials->contrast[r] * side->per_zeta * side->per_zeta + block->u[i] * side->dslope);
        double dlapse = per_p * (0.5 - c), *row = block->row + i * COLUMNS;
        block->p[i] = p;
        row[0] = decision->one_zeta ? dzeta : dzeta * side->share[0];
        if (!decision->one_zeta)
            *++row = dzeta * side->share[1];
        *++row = decision->one_lapse ? dlapse : dlapse * side->share[0];
        if (!decision->one_lapse)
            *++row = dlapse * side->share[1];
        if (decision->repeats)
            *++row = trials->previous[r] ? per_p * (same - c) : 0;
        if (decision->leans)
            *++row = dw;
        double clipped = prior[r] < PRIOR_MIN || prior[r] > 1 - PRIOR_MIN; /* then it does not move */
        double dpi = n_prior && !clipped ? du / block->density_u[i] : 0;
        for (size_t k = 0; k < n_prior; k++)
            block->row[i * COLUMNS + n_decision + k] = dpi * dprior[k * trials->n + r];
        block->row[i * COLUMNS + n_decision + n_prior] = 1;
    }
}

enum hrnn_status hrnn_choice_likelihood(const struct hrnn_kernel *kernel, const struct hrnn_choice_trials *trials,
                                        const struct hrnn_choice_decision *decision, const double *prior,
                                        size_t n_prior, const double *dprior, double *log_likelihood, double *gradient,
                                        double *outer, double *log_p, double *scratch)
{
    struct work *work = (struct work *)scratch;
    struct block *block = &work->block;
    struct side sides[3];
    size_t n_parameters = hrnn_choice_decision_parameters(decision) + n_prior;
    size_t rows = hrnn_kernel_round_up(n_parameters + 1, HRNN_KERNEL_WIDTH);
    double total = 0;
    assert(n_prior <= HRNN_CHOICE_PRIOR_PARAMETERS_MAX && rows <= COLUMNS && scratch);
    sides_of(decision, sides);
    memset(work, 0, sizeof *work);
    for (size_t first = 0; first < trials->n; first += BLOCK) {
        size_t n = evidence(kernel, trials, sides, decision->bias, prior, first, block);
        size_t padded = hrnn_kernel_round_up(n, HRNN_KERNEL_WIDTH);
        if (n_prior)
            kernel->normal(padded, block->u, block->density_u, block->cumulative);
        for (size_t i = 0; i < n; i++)
            block->w[i] *= trials->choice[first + i];
        kernel->normal(padded, block->w, block->density, block->cumulative);
        derive(trials, decision, sides, prior, n_prior, dprior, first, n, block);
        for (size_t i = n; i < padded; i++)
            block->p[i] = 1;
        kernel->log(padded, block->p, block->log_p);
        for (size_t i = 0; i < n; i++)
            total += block->log_p[i];
        if (log_p)
            memcpy(log_p + first, block->log_p, n * sizeof *log_p);
        kernel->outer(rows, n_parameters, n, block->row, COLUMNS, block->row, COLUMNS, work->G, COLUMNS);
    }
    for (size_t j = 0; j < n_parameters; j++) {
        gradient[j] = work->G[j * COLUMNS + n_parameters];
        for (size_t i = 0; i < n_parameters; i++)
            outer[i * n_parameters + j] = work->G[j * COLUMNS + i];
    }
    *log_likelihood = total;
    return isfinite(total) ? HRNN_OK : HRNN_NONFINITE;
}

void hrnn_choice_p_right(const struct hrnn_kernel *kernel, const struct hrnn_choice_trials *trials,
                         const struct hrnn_choice_decision *decision, const double *prior, double *p_right,
                         double *scratch)
{
    struct block *block = &((struct work *)scratch)->block;
    struct side sides[3];
    sides_of(decision, sides);
    for (size_t first = 0; first < trials->n; first += BLOCK) {
        size_t n = evidence(kernel, trials, sides, decision->bias, prior, first, block);
        kernel->normal(hrnn_kernel_round_up(n, HRNN_KERNEL_WIDTH), block->w, block->density, block->cumulative);
        for (size_t i = 0; i < n; i++) {
            size_t r = first + i;
            double lapse = sides[side_of(trials->contrast[r])].lapse;
            double rho = trials->previous[r] ? decision->repetition : 0;
            p_right[r] = (1 - lapse - rho) * block->cumulative[i] + 0.5 * lapse + rho * (trials->previous[r] > 0);
        }
    }
}
