/* A blow, measured. */
#include "pulse.h"

#include "vector.h"

#include <string.h>

#define SPACING_US 1240
#define GAP_US 100000       /* samples further apart are not one motion */
#define LONG_US 250000
#define EARLY_US 150000
#define LATE_US 50000       /* after which missing samples are not waited for */
#define ZERO_US 20000
#define ZERO_MPS (0.8 / 3.6)
#define BACK_US 150000      /* time zero is not sought further back */
#define WEIGHTLESS_MPS2 (0.35 * GRAVITY_MPS2)
#define FALL_US 60000
#define CLIP_LEAST_MPS2 (1.9 * GRAVITY_MPS2)
#define NEAR_RANGE 0.01
#define AT_RANGE 0.0001     /* 32767 / 32768 of it too */

void pulse_init(pulse_t *self)
{
    *self = (pulse_t){.now = {.t_us = NEVER}, .fall_us = NEVER, .weightless_us = NEVER};
}

static const pulse_point_t *point_at(const pulse_t *self, uint32_t i)
{
    return &self->points[(self->next + PULSE_POINTS - 1 - i) % PULSE_POINTS];
}

static void integrate(pulse_t *self, const imu_sample_t *sample)
{
    const double step_s = in_seconds(sample->t_us - self->now.t_us);

    for (uint32_t i = 0; i < 3; i++) {
        self->now.mps[i] += (self->force[i] + sample->force[i]) / 2.0 * step_s;
    }
    self->now.t_us = sample->t_us;
    if (self->now.t_us - point_at(self, 0)->t_us >= SPACING_US) {
        self->points[self->next] = self->now;
        self->next = (self->next + 1) % PULSE_POINTS;
        self->count += self->count < PULSE_POINTS ? 1 : 0;
    }
}

static void start_over(pulse_t *self, const imu_sample_t *sample)
{
    self->now = (pulse_point_t){.t_us = sample->t_us};
    self->points[0] = self->now;
    self->next = 1;
    self->count = 1;
    self->over = 0;
    self->weightless_us = NEVER;
    memset(self->repeats, 0, sizeof self->repeats);
}

/* The size of the horizontal change between two moments. */
static double change_between(const pulse_t *self, const double from[3], const double to[3], double out[3])
{
    double change[3];

    for (uint32_t i = 0; i < 3; i++) {
        change[i] = to[i] - from[i];
    }
    across(change, self->up, out);
    return length(out);
}

/* Backwards from now: as long as the 20 ms that follow a point change more than 0.8 km/h, the blow had begun. */
static void seek_zero(pulse_t *self)
{
    uint32_t later = 0;
    uint32_t zero = 0;
    double out[3];

    for (uint32_t i = 0; i < self->count; i++) {
        const pulse_point_t *const point = point_at(self, i);

        if (self->over_us - point->t_us > BACK_US) {
            break;
        }
        while (later < i && point_at(self, later + 1)->t_us >= point->t_us + ZERO_US) {
            later++;
        }
        if (point->t_us < self->over_us
            && change_between(self, point->mps, point_at(self, later)->mps, out) <= ZERO_MPS) {
            break;
        }
        zero = i;
    }
    self->zero_us = point_at(self, zero)->t_us;
    memcpy(self->zero_mps, point_at(self, zero)->mps, sizeof self->zero_mps);
}

/* What had changed by the points kept since time zero: a weak beginning may have taken most of the 150 ms. */
static double early_change(const pulse_t *self)
{
    double most_mps = 0.0;
    double out[3];

    for (uint32_t i = 0; i < self->count && point_at(self, i)->t_us > self->zero_us; i++) {
        const double size = change_between(self, self->zero_mps, point_at(self, i)->mps, out);

        if (point_at(self, i)->t_us - self->zero_us <= EARLY_US && size > most_mps) {
            most_mps = size;
        }
    }
    return most_mps;
}

static void begin(pulse_t *self, const double up[3])
{
    memcpy(self->up, up, sizeof self->up);
    seek_zero(self);
    self->is_measuring = true;
    self->start_us = self->over_us;
    self->end_us = self->over_last_us;
    self->most_mps = 0.0;
    self->early_mps = early_change(self);
    self->most_us = self->zero_us;
    self->clipped_mps2 = 0.0;
    self->extreme_mps2 = 0.0;
}

/* Where an axis repeats an extreme value bit by bit it is at the end of its range; 0: no axis does. */
static double clipping(pulse_t *self, const imu_sample_t *sample)
{
    double clipped_mps2 = 0.0;

    for (uint32_t i = 0; i < 3; i++) {
        const double size = fabs(sample->force[i]);
        const bool repeats = size >= CLIP_LEAST_MPS2 && fabs(sample->force[i] - self->force[i]) < 1e-9;

        self->repeats[i] = repeats ? self->repeats[i] + 1 : 0;
        if (repeats && size > clipped_mps2 && self->repeats[i] >= (imu_is_range(size, NEAR_RANGE) ? 1U : 2U)) {
            clipped_mps2 = size;
        }
    }
    return clipped_mps2;
}

