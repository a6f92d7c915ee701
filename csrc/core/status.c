#include "status.h"

static const char messages[HRNN_STATUS_COUNT][64] = {
    [HRNN_OK] = "ok",
    [HRNN_NONFINITE] = "a value became infinite or not a number",
    [HRNN_SINGULAR] = "a matrix is singular",
    [HRNN_STOPPED] = "stopped by the caller",
};

const char *hrnn_status_message(enum hrnn_status status) { return messages[status]; }
