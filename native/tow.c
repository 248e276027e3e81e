/* A parked car is lifted or carried away: more than 5 degrees off how it stood, or faster than 15 km/h, either for 20 s
 * (DETECTION, "tow"). A ferry, a train and a car transporter do the same, and nothing here can tell them apart: the event
 * says that the car is moved without its engine, with the speed or the angle that decided. */
#include "parked.h"

#include "angle.h"

#include <math.h>

#define MOVED_BOX_DEG 45.0 /* no car is lifted so far: the box was moved */
#define CALM_MPS2 1.5
#define DRIFT_M 50.0       /* a receiver between walls tells speeds, but stays where it is */

void tow_init(tow_t *self, const tbox_tow_rule_t *rule)
{
    *self = (tow_t){.tilt_cosine = angle_cosine(rule->tilt_deg), .tilted_us = NEVER, .moving_us = NEVER};
}

static void tell(tow_t *self, const world_t *world, int64_t since_us, uint8_t rule, double value)
{
    tbox_event_t event = alarm_event(TBOX_TOW, TBOX_MEDIUM, world, since_us);

    event.rule = rule;
    event.value = value;
    event.sources = TBOX_BY_IMU;
    event.confidence = 0.8;
    if (rule == TBOX_RULE_MOTION) {
        event.sources = world->speed_source;
        event.entry_mps = (double)NAN;
    }
    alarm_tell(world, &event, world->now_us);
    self->is_told = true;
}

static void judge_tilt(tow_t *self, const tbox_tow_rule_t *rule, const world_t *world, parked_t *parked,
                       const double calm[3])
{
    const double cosine = angle_between(calm, parked->up);

    if (cosine >= self->tilt_cosine || fabs(length(calm) - length(parked->up)) > CALM_MPS2) {
        self->tilted_us = NEVER;
        return;
    }
    if (self->tilted_us == NEVER) {
        self->tilted_us = world->now_us;
    }
    if (world->now_us - self->tilted_us < rule->hold_us) {
        return;
    }
    if (angle_of_cosine(cosine) > MOVED_BOX_DEG) {
        world->judgements[TBOX_NOT_PARKED_HANDLED]++;
        parked_forget_up(parked, world->now_us);
    } else {
        tell(self, world, self->tilted_us, TBOX_RULE_TILT, angle_of_cosine(cosine));
    }
    self->tilted_us = NEVER;
}

static bool has_gone(const tow_t *self, const world_t *world)
{
    return !(angle_way_m(self->from_lat_deg, self->from_lon_deg, world->lat_deg, world->lon_deg) < DRIFT_M);
}

static void judge_motion(tow_t *self, const tbox_tow_rule_t *rule, const world_t *world, double mps)
{
    if (!(mps > rule->min_speed_mps)) {
        self->moving_us = NEVER;
        return;
    }
    if (self->moving_us == NEVER) {
        self->moving_us = world->now_us;
        self->from_lat_deg = world->lat_deg;
        self->from_lon_deg = world->lon_deg;
    }
    if (world->now_us - self->moving_us >= rule->hold_us && has_gone(self, world)) {
        tell(self, world, self->moving_us, TBOX_RULE_MOTION, mps);
    }
}

void tow_step(tow_t *self, const tbox_tow_rule_t *rule, const world_t *world, parked_t *parked, const double *calm,
              double mps, uint8_t source)
{
    world_t seen = *world;

    seen.speed_source = source;
    if (!rule->enabled || !parked_is_watched(parked, world->now_us) || self->is_told) {
        self->is_told &= parked->since_us != NEVER;
        self->tilted_us = NEVER;
        self->moving_us = NEVER;
        return;
    }
    judge_motion(self, rule, &seen, mps);
    if (!self->is_told && calm != NULL && parked_has_up(parked, world->now_us)) {
        judge_tilt(self, rule, &seen, parked, calm);
    }
}
