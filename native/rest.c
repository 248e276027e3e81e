/* How long it was driven without a rest. */
#include "rest.h"

#include "angle.h"
#include "signal.h"

#include <math.h>

#define SHORT_US 48000000     /* between two stands a hole no longer than that and the 12 s before holds no drive */
#define AWAKE_US 13000000     /* the core makes no seconds while nothing comes for longer */
#define PENDING_US 600000000  /* driven on for so long a hole stays unknown */
#define STILL_M 200.0         /* an odometer's step of 0.1 km, and a fix in town */
#define FAR_FIXES 3

void rest_init(rest_t *self, const tbox_fatigue_rule_t *rule, const tbox_rest_t *before)
{
    *self = (rest_t){
        .rest_least_us = rule->rest_us,
        .driving_most_us = rule->driving_us,
        .state = {.odometer_m = (double)NAN, .lat_deg = (double)NAN, .lon_deg = (double)NAN},
        .begun_us = NEVER,
        .until_us = NEVER,
    };
    if (!before->is_there) {
        return;
    }
    self->state = *before;
    self->state.rest_us = 0;
    if (before->gone_us < 0) {
        self->state.is_unsure = before->driven_us > 0;
        self->state.may_have_rested |= before->driven_us > 0 && before->rest_us > 0;
        return;
    }
    self->hole = (hole_t){
        .lasts_us = before->gone_us,
        .rest_before_us = before->rest_us,
        .rest_after_us = NEVER,
        .driven_before_us = before->driven_us,
        .has_stand = before->rest_us > 0,
        .is_open = true,
    };
}

/* After a rest the account begins anew. */
static void note_rest(rest_t *self)
{
    if (self->state.rest_us >= self->rest_least_us) {
        self->state.driven_us = 0;
        self->state.is_unsure = false;
        self->state.may_have_rested = false;
        self->hole.is_open = false;
    }
}

static void stand(rest_t *self, int64_t us)
{
    self->state.rest_us += us;
    note_rest(self);
}

/* Whether it would have been a rest, had it stood all through the hole. */
static bool may_be_rest(const rest_t *self)
{
    const hole_t *const hole = &self->hole;
    const int64_t after_us = hole->rest_after_us == NEVER ? self->state.rest_us : hole->rest_after_us;

    return hole->rest_before_us + hole->lasts_us + after_us >= self->rest_least_us;
}

static void move(rest_t *self, int64_t us)
{
    const int64_t over_before_us = self->state.driven_us - self->driving_most_us;

    if (self->hole.is_open && self->hole.rest_after_us == NEVER) {
        self->hole.rest_after_us = self->state.rest_us;
        self->hole.is_open = may_be_rest(self);
    }
    self->state.rest_us = 0;
    self->state.driven_us += us;
    if (!self->hole.is_open && over_before_us + us > 0) {
        self->fatigue_us += over_before_us > 0 ? us : over_before_us + us;
    }
}

/* It stood through the hole: with what it rested before and after it may be a rest. */
static void close_still(rest_t *self)
{
    const bool has_moved = self->hole.rest_after_us != NEVER;

    self->hole.is_open = false;
    if (!has_moved) {
        self->state.rest_us += self->hole.rest_before_us + self->hole.lasts_us;
        note_rest(self);
    } else {
        self->state.driven_us -= self->hole.driven_before_us;
        self->state.is_unsure = false;
        self->state.may_have_rested = false;
    }
}

static void close_unknown(rest_t *self)
{
    self->hole.is_open = false;
    if (may_be_rest(self) && self->state.driven_us > 0) {
        self->state.is_unsure = true;
        self->state.may_have_rested |= self->hole.has_stand;
    }
}

static void close_moved(rest_t *self)
{
    self->hole.is_open = false;
}

static void open_hole(rest_t *self, int64_t lasts_us, bool has_stand)
{
    if (self->hole.is_open) {
        close_unknown(self);
    }
    self->hole = (hole_t){
        .lasts_us = lasts_us,
        .rest_before_us = self->state.rest_us,
        .rest_after_us = NEVER,
        .driven_before_us = self->state.driven_us,
        .has_stand = has_stand,
        .is_open = true,
    };
    self->state.rest_us = 0;
}

