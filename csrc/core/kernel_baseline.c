/* The kernel for any machine: what the compiler makes of 4-vectors with its default instruction set. */
#define HRNN_KERNEL_FILL hrnn_kernel_baseline_fill
#include "kernel_body.h"
