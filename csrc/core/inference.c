#include "inference.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char model_names[HRNN_BLOCK_MODEL_COUNT][24] = {
    "semi_markov", "markov", "none", "oracle", "exponential", "published_actor", "published_observer",
};

const char *hrnn_inference_block_model_name(enum hrnn_block_model model) { return model_names[model]; }

static const char evidence_names[HRNN_EVIDENCE_COUNT][16] = {"both", "difference"};

const char *hrnn_inference_evidence_name(enum hrnn_evidence evidence) { return evidence_names[evidence]; }

/* ---- the block posterior --------------------------------------------------------------------------------------- */

/* state[0], state[1]: mass of (or belief in) the left and the right block; state[2]: pi of the exponential model;
   then, for semi_markov, P(b, a) for both sides, each with room to slide: age a of side s stands at
   ages(s)[head + a - 1], and head moves down by one a trial. state[3] holds head, state[4] the oldest age so far. */
enum { LEFT, RIGHT, PRIOR, HEAD, OLDEST, AGES, SLIDE = 256 };

static size_t room(const struct hrnn_task *task) { return (size_t)task->block_max + SLIDE; }

/* Where the ages of side s begin; of "side" 2, where the state ends. */
static size_t ages_at(const struct hrnn_task *task, size_t s) { return AGES + s * room(task); }

static double *ages(const struct hrnn_believer *believer, double *state, size_t s)
{
    return state + ages_at(believer->task, s);
}

size_t hrnn_inference_state_size(const struct hrnn_task *task) { return ages_at(task, 2); }

int hrnn_inference_goes_on(const struct hrnn_believer *believer, const double *state)
{
    double head = state[HEAD], oldest = state[OLDEST], most = (double)believer->task->block_max;
    return believer->model != HRNN_SEMI_MARKOV || (head >= 0 && head <= SLIDE && floor(head) == head && oldest >= 1 &&
                                                   oldest <= most && floor(oldest) == oldest);
}

static void start(const struct hrnn_believer *believer, double *state)
{
    state[LEFT] = state[RIGHT] = state[PRIOR] = 0.5;
    if (believer->model != HRNN_SEMI_MARKOV)
        return;
    memset(state + AGES, 0, 2 * room(believer->task) * sizeof *state);
    state[HEAD] = SLIDE;
    state[OLDEST] = 1;
    ages(believer, state, LEFT)[SLIDE] = ages(believer, state, RIGHT)[SLIDE] = 0.5;
}

static void transition_semi_markov(const struct hrnn_believer *believer, const double weight[2], double *state)
{
    size_t most = (size_t)believer->task->block_max, n = (size_t)state[OLDEST], head = (size_t)state[HEAD];
    assert(head <= SLIDE && n <= most);
    double *p[2] = {ages(believer, state, LEFT), ages(believer, state, RIGHT)}, ended[2], kept[2];
    for (size_t s = 0; s < 2; s++)
        ended[s] = believer->kernel->leave(n, weight[s], believer->hazard + 1, p[s] + head, kept + s);
    if (head == 0) {
        for (size_t s = 0; s < 2; s++)
            memmove(p[s] + SLIDE, p[s], (n < most ? n : most - 1) * sizeof **p);
        head = SLIDE;
    }
    head--;
    p[LEFT][head] = ended[RIGHT];
    p[RIGHT][head] = ended[LEFT];
    state[HEAD] = (double)head;
    state[OLDEST] = (double)(n < most ? n + 1 : most);
    state[LEFT] = kept[LEFT] + ended[RIGHT];
    state[RIGHT] = kept[RIGHT] + ended[LEFT];
}

static void transition_markov(double hazard, const double weight[2], double *state)
{
    double left = state[LEFT] * weight[LEFT], right = state[RIGHT] * weight[RIGHT];
    state[LEFT] = (1 - hazard) * left + hazard * right;
    state[RIGHT] = (1 - hazard) * right + hazard * left;
}

/* P(b = +1) before a trial. */
static double block_belief(const struct hrnn_believer *believer, int8_t block_side, const double *state)
{
    switch (believer->model) {
    case HRNN_ORACLE:
        return 0.5 * (1 + block_side);
    case HRNN_NONE:
        return 0.5;
    case HRNN_EXPONENTIAL:
        return NAN;
    default:
        return block_side ? state[RIGHT] / (state[LEFT] + state[RIGHT]) : 0.5;
    }
}

/* pi before a trial. */
static double side_prior(const struct hrnn_believer *believer, double block, const double *state)
{
    switch (believer->model) {
    case HRNN_EXPONENTIAL:
        return state[PRIOR];
    case HRNN_PUBLISHED_ACTOR:
        return block;
    default:
        return block * believer->task->p_block + (1 - block) * (1 - believer->task->p_block);
    }
}

/* Takes in what the trial told, as the likelihoods (up to a factor) of side left and right, and moves on. The
   published observer's prior leaves the transition out, so it moves before it takes in. */
