/* The body of each kernel_<isa>.c, which defines HRNN_KERNEL_FILL. */
#include "kernel_isa.h"

#include "kernel_math.h"

/* ---- products ------------------------------------------------------------------------------------------------- */

/* Rows in one panel of accumulators, for 1 to 4 lanes: as many as the 16 registers hold. */
enum { ROWS_1 = 13, ROWS_2 = 6, ROWS_3 = 4, ROWS_4 = 3, LANES_MAX = 4 };

/* One lane: y = from + A z. Loads are the limit here, so several z are loaded at once and broadcast from a register.
   `rows`, in vectors, and `lanes` are literals at each call, here and below, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void column(const int rows, size_t k, const double *A, size_t lda,
                                                         const double *z, const double *from, double *y)
{
    vec sum[ROWS_1];
    size_t j = 0;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        sum[r] = load(from + r * WIDTH);
    for (; j + WIDTH <= k; j += WIDTH) {
        vec several = load(z + j);
#pragma GCC unroll 4
        for (int q = 0; q < WIDTH; q++, A += lda) {
            vec zj = __builtin_shuffle(several, q - (ivec){0});
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
                sum[r] = fma_(load(A + r * WIDTH), zj, sum[r]);
        }
    }
    for (; j < k; j++, A += lda) {
        vec zj = all(z[j]);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            sum[r] = fma_(load(A + r * WIDTH), zj, sum[r]);
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        store(y + r * WIDTH, sum[r]);
}

/* Several lanes from row i on: y[l] = from[l] + A z[l]. */
static inline __attribute__((always_inline)) void panel(const int rows, const int lanes, size_t k, const double *A,
                                                        size_t lda, const double *const *z, const double *const *from,
                                                        double *const *y, size_t i)
{
    vec sum[ROWS_2][LANES_MAX];
    const double *z_[LANES_MAX];
#pragma GCC unroll 4
    for (int l = 0; l < lanes; l++) {
        z_[l] = z[l];
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            sum[r][l] = load(from[l] + i + r * WIDTH);
    }
    A += i;
    for (size_t j = 0; j < k; j++, A += lda) {
        vec a[ROWS_2];
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            a[r] = load(A + r * WIDTH);
#pragma GCC unroll 4
        for (int l = 0; l < lanes; l++) {
            vec zj = all(z_[l][j]);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
                sum[r][l] = fma_(a[r], zj, sum[r][l]);
        }
    }
#pragma GCC unroll 4
    for (int l = 0; l < lanes; l++)
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            store(y[l] + i + r * WIDTH, sum[r][l]);
}

/* `lanes` columns of a sum of outer products: G += sum_t d_t z_t'. */
static inline __attribute__((always_inline)) void tile(const int rows, const int lanes, size_t k, const double *d,
                                                       size_t ldd, const double *z, size_t ldz, double *G, size_t ldg)
{
    vec sum[ROWS_4][LANES_MAX];
#pragma GCC unroll 4
    for (int l = 0; l < lanes; l++)
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            sum[r][l] = load(G + (size_t)l * ldg + r * WIDTH);
    for (size_t t = 0; t < k; t++, d += ldd, z += ldz) {
        vec a[ROWS_4];
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            a[r] = load(d + r * WIDTH);
#pragma GCC unroll 4
        for (int l = 0; l < lanes; l++) {
            vec zl = all(z[l]);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
                sum[r][l] = fma_(a[r], zl, sum[r][l]);
        }
    }
#pragma GCC unroll 4
    for (int l = 0; l < lanes; l++)
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
            store(G + (size_t)l * ldg + r * WIDTH, sum[r][l]);
}

/* ---- from numbers of rows and lanes to literals: a case for each pair that occurs, 8 lanes + rows ---- */

static void column_of(size_t rows, size_t k, const double *A, size_t lda, const double *z, const double *from,
                      double *y)
{
#define CASE(rows)                                                                                                     \
    case rows:                                                                                                         \
        column(rows, k, A, lda, z, from, y);                                                                           \
        break;
    switch (rows) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
        CASE(12)
        CASE(13)
    }
#undef CASE
}

