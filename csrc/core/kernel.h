/* The inner loops of the recurrence, one table of functions for each instruction set.
   One source (kernel_body.h) is compiled three times; the table is chosen once, by whoever owns the memory.
   Each sum runs in the same order whatever the vector width, so v3 and v4 agree bit for bit, and a session gives the
   same bits alone or beside others. Not here: anything that knows a whole network or a task. */
#ifndef HRNN_KERNEL_H
#define HRNN_KERNEL_H

#include <stddef.h>

#include "status.h"

/* Vectors of the kernel hold 4 doubles; leading dimensions are multiples of a cache line of 8. */
enum { HRNN_KERNEL_WIDTH = 4, HRNN_KERNEL_LINE = 8 };

/* Where the forms r, z, m of a gated unit lie in a column: `stride` apart, and q behind them at `inner`. */
struct hrnn_kernel_gru {
    size_t stride, inner, ld; /* ld: from one column of U to the next */
};

struct hrnn_kernel {
    /* y[l][i] = from[l][i] + sum_j A[j * lda + i] z[l][j], i < m (a multiple of 4), j < k, l < n_lanes. */
    void (*gemm)(size_t m, size_t n_lanes, size_t k, const double *A, size_t lda, const double *const *z,
                 const double *const *from, double *const *y);
    /* G[j * ldg + i] += sum_t d[t * ldd + i] z[t * ldz + j], i < m (a multiple of 4), j < n, t < k. */
    void (*outer)(size_t m, size_t n, size_t k, const double *d, size_t ldd, const double *z, size_t ldz, double *G,
                  size_t ldg);
    /* out = tanh(x), n a multiple of 4; at most 5 ulp (3 with FMA), odd, exact at +-0 and +-infinity, NaN stays. */
    void (*tanh)(size_t n, const double *x, double *out);
    /* One leaky step forward, n a multiple of 4: h_next = (1 - leak) h + leak tanh(a + U x), columns of U ld apart. */
    void (*leaky)(size_t n, double leak, const double *U, size_t ld, const double *x, const double *a, const double *h,
                  double *h_next);
    /* Its twin backward: d = leak dh (1 - tanh(a)^2) and then dh = (1 - leak) dh. */
    void (*leaky_backward)(size_t n, double leak, const double *h, const double *h_next, double *dh, double *d);
    /* One gated step forward, n a multiple of 4: a + U x gives r, z, m and q; h_next = c + z (h - c) with
       c = tanh(q + r m). saved (4, n) gets r, z, m, c. x NULL: a has the input's part. */
    void (*gru)(size_t n, const struct hrnn_kernel_gru *form, const double *U, const double *x, const double *a,
                const double *h, double *h_next, double *saved);
    /* Its twin backward: d gets the derivatives of the forms, and dh = z dh. */
    void (*gru_backward)(size_t n, const struct hrnn_kernel_gru *form, const double *h, const double *saved, double *dh,
                         double *d);
    /* p = weight p, of which p * hazard leaves; n any. Returns the sum of what leaves; `stays` gets that of the rest. */
    double (*leave)(size_t n, double weight, const double *hazard, double *p, double *stays);
    /* out = exp(x), n a multiple of 4; at most 4 ulp for x in [-708, 709], 0 below, infinity above, NaN stays. */
    void (*exp)(size_t n, const double *x, double *out);
    /* out = log(x) of positive normal numbers, n a multiple of 4. */
    void (*log)(size_t n, const double *x, double *out);
    /* Density and distribution function of the standard normal law, n a multiple of 4. */
    void (*normal)(size_t n, const double *x, double *density, double *cumulative);
    /* Quantile of the standard normal law for p in (1e-10, 1 - 1e-10), n a multiple of 4. */
    void (*probit)(size_t n, const double *p, double *x);
};

enum hrnn_kernel_isa { HRNN_KERNEL_BASELINE, HRNN_KERNEL_V3, HRNN_KERNEL_V4, HRNN_KERNEL_COUNT };

const char *hrnn_kernel_name(enum hrnn_kernel_isa isa);

/* The widest instruction set that both this build and this processor have. */
enum hrnn_kernel_isa hrnn_kernel_best(void);

void hrnn_kernel_fill(struct hrnn_kernel *kernel, enum hrnn_kernel_isa isa);

/* x = 1 / (1 + exp(-x)) in place, any n. */
void hrnn_kernel_sigmoid(const struct hrnn_kernel *kernel, size_t n, double *x);

/* n rounded up to a multiple of `multiple`. */
static inline size_t hrnn_kernel_round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

#endif
