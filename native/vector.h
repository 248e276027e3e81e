/* Vectors of three doubles. */
#ifndef TBOX_VECTOR_H
#define TBOX_VECTOR_H

#include <math.h>

static inline double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static inline double length(const double a[3])
{
    return sqrt(dot(a, a));
}

static inline void cross(const double a[3], const double b[3], double out[3])
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

/* What of `a` is perpendicular to the unit vector `axis`. */
static inline void across(const double a[3], const double axis[3], double out[3])
{
    const double along = dot(a, axis);

    for (int i = 0; i < 3; i++) {
        out[i] = a[i] - along * axis[i];
    }
}

static inline void scale(const double a[3], double by, double out[3])
{
    for (int i = 0; i < 3; i++) {
        out[i] = a[i] * by;
    }
}

#endif
