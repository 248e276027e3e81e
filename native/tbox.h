/* tbox: from what the car says to how it is driven.
 *
 * The core has no malloc, no clock, no global, no I/O and no callback. The caller owns all memory: ask `tbox_size` how
 * much a setup needs, hand that much (aligned to 16 bytes) to `tbox_init`, and drop it whenever you like. A core is used
 * by one thread at a time. Time is an argument: microseconds of one monotonic axis.
 *
 *     feed   a batch of inputs in order; stops when its queue of outputs is full and says how many it used
 *     next   the oldest output: an event, a sample (one per second), a calibration
 *     snapshot, counters, freeze   what is known now; what was counted; the last seconds, raw
 *     told   how old each of that is
 *     alarm  whether a crash may have begun: whoever keeps evidence begins then, not when it is sure
 *
 * Inputs of several sources may be a little out of order: each signal keeps its own times, older values are counted and
 * not used. Feeding a batch whole or input by input gives the same outputs. Doubles without contraction and `sqrt` are all the
 * arithmetic there is, so every machine gives the same bits. Axes are ISO 8855: x forward, y left, z up; acceleration is
 * specific force (level at rest: z = +9.80665 m/s2).
 */
#ifndef TBOX_H
#define TBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

/* cdef: begin */

/* The signal catalogue: config/signals.toml says unit, range and VSS name of each, in this order. */
enum {
    TBOX_SPEED,      /* m/s */
    TBOX_RPM,        /* 1/min */
    TBOX_THROTTLE,   /* % */
    TBOX_LOAD,       /* % */
    TBOX_BRAKE,      /* 0 or 1 */
    TBOX_COOLANT,    /* degrees C */
    TBOX_FUEL,       /* % */
    TBOX_BATTERY,    /* V */
    TBOX_ODOMETER,   /* m */
    TBOX_IGNITION,   /* 0 or 1; electric: ready */
    TBOX_ACCEL_X,    /* m/s2, specific force, on the sensor's axes */
    TBOX_ACCEL_Y,
    TBOX_ACCEL_Z,
    TBOX_GYRO_X,     /* rad/s */
    TBOX_GYRO_Y,
    TBOX_GYRO_Z,
    TBOX_LAT,        /* degrees, WGS 84 */
    TBOX_LON,
    TBOX_GNSS_SPEED, /* m/s */
    TBOX_COURSE,     /* degrees from north, clockwise */
    TBOX_HDOP,
    TBOX_SATS,
    TBOX_SPEED_LIMIT, /* m/s */
    TBOX_YAW_RATE,   /* rad/s, + to the left, the car's own sensor */
    TBOX_AIRBAG,     /* 0 or 1: deployed */
    TBOX_SIGNALS     /* how many there are */
};

/* ---- inputs: one tagged shape of 80 bytes, whatever the source -------------------------------------------------- */

enum {
    TBOX_IN_FRAME, /* id, channel, length, flags and data of a CAN frame */
    TBOX_IN_VALUE, /* id = catalogue signal, number[0] = its value in the catalogue's unit */
    TBOX_IN_IMU,   /* number[0..2] specific force, [3..5] angular rate; flags = bit per number that is there */
    TBOX_IN_FIX,   /* number[0..6] = lat, lon, speed, course, hdop, sats, carrier-to-noise of the four loudest (dB-Hz);
                      flags = bit per number that is there; length = 1 when the receiver says it is valid, 0 when void */
    TBOX_IN_TICK   /* only time passes */
};

#define TBOX_FRAME_FD 1
#define TBOX_FRAME_ERROR 2
#define TBOX_FRAME_REMOTE 4

typedef struct {
    int64_t t_us;
    uint32_t id; /* frames: with TBOX_EXTENDED */
    uint8_t kind;
    uint8_t channel;
    uint8_t length;
    uint8_t flags;
    union {
        uint8_t data[64];
        double number[8];
    } u;
} tbox_input_t;

