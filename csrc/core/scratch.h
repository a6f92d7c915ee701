/* A caller's scratch, handed out piece by piece. One function per computation lays its pieces out and returns how many
   doubles they take; with base NULL it only counts, so that size and layout cannot disagree. */
#ifndef HRNN_SCRATCH_H
#define HRNN_SCRATCH_H

#include <stddef.h>

#include "kernel.h"

struct hrnn_scratch {
    double *base; /* NULL: only count */
    size_t used;
};

/* The next n doubles, whole cache lines; NULL where it only counts. */
static inline double *hrnn_scratch_take(struct hrnn_scratch *scratch, size_t n)
{
    double *taken = scratch->base ? scratch->base + scratch->used : NULL;
    scratch->used += hrnn_kernel_round_up(n, HRNN_KERNEL_LINE);
    return taken;
}

#endif
