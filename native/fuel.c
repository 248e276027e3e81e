/* The fuel level while the car stands. */
#include "fuel.h"

#include <math.h>

#define TOGETHER_PCT 2.5
#define SETTLED_VALUES 3
#define FIRST_US 60000000    /* a level settled so soon after the stop is the one before */
#define STAYED_US 30000000   /* a changed level that stays so long is complete */
#define DRIVEN_COUNT 20.0
#define DRIVEN_LEAST 3
#define DRIVEN_US 30000000
#define SURE_PCT 15.0

void fuel_init(fuel_t *self)
{
    *self = (fuel_t){
        .window = {.first_us = NEVER},
        .driven_us = NEVER,
        .drove = (double)NAN,
        .before = (double)NAN,
        .level = (double)NAN,
        .stood_us = NEVER,
        .value_us = NEVER,
    };
}

static void tell(const tbox_setup_t *setup, const world_t *world, int64_t start_us, int64_t end_us, double change_pct)
{
    const bool is_more = change_pct > 0.0;

    if (!(is_more ? setup->refuel.enabled : setup->fuel_drop.enabled)) {
        return;
    }
    tbox_event_t event = alarm_event(is_more ? TBOX_REFUEL : TBOX_FUEL_DROP, is_more ? TBOX_LOW : TBOX_MEDIUM, world, start_us);

    event.value = change_pct;
    event.confidence = fabs(change_pct) >= SURE_PCT ? 0.9 : 0.7;
    event.entry_mps = 0.0;
    alarm_tell(world, &event, end_us);
}

static bool is_change(const tbox_setup_t *setup, double change_pct)
{
    const tbox_fuel_rule_t *const rule = change_pct > 0.0 ? &setup->refuel : &setup->fuel_drop;

    return fabs(change_pct) > rule->threshold_pct;
}

/* The mean in driving, and once it is one, whether it is another than before the stand. */
static void follow_driving(fuel_t *self, const tbox_setup_t *setup, const world_t *world, int64_t t_us, double pct)
{
    const double count = (double)(self->driven_count + 1);

    if (self->driven_count == 0) {
        self->driven = 0.0;
        self->driven_us = t_us;
    }
    self->driven += (pct - self->driven) / (count < DRIVEN_COUNT ? count : DRIVEN_COUNT);
    self->driven_count++;
    if (count < DRIVEN_COUNT || t_us - self->driven_us < DRIVEN_US || !is_known(self->drove)) {
        return;
    }
    if (is_change(setup, self->driven - self->drove)) {
        tell(setup, world, self->drove_us, t_us, self->driven - self->drove);
    }
    self->drove = (double)NAN;
}

static void tell_change(fuel_t *self, const tbox_setup_t *setup, const world_t *world)
{
    if (self->is_changed) {
        tell(setup, world, self->stood_us, self->level_us, self->level - self->before);
        self->driven += self->level - self->before;
        self->before = self->level;
    }
    self->is_changed = false;
}

void fuel_close(fuel_t *self, const tbox_setup_t *setup, const world_t *world)
{
    if (self->stood_us == NEVER) {
        return;
    }
    tell_change(self, setup, world);
    if (world->now_us - self->stood_us > FIRST_US && self->driven_count >= DRIVEN_LEAST) {
        self->drove = self->driven;
        self->drove_us = self->stood_us;
        self->driven_count = 0;
    }
    self->stood_us = NEVER;
    self->before = (double)NAN;
    self->level = (double)NAN;
    self->window.first_us = NEVER;
}

static void start_window(fuel_window_t *window, int64_t t_us, double pct)
{
    *window = (fuel_window_t){.first_us = t_us, .low = pct, .high = pct, .sum = pct, .count = 1};
}

/* True while the values lie together. */
static bool add(fuel_window_t *window, int64_t t_us, double pct)
{
    const double low = pct < window->low ? pct : window->low;
    const double high = pct > window->high ? pct : window->high;

    if (window->first_us == NEVER || high - low > TOGETHER_PCT) {
        start_window(window, t_us, pct);
        return false;
    }
    window->low = low;
    window->high = high;
    window->sum += pct;
    window->count++;
    return true;
}

static void settle(fuel_t *self, const tbox_setup_t *setup, int64_t t_us)
{
    const double level = self->window.sum / self->window.count;
    const bool is_early = t_us - self->stood_us <= FIRST_US;

    if (!is_known(self->level) || fabs(level - self->level) > TOGETHER_PCT / 2.0) {
        self->level_us = t_us;
    }
    self->level = level;
    if (!is_known(self->before)) {
        const bool is_driven = !is_early && self->driven_count >= DRIVEN_LEAST;

        self->before = is_driven ? self->driven : level;
    }
    self->is_changed = is_change(setup, level - self->before);
}

void fuel_step(fuel_t *self, const tbox_setup_t *setup, const world_t *world, int64_t t_us, double pct, bool stands,
               int64_t motion_us)
{
    if (self->value_us != NEVER && t_us <= self->value_us) {
        return;
    }
    self->value_us = t_us;
    if (!stands) {
        follow_driving(self, setup, world, t_us, pct);
        return;
    }
    if (self->stood_us == NEVER) {
        self->stood_us = motion_us != NEVER && t_us - motion_us > STALE_US ? motion_us : t_us; /* told too late to stand for it */
    }
    const tbox_fuel_rule_t *const rule = pct > self->before ? &setup->refuel : &setup->fuel_drop;

    if (add(&self->window, t_us, pct) && self->window.count >= SETTLED_VALUES
        && t_us - self->window.first_us >= rule->settle_us) {
        settle(self, setup, t_us);
        if (self->is_changed && t_us - self->level_us >= STAYED_US) {
            tell_change(self, setup, world);
        }
    }
}
