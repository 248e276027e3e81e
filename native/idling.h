/* Idling: the engine runs (electric: ready) and the car stands (< 1 km/h) for 120 s or more. One event per stand, with its
 * whole length; it ends at motion, with the engine, or when either is not known any more. */
#ifndef TBOX_IDLING_H
#define TBOX_IDLING_H

#include "harsh.h"

typedef struct {
    tbox_idling_rule_t rule;
    tbox_event_t event;
    bool is_open;
} idling_t;

void idling_init(idling_t *self, const tbox_idling_rule_t *rule);

/* A row of the speed, or only time (mps NaN). `engine_last_us` is when the engine was last known to run. */
void idling_step(idling_t *self, const world_t *world, speed_point_t row, bool engine_runs, int64_t engine_last_us);

void idling_end(idling_t *self, const world_t *world);

#endif
