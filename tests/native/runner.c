/* The core without Python: a file that tests/native/pack.py wrote goes in, every output comes out as text, to the bit.
 *
 *     runner FILE [SIZE [quiet]]     feed SIZE inputs at a time (0: all at once); quiet: only the counters
 *
 * The file is made of 8-byte words, little-endian: the magic; the bytes of the setup after its table; counts of messages,
 * cuts, inputs and fields; the fields of each kind of output; then the structs themselves, as they lie in memory. int64_t
 * and double are aligned to 8 bytes on x86-64, aarch64 and armhf (EABI), so all but pointers lies alike on all three.
 *
 * stdout: a line per output, its numbers as C99 hexadecimal doubles; a line of counters. stderr, because it differs
 * between machines: allocations while fed and in all, bytes of stack used by one feed, bytes of a core without ring.
 */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tbox.h"

#define MAGIC UINT64_C(0x316e75722d786274) /* "tbx-run1" */
#define STACK_BYTES 65536
#define PAINT 0xA5

_Static_assert(alignof(int64_t) == 8 && alignof(double) == 8, "the file's structs need words aligned to 8 bytes");
_Static_assert(sizeof(tbox_input_t) == 80 && offsetof(tbox_input_t, u) == 16, "as drivers/batch.py packs it");
_Static_assert(offsetof(tbox_setup_t, table) == 0 && sizeof(tbox_table_t) % 8 == 0, "the rest of a setup lies alike");

typedef struct {
    uint64_t magic;
    uint64_t setup_bytes; /* after its table */
    uint64_t message_bytes;
    uint64_t cut_bytes;
    uint64_t messages;
    uint64_t cuts;
    uint64_t inputs;
    uint64_t fields;
} head_t;

/* Where a number of an output lies, and what it is: 'd' double, 'q' int64_t, 'B' one byte. */
typedef struct {
    uint64_t output;
    uint64_t offset;
    uint64_t type;
} field_t;

typedef struct {
    head_t head;
    const field_t *fields;
    tbox_setup_t setup;
    const tbox_input_t *inputs;
    tbox_core_t *core;
    uint64_t fed_allocations;
    size_t deepest;
    bool is_quiet;
} run_t;

/* ---- allocations: counted (linked with --wrap, so that it works in a static program too) ------------------------ */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

static uint64_t allocations;

void *__wrap_malloc(size_t bytes)
{
    allocations++;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    allocations++;
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    allocations++;
    return __real_realloc(memory, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    allocations++;
    return __real_aligned_alloc(alignment, bytes);
}

/* ---- stack: painted, fed, looked at ----------------------------------------------------------------------------- */

static uintptr_t painted;

__attribute__((noinline)) static void paint(void)
{
    volatile uint8_t stack[STACK_BYTES];

    for (size_t i = 0; i < STACK_BYTES; i++) {
        stack[i] = PAINT;
    }
    painted = (uintptr_t)&stack[0];
}

/* What was overwritten since, counted from the top. */
__attribute__((noinline)) static size_t stack_used(void)
{
    const volatile uint8_t *const stack = (const volatile uint8_t *)painted;
    size_t clean = 0;

    while (clean < STACK_BYTES && stack[clean] == PAINT) {
        clean++;
    }
    return STACK_BYTES - clean;
}

/* ---- the file ----------------------------------------------------------------------------------------------------- */

static void die(const char *why)
{
    fprintf(stderr, "runner: %s\n", why);
    exit(66);
}

static void *block(FILE *file, uint64_t count, size_t bytes)
{
    void *const memory = aligned_alloc(16, ((size_t)count * bytes + 31) & ~(size_t)15);

    if (memory == NULL || fread(memory, bytes, (size_t)count, file) != count) {
        die("the file ends too soon");
    }
    return memory;
}

static head_t head_of(FILE *file)
{
    head_t head;

    if (fread(&head, sizeof head, 1, file) != 1 || head.magic != MAGIC) {
        die("not a file of pack.py's");
    }
    if (head.setup_bytes != sizeof(tbox_setup_t) - sizeof(tbox_table_t) || head.message_bytes != sizeof(tbox_message_t)
        || head.cut_bytes != sizeof(tbox_cut_t)) {
        die("its structs are not those of these headers: build and pack again");
    }
    return head;
}

/* ---- outputs ------------------------------------------------------------------------------------------------------ */

static void print_number(const tbox_output_t *out, const field_t *field)
{
    const uint8_t *const at = (const uint8_t *)&out->u + field->offset;
    double number;
    int64_t whole;

    if (field->type == 'B') {
        printf(" %u", *at);
    } else if (field->type == 'q') {
        memcpy(&whole, at, sizeof whole);
        printf(" %lld", (long long)whole);
    } else {
        memcpy(&number, at, sizeof number);
        if (number == number) {
            printf(" %a", number);
        } else {
            printf(" nan"); /* its sign and payload differ between processors, and mean nothing */
        }
    }
}

static void drain(const run_t *self)
{
    tbox_output_t out;

    while (tbox_next(self->core, &out)) {
        if (self->is_quiet) {
            continue;
        }
        printf("%u %lld", out.kind, (long long)out.t_us);
        for (uint64_t i = 0; i < self->head.fields; i++) {
            if (self->fields[i].output == out.kind) {
                print_number(&out, &self->fields[i]);
            }
        }
        printf("\n");
    }
}

static void print_counters(const tbox_core_t *core, size_t ring_bytes)
{
    uint64_t numbers[sizeof(tbox_counters_t) / 8];
    uint8_t *const ring = malloc(ring_bytes + 1);
    const size_t frozen = ring == NULL ? 0 : tbox_freeze(core, ring, ring_bytes);
    uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a of the ring */

    tbox_counters(core, (tbox_counters_t *)(void *)numbers);
    for (size_t i = 0; i < frozen; i++) {
        sum = (sum ^ ring[i]) * UINT64_C(0x100000001b3);
    }
    printf("counters");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        printf(" %llu", (unsigned long long)numbers[i]);
    }
    printf(" ring %zu %016llx\n", frozen, (unsigned long long)sum);
    free(ring);
}

