/* Hands the rules that watch the car and the box what they judge by. */
#include "core.h"

#include <math.h>

#define LIVE_IMU_US 1000000

void watch_init(tbox_core_t *self)
{
    watch_t *const watch = &self->watch;
    const tbox_setup_t *const setup = &self->setup;

    level_init(&watch->over_rev);
    level_init(&watch->cold_rev);
    level_init(&watch->overheat);
    level_init(&watch->low_battery);
    level_init(&watch->unplugged.level);
    rest_init(&watch->rest, &setup->fatigue, &setup->rest);
    fatigue_init(&watch->fatigue, &setup->fatigue, &watch->rest);
    rollover_init(&watch->rollover, &setup->rollover);
    parked_init(&watch->parked);
    watch->parked_impact.start_us = NEVER;
    tow_init(&watch->tow, &setup->tow);
    fuel_init(&watch->fuel);
    gnss_init(&watch->gnss);
}

/* The car's own speed; NaN: not told now. */
static double own_mps(const tbox_core_t *self, int64_t t_us)
{
    return speed_is_live(&self->car, t_us) ? self->car.row.mps : (double)NAN;
}

static bool is_ignition_off(const tbox_core_t *self, int64_t t_us)
{
    return signals_at(&self->signals, TBOX_IGNITION, t_us) < 0.5;
}

static void note_parked(tbox_core_t *self, int64_t t_us)
{
    const parked_scene_t scene = {
        .t_us = t_us,
        .ignition = signals_at(&self->signals, TBOX_IGNITION, t_us),
        .rpm = signals_at(&self->signals, TBOX_RPM, t_us),
        .mps = own_mps(self, t_us),
        .engine = moment_engine(self, t_us),
    };

    parked_note(&self->watch.parked, &scene);
}

static void watch_fix(tbox_core_t *self, const world_t *world, int64_t t_us)
{
    const gnss_fix_t fix = {
        .t_us = t_us,
        .lat_deg = signals_at(&self->signals, TBOX_LAT, t_us),
        .lon_deg = signals_at(&self->signals, TBOX_LON, t_us),
        .sats = signals_at(&self->signals, TBOX_SATS, t_us),
        .hdop = signals_at(&self->signals, TBOX_HDOP, t_us),
        .cn0_dbhz = self->watch.gnss.told_cn0_dbhz,
    };

    if (is_known(fix.lat_deg) && is_known(fix.lon_deg)) {
        gnss_fix(&self->watch.gnss, &self->setup.gnss, world, &fix);
        rest_place(&self->watch.rest, fix.lat_deg, fix.lon_deg);
    }
}

void watch_value(tbox_core_t *self, uint32_t signal, int64_t t_us, double value)
{
    watch_t *const watch = &self->watch;
    const tbox_setup_t *const setup = &self->setup;
    const world_t world = moment_world(self, self->now_us);

    switch (signal) {
    case TBOX_RPM:
        over_rev_step(&watch->over_rev, &setup->over_rev, &world, t_us, value);
        cold_rev_step(&watch->cold_rev, &setup->cold_rev, &world, t_us, value,
                      signals_at(&self->signals, TBOX_COOLANT, t_us));
        note_parked(self, t_us);
        break;
    case TBOX_IGNITION:
        note_parked(self, t_us);
        break;
    case TBOX_COOLANT:
        overheat_step(&watch->overheat, &setup->overheat, &world, t_us, value);
        break;
    case TBOX_BATTERY:
        low_battery_step(&watch->low_battery, &setup->low_battery, &world, t_us, value);
        unplugged_step(&watch->unplugged, &setup->unplugged, &world, t_us, value);
        break;
    case TBOX_FUEL:
        fuel_step(&watch->fuel, setup, &world, t_us, value, self->totals.moving_us == 0 || watch->rest.is_standing,
                  self->totals.motion_last_us);
        break;
    case TBOX_ODOMETER:
        rest_odometer(&watch->rest, value);
        break;
    case TBOX_LON:
        watch_fix(self, &world, t_us);
        break;
    default:
        break;
    }
}

