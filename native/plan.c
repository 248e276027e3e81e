/* The table as the feed reads it. */
#include "plan.h"

#include <float.h>
#include <string.h>

#include "bits.h"

enum { WORD_BITS = 64, WORD_STEP = 4, WORDS_MOST = 15, CUTS_MOST = 64, SLOTS_LEAST_LOG2 = 3 };

#define HASH UINT32_C(0x9E3779B1) /* 2^32 / golden ratio (Knuth, TAOCP 3, 6.4) */
#define WORD_MOST 1.8446744073709552e19
#define NO_MESSAGE (-1)

/* ---- layout -------------------------------------------------------------------------------------------------------- */

/* Twice as many slots as messages, a power of two. */
static uint32_t slots_log2(const tbox_table_t *table)
{
    uint32_t log2 = SLOTS_LEAST_LOG2;

    while (log2 < 31U && (UINT32_C(1) << log2) / 2U < table->message_count) {
        log2++;
    }
    return log2;
}

static size_t padded(size_t bytes)
{
    return (bytes + 7U) & ~(size_t)7U;
}

size_t plan_bytes(const tbox_table_t *table)
{
    return padded((size_t)table->message_count * sizeof(plan_message_t)) + (size_t)table->cut_count * sizeof(plan_cut_t)
           + padded((size_t)table->cut_count * sizeof(uint32_t)) + ((size_t)1 << slots_log2(table)) * sizeof(int32_t);
}

/* False when the general way must be taken: a float, a cut that lies in none of the words, 64 bits unsigned, numbers that
 * could overflow a double. */
static bool lay_cut(plan_cut_t *self, const tbox_cut_t *cut)
{
    const bool is_big = cut->flags & TBOX_CUT_BIG_ENDIAN;
    const bool is_signed = cut->flags & TBOX_CUT_SIGNED;
    const uint32_t first = is_big ? cut->start_bit ^ 7U : cut->start_bit; /* from the frame's first bit, in its order */
    const uint32_t at = first / (8U * WORD_STEP) < WORDS_MOST ? first / (8U * WORD_STEP) : WORDS_MOST - 1U;
    const uint32_t before = first - 8U * WORD_STEP * at;
    const double scale = cut->scale < 0.0 ? -cut->scale : cut->scale;
    const double offset = cut->offset < 0.0 ? -cut->offset : cut->offset;

    if ((cut->flags & TBOX_CUT_FLOAT) || before + cut->bits > WORD_BITS || (cut->bits == WORD_BITS && !is_signed)
        || !(scale * WORD_MOST + offset <= DBL_MAX)) {
        return false;
    }
    *self = (plan_cut_t){
        .scale = cut->scale,
        .offset = cut->offset,
        .mask = UINT64_MAX >> (WORD_BITS - cut->bits),
        .sign = is_signed ? UINT64_C(1) << (cut->bits - 1U) : 0U,
        .word = 2U * at + (is_big ? 1U : 0U),
        .shift = is_big ? WORD_BITS - before - cut->bits : before,
    };
    return true;
}

/* How many pairs of words the cuts of a message lie in; 0: the general way. */
static uint8_t lay_cuts(plan_cut_t *cuts, const tbox_table_t *table, const tbox_message_t *message)
{
    uint32_t words = 1;

    if (message->kind != TBOX_MESSAGE_PLAIN || message->count > CUTS_MOST) {
        return 0;
    }
    for (uint32_t i = message->first; i < message->first + message->count; i++) {
        if (table->cuts[i].mux_cut != TBOX_ALWAYS || !lay_cut(&cuts[i], &table->cuts[i])) {
            return 0;
        }
        words = cuts[i].word / 2U >= words ? cuts[i].word / 2U + 1U : words;
    }
    return (uint8_t)words;
}

static uint32_t slot_of(const plan_t *self, uint32_t id)
{
    return id * HASH >> self->slots_shift;
}

/* In the order of the table: of one identifier every channel's own message stands before the one for any. */
static void enter(const plan_t *self, int32_t *slots, uint32_t message)
{
    uint32_t at = slot_of(self, self->table->messages[message].id);

    while (slots[at] != NO_MESSAGE) {
        at = (at + 1U) & self->slots_mask;
    }
    slots[at] = (int32_t)message;
}

static uint32_t lay_fed(uint32_t *fed, const tbox_table_t *table, const tbox_message_t *message)
{
    uint32_t count = 0;

    for (uint32_t i = message->first; i < message->first + message->count; i++) {
        if (table->cuts[i].signal != TBOX_NO_SIGNAL) {
            fed[count] = i;
            count++;
        }
    }
    return count;
}

