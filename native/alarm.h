/* What the rules share that watch the car and the box rather than the driving: an event decided by a quantity of its own
 * unit, and the machine of a level that is passed and held. */
#ifndef TBOX_ALARM_H
#define TBOX_ALARM_H

#include "harsh.h"

/* An event of this kind that begins at a time: nothing known of it yet but the place and the speed. */
tbox_event_t alarm_event(uint8_t kind, uint8_t severity, const world_t *world, int64_t start_us);

/* Tells it, sure now. */
void alarm_tell(const world_t *world, tbox_event_t *event, int64_t end_us);

/* The speed to go by now; NaN: not known. */
double alarm_speed(const world_t *world);

/* A value of a signal, judged by a rule: over its level, or back under it far enough to end. */
typedef struct {
    int64_t t_us;
    double value;
    bool is_over;
    bool is_ended;
} level_row_t;

/* How a rule's level works. */
typedef struct {
    int64_t hold_us;
    int64_t gap_us;       /* rows further apart do not belong together */
    uint8_t kind;
    uint8_t severity;
    bool is_falling;      /* the level is passed downwards: the event's value is the lowest */
    bool is_alarm;        /* told as soon as it is held, with what is known then; else when it ends, with its whole length */
} level_kind_t;

/* It opens with the first row over the level, is held when the rows over it have lasted the hold, and ends with a row that
 * ends it, or when rows stay away. */
typedef struct {
    tbox_event_t event;
    int64_t row_us;       /* of the last row; NEVER */
    uint32_t rows;
    bool is_open;
    bool is_held;
} level_t;

/* Rows of one signal: they belong together while it is not stale, and through a hold that is longer. */
static inline int64_t level_gap_us(int64_t hold_us)
{
    return hold_us > STALE_US ? hold_us : STALE_US;
}

void level_init(level_t *self);

void level_step(level_t *self, const level_kind_t *kind, const world_t *world, level_row_t row);

void level_end(level_t *self, const level_kind_t *kind, const world_t *world);

#endif
