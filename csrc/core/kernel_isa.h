/* Private to kernel*.c: the three compilations of kernel_body.h. */
#ifndef HRNN_KERNEL_ISA_H
#define HRNN_KERNEL_ISA_H

#include "kernel.h"

void hrnn_kernel_baseline_fill(struct hrnn_kernel *kernel);
void hrnn_kernel_v3_fill(struct hrnn_kernel *kernel);
void hrnn_kernel_v4_fill(struct hrnn_kernel *kernel);

#endif
