/* What an input says, signal by signal: values, IMU samples, fixes; frames are in frame.c. */
#include "core.h"

#include <math.h>
#include <string.h>

#define CN0_BIT 6

static double at_least_zero(double mps)
{
    return mps < 0.0 ? 0.0 : mps;
}

static void take_force(tbox_core_t *self, const imu_sample_t *told)
{
    imu_sample_t sample = *told;

    if (!is_known(sample.force[2]) && self->setup.mounted) {
        sample.force[2] = GRAVITY_MPS2; /* a sensor of two axes on the vehicle's: up is not needed */
    }
    if (!is_known(sample.force[2])) {
        self->counters.values[TBOX_VALUE_INVALID]++;
        return;
    }
    if (imu_accepts(&self->imu, self->counters.values, &sample)) {
        judge_force(self, &sample);
    }
}

/* Forces that come as single values make a sample as soon as every axis that ever came has come again. An axis seen for the
 * first time, or again before the others, begins a new one: else y and z of the frame before would go with this one's x. */
static __attribute__((noinline)) void take_part(tbox_core_t *self, uint32_t signal, int64_t t_us, double value)
{
    const uint32_t axis = signal - TBOX_ACCEL_X;
    const uint8_t bit = (uint8_t)(1U << axis);
    parts_t *const parts = &self->parts;
    const bool is_first = !(parts->seen & bit);

    parts->number[axis] = value;
    parts->seen |= bit;
    if (axis < 3 && (is_first || (parts->fresh & bit))) {
        parts->fresh &= (uint8_t)~7U;
    }
    if (axis >= 3 || !is_first) {
        parts->fresh |= bit;
    }
    parts->t_us = t_us;
    if (axis >= 3 || (parts->fresh & 7) != (parts->seen & 7)) {
        return;
    }
    imu_sample_t sample = {.t_us = t_us};

    for (uint32_t i = 0; i < 3; i++) {
        sample.force[i] = parts->seen >> i & 1 ? parts->number[i] : (double)NAN;
        sample.rate[i] = parts->fresh >> (i + 3) & 1 ? parts->number[i + 3] : (double)NAN;
    }
    parts->fresh = 0;
    take_force(self, &sample);
}

void input_value(tbox_core_t *self, uint32_t signal, int64_t t_us, double value)
{
    if (!signals_take(&self->signals, self->counters.values, signal, t_us, value)) {
        return;
    }
    if (WATCHED_SIGNALS >> signal & 1) {
        watch_value(self, signal, t_us, value);
    }
    if (signal == TBOX_RPM || signal == TBOX_IGNITION) {
        self->engine_news = ENGINE_TOLD;
    } else if (signal == TBOX_SPEED) {
        judge_row(self, &self->car, speed_take(&self->car, self->counters.values, t_us, at_least_zero(value)));
    } else if (signal == TBOX_GNSS_SPEED) {
        judge_row(self, &self->gnss, speed_take(&self->gnss, self->counters.values, t_us, at_least_zero(value)));
    } else if (signal == TBOX_YAW_RATE) {
        motion_by_yaw(self, t_us, value);
    } else if (signal == TBOX_COURSE) {
        motion_by_course(self, t_us, value);
    } else if (signal >= TBOX_ACCEL_X && signal <= TBOX_GYRO_Z) {
        take_part(self, signal, t_us, value);
    }
}

static void take_imu(tbox_core_t *self, const tbox_input_t *input)
{
    imu_sample_t sample = {.t_us = input->t_us};
    bool is_good = true;

    for (uint32_t i = 0; i < IMU_AXES; i++) {
        const bool is_there = input->flags >> i & 1;
        const double number = is_there ? input->u.number[i] : (double)NAN;

        if (is_there) {
            is_good &= signals_take(&self->signals, self->counters.values, TBOX_ACCEL_X + i, input->t_us, number);
        }
        *(i < 3 ? &sample.force[i] : &sample.rate[i - 3]) = number;
    }
    if (is_good && (input->flags & 7) != 0) {
        take_force(self, &sample);
    }
}

/* A void fix says that the position is not known: what was known before is not true any more. Of a valid one comes first how
 * good it is (HDOP, satellites): what looks at a place asks for that. */
static void take_fix(tbox_core_t *self, const tbox_input_t *input)
{
    static const uint8_t order[] = {4, 5, 0, 1, 2, 3};

    if (input->length == 0) {
        self->signals.t_us[TBOX_LAT] = NEVER;
        self->signals.t_us[TBOX_LON] = NEVER;
        return;
    }
    self->watch.gnss.told_cn0_dbhz = input->flags >> CN0_BIT & 1 ? input->u.number[CN0_BIT] : (double)NAN;
    for (uint32_t i = 0; i < sizeof order; i++) {
        if (input->flags >> order[i] & 1) {
            input_value(self, TBOX_LAT + order[i], input->t_us, input->u.number[order[i]]);
        }
    }
}

void input_take(tbox_core_t *self, const tbox_input_t *input)
{
    switch (input->kind) {
    case TBOX_IN_VALUE:
        input_value(self, input->id, input->t_us, input->u.number[0]);
        break;
    case TBOX_IN_IMU:
        take_imu(self, input);
        break;
    case TBOX_IN_FIX:
        take_fix(self, input);
        break;
    default:
        break;
    }
}
