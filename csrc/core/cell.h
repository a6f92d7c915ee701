/* Recurrent cells with a linear readout: h' = (1 - leak) h + leak tanh(W h + U x + b), logits = V h' + c.
   The tanh cell is leak = 1. One augmented matrix A = [W U b; V 0 c] acts on state rows z = [h, x, 1]; its delta rows
   are d_t = [da_t, dlogits_{t-1}], so that forward is A z, backward A' d and the gradient sum_t d_t z_t', one formula
   for every parameter. Not here: where x comes from, and the loss. */
#ifndef HRNN_CELL_H
#define HRNN_CELL_H

#include <stddef.h>

#include "kernel.h"
#include "status.h"

/* Most sessions that advance in lockstep; a constant of the algorithm, not of the number of threads. */
enum { HRNN_LANES_MAX = 8 };

/* Sizes of one network. Columns of A have `rows` rows stored at distance `ld`; a z row takes `ld_z` doubles. */
struct hrnn_cell {
    size_t n_hidden; /* N */
    double leak;
    size_t rows;      /* N + A rounded up to the kernel's width */
    size_t ld;        /* rows rounded up to a cache line: columns of A, delta rows */
    size_t ld_z;      /* z rows, with room for `rows` */
    size_t rows_back; /* N rounded up to the kernel's width */
    size_t ld_back;   /* columns of A' */
};

/* Where each parameter stands in theta (P,). The one table that views, packing, saving and docs share. */
struct hrnn_cell_block {
    char name[4];
    size_t offset, n_rows, n_columns; /* n_columns 0: a vector */
};
enum { HRNN_CELL_BLOCKS = 5 };

struct hrnn_cell hrnn_cell_of(size_t n_hidden, double leak);
size_t hrnn_cell_n_parameters(size_t n_hidden);
void hrnn_cell_layout(size_t n_hidden, struct hrnn_cell_block blocks[HRNN_CELL_BLOCKS] /* W, U, b, V, c */);

/* Doubles in A, column-major (forward), in its transpose (backward), and in its gradient. */
size_t hrnn_cell_forward_size(const struct hrnn_cell *cell);
size_t hrnn_cell_backward_size(const struct hrnn_cell *cell);

void hrnn_cell_pack(const struct hrnn_cell *cell, const double *theta /* (P,) */, double *A);
void hrnn_cell_pack_transposed(const struct hrnn_cell *cell, const double *theta /* (P,) */, double *A_transposed);

/* gradient += scale * G, where G is laid out as A. */
void hrnn_cell_unpack_gradient(const struct hrnn_cell *cell, const double *G, double scale, double *gradient /* (P,) */);

/* One step of n_lanes sessions. z[l] = [h, x, 1] is the row of this step; a[l] (rows,) enters as W h + b and leaves
   as W h' + b in its first N entries and the logits V h' + c in the next two. h' goes to next[l] (rows,). */
void hrnn_cell_forward(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, size_t n_lanes, const double *A,
                       const double *const *z, double *const *next, double *const *a);

/* a = W h + b in its first N entries and the logits V h + c in the next two: what a step needs of the one before. */
void hrnn_cell_prepare(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, size_t n_lanes, const double *A,
                       const double *const *h, double *const *a);

/* The same step backwards. d_next[l] = [da', dlogits] of the step after; dh[l] (rows_back,) enters as the gradient
   that reached h' directly from the step after (its leak path) and leaves as what h gets by the leak path;
   d[l] gets da. h[l] and h_next[l] are the states before and after the step. */
void hrnn_cell_backward(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, size_t n_lanes,
                        const double *A_transposed, const double *const *d_next, const double *const *h,
                        const double *const *h_next, double *const *dh, double *const *d);

/* Adds sum_t d_t z_t' over n_steps rows to G. z rows stand ld_z apart, delta rows ld apart. */
void hrnn_cell_gradient(const struct hrnn_kernel *kernel, const struct hrnn_cell *cell, size_t n_steps, const double *d,
                        const double *z, double *G);

#endif
