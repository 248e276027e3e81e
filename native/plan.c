/* The table as the feed reads it. */
#include "plan.h"

#include <float.h>

enum { WORD_BITS = 64, STEP_BITS = 8 * PLAN_STEP, SLOTS_LEAST_LOG2 = 3 };

#define GOLDEN UINT32_C(0x9E3779B1) /* 2^32 / golden ratio (Knuth, TAOCP 3, 6.4) */
#define MULTIPLIERS 32U

/* Eight times as many slots as messages or more, a power of two: searches end where they begin. */
static uint32_t slots_log2(const tbox_table_t *table)
{
    uint32_t log2 = SLOTS_LEAST_LOG2;

    while (log2 < 31U && (UINT32_C(1) << log2) / 8U < table->message_count) {
        log2++;
    }
    return log2;
}

/* Each message may need one that stands for nothing. */
static size_t padded_cuts(const tbox_table_t *table)
{
    return (size_t)table->cut_count + table->message_count;
}

size_t plan_bytes(const tbox_table_t *table)
{
    return padded_cuts(table) * sizeof(plan_cut_t) + table->cut_count * sizeof(plan_fed_t)
           + sizeof(plan_message_t) * ((size_t)1 << slots_log2(table));
}

/* ---- layout -------------------------------------------------------------------------------------------------------- */

/* Which pair of words a cut lies in: the first where it can. */
static uint32_t pair_of(uint32_t first, uint32_t bits)
{
    return first + bits <= WORD_BITS ? 0U : (first + bits - WORD_BITS + STEP_BITS - 1U) / STEP_BITS;
}

/* False when the general way must be taken: a float, a cut that lies in none of the words, 64 bits unsigned, a scale so
 * small that it loses bits. */
static bool lay_cut(plan_cut_t *self, const tbox_cut_t *cut)
{
    const bool is_big = cut->flags & TBOX_CUT_BIG_ENDIAN;
    const uint32_t width = cut->flags & TBOX_CUT_SIGNED ? WORD_BITS : WORD_BITS - 1U;
    const uint32_t first = is_big ? cut->start_bit ^ 7U : cut->start_bit; /* from the frame's first bit, in its order */
    const uint32_t pair = pair_of(first, cut->bits);
    const uint32_t before = first - STEP_BITS * pair;

    if ((cut->flags & TBOX_CUT_FLOAT) || STEP_BITS * pair > first || pair >= PLAN_WORDS || cut->bits > width) {
        return false;
    }
    const uint32_t shift = is_big ? WORD_BITS - before - cut->bits : before;
    const uint32_t up = width - cut->bits; /* where the number's lowest bit goes */

    *self = (plan_cut_t){
        .scale = cut->scale / (double)(UINT64_C(1) << up),
        .offset = cut->offset,
        .mask = UINT64_MAX >> (WORD_BITS - cut->bits) << up,
        .word = 2U * pair + (is_big ? 1U : 0U),
        .right = (shift - up) & (WORD_BITS - 1U),
    };
    return cut->scale == 0.0 || self->scale >= DBL_MIN || self->scale <= -DBL_MIN;
}

/* How many pairs of words the cuts of a message lie in; 0: the general way. */
static uint8_t lay_cuts(plan_cut_t *out, const tbox_cut_t *cuts, const tbox_message_t *message)
{
    uint32_t pairs = 1;

    if (message->kind == TBOX_MESSAGE_OBD || message->count > PLAN_CUTS) {
        return 0;
    }
    for (uint32_t i = 0; i < message->count; i++) {
        if (cuts[i].mux_cut != TBOX_ALWAYS || !lay_cut(&out[i], &cuts[i])) {
            return 0;
        }
        pairs = out[i].word / 2U >= pairs ? out[i].word / 2U + 1U : pairs;
    }
    return (uint8_t)pairs;
}

static uint16_t lay_fed(plan_fed_t *out, const tbox_cut_t *cuts, const tbox_message_t *message)
{
    uint16_t count = 0;

    for (uint16_t i = 0; i < message->count; i++) {
        const bool is_limited = cuts[i].flags & TBOX_CUT_LIMITED;

        if (cuts[i].signal != TBOX_NO_SIGNAL) {
            out[count] = (plan_fed_t){
                .min = is_limited && cuts[i].min > -DBL_MAX ? cuts[i].min : -DBL_MAX,
                .max = is_limited && cuts[i].max < DBL_MAX ? cuts[i].max : DBL_MAX,
                .cut = i,
                .signal = cuts[i].signal,
                .has_valid = cuts[i].valid_cut != TBOX_ALWAYS,
            };
            count++;
        }
    }
    return count;
}

