/* Recurrent cells with a linear readout: h' = phi(h, a) unit by unit, where each form a = W h + U x + b is linear, and
   logits = V h' + c. What distinguishes one cell from another is a struct hrnn_cell_kind, one file for each; rollout.h,
   sequence.h and fixedpoint.h know nothing else of it. Begin with cell_leaky.c.
   One augmented matrix A acts on state rows z = [h, x, 1]. Its rows are the recurrent forms, one after another, the
   logits, and the forms of the input alone. The delta rows of a gradient are laid out in the same way,
   d_t = [da_t, dlogits_{t-1}, da_t of the input alone], so that forward is A z, backward A' d, and the gradient
   sum_t d_t z_t', one formula for every parameter of every cell. Not here: where x comes from, and the loss. */
#ifndef HRNN_CELL_H
#define HRNN_CELL_H

#include <stddef.h>

#include "kernel.h"
#include "status.h"

/* Most sessions that advance in lockstep, a constant of the algorithm, not of the number of threads; largest N; most
   forms of a cell, and most blocks of its parameters. */
enum { HRNN_LANES_MAX = 8, HRNN_UNITS_MAX = 4096, HRNN_CELL_FORMS_MAX = 4, HRNN_CELL_BLOCKS_MAX = 6 };

/* Kinds of cell, by the numbers that Python passes. */
enum hrnn_cell_name { HRNN_CELL_TANH, HRNN_CELL_LEAKY, HRNN_CELL_GRU, HRNN_CELL_COUNT };

/* A block of theta (P,), row-major; its rows lie in A from `row` on, in as many pieces as there are forms among them,
   and its columns from `column` on. */
struct hrnn_cell_block {
    char name[8];
    size_t offset, n_rows, n_columns; /* n_columns 0: a vector */
    size_t n_pieces, row[HRNN_CELL_FORMS_MAX], column;
};

struct hrnn_cell;

/* One step of several sessions in lockstep: a pointer for each. */
struct hrnn_cell_batch {
    size_t n;
    const double *z[HRNN_LANES_MAX];      /* (ld_z,) [h, x, 1] of this step */
    double *next[HRNN_LANES_MAX];         /* (ld_z,) gets h' */
    double *a[HRNN_LANES_MAX];            /* (ld,) forms: enters without the input's part */
    double *saved[HRNN_LANES_MAX];        /* (n_saved,) what backward needs beside h and h' */
    const double *d_next[HRNN_LANES_MAX]; /* (ld,) delta row of the step after */
    double *dh[HRNN_LANES_MAX];           /* (ld_back,) gradient by h' that did not come through a form */
    double *d[HRNN_LANES_MAX];            /* (ld,) delta row of this step */
};

/* What a cell is. */
struct hrnn_cell_kind {
    const char *name;
    size_t n_forms; /* that have recurrent weights */
    size_t n_inner; /* that have none: forms of the input alone */
    size_t n_saved; /* blocks of N numbers that backward needs of every step */
    int is_leaky;   /* h' = (1 - leak) h + leak tanh a: what recursive least squares are for */

    /* Blocks of theta, without offsets; returns their number. */
    size_t (*layout)(const struct hrnn_cell *cell, struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX]);

    /* Twins: h' of forms `a` to which U x is still to be added; and d and dh of dh, the whole gradient by h'. */
    void (*forward)(const struct hrnn_cell *cell, const double *U, const struct hrnn_cell_batch *batch);
    void (*backward)(const struct hrnn_cell *cell, const struct hrnn_cell_batch *batch);

    /* The same in n sessions side by side (n a multiple of the kernel's width), as open-loop sequences have them. Forms
       with the input's part, (forms, N, n), become h', which stands n behind h in rows at distance ld; saved (N,
       n_saved / N, n). And backwards for one unit: dh (n,) becomes d, whose forms are `stride` apart, and what h gets
       not through them. */
    void (*advance)(const struct hrnn_cell *cell, size_t n, double *a, double *h, size_t ld, double *saved);
    void (*retreat)(const struct hrnn_cell *cell, size_t n, const double *h, const double *h_next, const double *saved,
                    double *dh, double *d, size_t stride);

    /* The step that a fixed point solves, u = phi(h, a) without leak, of whole forms a, which are left as `curve` wants
       them; du/dh at constant a, and du/da of each recurrent form (rows of stride units). */
    void (*target)(const struct hrnn_cell *cell, const double *h, double *a, double *u);
    void (*slope)(const struct hrnn_cell *cell, const double *h, const double *a, const double *u, double *by_h,
                  double *by_form);
    /* f d2u/da_p da_q into curve (n_forms, n_forms, stride) and f d2u/da_p dh into by_h (n_forms, stride). */
    void (*curve)(const struct hrnn_cell *cell, const double *h, const double *a, const double *u, const double *f,
                  double *curve, double *by_h);
    /* Lipschitz constant of du/dh, or infinity. */
    double (*bend)(const struct hrnn_cell *cell, const double *A);
};