/* ---- rules: times in microseconds, the rest in SI units; DETECTION names the defaults ---------------------------- */

typedef struct {
    double threshold_mps2;
    double release_mps2;
    double medium_mps2;
    double high_mps2;
    double min_speed_mps; /* braking, cornering: at entry; acceleration: at the end; 0 switches the gate off */
    int64_t hold_us;
    int64_t refractory_us;
    bool enabled;
} tbox_harsh_rule_t;

typedef struct {
    double max_speed_mps;
    int64_t hold_us;
    bool enabled;
} tbox_idling_rule_t;

typedef struct {
    double limit_mps; /* used where no input says the limit; 0: none */
    double margin_mps;
    double hysteresis_mps;
    int64_t hold_us;
    bool enabled;
} tbox_speeding_rule_t;

typedef struct {
    double threshold_mps2;  /* horizontal specific force that triggers */
    double delta_v_mps;     /* confirms, within 150 ms */
    double medium_mps;      /* severity by delta-v */
    double high_mps;
    double lock_mps;        /* delta-v at which the evidence is locked */
    double speed_loss_mps2; /* without IMU: loss that triggers */
    int64_t hold_us;
    int64_t confirm_us;
    bool enabled;
} tbox_crash_rule_t;

/* A level that is passed and held: engine speed (1/min), voltage (V, passed downwards) or coolant (degrees C). */
typedef struct {
    double threshold;  /* over_rev: 0 switches the rule off */
    double hysteresis; /* it ends so much on the other side */
    int64_t hold_us;
    bool enabled;
} tbox_level_rule_t;

typedef struct {
    double limit_rpm; /* 0 switches the rule off */
    double coolant_c; /* colder than this it holds */
    int64_t hold_us;
    bool enabled;
} tbox_cold_rule_t;

typedef struct {
    int64_t driving_us; /* driving without a rest that is too long ... */
    int64_t warning_us; /* ... and when it is told that it soon will be */
    int64_t rest_us;    /* a stand this long in one piece is a rest */
    bool enabled;
} tbox_fatigue_rule_t;

typedef struct {
    double roll_deg;     /* by the gyro, while moving */
    double attitude_deg; /* by gravity, at rest after moving */
    int64_t roll_hold_us;
    int64_t attitude_hold_us;
    bool enabled;
} tbox_rollover_rule_t;

typedef struct {
    double threshold_mps2;
    bool enabled;
} tbox_parked_rule_t;

typedef struct {
    double tilt_deg;
    double min_speed_mps;
    int64_t hold_us;
    bool enabled;
} tbox_tow_rule_t;

typedef struct {
    double threshold_pct;
    int64_t settle_us; /* values lie together so long before they are a level */
    bool enabled;
} tbox_fuel_rule_t;

typedef struct {
    double jump_m;     /* farther than it can have driven by so much: a jump */
    int64_t hold_us;   /* moving without a fix for longer: a loss */
    bool loss_enabled;
    bool jamming_enabled;
} tbox_gnss_rule_t;

/* The account of driving and rest: a sample tells it, and the setup of a later run takes it, so that it outlives a restart. */
typedef struct {
    int64_t driven_us;  /* driven since the last rest */
    int64_t rest_us;    /* how long the present stand lasts, as far as it is known; 0: it moves */
    int64_t gone_us;    /* setup: time since this was told, -1: not known; sample: 0 */
    double odometer_m;  /* the car's odometer now; NaN: not known */
    double lat_deg;     /* where it is; NaN: not known */
    double lon_deg;
    bool is_unsure;     /* in the time driven lies a hole of a rest's length, in the midst of driving */
    bool may_have_rested; /* ... and one at a stand: nothing is judged until the next rest */
    bool is_there;      /* setup: there is an account to go on from */
} tbox_rest_t;

enum { TBOX_COMBUSTION, TBOX_HYBRID, TBOX_ELECTRIC };

