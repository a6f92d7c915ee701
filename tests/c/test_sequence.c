/* Sequences side by side against one at a time in plain loops, gradients against finite differences, and least squares step
   by step against the normal equations' answer, in every kernel. Returns non-zero on failure. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sequence.h"

enum { N = 3, STEPS = 13, LANES = 8, INPUTS = HRNN_INPUTS, PARAMETERS = N * (N + INPUTS + 1 + HRNN_ACTIONS) + HRNN_ACTIONS };

static double theta[PARAMETERS], x[INPUTS * STEPS * LANES], q[STEPS * LANES], weight[STEPS * LANES], y[N * STEPS * LANES],
    state_weight[STEPS * LANES];

static void draw(void)
{
    fill(PARAMETERS, 0.7, theta);
    fill(INPUTS * STEPS * LANES, 1.5, x);
    fill(STEPS * LANES, 0.5, q);
    fill(STEPS * LANES, 0.5, weight);
    fill(N * STEPS * LANES, 0.9, y);
    fill(STEPS * LANES, 0.5, state_weight);
    for (size_t i = 0; i < STEPS * LANES; i++) {
        q[i] += 0.5;
        weight[i] += 0.5;
        state_weight[i] += 0.5;
    }
}

/* The margin and the states of sequence l, from theta's own layout W, U, b, V, c. */
static void plain(double leak, size_t l, double *margin, double *hidden)
{
    const double *W = theta, *U = W + N * N, *b = U + N * INPUTS, *V = b + N, *c = V + HRNN_ACTIONS * N;
    double h[N] = {0}, next[N];
    for (size_t t = 0; t < STEPS; t++) {
        for (size_t i = 0; i < N; i++) {
            double a = b[i];
            for (size_t j = 0; j < N; j++)
                a += W[i * N + j] * h[j];
            for (size_t j = 0; j < INPUTS; j++)
                a += U[i * INPUTS + j] * x[(j * STEPS + t) * LANES + l];
            next[i] = (1 - leak) * h[i] + leak * tanh(a);
        }
        margin[t] = c[1] - c[0];
        for (size_t i = 0; i < N; i++) {
            h[i] = next[i];
            hidden[i * STEPS + t] = h[i];
            margin[t] += (V[N + i] - V[i]) * h[i];
        }
    }
}

static int check_forward(const struct hrnn_kernel *kernel, const char *isa, double leak)
{
    struct hrnn_cell cell = hrnn_cell_of(kernel, HRNN_CELL_LEAKY, N, leak);
    struct hrnn_sequence sequence = {STEPS, LANES, x};
    double margin[STEPS * LANES], hidden[N * STEPS * LANES], one[STEPS], states[N * STEPS], error = 0;
    double *scratch = malloc(sizeof(double) * hrnn_sequence_scratch(&cell, &sequence));
    hrnn_sequence_forward(&cell, &sequence, theta, margin, hidden, scratch);
    for (size_t l = 0; l < LANES; l++) {
        plain(leak, l, one, states);
        for (size_t t = 0; t < STEPS; t++) {
            error = fmax(error, fabs(margin[t * LANES + l] - one[t]));
            for (size_t i = 0; i < N; i++)
                error = fmax(error, fabs(hidden[(i * STEPS + t) * LANES + l] - states[i * STEPS + t]));
        }
    }
    free(scratch);
    return expect(error < 1e-13, isa, "sequences side by side");
}

