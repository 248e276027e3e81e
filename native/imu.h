/* The IMU as it really is: how fast it comes, whether it is one at all, and a calm estimate of what it feels.
 *
 * Samples are gathered into means of 25 ms, and the estimate is the mean of the middle half of the last 250 ms of those
 * (the interquartile mean): a spike of 20 to 40 ms does not show, vibration averages out, an edge stays an edge. A sensor
 * slower than 7 Hz gives each of its samples as it is. Samples that cannot be specific force (three equal values, as
 * invalid frames decode, unless a range ends there; not finite) are counted, not used; a sensor whose mean is far from 1 g is none. */
#ifndef TBOX_IMU_H
#define TBOX_IMU_H

#include "interval.h"
#include "tbox.h"

#define GRAVITY_MPS2 9.80665

enum { IMU_BLOCKS = 10, IMU_AXES = 6 };

/* One raw sample; numbers that are not there are NaN. */
typedef struct {
    int64_t t_us;
    double force[3]; /* m/s2, sensor axes */
    double rate[3];  /* rad/s */
} imu_sample_t;

typedef struct {
    imu_sample_t blocks[IMU_BLOCKS]; /* means; t_us is the middle */
    uint32_t next;
    uint32_t count;
    double sorted[IMU_AXES][IMU_BLOCKS]; /* their means in order */
    bool is_sorted[IMU_AXES];            /* whether all blocks are in there, each a number */
    uint32_t missing[IMU_AXES];          /* how many blocks in a row have not told this axis */
    double sum[IMU_AXES];
    uint32_t rates; /* how many of the open block's samples told angular rates */
    uint32_t summed;
    int64_t block_us;   /* first sample of the open block */
    intervals_t steps;
    int64_t step_us;    /* median interval of samples; 0: not known */
    int64_t t_us;       /* last sample; NEVER: none */
    double size_mps2;   /* slow mean of the size of the force, NaN: none yet */
    double up[3];       /* slow mean of the force, sensor axes: where up is, roughly */
    double up_s;        /* how much time it holds, at most UP_MEMORY_S */
    imu_sample_t calm;  /* the estimate; t_us is its middle */
} imu_t;

void imu_init(imu_t *self);

/* Whether a size is the end of a range sensors are made for; `share` of it off is near enough. */
bool imu_is_range(double mps2, double share);

/* Whether a sample can be specific force; if not it is counted. */
bool imu_accepts(const imu_t *self, uint64_t *values, const imu_sample_t *sample);

/* Takes an accepted sample; true when there is a new estimate. */
bool imu_take(imu_t *self, const imu_sample_t *sample);

/* Faster than 7 Hz. */
bool imu_is_fast(const imu_t *self);

/* Whether it comes now and feels about 1 g. */
bool imu_is_live(const imu_t *self, int64_t now_us);

#endif