/* A kind with the sizes of one network. Columns of A have `rows` rows and those of inner forms, at distance `ld`. */
struct hrnn_cell {
    const struct hrnn_kernel *kernel;
    struct hrnn_cell_kind kind;
    size_t n_hidden; /* N */
    double leak;
    size_t stride;    /* from one form to the next */
    size_t logits;    /* row of the first logit */
    size_t rows;      /* of forms and logits, rounded up to the kernel's width */
    size_t inner;     /* of inner forms, behind them */
    size_t ld;        /* rows + inner rounded up to a cache line: columns of A, delta rows */
    size_t ld_z;      /* z rows, with room for `stride` after the states */
    size_t rows_back; /* N rounded up to the kernel's width */
    size_t ld_back;   /* columns of A' */
    size_t n_saved;   /* numbers */
};

struct hrnn_cell hrnn_cell_of(const struct hrnn_kernel *kernel, enum hrnn_cell_name name, size_t n_hidden, double leak);

/* The kinds, in the order of their names; each is in a file of its own. */
struct hrnn_cell_kind hrnn_cell_kind_of(enum hrnn_cell_name name);
struct hrnn_cell_kind hrnn_cell_tanh(void);
struct hrnn_cell_kind hrnn_cell_leaky(void);
struct hrnn_cell_kind hrnn_cell_gru(void);

/* Where each parameter stands in theta (P,): the one table that views, packing, saving and docs share. Returns the
   number of blocks. */
size_t hrnn_cell_layout(const struct hrnn_cell *cell, struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS_MAX]);
size_t hrnn_cell_n_parameters(const struct hrnn_cell *cell);

/* Doubles in A, column-major (forward), in its transpose (backward), and in its gradient. */
size_t hrnn_cell_forward_size(const struct hrnn_cell *cell);
size_t hrnn_cell_backward_size(const struct hrnn_cell *cell);

void hrnn_cell_pack(const struct hrnn_cell *cell, const double *theta /* (P,) */, double *A);
void hrnn_cell_pack_transposed(const struct hrnn_cell *cell, const double *A, double *A_transposed);

/* gradient += scale * G, where G is laid out as A. */
void hrnn_cell_unpack_gradient(const struct hrnn_cell *cell, const double *G, double scale,
                               double *gradient /* (P,) */);

/* U x + b of all rows, (ld,). */
void hrnn_cell_drive(const struct hrnn_cell *cell, const double *A, const double *x /* (I,) */, double *drive);

/* a = from + W h in the recurrent forms and V h + from in the logits; inner forms as in `from`, (ld,). */
void hrnn_cell_forms(const struct hrnn_cell *cell, size_t n_lanes, const double *A, const double *from,
                     const double *const *h, double *const *a);

/* One step: a enters as hrnn_cell_forms made it of h and the bias, and leaves so of h', with the logits of h'. */
void hrnn_cell_forward(const struct hrnn_cell *cell, const double *A, struct hrnn_cell_batch *batch);

/* The same step backwards. dh enters as the gradient that reached h' not through the forms of the step after, and leaves as what
   h gets not through the forms of this one; d gets this step's forms, its logits untouched. */
void hrnn_cell_backward(const struct hrnn_cell *cell, const double *A_transposed, const struct hrnn_cell_batch *batch);

/* Adds sum_t d_t z_t' over n_steps rows to G. z rows stand ld_z apart, delta rows ld apart. */
void hrnn_cell_gradient(const struct hrnn_cell *cell, size_t n_steps, const double *d, const double *z, double *G);

/* The bias column of A. */
static inline const double *hrnn_cell_bias(const struct hrnn_cell *cell, const double *A)
{
    return A + (cell->n_hidden + HRNN_INPUTS) * cell->ld;
}

#endif
