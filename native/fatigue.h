/* Fatigue: 4 h of driving with no rest of 20 min in it, and a warning at 3 h 30 (DETECTION, "fatigue"; road traffic law of
 * China, implementing rules, art. 62). The event's value is the seconds driven. Where the account is unsure (rest.h)
 * its confidence is a half; where the car may well have rested, nothing is told and that is counted. */
#ifndef TBOX_FATIGUE_H
#define TBOX_FATIGUE_H

#include "alarm.h"
#include "rest.h"

typedef struct {
    bool is_warned;
    bool is_told;
} fatigue_t;

/* What was told before a restart is not told again. */
void fatigue_init(fatigue_t *self, const tbox_fatigue_rule_t *rule, const rest_t *rest);

void fatigue_step(fatigue_t *self, const tbox_fatigue_rule_t *rule, const world_t *world, const rest_t *rest);

#endif
