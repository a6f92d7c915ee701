#include "rng.h"

#include <math.h>
#include <string.h>

/* Marsaglia & Tsang (2000), 256 layers: the edge of the base strip and the common area of the layers. */
static const double EDGE = 3.6541528853610088;
static const double AREA = 0.00492867323397465524494;

void hrnn_rng_ziggurat_fill(struct hrnn_ziggurat *ziggurat)
{
    double *x = ziggurat->x, *f = ziggurat->f;
    x[0] = AREA / exp(-0.5 * EDGE * EDGE);
    x[1] = EDGE;
    for (size_t i = 2; i < HRNN_ZIGGURAT_LAYERS; i++)
        x[i] = sqrt(-2 * log(AREA / x[i - 1] + exp(-0.5 * x[i - 1] * x[i - 1])));
    x[HRNN_ZIGGURAT_LAYERS] = 0;
    for (size_t i = 0; i <= HRNN_ZIGGURAT_LAYERS; i++)
        f[i] = exp(-0.5 * x[i] * x[i]);
}

static inline double uniform(bitgen_t *bitgen) { return bitgen->next_double(bitgen->state); }

double hrnn_rng_uniform(struct hrnn_rng rng) { return uniform(rng.bitgen); }

size_t hrnn_rng_categorical(struct hrnn_rng rng, size_t n, const double *p)
{
    double u = uniform(rng.bitgen);
    for (size_t i = 0; i + 1 < n; i++) {
        u -= p[i];
        if (u < 0)
            return i;
    }
    return n - 1;
}

static double tail(bitgen_t *bitgen)
{
    for (;;) {
        double x = -log1p(-uniform(bitgen)) / EDGE, y = -log1p(-uniform(bitgen));
        if (2 * y > x * x)
            return EDGE + x;
    }
}

/* Bit 8 becomes the sign of x >= 0: without a branch, which half of the draws would mispredict. */
static inline double signed_by(uint64_t bits, double x)
{
    uint64_t image;
    memcpy(&image, &x, sizeof image);
    image |= (bits & 0x100) << 55;
    memcpy(&x, &image, sizeof x);
    return x;
}

static double normal(bitgen_t *bitgen, const struct hrnn_ziggurat *ziggurat)
{
    for (;;) {
        uint64_t bits = bitgen->next_uint64(bitgen->state);
        size_t layer = bits & 0xff;
        double x = (double)(int64_t)(bits >> 11) * 0x1p-53 * ziggurat->x[layer];
        if (x < ziggurat->x[layer + 1])
            return signed_by(bits, x);
        if (layer == 0)
            return signed_by(bits, tail(bitgen));
        double low = ziggurat->f[layer], high = ziggurat->f[layer + 1];
        if (low + uniform(bitgen) * (high - low) < exp(-0.5 * x * x))
            return signed_by(bits, x);
    }
}

void hrnn_rng_normal(struct hrnn_rng rng, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = normal(rng.bitgen, rng.ziggurat);
}
