/* Crash, in two stages: the blow, and what confirms it. */
#include "crash.h"

#include "vector.h"

#include <string.h>

#define STANDING_MPS 0.5
#define STOPPED_MPS 0.5
#define DRIVING_MPS (10.0 / 3.6)
#define PUSH_US 1500000         /* a standing car that is pushed moves at once */
#define PUSH_SHARE 0.25
#define LOSS_US 1000000         /* a loss by the blow is seen within this and a refresh */
#define BRAKE_MPS2 9.0          /* no more is braking's */
#define CLIP_WAIT_US 700000     /* saturated: the speed is asked too, ... */
#define CLIP_WAIT_MOST_US 2500000 /* ... a slow one until a refresh after the blow has come */
#define BLOW_US 300000
#define CHANGE_US 250000        /* a change of velocity is what happens within it */
#define CLIP_HIGH_MPS2 (7.9 * GRAVITY_MPS2)
#define FALL_MEMORY_US 200000
#define TILTED 0.77             /* cosine of 40 degrees */

void crash_init(crash_t *self, const tbox_crash_rule_t *rule)
{
    *self = (crash_t){.rule = *rule, .quiet_us = NEVER};
    pulse_init(&self->pulse);
}

/* The side the blow came from: a car pushed back was struck in front (ISO 8855 axes). */
static uint8_t side_of(const double change_mps[3], const double *rotation)
{
    if (rotation == NULL) {
        return TBOX_NO_SIDE;
    }
    const double forward = dot(&rotation[0], change_mps);
    const double left = dot(&rotation[3], change_mps);

    if (fabs(forward) >= fabs(left)) {
        return forward < 0.0 ? TBOX_FRONT : TBOX_REAR;
    }
    return left < 0.0 ? TBOX_LEFT : TBOX_RIGHT;
}

static uint8_t severity_of(const crash_t *self)
{
    const bool is_clipped = self->pulse.clipped_mps2 >= CLIP_HIGH_MPS2 && (self->event.flags & TBOX_DV_CLIPPED);

    if (self->event.delta_v_mps >= self->rule.high_mps || is_clipped) {
        return TBOX_HIGH;
    }
    return self->event.delta_v_mps >= self->rule.medium_mps ? TBOX_MEDIUM : TBOX_LOW;
}

static double loss_of(const crash_t *self)
{
    return self->before.mps - self->lowest_mps;
}

static void tell(crash_t *self, const scene_t *scene, uint8_t kind, double confidence)
{
    tbox_event_t *const event = &self->event;
    const world_t *const world = scene->world;

    event->kind = kind;
    event->confidence = confidence;
    event->exit_mps = world->speed->count > 0 ? world->speed->row.mps : (double)NAN;
    if ((event->flags & TBOX_DV_CLIPPED) && self->sure_mps > event->delta_v_mps) {
        event->delta_v_mps = self->sure_mps;
    }
    if (loss_of(self) >= 0.5 * event->delta_v_mps) {
        event->sources |= world->speed_source;
    }
    event->severity = severity_of(self);
    if (kind == TBOX_CRASH && (event->delta_v_mps >= self->rule.lock_mps || self->pulse.clipped_mps2 >= CLIP_HIGH_MPS2)) {
        event->flags |= TBOX_LOCKED;
    }
    queue_push_event(world->queue, world->now_us, event);
    self->is_waiting = false;
}

static bool confirm(crash_t *self, const scene_t *scene, double confidence)
{
    tell(self, scene, TBOX_CRASH, confidence);
    return true;
}

/* The speed just before a moment, and the earliest time of it: a row that repeats a value may be a refresh old. */
static speed_point_t speed_before(const speed_t *speed, int64_t t_us)
{
    const int64_t repeated_us = speed->refresh_us - intervals_quantile(&speed->rows, 60);
    speed_point_t row = speed->row.t_us <= t_us ? speed->row : speed->row_before;
    row.t_us -= repeated_us > 0 && speed_is_learnt(speed) ? repeated_us : 0;
    return speed_is_live(speed, t_us) ? row : (speed_point_t){.t_us = t_us, .mps = (double)NAN};
}

