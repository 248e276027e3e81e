/* The machine that the three harsh rules share. */
#include "harsh.h"

#include <math.h>

#define GAP_US 1200000      /* without a reading for so long an event is over */
#define SETTLE_US 600000    /* after its end, for the speed then to arrive */
#define SETTLE_MOST_US 2000000
#define CRASH_REACH_US 500000 /* a slope of the speed shows a crash so long before */
#define TELLING_MPS 1.5     /* a change of speed under this contradicts nothing */
#define GOOD_REFRESH_US 550000
#define LAG_S 0.3           /* so late a car tells its speed, some of them */
#define UNDONE 0.3

void harsh_init(harsh_t *self, uint8_t kind, const tbox_harsh_rule_t *rule)
{
    *self = (harsh_t){.rule = *rule, .kind = kind, .t_us = NEVER, .blocked_us = NEVER};
}

static uint8_t severity_of(const tbox_harsh_rule_t *rule, double peak_mps2)
{
    if (peak_mps2 >= rule->high_mps2) {
        return TBOX_HIGH;
    }
    return peak_mps2 >= rule->medium_mps2 ? TBOX_MEDIUM : TBOX_LOW;
}

static bool says_the_same(double told_mps, double wanted_mps)
{
    return fabs(told_mps - wanted_mps) <= 0.8 + 0.5 * fabs(wanted_mps);
}

static double change_of(const speed_t *speed, const tbox_event_t *event)
{
    return speed_at(speed, event->end_us) - speed_at(speed, event->start_us);
}

/* Over a long event the speed changed by less than what ends one: the IMU felt the slope of the road too. */
static bool is_outlasted(const harsh_t *self, const world_t *world, double change_mps)
{
    const tbox_event_t *const event = &self->done.event;
    const double doubt_mps = world->speed->quantum_mps + event->peak_mps2 * (in_seconds(world->speed->refresh_us) + LAG_S);

    return !self->done.is_joined
           && fabs(change_mps) + doubt_mps < self->rule.release_mps2 * in_seconds(event->end_us - event->start_us);
}

/* Longitudinal only: the IMU felt a change of speed of which a good speed signal shows next to nothing, or too little. */
static bool is_contradicted(const harsh_t *self, const world_t *world)
{
    const harsh_window_t *const window = &self->done;
    const double gain_mps = window->gain_mps;
    const double change_mps = window->event.exit_mps - window->event.entry_mps;
    const bool is_good = speed_is_learnt(world->speed) && world->speed->refresh_us <= GOOD_REFRESH_US;

    if (window->event.kind == TBOX_HARSH_CORNERING || !(window->event.sources & TBOX_BY_IMU) || !is_good
        || window->step_us >= 150000) {
        return false;
    }
    return (fabs(gain_mps) >= TELLING_MPS && change_mps * gain_mps < 0.2 * gain_mps * gain_mps)
           || is_outlasted(self, world, change_mps);
}

/* A receiver that tells one stray speed in driving makes a harsh event each way: the refresh before or after undoes it. */
static bool is_stray(const harsh_window_t *window, const world_t *world)
{
    const tbox_event_t *const event = &window->event;
    const double little_mps = UNDONE * fabs(event->delta_v_mps);

    return event->kind != TBOX_HARSH_CORNERING && event->sources == TBOX_BY_GNSS && !window->is_joined
           && event->end_us - event->start_us <= window->step_us
           && (fabs(speed_at(world->speed, event->end_us + window->step_us) - event->entry_mps) < little_mps
               || fabs(speed_at(world->speed, event->start_us - window->step_us) - event->exit_mps) < little_mps);
}

/* Near the threshold an estimate is as good as its uncertainty; a second source lifts it. */
static double confidence_of(const harsh_t *self, const harsh_window_t *window, bool is_backed)
{
    const double over = (window->event.peak_mps2 - self->rule.threshold_mps2) / (window->sigma_mps2 + 0.02);
    const double alone = 0.3 + 0.6 * (over > 0.0 ? over / (over + 2.0) : 0.0);

    return is_backed ? alone + 0.4 * (1.0 - alone) : alone;
}

static void corroborate(const harsh_t *self, harsh_window_t *window, const world_t *world)
{
    tbox_event_t *const event = &window->event;
    const bool is_along = event->kind != TBOX_HARSH_CORNERING;
    const bool by_imu = (event->sources & TBOX_BY_IMU) != 0;
    bool is_backed = false;

    if (is_along && by_imu && says_the_same(change_of(world->speed, event), window->gain_mps)) {
        event->sources |= world->speed_source;
        is_backed = true;
    }
    if (is_along && world->gnss != world->speed && says_the_same(change_of(world->gnss, event), window->gain_mps)) {
        event->sources |= TBOX_BY_GNSS;
        is_backed = true;
    }
    event->confidence = confidence_of(self, window, is_backed);
}

static void tell_done(harsh_t *self, const world_t *world)
{
    tbox_event_t *const event = &self->done.event;

    self->has_done = false;
    if (is_known(speed_at(world->speed, event->end_us))) {
        event->exit_mps = speed_at(world->speed, event->end_us);
    }
    event->delta_v_mps = event->exit_mps - event->entry_mps;
    if (is_contradicted(self, world) || is_stray(&self->done, world)) {
        world->judgements[TBOX_NOT_HARSH_DISAGREES]++;
        return;
    }
    corroborate(self, &self->done, world);
    event->severity = severity_of(&self->rule, event->peak_mps2);
    queue_push_event(world->queue, world->now_us, event);
}