static void take_in(const struct hrnn_believer *believer, int8_t block_side, int8_t side, const double likelihood[2],
                    double *state)
{
    double p = believer->task->p_block;
    double weight[2] = {p * likelihood[LEFT] + (1 - p) * likelihood[RIGHT],
                        p * likelihood[RIGHT] + (1 - p) * likelihood[LEFT]};
    if (believer->model == HRNN_EXPONENTIAL && side)
        state[PRIOR] += believer->learning_rate * ((side > 0) - state[PRIOR]);
    if (!block_side)
        return;
    if (believer->model == HRNN_PUBLISHED_OBSERVER)
        transition_markov(believer->constant_hazard, (const double[2]){1, 1}, state);
    double total = weight[LEFT] * state[LEFT] + weight[RIGHT] * state[RIGHT];
    weight[LEFT] /= total;
    weight[RIGHT] /= total;
    if (believer->model == HRNN_SEMI_MARKOV) {
        transition_semi_markov(believer, weight, state);
    } else if (believer->model == HRNN_MARKOV || believer->model == HRNN_PUBLISHED_ACTOR) {
        transition_markov(believer->constant_hazard, weight, state);
    } else if (believer->model == HRNN_PUBLISHED_OBSERVER) {
        state[LEFT] *= weight[LEFT];
        state[RIGHT] *= weight[RIGHT];
    }
}

/* Likelihoods of the two sides: certainty if the side is known, else exp of the log likelihoods, scaled. */
static void side_likelihood(int8_t side, const double *log_likelihood, double likelihood[2])
{
    likelihood[LEFT] = side < 0;
    likelihood[RIGHT] = side > 0;
    if (side)
        return;
    double top = fmax(log_likelihood[LEFT], log_likelihood[RIGHT]);
    likelihood[LEFT] = exp(log_likelihood[LEFT] - top);
    likelihood[RIGHT] = exp(log_likelihood[RIGHT] - top);
}

/* ---- evidence within a trial ----------------------------------------------------------------------------------- */

/* Where the terms of side s begin, one for each strength; of "side" 2, where the scratch ends. */
static size_t terms_at(const struct hrnn_task *task, size_t s)
{
    return s * hrnn_kernel_round_up(task->n_strengths, HRNN_KERNEL_WIDTH);
}

size_t hrnn_inference_scratch(const struct hrnn_task *task) { return terms_at(task, 2); }

void hrnn_inference_evidence(const struct hrnn_believer *believer, size_t n, double sum_left, double sum_right,
                             double log_likelihood[2], double *scratch)
{
    const struct hrnn_task *task = believer->task;
    size_t width = terms_at(task, 1);
    assert(task->n_strengths > 0 && believer->evidence < HRNN_EVIDENCE_COUNT && believer->log_weights && scratch);
    double precision = 1 / (task->noise_sd * task->noise_sd), count = (double)n, top[2];
    double sum[2] = {sum_left, sum_right};
    if (believer->evidence == HRNN_EVIDENCE_DIFFERENCE) { /* d = o^R - o^L has twice the variance */
        sum[RIGHT] = (sum_right - sum_left) / 2;
        sum[LEFT] = -sum[RIGHT];
        count /= 2;
    }
    for (size_t s = 0; s < 2; s++) {
        double *term = scratch + terms_at(task, s);
        top[s] = -INFINITY;
        for (size_t i = 0; i < task->n_strengths; i++) {
            double mu = task->strengths[i];
            term[i] = (sum[s] - count * mu / 2) * mu * precision + believer->log_weights[i];
            top[s] = term[i] > top[s] ? term[i] : top[s];
        }
        for (size_t i = 0; i < width; i++)
            term[i] = i < task->n_strengths ? term[i] - top[s] : -INFINITY;
    }
    believer->kernel->exp(terms_at(task, 2), scratch, scratch);
    for (size_t s = 0; s < 2; s++) {
        const double *term = scratch + terms_at(task, s);
        double total = 0;
        for (size_t i = 0; i < task->n_strengths; i++)
            total += term[i];
        log_likelihood[s] = top[s] + log(total);
    }
}

/* Running evidence of one trial: sums and their log likelihoods. The published actor adds up the log likelihoods of
   single observations instead, as if the strength were drawn again at each. */
struct evidence {
    size_t n;
    double sum[2], log_likelihood[2];
};

static void accumulate(const struct hrnn_believer *believer, const double *o, struct evidence *seen, double *scratch)
{
    seen->n++;
    if (believer->model == HRNN_PUBLISHED_ACTOR) {
        double single[2];
        hrnn_inference_evidence(believer, 1, o[LEFT], o[RIGHT], single, scratch);
        seen->log_likelihood[LEFT] += single[LEFT];
        seen->log_likelihood[RIGHT] += single[RIGHT];
        return;
    }
    seen->sum[LEFT] += o[LEFT];
    seen->sum[RIGHT] += o[RIGHT];
    hrnn_inference_evidence(believer, seen->n, seen->sum[LEFT], seen->sum[RIGHT], seen->log_likelihood, scratch);
}

static double logit(double p) { return log(p / (1 - p)); }

static double log_odds(double prior_logit, const struct evidence *seen)
{
    return prior_logit + seen->log_likelihood[RIGHT] - seen->log_likelihood[LEFT];
}

