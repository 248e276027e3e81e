/* A crash told by the speed alone. */
#include "loss.h"

#include <math.h>

#define SLOW_US 260000    /* 4 Hz, and some jitter */
#define NEAR_ZERO_MPS 1.4 /* 5 km/h */
#define DRIVING_MPS (10.0 / 3.6)
#define STAYS_US 800000
#define BLOW_US 1000000   /* a blow is over within this and a refresh: braking goes on */

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

/* A row that came late may tell what was so when it was due: what was braked since then is not the next row's loss. Nor is
 * what a receiver's stray fix had gained. */
static void start_fall(loss_t *self, const speed_t *speed, speed_point_t now)
{
    const double braked_mps = self->rule.speed_loss_mps2 * in_seconds(now.t_us - speed->row_before.t_us);
    const double late_mps = braked_mps - self->rule.speed_loss_mps2 * in_seconds(speed->refresh_us);
    const double stray_mps = now.mps - self->row.mps - braked_mps;

    self->begin = now;
    self->beyond_mps = -larger(0.0, larger(late_mps, stray_mps));
}

/* When it was last as fast as the refresh before says: as long as rows repeat that, but a refresh ago at the latest. */
static int64_t held_until_us(const loss_t *self, const speed_t *speed, int64_t now_us)
{
    const int64_t due_us = now_us - speed->refresh_us;
    const int64_t held_us = speed->row_before.t_us < due_us ? speed->row_before.t_us : due_us;

    return held_us > self->row.t_us ? held_us : self->row.t_us;
}

/* What was lost beyond what brakes take, summed from where that is most (cumulative sum; Page 1954). */
static void sum_beyond(loss_t *self, const speed_t *speed, speed_point_t now)
{
    const int64_t held_us = held_until_us(self, speed, now.t_us);
    const double braked_mps = self->rule.speed_loss_mps2 * in_seconds(now.t_us - held_us);

    if (self->falling == 1) {
        self->begin = (speed_point_t){.t_us = held_us, .mps = self->row.mps};
    }
    self->beyond_mps += self->row.mps - now.mps - braked_mps;
    if (self->beyond_mps < -speed->quantum_mps || now.t_us - self->begin.t_us > BLOW_US + speed->refresh_us) {
        start_fall(self, speed, now);
    }
}

static void follow_fall(loss_t *self, const speed_t *speed, speed_point_t now)
{
    if (now.mps > self->row.mps - 1e-9) {
        self->falling = 0;
        self->is_hit = self->is_hit && (now.mps < NEAR_ZERO_MPS || now.mps < self->row.mps + 1e-9);
        start_fall(self, speed, now);
        return;
    }
    self->falling++;
    sum_beyond(self, speed, now);
    const double mean_mps2 = sure_loss(speed, self->before, now);

    if (self->is_hit || (self->falling >= 2 && self->begin.mps >= DRIVING_MPS
                         && self->beyond_mps - speed->quantum_mps >= self->rule.delta_v_mps)) {
        self->from = self->is_hit ? self->from : self->begin;
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
        *self = (loss_t){.rule = self->rule, .quiet_us = self->quiet_us, .row = now, .before = now, .begin = now};
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
