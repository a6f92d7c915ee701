#include "optim.h"

#include <float.h>
#include <math.h>

static const double BETA_1 = 0.9, BETA_2 = 0.999, EPSILON = 1e-8;

/* Adds up in integers what is infinite or not a number, so that the loops stay vectors. */
static inline long long not_finite(double x) { return !(fabs(x) <= DBL_MAX); }

enum hrnn_status hrnn_optim_sgd(size_t n, double rate, double momentum, const double *gradient, double *velocity,
                                double *theta)
{
    long long bad = 0;
    for (size_t i = 0; i < n; i++) {
        velocity[i] = momentum * velocity[i] + gradient[i];
        theta[i] -= rate * velocity[i];
        bad += not_finite(gradient[i]) + not_finite(theta[i]);
    }
    return bad ? HRNN_NONFINITE : HRNN_OK;
}

enum hrnn_status hrnn_optim_adam(size_t n, double rate, double t, const double *gradient, double *mean, double *square,
                                 double *theta)
{
    double step = rate / (1 - pow(BETA_1, t)), correction = sqrt(1 - pow(BETA_2, t));
    long long bad = 0;
    for (size_t i = 0; i < n; i++) {
        mean[i] = BETA_1 * mean[i] + (1 - BETA_1) * gradient[i];
        square[i] = BETA_2 * square[i] + (1 - BETA_2) * gradient[i] * gradient[i];
        theta[i] -= step * mean[i] / (sqrt(square[i]) / correction + EPSILON);
        bad += not_finite(gradient[i]) + not_finite(theta[i]);
    }
    return bad ? HRNN_NONFINITE : HRNN_OK;
}