static void remember(crash_t *self, const scene_t *scene)
{
    self->zero_us = self->pulse.zero_us;
    self->before = speed_before(scene->world->speed, self->zero_us);
    self->sure_mps = 0.0;
    if (scene->is_parked && !is_known(self->before.mps)) {
        self->before.mps = 0.0; /* what strikes a parked car is parked_impact's */
    }
    self->lowest_mps = self->before.mps;
    self->highest_mps = self->before.mps;
    self->engine_before = scene->engine;
    self->had_airbag = scene->airbag >= 0.5;
    self->is_waiting = false;
    self->tilted = 0;
    memcpy(self->up, self->pulse.up, sizeof self->up);
    self->is_fallen = !is_older(self->pulse.fall_us, self->zero_us, FALL_MEMORY_US);
}

static void describe(crash_t *self, const scene_t *scene)
{
    const pulse_t *const pulse = &self->pulse;

    self->is_vertical = pulse->vertical_mps2 > pulse->peak_mps2;
    self->event = (tbox_event_t){
        .start_us = pulse->start_us,
        .end_us = pulse->end_us,
        .peak_mps2 = pulse->peak_mps2,
        .entry_mps = self->before.mps,
        .delta_v_mps = pulse->most_mps,
        .delta_v_s = in_seconds(pulse->most_us - pulse->start_us),
        .lat_deg = scene->world->lat_deg,
        .lon_deg = scene->world->lon_deg,
        .direction = side_of(pulse->change_mps, scene->rotation),
        .sources = TBOX_BY_IMU,
        .flags = pulse->clipped_mps2 > 0.0 ? TBOX_DV_CLIPPED : 0,
    };
}

static bool is_standing(const crash_t *self)
{
    return self->before.mps < STANDING_MPS;
}

/* What of the blow is doubtful by itself needs the car's own speed, or its airbag, to be believed. */
static bool is_doubtful(const crash_t *self)
{
    return is_standing(self) || self->is_vertical || self->is_fallen;
}

/* What a saturated sensor did not feel the speed may yet tell. */
static bool waits_for_speed(const crash_t *self, const world_t *world)
{
    const int64_t after_us = world->now_us - self->zero_us;
    const int64_t refresh_us = world->speed->refresh_us;
    const bool has_come = world->speed->row.t_us - self->zero_us >= BLOW_US + refresh_us / 2;

    return (self->event.flags & TBOX_DV_CLIPPED) && is_known(self->before.mps)
           && after_us < (has_come ? CLIP_WAIT_US : CLIP_WAIT_MOST_US);
}

static bool is_by_blow(const crash_t *self, const world_t *world)
{
    return self->pulse.early_mps >= self->rule.delta_v_mps && !is_doubtful(self) && !waits_for_speed(self, world);
}

static bool is_by_car(const crash_t *self, const scene_t *scene)
{
    const bool went_off = self->engine_before == ENGINE_RUNS && scene->engine == ENGINE_OFF;

    return (scene->airbag >= 0.5 && !self->had_airbag) || (went_off && !is_doubtful(self))
           || (self->tilted >= 2 && !is_standing(self) && !self->is_fallen);
}

/* A loss that braking, since the speed before was told, does not explain; or a push. */
static bool is_by_speed(const crash_t *self, const scene_t *scene)
{
    const speed_t *const speed = scene->world->speed;
    const int64_t after_us = speed->row.t_us - self->zero_us;
    const double braked_mps = BRAKE_MPS2 * in_seconds(speed->row.t_us - self->before.t_us);

    if (after_us <= 0 || !is_known(self->before.mps)) {
        return false;
    }
    if (is_standing(self)) {
        const double pushed_mps = PUSH_SHARE * self->event.delta_v_mps;

        return after_us <= PUSH_US + speed->refresh_us && self->event.delta_v_mps >= self->rule.delta_v_mps
               && self->highest_mps >= (pushed_mps > 1.0 ? pushed_mps : 1.0);
    }
    if (after_us <= LOSS_US + speed->refresh_us && loss_of(self) >= self->rule.delta_v_mps + braked_mps) {
        return true;
    }
    return self->before.mps >= DRIVING_MPS && speed->row.mps < STOPPED_MPS && !is_doubtful(self);
}

