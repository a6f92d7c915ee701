#include "rollout.h"

#include <math.h>
#include <string.h>

#include "scratch.h"

/* Delta rows kept between two gradient products. */
enum { CHUNK = 64 };

/* One session of a lockstep block: its history (rows z_t = [h_{t-1}, x_t, 1], log odds, signs) and its buffers. */
struct lane {
    struct hrnn_place place;
    size_t end, n_steps;
    double *z;                 /* (T + 1, ld_z) */
    double *margin, *sign, *e; /* (T,) each; e holds exp(-|margin|), then the derivative of the loss */
    double *saved;             /* (T, n_saved) */
    double *a, *dh, *d;        /* (ld,), (ld_back,), (CHUNK + 1, ld) */
    size_t row, pending;       /* rows row .. row + pending - 1 of d wait for the gradient product */
};

static double *aligned(double *scratch)
{
    size_t line = HRNN_KERNEL_LINE * sizeof *scratch, over = (size_t)((uintptr_t)scratch % line);
    return over ? scratch + (line - over) / sizeof *scratch : scratch;
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

/* The buffers of a session that is only run. */
struct pass {
    double *A, *a, *z[2], *saved;
};

/* Takes them from base, or only counts where base is NULL. */
static size_t lay_out_pass(struct pass *pass, const struct hrnn_cell *cell, double *base)
{
    struct hrnn_scratch scratch = {base, 0};
    pass->A = hrnn_scratch_take(&scratch, hrnn_cell_forward_size(cell));
    pass->a = hrnn_scratch_take(&scratch, cell->ld);
    pass->z[0] = hrnn_scratch_take(&scratch, cell->ld_z);
    pass->z[1] = hrnn_scratch_take(&scratch, cell->ld_z);
    pass->saved = hrnn_scratch_take(&scratch, cell->n_saved);
    return scratch.used;
}

size_t hrnn_rollout_forward_scratch(const struct hrnn_cell *cell)
{
    struct pass pass;
    return lay_out_pass(&pass, cell, NULL) + HRNN_KERNEL_LINE;
}

size_t hrnn_rollout_forward(const struct hrnn_cell *cell, const struct hrnn_task *task,
                            const struct hrnn_sessions *sessions, const double *theta, size_t end, size_t max_steps,
                            struct hrnn_place *place, double *h, double *p_right, double *hidden, int8_t *choice,
                            int64_t *n_obs, double *scratch, struct hrnn_watch *watch)
{
    size_t n = cell->n_hidden, t = 0, work = hrnn_cell_forward_size(cell);
    double bound = hrnn_task_bound(task);
    struct pass pass;
    lay_out_pass(&pass, cell, aligned(scratch));
    const double *bias = hrnn_cell_bias(cell, pass.A);
    struct hrnn_cell_batch batch = {.n = 1, .a = {pass.a}, .saved = {pass.saved}};
    hrnn_cell_pack(cell, theta, pass.A);
    memcpy(pass.z[0], h, n * sizeof *h);
    hrnn_cell_forms(cell, 1, pass.A, bias, (const double *const *)pass.z, &pass.a);
    for (; t < max_steps && place->trial < end && !hrnn_status_ends(watch, work); t++) {
        double *now = pass.z[t % 2];
        batch.z[0] = now;
        batch.next[0] = pass.z[(t + 1) % 2];
        if (place->step == 0 && hrnn_task_starts_session(sessions->session, place->trial)) {
            place->feedback = 0;
            memset(now, 0, n * sizeof *now);
            hrnn_cell_forms(cell, 1, pass.A, bias, batch.z, batch.a);
        }
        hrnn_task_observe(task, sessions, place, now + n);
        hrnn_cell_forward(cell, pass.A, &batch);
        p_right[t] = pass.a[cell->logits + 1] - pass.a[cell->logits];
        if (hidden)
            memcpy(hidden + t * n, batch.next[0], n * sizeof *hidden);
        hrnn_task_act(task, sessions, bound, p_right[t], place, choice, n_obs);
    }
    memcpy(h, pass.z[t % 2], n * sizeof *h);
    hrnn_kernel_sigmoid(cell->kernel, t, p_right);
    return t;
}

/* ---- back-propagation through sessions ------------------------------------------------------------------------- */

/* The matrices of one gradient, and its lanes. */
struct descent {
    double *A, *A_transposed, *G;
    struct lane lanes[HRNN_LANES_MAX];
};

static size_t most_steps(const struct hrnn_task *task, size_t n_trials)
{
    return n_trials * (size_t)(task->n_blank + task->n_obs_max);
}

static void lay_out_lane(struct lane *lane, const struct hrnn_cell *cell, size_t n_steps, struct hrnn_scratch *scratch)
{
    lane->z = hrnn_scratch_take(scratch, (n_steps + 1) * cell->ld_z);
    lane->saved = hrnn_scratch_take(scratch, n_steps * cell->n_saved);
    lane->margin = hrnn_scratch_take(scratch, n_steps);
    lane->sign = hrnn_scratch_take(scratch, n_steps);
    lane->e = hrnn_scratch_take(scratch, n_steps);
    lane->a = hrnn_scratch_take(scratch, cell->ld);
    lane->dh = hrnn_scratch_take(scratch, cell->ld_back);
    lane->d = hrnn_scratch_take(scratch, (CHUNK + 1) * cell->ld);
}

/* All buffers of lanes with these numbers of steps, from base, or only counted where base is NULL. */
static size_t lay_out_descent(struct descent *descent, const struct hrnn_cell *cell, size_t n_lanes,
                              const size_t *n_steps, double *base)
{
    struct hrnn_scratch scratch = {base, 0};
    descent->A = hrnn_scratch_take(&scratch, hrnn_cell_forward_size(cell));
    descent->G = hrnn_scratch_take(&scratch, hrnn_cell_forward_size(cell));
    descent->A_transposed = hrnn_scratch_take(&scratch, hrnn_cell_backward_size(cell));
    for (size_t l = 0; l < n_lanes; l++)
        lay_out_lane(descent->lanes + l, cell, n_steps[l], &scratch);
    return scratch.used;
}

size_t hrnn_rollout_gradient_scratch(const struct hrnn_cell *cell, const struct hrnn_task *task, size_t n_lanes,
                                     size_t n_trials)
{
    struct descent descent;
    /* As if all steps were in one lane; each of the others takes a row more, and its own rounding. */
    size_t n_steps[HRNN_LANES_MAX] = {most_steps(task, n_trials)}, rounding = 5 * HRNN_KERNEL_LINE;
    return lay_out_descent(&descent, cell, n_lanes, n_steps, NULL) + n_lanes * (cell->ld_z + rounding);
}

static void begin(struct lane *lane, const struct hrnn_cell *cell, size_t first, size_t end)
{
    lane->place = (struct hrnn_place){first, 0, 0};
    lane->end = end;
    memset(lane->z, 0, cell->ld_z * sizeof *lane->z);
    memset(lane->dh, 0, cell->ld_back * sizeof *lane->dh);
    memset(lane->d, 0, (CHUNK + 1) * cell->ld * sizeof *lane->d);
}

/* Writes x and 1 into row t of the lane's history; after the last step x is 0. */
static void observe(struct lane *lane, const struct hrnn_cell *cell, const struct hrnn_task *task,
                    const struct hrnn_sessions *sessions, size_t t)
{
    double *x = lane->z + t * cell->ld_z + cell->n_hidden;
    if (lane->place.trial < lane->end) {
        int blank = lane->place.step < (size_t)task->n_blank;
        lane->sign[t] = blank ? 0 : sessions->side[lane->place.trial];
        hrnn_task_observe(task, sessions, &lane->place, x);
    } else {
        memset(x, 0, HRNN_INPUTS * sizeof *x);
    }
    x[HRNN_INPUTS] = 1;
}

/* Step t of the lanes that are still running, forwards. */
static void gather(struct lane *const *active, const struct hrnn_cell *cell, size_t t, struct hrnn_cell_batch *batch)
{
    for (size_t l = 0; l < batch->n; l++) {
        batch->z[l] = active[l]->z + t * cell->ld_z;
        batch->next[l] = active[l]->z + (t + 1) * cell->ld_z;
        batch->a[l] = active[l]->a;
        batch->saved[l] = active[l]->saved + t * cell->n_saved;
    }
}

/* All sessions from start to end in lockstep; those that end leave, and the others close ranks. */
static enum hrnn_status run(const struct hrnn_cell *cell, const struct hrnn_task *task,
                            const struct hrnn_sessions *sessions, size_t n_lanes, struct descent *descent,
                            int8_t *choice, int64_t *n_obs, struct hrnn_watch *watch)
{
    struct lane *active[HRNN_LANES_MAX];
    struct hrnn_cell_batch batch = {.n = n_lanes};
    double bound = hrnn_task_bound(task);
    size_t work = hrnn_cell_forward_size(cell);
    for (size_t l = 0; l < n_lanes; l++) {
        active[l] = descent->lanes + l;
        observe(active[l], cell, task, sessions, 0);
    }
    gather(active, cell, 0, &batch);
    hrnn_cell_forms(cell, n_lanes, descent->A, hrnn_cell_bias(cell, descent->A), batch.z, batch.a);
    for (size_t t = 0; batch.n; t++) {
        if (hrnn_status_ends(watch, batch.n * work))
            return HRNN_STOPPED;
        gather(active, cell, t, &batch);
        hrnn_cell_forward(cell, descent->A, &batch);
        for (size_t l = batch.n; l-- > 0;) {
            struct lane *lane = active[l];
            lane->margin[t] = lane->a[cell->logits + 1] - lane->a[cell->logits];
            hrnn_task_act(task, sessions, bound, lane->margin[t], &lane->place, choice, n_obs);
            observe(lane, cell, task, sessions, t + 1);
            if (lane->place.trial == lane->end) {
                lane->n_steps = t + 1;
                active[l] = active[--batch.n];
            }
        }
    }
    return HRNN_OK;
}

static void flush(const struct hrnn_cell *cell, struct lane *lane, size_t t, double *G)
{
    const double *first = lane->d + lane->row * cell->ld;
    hrnn_cell_gradient(cell, lane->pending, first, lane->z + t * cell->ld_z, G);
    memcpy(lane->d + CHUNK * cell->ld, first, cell->ld * sizeof *first);
    lane->row = CHUNK;
    lane->pending = 0;
}

/* Puts the derivative with respect to the logits of step t - 1 into the delta row of step t. */
static void put_logits(struct lane *lane, const struct hrnn_cell *cell, double *d, size_t t)
{
    double g = t ? lane->e[t - 1] : 0;
    d[cell->logits] = -g;
    d[cell->logits + 1] = g;
}

/* Step n_steps - back of each lane that is still running, backwards. */
static void gather_back(struct lane *const *active, const struct hrnn_cell *cell, size_t back,
                        struct hrnn_cell_batch *batch)
{
    for (size_t l = 0; l < batch->n; l++) {
        struct lane *lane = active[l];
        size_t t = lane->n_steps - back;
        batch->z[l] = lane->z + t * cell->ld_z;
        batch->next[l] = lane->z + (t + 1) * cell->ld_z;
        batch->saved[l] = lane->saved + t * cell->n_saved;
        batch->d_next[l] = lane->d + lane->row * cell->ld;
        batch->d[l] = lane->d + (lane->row - 1) * cell->ld;
        batch->dh[l] = lane->dh;
    }
}

/* All sessions from end to start in lockstep, each from its own last step. */
static enum hrnn_status run_back(const struct hrnn_cell *cell, size_t n_lanes, struct descent *descent,
                                 struct hrnn_watch *watch)
{
    struct lane *active[HRNN_LANES_MAX];
    size_t work = hrnn_cell_forward_size(cell);
    struct hrnn_cell_batch batch = {.n = n_lanes};
    for (size_t l = 0; l < n_lanes; l++) {
        active[l] = descent->lanes + l;
        active[l]->row = CHUNK;
        active[l]->pending = 1;
        put_logits(active[l], cell, active[l]->d + CHUNK * cell->ld, active[l]->n_steps);
    }
    for (size_t back = 1; batch.n; back++) {
        gather_back(active, cell, back, &batch);
        hrnn_cell_backward(cell, descent->A_transposed, &batch);
        for (size_t l = batch.n; l-- > 0;) {
            struct lane *lane = active[l];
            size_t t = lane->n_steps - back;
            put_logits(lane, cell, batch.d[l], t);
            lane->row--;
            lane->pending++;
            size_t n_flushed = lane->row == 0 || t == 0 ? lane->pending : 0;
            if (n_flushed)
                flush(cell, lane, t, descent->G);
            if (t == 0)
                active[l] = active[--batch.n];
            if (hrnn_status_ends(watch, (n_flushed + 1) * work))
                return HRNN_STOPPED;
        }
    }
    return HRNN_OK;
}

enum hrnn_status hrnn_rollout_gradient(const struct hrnn_cell *cell, const struct hrnn_task *task,
                                       const struct hrnn_sessions *sessions, size_t n_lanes, const int64_t *offsets,
                                       enum hrnn_loss loss_kind, const double *theta, double scale, double *loss,
                                       int8_t *choice, int64_t *n_obs, double *gradient, double *scratch,
                                       struct hrnn_watch *watch)
{
    struct descent descent = {0};
    size_t n_steps[HRNN_LANES_MAX] = {0};
    for (size_t l = 0; l < n_lanes; l++)
        n_steps[l] = most_steps(task, (size_t)(offsets[l + 1] - offsets[l]));
    lay_out_descent(&descent, cell, n_lanes, n_steps, aligned(scratch));
    hrnn_cell_pack(cell, theta, descent.A);
    hrnn_cell_pack_transposed(cell, descent.A, descent.A_transposed);
    memset(descent.G, 0, hrnn_cell_forward_size(cell) * sizeof *descent.G);
    for (size_t l = 0; l < n_lanes; l++)
        begin(descent.lanes + l, cell, (size_t)offsets[l], (size_t)offsets[l + 1]);
    if (run(cell, task, sessions, n_lanes, &descent, choice, n_obs, watch) != HRNN_OK)
        return HRNN_STOPPED;
    for (size_t l = 0; l < n_lanes; l++) {
        struct lane *lane = descent.lanes + l;
        loss[l] = hrnn_loss_forward(cell->kernel, loss_kind, lane->n_steps, lane->margin, lane->sign, lane->e);
        if (!isfinite(loss[l]))
            return HRNN_NONFINITE;
        hrnn_loss_backward(loss_kind, lane->n_steps, lane->margin, lane->sign, lane->e, lane->e);
    }
    if (run_back(cell, n_lanes, &descent, watch) != HRNN_OK)
        return HRNN_STOPPED;
    hrnn_cell_unpack_gradient(cell, descent.G, scale, gradient);
    return HRNN_OK;
}
