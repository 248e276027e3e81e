/* Idling. */
#include "idling.h"

#include <math.h>

void idling_init(idling_t *self, const tbox_idling_rule_t *rule)
{
    *self = (idling_t){.rule = *rule};
}

static void open_event(idling_t *self, const world_t *world, speed_point_t row)
{
    self->is_open = true;
    self->event = (tbox_event_t){
        .kind = TBOX_IDLING,
        .start_us = row.t_us,
        .end_us = row.t_us,
        .entry_mps = row.mps,
        .exit_mps = row.mps,
        .peak_mps2 = (double)NAN,
        .delta_v_s = (double)NAN,
        .confidence = 1.0,
        .lat_deg = world->lat_deg,
        .lon_deg = world->lon_deg,
        .sources = world->speed_source,
    };
}

void idling_end(idling_t *self, const world_t *world)
{
    if (self->is_open && self->event.end_us - self->event.start_us >= self->rule.hold_us) {
        self->event.delta_v_mps = self->event.exit_mps - self->event.entry_mps;
        queue_push_event(world->queue, world->now_us, &self->event);
    }
    self->is_open = false;
}

void idling_step(idling_t *self, const world_t *world, speed_point_t row, bool engine_runs, int64_t engine_last_us)
{
    const bool is_row = is_known(row.mps);

    if (!self->rule.enabled) {
        return;
    }
    if (self->is_open && !engine_runs && engine_last_us >= self->event.start_us) {
        self->event.end_us = engine_last_us; /* it stood and ran until then */
    }
    if (!engine_runs || (is_row && row.mps >= self->rule.max_speed_mps)) {
        if (is_row && engine_runs && self->is_open && row.t_us - self->event.end_us <= STALE_US) {
            self->event.end_us = row.t_us; /* it stood until this row */
        }
        idling_end(self, world);
        return;
    }
    if (self->is_open && row.t_us - self->event.end_us > STALE_US) {
        idling_end(self, world);
    }
    if (is_row && !self->is_open) {
        open_event(self, world, row);
    } else if (is_row) {
        self->event.end_us = row.t_us;
        self->event.exit_mps = row.mps;
    }
}
