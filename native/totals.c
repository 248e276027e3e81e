/* Totals that only grow. */
#include "totals.h"

#include "signal.h"

#include <math.h>

/* The part of a stretch of linear speed that lies over a level. */
typedef struct {
    double us;
    double metres;
} part_t;

static part_t part_over(speed_point_t from, speed_point_t to, double level_mps)
{
    const double whole_us = (double)(to.t_us - from.t_us);
    const double low_mps = from.mps < to.mps ? from.mps : to.mps;
    const double high_mps = from.mps < to.mps ? to.mps : from.mps;

    if (!(high_mps > level_mps)) {
        return (part_t){0.0, 0.0};
    }
    if (low_mps > level_mps) {
        return (part_t){whole_us, (low_mps + high_mps) / 2.0 * whole_us * 1e-6};
    }
    const double us = whole_us * (high_mps - level_mps) / (high_mps - low_mps);

    return (part_t){us, (level_mps + high_mps) / 2.0 * us * 1e-6};
}

static int64_t rounded(double us)
{
    return (int64_t)(us + 0.5);
}

void totals_init(totals_t *self)
{
    *self = (totals_t){.motion_last_us = NEVER, .max_speed_mps = (double)NAN};
}

void totals_start(totals_t *self, speed_point_t to)
{
    if (!(self->max_speed_mps >= to.mps)) {
        self->max_speed_mps = to.mps;
    }
    if (to.mps >= MOVING_MPS) {
        self->motion_last_us = to.t_us;
    }
}

void totals_step(totals_t *self, speed_point_t from, speed_point_t to, const conditions_t *conditions)
{
    const int64_t whole_us = to.t_us - from.t_us;
    const part_t moving = part_over(from, to, MOVING_MPS - 1e-9);

    self->distance_m += (from.mps + to.mps) / 2.0 * in_seconds(whole_us);
    self->moving_us += rounded(moving.us);
    if (conditions->engine_runs) {
        self->idle_us += whole_us - rounded(moving.us);
    }
    if (conditions->is_judged) {
        self->judged_us += rounded(moving.us);
    }
    if (is_known(conditions->limit_mps)) {
        const part_t over = part_over(from, to, conditions->limit_mps);

        self->limit_known_us += whole_us;
        self->over_limit_us += rounded(over.us);
        self->over_limit_m += over.metres;
    }
    if (moving.us > 0.0 && from.mps > to.mps) {
        self->motion_last_us = from.t_us + rounded(moving.us);
    }
    totals_start(self, to);
}
