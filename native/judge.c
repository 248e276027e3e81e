/* Every rule, each when something came that it judges by. */
#include "core.h"
#include "vector.h"

#define LIVE_IMU_US 500000
#define GRADE_REFRESH_US 1100000
#define CRASH_STEP_US 50000 /* a slower IMU shows no pulse */

void judge_init(tbox_core_t *self)
{
    const tbox_setup_t *const setup = &self->setup;

    mounting_init(&self->mounting, setup);
    harsh_init(&self->braking, TBOX_HARSH_BRAKING, &setup->braking);
    harsh_init(&self->acceleration, TBOX_HARSH_ACCELERATION, &setup->acceleration);
    harsh_init(&self->cornering, TBOX_HARSH_CORNERING, &setup->cornering);
    idling_init(&self->idling, &setup->idling);
    speeding_init(&self->speeding, &setup->speeding);
    crash_init(&self->crash, &setup->crash);
    loss_init(&self->loss, &setup->crash);
    self->lateral.yaw_us = NEVER;
    self->lateral.course_us = NEVER;
    self->imu.calm.rate[2] = (double)NAN;
    self->forward.t_us = NEVER;
    self->left.t_us = NEVER;
}

static bool has_gravity(const imu_t *imu)
{
    return imu->up_s >= 1.0 && imu->size_mps2 > 0.6 * GRAVITY_MPS2 && imu->size_mps2 < 1.6 * GRAVITY_MPS2;
}

static scene_t scene_of(const tbox_core_t *self, const world_t *world)
{
    return (scene_t){
        .world = world,
        .rotation = self->mounting.is_solved ? self->mounting.told.rotation : NULL,
        .calm_force = self->imu.calm.force,
        .airbag = signals_at(&self->signals, TBOX_AIRBAG, world->now_us),
        .engine = moment_engine(self, world->now_us),
        .is_parked = self->watch.parked.since_us != NEVER,
        .has_gravity = has_gravity(&self->imu),
    };
}

static void settle(tbox_core_t *self, const world_t *world)
{
    harsh_settle(&self->braking, world);
    harsh_settle(&self->acceleration, world);
    harsh_settle(&self->cornering, world);
}

/* Where the receiver's speed takes over from the car's, or gives it back, its stretch may begin before what was summed up
 * already: only the rest of it counts. */
static speed_point_t begin_of(const speed_t *speed, int64_t since_us)
{
    const speed_point_t from = speed->row_before;
    const speed_point_t to = speed->row;

    if (from.t_us >= since_us) {
        return from;
    }
    const double share = in_seconds(since_us - from.t_us) / in_seconds(to.t_us - from.t_us);

    return (speed_point_t){.t_us = since_us, .mps = from.mps + share * (to.mps - from.mps)};
}

static void sum_up(tbox_core_t *self, const speed_t *speed, speed_row_t row, int64_t since_us, bool engine_runs)
{
    const conditions_t conditions = {
        .limit_mps = moment_limit(self, speed->row.t_us),
        .engine_runs = engine_runs,
        .is_judged = speed_is_learnt(speed) || motion_imu_judges(self, speed->row.t_us),
    };

    if (row == SPEED_RESTART) {
        totals_start(&self->totals, speed->row);
    } else {
        totals_step(&self->totals, begin_of(speed, since_us), speed->row, &conditions);
    }
}

/* Fresh points teach how the box is mounted and how the road slopes. */
static void learn(tbox_core_t *self, const speed_t *speed, speed_row_t row)
{
    if (row == SPEED_RESTART) {
        mounting_restart(&self->mounting);
        grade_restart(&self->grade);
    } else if (row != SPEED_REPEAT) {
        grade_step(&self->grade, &speed->row,
                   motion_imu_judges(self, self->now_us) && imu_is_fast(&self->imu) && speed_is_learnt(speed)
                       && speed->refresh_us <= GRADE_REFRESH_US);
        if (!self->setup.mounted && mounting_step(&self->mounting, &speed->row)) {
            queue_push(&self->queue, TBOX_OUT_CALIBRATION, self->now_us)->u.calibration = self->mounting.told;
            grade_restart(&self->grade);
        }
    }
}

