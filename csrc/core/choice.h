/* Likelihoods of the choices of a mouse, or of anybody, and their derivatives: priors that follow the trials, and the
   decision stage that all of them share (Findling et al.). Everything is mirrored to the right: contrast c = side x
   contrast, pi = P(right). Trials without a choice freeze a prior and count nothing. Not here: who fits, and Bayesian
   priors, which are inference.h's. */
#ifndef HRNN_CHOICE_H
#define HRNN_CHOICE_H

#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

/* Trials of one or many sessions (R), sessions being runs of equal `session`. */
struct hrnn_choice_trials {
    size_t n; /* R */
    const int64_t *session;
    const int8_t *choice, *side; /* (R,) -1, 0, 1 */
    const int8_t *previous;      /* (R,) the last choice before this one in the session that was not 0, or 0 */
    const int8_t *biased;        /* (R,) 0 where the block is unbiased */
    const double *contrast;      /* (R,) signed */
};

enum hrnn_choice_prior {
    HRNN_CHOICE_ACTION_KERNEL,   /* pi <- (1 - alpha) pi + alpha [choice = right] */
    HRNN_CHOICE_STIMULUS_KERNEL, /* pi <- (1 - alpha) pi + alpha [side = right] */
    HRNN_CHOICE_FOUR_ALPHA,      /* values of both sides; alpha of chosen/other x rewarded/not; normalised */
    HRNN_CHOICE_EXPONENTIAL,     /* pi = (R + b) / (L + R + b + b'), R = sum_k exp(-k / tau) [side_{t-k} = right] */
    HRNN_CHOICE_MARKOV,          /* two blocks, constant hazard, sides known; second parameter P(side = block side) */
    HRNN_CHOICE_PRIOR_COUNT
};

const char *hrnn_choice_prior_name(enum hrnn_choice_prior model);

/* Number of parameters: 1, 1, 4 (chosen and rewarded, chosen not, other and rewarded, other not), 3 (tau, b right, b
   left), 2 (hazard, p_block). */
size_t hrnn_choice_prior_parameters(enum hrnn_choice_prior model);

/* pi before each trial (R,) and its derivatives (K, R). Where biased is 0 markov's pi is 1/2 and it learns nothing; the
   other models know no blocks. shift 0 counts the trial itself into the exponential window, as published code does; 1 is
   right. */
void hrnn_choice_prior(enum hrnn_choice_prior model, const struct hrnn_choice_trials *trials, int shift,
                       const double *parameters, double *prior, double *dprior);

/* The decision stage: P(right) = Phi(c/zeta + probit(pi) sqrt(1 + zeta^2/sigma^2) + bias), then
   (1 - lambda - rho) P(choice) + lambda/2 + rho [choice = previous], rho = 0 where there is no previous choice. zeta and
   lambda belong to the side of c, their mean to c = 0; one_* says that both are one parameter, repeats and leans that
   repetition and bias are parameters. */
struct hrnn_choice_decision {
    double sigma, zeta[2], lapse[2], repetition, bias; /* left, right */
    int one_zeta, one_lapse, repeats, leans;
};

/* 1 or 2 zetas, 1 or 2 lapses, a repetition and a bias if they are parameters. */
size_t hrnn_choice_decision_parameters(const struct hrnn_choice_decision *decision);

size_t hrnn_choice_scratch(void);

/* Most parameters of a prior. */
enum { HRNN_CHOICE_PRIOR_PARAMETERS_MAX = 8 };

/* Log likelihood of the choices, its gradient (P,), and the sum of outer products (P, P) of the trials' gradients: P =
   decision parameters, then the n_prior of the prior, whose derivatives are dprior (n_prior, R). log_p (R,) may be NULL;
   0 where there is no choice. HRNN_NONFINITE if the likelihood is not finite. */
enum hrnn_status hrnn_choice_likelihood(const struct hrnn_kernel *kernel, const struct hrnn_choice_trials *trials,
                                        const struct hrnn_choice_decision *decision, const double *prior,
                                        size_t n_prior, const double *dprior, double *log_likelihood, double *gradient,
                                        double *outer, double *log_p, double *scratch);

/* P(right) of each trial (R,), whatever was chosen. */
void hrnn_choice_p_right(const struct hrnn_kernel *kernel, const struct hrnn_choice_trials *trials,
                         const struct hrnn_choice_decision *decision, const double *prior, double *p_right,
                         double *scratch);

#endif
