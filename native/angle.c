/* Angles and ways on the globe. */
#include "angle.h"

#include <stdint.h>

#define DEGREE 0.017453292519943295
#define DEGREE_M 111194.92664455873 /* of a sphere of 6371008.8 m */
#define HALVINGS 40

double angle_cosine(double deg)
{
    const double half = deg * DEGREE / 2.0;
    double term = half;
    double sine = half;

    for (uint32_t n = 1; n <= 11; n++) {
        term *= -half * half / (double)(2 * n * (2 * n + 1));
        sine += term;
    }
    return 1.0 - 2.0 * sine * sine;
}

double angle_of_cosine(double cosine)
{
    double low_deg = 0.0;
    double high_deg = 180.0;

    for (uint32_t i = 0; i < HALVINGS; i++) {
        const double middle_deg = (low_deg + high_deg) / 2.0;

        if (angle_cosine(middle_deg) > cosine) {
            low_deg = middle_deg;
        } else {
            high_deg = middle_deg;
        }
    }
    return (low_deg + high_deg) / 2.0;
}

double angle_between(const double a[3], const double b[3])
{
    const double size = length(a) * length(b);

    return size > 0.0 ? dot(a, b) / size : 1.0;
}

double angle_way_m(double from_lat_deg, double from_lon_deg, double to_lat_deg, double to_lon_deg)
{
    const double north_m = (to_lat_deg - from_lat_deg) * DEGREE_M;
    const double round_deg = to_lon_deg - from_lon_deg;
    const double short_deg = round_deg > 180.0 ? round_deg - 360.0 : round_deg < -180.0 ? round_deg + 360.0 : round_deg;
    const double east_m = short_deg * DEGREE_M * angle_cosine((from_lat_deg + to_lat_deg) / 2.0);

    return sqrt(north_m * north_m + east_m * east_m);
}
