/* The satellites are lost while driving (DETECTION, "gnss_loss", "gnss_jamming").
 *
 * Loss: no fix for more than 120 s of moving, by the car's own speed, where fixes came before. Jamming: a loss that began with
 * a collapse (TBOX_RULE_QUALITY: over the last fixes the satellites fell under half of the usual, to 4 or less, or HDOP
 * rose over three times the usual, to 5 or more, or carrier-to-noise fell 8 dB under the usual; a tunnel cuts off at once), or whose first fixes afterwards agree on a
 * place that nobody can have driven to (TBOX_RULE_JUMP). */
#ifndef TBOX_GNSS_H
#define TBOX_GNSS_H

#include "alarm.h"

typedef struct {
    double lat_deg;        /* last fix */
    double lon_deg;
    double sats;           /* usual ones, slow mean */
    double hdop;
    double cn0_dbhz;
    double told_cn0_dbhz;  /* by the fix that is being taken; NaN */
    uint32_t fixes;        /* so far */
    uint32_t collapsed;    /* of the last ones in a row, how many were bad */
    int64_t fix_us;        /* last fix; NEVER */
    int64_t moved_us;      /* since the fix */
    int64_t covered_us;    /* of the time since the fix, how much the car's own speed tells */
    double way_m;          /* since the fix */
    double far_lat_deg;    /* a place nobody can have driven to */
    double far_lon_deg;
    uint32_t far;          /* how many fixes agree on it */
    bool is_told;
    bool is_jam_told;
} gnss_t;

/* What a fix says of itself; NaN: nothing. */
typedef struct {
    int64_t t_us;
    double lat_deg;
    double lon_deg;
    double sats;
    double hdop;
    double cn0_dbhz; /* mean of the four loudest satellites */
} gnss_fix_t;

void gnss_init(gnss_t *self);

/* A stretch of `whole_us` between two rows of the car's own speed. */
void gnss_drive(gnss_t *self, const tbox_gnss_rule_t *rule, const world_t *world, int64_t whole_us, int64_t moved_us,
                double way_m);

void gnss_fix(gnss_t *self, const tbox_gnss_rule_t *rule, const world_t *world, const gnss_fix_t *fix);

#endif
