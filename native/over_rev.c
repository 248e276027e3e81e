/* Engine speed at or over its limit for 2 s or more (DETECTION, "over_rev"). */
#include "car.h"

#define GAP_US 2500000

static level_kind_t kind_of(const tbox_level_rule_t *rule)
{
    return (level_kind_t){
        .kind = TBOX_OVER_REV,
        .severity = TBOX_LOW,
        .hold_us = rule->hold_us,
        .gap_us = rule->hold_us > GAP_US ? rule->hold_us : GAP_US,
    };
}

void over_rev_step(level_t *self, const tbox_level_rule_t *rule, const world_t *world, int64_t t_us, double rpm)
{
    const level_kind_t kind = kind_of(rule);
    const level_row_t row = {
        .t_us = t_us,
        .value = rpm,
        .is_over = rpm >= rule->threshold,
        .is_ended = rpm < rule->threshold - rule->hysteresis,
    };

    if (rule->enabled && rule->threshold > 0.0) {
        level_step(self, &kind, world, row);
    }
}

void over_rev_end(level_t *self, const tbox_level_rule_t *rule, const world_t *world)
{
    const level_kind_t kind = kind_of(rule);

    level_end(self, &kind, world);
}
