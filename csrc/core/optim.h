/* Optimisers: one update of theta (P,) in place. SGD and Adam in PyTorch's form.
   Both return HRNN_NONFINITE if the gradient or what they wrote to theta is not finite. */
#ifndef HRNN_OPTIM_H
#define HRNN_OPTIM_H

#include <stddef.h>

#include "status.h"

/* v <- momentum v + g; theta <- theta - rate v. */
enum hrnn_status hrnn_optim_sgd(size_t n, double rate, double momentum, const double *gradient, double *velocity,
                                double *theta);

/* Kingma & Ba (2015) with bias correction; t counts updates from 1. */
enum hrnn_status hrnn_optim_adam(size_t n, double rate, double t, const double *gradient, double *mean, double *square,
                                 double *theta);

#endif