typedef struct {
    tbox_table_t table;
    tbox_harsh_rule_t braking;
    tbox_harsh_rule_t acceleration;
    tbox_harsh_rule_t cornering;
    tbox_idling_rule_t idling;
    tbox_speeding_rule_t speeding;
    tbox_crash_rule_t crash;
    double rotation[9];   /* a stored calibration, sensor to vehicle, row-major; used when has_rotation */
    int64_t ring_us;      /* the ring keeps at least this much ... */
    uint32_t ring_bytes;  /* ... and is this big; 0: no ring */
    uint8_t powertrain;
    bool mounted;         /* the IMU's axes are the vehicle's: nothing to solve */
    bool has_rotation;
    tbox_level_rule_t over_rev;
    tbox_cold_rule_t cold_rev;
    tbox_fatigue_rule_t fatigue;
    tbox_rollover_rule_t rollover;
    tbox_parked_rule_t parked_impact;
    tbox_tow_rule_t tow;
    tbox_level_rule_t low_battery;
    tbox_level_rule_t unplugged;
    tbox_level_rule_t overheat;
    tbox_fuel_rule_t refuel;
    tbox_fuel_rule_t fuel_drop;
    tbox_gnss_rule_t gnss;
    tbox_rest_t rest;
} tbox_setup_t;

/* ---- outputs ------------------------------------------------------------------------------------------------------ */

enum {
    TBOX_HARSH_BRAKING,
    TBOX_HARSH_ACCELERATION,
    TBOX_HARSH_CORNERING,
    TBOX_IDLING,
    TBOX_SPEEDING,
    TBOX_CRASH,
    TBOX_IMPACT, /* a crash trigger that nothing confirmed */
    TBOX_OVER_REV,
    TBOX_COLD_REV,
    TBOX_FATIGUE_WARNING,
    TBOX_FATIGUE,
    TBOX_ROLLOVER,
    TBOX_PARKED_IMPACT,
    TBOX_TOW,
    TBOX_LOW_BATTERY,
    TBOX_UNPLUGGED,
    TBOX_POWER_CUT, /* told by the daemon at its next start, never by the core */
    TBOX_OVERHEAT,
    TBOX_REFUEL,
    TBOX_FUEL_DROP,
    TBOX_GNSS_LOSS,
    TBOX_GNSS_JAMMING,
    TBOX_EVENTS /* how many kinds there are */
};

enum { TBOX_LOW, TBOX_MEDIUM, TBOX_HIGH };
enum { TBOX_NO_SIDE, TBOX_LEFT, TBOX_RIGHT, TBOX_FRONT, TBOX_REAR };

#define TBOX_BY_SPEED 1
#define TBOX_BY_IMU 2
#define TBOX_BY_GNSS 4
#define TBOX_BY_VEHICLE 8 /* another signal of the car, or of its supply */

/* Which of a rule's ways decided. */
enum {
    TBOX_NO_RULE,
    TBOX_RULE_ROLL,     /* rollover: the gyro, integrated */
    TBOX_RULE_ATTITUDE, /* rollover: gravity, at rest */
    TBOX_RULE_TILT,     /* tow: another attitude */
    TBOX_RULE_MOTION,   /* tow: it moves */
    TBOX_RULE_QUALITY,  /* gnss_jamming: the receiver's own word collapsed before the loss */
    TBOX_RULE_JUMP,     /* gnss_jamming: a place that nobody can have driven to */
    TBOX_RULES
};

#define TBOX_DV_CLIPPED 1 /* saturated samples: delta_v is a lower bound */
#define TBOX_LOCKED 2     /* severe enough that its evidence may not be overwritten */

