/* Acceleration on vehicle axes, from whatever tells it best, handed to the harsh rules.
 *
 * Along: the solved IMU; else the slope of the speed. Across: the solved IMU; else speed x yaw rate (a = v w, ISO 8855)
 * from the car's sensor or the gyro about gravity; else speed x change of the GNSS course. */
#include "core.h"
#include "vector.h"

#define IMU_SIGMA_MPS2 0.1
#define YAW_SIGMA_MPS2 0.3
#define COURSE_SIGMA_MPS2 0.8
#define FILTER_US 100000      /* what the calm estimate itself lasts of an event */
#define FAST_US 150000        /* refresh up to which the hold is counted in time */
#define YAW_CALM_S 0.12
#define YAW_LIVE_US 1000000
#define COURSE_STEP_US 950000
#define COURSE_MOST_US 2600000
#define COURSE_MOST_MPS2 12.0 /* a jump of the course, not a bend */
#define DEGREE 0.017453292519943295
#define BIAS_SHARE 0.02
#define STANDING_MPS 0.1

bool motion_imu_judges(const tbox_core_t *self, int64_t t_us)
{
    return self->mounting.is_solved && imu_is_live(&self->imu, t_us);
}

static int64_t hold_of(int64_t hold_us, int64_t step_us, int64_t own_us)
{
    if (hold_us == 0) {
        return 0;
    }
    if (step_us > FAST_US) {
        return own_us >= step_us ? 0 : step_us * 9 / 10; /* one full refresh */
    }
    return hold_us > own_us ? hold_us - own_us : 0;
}

static void judge_along(tbox_core_t *self, const world_t *world, reading_t *reading, int64_t own_us)
{
    reading->hold_us = hold_of(self->setup.braking.hold_us, reading->step_us, own_us);
    braking_step(&self->braking, world, reading);
    reading->hold_us = hold_of(self->setup.acceleration.hold_us, reading->step_us, own_us);
    acceleration_step(&self->acceleration, world, reading);
    self->forward = *reading;
}

static void judge_across(tbox_core_t *self, const world_t *world, reading_t *reading, int64_t own_us)
{
    reading->hold_us = hold_of(self->setup.cornering.hold_us, reading->step_us, own_us);
    cornering_step(&self->cornering, world, reading);
    self->left = *reading;
}

void motion_by_row(tbox_core_t *self, const world_t *world)
{
    const speed_t *const speed = world->speed;
    const slope_t *const slope = &speed->slope;

    if (!speed->has_slope || !speed_is_learnt(speed) || motion_imu_judges(self, speed->row.t_us)) {
        return;
    }
    reading_t reading = {
        .t_us = slope->t_us,
        .half_us = slope->half_us,
        .step_us = speed->refresh_us,
        .mps2 = slope->mps2,
        .sigma_mps2 = slope->sigma_mps2,
        .sources = speed == &self->gnss ? TBOX_BY_GNSS : TBOX_BY_SPEED,
    };

    if (reading.step_us > FAST_US) {
        reading.step_us = slope->span_us; /* the slope itself lasts a full refresh */
        judge_along(self, world, &reading, reading.step_us);
        return;
    }
    judge_along(self, world, &reading, slope->span_us / 2);
}

/* The rate of turn about up. Its zero drifts with temperature: it is learnt wherever the car stands. */
static double yaw_of(tbox_core_t *self, const speed_t *speed, const double up[3])
{
    const double yaw_radps = dot(self->imu.calm.rate, up);

    if (is_known(yaw_radps) && speed_is_live(speed, self->now_us) && speed->row.mps < STANDING_MPS) {
        self->lateral.gyro_bias_radps += BIAS_SHARE * (yaw_radps - self->lateral.gyro_bias_radps);
    }
    return yaw_radps - self->lateral.gyro_bias_radps;
}

static void judge_by_gyro(tbox_core_t *self, const world_t *world)
{
    const speed_t *const speed = world->speed;
    double up[3];

    if (self->imu.up_s < 2.0 || !imu_is_live(&self->imu, self->now_us)) {
        return;
    }
    scale(self->imu.up, 1.0 / length(self->imu.up), up);
    const double yaw_radps = yaw_of(self, speed, up);

    if (!is_known(yaw_radps) || !speed_is_live(speed, self->now_us)) {
        return;
    }
    reading_t reading = {
        .t_us = self->imu.calm.t_us,
        .step_us = imu_is_fast(&self->imu) ? 25000 : self->imu.step_us,
        .mps2 = speed->row.mps * yaw_radps,
        .sigma_mps2 = YAW_SIGMA_MPS2,
        .sources = TBOX_BY_IMU | (speed == &self->gnss ? TBOX_BY_GNSS : TBOX_BY_SPEED),
    };

    judge_across(self, world, &reading, FILTER_US);
}

