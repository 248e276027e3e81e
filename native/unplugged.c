/* The supply was there and is gone: the box runs on what it has itself (DETECTION, "unplugged"). */
#include "car.h"

#define SUPPLY_V 9.0 /* so much shows that the input is connected */

void unplugged_step(unplugged_t *self, const tbox_level_rule_t *rule, const world_t *world, int64_t t_us, double volt)
{
    const level_kind_t kind = {
        .kind = TBOX_UNPLUGGED,
        .severity = TBOX_MEDIUM,
        .hold_us = rule->hold_us,
        .gap_us = level_gap_us(rule->hold_us),
        .is_falling = true,
        .is_alarm = true,
    };
    const level_row_t row = {
        .t_us = t_us,
        .value = volt,
        .is_over = volt < rule->threshold && self->had_supply,
        .is_ended = volt >= SUPPLY_V,
    };

    if (!rule->enabled) {
        return;
    }
    self->had_supply |= volt >= SUPPLY_V;
    level_step(&self->level, &kind, world, row);
}
