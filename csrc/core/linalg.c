#include "linalg.h"

#include <assert.h>
#include <limits.h>

/* The headers of the bundled OpenBLAS do not carry its symbol prefix, so the routines used are declared here. */
#ifndef HRNN_BLAS_PREFIX
#define HRNN_BLAS_PREFIX
#endif
#define PASTE_(prefix, name) prefix##name
#define PASTE(prefix, name) PASTE_(prefix, name)
#define BLAS(name) PASTE(HRNN_BLAS_PREFIX, name)

enum { ROW_MAJOR = 101, COLUMN_MAJOR = 102, NO_TRANS = 111, TRANS = 112, UPPER = 121 };

void BLAS(cblas_dgemm)(int order, int transa, int transb, int m, int n, int k, double alpha, const double *A, int lda,
                       const double *B, int ldb, double beta, double *C, int ldc);
void BLAS(cblas_dsyrk)(int order, int uplo, int trans, int n, int k, double alpha, const double *A, int lda,
                       double beta, double *C, int ldc);
void BLAS(dgesv_)(const int *n, const int *n_right, double *A, const int *lda, int *pivot, double *B, const int *ldb,
                  int *info);
void BLAS(dposv_)(const char *uplo, const int *n, const int *n_right, double *A, const int *lda, double *B,
                  const int *ldb, int *info);
void BLAS(openblas_set_num_threads)(int n_threads);
char *BLAS(openblas_get_config)(void);

void hrnn_linalg_gemm(size_t m, size_t n, size_t k, double alpha, const double *A, size_t lda, const double *B,
                      size_t ldb, double beta, double *C, size_t ldc)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    BLAS(cblas_dgemm)(ROW_MAJOR, NO_TRANS, NO_TRANS, (int)m, (int)n, (int)k, alpha, A, (int)lda, B, (int)ldb, beta, C,
                      (int)ldc);
}

void hrnn_linalg_gemm_transposed(size_t m, size_t n, size_t k, double alpha, const double *A, size_t lda,
                                 const double *B, size_t ldb, double beta, double *C, size_t ldc)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    BLAS(cblas_dgemm)(ROW_MAJOR, NO_TRANS, TRANS, (int)m, (int)n, (int)k, alpha, A, (int)lda, B, (int)ldb, beta, C,
                      (int)ldc);
}

void hrnn_linalg_gram(size_t n, const double *A, double *C)
{
    assert(n <= INT_MAX);
    BLAS(cblas_dsyrk)(COLUMN_MAJOR, UPPER, TRANS, (int)n, (int)n, 1, A, (int)n, 0, C, (int)n);
}

enum hrnn_status hrnn_linalg_solve(size_t n, size_t n_right, double *A, int *pivot, double *B)
{
    assert(n <= INT_MAX);
    int size = (int)n, columns = (int)n_right, info;
    BLAS(dgesv_)(&size, &columns, A, &size, pivot, B, &size, &info);
    return info ? HRNN_SINGULAR : HRNN_OK;
}

enum hrnn_status hrnn_linalg_solve_positive(size_t n, double *A, double *b)
{
    assert(n <= INT_MAX);
    int size = (int)n, one = 1, info;
    BLAS(dposv_)("U", &size, &one, A, &size, b, &size, &info);
    return info ? HRNN_SINGULAR : HRNN_OK;
}

void hrnn_linalg_use_one_thread(void) { BLAS(openblas_set_num_threads)(1); }

const char *hrnn_linalg_description(void) { return BLAS(openblas_get_config)(); }
