/* The decision task: its numbers, the sampling of whole sessions, and the logic of a trial.
   The random content of a session does not depend on what an agent does, so sessions are data (struct
   hrnn_sessions) and a rollout is a function of agent and sessions. Not here: any agent. */
#ifndef HRNN_TASK_H
#define HRNN_TASK_H

#include <stddef.h>
#include <stdint.h>

#include "rng.h"
#include "status.h"

enum hrnn_block_law { HRNN_BLOCK_GEOMETRIC, HRNN_BLOCK_EXPONENTIAL };

struct hrnn_task {
    size_t n_strengths;
    const double *strengths;        /* (n_strengths,) mean of an observation on the stimulus side */
    const double *strength_weights; /* (n_strengths,) sums to 1 */
    double p_block;                 /* P(side = block side) */
    int64_t block_law;              /* enum hrnn_block_law */
    double block_hazard;            /* per trial, before truncation to block_min..block_max */
    int64_t block_min, block_max;
    int64_t n_unbiased;             /* trials with P(right) = 1/2 before the first block of a session */
    int64_t n_blank, n_obs_max;     /* steps */
    double threshold;               /* of max(p, 1 - p) */
    double wait_penalty;
    double noise_sd;
};

/* Trials of one or many sessions, flat (R trials). */
struct hrnn_sessions {
    size_t n_trials;            /* R */
    const int64_t *session;     /* (R,) */
    const int8_t *block_side;   /* (R,) 0 in unbiased trials */
    const int8_t *side;         /* (R,) */
    const double *observations; /* (R, n_obs_max, 2) left, right */
};

/* P(L = n) for n = 0..block_max, into pmf (block_max + 1,). */
void hrnn_task_block_pmf(const struct hrnn_task *task, double *pmf);

/* H(n) = P(L = n) / P(L >= n) for n = 0..block_max; 1 where P(L >= n) = 0. */
void hrnn_task_block_hazard(const struct hrnn_task *task, const double *pmf, double *hazard);

/* Lengths of blocks; returns their sum. */
int64_t hrnn_task_sample_lengths(const struct hrnn_task *task, struct hrnn_rng rng, size_t n_blocks,
                                 int64_t *length /* (n_blocks,) */);

/* Side and strength of each trial, given the side of its block (0: unbiased). */
void hrnn_task_sample_trials(const struct hrnn_task *task, struct hrnn_rng rng, size_t n_trials,
                             const int8_t *block_side, int8_t *side, double *strength);

void hrnn_task_sample_observations(const struct hrnn_task *task, struct hrnn_rng rng, size_t n_trials,
                                   const int8_t *side, const double *strength,
                                   double *observations /* (R, n_obs_max, 2) */);

/* One whole session, its number of trials being n_unbiased plus the sum of length: block sides alternate from a fair
   coin, after the unbiased start. */
void hrnn_task_sample_session(const struct hrnn_task *task, struct hrnn_rng rng, size_t n_blocks,
                              const int64_t *length /* (n_blocks,) */, int8_t *block_side /* (R,) */,
                              int8_t *side /* (R,) */, double *strength /* (R,) */,
                              double *observations /* (R, n_obs_max, 2) */);

/* Is trial r the first of its session? session is (R,). */
static inline int hrnn_task_starts_session(const int64_t *session, size_t r)
{
    return r == 0 || session[r] != session[r - 1];
}

/* A session in progress: where it is, and the feedback produced by the step before. */
struct hrnn_place {
    size_t trial, step; /* step in the trial, blanks included */
    double feedback;
};

/* logit of the threshold: an agent acts when |log odds| exceeds it. */
double hrnn_task_bound(const struct hrnn_task *task);

/* x = (o^L, o^R, r) at this place. */
static inline void hrnn_task_observe(const struct hrnn_task *task, const struct hrnn_sessions *sessions,
                                     const struct hrnn_place *place, double *x /* (I,) */)
{
    size_t n_blank = (size_t)task->n_blank;
    x[0] = x[1] = 0;
    if (place->step >= n_blank) {
        const double *o = sessions->observations + 2 * (place->trial * (size_t)task->n_obs_max + place->step - n_blank);
        x[0] = o[0];
        x[1] = o[1];
    }
    x[2] = place->feedback;
}

/* Takes one step with log odds `margin` = log p/(1-p) of right. A trial that ends fills its choice and n_obs. */
static inline void hrnn_task_act(const struct hrnn_task *task, const struct hrnn_sessions *sessions, double bound,
                                 double margin, struct hrnn_place *place, int8_t *choice /* (R,) */,
                                 int64_t *n_obs /* (R,) */)
{
    size_t n_blank = (size_t)task->n_blank;
    size_t step = place->step++;
    place->feedback = 0;
    if (step < n_blank)
        return;
    int8_t action = margin > bound ? 1 : margin < -bound ? -1 : 0;
    size_t n = step - n_blank + 1;
    if (!action && n < (size_t)task->n_obs_max) {
        place->feedback = task->wait_penalty;
        return;
    }
    place->feedback = action == sessions->side[place->trial] ? 1 : -1;
    choice[place->trial] = action;
    n_obs[place->trial] = (int64_t)n;
    place->trial++;
    place->step = 0;
}

#endif
