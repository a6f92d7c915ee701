#include "task.h"

#include <math.h>
#include <string.h>

/* Both laws are P(L = n) = ratio^n up to a constant on block_min..block_max. */
static double ratio(const struct hrnn_task *task)
{
    return task->block_law == HRNN_BLOCK_GEOMETRIC ? 1 - task->block_hazard : exp(-task->block_hazard);
}

void hrnn_task_block_pmf(const struct hrnn_task *task, double *pmf)
{
    size_t low = (size_t)task->block_min, high = (size_t)task->block_max;
    double q = ratio(task), p = 1, total = 0;
    for (size_t n = 0; n < low; n++)
        pmf[n] = 0;
    for (size_t n = low; n <= high; n++, p *= q)
        total += pmf[n] = p;
    for (size_t n = low; n <= high; n++)
        pmf[n] /= total;
}

void hrnn_task_block_hazard(const struct hrnn_task *task, const double *pmf, double *hazard)
{
    double survival = 0;
    for (size_t n = (size_t)task->block_max + 1; n-- > 0;) {
        survival += pmf[n];
        hazard[n] = survival > 0 ? pmf[n] / survival : 1;
    }
}

/* Inverse of the truncated law's distribution function: the same law as drawing again until the length is allowed. */
int64_t hrnn_task_sample_lengths(const struct hrnn_task *task, struct hrnn_rng rng, size_t n_blocks, int64_t *length)
{
    int64_t total = 0;
    double log_q = task->block_law == HRNN_BLOCK_GEOMETRIC ? log1p(-task->block_hazard) : -task->block_hazard;
    int64_t n_lengths = task->block_max - task->block_min + 1;
    double inside = -expm1((double)n_lengths * log_q);
    for (size_t i = 0; i < n_blocks; i++) {
        double u = hrnn_rng_uniform(rng);
        int64_t extra = (int64_t)(log1p(-u * inside) / log_q);
        total += length[i] = task->block_min + (extra < n_lengths ? extra : n_lengths - 1);
    }
    return total;
}

void hrnn_task_sample_trials(const struct hrnn_task *task, struct hrnn_rng rng, size_t n_trials,
                             const int8_t *block_side, int8_t *side, double *strength)
{
    for (size_t i = 0; i < n_trials; i++) {
        double p_right = 0.5 + block_side[i] * (task->p_block - 0.5);
        side[i] = hrnn_rng_uniform(rng) < p_right ? 1 : -1;
        strength[i] = task->strengths[hrnn_rng_categorical(rng, task->n_strengths, task->strength_weights)];
    }
}

void hrnn_task_sample_observations(const struct hrnn_task *task, struct hrnn_rng rng, size_t n_trials,
                                   const int8_t *side, const double *strength, double *observations)
{
    size_t n_obs = (size_t)task->n_obs_max;
    hrnn_rng_normal(rng, n_trials * n_obs * 2, observations);
    for (size_t i = 0; i < n_trials; i++, observations += 2 * n_obs) {
        double left = side[i] < 0 ? strength[i] : 0, right = side[i] > 0 ? strength[i] : 0;
        for (size_t t = 0; t < n_obs; t++) {
            observations[2 * t] = left + task->noise_sd * observations[2 * t];
            observations[2 * t + 1] = right + task->noise_sd * observations[2 * t + 1];
        }
    }
}

void hrnn_task_sample_session(const struct hrnn_task *task, struct hrnn_rng rng, size_t n_blocks, const int64_t *length,
                              int8_t *block_side, int8_t *side, double *strength, double *observations)
{
    size_t n_trials = (size_t)task->n_unbiased;
    int8_t b = hrnn_rng_uniform(rng) < 0.5 ? 1 : -1;
    memset(block_side, 0, n_trials);
    for (size_t i = 0; i < n_blocks; i++, b = (int8_t)-b) {
        memset(block_side + n_trials, b, (size_t)length[i]);
        n_trials += (size_t)length[i];
    }
    hrnn_task_sample_trials(task, rng, n_trials, block_side, side, strength);
    hrnn_task_sample_observations(task, rng, n_trials, side, strength, observations);
}

double hrnn_task_bound(const struct hrnn_task *task) { return log(task->threshold / (1 - task->threshold)); }
