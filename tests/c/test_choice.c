/* Priors and likelihoods of choices, and the gradient of gated units, against finite differences, in every kernel; sizes
   that do not fill a block or a vector. Returns non-zero on failure. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "choice.h"
#include "gru.h"

enum { R = 301, PARAMETERS_MAX = 10, DECISION = 6 };

static int64_t session[R];
static int8_t choice[R], side[R], previous[R], biased[R];
static double contrast[R], prior[R], dprior[4 * R];
static const struct hrnn_choice_trials trials = {R, session, choice, side, previous, biased, contrast};

static void draw(void)
{
    double x[3 * R];
    fill(3 * R, 1, x);
    int8_t last = 0;
    for (size_t r = 0; r < R; r++) {
        session[r] = (int64_t)(r / 97);
        last = r % 97 ? last : 0;
        side[r] = x[3 * r] > 0 ? 1 : -1;
        contrast[r] = r % 5 ? 0.5 * x[3 * r] : 0;
        choice[r] = x[3 * r + 1] > 0.9 ? 0 : x[3 * r + 1] > -0.5 ? side[r] : (int8_t)-side[r];
        biased[r] = r % 97 > 20;
        previous[r] = last;
        last = choice[r] ? choice[r] : last;
    }
}

/* Log likelihood under all parameters in one row: zeta, zeta, lapse, lapse, repetition, bias, prior. */
static double value(const struct hrnn_kernel *kernel, enum hrnn_choice_prior model, const double *theta,
                    double *gradient)
{
    double outer[PARAMETERS_MAX * PARAMETERS_MAX], log_p[R], result,
        *scratch = malloc(sizeof(double) * hrnn_choice_scratch());
    struct hrnn_choice_decision decision = {
        0.49, {theta[0], theta[1]}, {theta[2], theta[3]}, theta[4], theta[5], 0, 0, 1, 1};
    hrnn_choice_prior(model, &trials, 1, theta + DECISION, prior, dprior);
    enum hrnn_status status =
        hrnn_choice_likelihood(kernel, &trials, &decision, prior, hrnn_choice_prior_parameters(model), dprior, &result,
                               gradient, outer, log_p, scratch);
    free(scratch);
    return status == HRNN_OK ? result : NAN;
}

static int check_choice(const struct hrnn_kernel *kernel, const char *isa, enum hrnn_choice_prior model)
{
    static const double start[HRNN_CHOICE_PRIOR_COUNT][4] = {
        {0.2}, {0.3}, {0.1, 0.3, 0.05, 0.4}, {6, 0.7, 1.3}, {0.03, 0.8}};
    double theta[PARAMETERS_MAX] = {0.3, 0.4, 0.1, 0.2, 0.15, -0.2}, gradient[PARAMETERS_MAX], ignored[PARAMETERS_MAX],
           error = 0;
    size_t n = DECISION + hrnn_choice_prior_parameters(model);
    for (size_t k = DECISION; k < n; k++)
        theta[k] = start[model][k - DECISION];
    value(kernel, model, theta, gradient);
    for (size_t k = 0; k < n; k++) {
        double kept = theta[k], shift = 1e-6, above, below;
        theta[k] = kept + shift;
        above = value(kernel, model, theta, ignored);
        theta[k] = kept - shift;
        below = value(kernel, model, theta, ignored);
        theta[k] = kept;
        error = fmax(error, fabs(gradient[k] - (above - below) / (2 * shift)) / (1 + fabs(gradient[k])));
    }
    return expect(error < 1e-6, isa, "gradient of a likelihood of choices");
}

static int check_gru(const struct hrnn_kernel *kernel, const char *isa)
{
    enum { N = 3, T = 7, L = 12, P = 3 * N * (HRNN_INPUTS + N + 1) + 2 * N + 1 };
    double theta[P], x[HRNN_INPUTS * T * L], q[T * L], weight[T * L], gradient[P] = {0}, ignored[P] = {0}, loss,
                                                                      error = 0;
    struct hrnn_sequence sequence = {T, L, x};
    double *scratch = malloc(sizeof(double) * hrnn_gru_scratch(N, &sequence));
    fill(P, 0.8, theta);
    fill(HRNN_INPUTS * T * L, 1, x);
    fill(T * L, 0.5, q);
    fill(T * L, 0.5, weight);
    for (size_t i = 0; i < T * L; i++) {
        q[i] += 0.5;
        weight[i] += 0.5;
    }
    int failed = hrnn_gru_n_parameters(N) != P;
    failed |= hrnn_gru_gradient(kernel, N, &sequence, q, weight, theta, &loss, gradient, scratch) != HRNN_OK;
    for (size_t k = 0; k < P; k++) {
        double kept = theta[k], shift = 1e-5, ends[2];
        for (int s = 0; s < 2; s++) {
            theta[k] = kept + (s ? -shift : shift);
            failed |= hrnn_gru_gradient(kernel, N, &sequence, q, weight, theta, ends + s, ignored, scratch) != HRNN_OK;
        }
        theta[k] = kept;
        error = fmax(error, fabs(gradient[k] - (ends[0] - ends[1]) / (2 * shift)));
    }
    free(scratch);
    return expect(!failed && error < 1e-7, isa, "gradient of gated units");
}

int main(void)
{
    int failed = 0;
    draw();
    for (int i = 0; i <= (int)hrnn_kernel_best(); i++) {
        struct hrnn_kernel kernel;
        const char *isa = hrnn_kernel_name((enum hrnn_kernel_isa)i);
        hrnn_kernel_fill(&kernel, (enum hrnn_kernel_isa)i);
        for (int model = 0; model < HRNN_CHOICE_PRIOR_COUNT; model++)
            failed += check_choice(&kernel, isa, (enum hrnn_choice_prior)model);
        failed += check_gru(&kernel, isa);
    }
    return failed != 0;
}
