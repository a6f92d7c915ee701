/* Vectors, 4 doubles with AVX2 and FMA, else 2, and elementary functions of them. Included by kernel_body.h alone. */
#ifndef HRNN_KERNEL_MATH_H
#define HRNN_KERNEL_MATH_H

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
enum { WIDTH = 4 };
typedef double vec __attribute__((vector_size(32)));
typedef long long ivec __attribute__((vector_size(32)));
static inline vec fma_(vec a, vec b, vec c) { return _mm256_fmadd_pd(a, b, c); }
static inline vec sqrt_(vec x) { return _mm256_sqrt_pd(x); }
static inline vec least(vec a, vec b) { return _mm256_min_pd(a, b); } /* b if either is NaN */
#else
enum { WIDTH = 2 };
typedef double vec __attribute__((vector_size(16)));
typedef long long ivec __attribute__((vector_size(16)));
static inline vec fma_(vec a, vec b, vec c) { return a * b + c; }
static inline vec sqrt_(vec x) { return (vec){__builtin_sqrt(x[0]), __builtin_sqrt(x[1])}; }
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

/* ---- elementary functions ------------------------------------------------------------------------------------- */

/* exp(2 x) = 2^n (c + r) / (c - r) with x = n ln(2)/2 + r and c = r coth r, a polynomial in q = r^2 (|r| <= ln(2)/4). */
struct reduced {
    vec r, c;
    ivec n; /* in the low bits; the others are not cleared */
};

/* `far` says, as a literal, that n may be large: then n ln(2)/2 is taken off in two parts, the first exactly. */
static inline __attribute__((always_inline)) struct reduced reduce(const int far, vec x)
{
    const double per_half_ln2 = 2.885390081777926817; /* 2/ln 2 */
    const double half_ln2 = 0x1.62e42fefa39efp-2;
    const double half_ln2_high = 0x1.62e42fefa0000p-2, half_ln2_low = 0x1.cf79abc9e3b3ap-41; /* the first has 36 bits */
    const double magic = 0x1.8p52; /* adding it leaves the nearest integer in the low bits */
    struct reduced out;
    vec shifted = fma_(x, all(per_half_ln2), all(magic));
    vec n = shifted - magic;
    vec r = far ? fma_(-n, all(half_ln2_low), fma_(-n, all(half_ln2_high), x)) : fma_(-n, all(half_ln2), x);
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
    struct reduced e = reduce(0, magnitude);
    vec s = power_of_two(e.n);
    vec t = fma_(s - 1, e.c, (s + 1) * e.r) / fma_(s + 1, e.c, (s - 1) * e.r);
    return (vec)((ivec)t | sign);
}

static inline vec exp_(vec x)
{
    vec clamped = select(x > 709, all(709), select(x < -708, all(-708), x));
    struct reduced e = reduce(1, clamped * 0.5);
    vec y = power_of_two(e.n) * ((e.c + e.r) / (e.c - e.r));
    return select(x > 709, all(__builtin_inf()), select(x < -708, all(0), y));
}

/* log(x) of positive normal numbers: x = 2^k m with m in [sqrt(1/2), sqrt 2), log m = 2 artanh s, s = (m - 1)/(m + 1). */
static inline vec log_(vec x)
{
    const double ln2_high = 0x1.62e42fefa0000p-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
    const ivec one = (ivec)all(1), fraction = (1LL << 52) - 1 + (ivec){0};
    ivec bits = (ivec)x;
    vec m = (vec)((bits & fraction) | one); /* [1, 2) */
    ivec large = m > all(0x1.6a09e667f3bcdp0);
    m = select(large, m * 0.5, m);
    /* the biased exponent as a double, by putting it into the low bits of 2^52 */
    vec k = (vec)(((bits >> 52) & 0x7ff) | (ivec)all(0x1p52)) - 0x1p52 - 1023 + select(large, all(1), all(0));
    vec s = (m - 1) / (m + 1), q = s * s, sum = all(1.0 / 23);
#pragma GCC unroll 10
    for (int i = 21; i >= 3; i -= 2)
        sum = fma_(sum, q, all(1.0 / i));
    return fma_(k, all(ln2_high), fma_(k, all(ln2_low), fma_(s * q, 2 * sum, 2 * s)));
}

