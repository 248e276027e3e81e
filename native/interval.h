/* The last intervals between two happenings, for their quantiles: how often something really comes. */
#ifndef TBOX_INTERVAL_H
#define TBOX_INTERVAL_H

#include <stdint.h>

enum { INTERVALS = 16 };

typedef struct {
    int64_t us[INTERVALS]; /* newest overwrites oldest */
    int64_t sorted[INTERVALS];
    uint32_t next;
    uint32_t count;
} intervals_t;

void intervals_add(intervals_t *self, int64_t us);

/* The interval that this many percent are shorter than; 0 when there is none yet. */
int64_t intervals_quantile(const intervals_t *self, uint32_t percent);

#endif
