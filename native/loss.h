/* A crash told by the speed alone, where there is no IMU (DETECTION, "crash").
 *
 * A loss through at least two real refreshes in a row that takes 8 km/h more than braking at 9 m/s2 would have taken,
 * ending near 0 and staying there, of a speed that refreshes at 4 Hz or faster. Good tyres brake at 10 and 11 m/s2, and a
 * whole km/h, a late answer and the noise of wheels make 15 of 7 m/s2 between two rows: only what is lost beyond them by the
 * time a blow lasts is a blow's. What a slower speed shows could be one refresh of a frozen value: counted, not judged. */
#ifndef TBOX_LOSS_H
#define TBOX_LOSS_H

#include "harsh.h"

typedef struct {
    tbox_crash_rule_t rule;
    speed_point_t row;    /* the last real refresh */
    speed_point_t before; /* the one before it */
    speed_point_t begin;  /* where the fall began that may become one */
    speed_point_t from;   /* where the loss began */
    speed_point_t to;     /* where it came near 0 */
    double beyond_mps;    /* lost since `begin` beyond what braking at the threshold takes */
    double peak_mps2;
    int64_t quiet_us;
    uint32_t refreshes;   /* since the last hole */
    uint32_t falling;     /* of them, how many in a row lost speed */
    bool is_hit;          /* the loss is big enough */
    bool is_down;         /* and came near 0 */
} loss_t;

void loss_init(loss_t *self, const tbox_crash_rule_t *rule);

/* A row of the speed. True when a crash is sure: it has been told. */
bool loss_step(loss_t *self, const world_t *world, speed_row_t row);

#endif