static int64_t deadline_us(const crash_t *self, const scene_t *scene)
{
    const int64_t short_us = PUSH_US + scene->world->speed->refresh_us;

    return self->zero_us + (is_standing(self) && short_us < self->rule.confirm_us ? short_us : self->rule.confirm_us);
}

static void give_up(crash_t *self, const scene_t *scene)
{
    self->is_waiting = false;
    self->quiet_us = scene->world->now_us;
    if (is_standing(self) || self->is_fallen) {
        scene->world->judgements[TBOX_NOT_CRASH_HANDLED]++;
    } else if (self->is_vertical) {
        scene->world->judgements[TBOX_NOT_CRASH_VERTICAL]++;
    } else {
        tell(self, scene, TBOX_IMPACT, 0.3);
    }
}

static bool weigh(crash_t *self, const scene_t *scene)
{
    if (!self->is_waiting) {
        return false;
    }
    if (is_by_blow(self, scene->world)) {
        const bool is_seen = loss_of(self) >= 0.3 * self->event.delta_v_mps;

        return confirm(self, scene, is_seen ? 0.95 : 0.8);
    }
    if (is_by_car(self, scene)) {
        return confirm(self, scene, 0.8);
    }
    if (is_by_speed(self, scene)) {
        return confirm(self, scene, 0.7);
    }
    if (scene->world->now_us >= deadline_us(self, scene)) {
        give_up(self, scene);
    }
    return false;
}

bool crash_hear(crash_t *self, const scene_t *scene, pulse_news_t news)
{
    if (news == PULSE_SHORT) {
        scene->world->judgements[TBOX_NOT_CRASH_SHORT]++;
    } else if (news == PULSE_BEGINS && !scene->has_gravity) {
        scene->world->judgements[TBOX_NOT_CRASH_NO_GRAVITY]++;
        self->pulse.is_measuring = false;
        self->pulse.over = 0;
    } else if (news == PULSE_BEGINS) {
        remember(self, scene);
    } else if (news == PULSE_ENDS) {
        describe(self, scene);
        self->is_waiting = true;
        return weigh(self, scene);
    }
    return false;
}

pulse_news_t crash_feel(crash_t *self, const imu_sample_t *sample, const double up[3])
{
    const bool is_quiet = !self->rule.enabled || (self->quiet_us != NEVER && sample->t_us < self->quiet_us);
    const double threshold_mps2 = is_quiet ? 1e9 : self->rule.threshold_mps2;

    return pulse_take(&self->pulse, sample, up, threshold_mps2, self->rule.hold_us);
}

bool crash_is_open(const crash_t *self)
{
    return self->is_waiting || self->pulse.is_measuring;
}

bool crash_row(crash_t *self, const scene_t *scene)
{
    const speed_point_t now = scene->world->speed->row;

    if (now.t_us > self->zero_us) {
        const double braked_s = in_seconds(now.t_us - self->before.t_us - CHANGE_US);
        const double sure_mps = self->before.mps - now.mps - (braked_s > 0.0 ? BRAKE_MPS2 * braked_s : 0.0);

        self->sure_mps = sure_mps > self->sure_mps ? sure_mps : self->sure_mps;
        self->lowest_mps = now.mps < self->lowest_mps ? now.mps : self->lowest_mps;
        self->highest_mps = now.mps > self->highest_mps ? now.mps : self->highest_mps;
    }
    return weigh(self, scene);
}

bool crash_settle(crash_t *self, const scene_t *scene)
{
    if (self->is_waiting && scene->world->now_us - self->zero_us > LOSS_US) {
        const double *const force = scene->calm_force;
        const bool is_tilted = fabs(length(force) - GRAVITY_MPS2) < 2.0 && dot(force, self->up) < TILTED * length(force);

        self->tilted = is_tilted ? self->tilted + 1 : 0;
    }
    return crash_hear(self, scene, pulse_wait(&self->pulse, scene->world->now_us)) || weigh(self, scene);
}

void crash_end(crash_t *self, const scene_t *scene)
{
    if (self->pulse.is_measuring) {
        self->pulse.is_measuring = false;
        describe(self, scene);
        self->is_waiting = true;
    }
    if (!weigh(self, scene) && self->is_waiting) {
        give_up(self, scene);
    }
}
