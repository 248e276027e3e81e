/* The satellites are lost while driving. */
#include "gnss.h"

#include "angle.h"

#include <math.h>

#define FIXES_LEAST 10    /* a receiver that works */
#define USUAL 60.0        /* fixes over which the usual is learnt */
#define COLLAPSED 3       /* bad fixes in a row before the loss */
#define SATS_MOST 4.5
#define HDOP_LEAST 5.0
#define CN0_DROP_DB 8.0
#define AGREE_M 500.0
#define AGREE_FIXES 3
#define JUMP_LEAST_US 10000000

void gnss_init(gnss_t *self)
{
    *self = (gnss_t){.fix_us = NEVER, .sats = (double)NAN, .hdop = (double)NAN, .cn0_dbhz = (double)NAN,
                     .told_cn0_dbhz = (double)NAN};
}

static void tell(const gnss_t *self, const world_t *world, uint8_t kind, uint8_t rule, double value)
{
    const bool is_jam = kind == TBOX_GNSS_JAMMING;
    tbox_event_t event = alarm_event(kind, is_jam ? TBOX_MEDIUM : TBOX_LOW, world, self->fix_us);

    event.sources = TBOX_BY_GNSS;
    event.rule = rule;
    event.value = value;
    event.entry_mps = (double)NAN;
    event.confidence = is_jam ? 0.5 : 1.0;
    event.lat_deg = self->lat_deg;
    event.lon_deg = self->lon_deg;
    alarm_tell(world, &event, world->now_us);
}

void gnss_drive(gnss_t *self, const tbox_gnss_rule_t *rule, const world_t *world, int64_t whole_us, int64_t moved_us,
                double way_m)
{
    self->covered_us += whole_us;
    self->moved_us += moved_us;
    self->way_m += way_m;
    if (self->is_told || self->fixes < FIXES_LEAST || self->moved_us <= rule->hold_us) {
        return;
    }
    self->is_told = true;
    if (rule->loss_enabled) {
        tell(self, world, TBOX_GNSS_LOSS, TBOX_NO_RULE, in_seconds(self->moved_us));
    }
    if (rule->jamming_enabled && self->collapsed >= COLLAPSED) {
        self->is_jam_told = true;
        tell(self, world, TBOX_GNSS_JAMMING, TBOX_RULE_QUALITY, (double)NAN);
    }
}

static double followed(double usual, double told)
{
    return is_known(usual) ? usual + (told - usual) / USUAL : told;
}

/* A fix is bad by its own word against what is usual here. */
static void note_quality(gnss_t *self, const gnss_fix_t *fix)
{
    const bool is_few = fix->sats < SATS_MOST && fix->sats < self->sats / 2.0;
    const bool is_wide = fix->hdop >= HDOP_LEAST && fix->hdop > self->hdop * 3.0;
    const bool is_faint = fix->cn0_dbhz <= self->cn0_dbhz - CN0_DROP_DB;

    if (is_few || is_wide || is_faint) {
        self->collapsed++;
        return;
    }
    self->collapsed = 0;
    if (is_known(fix->sats)) {
        self->sats = followed(self->sats, fix->sats);
    }
    if (is_known(fix->hdop)) {
        self->hdop = followed(self->hdop, fix->hdop);
    }
    if (is_known(fix->cn0_dbhz)) {
        self->cn0_dbhz = followed(self->cn0_dbhz, fix->cn0_dbhz);
    }
}

/* The way since the fix is known: the car's speed tells nearly all of the time. */
static bool has_way(const gnss_t *self, int64_t gone_us)
{
    return gone_us >= JUMP_LEAST_US && self->covered_us >= gone_us - gone_us / 10;
}

/* After a loss: a place that nobody can have driven to, told by fixes that agree. True while it is being looked at. */
static bool is_far(gnss_t *self, const tbox_gnss_rule_t *rule, const world_t *world, const gnss_fix_t *fix)
{
    const double far_m = angle_way_m(self->lat_deg, self->lon_deg, fix->lat_deg, fix->lon_deg);

    if (self->fixes < FIXES_LEAST || !has_way(self, fix->t_us - self->fix_us) || !(far_m > self->way_m + rule->jump_m)) {
        return false;
    }
    if (self->far > 0 && angle_way_m(self->far_lat_deg, self->far_lon_deg, fix->lat_deg, fix->lon_deg) > AGREE_M) {
        self->far = 0;
    }
    self->far_lat_deg = fix->lat_deg;
    self->far_lon_deg = fix->lon_deg;
    self->far++;
    if (self->far < AGREE_FIXES) {
        return true;
    }
    if (rule->jamming_enabled && !self->is_jam_told) {
        tell(self, world, TBOX_GNSS_JAMMING, TBOX_RULE_JUMP, far_m);
    }
    return false;
}

void gnss_fix(gnss_t *self, const tbox_gnss_rule_t *rule, const world_t *world, const gnss_fix_t *fix)
{
    if (is_far(self, rule, world, fix)) {
        return;
    }
    note_quality(self, fix);
    self->fixes++;
    self->fix_us = fix->t_us;
    self->lat_deg = fix->lat_deg;
    self->lon_deg = fix->lon_deg;
    self->moved_us = 0;
    self->covered_us = 0;
    self->way_m = 0.0;
    self->far = 0;
    self->is_told = false;
    self->is_jam_told = false;
}
