/* The IMU as it really is. */
#include "imu.h"

#include "signal.h"

#include <math.h>
#include <string.h>

#define BLOCK_US 25000
#define WINDOW_US 250000
#define FAST_US 150000  /* slower than this every sample stands for itself */
#define LIVE_US 1000000
#define UP_MEMORY_S 10.0
#define AT_RANGE 0.0001  /* 32767 / 32768 of it too */
#define PAUSE_US 500000 /* a fast sensor that was silent for so long starts anew */

void imu_init(imu_t *self)
{
    *self = (imu_t){.t_us = NEVER, .size_mps2 = (double)NAN};
}

bool imu_is_range(double mps2, double share)
{
    static const double ranges_g[] = {2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 50.0, 100.0, 200.0, 400.0};

    for (uint32_t i = 0; i < sizeof ranges_g / sizeof ranges_g[0]; i++) {
        if (fabs(mps2 - ranges_g[i] * GRAVITY_MPS2) < share * ranges_g[i] * GRAVITY_MPS2) {
            return true;
        }
    }
    return false;
}

bool imu_accepts(const imu_t *self, uint64_t *values, const imu_sample_t *sample)
{
    const double *const f = sample->force;

    if (!is_known(f[0]) || !is_known(f[1])) {
        values[TBOX_VALUE_INVALID]++;
        return false;
    }
    if (self->t_us != NEVER && sample->t_us <= self->t_us) {
        values[sample->t_us < self->t_us ? TBOX_VALUE_LATE : TBOX_VALUE_TWIN]++;
        return false;
    }
    if (fabs(f[0] - f[1]) < 1e-12 && fabs(f[0] - f[2]) < 1e-12 && !imu_is_range(fabs(f[0]), AT_RANGE)) {
        values[TBOX_VALUE_NONSENSE]++;
        return false;
    }
    return true;
}

static double size_of(const double force[3])
{
    return sqrt(force[0] * force[0] + force[1] * force[1] + force[2] * force[2]);
}

/* The slow means: where up is, and how big 1 g is here. Blows do not count. */
static void follow_up(imu_t *self, const imu_sample_t *sample, int64_t step_us)
{
    const double step_s = in_seconds(step_us < 1000000 ? step_us : 1000000);
    const double size = size_of(sample->force);

    self->up_s = self->up_s + step_s < UP_MEMORY_S ? self->up_s + step_s : UP_MEMORY_S;
    const double share = self->up_s > step_s ? step_s / self->up_s : 1.0;

    if (self->up_s >= 1.0 && size > 3.0 * GRAVITY_MPS2) {
        return;
    }
    self->size_mps2 = is_known(self->size_mps2) ? self->size_mps2 + share * (size - self->size_mps2) : size;
    for (uint32_t i = 0; i < 3; i++) {
        self->up[i] += share * (sample->force[i] - self->up[i]);
    }
}

/* Mean of the middle half of what the window's blocks say of one axis. */
static double middle_mean(const double *sorted, uint32_t count)
{
    const uint32_t skip = count / 3;
    double sum = 0.0;

    for (uint32_t i = skip; i < count - skip; i++) {
        sum += sorted[i];
    }
    return sum / (double)(count - 2 * skip);
}

static double axis_of(const imu_sample_t *block, uint32_t axis)
{
    return axis < 3 ? block->force[axis] : block->rate[axis - 3];
}

