/* A frame: what it is, whether it can be believed, what it says. */
#include "bits.h"
#include "core.h"

enum { FRAME_VALUES = 64, CLASSIC_BYTES = 8, FD_BYTES = 64 };

/* Kept out of the common way, which then needs no room for what they need. */
#define RARE __attribute__((noinline))

/* Why a frame cannot be one; -1 when it can. */
static int32_t fault_of(const tbox_input_t *input)
{
    const uint32_t most = input->flags & TBOX_FRAME_FD ? FD_BYTES : CLASSIC_BYTES;

    if (input->flags & TBOX_FRAME_ERROR) {
        return TBOX_REJECTED_ERROR;
    }
    if (input->flags & TBOX_FRAME_REMOTE) {
        return TBOX_REJECTED_REMOTE;
    }
    return input->length > most ? TBOX_REJECTED_BAD_LENGTH : -1;
}

static bool is_believed(tbox_core_t *self, int32_t message, const tbox_input_t *input)
{
    const int32_t wrong = checks_fault(&self->checks, &self->setup.table, message, input);

    if (wrong >= 0) {
        self->counters.rejected[wrong]++;
    }
    return wrong < 0;
}

static void take_cut(tbox_core_t *self, uint32_t signal, int64_t t_us, double value, bool is_valid)
{
    if (is_valid) {
        input_value(self, signal, t_us, value);
    } else {
        self->counters.values[TBOX_VALUE_INVALID]++;
    }
}

/* Multiplexed, with floats, or an OBD-II answer. */
RARE static void take_any(tbox_core_t *self, int32_t message, const tbox_input_t *input)
{
    const tbox_table_t *const table = &self->setup.table;
    tbox_decoded_t decoded[FRAME_VALUES];
    const int32_t count = tbox_table_decode(table, message, input->u.data, input->length, decoded, FRAME_VALUES);

    if (count == -1) {
        self->counters.rejected[TBOX_REJECTED_SHORT]++;
        return;
    }
    if (count < 0) {
        self->counters.unmapped++;
        return;
    }
    if (!is_believed(self, message, input)) {
        return;
    }
    self->counters.decoded++;
    for (int32_t i = 0; i < count; i++) {
        const tbox_cut_t *const cut = &table->cuts[decoded[i].cut];

        if (cut->signal != TBOX_NO_SIGNAL) {
            take_cut(self, cut->signal, input->t_us, decoded[i].value, decoded[i].valid);
        }
    }
}

/* Of what was decoded into the core. */
RARE static void take_fed(tbox_core_t *self, const plan_message_t *message, const tbox_input_t *input)
{
    const tbox_table_t *const table = &self->setup.table;

    for (uint32_t i = 0; i < message->fed_count; i++) {
        const plan_fed_t *const fed = &message->fed[i];
        const double value = self->values[fed->cut];
        bool is_valid = value >= fed->min && value <= fed->max;

        if (fed->has_valid) {
            const tbox_cut_t *const cuts = &table->cuts[table->messages[message->index].first];

            is_valid = table_is_valid(cuts, &cuts[fed->cut], input->u.data, value);
        }
        take_cut(self, fed->signal, input->t_us, value, is_valid);
    }
}

RARE static void take_plain(tbox_core_t *self, const plan_message_t *message, const tbox_input_t *input)
{
    self->counters.decoded++;
    plan_decode(message, input->u.data, self->values);
    take_fed(self, message, input);
}

static void take_short(tbox_core_t *self, const plan_message_t *message, const tbox_input_t *input)
{
    self->counters.decoded++;
    plan_decode_short(message, input->u.data, self->values);
    if (message->fed_count > 0U) {
        take_fed(self, message, input);
    }
}

/* Not simply there and plain. */
RARE static void take_other(tbox_core_t *self, const plan_message_t *message, const tbox_input_t *input)
{
    if (message == NULL) {
        self->counters.unmapped++;
    } else if (!message->is_plain) {
        take_any(self, message->index, input);
    } else if (input->length < message->length) {
        self->counters.rejected[TBOX_REJECTED_SHORT]++;
    } else if (!message->is_checked || is_believed(self, message->index, input)) {
        take_plain(self, message, input);
    }
}

/* Not where its search begins. */
RARE static void take_sought(tbox_core_t *self, const tbox_input_t *input)
{
    take_other(self, plan_seek(&self->plan, input->channel, input->id), input);
}

/* An error, a remote frame, an FD frame, or none at all. */
RARE static void take_flagged(tbox_core_t *self, const tbox_input_t *input)
{
    const int32_t fault = fault_of(input);

    if (fault >= 0) {
        self->counters.rejected[fault]++;
    } else {
        take_sought(self, input);
    }
}

void frame_take(tbox_core_t *self, const tbox_input_t *input)
{
    const plan_message_t *const first = plan_first(&self->plan, input->id);

    self->counters.frames_in++;
    if (input->flags != 0U || input->length > CLASSIC_BYTES) {
        take_flagged(self, input);
    } else if (input->length >= first->simple_length && plan_fits(first, input->channel, input->id)) {
        take_short(self, first, input);
    } else if (plan_is_alone(first, input->id)) {
        self->counters.unmapped++;
    } else {
        take_sought(self, input);
    }
}
