/* The kernel for x86-64-v4; setup.py compiles this file alone with that instruction set. */
#if defined(__x86_64__)
#define HRNN_KERNEL_FILL hrnn_kernel_v4_fill
#include "kernel_body.h"
#else
typedef int hrnn_kernel_v4_is_empty; /* ISO C wants a declaration in each file */
#endif
