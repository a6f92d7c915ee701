/* Open-loop sequences: small networks driven by inputs that are given, many sequences at once, with
   back-propagation through time, and recursive least squares on a free-running network. One vector holds the same
   quantity of neighbouring sequences, so that a network of two units is as quick as the arithmetic allows.
   Arrays have the sequence last: x (I, T, L) for L sequences of T steps. Every sequence starts from h = 0.
   Not here: where inputs and targets come from. */
#ifndef HRNN_SEQUENCE_H
#define HRNN_SEQUENCE_H

#include <stdint.h>

#include "cell.h"

/* Largest N; wider networks have rollout.h. L is a multiple of the kernel's width. */
enum { HRNN_SEQUENCE_UNITS_MAX = 64 };

struct hrnn_sequence {
    size_t n_steps, n_sequences; /* T, L */
    const double *x;             /* (I, T, L) */
};

/* What is asked of a network: log odds of right against probabilities q, states against y, each step with its weight.
   loss = sum_{t,l} weight tau^2 CE(q, sigma(log odds / tau)) + state_weight |h - y|^2. */
struct hrnn_lesson {
    const double *q, *weight;       /* (T, L) each */
    double temperature;             /* tau; q is softened by the same by whoever makes it */
    const double *y, *state_weight; /* (N, T, L) and (T, L), or both NULL */
};

size_t hrnn_sequence_scratch(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence);

/* Log odds of right after each step, and the states, which may be NULL. */
void hrnn_sequence_forward(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence,
                           const double *theta /* (P,) */, double *margin /* (T, L) */, double *hidden /* (N, T, L) */,
                           double *scratch);

/* The loss, and its gradient added to gradient. HRNN_NONFINITE if the loss is not finite. */
enum hrnn_status hrnn_sequence_gradient(const struct hrnn_cell *cell, const struct hrnn_sequence *sequence,
                                        const struct hrnn_lesson *lesson, const double *theta /* (P,) */, double *loss,
                                        double *gradient /* (P,) */, double *scratch);

size_t hrnn_sequence_force_scratch(const struct hrnn_cell *cell /* leaky */);

/* Recursive least squares, step by step over T steps of one sequence, of currents W h + U x + b on given ones and of log
   odds on given ones, while the network runs freely (Sussillo & Abbott 2009; DePasquale et al. 2018). inverse holds the
   two running inverse correlation matrices, of [h, x, 1] and of [h', 0, 1]; h is 0 where starts is set. theta, inverse and
   h carry the learning from one call to the next. HRNN_NONFINITE if theta is no longer finite. */
enum hrnn_status hrnn_sequence_force(const struct hrnn_cell *cell, size_t n_steps, const double *x /* (T, I) */,
                                     const int8_t *starts /* (T,) */, const double *current /* (T, N) */,
                                     const double *margin /* (T,) */, double *theta /* (P,) */,
                                     double *inverse /* (2, N + I + 1, N + I + 1) */, double *h /* (N,) */,
                                     double *scratch);

#endif
