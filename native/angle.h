/* Angles and ways on the globe with + - * / only, so that every machine gives the same bits. */
#ifndef TBOX_ANGLE_H
#define TBOX_ANGLE_H

#include "vector.h"

/* The cosine of -180..180 degrees: 1 - 2 sin2 of the half, by Taylor's series to 1e-16. */
double angle_cosine(double deg);

/* The angle from 0 to 180 degrees that has this cosine, to 1e-9. */
double angle_of_cosine(double cosine);

/* The cosine of the angle between two vectors; 1 where one of them is nothing. */
double angle_between(const double a[3], const double b[3]);

/* Metres between two places, for ways short against the globe (equirectangular, WGS 84's mean radius). */
double angle_way_m(double from_lat_deg, double from_lon_deg, double to_lat_deg, double to_lon_deg);

#endif