/* Numbers that are not known are NaN. */
typedef struct {
    int64_t start_us;    /* first sample at or over the threshold */
    int64_t end_us;      /* last sample before release */
    double peak_mps2;    /* a size; where no acceleration decides: NaN */
    double entry_mps;    /* speed at start_us */
    double exit_mps;     /* speed at end_us */
    double delta_v_mps;  /* exit - entry; crash: size of the largest horizontal change within 250 ms */
    double delta_v_s;    /* crash: when it was reached, after start_us; else NaN */
    double confidence;   /* 0..1 */
    double lat_deg;
    double lon_deg;
    uint8_t kind;
    uint8_t severity;
    uint8_t direction;   /* cornering: left or right; crash, parked_impact: the side the blow came from */
    uint8_t sources;     /* TBOX_BY_*: those that agree */
    uint8_t flags;
    uint8_t rule;        /* TBOX_RULE_*: where a rule has several ways, the one that decided */
    double value;        /* what decided, where that is no acceleration: 1/min, V, degrees C, %, degrees, seconds driven or
                            moved without a fix, m/s or degrees of a tow, metres of a jump; NaN: nothing does */
} tbox_event_t;

/* What is known at one moment, and totals that only ever grow: a trip is the difference of two samples. */
typedef struct {
    double value[TBOX_SIGNALS]; /* NaN: never told, or stale */
    double forward_mps2;        /* estimated, on vehicle axes, the road's slope taken off; NaN: not enough quality */
    double left_mps2;
    double distance_m;          /* trapezoid over true receive times, not across holes */
    double over_limit_m;
    int64_t over_limit_us;
    int64_t limit_known_us;
    int64_t moving_us;          /* at 1 km/h or faster */
    int64_t idle_us;            /* engine runs, slower than 1 km/h */
    int64_t judged_us;          /* moving, with enough quality to judge harsh driving */
    int64_t motion_last_us;     /* when it last moved at 1 km/h or faster; INT64_MIN: never */
    int64_t engine_last_us;     /* when the engine was last known to run; INT64_MIN: never */
    double max_speed_mps;       /* highest since the sample before this one; NaN: no speed */
    uint8_t engine;             /* 0 unknown, 1 off, 2 runs */
    int64_t fatigue_us;         /* driven without a rest beyond what the fatigue rule allows; only grows */
    tbox_rest_t rest;
} tbox_sample_t;

typedef struct {
    double gravity[3];  /* unit vector of specific force at rest, sensor axes: it points up */
    double rotation[9]; /* sensor to vehicle, row-major: rotation x gravity = (0, 0, 1) */
    double quality;     /* 0..1 */
} tbox_calibration_t;

enum { TBOX_OUT_EVENT, TBOX_OUT_SAMPLE, TBOX_OUT_CALIBRATION };

typedef struct {
    int64_t t_us; /* sample: a whole second; calibration: when solved; event: when sure. A crash by its change of speed is
                     sure after 0.25 s, a harsh event after its refractory time; idling, speeding, over_rev and cold_rev at
                     their end; the others as soon as their hold is over: their end_us is then */
    union {
        tbox_event_t event;
        tbox_sample_t sample;
        tbox_calibration_t calibration;
    } u;
    uint8_t kind;
} tbox_output_t;

/* Why a frame was not used. */
enum {
    TBOX_REJECTED_SHORT,
    TBOX_REJECTED_ERROR,
    TBOX_REJECTED_REMOTE,
    TBOX_REJECTED_BAD_LENGTH,
    TBOX_REJECTED_CHECKSUM, /* of a message that the vehicle map checks */
    TBOX_REJECTED_COUNTER,  /* the same: it stood still or went back */
    TBOX_REJECTIONS
};

/* Why a value was not used. */
enum {
    TBOX_VALUE_INVALID,     /* out of its limits, its validity signal 0, not finite */
    TBOX_VALUE_LATE,        /* older than what was already used of this signal */
    TBOX_VALUE_TWIN,        /* a second answer within a fraction of the refresh */
    TBOX_VALUE_IMPOSSIBLE,  /* a slope no car has */
    TBOX_VALUE_NONSENSE,    /* an absent sensor's constant */
    TBOX_VALUE_REASONS
};

