/* Exact and approximate Bayesian inference in the task. Everywhere the prior pi = P(side = right | past).
   A filter holds the predicted block posterior before a trial and takes in what the trial told; an actor closes the
   loop with its own threshold, an observer watches what somebody else saw and did. Not here: when it pays to act. */
#ifndef HRNN_INFERENCE_H
#define HRNN_INFERENCE_H

#include "kernel.h"
#include "task.h"

enum hrnn_block_model {
    HRNN_SEMI_MARKOV, /* state (b, a), a = trials in the block so far; hazard of the task's own length law */
    HRNN_MARKOV,      /* constant hazard */
    HRNN_NONE,        /* pi = 1/2 */
    HRNN_ORACLE,      /* knows b */
    HRNN_EXPONENTIAL, /* pi <- (1 - rate) pi + rate [side = right] */
    HRNN_PUBLISHED_ACTOR,
    HRNN_PUBLISHED_OBSERVER,
    HRNN_BLOCK_MODEL_COUNT
};

enum hrnn_evidence { HRNN_EVIDENCE_BOTH, HRNN_EVIDENCE_DIFFERENCE, HRNN_EVIDENCE_COUNT };

const char *hrnn_inference_block_model_name(enum hrnn_block_model model);
const char *hrnn_inference_evidence_name(enum hrnn_evidence evidence);

/* What an agent believes about the world; its own task may differ from the one it acts in. */
struct hrnn_believer {
    const struct hrnn_kernel *kernel;
    const struct hrnn_task *task;
    enum hrnn_block_model model;
    enum hrnn_evidence evidence;
    const double *hazard;      /* (block_max + 1,) of the length law, for semi_markov */
    double constant_hazard;    /* for markov and the published models */
    double learning_rate;      /* for exponential */
    const double *log_weights; /* (n_strengths,) log P(mu) */
};

/* Doubles of the state that a filter carries from trial to trial, and of scratch for the evidence of one trial. */
size_t hrnn_inference_state_size(const struct hrnn_task *task);

/* Is this a state that a filter, actor or observer left? Only then can one go on from it within a session. */
int hrnn_inference_goes_on(const struct hrnn_believer *believer, const double *state);
size_t hrnn_inference_scratch(const struct hrnn_task *task);

/* log L_left, log L_right of the sums of n observations, up to one common term. */
void hrnn_inference_evidence(const struct hrnn_believer *believer, size_t n, double sum_left, double sum_right,
                             double log_likelihood[2], double *scratch);

/* Filters trials first .. last-1. side is 0 where it stayed unknown: then log_likelihood (R, 2) of that trial counts.
   prior (R,) gets pi, block (R,) the predicted P(b = +1), both before each trial. */
void hrnn_inference_filter(const struct hrnn_believer *believer, size_t first, size_t last,
                           const int64_t *session /* (R,) */, const int8_t *block_side /* (R,) */,
                           const int8_t *side /* (R,) */, const double *log_likelihood, double *state, double *prior,
                           double *block);

/* Decides at one observation: log odds to act on, infinite to act at once, 0 to wait. */
struct hrnn_decider {
    double (*margin)(const void *context, size_t n_obs, double sum_left, double sum_right, double prior,
                     double log_odds);
    const void *context;
};

/* Runs trials first .. last-1 in closed loop; decider NULL acts on the log odds themselves. Returns the steps written
   to p_right, at most (last - first)(n_blank + n_obs_max): pi on blanks, then P(right | observations). */
size_t hrnn_inference_actor(const struct hrnn_believer *believer, const struct hrnn_task *task,
                            const struct hrnn_sessions *sessions, const struct hrnn_decider *decider, size_t first,
                            size_t last, double *state, int8_t *choice, int64_t *n_obs, double *prior, double *p_right,
                            double *scratch);

/* Watches trials first .. last-1: feedback reveals the side where there was a choice. Per step: p_right as above and
   p_block = P(b = +1 | past, observations so far). n_obs has those trials alone, (last - first,). Returns the steps
   written. */
size_t hrnn_inference_observer(const struct hrnn_believer *believer, const struct hrnn_sessions *sessions, size_t first,
                               size_t last, const int8_t *choice, const int64_t *n_obs, double *state, double *prior,
                               double *block, double *p_right, double *p_block, double *scratch);

#endif
