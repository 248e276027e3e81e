/* Whether a frame proves itself: the counter and the checksum that some makers put into their messages. */
#ifndef TBOX_CHECKS_H
#define TBOX_CHECKS_H

#include "tbox.h"

/* The counters seen last. All zeros: none yet. */
typedef struct {
    uint32_t last[TBOX_COUNTERS_MAX]; /* by slot: the counter + 1 */
} checks_t;

/* Why this frame of a message must not be believed, TBOX_REJECTED_CHECKSUM or TBOX_REJECTED_COUNTER; -1 when it may.
 * A counter that steps on, over at most half of its range, is right: frames before it were lost. One that stands still
 * or went back is wrong, and what comes next is held against it. A frame with a wrong checksum says nothing about the
 * counter. The frame is not short. */
int32_t checks_fault(checks_t *self, const tbox_table_t *table, int32_t message, const tbox_input_t *frame);

#endif
