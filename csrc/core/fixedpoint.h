/* Fixed points h* = F(h*, x) of a cell under a constant input x, F being one step: F - h = leak (tanh(W h + U x + b) - h),
   so that they do not depend on the leak. Newton's method on f = tanh(W h + U x + b) - h with the Jacobian at the
   iterate; where Newton's step does not lower |f|, a damped step down the speed q = |F - h|^2 / 2 does, with its exact
   Hessian, so that a search ends at a fixed point or at a local minimum of the speed, a slow point. A search also ends
   where it comes so near to a point found before that Newton's method provably converges to it. Not here: which points are the same, and
   what becomes of them when x varies. */
#ifndef HRNN_FIXEDPOINT_H
#define HRNN_FIXEDPOINT_H

#include <stdint.h>

#include "cell.h"
#include "status.h"

enum hrnn_fixedpoint_outcome {
    HRNN_FIXEDPOINT_FOUND,     /* |F - h| <= tolerance at the returned point */
    HRNN_FIXEDPOINT_SLOW,      /* a local minimum of the speed: |gradient of |f|| below SLOPE */
    HRNN_FIXEDPOINT_UNDECIDED, /* neither after max_iterations */
};

size_t hrnn_fixedpoint_search_scratch(const struct hrnn_cell *cell);

/* points (n, N) holds the starts and gets where each search ended; residual (n,) is |F - h| there. Returns HRNN_STOPPED
   where the watch ends it. */
enum hrnn_status hrnn_fixedpoint_search(const struct hrnn_cell *cell, const double *theta /* (P,) */,
                                        const double *x /* (I,) */, size_t n, size_t max_iterations, double tolerance,
                                        double *points, double *residual, int8_t *outcome, int64_t *n_iterations,
                                        double *scratch, struct hrnn_watch *watch);

size_t hrnn_fixedpoint_iterate_scratch(const struct hrnn_cell *cell);

/* Iterates h <- F(h, x) from states (n, N) in place, each for at most max_steps steps or until it moves less than
   tolerance in one; n_steps (n,) gets the number of steps. Returns HRNN_STOPPED where the watch ends it. */
enum hrnn_status hrnn_fixedpoint_iterate(const struct hrnn_cell *cell, const double *theta, const double *x, size_t n,
                                         size_t max_steps, double tolerance, double *states, int64_t *n_steps,
                                         double *scratch, struct hrnn_watch *watch);

#endif
