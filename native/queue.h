/* The queue of outputs: fixed, first in, first out. It never overwrites: `tbox_feed` asks for room before it works. */
#ifndef TBOX_QUEUE_H
#define TBOX_QUEUE_H

#include "tbox.h"

enum {
    QUEUE_ROOM = 96,
    QUEUE_STEP = 58 /* the most one input can give: 13 samples, 2 events of each of 22 kinds, a calibration */
};

typedef struct {
    tbox_output_t outputs[QUEUE_ROOM];
    uint32_t first;
    uint32_t count;
} queue_t;

/* Whether the outputs of one more input surely fit. */
static inline bool queue_has_room(const queue_t *self)
{
    return QUEUE_ROOM - self->count >= QUEUE_STEP;
}

/* The next output, cleared, to be filled in. */
tbox_output_t *queue_push(queue_t *self, uint8_t kind, int64_t t_us);

/* An event, sure at t_us. */
void queue_push_event(queue_t *self, int64_t t_us, const tbox_event_t *event);

bool queue_pop(queue_t *self, tbox_output_t *out);

#endif
