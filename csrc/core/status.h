/* Status codes that core functions return, and their one message table.
   Errors are only what arithmetic on checked input can hit; anything a caller can get wrong is checked above. */
#ifndef HRNN_STATUS_H
#define HRNN_STATUS_H

/* Shape letters, in every file of the core: S sessions, R trials, T network steps, N hidden units, I inputs (3),
   A actions (2), P parameters, K fixed points, B lanes (sessions in lockstep). Sides: -1 left, +1 right. */
enum { HRNN_INPUTS = 3, HRNN_ACTIONS = 2 };

enum hrnn_status { HRNN_OK, HRNN_NONFINITE, HRNN_SINGULAR, HRNN_STATUS_COUNT };

const char *hrnn_status_message(enum hrnn_status status);

#endif
