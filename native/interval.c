/* The last intervals between two happenings. */
#include "interval.h"

void intervals_add(intervals_t *self, int64_t us)
{
    self->us[self->next] = us;
    self->next = (self->next + 1) % INTERVALS;
    if (self->count < INTERVALS) {
        self->count++;
    }
}

int64_t intervals_quantile(const intervals_t *self, uint32_t percent)
{
    int64_t sorted[INTERVALS];

    if (self->count == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        uint32_t at = i;

        for (; at > 0 && sorted[at - 1] > self->us[i]; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = self->us[i];
    }
    return sorted[(self->count - 1) * percent / 100];
}
