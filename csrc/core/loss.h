/* Losses of one session: the mean over all its T steps, of which blank steps (sign 0) contribute nothing but count.
   With q = P(correct side): nll_of_probability is -q (what the published code minimises), cross_entropy is -log q. */
#ifndef HRNN_LOSS_H
#define HRNN_LOSS_H

#include <stddef.h>

#include "kernel.h"

enum hrnn_loss { HRNN_LOSS_NLL_OF_PROBABILITY, HRNN_LOSS_CROSS_ENTROPY, HRNN_LOSS_COUNT };

const char *hrnn_loss_name(enum hrnn_loss loss);

/* Forward: from log odds of right and the sign of the correct side (0 on blanks) to e = exp(-|margin|) and the loss.
   n_steps is T, the arrays are padded to a multiple of the kernel's width. */
double hrnn_loss_forward(const struct hrnn_kernel *kernel, enum hrnn_loss loss, size_t n_steps,
                         const double *margin /* (T,) */, const double *sign /* (T,) */, double *e /* (T,) */);

/* Backward: the derivative of the loss with respect to margin. */
void hrnn_loss_backward(enum hrnn_loss loss, size_t n_steps, const double *margin, const double *sign, const double *e,
                        double *dmargin /* (T,) */);

#endif
