/* What the C tests share: numbers to test with, and the report of what failed. */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The functions of a bit generator with NumPy's interface (splitmix64); state is a uint64_t. */
static inline uint64_t next_uint64(void *state)
{
    uint64_t *s = state, z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline double next_double(void *state) { return (double)(next_uint64(state) >> 11) * 0x1p-53; }

/* n numbers between -scale and scale, from one stream. */
static inline void fill(size_t n, double scale, double *x)
{
    static uint64_t state = 1;
    for (size_t i = 0; i < n; i++)
        x[i] = scale * (2 * next_double(&state) - 1);
}

/* 0 if it holds, else 1 after saying where and what. */
static inline int expect(int holds, const char *where, const char *what)
{
    if (!holds)
        printf("%s: %s\n", where, what);
    return !holds;
}

#endif
