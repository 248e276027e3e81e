/* A speed signal as it really is: refresh, quantum, fresh points. */
#include "speed.h"

#include "signal.h"

#include <math.h>

#define SPACING_US 45000        /* points closer than this add nothing to a fit */
#define REFRESH_UNKNOWN_US 1000000
#define HOLE_US 5000000
#define TELLING_US 2500000      /* a longer pause between changes says nothing about the refresh */
#define QUANTUM_MOST_MPS 0.5    /* coarser than 1 mph has not been seen */
#define IMPOSSIBLE_MPS2 12.0    /* no road car, on any tyre */
#define SHORTEST_US 100000      /* over less, noise alone is a slope */
#define FROZEN_MPS2 10.0        /* not out of a value that stood still for several refreshes either */
#define SLOWEST_US 15000000     /* a signal that comes more rarely is only full of holes */
#define BEFORE_US 1000000       /* so long before the first point it is taken as that */
#define NOISE_POINTS 32.0
#define NOISE_MOST_MPS 0.12       /* more is the edge of a brake */
#define NOISE_APART_US 240000   /* an interpolated staircase is smooth from point to point */
#define CHANGES_KNOWN 3
#define SLOW_ROWS_US 800000     /* rows this far apart are refreshes themselves */

static int64_t max_us(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void learn_refresh(speed_t *self)
{
    const int64_t rows_us = intervals_quantile(&self->rows, 60);

    if (self->changes.count >= CHANGES_KNOWN) {
        self->refresh_us = max_us(rows_us, intervals_quantile(&self->changes, 25));
    } else {
        self->refresh_us = max_us(rows_us, REFRESH_UNKNOWN_US);
    }
}

/* An interval between changes is telling when it is the shortest so far, or when the jump was so big that a faster
 * refresh would have shown something in between. */
static void learn_change(speed_t *self, int64_t after_us, double jump_mps)
{
    const int64_t shortest_us = intervals_quantile(&self->changes, 25);
    const bool is_telling =
        self->changes.count < CHANGES_KNOWN || after_us * 10 < shortest_us * 11 || jump_mps > 1.5 * self->quantum_mps;

    if (jump_mps < self->quantum_mps) {
        self->quantum_mps = jump_mps;
    }
    if (is_telling && after_us < max_us(TELLING_US, 2 * intervals_quantile(&self->rows, 60))) {
        intervals_add(&self->changes, after_us);
    }
    learn_refresh(self);
}

static void add_point(speed_t *self, int64_t t_us, double mps)
{
    self->points[self->next] = (speed_point_t){.t_us = t_us, .mps = mps};
    self->next = (self->next + 1) % SPEED_POINTS;
    if (self->count < SPEED_POINTS) {
        self->count++;
    }
}

/* The newest point at least so long before a time; NULL: there is none. */
static const speed_point_t *point_before(const speed_t *self, int64_t t_us, int64_t apart_us)
{
    uint32_t i = 0;

    while (i < self->count && speed_point(self, i)->t_us > t_us - apart_us) {
        i++;
    }
    return i < self->count ? speed_point(self, i) : NULL;
}

/* How far a point lies off the line through one before and one after it. */
static void learn_noise(speed_t *self)
{
    const speed_point_t *const c = speed_point(self, 0);
    const speed_point_t *const b = point_before(self, c->t_us, NOISE_APART_US);
    const speed_point_t *const a = b == NULL ? NULL : point_before(self, b->t_us, NOISE_APART_US);

    if (a == NULL || (fabs(c->mps - b->mps) < 1e-9 && fabs(b->mps - a->mps) < 1e-9)) {
        return;
    }
    const double share = (double)(b->t_us - a->t_us) / (double)(c->t_us - a->t_us);
    const double off_mps = fabs(b->mps - a->mps - share * (c->mps - a->mps));

    self->noise_mps += ((off_mps < NOISE_MOST_MPS ? off_mps : NOISE_MOST_MPS) - self->noise_mps) / NOISE_POINTS;
}

static void drop_newest(speed_t *self)
{
    self->next = (self->next + SPEED_POINTS - 1) % SPEED_POINTS;
    self->count--;
}

static speed_row_t restart(speed_t *self, int64_t t_us, double mps)
{
    self->count = 0;
    self->holds = 0;
    self->has_slope = false;
    self->changed_us = t_us;
    self->row = (speed_point_t){.t_us = t_us, .mps = mps};
    self->row_before = self->row;
    add_point(self, t_us, mps);
    return SPEED_RESTART;
}

/* Out of a value that stood still for several refreshes the whole jump is one refresh's. */
static bool is_impossible(const speed_t *self, int64_t after_us, double jump_mps)
{
    const int64_t refresh_us = max_us(self->refresh_us * 3 / 4, SHORTEST_US);
    const double slack_mps2 = self->quantum_mps / in_seconds(refresh_us);

    if (self->holds >= 3 && jump_mps > FROZEN_MPS2 * in_seconds(max_us(self->refresh_us, SHORTEST_US)) + self->quantum_mps) {
        return true;
    }
    return jump_mps / in_seconds(max_us(after_us, refresh_us)) > IMPOSSIBLE_MPS2 + slack_mps2;
}

static speed_row_t take_change(speed_t *self, uint64_t *values, int64_t t_us, double mps)
{
    const double jump_mps = fabs(mps - self->row_before.mps);
    const speed_point_t *newest;

    learn_change(self, t_us - self->changed_us, jump_mps);
    self->changed_us = t_us;
    newest = speed_point(self, 0);
    if (self->holds > 0 && t_us - newest->t_us < self->refresh_us * 3 / 4) {
        drop_newest(self); /* it was no refresh: the value has stood since the point before */
        newest = speed_point(self, 0);
    }
    if (is_impossible(self, t_us - newest->t_us, jump_mps)) {
        const speed_point_t before = self->row_before;

        values[TBOX_VALUE_IMPOSSIBLE]++;
        (void)restart(self, t_us, mps);
        self->row_before = before; /* its way counts all the same */
        return SPEED_CHANGE;
    }
    self->holds = 0;
    if (t_us - newest->t_us >= SPACING_US) {
        add_point(self, t_us, mps);
        learn_noise(self);
        self->has_slope = speed_fit(self, &self->slope);
    }
    return SPEED_CHANGE;
}

/* After so long an unchanged value is a refresh: where rows come faster than refreshes, not before the next could show. */
static int64_t hold_after_us(const speed_t *self)
{
    const int64_t rows_us = intervals_quantile(&self->rows, 60);

    return self->refresh_us * 2 > rows_us * 3 ? self->refresh_us + rows_us * 3 / 4 : self->refresh_us * 3 / 4;
}

static speed_row_t take_repeat(speed_t *self, int64_t t_us, double mps)
{
    const speed_point_t *const newest = speed_point(self, 0);

    if (t_us - newest->t_us < max_us(hold_after_us(self), SPACING_US)) {
        return SPEED_REPEAT;
    }
    self->holds++;
    add_point(self, t_us, mps);
    self->has_slope = speed_fit(self, &self->slope);
    return SPEED_HOLD;
}

void speed_init(speed_t *self)
{
    *self = (speed_t){
        .seen_us = NEVER, .quantum_mps = QUANTUM_MOST_MPS, .refresh_us = REFRESH_UNKNOWN_US};
}

speed_row_t speed_take(speed_t *self, uint64_t *values, int64_t t_us, double mps)
{
    const int64_t hole_us = speed_hole_us(self);

    if (self->seen_us == NEVER) {
        self->seen_us = t_us;
        return restart(self, t_us, mps);
    }
    if (t_us - self->seen_us <= SLOWEST_US) {
        intervals_add(&self->rows, t_us - self->seen_us);
    }
    self->seen_us = t_us;
    if (t_us - self->row.t_us > hole_us) {
        learn_refresh(self);
        return restart(self, t_us, mps);
    }
    if ((t_us - self->row.t_us) * 4 < intervals_quantile(&self->rows, 60) || t_us == self->row.t_us) {
        values[TBOX_VALUE_TWIN]++;
        return SPEED_TWIN;
    }
    learn_refresh(self);
    self->row_before = self->row;
    self->row = (speed_point_t){.t_us = t_us, .mps = mps};
    if (fabs(mps - self->row_before.mps) > 1e-9) {
        return take_change(self, values, t_us, mps);
    }
    return take_repeat(self, t_us, mps);
}

int64_t speed_hole_us(const speed_t *self)
{
    return max_us(HOLE_US, 4 * self->refresh_us);
}

bool speed_is_learnt(const speed_t *self)
{
    return self->changes.count >= CHANGES_KNOWN
           || (self->rows.count >= CHANGES_KNOWN && intervals_quantile(&self->rows, 60) >= SLOW_ROWS_US);
}

bool speed_is_live(const speed_t *self, int64_t now_us)
{
    return self->count > 0 && now_us - self->row.t_us <= max_us(2000000, 2 * self->refresh_us);
}

double speed_at(const speed_t *self, int64_t t_us)
{
    const speed_point_t *after = &self->row;

    if (self->count == 0 || t_us >= after->t_us) {
        return speed_is_live(self, t_us) ? self->row.mps : (double)NAN;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        const speed_point_t *const before = speed_point(self, i);

        if (before->t_us <= t_us) {
            const double share = (double)(t_us - before->t_us) / (double)(after->t_us - before->t_us);

            return before->mps + share * (after->mps - before->mps);
        }
        after = before;
    }
    return after->t_us - t_us <= BEFORE_US ? after->mps : (double)NAN;
}