/* The window's means in order, anew: each is put where it belongs among those before it. False when a number is missing. */
static bool sort_means(imu_t *self, uint32_t axis, uint32_t count)
{
    double *const sorted = self->sorted[axis];
    uint32_t block = self->next;
    bool is_whole = true;

    for (uint32_t i = 0; i < count; i++) {
        block = block > 0 ? block - 1 : IMU_BLOCKS - 1;
        const double mean = axis_of(&self->blocks[block], axis);
        uint32_t at = i;

        for (; at > 0 && sorted[at - 1] > mean; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = mean;
        is_whole &= is_known(mean);
    }
    return is_whole;
}

/* The same where only one has gone and one has come. */
static void slide_means(double sorted[IMU_BLOCKS], double gone, double come)
{
    uint32_t at = 0;

    while (at + 1 < IMU_BLOCKS && sorted[at] < gone) {
        at++;
    }
    for (; at > 0 && sorted[at - 1] > come; at--) {
        sorted[at] = sorted[at - 1];
    }
    for (; at + 1 < IMU_BLOCKS && sorted[at + 1] < come; at++) {
        sorted[at] = sorted[at + 1];
    }
    sorted[at] = come;
}

static double estimate_axis(imu_t *self, uint32_t axis, uint32_t count, const imu_sample_t *gone)
{
    const double newest = axis_of(&self->blocks[(self->next + IMU_BLOCKS - 1) % IMU_BLOCKS], axis);

    self->missing[axis] = is_known(newest) ? 0 : self->missing[axis] + 1;
    if (self->missing[axis] >= count) {
        self->is_sorted[axis] = false;
        return (double)NAN;
    }
    if (count == IMU_BLOCKS && self->is_sorted[axis] && is_known(newest)) {
        slide_means(self->sorted[axis], axis_of(gone, axis), newest);
    } else {
        self->is_sorted[axis] = sort_means(self, axis, count) && count == IMU_BLOCKS;
    }
    return middle_mean(self->sorted[axis], count);
}

/* `gone` is the block that the newest stands in place of. */
static void estimate(imu_t *self, const imu_sample_t *gone)
{
    uint32_t block = (self->next + IMU_BLOCKS - 1) % IMU_BLOCKS;
    const int64_t newest_us = self->blocks[block].t_us;
    int64_t oldest_us = newest_us;
    uint32_t count = 0;

    for (; count < self->count && self->blocks[block].t_us > newest_us - WINDOW_US; count++) {
        oldest_us = self->blocks[block].t_us;
        block = block > 0 ? block - 1 : IMU_BLOCKS - 1;
    }
    self->calm.t_us = oldest_us + (newest_us - oldest_us) / 2;
    for (uint32_t axis = 0; axis < 3; axis++) {
        self->calm.force[axis] = estimate_axis(self, axis, count, gone);
        self->calm.rate[axis] = estimate_axis(self, axis + 3, count, gone);
    }
}

static void close_block(imu_t *self)
{
    imu_sample_t *const block = &self->blocks[self->next];
    const imu_sample_t gone = *block;
    const double n = (double)self->summed;

    block->t_us = self->block_us + (self->t_us - self->block_us) / 2;
    for (uint32_t i = 0; i < 3; i++) {
        block->force[i] = self->sum[i] / n;
        block->rate[i] = self->rates == self->summed ? self->sum[i + 3] / n : (double)NAN;
    }
    self->next = (self->next + 1) % IMU_BLOCKS;
    if (self->count < IMU_BLOCKS) {
        self->count++;
    }
    self->summed = 0;
    estimate(self, &gone);
}

static void add_to_block(imu_t *self, const imu_sample_t *sample)
{
    if (self->summed == 0) {
        self->block_us = sample->t_us;
        self->rates = 0;
        memset(self->sum, 0, sizeof self->sum);
    }
    for (uint32_t i = 0; i < 3; i++) {
        self->sum[i] += sample->force[i];
        self->sum[i + 3] += sample->rate[i];
    }
    self->rates += is_known(sample->rate[2]) ? 1 : 0;
    self->summed++;
    self->t_us = sample->t_us;
}

bool imu_take(imu_t *self, const imu_sample_t *sample)
{
    const int64_t step_us = self->t_us == NEVER ? 0 : sample->t_us - self->t_us;
    bool is_new = false;

    if (step_us > 0 && step_us < 5000000) {
        intervals_add(&self->steps, step_us);
        self->step_us = intervals_quantile(&self->steps, 50);
        follow_up(self, sample, step_us);
    }
    if (!imu_is_fast(self)) {
        self->calm = *sample;
        self->t_us = sample->t_us;
        self->count = 0;
        self->summed = 0;
        return true;
    }
    if (step_us > PAUSE_US) {
        self->count = 0;
        self->summed = 0;
    }
    if (self->summed > 0 && sample->t_us - self->block_us >= BLOCK_US - self->step_us / 2) {
        close_block(self);
        is_new = true;
    }
    add_to_block(self, sample);
    return is_new;
}

bool imu_is_fast(const imu_t *self)
{
    return self->step_us > 0 && self->step_us < FAST_US;
}

bool imu_is_live(const imu_t *self, int64_t now_us)
{
    const int64_t quiet_us = self->step_us * 5 / 2 > LIVE_US ? self->step_us * 5 / 2 : LIVE_US;

    return !is_older(self->t_us, now_us, quiet_us) && self->size_mps2 > 0.7 * GRAVITY_MPS2
           && self->size_mps2 < 1.3 * GRAVITY_MPS2;
}
