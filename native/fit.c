/* The slope of a speed: least squares over true receive times (Gauss 1809; the centred form).
 *
 * A rounded value is off by a uniform error of its quantum: sigma = q / sqrt(12). The window is as long as keeps the
 * quantum's share of the slope near 0.3 m/s2 and that of noise near 0.13 m/s2, between 0.5 and 1 s, and never shorter than a refresh. Where rows repeat a
 * value, a refresh happened at some time in the row interval before it showed: the window is five such intervals at least,
 * and the slope is uncertain by that share. */
#include "fit.h"

#include <math.h>

#include "signal.h"

#define WINDOW_LEAST_US 500000
#define WINDOW_MOST_US 1000000
#define WINDOW_STEP_US 100000
#define STEP_LEAST_US 240000 /* as close as noise is independent, and learnt */
#define NOISE_SHARE_MPS2 0.13
#define PAIR_US 800000 /* from this refresh on, two points are the fit */
#define ALONE_US 400000 /* from this refresh on, two are enough where rows repeat nothing and no third is near */
#define QUANTUM_SHARE_MPS2 0.3

const speed_point_t *speed_point(const speed_t *self, uint32_t i)
{
    return &self->points[(self->next + SPEED_POINTS - 1 - i % SPEED_POINTS) % SPEED_POINTS];
}

/* How long a refresh may have been there before a row showed it: rows that repeat values; 0: rows are refreshes. */
static int64_t blur_us(const speed_t *self)
{
    const int64_t rows_us = intervals_quantile(&self->rows, 60);

    return self->refresh_us * 2 > rows_us * 3 ? rows_us : 0;
}

static double sigma_of(const speed_t *self, double mps2, double span_s, double quantum_sigma_mps2)
{
    const double blur_mps2 = mps2 * in_seconds(blur_us(self)) / (sqrt(6.0) * span_s);

    return sqrt(quantum_sigma_mps2 * quantum_sigma_mps2 + blur_mps2 * blur_mps2);
}

/* The variance of a slope over n points in a window W is 12 s^2 / (n W^2). */
static bool is_noisy(const speed_t *self, double window_s)
{
    const double step_s = in_seconds(self->refresh_us > STEP_LEAST_US ? self->refresh_us : STEP_LEAST_US);
    const double noise = 12.0 * self->noise_mps * self->noise_mps * step_s;

    return noise > NOISE_SHARE_MPS2 * NOISE_SHARE_MPS2 * window_s * window_s * window_s;
}

static int64_t window_us(const speed_t *self)
{
    const double by_quantum_us = 1e6 * self->quantum_mps / QUANTUM_SHARE_MPS2;
    const double by_blur_us = 5.0 * (double)blur_us(self);
    const double wanted_us = larger(by_quantum_us, by_blur_us);
    int64_t window = wanted_us > (double)WINDOW_LEAST_US ? (int64_t)wanted_us : WINDOW_LEAST_US;

    while (window < WINDOW_MOST_US && is_noisy(self, in_seconds(window))) {
        window += WINDOW_STEP_US;
    }
    return window < WINDOW_MOST_US ? window : WINDOW_MOST_US;
}

static bool fit_pair(const speed_t *self, slope_t *out)
{
    const speed_point_t *const b = speed_point(self, 0);
    const speed_point_t *const a = speed_point(self, 1);
    const int64_t span_us = b->t_us - a->t_us;

    const double mps2 = (b->mps - a->mps) / in_seconds(span_us);

    *out = (slope_t){
        .t_us = a->t_us + span_us / 2,
        .half_us = span_us / 2,
        .span_us = span_us,
        .mps2 = mps2,
        .sigma_mps2 = sigma_of(self, mps2, in_seconds(span_us), self->quantum_mps / (sqrt(6.0) * in_seconds(span_us))),
    };
    return true;
}

static bool fit_many(const speed_t *self, uint32_t count, slope_t *out)
{
    const int64_t newest_us = speed_point(self, 0)->t_us;
    double sum_t = 0.0, sum_v = 0.0, sum_tt = 0.0, sum_tv = 0.0;

    for (uint32_t i = 0; i < count; i++) {
        const speed_point_t *const point = speed_point(self, i);
        const double t_s = in_seconds(point->t_us - newest_us);

        sum_t += t_s;
        sum_v += point->mps;
        sum_tt += t_s * t_s;
        sum_tv += t_s * point->mps;
    }
    const double n = (double)count;
    const double spread = sum_tt - sum_t * sum_t / n;
    const double mps2 = (sum_tv - sum_t * sum_v / n) / spread;
    const int64_t span_us = newest_us - speed_point(self, count - 1)->t_us;

    *out = (slope_t){
        .t_us = newest_us + (int64_t)(1e6 * sum_t / n),
        .span_us = span_us,
        .mps2 = mps2,
        .sigma_mps2 = sigma_of(self, mps2, in_seconds(span_us), larger(self->quantum_mps / sqrt(12.0), self->noise_mps) / sqrt(spread)),
    };
    return true;
}

bool speed_fit(const speed_t *self, slope_t *out)
{
    uint32_t count = 1;

    if (self->refresh_us >= PAIR_US && speed_point(self, 0)->t_us - speed_point(self, 1)->t_us >= PAIR_US / 2) {
        return fit_pair(self, out);
    }
    const int64_t window = window_us(self);
    const int64_t from_us = speed_point(self, 0)->t_us - window - window / 16;

    while (count < self->count && speed_point(self, count)->t_us >= from_us) {
        count++;
    }
    const int64_t span_us = speed_point(self, 0)->t_us - speed_point(self, count - 1)->t_us;

    if (span_us * 5 >= window * 3) {
        return fit_many(self, count, out);
    }
    if (count < self->count && speed_point(self, count)->t_us >= speed_point(self, 0)->t_us - self->refresh_us * 5 / 2) {
        return fit_many(self, count + 1, out); /* a refresh longer than the window */
    }
    return self->refresh_us >= ALONE_US && blur_us(self) == 0 && count > 1 && span_us * 4 >= self->refresh_us * 3
           && fit_many(self, count, out);
}
