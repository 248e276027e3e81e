/* Rollover. */
#include "rollover.h"

#include "angle.h"
#include "totals.h"

#include <string.h>

#define PAUSE_US 500000
#define DRAW_S 8.0          /* over which a calm force draws up back */
#define CALM_MPS2 2.0
#define STILL_MPS2 1.5      /* off 1 g: at rest */
#define USUAL_S 30.0
#define USUAL_LEAST_S 5.0
#define DRIVING_MPS 3.0
#define RESTING_MPS 0.5
#define UPRIGHT 0.9063      /* cosine of 25 degrees */
#define FRESH_US 10000000   /* a roll begins from upright and moving, not longer ago */
#define SPEED_US 3000000    /* a rolling car may lose its speed signal */
#define CAME_TO_REST_US 20000000
#define STOOD_US 2000000
#define MOVED_BOX_US 20000000

void rollover_init(rollover_t *self, const tbox_rollover_rule_t *rule)
{
    *self = (rollover_t){
        .roll_cosine = angle_cosine(rule->roll_deg),
        .attitude_cosine = angle_cosine(rule->attitude_deg),
        .t_us = NEVER,
        .moved_us = NEVER,
        .upright_us = NEVER,
        .rolled_us = NEVER,
        .lying_us = NEVER,
        .stood_us = NEVER,
    };
}

static void set_unit(double out[3], const double vector[3])
{
    const double size = length(vector);

    if (size > 0.0) {
        scale(vector, 1.0 / size, out);
    }
}

static bool is_calm(const double force[3], double most_mps2)
{
    return fabs(length(force) - GRAVITY_MPS2) < most_mps2;
}

/* Where up is now: turned by the gyro, drawn back by a calm force. */
static void carry_up(rollover_t *self, const imu_sample_t *sample)
{
    const int64_t step_us = self->t_us == NEVER ? PAUSE_US + 1 : sample->t_us - self->t_us;
    const double step_s = in_seconds(step_us);
    double turned[3];

    if (step_us > PAUSE_US || !is_known(sample->rate[0] + sample->rate[1] + sample->rate[2])) {
        set_unit(self->now, sample->force);
        return;
    }
    cross(self->now, sample->rate, turned);
    for (uint32_t i = 0; i < 3; i++) {
        turned[i] = self->now[i] + turned[i] * step_s;
        if (is_calm(sample->force, CALM_MPS2)) {
            turned[i] += step_s / DRAW_S * (sample->force[i] / GRAVITY_MPS2 - self->now[i]);
        }
    }
    set_unit(self->now, turned);
}

static void learn_usual(rollover_t *self, const double calm[3], int64_t step_us)
{
    const double step_s = in_seconds(step_us < PAUSE_US ? step_us : PAUSE_US);

    self->usual_s = self->usual_s + step_s < USUAL_S ? self->usual_s + step_s : USUAL_S;
    for (uint32_t i = 0; i < 3; i++) {
        self->usual[i] += step_s / self->usual_s * (calm[i] - self->usual[i]);
    }
}

/* Learns where up is while it drives upright; a box that drives on at another angle was moved. */
static void follow_driving(rollover_t *self, const double calm[3], double mps, int64_t t_us)
{
    const int64_t step_us = self->t_us == NEVER ? 0 : t_us - self->t_us;

    if (mps >= MOVING_MPS) {
        self->moved_us = t_us;
    }
    if (!(mps >= DRIVING_MPS) || step_us <= 0) {
        return;
    }
    self->has_stood = false;
    if (self->usual_s < USUAL_LEAST_S || angle_between(self->now, self->usual) >= UPRIGHT) {
        self->upright_us = t_us;
        self->upright_mps = mps;
        learn_usual(self, calm, step_us);
    } else if (is_older(self->upright_us, t_us, MOVED_BOX_US)) {
        self->usual_s = 0.0;
        memset(self->usual, 0, sizeof self->usual);
    }
}

