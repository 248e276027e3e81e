/* The fuel level while the car stands: refuel and fuel_drop (DETECTION). Slosh is filtered: a level counts when 10 s of
 * values, three at least, lie within 2.5 %. It is compared with the first one of the stand (so that a slope does not
 * matter), and where none came within a minute, with the mean of the last values in driving. The change is told when it is
 * complete: the level has stayed, or the car moves off. Where the ignition was off and the car moved off before a level
 * settled, the first 30 s of driving tell it. Stands under a minute are traffic. */
#ifndef TBOX_FUEL_H
#define TBOX_FUEL_H

#include "alarm.h"

typedef struct {
    int64_t first_us;    /* of the values that lie together; NEVER: none */
    double low;
    double high;
    double sum;
    uint32_t count;
} fuel_window_t;

typedef struct {
    fuel_window_t window;
    double driven;       /* mean in driving, % */
    int64_t driven_us;   /* its first value; NEVER: none */
    uint32_t driven_count;
    double drove;        /* the same before the last stand; NaN: nothing to compare with */
    int64_t drove_us;    /* when that stand began */
    double before;       /* what the stand is compared with; NaN: nothing yet */
    double level;        /* the newest settled level; NaN: none yet */
    int64_t level_us;    /* when it was settled first */
    int64_t stood_us;    /* since when it stands; NEVER: it moves */
    int64_t value_us;    /* last value; NEVER */
    bool is_changed;     /* by more than the threshold, and not told yet */
} fuel_t;

void fuel_init(fuel_t *self);

/* A value of the level. `stands`: the car does, or it is not known to move, since `motion_us` (NEVER: it never did). */
void fuel_step(fuel_t *self, const tbox_setup_t *setup, const world_t *world, int64_t t_us, double pct, bool stands,
               int64_t motion_us);

/* The car moves off, or the input ends. */
void fuel_close(fuel_t *self, const tbox_setup_t *setup, const world_t *world);

#endif
