#include "rollout.h"

#include <math.h>
#include <string.h>

/* Delta rows kept between two gradient products. */
enum { CHUNK = 64 };

/* One session of a lockstep block: its history (rows z_t = [h_{t-1}, x_t, 1], log odds, signs) and its buffers. */
struct lane {
    struct hrnn_place place;
    size_t end, n_steps;
    double *z;                  /* (T + 1, ld_z) */
    double *margin, *sign, *e;  /* (T,) each; e holds exp(-|margin|), then the derivative of the loss */
    double *a, *dh, *d;         /* (ld,), (ld_back,), (CHUNK + 1, ld) */
    size_t row, pending;        /* rows row .. row + pending - 1 of d wait for the gradient product */
};

static double *aligned(double *scratch)
{
    size_t line = HRNN_KERNEL_LINE * sizeof *scratch, over = (size_t)((uintptr_t)scratch % line);
    return over ? scratch + (line - over) / sizeof *scratch : scratch;
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

size_t hrnn_rollout_forward_scratch(const struct hrnn_cell *cell)
{
    return hrnn_cell_forward_size(cell) + 2 * cell->ld_z + cell->ld + 4 * HRNN_KERNEL_LINE;
}

size_t hrnn_rollout_forward(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell,
                            const struct hrnn_task *task, const struct hrnn_sessions *sessions, const double *theta,
                            size_t end, size_t max_steps, struct hrnn_place *place, double *h, double *p_right,
                            double *hidden, int8_t *choice, int64_t *n_obs, double *scratch)
{
    size_t n = cell->n_hidden, t = 0;
    double bound = hrnn_task_bound(task);
    scratch = aligned(scratch);
    double *A = hrnn_kernel_take(&scratch, hrnn_cell_forward_size(cell)), *a = hrnn_kernel_take(&scratch, cell->ld);
    double *z[2] = {hrnn_kernel_take(&scratch, cell->ld_z), hrnn_kernel_take(&scratch, cell->ld_z)};
    hrnn_cell_pack(cell, theta, A);
    memcpy(z[0], h, n * sizeof *h);
    hrnn_cell_prepare(kernel, cell, 1, A, (const double *const *)z, &a);
    for (; t < max_steps && place->trial < end; t++) {
        double *now = z[t % 2], *next = z[(t + 1) % 2];
        const double *z_now = now;
        if (place->step == 0 && hrnn_task_starts_session(sessions->session, place->trial)) {
            place->feedback = 0;
            memset(now, 0, n * sizeof *now);
            hrnn_cell_prepare(kernel, cell, 1, A, &z_now, &a);
        }
        hrnn_task_observe(task, sessions, place, now + n);
        hrnn_cell_forward(kernel, cell, 1, A, &z_now, &next, &a);
        p_right[t] = a[n + 1] - a[n];
        if (hidden)
            memcpy(hidden + t * n, next, n * sizeof *next);
        hrnn_task_act(task, sessions, bound, p_right[t], place, choice, n_obs);
    }
    memcpy(h, z[t % 2], n * sizeof *h);
    hrnn_kernel_sigmoid(kernel, t, p_right);
    return t;
}

/* ---- back-propagation through sessions ------------------------------------------------------------------------- */

static size_t most_steps(const struct hrnn_task *task, size_t n_trials)
{
    return n_trials * (size_t)(task->n_blank + task->n_obs_max);
}

size_t hrnn_rollout_gradient_scratch(const struct hrnn_cell *cell, const struct hrnn_task *task, size_t n_lanes,
                                     size_t n_trials)
{
    size_t lane = cell->ld_z + cell->ld + cell->ld_back + (CHUNK + 1) * cell->ld + 3 * HRNN_KERNEL_LINE;
    size_t matrices = 2 * hrnn_cell_forward_size(cell) + hrnn_cell_backward_size(cell);
    return most_steps(task, n_trials) * (cell->ld_z + 3) + n_lanes * lane + matrices + 4 * HRNN_KERNEL_LINE;
}

static void begin(struct lane *lane, const struct hrnn_cell *cell, const struct hrnn_task *task, size_t first,
                  size_t end, double **scratch)
{
    size_t n_steps = most_steps(task, end - first);
    *lane = (struct lane){.place = {first, 0, 0}, .end = end};
    lane->z = hrnn_kernel_take(scratch, (n_steps + 1) * cell->ld_z);
    lane->margin = hrnn_kernel_take(scratch, n_steps);
    lane->sign = hrnn_kernel_take(scratch, n_steps);
    lane->e = hrnn_kernel_take(scratch, n_steps);
    lane->a = hrnn_kernel_take(scratch, cell->ld);
    lane->dh = hrnn_kernel_take(scratch, cell->ld_back);
    lane->d = hrnn_kernel_take(scratch, (CHUNK + 1) * cell->ld);
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

/* All sessions from start to end in lockstep; those that end leave, and the others close ranks. */
static void run(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, const struct hrnn_task *task,
                const struct hrnn_sessions *sessions, const double *A, size_t n_lanes, struct lane *lanes,
                int8_t *choice, int64_t *n_obs)
{
    struct lane *active[HRNN_LANES_MAX];
    const double *z[HRNN_LANES_MAX];
    double *next[HRNN_LANES_MAX], *a[HRNN_LANES_MAX], bound = hrnn_task_bound(task);
    for (size_t l = 0; l < n_lanes; l++) {
        active[l] = lanes + l;
        z[l] = lanes[l].z;
        a[l] = lanes[l].a;
        observe(lanes + l, cell, task, sessions, 0);
    }
    hrnn_cell_prepare(kernel, cell, n_lanes, A, z, a);
    for (size_t t = 0; n_lanes; t++) {
        for (size_t l = 0; l < n_lanes; l++) {
            z[l] = active[l]->z + t * cell->ld_z;
            next[l] = active[l]->z + (t + 1) * cell->ld_z;
            a[l] = active[l]->a;
        }
        hrnn_cell_forward(kernel, cell, n_lanes, A, z, next, a);
        for (size_t l = n_lanes; l-- > 0;) {
            struct lane *lane = active[l];
            lane->margin[t] = a[l][cell->n_hidden + 1] - a[l][cell->n_hidden];
            hrnn_task_act(task, sessions, bound, lane->margin[t], &lane->place, choice, n_obs);
            observe(lane, cell, task, sessions, t + 1);
            if (lane->place.trial == lane->end) {
                lane->n_steps = t + 1;
                active[l] = active[--n_lanes];
            }
        }
    }
}

static void flush(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, struct lane *lane, size_t t,
                  double *G)
{
    const double *first = lane->d + lane->row * cell->ld;
    hrnn_cell_gradient(kernel, cell, lane->pending, first, lane->z + t * cell->ld_z, G);
    memcpy(lane->d + CHUNK * cell->ld, first, cell->ld * sizeof *first);
    lane->row = CHUNK;
    lane->pending = 0;
}

/* Puts the derivative with respect to the logits of step t - 1 into the delta row of step t. */
static void put_logits(struct lane *lane, const struct hrnn_cell *cell, double *d, size_t t)
{
    double g = t ? lane->e[t - 1] : 0;
    d[cell->n_hidden] = -g;
    d[cell->n_hidden + 1] = g;
}

/* All sessions from end to start in lockstep, each from its own last step. */
static void run_back(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, const double *A_transposed,
                     size_t n_lanes, struct lane *lanes, double *G)
{
    struct lane *active[HRNN_LANES_MAX];
    const double *d_next[HRNN_LANES_MAX], *h[HRNN_LANES_MAX], *h_next[HRNN_LANES_MAX];
    double *dh[HRNN_LANES_MAX], *d[HRNN_LANES_MAX];
    for (size_t l = 0; l < n_lanes; l++) {
        active[l] = lanes + l;
        lanes[l].row = CHUNK;
        lanes[l].pending = 1;
        put_logits(lanes + l, cell, lanes[l].d + CHUNK * cell->ld, lanes[l].n_steps);
    }
    for (size_t back = 1; n_lanes; back++) {
        for (size_t l = 0; l < n_lanes; l++) {
            struct lane *lane = active[l];
            d_next[l] = lane->d + lane->row * cell->ld;
            d[l] = lane->d + (lane->row - 1) * cell->ld;
            h[l] = lane->z + (lane->n_steps - back) * cell->ld_z;
            h_next[l] = h[l] + cell->ld_z;
            dh[l] = lane->dh;
        }
        hrnn_cell_backward(kernel, cell, n_lanes, A_transposed, d_next, h, h_next, dh, d);
        for (size_t l = n_lanes; l-- > 0;) {
            struct lane *lane = active[l];
            size_t t = lane->n_steps - back;
            put_logits(lane, cell, d[l], t);
            lane->row--;
            lane->pending++;
            if (lane->row == 0 || t == 0)
                flush(kernel, cell, lane, t, G);
            if (t == 0)
                active[l] = active[--n_lanes];
        }
    }
}

enum hrnn_status hrnn_rollout_gradient(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell,
                                       const struct hrnn_task *task, const struct hrnn_sessions *sessions,
                                       size_t n_lanes, const int64_t *offsets, enum hrnn_loss loss_kind,
                                       const double *theta, double scale, double *loss, int8_t *choice,
                                       int64_t *n_obs, double *gradient, double *scratch)
{
    struct lane lanes[HRNN_LANES_MAX];
    scratch = aligned(scratch);
    double *A = hrnn_kernel_take(&scratch, hrnn_cell_forward_size(cell)), *G = hrnn_kernel_take(&scratch, hrnn_cell_forward_size(cell));
    double *A_transposed = hrnn_kernel_take(&scratch, hrnn_cell_backward_size(cell));
    hrnn_cell_pack(cell, theta, A);
    hrnn_cell_pack_transposed(cell, theta, A_transposed);
    memset(G, 0, hrnn_cell_forward_size(cell) * sizeof *G);
    for (size_t l = 0; l < n_lanes; l++)
        begin(lanes + l, cell, task, (size_t)offsets[l], (size_t)offsets[l + 1], &scratch);
    run(kernel, cell, task, sessions, A, n_lanes, lanes, choice, n_obs);
    for (size_t l = 0; l < n_lanes; l++) {
        struct lane *lane = lanes + l;
        loss[l] = hrnn_loss_forward(kernel, loss_kind, lane->n_steps, lane->margin, lane->sign, lane->e);
        if (!isfinite(loss[l]))
            return HRNN_NONFINITE;
        hrnn_loss_backward(loss_kind, lane->n_steps, lane->margin, lane->sign, lane->e, lane->e);
    }
    run_back(kernel, cell, A_transposed, n_lanes, lanes, G);
    hrnn_cell_unpack_gradient(cell, G, scale, gradient);
    return HRNN_OK;
}