void rest_drive(rest_t *self, const stretch_t *stretch)
{
    const int64_t from_us = self->until_us > stretch->from_us ? self->until_us : stretch->from_us;
    const int64_t whole_us = stretch->to_us - from_us;

    if (whole_us <= 0) {
        return;
    }
    const int64_t moved_us = stretch->is_off ? 0 : stretch->moved_us < whole_us ? stretch->moved_us : whole_us;

    self->until_us = stretch->to_us;
    self->is_standing = stretch->stands;
    self->is_silent = false;
    self->place_way_m += stretch->way_m;
    self->odometer_way_m += stretch->is_off ? 0.0 : stretch->way_m;
    if (moved_us == 0) {
        stand(self, whole_us);
        return;
    }
    if (!stretch->stands) {
        stand(self, whole_us - moved_us);
    }
    move(self, moved_us);
    if (stretch->stands) {
        stand(self, whole_us - moved_us);
    }
    if (self->hole.is_open && self->state.driven_us - self->hole.driven_before_us >= PENDING_US) {
        close_unknown(self);
    }
}

void rest_resume(rest_t *self, const stretch_t *stretch)
{
    const int64_t gone_us = self->until_us == NEVER ? 0 : stretch->to_us - self->until_us;

    if (self->until_us == NEVER && self->begun_us != NEVER) { /* the hole between two runs goes on to the first row */
        self->hole.lasts_us += stretch->to_us > self->begun_us ? stretch->to_us - self->begun_us : 0;
        self->hole.has_stand |= stretch->stands;
    }
    const bool is_short = self->is_standing && stretch->stands && gone_us <= SHORT_US;

    if (gone_us > 0 && (stretch->is_off || is_short)) {
        stand(self, gone_us);
    } else if (gone_us > 0) {
        open_hole(self, gone_us, self->is_standing || stretch->stands);
    }
    if (self->until_us == NEVER || gone_us > 0) {
        self->until_us = stretch->to_us;
    }
    self->is_standing = stretch->stands;
    self->is_silent = false;
}

tbox_rest_t rest_told(const rest_t *self)
{
    tbox_rest_t told = self->state;

    told.odometer_m += self->odometer_way_m;
    if (self->place_way_m > STILL_M) {
        told.lat_deg = (double)NAN;
        told.lon_deg = (double)NAN;
    }
    told.gone_us = 0;
    told.is_there = true;
    return told;
}

void rest_wait(rest_t *self, int64_t t_us, int64_t hole_us, bool is_off)
{
    const int64_t silent_us = self->until_us == NEVER ? 0 : t_us - self->until_us;

    if (self->begun_us == NEVER) {
        self->begun_us = t_us;
    }
    const bool is_awake = silent_us <= AWAKE_US;

    if (silent_us <= 0 || (!self->is_silent && silent_us <= hole_us)) {
        return;
    }
    if (is_off || (is_awake && self->is_standing)) {
        stand(self, silent_us);
        self->until_us = t_us;
        self->is_silent = true;
    }
}

void rest_odometer(rest_t *self, double odometer_m)
{
    const double way_m = odometer_m - self->state.odometer_m;

    if (self->hole.is_open && is_known(way_m)) {
        if (fabs(way_m - self->odometer_way_m) <= STILL_M) {
            close_still(self);
        } else {
            close_moved(self);
        }
    }
    self->state.odometer_m = odometer_m;
    self->odometer_way_m = 0.0;
}

void rest_place(rest_t *self, double lat_deg, double lon_deg)
{
    const double far_m = angle_way_m(self->state.lat_deg, self->state.lon_deg, lat_deg, lon_deg);

    if (self->hole.is_open && is_known(far_m)) {
        if (far_m <= self->place_way_m + STILL_M) {
            close_still(self);
        } else if (++self->hole.far_fixes >= FAR_FIXES) {
            close_moved(self);
        } else {
            return; /* a receiver's first fixes may lie anywhere */
        }
    }
    self->state.lat_deg = lat_deg;
    self->state.lon_deg = lon_deg;
    self->place_way_m = 0.0;
}
