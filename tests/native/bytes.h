/* Bytes as a source of choices: numbers are read from the front, and zeros when they are used up. */
#ifndef TBOX_TEST_BYTES_H
#define TBOX_TEST_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *data;
    size_t size;
} bytes_t;

static inline void bytes_take(bytes_t *self, void *out, size_t size)
{
    const size_t have = self->size < size ? self->size : size;

    memset(out, 0, size);
    if (have > 0) {
        memcpy(out, self->data, have);
    }
    self->data += have;
    self->size -= have;
}

static inline uint8_t bytes_u8(bytes_t *self)
{
    uint8_t number;

    bytes_take(self, &number, sizeof number);
    return number;
}

static inline uint16_t bytes_u16(bytes_t *self)
{
    uint16_t number;

    bytes_take(self, &number, sizeof number);
    return number;
}

static inline int64_t bytes_i64(bytes_t *self)
{
    int64_t number;

    bytes_take(self, &number, sizeof number);
    return number;
}

static inline double bytes_double(bytes_t *self)
{
    double number;

    bytes_take(self, &number, sizeof number);
    return number;
}

#endif
