/* The body of each kernel_<isa>.c, which defines HRNN_KERNEL_FILL. Vectors are 4 doubles with AVX2 and FMA, else 2. */
#include "kernel_isa.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
enum { WIDTH = 4 };
typedef double vec __attribute__((vector_size(32)));
typedef long long ivec __attribute__((vector_size(32)));
static inline vec fma_(vec a, vec b, vec c) { return _mm256_fmadd_pd(a, b, c); }
static inline vec least(vec a, vec b) { return _mm256_min_pd(a, b); } /* b if either is NaN */
#else
enum { WIDTH = 2 };
typedef double vec __attribute__((vector_size(16)));
typedef long long ivec __attribute__((vector_size(16)));
static inline vec fma_(vec a, vec b, vec c) { return a * b + c; }
static inline vec least(vec a, vec b)
{
    ivec mask = a < b;
    return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
}
#endif

typedef vec unaligned_vec __attribute__((aligned(8), may_alias));

static inline vec load(const double *x) { return *(const unaligned_vec *)x; }

static inline void store(double *x, vec v) { *(unaligned_vec *)x = v; }

static inline vec all(double x) { return x - (vec){0}; }

static inline vec select(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }

/* ---- products ------------------------------------------------------------------------------------------------- */

/* Rows in one panel of accumulators, for 1 to 4 lanes: as many as the 16 registers hold. */
enum { ROWS_1 = 13, ROWS_2 = 6, ROWS_3 = 4, ROWS_4 = 3, LANES_MAX = 4 };

/* `rows` vectors of rows by `lanes` lanes, kept in registers: rows and lanes are literals at each call. */
static inline __attribute__((always_inline)) void panel(const int rows, const int lanes, size_t k, const double *A,
                                                        size_t lda, const double *const *z, size_t stride,
                                                        const double *const *from, double *const *y, size_t i)
{
    vec sum[ROWS_1][LANES_MAX];
    const double *z_[LANES_MAX];
    double *y_[LANES_MAX];
#pragma GCC unroll 4
    for (int l = 0; l < lanes; l++) {
        z_[l] = z[l];
        y_[l] = y[l] + i;
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            sum[r][l] = load(from[l] + i + r * WIDTH);
    }
    A += i;
    for (size_t j = 0; j < k; j++) {
        vec a[ROWS_1];
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            a[r] = load(A + r * WIDTH);
#pragma GCC unroll 4
        for (int l = 0; l < lanes; l++) {
            vec zj = all(z_[l][j * stride]);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
                sum[r][l] = fma_(a[r], zj, sum[r][l]);
        }
        A += lda;
    }
#pragma GCC unroll 4
    for (int l = 0; l < lanes; l++)
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            store(y_[l] + r * WIDTH, sum[r][l]);
}

static void panel_1(size_t rows, size_t k, const double *A, size_t lda, const double *const *z, size_t stride,
                    const double *const *from, double *const *y,
                    size_t i)
{
    switch (rows) {
    case 1: panel(1, 1, k, A, lda, z, stride, from, y, i); break;
    case 2: panel(2, 1, k, A, lda, z, stride, from, y, i); break;
    case 3: panel(3, 1, k, A, lda, z, stride, from, y, i); break;
    case 4: panel(4, 1, k, A, lda, z, stride, from, y, i); break;
    case 5: panel(5, 1, k, A, lda, z, stride, from, y, i); break;
    case 6: panel(6, 1, k, A, lda, z, stride, from, y, i); break;
    case 7: panel(7, 1, k, A, lda, z, stride, from, y, i); break;
    case 8: panel(8, 1, k, A, lda, z, stride, from, y, i); break;
    case 9: panel(9, 1, k, A, lda, z, stride, from, y, i); break;
    case 10: panel(10, 1, k, A, lda, z, stride, from, y, i); break;
    case 11: panel(11, 1, k, A, lda, z, stride, from, y, i); break;
    case 12: panel(12, 1, k, A, lda, z, stride, from, y, i); break;
    default: panel(13, 1, k, A, lda, z, stride, from, y, i); break;
    }
}