static void panel_of(size_t rows, size_t n_lanes, size_t k, const double *A, size_t lda, const double *const *z,
                     const double *const *from, double *const *y, size_t i)
{
#define CASE(rows, lanes)                                                                                              \
    case 8 * lanes + rows:                                                                                             \
        panel(rows, lanes, k, A, lda, z, from, y, i);                                                                  \
        break;
    switch (8 * n_lanes + rows) {
        CASE(1, 2)
        CASE(2, 2)
        CASE(3, 2)
        CASE(4, 2)
        CASE(5, 2)
        CASE(6, 2)
        CASE(1, 3)
        CASE(2, 3)
        CASE(3, 3)
        CASE(4, 3)
        CASE(1, 4)
        CASE(2, 4)
        CASE(3, 4)
    }
#undef CASE
}

static void tile_of(size_t rows, size_t n_columns, size_t k, const double *d, size_t ldd, const double *z, size_t ldz,
                    double *G, size_t ldg)
{
#define CASE(rows, columns)                                                                                            \
    case 8 * columns + rows:                                                                                           \
        tile(rows, columns, k, d, ldd, z, ldz, G, ldg);                                                                \
        break;
    switch (8 * n_columns + rows) {
        CASE(1, 1)
        CASE(2, 1)
        CASE(3, 1)
        CASE(1, 2)
        CASE(2, 2)
        CASE(3, 2)
        CASE(1, 3)
        CASE(2, 3)
        CASE(3, 3)
        CASE(1, 4)
        CASE(2, 4)
        CASE(3, 4)
    }
#undef CASE
}

/* Cuts n into the fewest parts of at most `most`, nearly equal: where part p starts. No division for a single part. */
static inline size_t part(size_t n, size_t most, size_t p)
{
    return n <= most ? n * p : n * p / ((n + most - 1) / most);
}

static void gemm(size_t m, size_t n_lanes, size_t k, const double *A, size_t lda, const double *const *z,
                 const double *const *from, double *const *y)
{
    static const size_t most[LANES_MAX + 1] = {0, ROWS_1, ROWS_2, ROWS_3, ROWS_4};
    size_t rows = m / WIDTH;
    for (size_t g = 0, l = 0, next; l < n_lanes; l = next) {
        next = part(n_lanes, LANES_MAX, ++g);
        size_t lanes = next - l;
        for (size_t p = 0, r = 0, below; r < rows; r = below) {
            below = part(rows, most[lanes], ++p);
            size_t i = r * WIDTH;
            if (lanes == 1)
                column_of(below - r, k, A + i, lda, z[l], from[l] + i, y[l] + i);
            else
                panel_of(below - r, lanes, k, A, lda, z + l, from + l, y + l, i);
        }
    }
}

static void outer(size_t m, size_t n, size_t k, const double *d, size_t ldd, const double *z, size_t ldz, double *G,
                  size_t ldg)
{
    size_t rows = m / WIDTH;
    for (size_t g = 0, j = 0, next; j < n; j = next) {
        next = part(n, LANES_MAX, ++g);
        for (size_t p = 0, r = 0, below; r < rows; r = below) {
            below = part(rows, ROWS_4, ++p);
            tile_of(below - r, next - j, k, d + r * WIDTH, ldd, z + j, ldz, G + j * ldg + r * WIDTH, ldg);
        }
    }
}

/* ---- elementary functions over arrays ------------------------------------------------------------------------------ */

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

static inline __attribute__((always_inline)) void
leaky_backward_(const int whole, size_t n, double leak, const double *h, const double *h_next, double *dh, double *d)
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

static inline vec sigma_(vec x) { return 0.5 + 0.5 * tanh_(0.5 * x); }

/* `given` says, as a literal, that the input's part U x is still to be added to a. */
static inline __attribute__((always_inline)) vec with_input(const int given, const double *U, size_t ld,
                                                            const vec x[HRNN_INPUTS], vec a)
{
    if (given)
#pragma GCC unroll 8
        for (size_t j = 0; j < HRNN_INPUTS; j++)
            a = fma_(load(U + j * ld), x[j], a);
    return a;
}