/* P(b = +1 | past, observations): the block posterior times sum_s P(s | b) L_s. */
static double block_given(double p_block, double block, const double log_likelihood[2])
{
    double likelihood[2];
    side_likelihood(0, log_likelihood, likelihood);
    double right = block * (p_block * likelihood[RIGHT] + (1 - p_block) * likelihood[LEFT]);
    double left = (1 - block) * (p_block * likelihood[LEFT] + (1 - p_block) * likelihood[RIGHT]);
    return right / (right + left);
}

/* ---- filter, actor, observer ----------------------------------------------------------------------------------- */

void hrnn_inference_filter(const struct hrnn_believer *believer, size_t first, size_t last, const int64_t *session,
                           const int8_t *block_side, const int8_t *side, const double *log_likelihood, double *state,
                           double *prior, double *block)
{
    assert(first <= last && believer->model < HRNN_BLOCK_MODEL_COUNT && believer->hazard && state);
    for (size_t r = first; r < last; r++) {
        double likelihood[2];
        if (hrnn_task_starts_session(session, r))
            start(believer, state);
        block[r] = block_belief(believer, block_side[r], state);
        prior[r] = side_prior(believer, block[r], state);
        side_likelihood(side[r], log_likelihood + 2 * r, likelihood);
        take_in(believer, block_side[r], side[r], likelihood, state);
    }
}

size_t hrnn_inference_actor(const struct hrnn_believer *believer, const struct hrnn_task *task,
                            const struct hrnn_sessions *sessions, const struct hrnn_decider *decider, size_t first,
                            size_t last, double *state, int8_t *choice, int64_t *n_obs, double *prior, double *p_right,
                            double *scratch)
{
    assert(first <= last && last <= sessions->n_trials && believer->model < HRNN_BLOCK_MODEL_COUNT && state);
    size_t t = 0;
    double bound = hrnn_task_bound(believer->task), x[HRNN_INPUTS];
    for (size_t r = first; r < last; r++) {
        struct hrnn_place place = {r, 0, 0};
        struct evidence seen = {0};
        int8_t block_side = sessions->block_side[r];
        double likelihood[2], odds = 0;
        if (hrnn_task_starts_session(sessions->session, r))
            start(believer, state);
        prior[r] = side_prior(believer, block_belief(believer, block_side, state), state);
        double prior_logit = logit(prior[r]);
        while (place.trial == r) {
            double margin = odds = log_odds(prior_logit, &seen);
            if (place.step >= (size_t)task->n_blank) {
                hrnn_task_observe(task, sessions, &place, x);
                accumulate(believer, x, &seen, scratch);
                margin = odds = log_odds(prior_logit, &seen);
                if (decider)
                    margin = decider->margin(decider->context, seen.n, seen.sum[LEFT], seen.sum[RIGHT], prior[r], odds);
            }
            p_right[t++] = odds;
            hrnn_task_act(task, sessions, bound, margin, &place, choice, n_obs);
        }
        int8_t side = choice[r] ? sessions->side[r] : 0;
        if (!side && believer->model == HRNN_PUBLISHED_ACTOR)
            side = odds > 0 ? -1 : 1;
        side_likelihood(side, seen.log_likelihood, likelihood);
        take_in(believer, block_side, side, likelihood, state);
    }
    hrnn_kernel_sigmoid(believer->kernel, t, p_right);
    return t;
}

size_t hrnn_inference_observer(const struct hrnn_believer *believer, const struct hrnn_sessions *sessions, size_t first,
                               size_t last, const int8_t *choice, const int64_t *n_obs, double *state, double *prior,
                               double *block, double *p_right, double *p_block, double *scratch)
{
    assert(first <= last && last <= sessions->n_trials && believer->model < HRNN_BLOCK_MODEL_COUNT && state);
    const struct hrnn_task *task = believer->task;
    size_t t = 0;
    for (size_t r = first; r < last; r++) {
        const double *o = sessions->observations + 2 * r * (size_t)task->n_obs_max;
        struct evidence seen = {0};
        int8_t block_side = sessions->block_side[r], side = choice[r] ? sessions->side[r] : 0;
        double likelihood[2];
        int moves = block_side && believer->model != HRNN_NONE; /* does evidence of the side tell it the block? */
        if (hrnn_task_starts_session(sessions->session, r))
            start(believer, state);
        block[r] = block_belief(believer, block_side, state);
        prior[r] = side_prior(believer, block[r], state);
        double prior_logit = logit(prior[r]);
        for (int64_t i = 0; i < task->n_blank + n_obs[r - first]; i++, t++) {
            if (i >= task->n_blank)
                accumulate(believer, o + 2 * (i - task->n_blank), &seen, scratch);
            p_right[t] = log_odds(prior_logit, &seen);
            p_block[t] = moves ? block_given(task->p_block, block[r], seen.log_likelihood) : block[r];
        }
        side_likelihood(side, seen.log_likelihood, likelihood);
        take_in(believer, block_side, side, likelihood, state);
    }
    hrnn_kernel_sigmoid(believer->kernel, t, p_right);
    return t;
}
