/* A speed signal as it really is: how often it refreshes, how fine it is, and what it says about acceleration.
 *
 * Many cars repeat a value until the next refresh (a staircase), others have a coarse quantum (1 km/h) at a fast rate; the
 * first must not be differenced row by row, the second not over less than about a second. So only fresh points count: a
 * row with a changed value, or an unchanged one when a whole refresh has passed. The refresh is the lower quartile of the
 * intervals between changes that say something about it, and no shorter than the rows. Acceleration is the least-squares
 * slope of the fresh points in a window that the quantum and the refresh set; from 0.8 s of refresh on it is the slope
 * between two points. Twins (a second answer within a fraction of the interval), holes, and slopes no car has are no points.
 */
#ifndef TBOX_SPEED_H
#define TBOX_SPEED_H

#include "fit.h"

/* What a row was. */
typedef enum { SPEED_TWIN, SPEED_REPEAT, SPEED_HOLD, SPEED_CHANGE, SPEED_RESTART } speed_row_t;

void speed_init(speed_t *self);

/* Takes a row, not older than the last; says what it was and counts what is not used. */
speed_row_t speed_take(speed_t *self, uint64_t *values, int64_t t_us, double mps);

/* Longer than this between rows is a hole: not driven, not fitted. */
int64_t speed_hole_us(const speed_t *self);

/* The speed at a time: between points by a line, up to 2 s (or two refreshes) after the last as it was; NaN: not known. */
double speed_at(const speed_t *self, int64_t t_us);

/* Whether it is known now, and when not too old to judge by: its rows come, and their refresh is known. */
bool speed_is_live(const speed_t *self, int64_t now_us);

/* Whether the refresh has been learnt from changes. */
bool speed_is_learnt(const speed_t *self);

#endif
