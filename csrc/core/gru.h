/* Gated recurrent units in PyTorch's convention on given inputs, many sequences at once, with back-propagation through
   time. As in sequence.h arrays have the sequence last, and every sequence starts from h = 0.
     r = sigma(W_r x + U_r h + b_r), z = sigma(W_z x + U_z h + b_z), m = U_n h + b', n = tanh(W_n x + b_n + r m),
     h' = (1 - z) n + z h, log odds of right = v h' + c.
   One logit, and W is of the input, U recurrent, as in tinyRNN; the cell of the closed loop is cell_gru.c. Not here: the
   tanh cell. */
#ifndef HRNN_GRU_H
#define HRNN_GRU_H

#include "sequence.h"

enum { HRNN_GRU_UNITS_MAX = 16 };

/* theta: W (3N, I), U (3N, N), b (3N,), b' (N,), v (N,), c; the rows r, z, n one after another. */
size_t hrnn_gru_n_parameters(size_t n_hidden);

size_t hrnn_gru_scratch(size_t n_hidden, const struct hrnn_sequence *sequence);

/* Log odds of right after each step, and the states, which may be NULL. */
void hrnn_gru_forward(const struct hrnn_kernel *kernel, size_t n_hidden, const struct hrnn_sequence *sequence,
                      const double *theta, double *margin /* (T, L) */, double *hidden /* (N, T, L) */,
                      double *scratch);

/* sum_{t,l} weight CE(q, sigma(log odds)), and its gradient added to gradient. HRNN_NONFINITE if it is not finite. */
enum hrnn_status hrnn_gru_gradient(const struct hrnn_kernel *kernel, size_t n_hidden,
                                   const struct hrnn_sequence *sequence, const double *q /* (T, L) */,
                                   const double *weight /* (T, L) */, const double *theta, double *loss,
                                   double *gradient, double *scratch);

#endif
