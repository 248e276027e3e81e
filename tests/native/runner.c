/* The core without Python: a file that tests/native/pack.py wrote goes in, every output comes out as text, to the bit.
 *
 *     runner FILE [SIZE [quiet]]     feed SIZE inputs at a time (0: all at once); quiet: only the last two lines
 *
 * The file is made of 8-byte words, little-endian: the magic; the bytes of the setup after its table; counts of messages,
 * cuts, inputs and fields; the fields of each kind of output; then the structs themselves, as they lie in memory. int64_t
 * and double are aligned to 8 bytes on x86-64, aarch64 and armhf (EABI), so all but pointers lies alike on all three.
 *
 * Output: a line per output, its numbers as C99 hexadecimal doubles; a line of counters; a line about this machine's
 * side: allocations while fed, bytes of stack used.
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

/* ---- allocations: glibc's own, counted ------------------------------------------------------------------------ */

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

static uint64_t allocations;

void *malloc(size_t bytes)
{
    allocations++;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    allocations++;
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    allocations++;
    return __libc_realloc(memory, bytes);
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
    void *const memory = aligned_alloc(16, (count * bytes + 31) & ~(size_t)15);

    if (memory == NULL || fread(memory, bytes, count, file) != count) {
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

static void drain(tbox_core_t *core, const field_t *fields, uint64_t count, bool is_quiet)
{
    tbox_output_t out;

    while (tbox_next(core, &out)) {
        if (is_quiet) {
            continue;
        }
        printf("%u %lld", out.kind, (long long)out.t_us);
        for (uint64_t i = 0; i < count; i++) {
            if (fields[i].output == out.kind) {
                print_number(&out, &fields[i]);
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

int main(int count, char **words)
{
    FILE *const file = count > 1 ? fopen(words[1], "rb") : NULL;
    const size_t size = count > 2 ? strtoul(words[2], NULL, 10) : 0;
    const bool is_quiet = count > 3;

    if (file == NULL) {
        die("usage: runner FILE [SIZE [quiet]]");
    }
    const head_t head = head_of(file);
    const field_t *const fields = block(file, head.fields, sizeof *fields);
    tbox_setup_t setup;

    if (fread((uint8_t *)&setup + sizeof setup.table, head.setup_bytes, 1, file) != 1) {
        die("the file ends too soon");
    }
    setup.table.messages = block(file, head.messages, sizeof(tbox_message_t));
    setup.table.cuts = block(file, head.cuts, sizeof(tbox_cut_t));
    setup.table.message_count = (uint32_t)head.messages;
    setup.table.cut_count = (uint32_t)head.cuts;
    const tbox_input_t *const inputs = block(file, head.inputs, sizeof *inputs);
    tbox_core_t *const core = tbox_init(aligned_alloc(16, (tbox_size(&setup) + 15) & ~(size_t)15), tbox_size(&setup),
                                        &setup);
    uint64_t fed_allocations = 0;
    size_t deepest = 0;

    if (core == NULL) {
        die("the core does not take this setup");
    }
    for (uint64_t used = 0; used < head.inputs;) {
        const uint64_t left = head.inputs - used;
        const uint64_t before = allocations;

        if (size != 1) {
            paint();
        }
        used += tbox_feed(core, &inputs[used], size > 0 && size < left ? size : left);
        fed_allocations += allocations - before;
        if (size != 1) {
            const size_t stack = stack_used();

            deepest = stack > deepest ? stack : deepest;
        }
        drain(core, fields, head.fields, is_quiet);
    }
    while (!tbox_finish(core)) {
        drain(core, fields, head.fields, is_quiet);
    }
    drain(core, fields, head.fields, is_quiet);
    print_counters(core, setup.ring_bytes);
    printf("machine allocations %llu of %llu stack %zu core %zu\n", (unsigned long long)fed_allocations,
           (unsigned long long)allocations, deepest, tbox_size(&setup) - setup.ring_bytes);
    return 0;
}
