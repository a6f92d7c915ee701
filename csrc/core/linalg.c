#include "linalg.h"

/* The headers of the bundled OpenBLAS do not carry its symbol prefix, so the routines used are declared here. */
#ifndef HRNN_BLAS_PREFIX
#define HRNN_BLAS_PREFIX
#endif
#define PASTE_(prefix, name) prefix##name
#define PASTE(prefix, name) PASTE_(prefix, name)
#define BLAS(name) PASTE(HRNN_BLAS_PREFIX, name)

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };

void BLAS(cblas_dgemm)(int order, int transa, int transb, int m, int n, int k, double alpha, const double *A, int lda,
                       const double *B, int ldb, double beta, double *C, int ldc);
void BLAS(openblas_set_num_threads)(int n_threads);
char *BLAS(openblas_get_config)(void);

void hrnn_linalg_gemm(size_t m, size_t n, size_t k, double alpha, const double *A, size_t lda, const double *B,
                      size_t ldb, double beta, double *C, size_t ldc)
{
    BLAS(cblas_dgemm)(ROW_MAJOR, NO_TRANS, NO_TRANS, (int)m, (int)n, (int)k, alpha, A, (int)lda, B, (int)ldb, beta, C,
                      (int)ldc);
}

void hrnn_linalg_gemm_transposed(size_t m, size_t n, size_t k, double alpha, const double *A, size_t lda,
                                 const double *B, size_t ldb, double beta, double *C, size_t ldc)
{
    BLAS(cblas_dgemm)(ROW_MAJOR, NO_TRANS, TRANS, (int)m, (int)n, (int)k, alpha, A, (int)lda, B, (int)ldb, beta, C,
                      (int)ldc);
}

void hrnn_linalg_use_one_thread(void) { BLAS(openblas_set_num_threads)(1); }

const char *hrnn_linalg_description(void) { return BLAS(openblas_get_config)(); }
