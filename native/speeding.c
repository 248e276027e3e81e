/* Speeding. */
#include "speeding.h"

#include <math.h>

#define MEDIUM_MPS (20.0 / 3.6)
#define HIGH_MPS (40.0 / 3.6)

void speeding_init(speeding_t *self, const tbox_speeding_rule_t *rule)
{
    *self = (speeding_t){.rule = *rule};
}

static uint8_t severity_of(double over_mps)
{
    if (over_mps >= HIGH_MPS) {
        return TBOX_HIGH;
    }
    return over_mps >= MEDIUM_MPS ? TBOX_MEDIUM : TBOX_LOW;
}

/* When the line from the row before to this one crossed the limit. */
static int64_t crossing_us(const speeding_t *self, speed_point_t row, double limit_mps, bool is_first)
{
    if (is_first || self->row.mps > limit_mps || row.mps - self->row.mps < 1e-9) {
        return row.t_us;
    }
    const double share = (limit_mps - self->row.mps) / (row.mps - self->row.mps);

    return self->row.t_us + (int64_t)(share * (double)(row.t_us - self->row.t_us) + 0.5);
}

static void open_event(speeding_t *self, const world_t *world, int64_t start_us, double entry_mps)
{
    self->is_open = true;
    self->is_held = false;
    self->most_mps = 0.0;
    self->event = (tbox_event_t){
        .kind = TBOX_SPEEDING,
        .start_us = start_us,
        .entry_mps = entry_mps,
        .peak_mps2 = (double)NAN,
        .delta_v_s = (double)NAN,
        .confidence = 1.0,
        .lat_deg = world->lat_deg,
        .lon_deg = world->lon_deg,
        .sources = world->speed_source,
    };
}

static void extend_event(speeding_t *self, speed_point_t row, double limit_mps)
{
    self->event.end_us = row.t_us;
    self->event.exit_mps = row.mps;
    if (row.mps - limit_mps > self->most_mps) {
        self->most_mps = row.mps - limit_mps;
    }
    if (row.t_us - self->event.start_us >= self->rule.hold_us) {
        self->is_held = true;
    }
}

void speeding_end(speeding_t *self, const world_t *world)
{
    if (self->is_open && self->is_held) {
        self->event.delta_v_mps = self->event.exit_mps - self->event.entry_mps;
        self->event.severity = severity_of(self->most_mps);
        queue_push_event(world->queue, world->now_us, &self->event);
    }
    self->is_open = false;
}

void speeding_step(speeding_t *self, const world_t *world, speed_point_t row, double limit_mps, bool is_first)
{
    const double level_mps = self->is_open && self->is_held ? limit_mps - self->rule.hysteresis_mps : limit_mps;

    if (!self->rule.enabled) {
        return;
    }
    if (is_first || !(row.mps > level_mps)) {
        speeding_end(self, world);
    }
    if (!self->is_open && row.mps > limit_mps) {
        const int64_t start_us = crossing_us(self, row, limit_mps, is_first);

        open_event(self, world, start_us, start_us < row.t_us ? limit_mps : row.mps);
    }
    if (self->is_open) {
        extend_event(self, row, limit_mps);
    }
    self->row = row;
}
