/* The slope of the road. */
#include "grade.h"

#include "signal.h"

#include <math.h>

#define WINDOW_US 950000
#define WINDOW_MOST_US 2600000
#define FOLLOW_S 10.0
#define HARD_MPS2 2.5
#define MOST_MPS2 1.7 /* 10 degrees: no road is steeper for long */

void grade_restart(grade_t *self)
{
    self->has_anchor = false;
}

void grade_feel(grade_t *self, double forward_mps2)
{
    self->force_mps2 += forward_mps2;
    self->samples++;
}

static void follow(grade_t *self, double span_s, double change_mps)
{
    const double felt_mps2 = self->force_mps2 / (double)self->samples;
    const double rest_mps2 = felt_mps2 - change_mps / span_s;

    if (fabs(felt_mps2 - self->mps2) > HARD_MPS2 || fabs(change_mps) > HARD_MPS2 * span_s || fabs(rest_mps2) > HARD_MPS2) {
        return;
    }
    self->mps2 += span_s / (FOLLOW_S + span_s) * (rest_mps2 - self->mps2);
    self->mps2 = self->mps2 > MOST_MPS2 ? MOST_MPS2 : self->mps2 < -MOST_MPS2 ? -MOST_MPS2 : self->mps2;
}

void grade_step(grade_t *self, const speed_point_t *point, bool is_good)
{
    const int64_t span_us = point->t_us - self->anchor.t_us;

    if (self->has_anchor && span_us < WINDOW_US) {
        return;
    }
    if (self->has_anchor && is_good && span_us <= WINDOW_MOST_US && self->samples > 0) {
        follow(self, in_seconds(span_us), point->mps - self->anchor.mps);
    }
    self->anchor = *point;
    self->has_anchor = true;
    self->force_mps2 = 0.0;
    self->samples = 0;
}
