/* The table as the feed reads it: laid out once by `tbox_init`, in the core's memory, so that a frame costs little.
 *
 * The same answers as tbox_table_find and tbox_table_decode, to the bit (tests/native/alike.c). A frame is found by a
 * hash of its identifier. Where a message has no multiplexer and no floats, a cut is a load, a shift, three operations on
 * the bits, a multiplication and an addition; all others go through tbox_table_decode.
 */
#ifndef TBOX_PLAN_H
#define TBOX_PLAN_H

#include <stddef.h>

#include "table.h"

/* value = (((word >> shift) & mask) ^ sign) - sign, times scale, plus offset */
typedef struct {
    double scale;
    double offset;
    uint64_t mask;
    uint64_t sign;  /* its sign bit; 0: unsigned */
    uint32_t word;  /* which of the frame's words: 8 bytes from each 4th on, little-endian, then big-endian */
    uint32_t shift;
} plan_cut_t;

typedef struct {
    uint32_t id;
    uint32_t first;     /* its first cut */
    uint32_t first_fed; /* its first cut that feeds the catalogue, in plan_t.fed */
    uint16_t count;
    uint16_t count_fed;
    uint8_t channel;
    uint8_t length;
    uint8_t words;      /* pairs of words that its cuts lie in; 0: decoded by tbox_table_decode */
} plan_message_t;

typedef struct {
    const tbox_table_t *table;
    const plan_message_t *messages;
    const plan_cut_t *cuts;
    const uint32_t *fed;  /* cuts that feed the catalogue, message by message */
    const int32_t *slots; /* message by hash of its identifier, linear probing; -1: none */
    uint32_t slots_mask;
    uint32_t slots_shift;
} plan_t;

/* Bytes a plan of this table takes, a multiple of 8. */
size_t plan_bytes(const tbox_table_t *table);

/* Lays the plan of a table that tbox_table_check trusts out in `memory`, aligned to 8 bytes. Keeps both. */
void plan_init(plan_t *self, void *memory, const tbox_table_t *table);

/* As tbox_table_find. */
int32_t plan_find(const plan_t *self, uint8_t channel, uint32_t id);

/* As tbox_table_decode, into `out` only the cuts that feed the catalogue (of the others at most, in any order). `data`
 * are 64 bytes, whatever `length` says. */
int32_t plan_decode(const plan_t *self, int32_t message, const uint8_t *data, uint8_t length, tbox_decoded_t *out,
                    uint32_t room);

#endif