static int64_t tell(rollover_t *self, const world_t *world, uint8_t rule, int64_t since_us, int64_t t_us)
{
    tbox_event_t event = alarm_event(TBOX_ROLLOVER, TBOX_HIGH, world, since_us);

    event.entry_mps = self->upright_mps;
    event.value = angle_of_cosine(self->least);
    event.rule = rule;
    event.sources = TBOX_BY_IMU;
    event.flags = TBOX_LOCKED;
    event.confidence = rule == TBOX_RULE_ROLL ? 0.8 : 0.9;
    alarm_tell(world, &event, t_us);
    self->is_down = true;
    self->rolled_us = NEVER;
    self->lying_us = NEVER;
    return self->upright_us;
}

/* Since when an angle lasts whose cosine this is; `can_begin` now. */
static int64_t since(rollover_t *self, int64_t since_us, double cosine, double limit, bool can_begin, int64_t t_us)
{
    if (cosine >= limit || (since_us == NEVER && !can_begin)) {
        return NEVER;
    }
    if (since_us == NEVER || cosine < self->least) {
        self->least = cosine;
    }
    return since_us == NEVER ? t_us : since_us;
}

static int64_t judge_roll(rollover_t *self, const tbox_rollover_rule_t *rule, const world_t *world, int64_t t_us)
{
    const double cosine = angle_between(self->now, self->usual);
    const bool is_moving = !is_older(self->moved_us, t_us, SPEED_US);
    const bool can_begin = is_moving && !is_older(self->upright_us, t_us, FRESH_US);

    self->rolled_us = since(self, self->rolled_us, cosine, self->roll_cosine, can_begin, t_us);
    if (self->rolled_us != NEVER && t_us - self->rolled_us >= rule->roll_hold_us) {
        return tell(self, world, TBOX_RULE_ROLL, self->rolled_us, t_us);
    }
    return NEVER;
}

static int64_t judge_attitude(rollover_t *self, const tbox_rollover_rule_t *rule, const world_t *world,
                              const double calm[3], double mps, int64_t t_us)
{
    const double cosine = angle_between(calm, self->usual);
    const bool is_at_rest = is_calm(calm, STILL_MPS2) && !(mps >= RESTING_MPS);

    if (!is_at_rest || cosine < UPRIGHT) {
        self->stood_us = NEVER;
    } else if (self->stood_us == NEVER) {
        self->stood_us = t_us;
    }
    self->has_stood |= self->stood_us != NEVER && t_us - self->stood_us >= STOOD_US;
    const bool can_begin = !self->has_stood && !is_older(self->upright_us, t_us, CAME_TO_REST_US);

    self->lying_us = is_at_rest ? since(self, self->lying_us, cosine, self->attitude_cosine, can_begin, t_us) : NEVER;
    if (self->lying_us != NEVER && t_us - self->lying_us >= rule->attitude_hold_us) {
        return tell(self, world, TBOX_RULE_ATTITUDE, self->lying_us, t_us);
    }
    return NEVER;
}

int64_t rollover_step(rollover_t *self, const tbox_rollover_rule_t *rule, const world_t *world,
                      const imu_sample_t *sample, const double calm[3], double mps)
{
    if (!rule->enabled) {
        return NEVER;
    }
    carry_up(self, sample);
    follow_driving(self, calm, mps, sample->t_us);
    const bool has_gyro = is_known(sample->rate[0] + sample->rate[1] + sample->rate[2]);
    int64_t began_us = NEVER;

    self->t_us = sample->t_us;
    if (self->usual_s < USUAL_LEAST_S || !is_calm(self->usual, CALM_MPS2)) {
        return NEVER;
    }
    if (self->is_down) {
        self->is_down = angle_between(calm, self->usual) < UPRIGHT || !is_calm(calm, STILL_MPS2);
        return NEVER;
    }
    if (has_gyro) {
        began_us = judge_roll(self, rule, world, sample->t_us);
    }
    return self->is_down ? began_us : judge_attitude(self, rule, world, calm, mps, sample->t_us);
}
