/* Frames: what is on the list. guard.h has the list in words.
 *
 * ISO-TP (ISO 15765-2) on classic CAN
 *   byte  0     1..
 *         0L    payload of L bytes (1 to 7)      single frame
 *         30    block size, separation time      flow control, "go on"
 *         then padding up to 8 bytes, or nothing
 */
#include "guard.h"

#include "tbox.h"

enum { FUNCTIONAL_11 = 0x7DF, FLOW_BYTES = 3 };

static const uint32_t FUNCTIONAL_29 = TBOX_EXTENDED | UINT32_C(0x18DB33F1);

/* A service and how many bytes it may have, its own included. */
typedef struct {
    uint8_t service;
    uint8_t size;
} shape_t;

static const shape_t SHAPES[] = {
    {0x01, 2}, {0x01, 3}, {0x01, 4}, {0x01, 5}, {0x01, 6}, {0x01, 7}, /* PIDs */
    {0x02, 3}, {0x02, 5}, {0x02, 7},                                  /* PIDs, each with the frame's number */
    {0x03, 1}, {0x07, 1}, {0x09, 2}, {0x0A, 1},
};
static const shape_t UDS = {0x22, 3};

bool tbox_guard_is_made(const tbox_guard_t *self)
{
    return self->made == TBOX_GUARD_MADE;
}

static bool is_physical(uint32_t id)
{
    return (id & ~UINT32_C(7)) == UINT32_C(0x7E0) ||
           (id & ~UINT32_C(0xFF00)) == (TBOX_EXTENDED | UINT32_C(0x18DA00F1));
}

static bool is_obd(uint32_t id)
{
    return id == FUNCTIONAL_11 || id == FUNCTIONAL_29 || is_physical(id);
}

bool tbox_guard_is_answer(uint32_t id)
{
    return (id & ~UINT32_C(7)) == UINT32_C(0x7E8) || (id & ~UINT32_C(0xFF)) == (TBOX_EXTENDED | UINT32_C(0x18DAF100));
}

static bool is_named(const tbox_guard_t *self, uint32_t id)
{
    for (uint32_t i = 0; i < self->uds_count; i++) {
        if (self->uds_ids[i] == id) {
            return true;
        }
    }
    return false;
}

bool tbox_guard_is_target(const tbox_guard_t *self, uint32_t id)
{
    return is_obd(id) || is_named(self, id);
}

/* An OBD service by its list; `payload` has a byte at least. */
static int judge_shape(const uint8_t *payload, size_t size)
{
    int reason = TBOX_GUARD_SERVICE;

    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        if (SHAPES[i].service == payload[0]) {
            reason = TBOX_GUARD_LENGTH;
            if (SHAPES[i].size == size) {
                return TBOX_GUARD_PASSES;
            }
        }
    }
    return reason;
}

int tbox_guard_payload(const tbox_guard_t *self, uint32_t id, const uint8_t *payload, size_t size)
{
    if (size == 0) {
        return TBOX_GUARD_LENGTH;
    }
    if (payload[0] != UDS.service) {
        return is_obd(id) ? judge_shape(payload, size) : TBOX_GUARD_IDENTIFIER;
    }
    if (!is_named(self, id)) {
        return TBOX_GUARD_IDENTIFIER;
    }
    return size == UDS.size ? TBOX_GUARD_PASSES : TBOX_GUARD_LENGTH;
}

static int judge_padding(const uint8_t *data, uint8_t used, uint8_t length)
{
    if (length != used && length != 8) {
        return TBOX_GUARD_LENGTH;
    }
    for (uint8_t i = used; i < length; i++) {
        const bool is_usual = data[i] == 0x00 || data[i] == 0x55 || data[i] == 0xAA || data[i] == 0xCC;

        if (!is_usual || data[i] != data[used]) {
            return TBOX_GUARD_PADDING;
        }
    }
    return TBOX_GUARD_PASSES;
}

bool tbox_guard_is_flow(const uint8_t *data, uint8_t length)
{
    return length >= FLOW_BYTES && data[0] == 0x30 && data[1] == 0 && data[2] == 0;
}

int tbox_guard_frame(const tbox_guard_t *self, uint32_t id, const uint8_t *data, uint8_t length, uint8_t flags)
{
    int reason = TBOX_GUARD_PASSES;

    if (!tbox_guard_is_made(self)) {
        return TBOX_GUARD_UNSET;
    }
    if (flags != 0) {
        return TBOX_GUARD_KIND;
    }
    if (!tbox_guard_is_target(self, id)) {
        return TBOX_GUARD_IDENTIFIER;
    }
    if (length == 0 || length > 8) {
        return TBOX_GUARD_LENGTH;
    }
    if (tbox_guard_is_flow(data, length)) {
        return is_physical(id) ? judge_padding(data, FLOW_BYTES, length) : TBOX_GUARD_IDENTIFIER;
    }
    if (data[0] >= 8) {
        return TBOX_GUARD_SEGMENT;
    }
    if (data[0] >= length) {
        return TBOX_GUARD_LENGTH;
    }
    reason = tbox_guard_payload(self, id, data + 1, data[0]);
    return reason != TBOX_GUARD_PASSES ? reason : judge_padding(data, (uint8_t)(data[0] + 1), length);
}
