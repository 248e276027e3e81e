/* The pre-event ring. */
#include "ring.h"

#include <string.h>

enum { HEAD = 16, AT_KIND = 12, AT_LENGTH = 14, USUAL = HEAD + 8 };

/* Only of kinds that are kept. */
static size_t payload_bytes(uint8_t kind, uint8_t length)
{
    static const uint8_t BYTES[TBOX_IN_TICK] = {
        [TBOX_IN_VALUE] = sizeof(double), [TBOX_IN_IMU] = 6 * sizeof(double), [TBOX_IN_FIX] = 6 * sizeof(double)};

    if (kind != TBOX_IN_FRAME) {
        return BYTES[kind];
    }
    return length > 64 ? 64 : length;
}

static size_t padded(size_t payload)
{
    return HEAD + ((payload + 7) & ~(size_t)7);
}

static size_t record_bytes(uint8_t kind, uint8_t length)
{
    return padded(payload_bytes(kind, length));
}

/* Offsets never lie further than one turn ahead. */
static size_t wrapped(const ring_t *self, size_t at)
{
    return at < self->size ? at : at - self->size;
}

static size_t oldest_bytes(const ring_t *self, size_t at)
{
    const uint8_t *const second = &self->bytes[wrapped(self, at + 8)]; /* bytes 8..15 of the record */

    return record_bytes(second[AT_KIND - 8], second[AT_LENGTH - 8]);
}

static void make_room(ring_t *self, size_t bytes)
{
    while (self->size - self->used < bytes) {
        const size_t oldest = oldest_bytes(self, self->first);

        self->first = wrapped(self, self->first + oldest);
        self->used -= oldest;
    }
}

/* The head of an input is the head of a record. */
static void write_record(uint8_t *out, const tbox_input_t *input, size_t payload, size_t bytes)
{
    memcpy(out, input, HEAD);
    if (payload == 8) {
        memcpy(&out[HEAD], input->u.data, 8);
    } else {
        memset(&out[HEAD], 0, bytes - HEAD);
        memcpy(&out[HEAD], input->u.data, payload);
    }
}

/* Over the ring's end, in two parts. */
static __attribute__((noinline)) void write_split(ring_t *self, size_t at, const tbox_input_t *input, size_t payload,
                                                  size_t bytes)
{
    uint8_t record[HEAD + 64];
    const size_t tail = self->size - at;

    write_record(record, input, payload, bytes);
    memcpy(&self->bytes[at], record, tail);
    memcpy(self->bytes, &record[tail], bytes - tail);
}

void ring_init(ring_t *self, uint8_t *bytes, size_t size)
{
    self->bytes = bytes;
    self->size = size;
    self->first = 0;
    self->used = 0;
    self->taken = 0;
}

static __attribute__((noinline)) void take_any(ring_t *self, const tbox_input_t *input)
{
    if (input->kind >= TBOX_IN_TICK) {
        return;
    }
    const size_t payload = payload_bytes(input->kind, input->length);
    const size_t bytes = padded(payload);

    if (bytes > self->size) {
        return;
    }
    make_room(self, bytes);
    const size_t at = wrapped(self, self->first + self->used);

    self->used += bytes;
    self->taken += bytes;
    if (self->size - at >= bytes) {
        write_record(&self->bytes[at], input, payload, bytes);
    } else {
        write_split(self, at, input, payload, bytes);
    }
}

/* A frame of eight bytes. */
static bool is_usual(const uint8_t *head)
{
    return head[AT_KIND] == TBOX_IN_FRAME && head[AT_LENGTH] == 8;
}

/* A usual frame into free room, or into a full ring in place of a usual frame, not over the ring's end: what nearly always
 * happens. False when it is anything else. */
static bool takes_usual(ring_t *self, const tbox_input_t *input)
{
    const size_t next = self->first + USUAL;
    const size_t at = wrapped(self, self->first + self->used);

    if (!is_usual((const uint8_t *)input) || self->size < at + USUAL) {
        return false;
    }
    if (self->size - self->used >= USUAL) {
        self->used += USUAL;
    } else if (next <= self->size && is_usual(&self->bytes[self->first])) {
        self->first = next < self->size ? next : 0;
    } else {
        return false;
    }
    self->taken += USUAL;
    memcpy(&self->bytes[at], input, USUAL);
    return true;
}

void ring_take(ring_t *self, const tbox_input_t *input)
{
    if (!takes_usual(self, input)) {
        take_any(self, input);
    }
}

size_t ring_copy(const ring_t *self, uint8_t *out, size_t room)
{
    size_t from = self->first;
    size_t bytes = self->used;

    while (bytes > room) {
        const size_t oldest = oldest_bytes(self, from);

        from = wrapped(self, from + oldest);
        bytes -= oldest;
    }
    if (bytes > 0) {
        const size_t tail = self->size - from;

        memcpy(out, &self->bytes[from], bytes < tail ? bytes : tail);
        if (bytes > tail) {
            memcpy(&out[tail], self->bytes, bytes - tail);
        }
    }
    return bytes;
}
