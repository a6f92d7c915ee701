/* The closed loop of task and network, and back-propagation through whole sessions of it.
   The network's state is reset only at a session's start; feedback is a constant of the gradient. */
#ifndef HRNN_ROLLOUT_H
#define HRNN_ROLLOUT_H

#include "cell.h"
#include "loss.h"
#include "status.h"
#include "task.h"

/* Doubles of scratch for hrnn_rollout_forward. */
size_t hrnn_rollout_forward_scratch(const struct hrnn_cell *cell);

/* Runs trials place->trial .. end-1, at most max_steps steps, and returns the steps done; place and h carry the loop
   from one call to the next. h is reset where the session changes. hidden may be NULL. It ends early where the watch
   says so. */
size_t hrnn_rollout_forward(const struct hrnn_cell *cell, const struct hrnn_task *task,
                            const struct hrnn_sessions *sessions, const double *theta /* (P,) */, size_t end,
                            size_t max_steps, struct hrnn_place *place, double *h /* (N,) */,
                            double *p_right /* (max_steps,) */, double *hidden /* (max_steps, N) */,
                            int8_t *choice /* (R,) */, int64_t *n_obs /* (R,) */, double *scratch,
                            struct hrnn_watch *watch);

/* Doubles of scratch for hrnn_rollout_gradient on n_lanes sessions that have n_trials trials between them. */
size_t hrnn_rollout_gradient_scratch(const struct hrnn_cell *cell, const struct hrnn_task *task, size_t n_lanes,
                                     size_t n_trials);

/* n_lanes (<= HRNN_LANES_MAX) sessions in lockstep: the loss of each, and the sum over them of its gradient, times
   scale, added to gradient. Returns HRNN_NONFINITE if a loss is not finite, HRNN_STOPPED where the watch ends it. */
enum hrnn_status hrnn_rollout_gradient(const struct hrnn_cell *cell, const struct hrnn_task *task,
                                       const struct hrnn_sessions *sessions, size_t n_lanes,
                                       const int64_t *offsets /* (n_lanes + 1,) of trials */, enum hrnn_loss loss_kind,
                                       const double *theta /* (P,) */, double scale, double *loss /* (n_lanes,) */,
                                       int8_t *choice /* (R,) */, int64_t *n_obs /* (R,) */,
                                       double *gradient /* (P,) */, double *scratch, struct hrnn_watch *watch);

#endif
