/* A crash told by the speed alone. */
#include "loss.h"

#include <math.h>

#define SLOW_US 260000    /* 4 Hz, and some jitter */
#define NEAR_ZERO_MPS 1.4 /* 5 km/h */
#define DRIVING_MPS (10.0 / 3.6)
#define STAYS_US 800000

void loss_init(loss_t *self, const tbox_crash_rule_t *rule)
{
    *self = (loss_t){.rule = *rule, .quiet_us = NEVER};
}

static void tell(loss_t *self, const world_t *world)
{
    const double loss_mps = self->from.mps - self->to.mps;
    const tbox_event_t event = {
        .kind = TBOX_CRASH,
        .start_us = self->from.t_us,
        .end_us = self->to.t_us,
        .peak_mps2 = self->peak_mps2,
        .entry_mps = self->from.mps,
        .exit_mps = self->to.mps,
        .delta_v_mps = loss_mps,
        .delta_v_s = in_seconds(self->to.t_us - self->from.t_us),
        .confidence = 0.5,
        .lat_deg = world->lat_deg,
        .lon_deg = world->lon_deg,
        .direction = TBOX_NO_SIDE,
        .sources = world->speed_source,
        .severity = loss_mps >= self->rule.high_mps ? TBOX_HIGH : loss_mps >= self->rule.medium_mps ? TBOX_MEDIUM : TBOX_LOW,
        .flags = loss_mps >= self->rule.lock_mps ? TBOX_LOCKED : 0,
    };

    queue_push_event(world->queue, world->now_us, &event);
}

/* The mean loss between two refreshes, the quantum taken off: what is sure of it. Where the receiver's speed takes over, or the
 * car's again, both may tell of the same moment: that says nothing. */
static double sure_loss(const speed_t *speed, speed_point_t from, speed_point_t to)
{
    if (to.t_us <= from.t_us) {
        return 0.0;
    }
    return (from.mps - to.mps - speed->quantum_mps) / in_seconds(to.t_us - from.t_us);
}

static void follow_fall(loss_t *self, const speed_t *speed, speed_point_t now)
{
    if (now.mps > self->row.mps - 1e-9) {
        self->falling = 0;
        self->is_hit = self->is_hit && now.mps < NEAR_ZERO_MPS;
        return;
    }
    self->falling++;
    const double mean_mps2 = sure_loss(speed, self->before, now);

    if (self->falling >= 2 && mean_mps2 > self->rule.speed_loss_mps2 && (self->is_hit || self->before.mps >= DRIVING_MPS)) {
        self->from = self->is_hit ? self->from : self->before;
        self->peak_mps2 = self->is_hit && self->peak_mps2 > mean_mps2 ? self->peak_mps2 : mean_mps2;
        self->is_hit = true;
    }
}

static bool follow_stop(loss_t *self, const world_t *world, speed_point_t now)
{
    if (!self->is_hit || now.mps >= NEAR_ZERO_MPS) {
        self->is_down = false;
        return false;
    }
    if (!self->is_down || now.mps < self->to.mps - 1e-9) {
        self->is_down = true;
        self->to = now;
    }
    if (now.t_us - self->to.t_us < STAYS_US) {
        return false;
    }
    self->is_hit = false;
    self->is_down = false;
    tell(self, world);
    return true;
}

bool loss_step(loss_t *self, const world_t *world, speed_row_t row)
{
    const speed_t *const speed = world->speed;
    const speed_point_t now = speed->row;
    bool is_told = false;

    if (row == SPEED_RESTART) {
        *self = (loss_t){.rule = self->rule, .quiet_us = self->quiet_us, .row = now, .before = now};
        return false;
    }
    if (!self->rule.enabled || (row != SPEED_CHANGE && row != SPEED_HOLD)) {
        return false;
    }
    const bool is_quiet = self->quiet_us != NEVER && now.t_us < self->quiet_us;

    self->refreshes++;
    if (self->refreshes > 2 && speed->refresh_us > SLOW_US && self->row.mps >= DRIVING_MPS && now.mps < NEAR_ZERO_MPS
        && sure_loss(speed, self->row, now) > self->rule.speed_loss_mps2) {
        world->judgements[TBOX_NOT_CRASH_SLOW_REFRESH]++;
    } else if (self->refreshes > 2 && speed_is_learnt(speed) && speed->refresh_us <= SLOW_US && !is_quiet) {
        follow_fall(self, speed, now);
        is_told = follow_stop(self, world, now);
    }
    self->before = self->row;
    self->row = now;
    return is_told;
}