/* The slot is the first free one: of one identifier every channel's own message stands before the one for any, as the
 * table has them. */
static uint32_t free_slot(const plan_t *self, const plan_message_t *slots, uint32_t id)
{
    uint32_t at = id * self->multiplier >> self->slots_shift;

    while (slots[at].index != PLAN_NONE) {
        at = (at + 1U) & self->slots_mask;
    }
    return at;
}

static void clear_slots(const plan_t *self, plan_message_t *slots)
{
    for (uint32_t i = 0; i <= self->slots_mask; i++) {
        slots[i] = (plan_message_t){.index = PLAN_NONE, .simple_length = UINT8_MAX};
    }
}

/* How many messages would not stand where their search begins. */
static uint32_t displaced(const plan_t *self, plan_message_t *slots)
{
    uint32_t count = 0;

    clear_slots(self, slots);
    for (uint32_t i = 0; i < self->table->message_count; i++) {
        const uint32_t id = self->table->messages[i].id;
        const uint32_t at = free_slot(self, slots, id);

        slots[at].index = (int32_t)i;
        count += at != id * self->multiplier >> self->slots_shift ? 1U : 0U;
    }
    return count;
}

/* The best of some odd multiples of the golden ratio. */
static void choose_multiplier(plan_t *self, plan_message_t *slots)
{
    uint32_t least = UINT32_MAX;
    uint32_t best = GOLDEN;

    for (uint32_t i = 0; i < MULTIPLIERS && least > 0U; i++) {
        self->multiplier = GOLDEN * (2U * i + 1U);
        const uint32_t count = displaced(self, slots);

        if (count < least) {
            least = count;
            best = self->multiplier;
        }
    }
    self->multiplier = best;
}

static plan_message_t planned(const tbox_table_t *table, uint32_t index, plan_cut_t *cuts, plan_fed_t *fed)
{
    const tbox_message_t *const message = &table->messages[index];
    const tbox_cut_t *const told = &table->cuts[message->first];
    const uint8_t words = lay_cuts(cuts, told, message);
    const bool is_checked = message->check != TBOX_CHECK_NONE;

    return (plan_message_t){
        .cuts = cuts,
        .cuts_end = &cuts[message->count + message->count % 2U],
        .fed = fed,
        .id = message->id,
        .index = (int32_t)index,
        .fed_count = lay_fed(fed, told, message),
        .channel = message->channel,
        .length = message->length,
        .words = words,
        .is_plain = words > 0U,
        .is_checked = is_checked,
        .simple_length = words == 1U && !is_checked ? message->length : UINT8_MAX,
    };
}

void plan_init(plan_t *self, void *memory, const tbox_table_t *table)
{
    const uint32_t log2 = slots_log2(table);
    plan_message_t *const slots = memory;
    plan_cut_t *const cuts = (plan_cut_t *)(void *)&slots[(size_t)1 << log2];
    plan_fed_t *const fed = (plan_fed_t *)(void *)&cuts[padded_cuts(table)];

    *self = (plan_t){
        .table = table, .slots = slots, .slots_mask = (UINT32_C(1) << log2) - 1U, .slots_shift = 32U - log2};
    memset(cuts, 0, padded_cuts(table) * sizeof *cuts);
    choose_multiplier(self, slots);
    clear_slots(self, slots);
    for (uint32_t i = 0; i < table->message_count; i++) {
        const tbox_message_t *const message = &table->messages[i];

        slots[free_slot(self, slots, message->id)] =
            planned(table, i, &cuts[message->first + i], &fed[message->first]);
    }
}

/* ---- finding ------------------------------------------------------------------------------------------------------- */

static const plan_message_t *seek(const plan_t *self, uint8_t channel, uint32_t id)
{
    uint32_t at = id * self->multiplier >> self->slots_shift;

    while (self->slots[at].index != PLAN_NONE && !plan_fits(&self->slots[at], channel, id)) {
        at = (at + 1U) & self->slots_mask;
    }
    return self->slots[at].index == PLAN_NONE ? NULL : &self->slots[at];
}

/* What is not known by its own identifier may be by its parameter group, or be an OBD-II answer. */
const plan_message_t *plan_seek(const plan_t *self, uint8_t channel, uint32_t id)
{
    const plan_message_t *found = seek(self, channel, id);

    if (found == NULL && (id & TBOX_EXTENDED)) {
        found = seek(self, channel, tbox_table_pgn(id));
    }
    return found != NULL || !table_is_answer(id) ? found : seek(self, channel, TBOX_OBD_ID);
}
