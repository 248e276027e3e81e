/* A frame and what the table says about it: bits out, physical value in.
 *
 * Plain messages are cut as a DBC says. Answers to OBD-II service 01 are one message for all control units, on
 * 0x7E8..0x7EF and 0x18DAF100..0x18DAF1FF (ISO 15765-4), in single frames (ISO 15765-2):
 *
 *   byte  0          1     2    3 ...
 *         0 | length 0x41  PID  value, big-endian      several PIDs may follow one another up to the length
 *         0, length  0x41  PID  value                  CAN FD with more than 8 bytes: everything one byte later
 *
 * Cuts of an OBD message count their bits from the first byte of the value, are sorted by PID (mux_from) and know how
 * long the PID's value is (bytes).
 */
#include "table.h"

#include <float.h>

#include "bits.h"

#define SHORT (-1)
#define UNKNOWN (-2)
#define SERVICE_01 0x41U

/* ---- one cut ----------------------------------------------------------------------------------------------------- */

/* Whether the frame carries this cut: every selector up the chain has one of the wanted values. Ends, because a
 * selector lies before what it selects (tbox_table_check). */
static bool is_present(const tbox_cut_t *cuts, const tbox_cut_t *cut, const uint8_t *data)
{
    while (cut->mux_cut != TBOX_ALWAYS) {
        const tbox_cut_t *selector = &cuts[cut->mux_cut];
        const uint64_t raw = bits_raw(selector, data);

        if (raw < cut->mux_from || raw > cut->mux_to) {
            return false;
        }
        cut = selector;
    }
    return true;
}

bool table_is_valid(const tbox_cut_t *cuts, const tbox_cut_t *cut, const uint8_t *data, double value)
{
    if (!(value >= -DBL_MAX && value <= DBL_MAX)) {
        return false;
    }
    if ((cut->flags & TBOX_CUT_LIMITED) && (value < cut->min || value > cut->max)) {
        return false;
    }
    if (cut->valid_cut == TBOX_ALWAYS) {
        return true;
    }
    return is_present(cuts, &cuts[cut->valid_cut], data) && bits_raw(&cuts[cut->valid_cut], data) != 0U;
}

static void read_cut(const tbox_table_t *self, const tbox_message_t *message, uint32_t index, const uint8_t *data,
                     tbox_decoded_t *out)
{
    const tbox_cut_t *cuts = &self->cuts[message->first];
    const tbox_cut_t *cut = &cuts[index];

    out->value = bits_number(cut, bits_raw(cut, data)) * cut->scale + cut->offset;
    out->cut = message->first + index;
    out->valid = table_is_valid(cuts, cut, data, out->value);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static int32_t decode_plain(const tbox_table_t *self, const tbox_message_t *message, const uint8_t *data,
                            uint8_t length, tbox_decoded_t *out, uint32_t room)
{
    const tbox_cut_t *cuts = &self->cuts[message->first];
    uint32_t written = 0;

    if (length < message->length) {
        return SHORT;
    }
    for (uint32_t i = 0; i < message->count && written < room; i++) {
        if (is_present(cuts, &cuts[i], data)) {
            read_cut(self, message, i, data, &out[written]);
            written++;
        }
    }
    return (int32_t)written;
}

/* The first cut of a PID, or the message's count. */
static uint32_t cut_of_pid(const tbox_table_t *self, const tbox_message_t *message, uint32_t pid)
{
    uint32_t low = 0;
    uint32_t high = message->count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2U;

        if (self->cuts[message->first + middle].mux_from < pid) {
            low = middle + 1U;
        } else {
            high = middle;
        }
    }
    return low < message->count && self->cuts[message->first + low].mux_from == pid ? low : message->count;
}

/* How many bytes a PID and its value take, or 0 when the table does not know the PID. */
static uint32_t pid_size(const tbox_table_t *self, const tbox_message_t *message, uint32_t pid)
{
    const uint32_t index = cut_of_pid(self, message, pid);

    return index < message->count ? 1U + self->cuts[message->first + index].bytes : 0U;
}

