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

static bool is_message_sound(const tbox_table_t *self, const tbox_message_t *message)
{
    const bool is_obd = message->kind == TBOX_MESSAGE_OBD;

    if (message->kind > TBOX_MESSAGE_OBD || message->length > FRAME_BYTES_MAX || is_obd != (message->id == TBOX_OBD_ID)) {
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
    return true;
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
