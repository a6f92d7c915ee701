/* Status codes that core functions return, their one message table, and the watch by which a caller ends a long loop.
   Errors are only what arithmetic on checked input can hit; anything a caller can get wrong is checked above. */
#ifndef HRNN_STATUS_H
#define HRNN_STATUS_H

#include <stddef.h>

/* Shape letters, in every file of the core: S sessions, R trials, T network steps, N hidden units, I inputs (3),
   A actions (2), P parameters, K fixed points, B lanes (sessions in lockstep). Sides: -1 left, +1 right. */
enum { HRNN_INPUTS = 3, HRNN_ACTIONS = 2 };

enum hrnn_status { HRNN_OK, HRNN_NONFINITE, HRNN_SINGULAR, HRNN_STOPPED, HRNN_STATUS_COUNT };

const char *hrnn_status_message(enum hrnn_status status);

/* Multiplications between two questions to a watch: some 50 ms. */
enum { HRNN_WATCH_WORK = 1 << 26 };

/* Whom a loop that may last asks whether to go on; NULL in its place is nobody. */
struct hrnn_watch {
    int (*ends)(void *context); /* not 0: the loop ends with HRNN_STOPPED, and its results are not whole */
    void *context;
    size_t work; /* done since the last question */
};

/* Counts some multiplications that were done; whether the loop is to end. */
static inline int hrnn_status_ends(struct hrnn_watch *watch, size_t work)
{
    if (!watch || (watch->work += work) < HRNN_WATCH_WORK)
        return 0;
    watch->work = 0;
    return watch->ends(watch->context);
}

#endif
