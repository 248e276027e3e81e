/* Supply under 11.8 V for 60 s (DETECTION, "low_battery"). The starter draws it far lower, for seconds. */
#include "car.h"

#define LIVE_V 6.0 /* under it nothing runs: a starter's dip, a plug that is out, an input that is not connected */

void low_battery_step(level_t *self, const tbox_level_rule_t *rule, const world_t *world, int64_t t_us, double volt)
{
    const level_kind_t kind = {
        .kind = TBOX_LOW_BATTERY,
        .severity = TBOX_LOW,
        .hold_us = rule->hold_us,
        .gap_us = level_gap_us(rule->hold_us),
        .is_falling = true,
        .is_alarm = true,
    };
    const level_row_t row = {
        .t_us = t_us,
        .value = volt,
        .is_over = volt < rule->threshold,
        .is_ended = volt >= rule->threshold + rule->hysteresis,
    };

    if (rule->enabled && volt >= LIVE_V) {
        level_step(self, &kind, world, row);
    }
}
