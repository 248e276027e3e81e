/* The latest value of each catalogue signal. */
#include "signal.h"

#include <math.h>

/* Ranges of the catalogue: outside is no vehicle, but a sensor that is absent or a table that is wrong. */
static const struct {
    double min;
    double max;
} RANGE[TBOX_SIGNALS] = {
    [TBOX_SPEED] = {-0.5, 140.0},          [TBOX_RPM] = {0.0, 25000.0},         [TBOX_THROTTLE] = {-1.0, 110.0},
    [TBOX_LOAD] = {-1.0, 110.0},           [TBOX_BRAKE] = {0.0, 1.0},           [TBOX_COOLANT] = {-60.0, 250.0},
    [TBOX_FUEL] = {-1.0, 110.0},           [TBOX_BATTERY] = {0.0, 70.0},        [TBOX_ODOMETER] = {0.0, 1e10},
    [TBOX_IGNITION] = {0.0, 1.0},          [TBOX_ACCEL_X] = {-4000.0, 4000.0},  [TBOX_ACCEL_Y] = {-4000.0, 4000.0},
    [TBOX_ACCEL_Z] = {-4000.0, 4000.0},    [TBOX_GYRO_X] = {-100.0, 100.0},     [TBOX_GYRO_Y] = {-100.0, 100.0},
    [TBOX_GYRO_Z] = {-100.0, 100.0},       [TBOX_LAT] = {-90.0, 90.0},          [TBOX_LON] = {-180.0, 180.0},
    [TBOX_GNSS_SPEED] = {-0.5, 150.0},     [TBOX_COURSE] = {-180.0, 360.0},     [TBOX_HDOP] = {0.0, 100.0},
    [TBOX_SATS] = {0.0, 200.0},            [TBOX_SPEED_LIMIT] = {0.0, 140.0},   [TBOX_YAW_RATE] = {-10.0, 10.0},
    [TBOX_AIRBAG] = {0.0, 1.0},
};

void signals_init(signals_t *self)
{
    for (uint32_t i = 0; i < TBOX_SIGNALS; i++) {
        self->value[i] = (double)NAN;
        self->t_us[i] = NEVER;
    }
}

bool signals_take(signals_t *self, uint64_t *values, uint32_t signal, int64_t t_us, double value)
{
    if (signal >= TBOX_SIGNALS || !(value >= RANGE[signal].min && value <= RANGE[signal].max)) {
        values[TBOX_VALUE_INVALID]++;
        return false;
    }
    if (t_us < self->t_us[signal]) {
        values[TBOX_VALUE_LATE]++;
        return false;
    }
    self->value[signal] = value;
    self->t_us[signal] = t_us;
    return true;
}
