#include "kernel.h"

#include "kernel_isa.h"

static const char names[HRNN_KERNEL_COUNT][16] = {"baseline", "v3", "v4"};

const char *hrnn_kernel_name(enum hrnn_kernel_isa isa) { return names[isa]; }

enum hrnn_kernel_isa hrnn_kernel_best(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl"))
            return HRNN_KERNEL_V4;
        return HRNN_KERNEL_V3;
    }
#endif
    return HRNN_KERNEL_BASELINE;
}

void hrnn_kernel_fill(struct hrnn_kernel *kernel, enum hrnn_kernel_isa isa)
{
    switch (isa) {
#if defined(__x86_64__)
    case HRNN_KERNEL_V4:
        hrnn_kernel_v4_fill(kernel);
        break;
    case HRNN_KERNEL_V3:
        hrnn_kernel_v3_fill(kernel);
        break;
#endif
    default:
        hrnn_kernel_baseline_fill(kernel);
    }
}

void hrnn_kernel_sigmoid(const struct hrnn_kernel *kernel, size_t n, double *x)
{
    double e[64] = {0};
    for (size_t first = 0; first < n; first += 64) {
        size_t count = n - first < 64 ? n - first : 64;
        for (size_t i = 0; i < count; i++)
            e[i] = -x[first + i];
        kernel->exp(64, e, e);
        for (size_t i = 0; i < count; i++)
            x[first + i] = 1 / (1 + e[i]);
    }
}
