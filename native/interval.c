/* The last intervals between two happenings, kept in order, so that a quantile costs nothing. */
#include "interval.h"

/* Where the one that is left out stands in order; a new place at the end while there is room. */
static uint32_t hole(intervals_t *self)
{
    uint32_t at = 0;

    if (self->count < INTERVALS) {
        self->count++;
        return self->count - 1;
    }
    while (self->sorted[at] != self->us[self->next]) {
        at++;
    }
    return at;
}

void intervals_add(intervals_t *self, int64_t us)
{
    uint32_t at = hole(self);

    for (; at > 0 && self->sorted[at - 1] > us; at--) {
        self->sorted[at] = self->sorted[at - 1];
    }
    for (; at + 1 < self->count && self->sorted[at + 1] < us; at++) {
        self->sorted[at] = self->sorted[at + 1];
    }
    self->sorted[at] = us;
    self->us[self->next] = us;
    self->next = (self->next + 1) % INTERVALS;
}

int64_t intervals_quantile(const intervals_t *self, uint32_t percent)
{
    return self->count == 0 ? 0 : self->sorted[(self->count - 1) * percent / 100];
}
