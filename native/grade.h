/* The slope of the road: what an accelerometer feels along the car that is no change of speed.
 *
 * Uphill at angle s a sensor feels g sin(s) more than the car accelerates (5 degrees: 0.85 m/s2), as it does when it leans
 * a little in its mount. Over windows of a second the mean force less the change of speed is that part; it is followed over
 * 10 s, not during hard braking or acceleration, where a late speed would be taken for a slope. */
#ifndef TBOX_GRADE_H
#define TBOX_GRADE_H

#include "speed.h"

typedef struct {
    speed_point_t anchor;
    double force_mps2; /* sum of the open window's samples */
    uint32_t samples;
    bool has_anchor;
    double mps2;       /* the slope's part: to be taken off */
} grade_t;

/* A sample of the force along the car. */
void grade_feel(grade_t *self, double forward_mps2);

/* A fresh point of the speed; `is_good`: fast IMU, known refresh of about a second or less. */
void grade_step(grade_t *self, const speed_point_t *point, bool is_good);

/* A hole, or another mounting. */
void grade_restart(grade_t *self);

#endif
