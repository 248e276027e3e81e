/* Whether a table can be trusted: what is checked here once, the decoder need not check in every frame. */
#include "bits.h"
#include "table.h"
#include "tbox.h"

#define FRAME_BYTES_MAX 64U

static bool is_width(const tbox_cut_t *cut)
{
    if (cut->flags & TBOX_CUT_FLOAT) {
        return cut->bits == 16U || cut->bits == 32U || cut->bits == 64U;
    }
    return cut->bits >= 1U && cut->bits <= 64U;
}

static bool is_cut_sound(const tbox_table_t *self, const tbox_message_t *message, uint32_t index)
{
    const tbox_cut_t *cut = &self->cuts[message->first + index];
    const bool is_obd = message->kind == TBOX_MESSAGE_OBD;

    if (!is_width(cut) || bits_reach(cut) > (is_obd ? cut->bytes : message->length)) {
        return false;
    }
    if (cut->signal != TBOX_NO_SIGNAL && cut->signal >= TBOX_SIGNALS) {
        return false;
    }
    if (cut->mux_cut != TBOX_ALWAYS && (is_obd || cut->mux_cut >= index)) {
        return false;
    }
    return cut->valid_cut == TBOX_ALWAYS || cut->valid_cut < message->count;
}

/* PIDs ascend; the cuts of one agree on its length and are validated by none of another. */
static bool is_pid_sound(const tbox_table_t *self, const tbox_message_t *message, uint32_t index)
{
    const tbox_cut_t *cut = &self->cuts[message->first + index];
    const tbox_cut_t *before = index > 0U ? cut - 1 : cut;

    if (cut->valid_cut != TBOX_ALWAYS && self->cuts[message->first + cut->valid_cut].mux_from != cut->mux_from) {
        return false;
    }
    return before->mux_from < cut->mux_from || (before->mux_from == cut->mux_from && before->bytes == cut->bytes);
}

/* The checksums that are sums of nibbles lie on one, the others on whole bytes. */
static bool is_checksum_sound(const tbox_message_t *message, const tbox_cut_t *cut)
{
    static const uint8_t widths[TBOX_CHECKS] = {[TBOX_CHECK_TOYOTA] = 8, [TBOX_CHECK_HONDA] = 4, [TBOX_CHECK_HYUNDAI] = 4,
                                                [TBOX_CHECK_HYUNDAI_FD] = 16, [TBOX_CHECK_E2E_P1] = 8,
                                                [TBOX_CHECK_E2E_P2] = 8, [TBOX_CHECK_E2E_P5] = 16};
    const uint32_t unit = cut->bits == 4U ? 4U : 8U;
    const uint32_t edge = cut->flags & TBOX_CUT_BIG_ENDIAN ? cut->start_bit + 1U : cut->start_bit;

    return cut->bits == widths[message->check] && !(cut->flags & (TBOX_CUT_SIGNED | TBOX_CUT_FLOAT))
           && (cut->bits == 0U || (edge % unit == 0U && bits_reach(cut) <= message->length));
}

static bool is_counter_sound(const tbox_message_t *message, const tbox_cut_t *cut)
{
    if (cut->bits == 0U) {
        return message->check != TBOX_CHECK_COUNTER && message->check != TBOX_CHECK_E2E_P2;
    }
    return message->slot < TBOX_COUNTERS_MAX && cut->bits <= 16U && bits_reach(cut) <= message->length
           && !(cut->flags & (TBOX_CUT_SIGNED | TBOX_CUT_FLOAT)) && cut->min >= 0.0 && cut->min < cut->max
           && cut->max <= 65535.0;
}

/* Its two cuts lie behind the others. */
static bool is_check_sound(const tbox_table_t *self, const tbox_message_t *message)
{
    const uint32_t end = message->first + message->count;

    if (message->check == TBOX_CHECK_NONE) {
        return true;
    }
    return message->check < TBOX_CHECKS && message->kind != TBOX_MESSAGE_OBD && self->cut_count - end >= 2U
           && is_checksum_sound(message, &self->cuts[end]) && is_counter_sound(message, &self->cuts[end + 1U]);
}

/* The id says the kind. */
static bool is_id_sound(const tbox_message_t *message)
{
    if (message->kind == TBOX_MESSAGE_OBD || message->id == TBOX_OBD_ID) {
        return message->kind == TBOX_MESSAGE_OBD && message->id == TBOX_OBD_ID;
    }
    return message->kind == TBOX_MESSAGE_PGN ? message->id == tbox_table_pgn(message->id) : !(message->id & TBOX_BY_PGN);
}

static bool is_message_sound(const tbox_table_t *self, const tbox_message_t *message)
{
    const bool is_obd = message->kind == TBOX_MESSAGE_OBD;

    if (message->kind > TBOX_MESSAGE_PGN || message->length > FRAME_BYTES_MAX || !is_id_sound(message)) {
        return false;
    }
    if (message->first > self->cut_count || message->count > self->cut_count - message->first) {
        return false;
    }
    for (uint32_t i = 0; i < message->count; i++) {
        if (!is_cut_sound(self, message, i) || (is_obd && !is_pid_sound(self, message, i))) {
            return false;
        }
    }
    return is_check_sound(self, message);
}

static bool is_before(const tbox_message_t *a, const tbox_message_t *b)
{
    return a->channel < b->channel || (a->channel == b->channel && a->id < b->id);
}

bool tbox_table_check(const tbox_table_t *self)
{
    if (self->message_count > INT32_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < self->message_count; i++) {
        if (i > 0U && !is_before(&self->messages[i - 1U], &self->messages[i])) {
            return false;
        }
        if (!is_message_sound(self, &self->messages[i])) {
            return false;
        }
    }
    return true;
}
