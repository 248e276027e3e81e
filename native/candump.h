/* candump's log, read fast: whole lines of text into inputs (tbox.h). Pure: no I/O, no allocation, no global.
 *
 * Only lines as a program writes them are read here:
 *
 *     (1436509052.249713) can0 7E8#03410D32          3 hex digits: 11 bits, 8: 29 bits; perhaps " R" or " T", and CR
 *     (1436509052.249713) can0 18DAF110##1AABB       FD: one digit of flags, up to 64 bytes
 *
 * It stops at any other line, which is the caller's to understand: drivers/recordings/candump.py says what a log may hold, and
 * reads it alike (tests/test_drivers_candump.py).
 */
#ifndef TBOX_CANDUMP_H
#define TBOX_CANDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* cdef: begin */
enum { CANDUMP_CHANNELS = 16, CANDUMP_NAME_BYTES = 15 };

/* A bus by its name in the log, and its number in inputs. */
typedef struct {
    char name[15];
    uint8_t length; /* of the name */
    uint8_t number;
} tbox_candump_channel_t;

/* The buses that are known; a line of another stops the reader. All zeros: none yet. */
typedef struct {
    tbox_candump_channel_t channels[16];
    uint32_t count;
} tbox_candump_t;

/* Reads lines of `text`, from `*at` on, each ended by a line feed or by the end; at most `room` inputs of 80 bytes are
 * written. Returns how many were; `*at` is then where the line begins that was not read, or `size` or more. */
size_t tbox_candump_read(const tbox_candump_t *self, const char *text, size_t size, size_t *at, uint8_t *inputs,
                         size_t room);
/* cdef: end */

#endif
