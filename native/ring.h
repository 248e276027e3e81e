/* The pre-event ring: the last seconds of everything that came in, raw, as bytes.
 *
 * One record, all little pieces multiples of 8 bytes so that nothing but a piece's border meets the ring's end:
 *   byte  0..7      8..11  12    13       14      15     16..
 *         int64 t_us  id   kind  channel  length  flags  payload, padded with zeros to 8 bytes
 * Payload: a frame's data (classic: 24 bytes in all), a value's number, the six numbers of an IMU sample or a fix.
 */
#ifndef TBOX_RING_H
#define TBOX_RING_H

#include "tbox.h"

typedef struct {
    uint8_t *bytes;
    size_t size; /* a multiple of 8; 0: no ring */
    size_t first;
    size_t used;
    uint64_t taken; /* bytes, ever */
} ring_t;

void ring_init(ring_t *self, uint8_t *bytes, size_t size);

/* Keeps an input; the oldest make room. Ticks are not kept. */
void ring_take(ring_t *self, const tbox_input_t *input);

/* Copies the newest records that fit, oldest of them first; returns the bytes written. */
size_t ring_copy(const ring_t *self, uint8_t *out, size_t room);

#endif
