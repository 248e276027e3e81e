/* Rules about the car itself, each a level that is passed and held (alarm.h): the engine's speed, its heat, the supply. */
#ifndef TBOX_CAR_H
#define TBOX_CAR_H

#include "alarm.h"

/* over_rev.c: the engine at its limit or faster. Without a limit nothing is judged. */
void over_rev_step(level_t *self, const tbox_level_rule_t *rule, const world_t *world, int64_t t_us, double rpm);
void over_rev_end(level_t *self, const tbox_level_rule_t *rule, const world_t *world);

/* cold_rev.c: a lower limit while the coolant is cold. `coolant_c` NaN: not known, not judged. */
void cold_rev_step(level_t *self, const tbox_cold_rule_t *rule, const world_t *world, int64_t t_us, double rpm,
                   double coolant_c);
void cold_rev_end(level_t *self, const tbox_cold_rule_t *rule, const world_t *world);

/* overheat.c */
void overheat_step(level_t *self, const tbox_level_rule_t *rule, const world_t *world, int64_t t_us, double coolant_c);

/* low_battery.c: under its floor; what is cut off or cranking does not count. */
void low_battery_step(level_t *self, const tbox_level_rule_t *rule, const world_t *world, int64_t t_us, double volt);

/* unplugged.c: the supply was there and is gone. */
typedef struct {
    level_t level;
    bool had_supply;
} unplugged_t;

void unplugged_step(unplugged_t *self, const tbox_level_rule_t *rule, const world_t *world, int64_t t_us, double volt);

#endif