void plan_init(plan_t *self, void *memory, const tbox_table_t *table)
{
    const uint32_t log2 = slots_log2(table);
    plan_message_t *const messages = memory;
    plan_cut_t *const cuts =
        (plan_cut_t *)(void *)((uint8_t *)memory + padded((size_t)table->message_count * sizeof(plan_message_t)));
    uint32_t *const fed = (uint32_t *)(void *)&cuts[table->cut_count];
    int32_t *const slots = (int32_t *)(void *)((uint8_t *)fed + padded((size_t)table->cut_count * sizeof(uint32_t)));
    uint32_t fed_count = 0;

    *self = (plan_t){.table = table, .messages = messages, .cuts = cuts, .fed = fed, .slots = slots,
                     .slots_mask = (UINT32_C(1) << log2) - 1U, .slots_shift = 32U - log2};
    for (uint32_t i = 0; i <= self->slots_mask; i++) {
        slots[i] = NO_MESSAGE;
    }
    for (uint32_t i = 0; i < table->message_count; i++) {
        const tbox_message_t *const message = &table->messages[i];
        const uint32_t fed_here = lay_fed(&fed[fed_count], table, message);

        messages[i] = (plan_message_t){.id = message->id, .first = message->first, .first_fed = fed_count,
                                       .count = message->count, .count_fed = (uint16_t)fed_here,
                                       .channel = message->channel, .length = message->length,
                                       .words = lay_cuts(cuts, table, message)};
        fed_count += fed_here;
        enter(self, slots, i);
    }
}

/* ---- finding ------------------------------------------------------------------------------------------------------- */

static int32_t seek(const plan_t *self, uint8_t channel, uint32_t id)
{
    for (uint32_t at = slot_of(self, id);; at = (at + 1U) & self->slots_mask) {
        const int32_t message = self->slots[at];

        if (message == NO_MESSAGE) {
            return NO_MESSAGE;
        }
        const plan_message_t *const found = &self->messages[message];

        if (found->id == id && (found->channel == channel || found->channel == TBOX_ANY_CHANNEL)) {
            return message;
        }
    }
}

int32_t plan_find(const plan_t *self, uint8_t channel, uint32_t id)
{
    int32_t found = seek(self, channel, id);

    if (found == NO_MESSAGE && (id & TBOX_EXTENDED)) {
        found = seek(self, channel, tbox_table_pgn(id));
    }
    return found != NO_MESSAGE || !table_is_answer(id) ? found : seek(self, channel, TBOX_OBD_ID);
}

/* ---- decoding ------------------------------------------------------------------------------------------------------ */

static uint64_t little_word(const uint8_t *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

/* An int64_t from two's complement: gcc and clang promise it. */
static void decode_cuts(const plan_cut_t *cut, uint32_t count, const uint64_t *words, double *values)
{
    for (uint32_t i = 0; i < count; i++, cut++) {
        const uint64_t raw = words[cut->word] >> cut->shift & cut->mask;

        values[i] = (double)(int64_t)((raw ^ cut->sign) - cut->sign) * cut->scale + cut->offset;
    }
}

static int32_t tell_fed(const plan_t *self, const plan_message_t *message, const uint8_t *data, const double *values,
                        tbox_decoded_t *out)
{
    const tbox_cut_t *const cuts = &self->table->cuts[message->first];

    for (uint32_t i = 0; i < message->count_fed; i++) {
        const uint32_t index = self->fed[message->first_fed + i];
        const double value = values[index - message->first];

        out[i] = (tbox_decoded_t){
            .value = value, .cut = index, .valid = table_is_valid(cuts, &self->table->cuts[index], data, value)};
    }
    return message->count_fed;
}

static int32_t decode(const plan_t *self, const plan_message_t *message, const uint8_t *data, tbox_decoded_t *out)
{
    uint64_t words[2 * WORDS_MOST];
    double values[CUTS_MOST];

    for (uint32_t i = 0; i < message->words; i++) {
        words[2U * i] = little_word(&data[WORD_STEP * i]);
        words[2U * i + 1U] = __builtin_bswap64(words[2U * i]);
    }
    decode_cuts(&self->cuts[message->first], message->count, words, values);
    return message->count_fed == 0U ? 0 : tell_fed(self, message, data, values, out);
}

int32_t plan_decode(const plan_t *self, int32_t message, const uint8_t *data, uint8_t length, tbox_decoded_t *out,
                    uint32_t room)
{
    const plan_message_t *const found = &self->messages[message];

    if (found->words == 0U || room < found->count_fed) {
        return tbox_table_decode(self->table, message, data, length, out, room);
    }
    return length < found->length ? -1 : decode(self, found, data, out);
}