static void judge_crash_row(tbox_core_t *self, const world_t *world, speed_row_t row)
{
    const bool has_imu = !is_older(self->imu.t_us, world->now_us, LIVE_IMU_US) && self->imu.step_us <= CRASH_STEP_US
                         && has_gravity(&self->imu);

    if (crash_is_open(&self->crash)) {
        const scene_t scene = scene_of(self, world);

        if (crash_row(&self->crash, &scene)) {
            motion_block(self, world, self->crash.zero_us);
        }
    }
    if ((!has_imu || row == SPEED_RESTART) && loss_step(&self->loss, world, row)) {
        motion_block(self, world, self->loss.from.t_us);
    }
}

void judge_row(tbox_core_t *self, const speed_t *speed, speed_row_t row)
{
    if (row == SPEED_TWIN || speed != moment_speed(self, speed->row.t_us) || speed->row.t_us < self->judged_row_us) {
        return;
    }
    const int64_t since_us = self->judged_row_us;

    self->judged_row_us = speed->row.t_us;
    const world_t world = moment_world(self, self->now_us);
    const bool engine_runs = moment_engine(self, self->now_us) == ENGINE_RUNS;

    sum_up(self, speed, row, since_us, engine_runs);
    learn(self, speed, row);
    judge_crash_row(self, &world, row);
    motion_by_row(self, &world);
    settle(self, &world);
    idling_step(&self->idling, &world, speed->row, engine_runs, self->engine_last_us);
    speeding_step(&self->speeding, &world, speed->row, moment_limit(self, self->now_us), row == SPEED_RESTART);
    watch_row(self, &world, row);
}

static void judge_crash_force(tbox_core_t *self, const world_t *world, const imu_sample_t *sample)
{
    double up[3] = {0.0, 0.0, 1.0};

    if (self->mounting.is_solved) {
        mounting_up(&self->mounting, up);
    } else if (length(self->imu.up) > 0.0) {
        scale(self->imu.up, 1.0 / length(self->imu.up), up);
    }
    if (self->imu.step_us > CRASH_STEP_US) {
        return;
    }
    const pulse_news_t news = crash_feel(&self->crash, sample, up);

    if (news != PULSE_NOTHING) {
        const scene_t scene = scene_of(self, world);

        if (crash_hear(&self->crash, &scene, news)) {
            motion_block(self, world, self->crash.zero_us);
        }
    }
}

void judge_force(tbox_core_t *self, const imu_sample_t *sample)
{
    const world_t world = moment_world(self, self->now_us);

    judge_crash_force(self, &world, sample);
    watch_force(self, &world, sample);
    motion_feel(self, sample);
    if (imu_take(&self->imu, sample)) {
        motion_by_force(self, &world);
    }
}

void judge_second(tbox_core_t *self, int64_t t_us)
{
    const world_t world = moment_world(self, t_us);
    const scene_t scene = scene_of(self, &world);
    const speed_point_t none = {.t_us = t_us, .mps = (double)NAN};

    if (crash_settle(&self->crash, &scene)) {
        motion_block(self, &world, self->crash.zero_us);
    }
    settle(self, &world);
    idling_step(&self->idling, &world, none, moment_engine(self, t_us) == ENGINE_RUNS, self->engine_last_us);
}

void judge_end(tbox_core_t *self)
{
    const world_t world = moment_world(self, self->now_us);
    const scene_t scene = scene_of(self, &world);

    crash_end(&self->crash, &scene);
    harsh_end(&self->braking, &world);
    harsh_end(&self->acceleration, &world);
    harsh_end(&self->cornering, &world);
    idling_end(&self->idling, &world);
    speeding_end(&self->speeding, &world);
}
