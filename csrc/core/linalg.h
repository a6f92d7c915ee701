/* Dense linear algebra: the only file that sees BLAS and LAPACK. Row-major unless it says by columns, float64, one BLAS
   thread.
   Not here: the small products of the recurrent loop, which kernel.h does without a call into BLAS. */
#ifndef HRNN_LINALG_H
#define HRNN_LINALG_H

#include <stddef.h>

#include "status.h"

/* C (m, n) = alpha A (m, k) B (k, n) + beta C, leading dimensions lda, ldb, ldc. Sizes must fit an int. */
void hrnn_linalg_gemm(size_t m, size_t n, size_t k, double alpha, const double *A, size_t lda, const double *B,
                      size_t ldb, double beta, double *C, size_t ldc);

/* C (m, n) = alpha A (m, k) B' (n, k) + beta C. */
void hrnn_linalg_gemm_transposed(size_t m, size_t n, size_t k, double alpha, const double *A, size_t lda,
                                 const double *B, size_t ldb, double beta, double *C, size_t ldc);

/* C (n, n), upper triangle by columns = A' A of A (n, n) by columns. */
void hrnn_linalg_gram(size_t n, const double *A, double *C);

/* Solves A X = B for A (n, n) and B (n, n_right) by columns; X takes the place of B, factors that of A. HRNN_SINGULAR if
   A is. */
enum hrnn_status hrnn_linalg_solve(size_t n, size_t n_right, double *A, int *pivot /* (n,) */, double *B);

/* The same for a symmetric positive definite A whose upper triangle is given. */
enum hrnn_status hrnn_linalg_solve_positive(size_t n, double *A, double *b);

/* Pins the private copy of OpenBLAS to one thread. Once, at import. */
void hrnn_linalg_use_one_thread(void);

/* OpenBLAS's own description of itself: version, kernel, threads. */
const char *hrnn_linalg_description(void);

#endif
