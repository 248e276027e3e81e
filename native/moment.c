/* What is known at a moment: the engine, the limit, the speed to go by, a sample. */
#include "core.h"

#include <math.h>

#define READING_US 2500000 /* an estimate older than this is none */
#define RUNNING_RPM 50.0 /* less is noise of a standing engine */

/* Combustion: the engine's speed decides while it is told, an ignition switched off after it too; where no engine speed
 * is ever told the ignition stands for it. Hybrid: ready counts, else a turning engine is enough. Electric: ready. */
uint8_t moment_engine(const tbox_core_t *self, int64_t t_us)
{
    const double rpm = signals_at(&self->signals, TBOX_RPM, t_us);
    const double ignition = signals_at(&self->signals, TBOX_IGNITION, t_us);
    const bool is_newer = self->signals.t_us[TBOX_IGNITION] >= self->signals.t_us[TBOX_RPM];

    if (is_known(ignition) && ignition < 0.5 && is_newer) {
        return ENGINE_OFF;
    }
    if (self->setup.powertrain != TBOX_COMBUSTION) {
        const bool turns = self->setup.powertrain == TBOX_HYBRID && rpm >= RUNNING_RPM;

        return turns || ignition >= 0.5 ? ENGINE_RUNS : ENGINE_UNKNOWN;
    }
    if (is_known(rpm)) {
        return rpm >= RUNNING_RPM ? ENGINE_RUNS : ENGINE_OFF;
    }
    return ignition >= 0.5 && self->signals.t_us[TBOX_RPM] == NEVER ? ENGINE_RUNS : ENGINE_UNKNOWN;
}

/* While it runs: now, or when its speed was last told. */
int64_t moment_engine_last(const tbox_core_t *self, int64_t t_us)
{
    const double ignition = signals_at(&self->signals, TBOX_IGNITION, t_us);
    const int64_t rpm_us = self->signals.t_us[TBOX_RPM];

    return rpm_us == NEVER || (self->setup.powertrain != TBOX_COMBUSTION && ignition >= 0.5) ? t_us : rpm_us;
}

/* What the inputs say, else the setting; with its margin. NaN: none. */
double moment_limit(const tbox_core_t *self, int64_t t_us)
{
    const double told_mps = signals_at(&self->signals, TBOX_SPEED_LIMIT, t_us);
    const tbox_speeding_rule_t *const rule = &self->setup.speeding;
    const double limit_mps = told_mps > 0.0 ? told_mps : rule->limit_mps;

    return limit_mps > 0.0 ? limit_mps + rule->margin_mps : (double)NAN;
}

/* The car's speed; the receiver's while the car's was never told or has been silent for longer than a hole. */
const speed_t *moment_speed(const tbox_core_t *self, int64_t t_us)
{
    const bool is_silent = self->car.count == 0 || t_us - self->car.row.t_us > speed_hole_us(&self->car);

    return is_silent && self->gnss.count > 0 ? &self->gnss : &self->car;
}

void moment_tell(const tbox_core_t *self, int64_t t_us, tbox_sample_t *out)
{
    for (uint32_t i = 0; i < TBOX_SIGNALS; i++) {
        out->value[i] = signals_at(&self->signals, i, t_us);
    }
    out->forward_mps2 = is_older(self->forward.t_us, t_us, READING_US) ? (double)NAN : self->forward.mps2;
    out->left_mps2 = is_older(self->left.t_us, t_us, READING_US) ? (double)NAN : self->left.mps2;
    out->distance_m = self->totals.distance_m;
    out->over_limit_m = self->totals.over_limit_m;
    out->over_limit_us = self->totals.over_limit_us;
    out->limit_known_us = self->totals.limit_known_us;
    out->moving_us = self->totals.moving_us;
    out->idle_us = self->totals.idle_us;
    out->judged_us = self->totals.judged_us;
    out->motion_last_us = self->totals.motion_last_us;
    out->engine_last_us = self->engine_last_us;
    out->max_speed_mps = self->totals.max_speed_mps;
    out->engine = moment_engine(self, t_us);
}

world_t moment_world(tbox_core_t *self, int64_t t_us)
{
    const speed_t *const speed = moment_speed(self, t_us);

    return (world_t){
        .queue = &self->queue,
        .judgements = self->counters.judgements,
        .speed = speed,
        .gnss = &self->gnss,
        .lat_deg = signals_at(&self->signals, TBOX_LAT, t_us),
        .lon_deg = signals_at(&self->signals, TBOX_LON, t_us),
        .now_us = t_us,
        .speed_source = speed == &self->gnss ? TBOX_BY_GNSS : TBOX_BY_SPEED,
    };
}