static void panel_2(size_t rows, size_t k, const double *A, size_t lda, const double *const *z, size_t stride,
                    const double *const *from, double *const *y,
                    size_t i)
{
    switch (rows) {
    case 1: panel(1, 2, k, A, lda, z, stride, from, y, i); break;
    case 2: panel(2, 2, k, A, lda, z, stride, from, y, i); break;
    case 3: panel(3, 2, k, A, lda, z, stride, from, y, i); break;
    case 4: panel(4, 2, k, A, lda, z, stride, from, y, i); break;
    case 5: panel(5, 2, k, A, lda, z, stride, from, y, i); break;
    default: panel(6, 2, k, A, lda, z, stride, from, y, i); break;
    }
}

static void panel_3(size_t rows, size_t k, const double *A, size_t lda, const double *const *z, size_t stride,
                    const double *const *from, double *const *y,
                    size_t i)
{
    switch (rows) {
    case 1: panel(1, 3, k, A, lda, z, stride, from, y, i); break;
    case 2: panel(2, 3, k, A, lda, z, stride, from, y, i); break;
    case 3: panel(3, 3, k, A, lda, z, stride, from, y, i); break;
    default: panel(4, 3, k, A, lda, z, stride, from, y, i); break;
    }
}

static void panel_4(size_t rows, size_t k, const double *A, size_t lda, const double *const *z, size_t stride,
                    const double *const *from, double *const *y,
                    size_t i)
{
    switch (rows) {
    case 1: panel(1, 4, k, A, lda, z, stride, from, y, i); break;
    case 2: panel(2, 4, k, A, lda, z, stride, from, y, i); break;
    default: panel(3, 4, k, A, lda, z, stride, from, y, i); break;
    }
}

/* All rows of up to LANES_MAX lanes, cut into panels of nearly equal height. */
static inline void lanes(size_t n_lanes, size_t rows, size_t k, const double *A, size_t lda, const double *const *z,
                         size_t stride, const double *const *from, double *const *y)
{
    static const size_t most[LANES_MAX + 1] = {0, ROWS_1, ROWS_2, ROWS_3, ROWS_4};
    size_t n_panels = (rows + most[n_lanes] - 1) / most[n_lanes];
    for (size_t p = 0, first = 0; p < n_panels; p++) {
        size_t next = rows * (p + 1) / n_panels, height = next - first;
        switch (n_lanes) {
        case 1: panel_1(height, k, A, lda, z, stride, from, y, first * WIDTH); break;
        case 2: panel_2(height, k, A, lda, z, stride, from, y, first * WIDTH); break;
        case 3: panel_3(height, k, A, lda, z, stride, from, y, first * WIDTH); break;
        default: panel_4(height, k, A, lda, z, stride, from, y, first * WIDTH); break;
        }
        first = next;
    }
}

static void gemm(size_t m, size_t n_lanes, size_t k, const double *A, size_t lda, const double *const *z,
                 size_t stride, const double *const *from, double *const *y)
{
    size_t n_groups = (n_lanes + LANES_MAX - 1) / LANES_MAX;
    for (size_t g = 0, first = 0; g < n_groups; g++) {
        size_t next = n_lanes * (g + 1) / n_groups;
        lanes(next - first, m / WIDTH, k, A, lda, z + first, stride, from + first, y + first);
        first = next;
    }
}

/* ---- elementary functions ------------------------------------------------------------------------------------- */

/* exp(2 x) = 2^n (c + r) / (c - r) with x = n ln(2)/2 + r and c = r coth r, a polynomial in q = r^2 (|r| <= ln(2)/4). */
struct reduced {
    vec r, c;
    ivec n; /* in the low bits; the others are not cleared */
};

static inline struct reduced reduce(vec x)
{
    const double per_half_ln2 = 2.885390081777926817;                                       /* 2/ln 2 */
    const double half_ln2_high = 0x1.62e42fefa0000p-2, half_ln2_low = 0x1.cf79abc9e3b3ap-41; /* the first has 36 bits */
    const double magic = 0x1.8p52; /* adding it leaves the nearest integer in the low bits */
    struct reduced out;
    vec shifted = fma_(x, all(per_half_ln2), all(magic));
    vec n = shifted - magic;
    vec r = fma_(-n, all(half_ln2_low), fma_(-n, all(half_ln2_high), x));
    vec q = r * r;
    vec q2 = q * q; /* minimax coefficients of (c - 1)/q, two halves at once: the chain is what a step waits for */
    vec low = fma_(q, all(-0x1.6c16c16c0a444p-6), all(0x1.5555555555553p-2));
    vec high = fma_(q, all(-0x1.bbd5269283029p-13), all(0x1.1566ab5916a1ep-9));
    high = fma_(q2, all(0x1.63eb9cd7bcb57p-16), high);
    out.c = fma_(q, fma_(q2, high, low), all(1));
    out.r = r;
    out.n = (ivec)shifted;
    return out;
}

