/* Optimisers: one update of theta (P,) in place. SGD and Adam in PyTorch's form. */
#ifndef HRNN_OPTIM_H
#define HRNN_OPTIM_H

#include <stddef.h>

/* v <- momentum v + g; theta <- theta - rate v. */
void hrnn_optim_sgd(size_t n, double rate, double momentum, const double *gradient, double *velocity, double *theta);

/* Kingma & Ba (2015) with bias correction; t counts updates from 1. */
void hrnn_optim_adam(size_t n, double rate, double t, const double *gradient, double *mean, double *square,
                     double *theta);

#endif
