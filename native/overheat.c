/* Coolant hotter than 115 degrees C for 10 s (DETECTION, "overheat"). */
#include "car.h"

#define BROKEN_C 160.0 /* no coolant boils that hot under its cap; a broken wire reads 215 (J1979: 255 - 40) */
#define HIGH_C 10.0    /* so much over the threshold is severe */

void overheat_step(level_t *self, const tbox_level_rule_t *rule, const world_t *world, int64_t t_us, double coolant_c)
{
    const level_kind_t kind = {
        .kind = TBOX_OVERHEAT,
        .severity = coolant_c >= rule->threshold + HIGH_C ? TBOX_HIGH : TBOX_MEDIUM,
        .hold_us = rule->hold_us,
        .gap_us = level_gap_us(rule->hold_us),
        .is_alarm = true,
    };
    const level_row_t row = {
        .t_us = t_us,
        .value = coolant_c,
        .is_over = coolant_c > rule->threshold && coolant_c < BROKEN_C,
        .is_ended = coolant_c < rule->threshold - rule->hysteresis || coolant_c >= BROKEN_C,
    };

    if (rule->enabled) {
        level_step(self, &kind, world, row);
    }
}
