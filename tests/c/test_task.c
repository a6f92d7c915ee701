/* The law of block lengths, the sampling of trials within computed bounds, and every row of the table of feedback.
   Returns non-zero on failure. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "task.h"

enum { DRAWS = 20000, N_OBS = 3, BLANKS = 2 };

static const double strengths[3] = {0, 1, 2}, weights[3] = {0.2, 0.5, 0.3};

static struct hrnn_task task_of(enum hrnn_block_law law)
{
    return (struct hrnn_task){3, strengths, weights, 0.8, law, 0.02, 20, 100, 0, BLANKS, N_OBS, 0.9, -0.05, 1.5};
}

/* |mean of n draws - expected| within 5 standard errors. */
static int near(double mean, double expected, double sd, double n) { return fabs(mean - expected) < 5 * sd / sqrt(n); }

static int check_lengths(struct hrnn_rng rng, enum hrnn_block_law law, double mean_of_paper)
{
    struct hrnn_task task = task_of(law);
    double pmf[101], hazard[101], total = 0, mean = 0, square = 0, survival = 1, seen = 0;
    int64_t *length = malloc(DRAWS * sizeof *length);
    int failures = 0, in_range = 1;
    if (law == HRNN_BLOCK_EXPONENTIAL) {
        task.block_hazard = 1.0 / 60;
        task.block_max = 99;
    }
    hrnn_task_block_pmf(&task, pmf);
    hrnn_task_block_hazard(&task, pmf, hazard);
    for (int n = 0; n <= task.block_max; n++) {
        failures += !(fabs(hazard[n] - pmf[n] / survival) < 1e-12);
        survival -= pmf[n];
        survival = n + 1 == task.block_max ? pmf[n + 1] : survival; /* what rounding left */
        total += pmf[n];
        mean += n * pmf[n];
        square += (double)n * n * pmf[n];
    }
    hrnn_task_sample_lengths(&task, rng, DRAWS, length);
    for (int i = 0; i < DRAWS; i++) {
        in_range &= length[i] >= task.block_min && length[i] <= task.block_max;
        seen += (double)length[i] / DRAWS;
    }
    free(length);
    return expect(!failures, "task", "hazard is P(L = n) / P(L >= n)") +
           expect(fabs(total - 1) < 1e-14, "task", "pmf sums to 1") +
           expect(fabs(mean - mean_of_paper) < 0.01, "task", "mean block length of the task") +
           expect(in_range, "task", "block lengths in range") +
           expect(near(seen, mean, sqrt(square - mean * mean), DRAWS), "task", "mean of sampled block lengths");
}

/* block_side -1, +1, 0: P(right) is 1 - p_block, p_block, 1/2. */
static int check_trials(struct hrnn_rng rng, int8_t block_side, double p_right)
{
    struct hrnn_task task = task_of(HRNN_BLOCK_GEOMETRIC);
    int8_t *block = malloc(DRAWS), *side = malloc(DRAWS);
    double *strength = malloc(DRAWS * sizeof *strength), *o = malloc((size_t)DRAWS * N_OBS * 2 * sizeof *o);
    double right = 0, of[3] = {0}, mean[2] = {0}, square[2] = {0}, n = (double)DRAWS * N_OBS;
    for (int i = 0; i < DRAWS; i++)
        block[i] = block_side;
    hrnn_task_sample_trials(&task, rng, DRAWS, block, side, strength);
    hrnn_task_sample_observations(&task, rng, DRAWS, side, strength, o);
    for (int i = 0; i < DRAWS; i++) {
        right += (side[i] > 0) / (double)DRAWS;
        of[(int)strength[i]] += 1.0 / DRAWS;
        for (int t = 0; t < 2 * N_OBS; t++) {
            int on_stimulus = (t % 2 ? 1 : -1) == side[i];
            double residual = o[2 * N_OBS * i + t] - on_stimulus * strength[i];
            mean[on_stimulus] += residual / n;
            square[on_stimulus] += residual * residual / n;
        }
    }
    free(block);
    free(side);
    free(strength);
    free(o);
    int failures = expect(near(right, p_right, 0.5, DRAWS), "task", "P(side = right)");
    for (int k = 0; k < 3; k++)
        failures += expect(near(of[k], weights[k], 0.5, DRAWS), "task", "frequency of a strength");
    for (int k = 0; k < 2; k++) {
        failures += expect(near(mean[k], 0, 1.5, n), "task", "mean of the observations");
        failures += expect(near(square[k], 2.25, sqrt(2) * 2.25, n), "task", "variance of the observations");
    }
    return failures;
}

/* One trial of side `side` with log odds `margin` at every step: its feedback, step by step, is compared. */
static int check_trial(double margin, int8_t side, const double *feedback, int8_t choice, int64_t n_obs)
{
    struct hrnn_task task = task_of(HRNN_BLOCK_GEOMETRIC);
    const double observations[2 * N_OBS] = {1, 2, 3, 4, 5, 6};
    struct hrnn_sessions sessions = {.n_trials = 1, .side = &side, .observations = observations};
    struct hrnn_place place = {0, 0, 0.25};
    double x[3], bound = hrnn_task_bound(&task), before = 0.25;
    int8_t chosen = 7;
    int64_t n = 0;
    int failures = 0;
    for (size_t t = 0; place.trial == 0; t++) {
        hrnn_task_observe(&task, &sessions, &place, x);
        int blank = t < BLANKS;
        failures += x[2] != before || x[0] != (blank ? 0 : observations[2 * (t - BLANKS)]) ||
                    x[1] != (blank ? 0 : observations[2 * (t - BLANKS) + 1]);
        hrnn_task_act(&task, &sessions, bound, margin, &place, &chosen, &n);
        failures += place.feedback != feedback[t];
        before = place.feedback;
    }
    return expect(!failures && chosen == choice && n == n_obs && place.step == 0, "task",
                  "a row of the table of feedback");
}

static int check_feedback(void)
{
    struct hrnn_task task = task_of(HRNN_BLOCK_GEOMETRIC);
    static const double right[] = {0, 0, 1}, wrong[] = {0, 0, -1}, never[] = {0, 0, -0.05, -0.05, -1};
    double bound = hrnn_task_bound(&task);
    return expect(fabs(1 / (1 + exp(-bound)) - 0.9) < 1e-15, "task", "the bound is the threshold's log odds") +
           check_trial(2 * bound, 1, right, 1, 1) + check_trial(2 * bound, -1, wrong, 1, 1) +
           check_trial(-2 * bound, -1, right, -1, 1) + check_trial(-2 * bound, 1, wrong, -1, 1) +
           check_trial(bound, 1, never, 0, N_OBS) + check_trial(-bound, -1, never, 0, N_OBS) +
           check_trial(NAN, 1, never, 0, N_OBS);
}

int main(void)
{
    uint64_t seed = 11;
    bitgen_t bitgen = {.state = &seed, .next_uint64 = next_uint64, .next_double = next_double};
    struct hrnn_ziggurat ziggurat;
    struct hrnn_rng rng = {&bitgen, &ziggurat};
    hrnn_rng_ziggurat_fill(&ziggurat);
    int failed = check_lengths(rng, HRNN_BLOCK_GEOMETRIC, 49.42) + check_lengths(rng, HRNN_BLOCK_EXPONENTIAL, 50.87);
    failed += check_trials(rng, -1, 0.2) + check_trials(rng, 1, 0.8) + check_trials(rng, 0, 0.5) + check_feedback();
    return failed != 0;
}
