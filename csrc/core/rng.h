/* Random draws over a NumPy bit generator. Every stream is the caller's; nothing is seeded or kept here. */
#ifndef HRNN_RNG_H
#define HRNN_RNG_H

#include <stddef.h>
#include <stdint.h>

#include <numpy/random/bitgen.h>

enum { HRNN_ZIGGURAT_LAYERS = 256 };

/* Layer edges x (decreasing, x[0] is the pseudo-width of the base strip) and density values f(x) of exp(-x^2/2). */
struct hrnn_ziggurat {
    double x[HRNN_ZIGGURAT_LAYERS + 1];
    double f[HRNN_ZIGGURAT_LAYERS + 1];
};

struct hrnn_rng {
    bitgen_t *bitgen;
    const struct hrnn_ziggurat *ziggurat;
};

void hrnn_rng_ziggurat_fill(struct hrnn_ziggurat *ziggurat);

double hrnn_rng_uniform(struct hrnn_rng rng); /* [0, 1) */
size_t hrnn_rng_categorical(struct hrnn_rng rng, size_t n, const double *p /* (n,), sums to 1 */);
void hrnn_rng_normal(struct hrnn_rng rng, size_t n, double *out /* (n,) standard normal */);

#endif
