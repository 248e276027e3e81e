/* A parked car is struck: 1 g or more beside what it feels at rest (DETECTION, "parked_impact").
 *
 * One bad sample of a fast sensor is none; neither is a box that fell, that goes on being shaken, or that lies another way
 * afterwards: handled, and counted as such. */
#include "parked.h"

#include "angle.h"

#define FAST_US 50000      /* faster than this one sample is a spike */
#define NEAR_US 100000     /* samples of one blow */
#define SHAKEN_US 2000000  /* no blow lasts that long */
#define REST_US 3000000    /* after which it lies as it will lie */
#define FALL_US 500000
#define MOVED 0.906        /* cosine of 25 degrees */
#define MEDIUM_MPS2 (2.0 * GRAVITY_MPS2)
#define HIGH_MPS2 (4.0 * GRAVITY_MPS2)

void parked_impact_step(parked_impact_t *self, const tbox_parked_rule_t *rule, const world_t *world,
                        const parked_t *parked, const imu_sample_t *sample, int64_t step_us, int64_t fall_us)
{
    double force[3];

    if (!rule->enabled || (self->start_us == NEVER && !parked_has_up(parked, sample->t_us))) {
        return;
    }
    for (uint32_t i = 0; i < 3; i++) {
        force[i] = sample->force[i] - parked->up[i];
    }
    const double size = length(force);

    if (size < rule->threshold_mps2) {
        if (self->start_us != NEVER && self->samples < 2 && step_us < FAST_US && sample->t_us - self->last_us > NEAR_US) {
            self->start_us = NEVER;
            world->judgements[TBOX_NOT_PARKED_SHORT]++;
        }
        return;
    }
    if (self->start_us == NEVER) {
        *self = (parked_impact_t){.start_us = sample->t_us};
    }
    self->samples++;
    self->last_us = sample->t_us;
    self->has_fallen |= !is_older(fall_us, sample->t_us, FALL_US);
    if (size > self->peak_mps2) {
        self->peak_mps2 = size;
        scale(force, 1.0, self->force);
    }
}

/* The side the blow came from: a car pushed back was struck in front (ISO 8855 axes). */
static uint8_t side_of(const double force[3], const double *rotation)
{
    if (rotation == NULL) {
        return TBOX_NO_SIDE;
    }
    const double forward = dot(&rotation[0], force);
    const double left = dot(&rotation[3], force);

    if (fabs(forward) >= fabs(left)) {
        return forward < 0.0 ? TBOX_FRONT : TBOX_REAR;
    }
    return left < 0.0 ? TBOX_LEFT : TBOX_RIGHT;
}

static void tell(const parked_impact_t *self, const world_t *world, const double *rotation)
{
    const uint8_t severity = self->peak_mps2 >= HIGH_MPS2 ? TBOX_HIGH : self->peak_mps2 >= MEDIUM_MPS2 ? TBOX_MEDIUM : TBOX_LOW;
    tbox_event_t event = alarm_event(TBOX_PARKED_IMPACT, severity, world, self->start_us);

    event.peak_mps2 = self->peak_mps2;
    event.direction = side_of(self->force, rotation);
    event.sources = TBOX_BY_IMU;
    event.confidence = self->samples < 2 ? 0.5 : 0.8;
    alarm_tell(world, &event, self->last_us);
}

void parked_impact_settle(parked_impact_t *self, const world_t *world, parked_t *parked, const double calm[3],
                          const double *rotation)
{
    const bool is_moved = angle_between(calm, parked->up) < MOVED;
    const bool is_shaken = self->start_us != NEVER && self->last_us - self->start_us > SHAKEN_US;

    if (self->start_us == NEVER || world->now_us - self->last_us < REST_US) {
        return;
    }
    if (self->has_fallen || is_shaken || is_moved) {
        world->judgements[TBOX_NOT_PARKED_HANDLED]++;
        parked_forget_up(parked, world->now_us);
    } else {
        tell(self, world, rotation);
    }
    self->start_us = NEVER;
}