/* The polynomial of n coefficients, the constant one first. */
static inline __attribute__((always_inline)) vec polynomial(const int n, const double *coefficients, vec x)
{
    vec sum = all(coefficients[n - 1]);
#pragma GCC unroll 32
    for (int i = n - 2; i >= 0; i--)
        sum = fma_(sum, x, all(coefficients[i]));
    return sum;
}

struct normal {
    vec density, cumulative;
};

/* phi(x) and Phi(x). With t = 4 / (4 + |x|), Mills' ratio (1 - Phi)/phi at |x| is t times a polynomial in 2 t - 1. */
static inline struct normal normal_(vec x)
{
    static const double mills[25] = {
        0x1.e4aa012912ddep-2,  0x1.8615d9b49165fp-2,  0x1.f0d9856bc3b10p-3,   0x1.dec30ee679054p-4,
        0x1.360ce26020419p-5,  0x1.35aa3c952a44cp-8,  -0x1.1dcfea7978eabp-9,  -0x1.0be6d67626502p-10,
        0x1.5e7b1b211cd4cp-14, 0x1.2fb435c097a94p-13, -0x1.40ffdab014dc6p-20, -0x1.71801234b62e4p-16,
        0x1.e237785e90992p-22, 0x1.f20ec8ce0ecf6p-19, -0x1.a7cc0323f20c4p-22, -0x1.58c5c2ab3ae68p-21,
        0x1.6ea9c5cbe15c1p-23, 0x1.ae06eeda28ac4p-24, -0x1.d398e72f00fffp-25, -0x1.803ba179e4c38p-27,
        0x1.cd5fd224e8805p-27, 0x1.94b3e4fc98a2bp-32, -0x1.414f42abde6e4p-29, 0x1.4aaaba2ef263cp-34,
        0x1.d4fce22b76cf8p-33};
    const double per_root_2pi = 0.3989422804014326779;
    vec magnitude = (vec)((ivec)x & ~(ivec)all(-0.0)), t = 4 / (4 + magnitude), y = 2 * t - 1, y2 = y * y;
    vec even = all(mills[24]), odd = all(mills[23]);
#pragma GCC unroll 12
    for (int i = 22; i >= 2; i -= 2) {
        even = fma_(even, y2, all(mills[i]));
        odd = fma_(odd, y2, all(mills[i - 1]));
    }
    even = fma_(even, y2, all(mills[0]));
    struct normal at = {.density = per_root_2pi * exp_(-0.5 * x * x)};
    vec tail = at.density * t * fma_(odd, y, even);
    at.cumulative = select(x > 0, 1 - tail, tail);
    return at;
}

/* Phi^-1(p) for 1e-10 < p < 1 - 1e-10: Wichura (1988), Applied Statistics 37:477, algorithm AS 241. */
static inline vec probit_(vec p)
{
    static const double a[8] = {3.3871328727963666080,   1.3314166789178437745e2, 1.9715909503065514427e3,
                                1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                                3.3430575583588128105e4, 2.5090809287301226727e3},
                        b[8] = {1,
                                4.2313330701600911252e1,
                                6.8718700749205790830e2,
                                5.3941960214247511077e3,
                                2.1213794301586595867e4,
                                3.9307895800092710610e4,
                                2.8729085735721942674e4,
                                5.2264952788528545610e3},
                        c[8] = {1.42343711074968357734,    4.63033784615654529590,   5.76949722146069140550,
                                3.64784832476320460504,    1.27045825245236838258,   2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4},
                        d[8] = {1,
                                2.05319162663775882187,
                                1.67638483018380384940,
                                6.89767334985100004550e-1,
                                1.48103976427480074590e-1,
                                1.51986665636164571966e-2,
                                5.47593808499534494600e-4,
                                1.05075007164441684324e-9};
    vec q = p - 0.5, r = 0.180625 - q * q, x = q * polynomial(8, a, r) / polynomial(8, b, r);
    ivec outer = (q > 0.425) | (q < -0.425);
    int any = 0;
    for (int i = 0; i < WIDTH; i++)
        any |= outer[i] != 0;
    if (!any)
        return x;
    r = sqrt_(-log_(select(q < 0, p, 1 - p))) - 1.6;
    vec tail = polynomial(8, c, r) / polynomial(8, d, r);
    return select(outer, select(q < 0, -tail, tail), x);
}

#endif
