/* The queue of outputs. */
#include "queue.h"

#include <assert.h>
#include <math.h>
#include <string.h>

tbox_output_t *queue_push(queue_t *self, uint8_t kind, int64_t t_us)
{
    assert(self->count < QUEUE_ROOM);
    tbox_output_t *const out = &self->outputs[(self->first + self->count) % QUEUE_ROOM];

    self->count++;
    memset(out, 0, sizeof *out);
    out->kind = kind;
    out->t_us = t_us;
    return out;
}

void queue_push_event(queue_t *self, int64_t t_us, const tbox_event_t *event)
{
    tbox_event_t *const told = &queue_push(self, TBOX_OUT_EVENT, t_us)->u.event;

    *told = *event;
    if (told->kind <= TBOX_IMPACT) {
        told->value = (double)NAN; /* an acceleration decided, or only time */
    }
}

bool queue_pop(queue_t *self, tbox_output_t *out)
{
    if (self->count == 0) {
        return false;
    }
    *out = self->outputs[self->first];
    self->first = (self->first + 1) % QUEUE_ROOM;
    self->count--;
    return true;
}
