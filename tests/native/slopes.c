/* Rows of a speed on stdin ("t_us mps"), and per row on stdout what native/speed.c makes of it:
 * newest point, the point before it, refresh, noise (its quantum's at least); then the slope of native/fit.c, where there is one:
 * "t0 v0 t1 refresh_us noise_mps [slope_t span mps2 mps]". */
#include "signal.h"
#include "speed.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

int main(void)
{
    uint64_t values[TBOX_VALUE_REASONS] = {0};
    speed_t speed;
    int64_t t_us;
    double mps;

    speed_init(&speed);
    while (scanf("%" SCNd64 " %lf", &t_us, &mps) == 2) {
        (void)speed_take(&speed, values, t_us, mps);
        const speed_point_t *const newest = speed_point(&speed, 0);
        const int64_t before_us = speed.count > 1 ? speed_point(&speed, 1)->t_us : NEVER;

        const double rounding_mps = speed.quantum_mps / sqrt(12.0);

        printf("%" PRId64 " %.9g %" PRId64 " %" PRId64 " %.9g", newest->t_us, newest->mps, before_us, speed.refresh_us,
               speed.noise_mps > rounding_mps ? speed.noise_mps : rounding_mps);
        if (speed.has_slope && speed_is_learnt(&speed)) {
            printf(" %" PRId64 " %" PRId64 " %.9g %.9g", speed.slope.t_us, speed.slope.span_us, speed.slope.mps2,
                   speed.slope.mps);
        }
        (void)puts("");
    }
    return 0;
}
