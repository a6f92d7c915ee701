/* Optimal stopping by backward induction over (n, sum o^L, sum o^R), for one prior pi at a time.
   Sums are in units of the noise's standard deviation and live on a square grid; for evidence "difference" the grid is
   a line of sum d / (sqrt 2 sd). One separable convolution of the value function (two products with BLAS) serves all
   strengths: a strength only shifts where it is read. Not here: the search for the reward rate. */
#ifndef HRNN_POLICY_H
#define HRNN_POLICY_H

#include "inference.h"
#include "status.h"

/* Grid of each axis: low + spacing * i, i < n. A line has n_left = 1. */
struct hrnn_policy_grid {
    double low, spacing;
    size_t n_left, n_right;
};

enum { HRNN_POLICY_POINTS_MAX = 1 << 14 };

/* The grid for this task: spacing at most `spacing`, and such that the strengths lie on it where that is possible.
   n_right is 0 if an axis would need more than HRNN_POLICY_POINTS_MAX points. */
struct hrnn_policy_grid hrnn_policy_grid_of(const struct hrnn_task *task, enum hrnn_evidence evidence, double spacing);

size_t hrnn_policy_solve_scratch(const struct hrnn_task *task, const struct hrnn_policy_grid *grid);

/* For prior pi and cost rho of a step (observation steps only; blanks are the caller's): wait (n_obs_max - 1, n_left,
   n_right) gets the value of going on after n observations; value (1,) that of the trial before its first observation.
   Returns HRNN_STOPPED where the watch ends it. */
enum hrnn_status hrnn_policy_solve(const struct hrnn_believer *believer, const struct hrnn_policy_grid *grid,
                                   double prior, double rho, double *wait, double *value, double *scratch,
                                   struct hrnn_watch *watch);

/* A solved policy: `wait` for each of n_priors priors in [1/2, p_block], equally spaced in logit. */
struct hrnn_policy {
    const struct hrnn_believer *believer;
    struct hrnn_policy_grid grid;
    size_t n_priors;
    double logit_max;
    const double *wait; /* (n_priors, n_obs_max - 1, n_left, n_right) */
};

/* The policy as a decider; context is a struct hrnn_policy. */
double hrnn_policy_margin(const void *context, size_t n_obs, double sum_left, double sum_right, double prior,
                          double log_odds);

#endif