static int check_gradient(const struct hrnn_kernel *kernel, const char *isa, double leak)
{
    struct hrnn_cell cell = hrnn_cell_of(kernel, HRNN_CELL_LEAKY, N, leak);
    struct hrnn_sequence sequence = {STEPS, LANES, x};
    struct hrnn_lesson lesson = {q, weight, 2.5, y, state_weight};
    double gradient[PARAMETERS] = {0}, ignored[PARAMETERS] = {0}, loss, above, below, error = 0, largest = 0, shift = 1e-5;
    double *scratch = malloc(sizeof(double) * hrnn_sequence_scratch(&cell, &sequence));
    int failed = hrnn_sequence_gradient(&cell, &sequence, &lesson, theta, &loss, gradient, scratch) != HRNN_OK;
    for (size_t k = 0; k < PARAMETERS; k++) {
        double kept = theta[k];
        theta[k] = kept + shift;
        failed |= hrnn_sequence_gradient(&cell, &sequence, &lesson, theta, &above, ignored, scratch) != HRNN_OK;
        theta[k] = kept - shift;
        failed |= hrnn_sequence_gradient(&cell, &sequence, &lesson, theta, &below, ignored, scratch) != HRNN_OK;
        theta[k] = kept;
        error = fmax(error, fabs(gradient[k] - (above - below) / (2 * shift)));
        largest = fmax(largest, fabs(gradient[k]));
    }
    theta[0] = INFINITY;
    failed |= hrnn_sequence_gradient(&cell, &sequence, &lesson, theta, &loss, ignored, scratch) != HRNN_NONFINITE;
    draw();
    free(scratch);
    return expect(!failed && error < 1e-8 * largest, isa, "gradient against finite differences");
}

/* Currents and log odds that a network with these weights would have on its own states: learned exactly, up to the prior. */
static int check_force(const struct hrnn_kernel *kernel, const char *isa)
{
    enum { LONG = 4000, K = N + INPUTS + 1 };
    static double inputs[LONG * INPUTS], current[LONG * N], margin[LONG];
    static int8_t starts[LONG];
    struct hrnn_cell cell = hrnn_cell_of(kernel, HRNN_CELL_LEAKY, N, 1);
    double start[PARAMETERS], learned[PARAMETERS], inverse[2 * K * K] = {0}, h[N] = {0}, error = 0;
    double *scratch = malloc(sizeof(double) * hrnn_sequence_force_scratch(&cell));
    const double *W = theta, *U = W + N * N, *b = U + N * INPUTS, *V = b + N, *c = V + HRNN_ACTIONS * N;
    fill(LONG * INPUTS, 1.5, inputs);
    double state[N] = {0};
    for (size_t t = 0; t < LONG; t++) {
        double next[N];
        starts[t] = t % 500 == 0;
        for (size_t i = 0; starts[t] && i < N; i++)
            state[i] = 0;
        margin[t] = c[1] - c[0];
        for (size_t i = 0; i < N; i++) {
            double a = b[i];
            for (size_t j = 0; j < N; j++)
                a += W[i * N + j] * state[j];
            for (size_t j = 0; j < INPUTS; j++)
                a += U[i * INPUTS + j] * inputs[t * INPUTS + j];
            current[t * N + i] = a;
            next[i] = tanh(a);
            margin[t] += (V[N + i] - V[i]) * next[i];
        }
        memcpy(state, next, sizeof state);
    }
    fill(PARAMETERS, 0.1, start);
    for (size_t i = 0; i < PARAMETERS; i++) /* near enough that the running network's states are those of the teacher */
        learned[i] = theta[i] + 1e-3 * start[i];
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < K; j++)
            inverse[(i * K + j) * K + j] = 1e6;
    int failed = hrnn_sequence_force(&cell, LONG, inputs, starts, current, margin, learned, inverse, h, scratch) != HRNN_OK;
    for (size_t i = 0; i < N * K; i++)
        error = fmax(error, fabs(learned[i] - theta[i]));
    const double *v = learned + N * K, *e = v + HRNN_ACTIONS * N;
    for (size_t i = 0; i < N; i++)
        error = fmax(error, fabs((v[N + i] - v[i]) - (V[N + i] - V[i])));
    error = fmax(error, fabs((e[1] - e[0]) - (c[1] - c[0])));
    free(scratch);
    return expect(!failed && error < 1e-5, isa, "recursive least squares");
}

int main(void)
{
    int failed = 0;
    draw();
    for (int i = 0; i <= (int)hrnn_kernel_best(); i++) {
        struct hrnn_kernel kernel;
        const char *isa = hrnn_kernel_name((enum hrnn_kernel_isa)i);
        hrnn_kernel_fill(&kernel, (enum hrnn_kernel_isa)i);
        failed += check_forward(&kernel, isa, 1) + check_forward(&kernel, isa, 0.3);
        failed += check_gradient(&kernel, isa, 1) + check_gradient(&kernel, isa, 0.3);
        failed += check_force(&kernel, isa);
    }
    return failed != 0;
}
