/* The fresh points of a speed signal, and the slope of the newest. speed.h says which points are fresh. */
#ifndef TBOX_FIT_H
#define TBOX_FIT_H

#include "interval.h"
#include "tbox.h"

enum { SPEED_POINTS = 96 };

typedef struct {
    int64_t t_us;
    double mps;
} speed_point_t;

/* Acceleration over a window. */
typedef struct {
    int64_t t_us;    /* its middle */
    int64_t half_us; /* two points: half their distance; a longer fit: 0 */
    int64_t span_us;
    double mps2;
    double sigma_mps2; /* what the quantum alone makes uncertain */
} slope_t;

typedef struct {
    speed_point_t points[SPEED_POINTS]; /* fresh ones, a ring */
    uint32_t next;
    uint32_t count; /* since the last restart */
    intervals_t rows;
    intervals_t changes;
    speed_point_t row; /* the last one used */
    speed_point_t row_before; /* the one before it; the same after a hole */
    int64_t seen_us;   /* of any row, twins too; NEVER: none */
    int64_t changed_us;
    int64_t refresh_us;
    double quantum_mps;
    double noise_mps;  /* how far points lie off the line through others some 0.25 s away, on the mean */
    uint32_t holds;    /* hold points since the last change */
    slope_t slope;
    bool has_slope;    /* since the last restart */
} speed_t;

/* The i-th newest point, 0 the newest; i < count. */
const speed_point_t *speed_point(const speed_t *self, uint32_t i);

/* The slope of the newest points; false when there are too few. */
bool speed_fit(const speed_t *self, slope_t *out);

#endif
