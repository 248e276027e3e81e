/* The rules that watch the car and the box: their state in one place. watch.c hands them what they judge by. */
#ifndef TBOX_WATCH_H
#define TBOX_WATCH_H

#include "car.h"
#include "fatigue.h"
#include "fuel.h"
#include "gnss.h"
#include "parked.h"
#include "rest.h"
#include "rollover.h"

typedef struct {
    level_t over_rev;
    level_t cold_rev;
    level_t overheat;
    level_t low_battery;
    unplugged_t unplugged;
    rest_t rest;
    fatigue_t fatigue;
    rollover_t rollover;
    parked_t parked;
    parked_impact_t parked_impact;
    tow_t tow;
    fuel_t fuel;
    gnss_t gnss;
    int64_t moved_us;   /* totals at the last row */
    double distance_m;
} watch_t;

#endif
