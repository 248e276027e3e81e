/* Bytes read as a setup and a drive: every kind of input, times forward, backward and over holes, numbers up to NaN and
 * infinity; and, so that rules have something to find, stretches of driving, stands, bends and blows. */
#ifndef TBOX_TEST_WILD_H
#define TBOX_TEST_WILD_H

#include "bytes.h"
#include "tbox.h"

enum { WILD_MESSAGES = 4, WILD_CUTS = 20, WILD_INPUTS = 1600 };

typedef struct {
    tbox_message_t messages[WILD_MESSAGES];
    tbox_cut_t cuts[WILD_CUTS];
    tbox_setup_t setup; /* its table points above */
    tbox_input_t inputs[WILD_INPUTS];
    size_t count;
    int64_t t_us;
    double mps; /* how fast the car goes at the moment */
    double odometer_m;
    double lat_deg; /* where it is */
} wild_t;

/* A table that is sound more often than not. */
void wild_table(wild_t *self, bytes_t *bytes);

/* What a drive begins with: rules of any strictness, any powertrain, mounted or not, a small ring or none; the rules that watch
 * the car and the box, or not; a table. Returns a number for choices that are not the drive's. */
uint32_t wild_head(wild_t *self, bytes_t *bytes);

/* One happening: a byte that says which and how long after the one before, and what it needs. A few inputs. */
void wild_record(wild_t *self, bytes_t *bytes);

/* Records until the bytes are used up or there is no more room. */
void wild_drive(wild_t *self, bytes_t *bytes);

#endif