static void begin(run_t *self, FILE *file)
{
    tbox_setup_t *const setup = &self->setup;

    self->head = head_of(file);
    self->fields = block(file, self->head.fields, sizeof(field_t));
    if (fread((uint8_t *)setup + sizeof setup->table, sizeof *setup - sizeof setup->table, 1, file) != 1) {
        die("the file ends too soon");
    }
    setup->table.messages = block(file, self->head.messages, sizeof(tbox_message_t));
    setup->table.cuts = block(file, self->head.cuts, sizeof(tbox_cut_t));
    setup->table.message_count = (uint32_t)self->head.messages;
    setup->table.cut_count = (uint32_t)self->head.cuts;
    self->inputs = block(file, self->head.inputs, sizeof(tbox_input_t));

    const size_t bytes = tbox_size(setup);

    self->core = tbox_init(aligned_alloc(16, (bytes + 15) & ~(size_t)15), bytes, setup);
    if (self->core == NULL) {
        die("the core does not take this setup");
    }
}

/* The stack is measured only where a feed is large: painting it for every input would take minutes. */
static size_t feed(run_t *self, size_t at, size_t count)
{
    const uint64_t before = allocations;
    const bool is_measured = count > 1;

    if (is_measured) {
        paint();
    }
    const size_t used = tbox_feed(self->core, &self->inputs[at], count);
    const size_t stack = is_measured ? stack_used() : 0;

    self->fed_allocations += allocations - before;
    self->deepest = stack > self->deepest ? stack : self->deepest;
    return used;
}

int main(int count, char **words)
{
    FILE *const file = count > 1 ? fopen(words[1], "rb") : NULL;
    const size_t size = count > 2 ? (size_t)strtoul(words[2], NULL, 10) : 0;
    run_t self = {.is_quiet = count > 3};

    if (file == NULL) {
        die("usage: runner FILE [SIZE [quiet]]");
    }
    begin(&self, file);
    for (size_t used = 0; used < self.head.inputs;) {
        const size_t left = (size_t)self.head.inputs - used;

        used += feed(&self, used, size > 0 && size < left ? size : left);
        drain(&self);
    }
    while (!tbox_finish(self.core)) {
        drain(&self);
    }
    drain(&self);
    print_counters(self.core, self.setup.ring_bytes);
    fprintf(stderr, "allocations %llu of %llu stack %zu core %zu\n", (unsigned long long)self.fed_allocations,
            (unsigned long long)allocations, self.deepest, tbox_size(&self.setup) - self.setup.ring_bytes);
    return 0;
}