void watch_row(tbox_core_t *self, const world_t *world, speed_row_t row)
{
    watch_t *const watch = &self->watch;
    const speed_t *const speed = world->speed;
    const stretch_t stretch = {
        .from_us = speed->row_before.t_us,
        .to_us = speed->row.t_us,
        .moved_us = self->totals.moving_us - watch->moved_us,
        .way_m = self->totals.distance_m - watch->distance_m,
        .is_off = is_ignition_off(self, self->now_us),
        .stands = speed->row.mps < MOVING_MPS,
    };

    watch->moved_us = self->totals.moving_us;
    watch->distance_m = self->totals.distance_m;
    if (row == SPEED_RESTART) {
        rest_resume(&watch->rest, &stretch);
    } else {
        rest_drive(&watch->rest, &stretch);
        if (speed == &self->car) {
            gnss_drive(&watch->gnss, &self->setup.gnss, world, stretch.to_us - stretch.from_us, stretch.moved_us,
                       stretch.way_m);
        }
    }
    fatigue_step(&watch->fatigue, &self->setup.fatigue, world, &watch->rest);
    if (!stretch.stands) {
        fuel_close(&watch->fuel, &self->setup, world);
    }
}

void watch_force(tbox_core_t *self, const world_t *world, const imu_sample_t *sample)
{
    watch_t *const watch = &self->watch;
    const double mps = alarm_speed(world);

    if (imu_is_fast(&self->imu)) {
        const int64_t began_us = rollover_step(&watch->rollover, &self->setup.rollover, world, sample,
                                               self->imu.calm.force, mps);

        if (began_us != NEVER) {
            motion_block(self, world, began_us);
        }
    }
    parked_impact_step(&watch->parked_impact, &self->setup.parked_impact, world, &watch->parked, sample,
                       self->imu.step_us, self->crash.pulse.fall_us);
}

/* The faster of the car's own speed and the receiver's. Where the ignition is not told, wheels that turn by the car's own word
 * are driven (a hybrid's), so only the receiver counts. */
static void watch_tow(tbox_core_t *self, const world_t *world, const double *calm)
{
    const bool is_live = speed_is_live(&self->gnss, world->now_us);
    const double gnss_mps = is_live ? self->gnss.row.mps : (double)NAN;
    const double car_mps = own_mps(self, world->now_us);
    const bool is_gnss = !(car_mps >= gnss_mps) && is_live;

    tow_step(&self->watch.tow, &self->setup.tow, world, &self->watch.parked, calm, is_gnss ? gnss_mps : car_mps,
             is_gnss ? TBOX_BY_GNSS : TBOX_BY_SPEED);
}

void watch_second(tbox_core_t *self, int64_t t_us)
{
    watch_t *const watch = &self->watch;
    const world_t world = moment_world(self, t_us);
    const bool is_felt = !is_older(self->imu.t_us, t_us, LIVE_IMU_US);
    const double *const calm = is_felt ? self->imu.calm.force : NULL;

    note_parked(self, t_us);
    rest_wait(&watch->rest, t_us, speed_hole_us(moment_speed(self, t_us)), is_ignition_off(self, t_us));
    if (is_felt) {
        parked_feel(&watch->parked, t_us, calm);
        parked_impact_settle(&watch->parked_impact, &world, &watch->parked, calm,
                             self->mounting.is_solved ? self->mounting.told.rotation : NULL);
    }
    watch_tow(self, &world, calm);
}

void watch_end(tbox_core_t *self)
{
    const world_t world = moment_world(self, self->now_us);

    over_rev_end(&self->watch.over_rev, &self->setup.over_rev, &world);
    cold_rev_end(&self->watch.cold_rev, &self->setup.cold_rev, &world);
    fuel_close(&self->watch.fuel, &self->setup, &world);
}

void watch_tell(const tbox_core_t *self, tbox_sample_t *out)
{
    out->fatigue_us = self->watch.rest.fatigue_us;
    out->rest = rest_told(&self->watch.rest);
}
