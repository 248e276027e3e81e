/* The core without Python: a file that tests/native/pack.py wrote goes in, every output comes out as text, to the bit.
 *
 *     runner FILE [SIZE [quiet]]     feed SIZE inputs at a time (0: all at once); quiet: only the counters
 *     runner FILE slowest PASSES     the longest time one input takes, each at its best of some passes, in ns, to stdout
 *
 * stdout: a line per output, its numbers as C99 hexadecimal doubles; a line of counters. stderr, because it differs
 * between machines: allocations while fed and in all, bytes of stack used by one feed, bytes of a core without ring.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "packed.h"

#define STACK_BYTES 65536
#define PAINT 0xA5

typedef struct {
    packed_t told;
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

/* ---- outputs ------------------------------------------------------------------------------------------------------ */

static void print_number(const tbox_output_t *out, const packed_field_t *field)
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
        for (uint64_t i = 0; i < self->told.head.fields; i++) {
            if (self->told.fields[i].output == out.kind) {
                print_number(&out, &self->told.fields[i]);
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

static int64_t now_ns(void)
{
    struct timespec now;

    timespec_get(&now, TIME_UTC);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The stack is measured only where a feed is large: painting it for every input would take minutes. */
static size_t feed(run_t *self, size_t at, size_t count)
{
    const uint64_t before = allocations;
    const bool is_measured = count > 1;

    if (is_measured) {
        paint();
    }
    const size_t used = tbox_feed(self->core, &self->told.inputs[at], count);
    const size_t stack = is_measured ? stack_used() : 0;

    self->fed_allocations += allocations - before;
    self->deepest = stack > self->deepest ? stack : self->deepest;
    return used;
}

static void begin(run_t *self)
{
    const tbox_setup_t *const setup = &self->told.setup;

    self->core = tbox_init(aligned(tbox_size(setup)), tbox_size(setup), setup);
    if (self->core == NULL) {
        die("the core does not take this setup");
    }
}

/* What interrupts the program does so elsewhere in each pass. */
static int64_t slowest_ns(run_t *self, long passes)
{
    const size_t count = (size_t)self->told.head.inputs;
    int64_t *const best_ns = aligned(count * sizeof(int64_t));
    int64_t most_ns = 0;

    for (long pass = 0; pass < passes; pass++) {
        begin(self);
        for (size_t i = 0; i < count; i++) {
            const int64_t begin_ns = now_ns();

            tbox_feed(self->core, &self->told.inputs[i], 1);
            const int64_t took_ns = now_ns() - begin_ns;

            best_ns[i] = pass == 0 || took_ns < best_ns[i] ? took_ns : best_ns[i];
            drain(self);
        }
    }
    for (size_t i = 0; i < count; i++) {
        most_ns = best_ns[i] > most_ns ? best_ns[i] : most_ns;
    }
    return most_ns;
}

static void run(run_t *self, size_t size)
{
    begin(self);
    for (size_t used = 0; used < self->told.head.inputs;) {
        const size_t left = (size_t)self->told.head.inputs - used;

        used += feed(self, used, size > 0 && size < left ? size : left);
        drain(self);
    }
    while (!tbox_finish(self->core)) {
        drain(self);
    }
    drain(self);
    print_counters(self->core, self->told.setup.ring_bytes);
    fprintf(stderr, "allocations %llu of %llu stack %zu core %zu\n", (unsigned long long)self->fed_allocations,
            (unsigned long long)allocations, self->deepest,
            tbox_size(&self->told.setup) - self->told.setup.ring_bytes);
    free(self->core); /* relay.c goes on to the next file */
}

int main(int count, char **words)
{
    run_t self = {.is_quiet = count > 3};

    if (count < 2) {
        die("usage: runner FILE [SIZE [quiet]] | runner FILE slowest PASSES");
    }
    packed_read(&self.told, words[1]);
    if (count == 4 && strcmp(words[2], "slowest") == 0) {
        printf("%lld\n", (long long)slowest_ns(&self, strtol(words[3], NULL, 10)));
    } else {
        run(&self, count > 2 ? (size_t)strtoul(words[2], NULL, 10) : 0);
    }
    packed_drop(&self.told);
    return 0;
}
