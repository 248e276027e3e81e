/* Totals that only grow: distance, times, ways over the limit. A trip is the difference of two samples.
 *
 * Speed is taken as linear between two rows, at their true receive times, so distance is the trapezoid and the moments at
 * which 1 km/h or the limit are crossed are interpolated. A hole is neither driven nor stood. */
#ifndef TBOX_TOTALS_H
#define TBOX_TOTALS_H

#include "speed.h"
#include "tbox.h"

#define MOVING_MPS (1.0 / 3.6)

typedef struct {
    double distance_m;
    double over_limit_m;
    int64_t over_limit_us;
    int64_t limit_known_us;
    int64_t moving_us;
    int64_t idle_us;
    int64_t judged_us;
    int64_t motion_last_us; /* NEVER: not yet */
    double max_speed_mps;   /* since the last sample; NaN: no speed */
} totals_t;

/* What held while the car went from one row to the next. */
typedef struct {
    double limit_mps; /* with its margin; NaN: none known */
    bool engine_runs;
    bool is_judged;
} conditions_t;

void totals_init(totals_t *self);

/* A row with no known way before it: the first, or after a hole. */
void totals_start(totals_t *self, speed_point_t to);

void totals_step(totals_t *self, speed_point_t from, speed_point_t to, const conditions_t *conditions);

#endif
