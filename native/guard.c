/* Frames: what is on the list, and the budget. guard.h has the list in words.
 *
 * ISO-TP (ISO 15765-2) on classic CAN
 *   byte  0     1..
 *         0L    payload of L bytes (1 to 7)      single frame
 *         30    block size, separation time      flow control, "go on"
 *         then padding up to 8 bytes, or nothing
 */
#include "guard.h"

#include <string.h>

#include "tbox.h"

enum {
    MADE = 0x74475244,
    FUNCTIONAL_11 = 0x7DF,
    FLOW_BYTES = 3,
    FLOWS_MILLIS_PER_S = 100000,
    FLOWS_HELD = 50,
    HELD_US = 250000,
    LONG_US = 60000000 /* a minute fills every bucket; far more would overflow */
};

static const uint64_t TOKEN = UINT64_C(1000000000);
static const uint32_t FUNCTIONAL_29 = TBOX_EXTENDED | UINT32_C(0x18DB33F1);

_Static_assert(sizeof(((tbox_guard_counters_t *)0)->refused) / sizeof(uint64_t) == TBOX_GUARD_REASONS, "one per reason");

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

size_t tbox_guard_size(void)
{
    return sizeof(tbox_guard_t);
}

bool tbox_guard_is_made(const tbox_guard_t *self)
{
    return self->made == MADE;
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

static bool is_flow(const uint8_t *data, uint8_t length)
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
    if (is_flow(data, length)) {
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

/* One unit of time and rate, a millionth of a second and a thousandth of a token a second, is a billionth of a token. */
static bool take(tbox_bucket_t *bucket, int64_t t_us)
{
    if (t_us > bucket->last_us) {
        const uint64_t passed_us = (uint64_t)t_us - (uint64_t)bucket->last_us;

        bucket->held += (passed_us < LONG_US ? passed_us : LONG_US) * bucket->millis_per_s;
        bucket->held = bucket->held < bucket->most ? bucket->held : bucket->most;
        bucket->last_us = t_us;
    }
    if (bucket->held < TOKEN) {
        return false;
    }
    bucket->held -= TOKEN;
    return true;
}

static tbox_bucket_t make_bucket(uint32_t millis_per_s, uint64_t most)
{
    most = most > TOKEN ? most : TOKEN;
    return (tbox_bucket_t){.held = most, .most = most, .millis_per_s = millis_per_s};
}

static bool may_be_named(uint32_t id)
{
    const uint32_t most = (id & TBOX_EXTENDED) != 0 ? TBOX_EXTENDED | UINT32_C(0x1FFFFFFF) : UINT32_C(0x7FF);

    return id != 0 && id <= most && !tbox_guard_is_answer(id);
}

bool tbox_guard_init(tbox_guard_t *self, const uint32_t *uds_ids, size_t count, uint32_t millirequests_per_s)
{
    if (tbox_guard_is_made(self) || count > TBOX_GUARD_UDS_MOST || millirequests_per_s == 0 ||
        millirequests_per_s > TBOX_GUARD_MILLIREQUESTS_MOST) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!may_be_named(uds_ids[i])) {
            return false;
        }
    }
    memset(self, 0, sizeof *self);
    memcpy(self->uds_ids, uds_ids, count * sizeof *uds_ids);
    self->uds_count = (uint32_t)count;
    self->requests = make_bucket(millirequests_per_s, (uint64_t)millirequests_per_s * HELD_US);
    self->flows = make_bucket(FLOWS_MILLIS_PER_S, FLOWS_HELD * TOKEN);
    self->made = MADE;
    return true;
}

static int counted(tbox_guard_t *self, int reason, uint64_t *passed)
{
    if (reason == TBOX_GUARD_PASSES) {
        ++*passed;
    } else {
        self->counters.refused[reason]++;
    }
    return reason;
}

int tbox_guard_send(tbox_guard_t *self, int64_t t_us, uint32_t id, const uint8_t *data, uint8_t length, uint8_t flags)
{
    int reason = tbox_guard_frame(self, id, data, length, flags);
    const bool is_answering = reason == TBOX_GUARD_PASSES && is_flow(data, length);

    if (reason == TBOX_GUARD_PASSES && !take(is_answering ? &self->flows : &self->requests, t_us)) {
        reason = TBOX_GUARD_RATE;
    }
    return counted(self, reason, is_answering ? &self->counters.flows : &self->counters.requests);
}

int tbox_guard_say(tbox_guard_t *self, int64_t t_us, const char *line, size_t size)
{
    tbox_adapter_t after;
    int reason = tbox_guard_judge(self, line, size, &after);

    if (reason == TBOX_GUARD_PASSES && after.was_asked && !take(&self->requests, t_us)) {
        reason = TBOX_GUARD_RATE;
    }
    if (reason == TBOX_GUARD_PASSES) {
        self->adapter = after;
    }
    return counted(self, reason, after.was_asked ? &self->counters.requests : &self->counters.commands);
}

void tbox_guard_forget(tbox_guard_t *self)
{
    self->adapter.is_known = false;
}

void tbox_guard_counters(const tbox_guard_t *self, tbox_guard_counters_t *out)
{
    *out = self->counters;
}

const char *tbox_guard_word(int reason)
{
    static const char *const WORDS[TBOX_GUARD_REASONS] = {
        "",        "unset",   "kind", "identifier", "length", "segment",
        "service", "padding", "rate", "command",    "line",   "adapter",
    };

    return reason >= 0 && reason < TBOX_GUARD_REASONS ? WORDS[reason] : "unknown";
}
