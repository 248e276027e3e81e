/* From a batch of inputs those that matter to diagnostics, so that nobody loops over a whole bus in Python. */
#ifndef TBOX_PICK_H
#define TBOX_PICK_H

#include <stddef.h>
#include <stdint.h>

/* cdef: begin */

/* Copies from `inputs` (count * 80 bytes, as tbox_input_t) to `out`, which has as much room, the frames with these
 * identifiers: 7DF, 7E0..7EF, 18DB33F1, 18DAxxF1, 18DAF1xx, and the `also_count` of `also` (bit 31 set for 29 bits); and
 * every error frame. Returns how many, in the order they came. */
size_t tbox_pick(const uint8_t *inputs, size_t count, const uint32_t *also, size_t also_count, uint8_t *out);

/* cdef: end */

#endif
