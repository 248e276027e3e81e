/* Which way the box is mounted. */
#include "mounting.h"

#include "signal.h"
#include "vector.h"

#include <string.h>

#define WINDOW_US 950000
#define WINDOW_MOST_US 2600000
#define MEMORY_WINDOWS 900.0
#define STAND_S 10.0          /* of one stand no more is learnt: it may stand on a slope */
#define STANDING_MPS 0.3
#define WINDOWS_LEAST 20.0
#define SPREAD_LEAST 8.0      /* (m/s2)2 s: some lively starts and stops */
#define ERROR_MOST 0.085      /* standard error of forward: 5 degrees */
#define MATERIAL 0.9994       /* cosine of 2 degrees */
#define TURNED 0.9            /* cosine of 25 degrees: somebody moved the box */
#define TURNED_WINDOWS 5
#define TELL_US 60000000

void mounting_init(mounting_t *self, const tbox_setup_t *setup)
{
    static const double same[9] = {1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0};

    *self = (mounting_t){.told_us = NEVER, .is_solved = setup->mounted || setup->has_rotation};
    if (self->is_solved) {
        memcpy(self->told.rotation, setup->mounted ? same : setup->rotation, sizeof self->told.rotation);
        memcpy(self->told.gravity, &self->told.rotation[6], sizeof self->told.gravity);
        self->told.quality = 1.0;
    }
}

void mounting_restart(mounting_t *self)
{
    self->has_anchor = false;
}

void mounting_feel(mounting_t *self, const imu_sample_t *sample)
{
    for (uint32_t i = 0; i < 3; i++) {
        self->force[i] += sample->force[i];
    }
    self->samples++;
}

static void start_window(mounting_t *self, const speed_point_t *point)
{
    self->anchor = *point;
    self->has_anchor = true;
    self->samples = 0;
    memset(self->force, 0, sizeof self->force);
}

static void forget(mounting_t *self)
{
    memset(&self->sums, 0, sizeof self->sums);
    self->is_solved = false;
    self->turned = 0;
}

static void add_window(mounting_sums_t *sums, double a_mps2, const double force[3])
{
    const double keep = 1.0 - 1.0 / MEMORY_WINDOWS;

    sums->n = sums->n * keep + 1.0;
    sums->a = sums->a * keep + a_mps2;
    sums->aa = sums->aa * keep + a_mps2 * a_mps2;
    for (uint32_t i = 0; i < 3; i++) {
        sums->f[i] = sums->f[i] * keep + force[i];
        sums->fa[i] = sums->fa[i] * keep + force[i] * a_mps2;
        sums->ff[i] = sums->ff[i] * keep + force[i] * force[i];
    }
}

/* Up, forward and the standard error of forward; false while there is too little to say. */
static bool solve(const mounting_sums_t *sums, double up[3], double forward[3], double *error)
{
    const double spread = sums->aa - sums->a * sums->a / sums->n;
    double slope[3];
    double rest = 0.0;

    if (sums->n < WINDOWS_LEAST || spread < SPREAD_LEAST) {
        return false;
    }
    for (uint32_t i = 0; i < 3; i++) {
        const double shared = sums->fa[i] - sums->f[i] * sums->a / sums->n;

        slope[i] = shared / spread;
        up[i] = (sums->f[i] - slope[i] * sums->a) / sums->n;
        rest += sums->ff[i] - sums->f[i] * sums->f[i] / sums->n - slope[i] * shared;
    }
    if (fabs(length(up) - GRAVITY_MPS2) > 0.3 * GRAVITY_MPS2) {
        return false;
    }
    scale(up, 1.0 / length(up), up);
    across(slope, up, forward);
    const double size = length(forward);

    if (size < 0.5 || size > 1.5) {
        return false;
    }
    scale(forward, 1.0 / size, forward);
    *error = sqrt((rest > 0.0 ? rest : 0.0) / (sums->n - 2.0) / spread) / size;
    return *error <= ERROR_MOST;
}

static bool is_material(const mounting_t *self, const double up[3], const double forward[3])
{
    return !self->is_solved || dot(up, self->told.gravity) < MATERIAL || dot(forward, self->told.rotation) < MATERIAL;
}

static bool tell(mounting_t *self, int64_t t_us)
{
    double up[3], forward[3], left[3];
    double error = 0.0;

    if (!solve(&self->sums, up, forward, &error) || !is_material(self, up, forward)) {
        return false;
    }
    if (self->is_solved && !is_older(self->told_us, t_us, TELL_US)) {
        return false;
    }
    cross(up, forward, left);
    memcpy(&self->told.rotation[0], forward, sizeof forward);
    memcpy(&self->told.rotation[3], left, sizeof left);
    memcpy(&self->told.rotation[6], up, sizeof up);
    memcpy(self->told.gravity, up, sizeof up);
    self->told.quality = 1.0 - 4.0 * error;
    self->told_us = t_us;
    self->is_solved = true;
    return true;
}

/* At a stand force is gravity: when it lies elsewhere for several windows the box was moved, and all is to learn anew. */
static void watch_stand(mounting_t *self, const double force[3], bool is_standing)
{
    if (!is_standing || !self->is_solved || dot(force, self->told.gravity) >= TURNED * length(force)) {
        self->turned = 0;
        return;
    }
    self->turned++;
    if (self->turned >= TURNED_WINDOWS) {
        forget(self);
    }
}

bool mounting_step(mounting_t *self, const speed_point_t *point)
{
    const int64_t span_us = point->t_us - self->anchor.t_us;

    if (!self->has_anchor || span_us > WINDOW_MOST_US) {
        start_window(self, point);
        return false;
    }
    if (span_us < WINDOW_US) {
        return false;
    }
    const double span_s = in_seconds(span_us);
    const double a_mps2 = (point->mps - self->anchor.mps) / span_s;
    const bool is_standing = point->mps < STANDING_MPS && self->anchor.mps < STANDING_MPS;
    const uint32_t samples = self->samples;
    double force[3];

    scale(self->force, 1.0 / (double)(samples > 0 ? samples : 1), force);
    start_window(self, point);
    if (samples == 0 || fabs(length(force) - GRAVITY_MPS2) > 4.0 || fabs(a_mps2) > 7.0) {
        return false;
    }
    self->stand_s = is_standing ? self->stand_s + span_s : 0.0;
    watch_stand(self, force, is_standing);
    if (self->stand_s > STAND_S) {
        return false;
    }
    add_window(&self->sums, a_mps2, force);
    return tell(self, point->t_us);
}

void mounting_turn(const mounting_t *self, const double sensor[3], double vehicle[3])
{
    for (uint32_t i = 0; i < 3; i++) {
        vehicle[i] = dot(&self->told.rotation[3 * i], sensor);
    }
}

void mounting_up(const mounting_t *self, double up[3])
{
    memcpy(up, self->told.gravity, sizeof self->told.gravity);
}