static inline __attribute__((always_inline)) void gru_(const int given, size_t n, const struct hrnn_kernel_gru *form,
                                                       const double *U, const double *x, const double *a,
                                                       const double *h, double *h_next, double *saved)
{
    size_t update = form->stride, memory = 2 * form->stride, inner = form->inner;
    vec x_[HRNN_INPUTS] = {{0}};
    for (size_t j = 0; given && j < HRNN_INPUTS; j++)
        x_[j] = all(x[j]);
    for (size_t i = 0; i < n; i += WIDTH) {
        vec r = sigma_(with_input(given, U + i, form->ld, x_, load(a + i)));
        vec z = sigma_(with_input(given, U + update + i, form->ld, x_, load(a + update + i)));
        vec m = load(a + memory + i);
        vec c = tanh_(fma_(r, m, with_input(given, U + inner + i, form->ld, x_, load(a + inner + i))));
        store(h_next + i, fma_(z, load(h + i) - c, c));
        store(saved + i, r);
        store(saved + n + i, z);
        store(saved + 2 * n + i, m);
        store(saved + 3 * n + i, c);
    }
}

static void gru(size_t n, const struct hrnn_kernel_gru *form, const double *U, const double *x, const double *a,
                const double *h, double *h_next, double *saved)
{
    if (x)
        gru_(1, n, form, U, x, a, h, h_next, saved);
    else
        gru_(0, n, form, a, NULL, a, h, h_next, saved);
}

static void gru_backward(size_t n, const struct hrnn_kernel_gru *form, const double *h, const double *saved, double *dh,
                         double *d)
{
    for (size_t i = 0; i < n; i += WIDTH) {
        vec r = load(saved + i), z = load(saved + n + i), m = load(saved + 2 * n + i), c = load(saved + 3 * n + i);
        vec g = load(dh + i), dq = g * (1 - z) * (1 - c * c), dm = dq * r;
        store(d + i, dm * m * (1 - r));
        store(d + form->stride + i, g * (load(h + i) - c) * z * (1 - z));
        store(d + 2 * form->stride + i, dm);
        store(d + form->inner + i, dq);
        store(dh + i, z * g);
    }
}

static void exp_all(size_t n, const double *x, double *out)
{
    for (size_t i = 0; i < n; i += WIDTH)
        store(out + i, exp_(load(x + i)));
}

static void log_all(size_t n, const double *x, double *out)
{
    for (size_t i = 0; i < n; i += WIDTH)
        store(out + i, log_(load(x + i)));
}

static void normal_all(size_t n, const double *x, double *density, double *cumulative)
{
    for (size_t i = 0; i < n; i += WIDTH) {
        struct normal at = normal_(load(x + i));
        store(density + i, at.density);
        store(cumulative + i, at.cumulative);
    }
}

static void probit_all(size_t n, const double *p, double *x)
{
    for (size_t i = 0; i < n; i += WIDTH)
        store(x + i, probit_(load(p + i)));
}

/* ---- sums ----------------------------------------------------------------------------------------------------- */

static inline double sum_of(const double x[8])
{
    return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

/* Eight running sums of each kind, whatever the width: the same bits in all kernels. */
static double leave(size_t n, double weight, const double *hazard, double *p, double *stays)
{
    enum { VECTORS = 8 / WIDTH };
    vec gone[VECTORS] = {{0}}, kept[VECTORS] = {{0}};
    double gone_[8], kept_[8];
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++) {
            vec mass = weight * load(p + i + v * WIDTH), leaves = mass * load(hazard + i + v * WIDTH);
            store(p + i + v * WIDTH, mass - leaves);
            gone[v] += leaves;
            kept[v] += mass - leaves;
        }
    for (size_t v = 0; v < VECTORS; v++) {
        store(gone_ + v * WIDTH, gone[v]);
        store(kept_ + v * WIDTH, kept[v]);
    }
    for (; i < n; i++) {
        double mass = weight * p[i], leaves = mass * hazard[i];
        p[i] = mass - leaves;
        gone_[i % 8] += leaves;
        kept_[i % 8] += mass - leaves;
    }
    *stays = sum_of(kept_);
    return sum_of(gone_);
}

void HRNN_KERNEL_FILL(struct hrnn_kernel *kernel)
{
    kernel->gemm = gemm;
    kernel->outer = outer;
    kernel->tanh = tanh_all;
    kernel->leaky = leaky;
    kernel->leaky_backward = leaky_backward;
    kernel->gru = gru;
    kernel->gru_backward = gru_backward;
    kernel->exp = exp_all;
    kernel->log = log_all;
    kernel->normal = normal_all;
    kernel->probit = probit_all;
    kernel->leave = leave;
}
