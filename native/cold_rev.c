/* Engine speed over a lower limit while the coolant is cold (DETECTION, "over_rev"). */
#include "car.h"

#define GAP_US 2500000
#define ABSENT_C (-39.5) /* J1979 codes -40 as 0: that is a sensor that is not there */

static level_kind_t kind_of(const tbox_cold_rule_t *rule)
{
    return (level_kind_t){
        .kind = TBOX_COLD_REV,
        .severity = TBOX_LOW,
        .hold_us = rule->hold_us,
        .gap_us = rule->hold_us > GAP_US ? rule->hold_us : GAP_US,
    };
}

void cold_rev_step(level_t *self, const tbox_cold_rule_t *rule, const world_t *world, int64_t t_us, double rpm,
                   double coolant_c)
{
    const level_kind_t kind = kind_of(rule);
    const bool is_cold = coolant_c < rule->coolant_c && coolant_c > ABSENT_C;
    const level_row_t row = {
        .t_us = t_us,
        .value = rpm,
        .is_over = is_cold && rpm >= rule->limit_rpm,
        .is_ended = !is_cold || rpm < rule->limit_rpm,
    };

    if (rule->enabled && rule->limit_rpm > 0.0) {
        level_step(self, &kind, world, row);
    }
}

void cold_rev_end(level_t *self, const tbox_cold_rule_t *rule, const world_t *world)
{
    const level_kind_t kind = kind_of(rule);

    level_end(self, &kind, world);
}