/* The speed at a moment that may lie after the last row: carried on with its slope for a second. */
static double speed_near(const speed_t *speed, int64_t t_us)
{
    const double held_mps = speed_at(speed, t_us);
    const int64_t after_us = t_us - speed->row.t_us;

    if (after_us <= 0 || after_us > 1000000 || !speed->has_slope) {
        return held_mps;
    }
    const double carried_mps = held_mps + speed->slope.mps2 * in_seconds(after_us);

    return carried_mps > 0.0 ? carried_mps : 0.0;
}

static bool passes_gate(const harsh_t *self)
{
    const tbox_event_t *const event = &self->open.event;
    const double gate_mps = self->rule.min_speed_mps;
    const double speed_mps = self->kind == TBOX_HARSH_ACCELERATION ? event->exit_mps : event->entry_mps;

    return gate_mps <= 0.0 || speed_mps >= gate_mps;
}

static bool joins_done(const harsh_t *self)
{
    return self->has_done && self->open.event.start_us - self->done.event.end_us < self->rule.refractory_us;
}

static void join(harsh_t *self)
{
    tbox_event_t *const event = &self->done.event;
    const tbox_event_t *const later = &self->open.event;

    event->end_us = later->end_us;
    event->exit_mps = later->exit_mps;
    if (later->peak_mps2 > event->peak_mps2) {
        event->peak_mps2 = later->peak_mps2;
        event->direction = later->direction;
    }
    self->done.gain_mps += self->open.gain_mps;
    self->done.is_joined = true;
}

static void close_open(harsh_t *self, const world_t *world)
{
    harsh_window_t *const open = &self->open;

    self->is_open = false;
    if (!self->is_held) {
        world->judgements[TBOX_NOT_HARSH_SHORT]++;
        return;
    }
    open->event.exit_mps = speed_near(world->speed, open->event.end_us);
    if (!passes_gate(self)) {
        world->judgements[TBOX_NOT_HARSH_SLOW]++;
        return;
    }
    const double size_mps = open->sum_mps2 / open->count * in_seconds(open->event.end_us - open->event.start_us);

    open->gain_mps = self->kind == TBOX_HARSH_BRAKING ? -size_mps : size_mps;
    if (joins_done(self)) {
        join(self);
        return;
    }
    if (self->has_done) {
        tell_done(self, world);
    }
    self->done = *open;
    self->has_done = true;
}

static void start_open(harsh_t *self, const world_t *world, const reading_t *reading)
{
    self->is_open = true;
    self->is_held = false;
    self->open = (harsh_window_t){
        .event = {
            .kind = self->kind,
            .start_us = reading->t_us - reading->half_us,
            .entry_mps = speed_near(world->speed, reading->t_us - reading->half_us),
            .delta_v_s = (double)NAN,
            .lat_deg = world->lat_deg,
            .lon_deg = world->lon_deg,
            .direction = reading->side,
            .sources = reading->sources,
        },
        .sigma_mps2 = reading->sigma_mps2,
        .step_us = reading->step_us,
    };
}

static void extend_open(harsh_t *self, const reading_t *reading)
{
    harsh_window_t *const open = &self->open;
    const double threshold_mps2 = self->rule.threshold_mps2;

    open->event.end_us = reading->t_us + reading->half_us;
    open->sum_mps2 += reading->mps2;
    open->count++;
    if (reading->mps2 > open->event.peak_mps2) {
        open->event.peak_mps2 = reading->mps2;
    }
    if (reading->t_us - open->event.start_us >= reading->hold_us && open->sum_mps2 >= threshold_mps2 * open->count) {
        self->is_held = true;
    }
}

void harsh_step(harsh_t *self, const world_t *world, const reading_t *reading)
{
    const int64_t gap_us = reading->step_us * 5 / 2 > GAP_US ? reading->step_us * 5 / 2 : GAP_US;

    if (!self->rule.enabled || (self->t_us != NEVER && reading->t_us <= self->t_us) || reading->t_us < self->blocked_us) {
        return;
    }
    if (self->is_open && (is_older(self->t_us, reading->t_us, gap_us) || reading->side != self->open.event.direction
                          || reading->mps2 < self->rule.release_mps2)) {
        close_open(self, world);
    }
    self->t_us = reading->t_us;
    if (self->is_open && !self->is_held && reading->mps2 >= self->rule.threshold_mps2
        && self->open.sum_mps2 < self->rule.threshold_mps2 * self->open.count) {
        self->is_open = false; /* it sagged: the hold begins anew */
    }
    if (!self->is_open && reading->mps2 >= self->rule.threshold_mps2) {
        start_open(self, world, reading);
    }
    if (self->is_open) {
        extend_open(self, reading);
    }
}

void harsh_settle(harsh_t *self, const world_t *world)
{
    const int64_t since_us = world->now_us - self->done.event.end_us;
    const bool is_known_then = world->speed->row.t_us >= self->done.event.end_us || since_us >= SETTLE_MOST_US;
    const int64_t wait_us = self->rule.refractory_us > SETTLE_US ? self->rule.refractory_us : SETTLE_US;

    if (self->is_open && is_older(self->t_us, world->now_us, 3 * GAP_US)) {
        close_open(self, world);
    }
    if (self->has_done && since_us > wait_us && is_known_then && !(self->is_open && joins_done(self))) {
        tell_done(self, world);
    }
}

void harsh_block(harsh_t *self, const world_t *world, int64_t crash_us, int64_t until_us)
{
    if (self->is_open && self->open.event.start_us >= crash_us - CRASH_REACH_US) {
        self->is_open = false;
    }
    if (self->has_done && self->done.event.start_us >= crash_us - CRASH_REACH_US) {
        self->has_done = false;
    }
    if (self->is_open) {
        close_open(self, world);
    }
    self->blocked_us = until_us;
}

void harsh_end(harsh_t *self, const world_t *world)
{
    if (self->is_open) {
        close_open(self, world);
    }
    if (self->has_done) {
        tell_done(self, world);
    }
}
