/* The car is parked: the ignition is told to be off; where nobody tells it, an engine that ran has stopped and the car
 * stands. From 10 s later on the box watches over it: where up is, is measured there and kept as it is. */
#ifndef TBOX_PARKED_H
#define TBOX_PARKED_H

#include "alarm.h"
#include "imu.h"

typedef struct {
    double up[3];       /* mean force while parked and calm */
    uint32_t samples;
    int64_t since_us;   /* NEVER: it is not parked */
    bool engine_ran;    /* its speed was told, and it turned: only then its stop means something */
} parked_t;

/* What is known of the car at a moment. */
typedef struct {
    int64_t t_us;
    double ignition;    /* NaN: never told */
    double rpm;         /* NaN: not told now */
    double mps;         /* the car's own speed; NaN: not told now */
    uint8_t engine;
} parked_scene_t;

void parked_init(parked_t *self);

void parked_note(parked_t *self, const parked_scene_t *scene);

/* A calm force; `is_fresh`: nothing has shaken it since it was parked. */
void parked_feel(parked_t *self, int64_t t_us, const double calm[3]);

/* Whether it is watched over, and where up was is known. */
bool parked_is_watched(const parked_t *self, int64_t t_us);
bool parked_has_up(const parked_t *self, int64_t t_us);

/* Up is measured anew: the box was moved, or the alarm was raised. */
void parked_forget_up(parked_t *self, int64_t t_us);

/* parked_impact.c: a shock of 1 g or more, both ways of it measured against the parked car's own force. */
typedef struct {
    double force[3];    /* of the peak, gravity taken off */
    double peak_mps2;
    int64_t start_us;   /* NEVER: no shock */
    int64_t last_us;
    uint32_t samples;
    bool has_fallen;
} parked_impact_t;

/* A raw sample that came `step_us` after the last. `fall_us`: when the box was last weightless. */
void parked_impact_step(parked_impact_t *self, const tbox_parked_rule_t *rule, const world_t *world,
                        const parked_t *parked, const imu_sample_t *sample, int64_t step_us, int64_t fall_us);

/* Time passes: tells what has come to rest. `rotation` turns sensor axes to the vehicle's; NULL: not known. */
void parked_impact_settle(parked_impact_t *self, const world_t *world, parked_t *parked, const double calm[3],
                          const double *rotation);

/* tow.c */
typedef struct {
    double tilt_cosine;
    double from_lat_deg; /* where the motion began */
    double from_lon_deg;
    int64_t tilted_us;   /* NEVER: it is not */
    int64_t moving_us;   /* NEVER: it does not */
    bool is_told;        /* once each time it is parked */
} tow_t;

void tow_init(tow_t *self, const tbox_tow_rule_t *rule);

/* A second has passed. `calm` NULL: nothing is felt; `mps` the fastest that anything tells, NaN: nothing does. */
void tow_step(tow_t *self, const tbox_tow_rule_t *rule, const world_t *world, parked_t *parked, const double *calm,
              double mps, uint8_t source);

#endif
