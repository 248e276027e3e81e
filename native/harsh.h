/* The machine that the three harsh rules share: threshold, hold, release, gates, refractory time.
 *
 * An event opens with the first reading at or over the threshold, is held when that has lasted the hold with a mean not
 * under the threshold, closes with the first reading under the release, and is told when nothing of its kind can join it any
 * more: after the refractory time, and when the speed at its end is known. (DETECTION, "Driving events".) */
#ifndef TBOX_HARSH_H
#define TBOX_HARSH_H

#include "queue.h"
#include "signal.h"
#include "speed.h"

/* An acceleration, estimated. */
typedef struct {
    int64_t t_us;
    int64_t half_us;   /* it stands for t - half .. t + half */
    int64_t step_us;   /* how often there is one */
    int64_t hold_us;   /* how long it must last for the rule, this estimate's own length taken off */
    double mps2;       /* > 0 is towards the event */
    double sigma_mps2;
    uint8_t sources;   /* what it comes from */
    uint8_t side;
} reading_t;

/* What the rule looks at and reports to. */
typedef struct {
    queue_t *queue;
    uint64_t *judgements;
    const speed_t *speed; /* the one to go by */
    const speed_t *gnss;
    double lat_deg;
    double lon_deg;
    int64_t now_us;
    uint8_t speed_source; /* TBOX_BY_SPEED or TBOX_BY_GNSS */
} world_t;

typedef struct {
    tbox_event_t event;
    double sum_mps2;
    double sigma_mps2;
    double gain_mps;   /* what the judging source says about the change of speed */
    int64_t step_us;
    uint32_t count;
    bool is_joined;    /* a later one joined it */
} harsh_window_t;

typedef struct {
    tbox_harsh_rule_t rule;
    harsh_window_t open;
    harsh_window_t done;
    int64_t t_us;      /* of the last reading; NEVER: none */
    int64_t blocked_us; /* nothing is judged until then: a crash */
    uint8_t kind;
    bool is_open;
    bool is_held;
    bool has_done;
} harsh_t;

void harsh_init(harsh_t *self, uint8_t kind, const tbox_harsh_rule_t *rule);

void harsh_step(harsh_t *self, const world_t *world, const reading_t *reading);

/* Time passes: tells what is sure by now. */
void harsh_settle(harsh_t *self, const world_t *world);

/* A crash at a time: what was held before ends, what it made itself is dropped, nothing is judged until the given time. */
void harsh_block(harsh_t *self, const world_t *world, int64_t crash_us, int64_t until_us);

/* The input ends. */
void harsh_end(harsh_t *self, const world_t *world);

/* harsh_braking.c, harsh_acceleration.c: forward acceleration; harsh_cornering.c: acceleration to the left. */
void braking_step(harsh_t *self, const world_t *world, const reading_t *forward);
void acceleration_step(harsh_t *self, const world_t *world, const reading_t *forward);
void cornering_step(harsh_t *self, const world_t *world, const reading_t *left);

#endif
