/* Rollover (DETECTION, "rollover"). Two rules, and the event says which decided.
 *
 * With a gyro (TBOX_RULE_ROLL): where up is, is carried on by the angular rates (du/dt = u x w on the sensor's axes), as gravity cannot
 * be told from the motion while rolling; only a calm force draws it back, over 8 s. More than 45 degrees off where up is
 * in driving, for 1 s, while moving. Without (TBOX_RULE_ATTITUDE): more than 60 degrees off for 3 s, at rest after moving. Where up is in driving is
 * learnt there, so it needs no mounting; a box that is moved when the car has come to rest upright is learnt anew. */
#ifndef TBOX_ROLLOVER_H
#define TBOX_ROLLOVER_H

#include "alarm.h"
#include "imu.h"

typedef struct {
    double roll_cosine;
    double attitude_cosine;
    double usual[3];     /* up in driving, slow mean of force */
    double usual_s;      /* how much time it holds */
    double now[3];       /* up, carried on by the gyro; unit vector */
    double least;        /* cosine of the largest angle since the run over the threshold began */
    int64_t t_us;        /* last sample; NEVER */
    int64_t moved_us;    /* last known to move; NEVER */
    int64_t upright_us;  /* last known to move upright; NEVER */
    double upright_mps;  /* the speed then */
    int64_t rolled_us;   /* over the gyro's threshold since; NEVER: it is not */
    int64_t lying_us;    /* over the attitude's threshold since; NEVER: it does not */
    int64_t stood_us;    /* at rest upright since; NEVER: it is not */
    bool has_stood;      /* it came to rest upright: what tilts it afterwards is no rollover */
    bool is_down;        /* told: not again until upright */
} rollover_t;

void rollover_init(rollover_t *self, const tbox_rollover_rule_t *rule);

/* A raw sample; `calm` is the calm force, `mps` the speed now, NaN where nobody tells it. When it was last upright, where a rollover
 * has just been told; else NEVER. */
int64_t rollover_step(rollover_t *self, const tbox_rollover_rule_t *rule, const world_t *world,
                      const imu_sample_t *sample, const double calm[3], double mps);

#endif