static void measure(pulse_t *self, const imu_sample_t *sample, double clipped_mps2)
{
    double change[3];
    const double size = change_between(self, self->zero_mps, self->now.mps, change);
    const int64_t after_us = sample->t_us - self->zero_us;

    if (after_us > LONG_US) {
        return;
    }
    if (size > self->most_mps) {
        self->most_mps = size;
        self->most_us = sample->t_us;
        memcpy(self->change_mps, change, sizeof change);
    }
    if (after_us <= EARLY_US && size > self->early_mps) {
        self->early_mps = size;
    }
    if (clipped_mps2 > self->clipped_mps2) {
        self->clipped_mps2 = clipped_mps2;
    }
    for (uint32_t i = 0; i < 3; i++) {
        self->extreme_mps2 = fabs(sample->force[i]) > self->extreme_mps2 ? fabs(sample->force[i]) : self->extreme_mps2;
    }
}

static void watch_weight(pulse_t *self, const imu_sample_t *sample)
{
    if (length(sample->force) >= WEIGHTLESS_MPS2) {
        self->weightless_us = NEVER;
        return;
    }
    if (self->weightless_us == NEVER) {
        self->weightless_us = sample->t_us;
    }
    if (sample->t_us - self->weightless_us >= FALL_US) {
        self->fall_us = sample->t_us;
    }
}

/* The vertical peak counts from 100 ms before: a pothole's blow from below may come first. */
static void follow_peaks(pulse_t *self, int64_t t_us, double horizontal_mps2, double vertical_mps2)
{
    const bool is_blow = self->is_measuring || self->over > 0;

    if (horizontal_mps2 > self->peak_mps2 || !is_blow) {
        self->peak_mps2 = horizontal_mps2;
    }
    if (vertical_mps2 > self->vertical_mps2 || (!is_blow && t_us - self->vertical_us > GAP_US)) {
        self->vertical_mps2 = vertical_mps2;
        self->vertical_us = t_us;
    }
}

static pulse_news_t follow_run(pulse_t *self, int64_t t_us, bool is_over, int64_t hold_us)
{
    if (!is_over) {
        const bool was_short = self->over > 0 && !self->is_measuring;

        self->over = 0;
        return was_short ? PULSE_SHORT : PULSE_NOTHING;
    }
    if (self->over == 0) {
        self->over_us = t_us;
    }
    self->over++;
    self->over_last_us = t_us;
    return self->over >= 2 && t_us - self->over_us >= hold_us ? PULSE_BEGINS : PULSE_NOTHING;
}

static pulse_news_t end_after(pulse_t *self, int64_t now_us, int64_t wait_us)
{
    if (!self->is_measuring || now_us - self->zero_us < wait_us) {
        return PULSE_NOTHING;
    }
    self->is_measuring = false;
    self->over = 0;
    if (self->clipped_mps2 <= 0.0 && imu_is_range(self->extreme_mps2, AT_RANGE)) {
        self->clipped_mps2 = self->extreme_mps2; /* one sample was cut */
    }
    return PULSE_ENDS;
}

pulse_news_t pulse_take(pulse_t *self, const imu_sample_t *sample, const double up[3], double threshold_mps2,
                        int64_t hold_us)
{
    double flat[3];
    pulse_news_t news;

    if (self->now.t_us == NEVER || sample->t_us - self->now.t_us > GAP_US) {
        start_over(self, sample);
    } else {
        integrate(self, sample);
    }
    const double *const axis = self->is_measuring ? self->up : up;

    across(sample->force, axis, flat);
    const double clipped_mps2 = clipping(self, sample);
    const double horizontal_mps2 = length(flat);
    const bool is_over = horizontal_mps2 >= threshold_mps2 || (clipped_mps2 > 0.0 && horizontal_mps2 >= 0.99 * threshold_mps2);

    memcpy(self->force, sample->force, sizeof self->force);
    watch_weight(self, sample);
    follow_peaks(self, sample->t_us, horizontal_mps2, fabs(dot(sample->force, axis) - GRAVITY_MPS2));
    news = follow_run(self, sample->t_us, is_over, hold_us);
    if (self->is_measuring) {
        self->end_us = is_over && sample->t_us - self->zero_us <= LONG_US ? sample->t_us : self->end_us;
        measure(self, sample, clipped_mps2);
        return end_after(self, sample->t_us, LONG_US);
    }
    if (news == PULSE_BEGINS) {
        begin(self, up);
        measure(self, sample, clipped_mps2);
    }
    return news;
}

pulse_news_t pulse_wait(pulse_t *self, int64_t now_us)
{
    return end_after(self, now_us, LONG_US + LATE_US);
}
