/* The core's inside: one struct that holds every room's state, and the doors between the files that work on it. */
#ifndef TBOX_CORE_H
#define TBOX_CORE_H

#include "checks.h"
#include "crash.h"
#include "grade.h"
#include "harsh.h"
#include "idling.h"
#include "imu.h"
#include "loss.h"
#include "mounting.h"
#include "plan.h"
#include "queue.h"
#include "ring.h"
#include "signal.h"
#include "speed.h"
#include "speeding.h"
#include "tbox.h"
#include "totals.h"
#include "watch.h"

/* Values of specific force that come one by one, until they make a sample. */
typedef struct {
    double number[IMU_AXES];
    int64_t t_us;
    uint8_t seen;  /* bit per axis that ever came */
    uint8_t fresh; /* bit per axis that came since the last sample */
} parts_t;

/* What lateral acceleration is estimated from where no solved IMU tells it. */
typedef struct {
    double yaw_radps;       /* the car's own sensor, calmed */
    int64_t yaw_us;         /* NEVER: not told */
    double gyro_bias_radps; /* about up, learnt at stands */
    double course_deg;      /* where the open step of the course began */
    int64_t course_us;
} lateral_t;

/* About the engine: nothing new; its speed or the ignition came with this input; the ignition alone says that it runs, so
 * it was last known to run just now. */
enum { ENGINE_OLD, ENGINE_TOLD, ENGINE_FOLLOWS };

struct tbox_core {
    tbox_setup_t setup;
    tbox_counters_t counters;
    queue_t queue;
    ring_t ring;
    plan_t plan;
    double values[PLAN_CUTS]; /* of the frame being taken */
    checks_t checks;
    signals_t signals;
    speed_t car;  /* the car's own speed */
    speed_t gnss; /* the receiver's, used where the car's is silent */
    totals_t totals;
    imu_t imu;
    parts_t parts;
    mounting_t mounting;
    grade_t grade;
    harsh_t braking;
    harsh_t acceleration;
    harsh_t cornering;
    idling_t idling;
    speeding_t speeding;
    crash_t crash;
    loss_t loss;
    lateral_t lateral;
    watch_t watch;
    reading_t forward; /* the last estimates, for samples */
    reading_t left;
    int64_t now_us;    /* NEVER: no input yet */
    int64_t second_us; /* the next whole second */
    int64_t engine_last_us; /* when the engine was last known to run; NEVER: not yet */
    int64_t judged_row_us;  /* time of the speed row judged last; an older one of another sensor is not judged again */
    uint8_t engine_news;
    bool is_finished;
};

/* input.c: what an input says, signal by signal; frames are frame.c's. */
void input_take(tbox_core_t *self, const tbox_input_t *input);
void input_value(tbox_core_t *self, uint32_t signal, int64_t t_us, double value);

/* frame.c: a frame, found, checked, decoded. */
void frame_take(tbox_core_t *self, const tbox_input_t *input);

/* moment.c: what is known at a moment. */
void moment_tell(const tbox_core_t *self, int64_t t_us, tbox_sample_t *out);
uint8_t moment_engine(const tbox_core_t *self, int64_t t_us);
int64_t moment_engine_last(const tbox_core_t *self, int64_t t_us);
double moment_limit(const tbox_core_t *self, int64_t t_us);
const speed_t *moment_speed(const tbox_core_t *self, int64_t t_us);
world_t moment_world(tbox_core_t *self, int64_t t_us);

/* motion.c: acceleration on vehicle axes, from whatever tells it best, handed to the harsh rules. */
bool motion_imu_judges(const tbox_core_t *self, int64_t t_us);
void motion_by_row(tbox_core_t *self, const world_t *world);
void motion_by_force(tbox_core_t *self, const world_t *world);
void motion_feel(tbox_core_t *self, const imu_sample_t *sample);
void motion_by_yaw(tbox_core_t *self, int64_t t_us, double yaw_radps);
void motion_by_course(tbox_core_t *self, int64_t t_us, double course_deg);
void motion_block(tbox_core_t *self, const world_t *world, int64_t crash_us);

/* judge.c: every rule, each when something came that it judges by. */
void judge_init(tbox_core_t *self);
void judge_row(tbox_core_t *self, const speed_t *speed, speed_row_t row);
void judge_force(tbox_core_t *self, const imu_sample_t *sample);
void judge_second(tbox_core_t *self, int64_t t_us);
void judge_end(tbox_core_t *self);

/* watch.c: the rules that watch the car and the box. */
#define WATCHED_SIGNALS                                                                                                   \
    (1U << TBOX_RPM | 1U << TBOX_IGNITION | 1U << TBOX_COOLANT | 1U << TBOX_BATTERY | 1U << TBOX_FUEL                       \
     | 1U << TBOX_ODOMETER | 1U << TBOX_LON)
void watch_init(tbox_core_t *self);
void watch_value(tbox_core_t *self, uint32_t signal, int64_t t_us, double value);
void watch_row(tbox_core_t *self, const world_t *world, speed_row_t row);
void watch_force(tbox_core_t *self, const world_t *world, const imu_sample_t *sample);
void watch_second(tbox_core_t *self, int64_t t_us);
void watch_end(tbox_core_t *self);
void watch_tell(const tbox_core_t *self, tbox_sample_t *out);

#endif