static inline vec power_of_two(ivec n) { return (vec)((n << 52) + (1023LL << 52)); }

static inline vec tanh_(vec x)
{
    const ivec sign = (ivec)all(-0.0) & (ivec)x;
    vec magnitude = (vec)((ivec)x ^ sign);
    magnitude = least(all(20), magnitude); /* tanh(20) is 1 to the last bit */
    struct reduced e = reduce(magnitude);
    vec s = power_of_two(e.n);
    vec t = fma_(s - 1, e.c, (s + 1) * e.r) / fma_(s + 1, e.c, (s - 1) * e.r);
    return (vec)((ivec)t | sign);
}

static inline vec exp_(vec x)
{
    vec clamped = select(x > 709, all(709), select(x < -708, all(-708), x));
    struct reduced e = reduce(clamped * 0.5);
    vec y = power_of_two(e.n) * ((e.c + e.r) / (e.c - e.r));
    return select(x > 709, all(__builtin_inf()), select(x < -708, all(0), y));
}

static void tanh_all(size_t n, const double *x, double *out)
{
    for (size_t i = 0; i < n; i += WIDTH)
        store(out + i, tanh_(load(x + i)));
}

/* `whole` says that leak is 1, the tanh cell: a literal at each call, as in leaky_backward_. */
static inline __attribute__((always_inline)) void leaky_(const int whole, size_t n, double leak, const double *U,
                                                         size_t ld, const double *x, const double *a, const double *h,
                                                         double *h_next)
{
    vec x_[HRNN_INPUTS];
    for (size_t j = 0; j < HRNN_INPUTS; j++)
        x_[j] = all(x[j]);
    for (size_t i = 0; i < n; i += WIDTH) {
        vec sum = load(a + i);
#pragma GCC unroll 8
        for (size_t j = 0; j < HRNN_INPUTS; j++)
            sum = fma_(load(U + j * ld + i), x_[j], sum);
        vec u = tanh_(sum);
        store(h_next + i, whole ? u : (1 - leak) * load(h + i) + leak * u);
    }
}

static void leaky(size_t n, double leak, const double *U, size_t ld, const double *x, const double *a, const double *h,
                  double *h_next)
{
    if (leak == 1)
        leaky_(1, n, leak, U, ld, x, a, h, h_next);
    else
        leaky_(0, n, leak, U, ld, x, a, h, h_next);
}

static inline __attribute__((always_inline)) void leaky_backward_(const int whole, size_t n, double leak,
                                                                  const double *h, const double *h_next, double *dh,
                                                                  double *d)
{
    double per_leak = 1 / leak;
    for (size_t i = 0; i < n; i += WIDTH) {
        vec u = load(h_next + i), g = load(dh + i);
        if (!whole)
            u = (u - (1 - leak) * load(h + i)) * per_leak;
        store(d + i, leak * g * (1 - u * u));
        store(dh + i, (1 - leak) * g);
    }
}

static void leaky_backward(size_t n, double leak, const double *h, const double *h_next, double *dh, double *d)
{
    if (leak == 1)
        leaky_backward_(1, n, 1, h, h_next, dh, d);
    else
        leaky_backward_(0, n, leak, h, h_next, dh, d);
}

static void exp_all(size_t n, const double *x, double *out)
{
    for (size_t i = 0; i < n; i += WIDTH)
        store(out + i, exp_(load(x + i)));
}

void HRNN_KERNEL_FILL(struct hrnn_kernel *kernel)
{
    kernel->gemm = gemm;
    kernel->tanh = tanh_all;
    kernel->leaky = leaky;
    kernel->leaky_backward = leaky_backward;
    kernel->exp = exp_all;
}
