/* A blow, measured: raw specific force, integrated perpendicular to gravity.
 *
 * Trigger: the horizontal size stays at or over the threshold for the hold (8 ms) and at least two samples. Time zero is
 * found backwards as event-data-recorder rules do (49 CFR 563.5): where the change of velocity over 20 ms begins to exceed
 * 0.8 km/h. From there the change is integrated for 250 ms, by trapezoid over true times. Up is where gravity was before. */
#ifndef TBOX_PULSE_H
#define TBOX_PULSE_H

#include "imu.h"
#include "signal.h"

enum { PULSE_POINTS = 160 };

/* The integral of specific force up to a time. */
typedef struct {
    int64_t t_us;
    double mps[3];
} pulse_point_t;

typedef struct {
    pulse_point_t points[PULSE_POINTS]; /* the last 200 ms, at most 800 a second */
    uint32_t next;
    uint32_t count;
    pulse_point_t now;
    double force[3];     /* the last sample */
    int64_t over_us;     /* first sample over the threshold of this run */
    int64_t over_last_us;
    uint32_t over;       /* samples of this run over it */
    uint32_t repeats[3]; /* per axis: how often its value has come again, bit by bit */
    int64_t fall_us;     /* when weightlessness of 60 ms or more was last felt; NEVER */
    int64_t weightless_us; /* since when; NEVER: it is not */

    bool is_measuring;
    int64_t zero_us;     /* time zero */
    int64_t start_us;    /* first sample at or over the threshold */
    int64_t end_us;      /* last one */
    double zero_mps[3];  /* the integral at time zero */
    double up[3];
    double change_mps[3]; /* at its largest, sensor axes, horizontal */
    double most_mps;     /* its size */
    double early_mps;    /* the largest within 150 ms */
    int64_t most_us;
    double peak_mps2;    /* horizontal */
    double vertical_mps2; /* its peak, without gravity */
    int64_t vertical_us;
    double clipped_mps2; /* where samples saturate; 0: they do not */
    double extreme_mps2; /* the largest number of any axis */
} pulse_t;

/* What a sample meant. */
typedef enum { PULSE_NOTHING, PULSE_SHORT, PULSE_BEGINS, PULSE_ENDS } pulse_news_t;

void pulse_init(pulse_t *self);

/* Takes a sample; `up` is a unit vector on sensor axes. */
pulse_news_t pulse_take(pulse_t *self, const imu_sample_t *sample, const double up[3], double threshold_mps2,
                        int64_t hold_us);

/* Only time passes: ends a measurement whose samples stay away. */
pulse_news_t pulse_wait(pulse_t *self, int64_t now_us);

#endif
