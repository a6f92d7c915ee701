/* Every kernel of this machine against plain loops and libm; v3 and v4 bit for bit; a lane alone as beside others.
   Returns non-zero on failure. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kernel.h"

enum { M_MAX = 68, K_MAX = 9, LANES = 9, N = 4000, N_LEAVE = 27 };

static double ulps(double value, double exact)
{
    return exact == value ? 0 : fabs(value - exact) / (nextafter(fabs(exact), INFINITY) - fabs(exact));
}

/* y = from + A z for all lanes, then each lane by itself: the error and whether the bits are the same. */
static int gemm_is_right(const struct hrnn_kernel *kernel, size_t m, size_t n_lanes, size_t k)
{
    double A[K_MAX * M_MAX], z[LANES][K_MAX], from[LANES][M_MAX], y[LANES][M_MAX], alone[M_MAX];
    const double *z_[LANES], *from_[LANES];
    double *y_[LANES], *alone_[1] = {alone};
    fill(K_MAX * M_MAX, 1, A);
    fill(sizeof z / sizeof **z, 1, *z);
    fill(sizeof from / sizeof **from, 1, *from);
    for (size_t l = 0; l < LANES; l++) {
        z_[l] = z[l];
        from_[l] = from[l];
        y_[l] = y[l];
    }
    kernel->gemm(m, n_lanes, k, A, M_MAX, z_, from_, y_);
    for (size_t l = 0; l < n_lanes; l++) {
        for (size_t i = 0; i < m; i++) {
            double sum = from[l][i];
            for (size_t j = 0; j < k; j++)
                sum += A[j * M_MAX + i] * z[l][j];
            if (!(fabs(y[l][i] - sum) < 1e-14))
                return 0;
        }
        kernel->gemm(m, 1, k, A, M_MAX, z_ + l, from_ + l, alone_);
        if (memcmp(alone, y[l], m * sizeof *alone) != 0)
            return 0;
    }
    return 1;
}

static int check_gemm(const struct hrnn_kernel *kernel, const char *isa)
{
    int failures = 0;
    for (size_t m = 4; m <= M_MAX; m += 4)
        for (size_t n_lanes = 1; n_lanes <= LANES; n_lanes++)
            for (size_t k = 0; k <= K_MAX; k++)
                failures += !gemm_is_right(kernel, m, n_lanes, k);
    return expect(!failures, isa, "gemm differs from its sum, or a lane alone from the same beside others");
}

/* G += sum_t d_t z_t' for all shapes, and nothing written outside its m rows and n columns. */
static int outer_is_right(const struct hrnn_kernel *kernel, size_t m, size_t n, size_t k)
{
    double d[K_MAX * M_MAX], z[K_MAX * LANES], G[LANES * M_MAX], before[LANES * M_MAX];
    fill(K_MAX * M_MAX, 1, d);
    fill(K_MAX * LANES, 1, z);
    fill(LANES * M_MAX, 1, G);
    memcpy(before, G, sizeof G);
    kernel->outer(m, n, k, d, M_MAX, z, LANES, G, M_MAX);
    for (size_t j = 0; j < LANES; j++)
        for (size_t i = 0; i < M_MAX; i++) {
            double sum = before[j * M_MAX + i];
            for (size_t t = 0; t < k && i < m && j < n; t++)
                sum += d[t * M_MAX + i] * z[t * LANES + j];
            if (!(fabs(G[j * M_MAX + i] - sum) < 1e-14))
                return 0;
        }
    return 1;
}

static int check_outer(const struct hrnn_kernel *kernel, const char *isa)
{
    int failures = 0;
    for (size_t m = 4; m <= M_MAX; m += 4)
        for (size_t n = 1; n <= LANES; n++)
            for (size_t k = 0; k <= K_MAX; k++)
                failures += !outer_is_right(kernel, m, n, k);
    return expect(!failures, isa, "outer differs from its sum, or wrote where it should not");
}

static int check_elementary(const struct hrnn_kernel *kernel, const char *isa)
{
    static double x[N], y[N];
    const double odd_ones[8] = {0, -0.0, INFINITY, -INFINITY, NAN, 1e-310, -800, 800};
    double most = 0, worst = 0, out[8];
    fill(N, 22, x);
    kernel->tanh(N, x, y);
    for (size_t i = 0; i < N; i++)
        most = fmax(most, ulps(y[i], tanh(x[i])));
    fill(N, 708, x);
    kernel->exp(N, x, y);
    for (size_t i = 0; i < N; i++)
        worst = fmax(worst, ulps(y[i], exp(x[i])));
    int failures = expect(most <= 6, isa, "tanh is off") + expect(worst <= 5, isa, "exp is off"); /* 1 ulp is libm's */
    kernel->tanh(8, odd_ones, out);
    failures += expect(out[0] == 0 && signbit(out[1]) && out[2] == 1 && out[3] == -1 && isnan(out[4]) &&
                           out[5] == 1e-310 && out[6] == -1 && out[7] == 1,
                       isa, "tanh at zeros, infinities or NaN");
    kernel->exp(8, odd_ones, out);
    return failures + expect(out[0] == 1 && out[1] == 1 && out[2] == INFINITY && out[3] == 0 && isnan(out[4]) &&
                                 out[5] == 1 && out[6] == 0 && out[7] == INFINITY,
                             isa, "exp at zeros, infinities or NaN");
}