/* Whether the bytes are known PIDs up to exactly the end. Else only the first is believed: what follows is padding. */
static bool is_chain(const tbox_table_t *self, const tbox_message_t *message, const uint8_t *data, uint32_t size)
{
    uint32_t at = 0;

    while (at < size) {
        const uint32_t step = pid_size(self, message, data[at]);

        if (step == 0U) {
            return false;
        }
        at += step;
    }
    return at == size;
}

/* `data` is `size` bytes: PID, value, perhaps PID, value again. */
static int32_t decode_pids(const tbox_table_t *self, const tbox_message_t *message, const uint8_t *data, uint32_t size,
                           tbox_decoded_t *out, uint32_t room)
{
    const uint32_t first = pid_size(self, message, data[0]);
    uint32_t written = 0;

    if (first == 0U || first > size) {
        return first == 0U ? UNKNOWN : SHORT;
    }
    const uint32_t end = is_chain(self, message, data, size) ? size : first;

    for (uint32_t at = 0; at < end; at += pid_size(self, message, data[at])) {
        uint32_t i = cut_of_pid(self, message, data[at]);

        for (; i < message->count && self->cuts[message->first + i].mux_from == data[at] && written < room; i++) {
            read_cut(self, message, i, &data[at + 1U], &out[written]);
            written++;
        }
    }
    return (int32_t)written;
}

static int32_t decode_obd(const tbox_table_t *self, const tbox_message_t *message, const uint8_t *data, uint8_t length,
                          tbox_decoded_t *out, uint32_t room)
{
    const bool is_escaped = length > 8U && data[0] == 0U;
    const uint32_t at = is_escaped ? 2U : 1U;

    if (length == 0U || length < message->length) {
        return SHORT;
    }
    if ((data[0] & 0xF0U) != 0U) {
        return UNKNOWN; /* first, consecutive, flow control */
    }
    const uint32_t size = is_escaped ? data[1] : data[0];

    if (size == 0U) {
        return UNKNOWN;
    }
    if (at + size > length) {
        return SHORT;
    }
    if (data[at] != SERVICE_01) {
        return UNKNOWN;
    }
    return size < 2U ? SHORT : decode_pids(self, message, &data[at + 1U], size - 1U, out, room);
}

int32_t tbox_table_decode(const tbox_table_t *self, int32_t message, const uint8_t *data, uint8_t length,
                          tbox_decoded_t *out, uint32_t room)
{
    const tbox_message_t *found = &self->messages[message];

    return found->kind == TBOX_MESSAGE_OBD ? decode_obd(self, found, data, length, out, room)
                                           : decode_plain(self, found, data, length, out, room);
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static uint64_t key_of(const tbox_message_t *message)
{
    return (uint64_t)message->channel << 32U | message->id;
}

static int32_t search(const tbox_table_t *self, uint8_t channel, uint32_t id)
{
    const uint64_t wanted = (uint64_t)channel << 32U | id;
    uint32_t low = 0;
    uint32_t high = self->message_count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2U;

        if (key_of(&self->messages[middle]) < wanted) {
            low = middle + 1U;
        } else {
            high = middle;
        }
    }
    return low < self->message_count && key_of(&self->messages[low]) == wanted ? (int32_t)low : -1;
}

/* This channel's own message before the one for any channel. */
static int32_t search_both(const tbox_table_t *self, uint8_t channel, uint32_t id)
{
    const int32_t own = search(self, channel, id);

    return own >= 0 || channel == TBOX_ANY_CHANNEL ? own : search(self, TBOX_ANY_CHANNEL, id);
}

uint32_t tbox_table_pgn(uint32_t id)
{
    const uint32_t kept = (id & UINT32_C(0x00FF0000)) < UINT32_C(0x00F00000) ? UINT32_C(0x03FF0000) : UINT32_C(0x03FFFF00);

    return TBOX_EXTENDED | TBOX_BY_PGN | (id & kept);
}

int32_t tbox_table_find(const tbox_table_t *self, uint8_t channel, uint32_t id)
{
    int32_t found = search_both(self, channel, id);

    if (found < 0 && (id & TBOX_EXTENDED)) {
        found = search_both(self, channel, tbox_table_pgn(id));
    }
    return found >= 0 || !table_is_answer(id) ? found : search_both(self, channel, TBOX_OBD_ID);
}
