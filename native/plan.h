/* The table as the feed reads it: laid out once by `tbox_init`, in the core's memory, so that a frame costs little.
 *
 * The same answers as tbox_table_find and tbox_table_decode, to the bit (tests/test_native_runner.py). A frame is found by a
 * hash of its identifier. Where a message has no multiplexer and no floats, a cut is a rotation, a mask, a
 * multiplication and an addition; all others go through tbox_table_decode.
 */
#ifndef TBOX_PLAN_H
#define TBOX_PLAN_H

#include <stddef.h>
#include <string.h>

#include "bits.h"

enum { PLAN_CUTS = 64 /* more in one message are decoded by tbox_table_decode */, PLAN_WORDS = 15, PLAN_STEP = 4 };

/* value = ((word rotated right) & mask) * scale + offset. The rotation leaves the number times a power of two: signed at
 * the top of the word, else just below its sign; the scale makes up for it, which changes no bit of the product. */
typedef struct {
    double scale;
    double offset;
    uint64_t mask;
    uint32_t word;  /* which of the frame's words: 8 bytes from each 4th on, little-endian, then big-endian */
    uint32_t right;
} plan_cut_t;

/* A cut that feeds the catalogue. */
typedef struct {
    double min;
    double max;
    uint16_t cut; /* within its message */
    uint16_t signal;
    bool has_valid; /* another cut says whether it is valid */
} plan_fed_t;

/* A message, in its slot. */
typedef struct {
    const plan_cut_t *cuts;
    const plan_cut_t *cuts_end; /* an even number of them: the last may stand for nothing */
    const plan_fed_t *fed;
    uint32_t id;
    int32_t index;   /* in the table; PLAN_NONE: the slot is free */
    uint16_t fed_count;
    uint8_t channel;
    uint8_t length;
    uint8_t words;   /* pairs of words that its cuts lie in */
    bool is_plain;   /* else it is decoded by tbox_table_decode */
    bool is_checked; /* it has a counter or a checksum */
    uint8_t simple_length; /* of one pair and not checked: its length; else, and in a free slot, more than any frame has */
} plan_message_t;

typedef struct {
    const tbox_table_t *table;
    const plan_message_t *slots; /* by a hash of the identifier, linear probing */
    uint32_t slots_mask;
    uint32_t slots_shift;
    uint32_t multiplier; /* of the hash */
} plan_t;

#define PLAN_NONE (-1)

/* Bytes a plan of this table takes, a multiple of 8. */
size_t plan_bytes(const tbox_table_t *table);

/* Lays the plan of a table that tbox_table_check trusts out in `memory`, aligned to 8 bytes. Keeps both. */
void plan_init(plan_t *self, void *memory, const tbox_table_t *table);

/* As tbox_table_find; NULL when there is none. */
const plan_message_t *plan_seek(const plan_t *self, uint8_t channel, uint32_t id);

static inline bool plan_fits(const plan_message_t *message, uint8_t channel, uint32_t id)
{
    return message->id == id && (message->channel == channel || message->channel == TBOX_ANY_CHANNEL);
}

/* Where the search for an identifier begins, and nearly always ends. */
static inline const plan_message_t *plan_first(const plan_t *self, uint32_t id)
{
    return &self->slots[id * self->multiplier >> self->slots_shift];
}

/* Whether an identifier whose search begins here is surely unknown, as most are on a bus of which little is wanted. */
static inline bool plan_is_alone(const plan_message_t *first, uint32_t id)
{
    return first->index == PLAN_NONE && !(id & TBOX_EXTENDED) && !table_is_answer(id);
}

static inline uint64_t plan_word(const uint8_t *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

static inline uint64_t plan_rotated(uint64_t word, uint32_t right)
{
    return word >> right | word << (-right & 63U);
}

/* The cast takes two's complement as it is: gcc and clang promise it. */
static inline double plan_value(const plan_cut_t *cut, const uint64_t *words)
{
    return (double)(int64_t)(plan_rotated(words[cut->word], cut->right) & cut->mask) * cut->scale + cut->offset;
}

/* Two at a time, which spares half of the loop's own work. */
static inline void plan_values(const plan_message_t *message, const uint64_t *words, double *values)
{
    for (const plan_cut_t *cut = message->cuts; cut != message->cuts_end; cut += 2, values += 2) {
        values[0] = plan_value(cut, words);
        values[1] = plan_value(cut + 1, words);
    }
}

/* As tbox_table_decode, the values of all cuts of a plain message, in their order, unchecked. `data` are 64 bytes,
 * whatever the frame's length; `values` has room for PLAN_CUTS. */
static inline void plan_decode(const plan_message_t *message, const uint8_t *data, double *values)
{
    uint64_t words[2 * PLAN_WORDS];

    for (uint32_t i = 0; i < message->words; i++) {
        words[2U * i] = plan_word(&data[PLAN_STEP * i]);
        words[2U * i + 1U] = __builtin_bswap64(words[2U * i]);
    }
    plan_values(message, words, values);
}

/* The same where all cuts lie in the first eight bytes. */
static inline void plan_decode_short(const plan_message_t *message, const uint8_t *data, double *values)
{
    const uint64_t words[2] = {plan_word(data), __builtin_bswap64(plan_word(data))};

    plan_values(message, words, values);
}

#endif