/* A leaky step and its twin backward, from the formulas in kernel.h. */
static int check_leaky(const struct hrnn_kernel *kernel, const char *isa, double leak)
{
    enum { SIZE = 12, INPUTS = HRNN_INPUTS };
    double U[INPUTS * SIZE], x[INPUTS], a[SIZE], h[SIZE], next[SIZE], dh[SIZE], back[SIZE], d[SIZE], error = 0;
    fill(INPUTS * SIZE, 1, U);
    fill(INPUTS, 1, x);
    fill(SIZE, 1, a);
    fill(SIZE, 1, h);
    fill(SIZE, 1, dh);
    memcpy(back, dh, sizeof dh);
    kernel->leaky(SIZE, leak, U, SIZE, x, a, h, next);
    kernel->leaky_backward(SIZE, leak, h, next, back, d);
    for (size_t i = 0; i < SIZE; i++) {
        double u = tanh(a[i] + U[i] * x[0] + U[SIZE + i] * x[1] + U[2 * SIZE + i] * x[2]);
        error = fmax(error, fabs(next[i] - ((1 - leak) * h[i] + leak * u)));
        error = fmax(error, fabs(d[i] - leak * dh[i] * (1 - u * u)));
        error = fmax(error, fabs(back[i] - (1 - leak) * dh[i]));
    }
    return expect(error < 1e-14, isa, "a leaky step, forward or backward");
}

/* What leaves, what stays, and the values that are left, for numbers of values that do and do not fill vectors. */
static int check_leave(const struct hrnn_kernel *kernel, const char *isa)
{
    double hazard[N_LEAVE], p[N_LEAVE + 1], was[N_LEAVE + 1], error = 0;
    for (size_t n = 0; n <= N_LEAVE; n++) {
        double gone = 0, kept = 0, stays;
        fill(N_LEAVE, 1, hazard);
        fill(N_LEAVE + 1, 1, p);
        memcpy(was, p, sizeof p);
        double leaves = kernel->leave(n, 0.7, hazard, p, &stays);
        for (size_t i = 0; i < n; i++) {
            gone += 0.7 * was[i] * hazard[i];
            kept += 0.7 * was[i] * (1 - hazard[i]);
            error = fmax(error, fabs(p[i] - 0.7 * was[i] * (1 - hazard[i])));
        }
        error = fmax(error, fmax(fabs(gone - leaves), fabs(kept - stays)));
        error = fmax(error, p[n] != was[n]);
    }
    return expect(error < 1e-14, isa, "leave, or it wrote past its end");
}

static int check_sigmoid(const struct hrnn_kernel *kernel, const char *isa)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 131};
    double x[132], y[132], error = 0;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k];
        fill(132, 40, x);
        memcpy(y, x, sizeof x);
        hrnn_kernel_sigmoid(kernel, n, y);
        for (size_t i = 0; i < n; i++)
            error = fmax(error, fabs(y[i] * (1 + exp(-x[i])) - 1));
        error = fmax(error, y[n] != x[n]);
    }
    return expect(error < 1e-14, isa, "sigmoid, or it wrote past its end");
}

/* What v3 and v4 must share: long sums, tanh and exp. */
enum { SHARED = 852 + 52 * 6 + 102 };

static void sample(enum hrnn_kernel_isa isa, const double *x, double *out)
{
    struct hrnn_kernel kernel;
    const double *z[1] = {x}, *from[1] = {x + 500};
    double *y[1] = {out};
    hrnn_kernel_fill(&kernel, isa);
    kernel.gemm(52, 1, 30, x, 52, z, from, y);
    memcpy(out + 852, x, 52 * 6 * sizeof *x);
    kernel.outer(52, 6, 20, x, 52, x + 1040, 7, out + 852, 52);
    memcpy(out + 1164, x, 100 * sizeof *x);
    out[1264] = kernel.leave(100, 0.9, x + 100, out + 1164, out + 1265);
    kernel.tanh(400, x, out + 52);
    kernel.exp(400, x, out + 452);
}

int main(void)
{
    int failed = 0;
    double x[1600], v3[SHARED], v4[SHARED];
    for (int i = 0; i <= (int)hrnn_kernel_best(); i++) {
        struct hrnn_kernel kernel;
        const char *isa = hrnn_kernel_name((enum hrnn_kernel_isa)i);
        hrnn_kernel_fill(&kernel, (enum hrnn_kernel_isa)i);
        failed += check_gemm(&kernel, isa) + check_outer(&kernel, isa);
        failed += check_elementary(&kernel, isa) + check_sigmoid(&kernel, isa) + check_leave(&kernel, isa);
        failed += check_leaky(&kernel, isa, 1) + check_leaky(&kernel, isa, 0.3);
    }
    fill(1600, 3, x);
    if (hrnn_kernel_best() == HRNN_KERNEL_V4) {
        sample(HRNN_KERNEL_V3, x, v3);
        sample(HRNN_KERNEL_V4, x, v4);
        failed += expect(memcmp(v3, v4, sizeof v3) == 0, "v4", "other bits than v3");
    }
    failed +=
        expect(hrnn_kernel_round_up(0, 4) == 0 && hrnn_kernel_round_up(5, 4) == 8 && hrnn_kernel_round_up(8, 4) == 8,
               "all", "round_up");
    return failed != 0;
}