/* Why something that looked like an event was none, or could not be judged. */
enum {
    TBOX_NOT_CRASH_VERTICAL,   /* pothole, bump */
    TBOX_NOT_CRASH_HANDLED,    /* at standstill: the box was handled, a door slammed */
    TBOX_NOT_CRASH_SHORT,      /* one bad sample */
    TBOX_NOT_CRASH_NO_GRAVITY, /* the sensor made no sense before */
    TBOX_NOT_CRASH_SLOW_REFRESH, /* refresh_too_slow: speed alone cannot tell */
    TBOX_NOT_HARSH_SLOW,       /* under its speed gate */
    TBOX_NOT_HARSH_SHORT,      /* not held */
    TBOX_NOT_HARSH_DISAGREES,  /* speed contradicts the IMU */
    TBOX_NOT_FATIGUE_UNKNOWN,  /* driven long enough, but nobody knows whether it rested */
    TBOX_NOT_PARKED_SHORT,     /* one bad sample */
    TBOX_NOT_PARKED_HANDLED,   /* the box was moved, shaken or dropped in a parked car */
    TBOX_JUDGEMENTS
};

/* frames_in = decoded + unmapped + sum(rejected) */
typedef struct {
    uint64_t frames_in;
    uint64_t decoded;
    uint64_t unmapped;
    uint64_t rejected[TBOX_REJECTIONS];
    uint64_t values[TBOX_VALUE_REASONS];
    uint64_t judgements[TBOX_JUDGEMENTS];
    uint64_t inputs;
} tbox_counters_t;

/* What whoever keeps evidence must know at any moment. */
typedef struct {
    int64_t blow_us; /* time zero of a blow that is being measured or waits to be confirmed, where no IMU tells, the begin
                        of a loss of speed; INT64_MIN: there is none */
    uint64_t ringed; /* bytes that the ring ever took */
} tbox_alarm_t;

typedef struct tbox_core tbox_core_t;

/* ---- verbs ---------------------------------------------------------------------------------------------------------- */

/* Bytes `tbox_init` needs for this setup. */
size_t tbox_size(const tbox_setup_t *setup);

/* Makes a core in `memory` (16-byte aligned, tbox_size bytes). The setup is copied, the table's arrays are not: they
 * must outlive the core. NULL when the size or the table is wrong. */
tbox_core_t *tbox_init(void *memory, size_t size, const tbox_setup_t *setup);

/* Takes inputs in order; returns how many were used. Fewer than `count` means the queue of outputs is full: take them
 * with `tbox_next` and feed the rest. A second that ends makes a sample; after 12 s without input the seconds up to the
 * next input are skipped, the last one excepted. */
size_t tbox_feed(tbox_core_t *self, const tbox_input_t *inputs, size_t count);

/* The oldest output; false when there is none. */
bool tbox_next(tbox_core_t *self, tbox_output_t *out);

/* The input ends here: closes open events, as of the last input's time, into the queue; `tbox_snapshot` has the totals. Feed nothing afterwards. Returns
 * false when the queue was full: take outputs and call again. */
bool tbox_finish(tbox_core_t *self);

/* What is known at the last input's time. */
void tbox_snapshot(const tbox_core_t *self, tbox_sample_t *out);

/* When each catalogue signal was told last, in time of the inputs; INT64_MIN: never. `out` has TBOX_SIGNALS places. */
void tbox_told(const tbox_core_t *self, int64_t *out);

void tbox_counters(const tbox_core_t *self, tbox_counters_t *out);

/* Copies the ring, oldest first, as records of {int64 t_us, uint32 id, uint8 kind, channel, length, flags, payload padded
 * to 8 bytes}; at most `room` bytes, the newest ones. Returns the bytes written. */
size_t tbox_freeze(const tbox_core_t *self, uint8_t *out, size_t room);

/* Whether a crash may have begun. What came since an earlier call is in the ring's newest bytes, as many as `ringed` grew by
 * (`tbox_freeze` with exactly this room), as long as the ring is as big. */
void tbox_alarm(const tbox_core_t *self, tbox_alarm_t *out);

/* cdef: end */

#endif
