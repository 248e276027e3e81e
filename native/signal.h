/* The latest value of each catalogue signal, and how old it may be.
 *
 * A value is taken when it is finite, inside the range any vehicle can have (config/signals.toml), and not older than the
 * one before. It holds for 10 s; a speed limit and the ignition hold for ever.
 */
#ifndef TBOX_SIGNAL_H
#define TBOX_SIGNAL_H

#include "tbox.h"

#include <math.h>

#define NEVER INT64_MIN
#define STALE_US 10000000

enum { ENGINE_UNKNOWN, ENGINE_OFF, ENGINE_RUNS };

typedef struct {
    double value[TBOX_SIGNALS];
    int64_t t_us[TBOX_SIGNALS]; /* NEVER: not told yet */
} signals_t;

void signals_init(signals_t *self);

/* Takes a value; false when it is not to be used, which is counted by reason. */
bool signals_take(signals_t *self, uint64_t *values, uint32_t signal, int64_t t_us, double value);

/* Whether `now` is more than `most` after `then`, which may be NEVER. */
static inline bool is_older(int64_t then_us, int64_t now_us, int64_t most_us)
{
    return then_us == NEVER || then_us < now_us - most_us;
}

/* What holds at a time; NaN: never told, or stale. */
static inline double signals_at(const signals_t *self, uint32_t signal, int64_t now_us)
{
    const int64_t t_us = self->t_us[signal];
    const bool holds = signal == TBOX_SPEED_LIMIT || signal == TBOX_IGNITION;

    return (holds ? t_us == NEVER : is_older(t_us, now_us, STALE_US)) ? (double)NAN : self->value[signal];
}

static inline double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Microseconds as seconds. */
static inline double in_seconds(int64_t us)
{
    return (double)us * 1e-6;
}

static inline bool is_known(double value)
{
    return !isnan(value);
}

#endif
