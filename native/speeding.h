/* Speeding: faster than the limit and its margin for 10 s or more; it ends under the limit by the hysteresis (5 km/h).
 * Severity by the most it was over: 20 km/h medium, 40 km/h high. */
#ifndef TBOX_SPEEDING_H
#define TBOX_SPEEDING_H

#include "harsh.h"

typedef struct {
    tbox_speeding_rule_t rule;
    tbox_event_t event;
    speed_point_t row; /* the one before */
    double most_mps;   /* over the limit */
    bool is_open;
    bool is_held;
} speeding_t;

void speeding_init(speeding_t *self, const tbox_speeding_rule_t *rule);

/* A row of the speed; `limit_mps` with its margin, NaN: none known; `is_first` after a hole. */
void speeding_step(speeding_t *self, const world_t *world, speed_point_t row, double limit_mps, bool is_first);

void speeding_end(speeding_t *self, const world_t *world);

#endif
