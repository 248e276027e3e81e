/* The pre-event ring. */
#include "ring.h"

#include <string.h>

enum { HEAD = 16, AT_KIND = 12, AT_LENGTH = 14 };

static size_t payload_bytes(uint8_t kind, uint8_t length)
{
    switch (kind) {
    case TBOX_IN_FRAME:
        return length > 64 ? 64 : length;
    case TBOX_IN_VALUE:
        return sizeof(double);
    case TBOX_IN_TICK:
        return 0;
    default:
        return 6 * sizeof(double);
    }
}

static size_t record_bytes(uint8_t kind, uint8_t length)
{
    return HEAD + ((payload_bytes(kind, length) + 7) & ~(size_t)7);
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

/* A record lies in pieces of 8 bytes, so that only the border between two meets the ring's end. */
static void put(ring_t *self, const uint8_t *head, const uint8_t *payload, size_t payload_size, size_t bytes)
{
    const size_t at = wrapped(self, self->first + self->used);
    uint8_t record[HEAD + 64];
    uint8_t *const out = self->size - at >= bytes ? &self->bytes[at] : record;

    memcpy(out, head, HEAD); /* the head of an input is the head of a record */
    if (payload_size == 8) {
        memcpy(&out[HEAD], payload, 8);
    } else {
        memset(&out[HEAD], 0, bytes - HEAD);
        memcpy(&out[HEAD], payload, payload_size);
    }
    if (out == record) {
        memcpy(&self->bytes[at], record, self->size - at);
        memcpy(self->bytes, &record[self->size - at], bytes - (self->size - at));
    }
    self->used += bytes;
}

void ring_init(ring_t *self, uint8_t *bytes, size_t size)
{
    self->bytes = bytes;
    self->size = size;
    self->first = 0;
    self->used = 0;
}

void ring_take(ring_t *self, const tbox_input_t *input)
{
    const size_t bytes = record_bytes(input->kind, input->length);

    if (input->kind >= TBOX_IN_TICK || bytes > self->size) {
        return;
    }
    while (self->size - self->used < bytes) {
        const size_t oldest = oldest_bytes(self, self->first);

        self->first = wrapped(self, self->first + oldest);
        self->used -= oldest;
    }
    put(self, (const uint8_t *)input, input->u.data, payload_bytes(input->kind, input->length), bytes);
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
