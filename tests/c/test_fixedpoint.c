/* Searches and iteration on networks of one unit, whose points are known, in every kernel. Returns non-zero on failure. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "fixedpoint.h"

enum { STARTS = 9 };

/* theta of one unit with recurrent weight w and bias b: W, U, b, V, c. */
static void unit(double w, double b, double theta[9])
{
    for (size_t i = 0; i < 9; i++)
        theta[i] = 0;
    theta[0] = w;
    theta[4] = b;
}

/* h = tanh(1.5 h) at 0 and ±0.8585...: found to tolerance from either side, whatever the leak. */
static int check_search(const struct hrnn_kernel *kernel, const char *isa, double leak)
{
    double theta[9], points[STARTS], residual[STARTS], x[HRNN_INPUTS] = {0}, error = 0;
    int8_t outcome[STARTS];
    int64_t n_iterations[STARTS];
    struct hrnn_cell cell = hrnn_cell_of(kernel, HRNN_CELL_LEAKY, 1, leak);
    double *scratch = malloc(sizeof(double) * hrnn_fixedpoint_search_scratch(&cell));
    unit(1.5, 0, theta);
    for (size_t i = 0; i < STARTS; i++)
        points[i] = -1.2 + 0.3 * (double)i;
    hrnn_fixedpoint_search(&cell, theta, x, STARTS, 100, 1e-13, points, residual, outcome, n_iterations, scratch, NULL);
    int found = 1, sides = 0;
    for (size_t i = 0; i < STARTS; i++) {
        found &= outcome[i] == HRNN_FIXEDPOINT_FOUND && residual[i] <= 1e-13;
        error = fmax(error, fabs(tanh(1.5 * points[i]) - points[i]));
        sides |= points[i] < -0.5 ? 1 : points[i] > 0.5 ? 2 : 4;
    }
    free(scratch);
    return expect(found && error < 1e-12 && sides == 7, isa, "fixed points of one unit");
}

/* Without a point near, the search ends at the slow point, where the slope of the speed is 0. */
static int check_slow(const struct hrnn_kernel *kernel, const char *isa)
{
    double w = 1.5, h = sqrt(1 - 1 / w), b = atanh(h) - w * h - 0.02, theta[9], point = 0.5, residual,
           x[HRNN_INPUTS] = {0};
    int8_t outcome;
    int64_t n_iterations;
    struct hrnn_cell cell = hrnn_cell_of(kernel, HRNN_CELL_LEAKY, 1, 1);
    double *scratch = malloc(sizeof(double) * hrnn_fixedpoint_search_scratch(&cell));
    unit(w, b, theta);
    hrnn_fixedpoint_search(&cell, theta, x, 1, 100, 1e-13, &point, &residual, &outcome, &n_iterations, scratch, NULL);
    double u = tanh(w * point + b);
    free(scratch);
    return expect(outcome == HRNN_FIXEDPOINT_SLOW && residual > 0.005 && fabs(w * (1 - u * u) - 1) < 1e-6, isa,
                  "a slow point");
}

/* h = w h + b in the linear range: h_t = b (1 - w^t) / (1 - w), and the stop where a step is shorter than the tolerance. */
static int check_iterate(const struct hrnn_kernel *kernel, const char *isa)
{
    double theta[9], states[STARTS], x[HRNN_INPUTS] = {0}, error = 0;
    int64_t n_steps[STARTS];
    struct hrnn_cell cell = hrnn_cell_of(kernel, HRNN_CELL_LEAKY, 1, 1);
    double *scratch = malloc(sizeof(double) * hrnn_fixedpoint_iterate_scratch(&cell));
    unit(0.5, 1e-6, theta);
    for (size_t i = 0; i < STARTS; i++)
        states[i] = 1e-6 * (double)i;
    hrnn_fixedpoint_iterate(&cell, theta, x, STARTS, 7, 1e-8, states, n_steps, scratch, NULL);
    for (size_t i = 0; i < STARTS; i++) {
        double h = 1e-6 * (double)i, before;
        int64_t n = 0;
        do {
            before = h;
            h = 0.5 * h + 1e-6;
        } while (++n < 7 && !(fabs(h - before) < 1e-8));
        error = fmax(error, fmax(fabs(states[i] - h) / 1e-6, fabs((double)(n - n_steps[i]))));
    }
    free(scratch);
    return expect(error < 1e-9, isa, "iteration of the map, or its stop");
}

int main(void)
{
    int failed = 0;
    for (int i = 0; i <= (int)hrnn_kernel_best(); i++) {
        struct hrnn_kernel kernel;
        const char *isa = hrnn_kernel_name((enum hrnn_kernel_isa)i);
        hrnn_kernel_fill(&kernel, (enum hrnn_kernel_isa)i);
        failed += check_search(&kernel, isa, 1) + check_search(&kernel, isa, 0.3);
        failed += check_slow(&kernel, isa) + check_iterate(&kernel, isa);
    }
    return failed != 0;
}
