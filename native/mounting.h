/* Which way the box is mounted, learnt from driving.
 *
 * Specific force on the sensor's axes is f = g + F a, with a the car's forward acceleration, g gravity (up) and F the
 * forward axis. Over windows of about a second a is the change of speed between two fresh points, exactly, and f the mean of
 * the samples between them, so least squares over many windows gives both: the intercept is up, the slope's part
 * perpendicular to it is forward. A slope of the road at a stand, and bends, only add noise. Solved means: the standard
 * error of the forward axis is under 5 degrees. Memory: about 15 minutes of windows. */
#ifndef TBOX_MOUNTING_H
#define TBOX_MOUNTING_H

#include "imu.h"
#include "speed.h"
#include "tbox.h"

/* Sums of a regression of three axes on one number. */
typedef struct {
    double n;
    double a;
    double aa;
    double f[3];
    double fa[3];
    double ff[3];
} mounting_sums_t;

typedef struct {
    mounting_sums_t sums;
    double force[3];      /* of the open window */
    uint32_t samples;
    speed_point_t anchor; /* where the open window began */
    bool has_anchor;
    bool is_solved;
    double stand_s;       /* how long it has stood */
    uint32_t turned;      /* windows at a stand with gravity somewhere else */
    int64_t told_us;
    tbox_calibration_t told;
} mounting_t;

/* Mounted on the vehicle's axes, with a stored rotation, or unknown. */
void mounting_init(mounting_t *self, const tbox_setup_t *setup);

void mounting_feel(mounting_t *self, const imu_sample_t *sample);

/* A fresh point of the speed; true when there is a calibration to tell: the first, or one that differs materially. */
bool mounting_step(mounting_t *self, const speed_point_t *point);

/* A hole: the open window is void. */
void mounting_restart(mounting_t *self);

/* Sensor axes to vehicle axes (ISO 8855); only when solved. */
void mounting_turn(const mounting_t *self, const double sensor[3], double vehicle[3]);

/* The unit vector up on sensor axes; only when solved. */
void mounting_up(const mounting_t *self, double up[3]);

#endif
