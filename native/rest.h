/* How long it was driven without a rest: measured, over holes and restarts.
 *
 * Driving is motion at 1 km/h or faster with the ignition not off (a car on a ferry rests). A rest is a stand, or the
 * ignition off, of 20 min in one piece. Silence counts as a stand while inputs of any kind go on to come and the car stood
 * when it fell silent: a bus asleep. A hole, in which nothing came at all, is a stand when the ignition was off, when it is
 * a minute at most between two stands, or when the odometer or the position is afterwards what it was before. Any other
 * hole is neither: it is not driven, and no rest goes through it. When, with the stands around it, it was long enough for a rest, the account is unsure;
 * when the car also stood at one of its ends, it may well have rested, and the account says that too. */
#ifndef TBOX_REST_H
#define TBOX_REST_H

#include "speed.h"
#include "tbox.h"

/* A hole of which nothing is known yet. */
typedef struct {
    int64_t lasts_us;
    int64_t rest_before_us;
    int64_t rest_after_us;  /* until motion began; NEVER: it has not */
    int64_t driven_before_us;
    uint32_t far_fixes;     /* that show another place */
    bool has_stand;         /* it stood at an end of it */
    bool is_open;
} hole_t;

typedef struct {
    int64_t rest_least_us;
    int64_t driving_most_us;
    tbox_rest_t state;
    int64_t fatigue_us;     /* driven beyond the most, summed up; it only grows */
    int64_t begun_us;       /* first time of this run; NEVER: nothing came yet */
    int64_t until_us;       /* accounted up to here; NEVER: no row yet */
    double odometer_way_m;  /* driven since the odometer was told */
    double place_way_m;     /* driven since the place was */
    hole_t hole;
    bool is_standing;       /* at until_us */
    bool is_silent;         /* rows stay away */
} rest_t;

void rest_init(rest_t *self, const tbox_fatigue_rule_t *rule, const tbox_rest_t *before);

/* A stretch between two rows of the speed, `moved_us` of it moving over `way_m`; it stands at its end, or not. */
typedef struct {
    int64_t from_us;
    int64_t to_us;
    int64_t moved_us;
    double way_m;
    bool is_off;            /* the ignition is told to be off */
    bool stands;
} stretch_t;

void rest_drive(rest_t *self, const stretch_t *stretch);

/* The first row after a hole: nothing is known of the time since the last one. */
void rest_resume(rest_t *self, const stretch_t *stretch);

/* Time passes and inputs come; rows stay away for longer than `hole_us`. */
void rest_wait(rest_t *self, int64_t t_us, int64_t hole_us, bool is_off);

/* The account as it stands, for a later run to go on from; its `gone_us` is 0. */
tbox_rest_t rest_told(const rest_t *self);

void rest_odometer(rest_t *self, double odometer_m);
void rest_place(rest_t *self, double lat_deg, double lon_deg);

#endif
