/* Events that are no acceleration, and levels that are passed and held. */
#include "alarm.h"

#include <math.h>

#define SURE_ROWS 3

double alarm_speed(const world_t *world)
{
    return speed_is_live(world->speed, world->now_us) ? world->speed->row.mps : (double)NAN;
}

tbox_event_t alarm_event(uint8_t kind, uint8_t severity, const world_t *world, int64_t start_us)
{
    const double mps = alarm_speed(world);

    return (tbox_event_t){
        .kind = kind,
        .severity = severity,
        .start_us = start_us,
        .end_us = start_us,
        .peak_mps2 = (double)NAN,
        .entry_mps = mps,
        .exit_mps = mps,
        .delta_v_mps = (double)NAN,
        .delta_v_s = (double)NAN,
        .value = (double)NAN,
        .lat_deg = world->lat_deg,
        .lon_deg = world->lon_deg,
        .sources = TBOX_BY_VEHICLE,
    };
}

void alarm_tell(const world_t *world, tbox_event_t *event, int64_t end_us)
{
    event->end_us = end_us;
    event->delta_v_mps = event->exit_mps - event->entry_mps;
    queue_push_event(world->queue, world->now_us, event);
}

void level_init(level_t *self)
{
    *self = (level_t){.row_us = NEVER};
}

static void open_event(level_t *self, const level_kind_t *kind, const world_t *world, level_row_t row)
{
    self->is_open = true;
    self->is_held = false;
    self->rows = 0;
    self->event = alarm_event(kind->kind, kind->severity, world, row.t_us);
    self->event.value = row.value;
}

/* True when it has just become held. */
static bool extend_event(level_t *self, const level_kind_t *kind, const world_t *world, level_row_t row)
{
    const bool is_further = kind->is_falling ? row.value < self->event.value : row.value > self->event.value;
    const bool was_held = self->is_held;

    self->rows++;
    self->event.end_us = row.t_us;
    self->event.exit_mps = alarm_speed(world);
    if (is_further) {
        self->event.value = row.value;
    }
    if (row.t_us - self->event.start_us >= kind->hold_us) {
        self->is_held = true;
    }
    return self->is_held && !was_held;
}

static void tell(level_t *self, const world_t *world)
{
    self->event.confidence = self->rows < SURE_ROWS ? 0.7 : 1.0;
    alarm_tell(world, &self->event, self->event.end_us);
}

void level_end(level_t *self, const level_kind_t *kind, const world_t *world)
{
    if (self->is_open && self->is_held && !kind->is_alarm) {
        tell(self, world);
    }
    self->is_open = false;
}

void level_step(level_t *self, const level_kind_t *kind, const world_t *world, level_row_t row)
{
    if (self->row_us != NEVER && row.t_us <= self->row_us) {
        return;
    }
    const bool is_told = self->is_open && self->is_held && kind->is_alarm; /* an alarm is over when it is told so */
    const bool is_apart = !is_told && is_older(self->row_us, row.t_us, kind->gap_us);

    self->row_us = row.t_us;
    if (is_apart || row.is_ended || (!self->is_held && !row.is_over)) {
        level_end(self, kind, world);
    }
    if (!self->is_open && row.is_over) {
        open_event(self, kind, world, row);
    }
    if (self->is_open && extend_event(self, kind, world, row) && kind->is_alarm) {
        tell(self, world);
    }
}