/* A raw sample, for the slope of the road. */
void motion_feel(tbox_core_t *self, const imu_sample_t *sample)
{
    double vehicle[3];

    mounting_feel(&self->mounting, sample);
    if (self->mounting.is_solved && imu_is_fast(&self->imu)) {
        mounting_turn(&self->mounting, sample->force, vehicle);
        grade_feel(&self->grade, vehicle[0]);
    }
}

void motion_by_force(tbox_core_t *self, const world_t *world)
{
    const imu_sample_t *const calm = &self->imu.calm;
    const bool is_fast = imu_is_fast(&self->imu);
    double vehicle[3];

    if (self->crash.pulse.is_measuring) {
        return; /* a blow is no driving */
    }
    if (!motion_imu_judges(self, self->now_us)) {
        judge_by_gyro(self, world);
        return;
    }
    mounting_turn(&self->mounting, calm->force, vehicle);
    reading_t reading = {
        .t_us = calm->t_us,
        .step_us = is_fast ? 25000 : self->imu.step_us,
        .mps2 = vehicle[0] - self->grade.mps2,
        .sigma_mps2 = IMU_SIGMA_MPS2,
        .sources = TBOX_BY_IMU,
    };

    judge_along(self, world, &reading, FILTER_US);
    reading.mps2 = vehicle[1];
    judge_across(self, world, &reading, FILTER_US);
}

void motion_by_yaw(tbox_core_t *self, int64_t t_us, double yaw_radps)
{
    lateral_t *const lateral = &self->lateral;
    const speed_t *const speed = moment_speed(self, t_us);
    const bool is_first = is_older(lateral->yaw_us, t_us, YAW_LIVE_US);
    const double step_s = is_first ? 0.0 : in_seconds(t_us - lateral->yaw_us);
    const int64_t step_us = is_first ? 0 : t_us - lateral->yaw_us;

    lateral->yaw_us = t_us;
    lateral->yaw_radps += is_first ? yaw_radps - lateral->yaw_radps
                                   : step_s / (YAW_CALM_S + step_s) * (yaw_radps - lateral->yaw_radps);
    if (motion_imu_judges(self, t_us) || !speed_is_live(speed, t_us)) {
        return;
    }
    reading_t reading = {
        .t_us = t_us,
        .step_us = step_us,
        .mps2 = speed->row.mps * lateral->yaw_radps,
        .sigma_mps2 = YAW_SIGMA_MPS2,
        .sources = speed == &self->gnss ? TBOX_BY_GNSS : TBOX_BY_SPEED,
    };
    const world_t world = moment_world(self, self->now_us);

    judge_across(self, &world, &reading, FILTER_US);
}

/* Clockwise degrees from a course to another, -180..180. */
static double turned_deg(double from_deg, double to_deg)
{
    const double turned = to_deg - from_deg;

    return turned > 180.0 ? turned - 360.0 : turned < -180.0 ? turned + 360.0 : turned;
}

void motion_by_course(tbox_core_t *self, int64_t t_us, double course_deg)
{
    lateral_t *const lateral = &self->lateral;
    const speed_t *const speed = moment_speed(self, t_us);
    const int64_t step_us = lateral->course_us == NEVER ? COURSE_MOST_US + 1 : t_us - lateral->course_us;

    if (step_us < COURSE_STEP_US) {
        return;
    }
    const double yaw_radps = -turned_deg(lateral->course_deg, course_deg) * DEGREE / in_seconds(step_us);

    lateral->course_us = t_us;
    lateral->course_deg = course_deg;
    if (step_us > COURSE_MOST_US || !speed_is_live(speed, t_us) || motion_imu_judges(self, t_us)
        || !is_older(lateral->yaw_us, t_us, YAW_LIVE_US) || is_known(self->imu.calm.rate[2])) {
        return;
    }
    reading_t reading = {
        .t_us = t_us - step_us / 2,
        .step_us = step_us,
        .mps2 = speed_at(speed, t_us - step_us / 2) * yaw_radps,
        .sigma_mps2 = COURSE_SIGMA_MPS2,
        .sources = TBOX_BY_GNSS,
    };

    if (reading.mps2 < COURSE_MOST_MPS2 && reading.mps2 > -COURSE_MOST_MPS2) {
        const world_t world = moment_world(self, self->now_us);

        judge_across(self, &world, &reading, FILTER_US);
    }
}

/* After a crash or a rollover nothing is harsh until the time for its confirmation is over. */
void motion_block(tbox_core_t *self, const world_t *world, int64_t crash_us)
{
    const int64_t until_us = world->now_us + self->setup.crash.confirm_us;

    harsh_block(&self->braking, world, crash_us, until_us);
    harsh_block(&self->acceleration, world, crash_us, until_us);
    harsh_block(&self->cornering, world, crash_us, until_us);
    self->loss.quiet_us = until_us;
    self->crash.quiet_us = until_us;
}
