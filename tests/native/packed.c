/* Reads the file that tests/native/pack.py wrote. */
#include "packed.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC UINT64_C(0x316e75722d786274) /* "tbx-run1" */

_Static_assert(alignof(int64_t) == 8 && alignof(double) == 8, "the file's structs need words aligned to 8 bytes");
_Static_assert(sizeof(tbox_input_t) == 80 && offsetof(tbox_input_t, u) == 16, "as drivers/batch.py packs it");
_Static_assert(offsetof(tbox_setup_t, table) == 0 && sizeof(tbox_table_t) % 8 == 0, "the rest of a setup lies alike");

void die(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(66);
}

void *aligned(size_t bytes)
{
    void *const memory = aligned_alloc(16, (bytes + 31) & ~(size_t)15);

    if (memory == NULL) {
        die("no memory");
    }
    return memset(memory, 0xA5, bytes); /* a core must not trust in zeros */
}

static void *block(FILE *file, uint64_t count, size_t bytes)
{
    void *const memory = aligned((size_t)count * bytes);

    if (fread(memory, bytes, (size_t)count, file) != count) {
        die("the file ends too soon");
    }
    return memory;
}

static packed_head_t head_of(FILE *file)
{
    packed_head_t head;

    if (fread(&head, sizeof head, 1, file) != 1 || head.magic != MAGIC) {
        die("not a file of pack.py's");
    }
    if (head.setup_bytes != sizeof(tbox_setup_t) - sizeof(tbox_table_t) || head.message_bytes != sizeof(tbox_message_t)
        || head.cut_bytes != sizeof(tbox_cut_t)) {
        die("its structs are not those of these headers: build and pack again");
    }
    return head;
}

void packed_read(packed_t *self, const char *path)
{
    FILE *const file = fopen(path, "rb");
    tbox_setup_t *const setup = &self->setup;

    if (file == NULL) {
        die("no such file");
    }
    self->head = head_of(file);
    self->fields = block(file, self->head.fields, sizeof(packed_field_t));
    if (fread((uint8_t *)setup + sizeof setup->table, sizeof *setup - sizeof setup->table, 1, file) != 1) {
        die("the file ends too soon");
    }
    setup->table.messages = block(file, self->head.messages, sizeof(tbox_message_t));
    setup->table.cuts = block(file, self->head.cuts, sizeof(tbox_cut_t));
    setup->table.message_count = (uint32_t)self->head.messages;
    setup->table.cut_count = (uint32_t)self->head.cuts;
    self->inputs = block(file, self->head.inputs, sizeof(tbox_input_t));
    fclose(file);
}

void packed_drop(packed_t *self)
{
    free((void *)self->fields);
    free((void *)self->setup.table.messages);
    free((void *)self->setup.table.cuts);
    free((void *)self->inputs);
    *self = (packed_t){0};
}
