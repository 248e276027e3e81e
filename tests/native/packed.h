/* Reads the file that tests/native/pack.py wrote: a setup, its table, inputs, and where the numbers of an output lie.
 *
 * The file is made of 8-byte words, little-endian: the magic; sizes and counts; the fields of each kind of output; the bytes
 * of the setup after its table; then messages, cuts and inputs, as they lie in memory. int64_t and double are aligned to 8
 * bytes on x86-64, aarch64 and armhf (EABI), so all but pointers lies alike on all three. */
#ifndef PACKED_H
#define PACKED_H

#include "tbox.h"

typedef struct {
    uint64_t magic;
    uint64_t setup_bytes; /* after its table */
    uint64_t message_bytes;
    uint64_t cut_bytes;
    uint64_t messages;
    uint64_t cuts;
    uint64_t inputs;
    uint64_t fields;
} packed_head_t;

/* Where a number of an output lies, and what it is: 'd' double, 'q' int64_t, 'B' one byte. */
typedef struct {
    uint64_t output;
    uint64_t offset;
    uint64_t type;
} packed_field_t;

typedef struct {
    packed_head_t head;
    const packed_field_t *fields;
    const tbox_input_t *inputs;
    tbox_setup_t setup;
} packed_t;

/* Ends the program with a sentence. */
_Noreturn void die(const char *why);

/* Reads all of it, or dies. */
void packed_read(packed_t *self, const char *path);

/* Gives its memory back. */
void packed_drop(packed_t *self);

/* Memory aligned to 16 bytes, or dies. */
void *aligned(size_t bytes);

#endif
