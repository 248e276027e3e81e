/* Crash, in two stages (DETECTION, "crash").
 *
 * Trigger: a horizontal blow (pulse.h; where no IMU can tell: loss.h). Confirm, within 10 s: a change of velocity of 8 km/h within 150 ms
 * (GB 39732), a loss of speed no brake makes, a stop, the airbag, the engine going off, another attitude.
 * What is no crash is counted by its name: mostly vertical (a pothole), the box handled while the car stands, a short
 * blow, a sensor that made no sense before. A trigger that nothing confirms is an impact. */
#ifndef TBOX_CRASH_H
#define TBOX_CRASH_H

#include "harsh.h"
#include "pulse.h"

/* What the crash rule looks at besides the blow itself. */
typedef struct {
    const world_t *world;
    const double *rotation; /* sensor to vehicle; NULL: not known */
    const double *calm_force; /* what the IMU feels on the mean, sensor axes */
    double airbag;          /* 1: deployed, NaN: never told */
    uint8_t engine;
    bool has_gravity;       /* the IMU made sense before */
    bool is_parked;         /* it stands, though nobody tells a speed */
} scene_t;

typedef struct {
    tbox_crash_rule_t rule;
    pulse_t pulse;
    tbox_event_t event;    /* of the blow that waits to be confirmed */
    speed_point_t before;  /* the row that tells the speed before the blow; NaN: not known */
    double lowest_mps;     /* since then */
    double sure_mps;       /* the largest loss since then, less what a brake may have made of it */
    double highest_mps;
    double up[3];
    int64_t zero_us;       /* of the blow */
    int64_t quiet_us;      /* one crash, one event: nothing triggers until then */
    uint8_t engine_before;
    bool had_airbag;
    bool is_waiting;
    bool is_vertical;
    bool is_fallen;        /* the box fell before it struck */
    uint32_t tilted;       /* seconds in another attitude */
} crash_t;

void crash_init(crash_t *self, const tbox_crash_rule_t *rule);

/* A raw sample. `up` points up on sensor axes. What it says of a blow is to be heard at once. */
pulse_news_t crash_feel(crash_t *self, const imu_sample_t *sample, const double up[3]);

/* News of a blow. True when a crash is confirmed: it has been told. */
bool crash_hear(crash_t *self, const scene_t *scene, pulse_news_t news);

/* Whether a blow is being measured, or waits to be confirmed. */
bool crash_is_open(const crash_t *self);

/* A row of the speed. True when a crash is confirmed. */
bool crash_row(crash_t *self, const scene_t *scene);

/* A second has passed. True when a crash is confirmed. */
bool crash_settle(crash_t *self, const scene_t *scene);

void crash_end(crash_t *self, const scene_t *scene);

#endif
