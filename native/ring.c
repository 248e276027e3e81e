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

static size_t oldest_bytes(const ring_t *self, size_t at)
{
    const uint8_t *const second = &self->bytes[(at + 8) % self->size]; /* bytes 8..15 of the record */

    return record_bytes(second[AT_KIND - 8], second[AT_LENGTH - 8]);
}

static void put(ring_t *self, const uint8_t *piece, size_t bytes)
{
    const size_t at = (self->first + self->used) % self->size;
    const size_t tail = self->size - at;

    memcpy(&self->bytes[at], piece, bytes < tail ? bytes : tail);
    if (bytes > tail) {
        memcpy(self->bytes, &piece[tail], bytes - tail);
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
    uint8_t record[HEAD + 64] = {0};
    const size_t bytes = record_bytes(input->kind, input->length);

    if (input->kind >= TBOX_IN_TICK || bytes > self->size) {
        return;
    }
    memcpy(record, input, HEAD); /* the head of an input is the head of a record */
    memcpy(&record[HEAD], input->u.data, payload_bytes(input->kind, input->length));
    while (self->size - self->used < bytes) {
        const size_t oldest = oldest_bytes(self, self->first);

        self->first = (self->first + oldest) % self->size;
        self->used -= oldest;
    }
    put(self, record, bytes);
}

size_t ring_copy(const ring_t *self, uint8_t *out, size_t room)
{
    size_t from = self->first;
    size_t bytes = self->used;

    while (bytes > room) {
        const size_t oldest = oldest_bytes(self, from);

        from = (from + oldest) % self->size;
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
