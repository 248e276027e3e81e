/* Fatigue. */
#include "fatigue.h"

#define UNSURE 0.5

/* Tells it, or counts that it cannot be told. */
static void tell(const world_t *world, const rest_t *rest, uint8_t kind, uint8_t severity)
{
    tbox_event_t event = alarm_event(kind, severity, world, rest->until_us);

    if (rest->state.may_have_rested) {
        world->judgements[TBOX_NOT_FATIGUE_UNKNOWN]++;
        return;
    }
    event.sources = world->speed_source;
    event.value = in_seconds(rest->state.driven_us);
    event.confidence = rest->state.is_unsure ? UNSURE : 1.0;
    alarm_tell(world, &event, rest->until_us);
}

void fatigue_init(fatigue_t *self, const tbox_fatigue_rule_t *rule, const rest_t *rest)
{
    self->is_warned = rest->state.driven_us >= rule->warning_us;
    self->is_told = rest->state.driven_us >= rule->driving_us;
}

void fatigue_step(fatigue_t *self, const tbox_fatigue_rule_t *rule, const world_t *world, const rest_t *rest)
{
    const bool is_due = rest->state.driven_us >= rule->warning_us;
    const bool is_over = rest->state.driven_us >= rule->driving_us;

    if (!rule->enabled || rest->hole.is_open) {
        return; /* whether it was a rest is seen within minutes */
    }
    if (is_over && !self->is_told) {
        tell(world, rest, TBOX_FATIGUE, TBOX_MEDIUM);
    } else if (is_due && !self->is_warned && !is_over) {
        tell(world, rest, TBOX_FATIGUE_WARNING, TBOX_LOW);
    }
    self->is_warned = is_due;
    self->is_told = is_over;
}
