/* The core without Python: the gradient of a closed-loop session against finite differences, and lockstep against
   single sessions, on whatever kernels this machine has. Returns non-zero on failure. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rollout.h"

enum { TRIALS = 12, N_OBS = 4, SESSIONS = 3 };

static const double strengths[3] = {0, 1, 2}, weights[3] = {0.25, 0.5, 0.25};

struct world {
    int64_t session[SESSIONS * TRIALS], offsets[SESSIONS + 1], n_obs[SESSIONS * TRIALS];
    int8_t block_side[SESSIONS * TRIALS], side[SESSIONS * TRIALS], choice[SESSIONS * TRIALS];
    double strength[SESSIONS * TRIALS], observations[SESSIONS * TRIALS * N_OBS * 2];
};

static void fill_world(const struct hrnn_task *task, struct hrnn_rng rng, struct world *world)
{
    for (int64_t i = 0; i < SESSIONS * TRIALS; i++) {
        world->session[i] = i / TRIALS;
        world->block_side[i] = i % 2 ? 1 : -1;
    }
    for (int64_t s = 0; s <= SESSIONS; s++)
        world->offsets[s] = s * TRIALS;
    hrnn_task_sample_trials(task, rng, SESSIONS * TRIALS, world->block_side, world->side, world->strength);
    hrnn_task_sample_observations(task, rng, SESSIONS * TRIALS, world->side, world->strength, world->observations);
}

static double run(const struct hrnn_cell *cell, const struct hrnn_task *task, struct world *world, size_t first,
                  size_t n_lanes, const double *theta, double *loss, double *gradient)
{
    struct hrnn_sessions sessions = {SESSIONS * TRIALS, world->session, world->block_side, world->side,
                                     world->observations};
    double *scratch = malloc(hrnn_rollout_gradient_scratch(cell, task, n_lanes, n_lanes * TRIALS) * sizeof *scratch);
    memset(gradient, 0, hrnn_cell_n_parameters(cell) * sizeof *gradient);
    enum hrnn_status status =
        hrnn_rollout_gradient(cell, task, &sessions, n_lanes, world->offsets + first, HRNN_LOSS_CROSS_ENTROPY, theta, 1,
                              loss, world->choice, world->n_obs, gradient, scratch, NULL);
    free(scratch);
    double total = 0;
    for (size_t l = 0; l < n_lanes; l++)
        total += loss[l];
    return status == HRNN_OK ? total : NAN;
}

static int check(enum hrnn_kernel_isa isa, enum hrnn_cell_name name, size_t n_hidden, double leak)
{
    uint64_t seed = 7 + n_hidden;
    bitgen_t bitgen = {.state = &seed, .next_uint64 = next_uint64, .next_double = next_double};
    struct hrnn_ziggurat ziggurat;
    struct hrnn_kernel kernel;
    struct hrnn_rng rng = {&bitgen, &ziggurat};
    struct world world;
    hrnn_kernel_fill(&kernel, isa);
    struct hrnn_cell cell = hrnn_cell_of(&kernel, name, n_hidden, leak);
    struct hrnn_task task = {3,     strengths, weights, 0.8, HRNN_BLOCK_GEOMETRIC, 0.02, 20, 100, 0, 2,
                             N_OBS, 0.999999,  -0.05,   1};
    size_t n = hrnn_cell_n_parameters(&cell), failures = 0;
    double loss[SESSIONS], alone, *theta = malloc(3 * n * sizeof *theta), *gradient = theta + n, *other = theta + 2 * n;
    hrnn_rng_ziggurat_fill(&ziggurat);
    fill_world(&task, rng, &world);
    hrnn_rng_normal(rng, n, theta);
    for (size_t i = 0; i < n; i++)
        theta[i] *= 0.5 / sqrt((double)n_hidden);
    run(&cell, &task, &world, 0, SESSIONS, theta, loss, gradient);
    for (size_t i = 0; i < n; i += 1 + n / 40) {
        double at = theta[i], h = 1e-6, ignored[SESSIONS];
        theta[i] = at + h;
        double high = run(&cell, &task, &world, 0, SESSIONS, theta, ignored, other);
        theta[i] = at - h;
        double low = run(&cell, &task, &world, 0, SESSIONS, theta, ignored, other);
        theta[i] = at;
        failures += !(fabs((high - low) / (2 * h) - gradient[i]) < 1e-7);
    }
    for (size_t s = 0; s < SESSIONS; s++) {
        run(&cell, &task, &world, s, 1, theta, &alone, other);
        failures += alone != loss[s];
    }
    free(theta);
    if (failures)
        printf("%s, %s, N = %zu: %zu failures\n", hrnn_kernel_name(isa), cell.kind.name, n_hidden, failures);
    return failures != 0;
}

int main(void)
{
    static const size_t sizes[] = {1, 2, 5, 16, 50, 61};
    int failed = 0;
    for (int isa = 0; isa <= (int)hrnn_kernel_best(); isa++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int name = 0; name < HRNN_CELL_COUNT; name++)
                failed += check((enum hrnn_kernel_isa)isa, (enum hrnn_cell_name)name, sizes[i],
                                name == HRNN_CELL_LEAKY ? 0.4 : 1);
    return failed != 0;
}
