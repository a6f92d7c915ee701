#include "loss.h"

#include <assert.h>
#include <math.h>

static const char names[HRNN_LOSS_COUNT][24] = {"nll_of_probability", "cross_entropy"};

const char *hrnn_loss_name(enum hrnn_loss loss) { return names[loss]; }

/* q = P(correct) from m = sign * margin and e = exp(-|m|), without overflow. */
static inline double p_correct(double m, double e) { return (m >= 0 ? 1 : e) / (1 + e); }

double hrnn_loss_forward(const struct hrnn_kernel *kernel, enum hrnn_loss loss, size_t n_steps, const double *margin,
                         const double *sign, double *e)
{
    assert(loss < HRNN_LOSS_COUNT && margin && sign && e);
    double total = 0;
    for (size_t t = 0; t < n_steps; t++)
        e[t] = -fabs(margin[t]);
    kernel->exp(hrnn_kernel_round_up(n_steps, HRNN_KERNEL_WIDTH), e, e);
    for (size_t t = 0; t < n_steps; t++) {
        if (sign[t] == 0)
            continue;
        double m = sign[t] * margin[t];
        total += loss == HRNN_LOSS_CROSS_ENTROPY ? (m < 0 ? -m : 0) + log1p(e[t]) : -p_correct(m, e[t]);
    }
    return total / (double)n_steps;
}

void hrnn_loss_backward(enum hrnn_loss loss, size_t n_steps, const double *margin, const double *sign, const double *e,
                        double *dmargin)
{
    for (size_t t = 0; t < n_steps; t++) {
        double m = sign[t] * margin[t], wrong = p_correct(-m, e[t]);
        double slope = loss == HRNN_LOSS_CROSS_ENTROPY ? wrong : wrong * (1 - wrong);
        dmargin[t] = -sign[t] * slope / (double)n_steps;
    }
}
