/* Bytes read as a drive, a table or a datagram; the headers' promises held all the way (make fuzz).
 *
 * A drive is fed to two cores, to one as it is and to the other in splits that the bytes choose, in memory full of different
 * rubbish: both must tell the same. */
#include <inttypes.h>

#include "room.h"
#include "heard.h"
#include "novel.h"
#include "promise.h"
#include "promises.h"
#include "wild.h"

#define CANARY 0xC5

static int only = FUZZ_ANY;
static uint64_t fed_twice; /* inputs of drives that two cores took */

int LLVMFuzzerInitialize(int *count, char ***words);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void fuzz_table(bytes_t *bytes);
void fuzz_can(bytes_t *bytes);

/* A core in memory of exactly its size, between two canaries of 16 bytes. */
typedef struct {
    uint8_t *memory;
    size_t size;
    tbox_core_t *core;
} home_t;

static void home_init(home_t *self, const tbox_setup_t *setup, uint8_t rubbish)
{
    tbox_setup_t lent = *setup;

    self->size = tbox_size(setup);
    self->memory = malloc(self->size + 32U);
    PROMISE(self->memory != NULL);
    memset(self->memory, CANARY, self->size + 32U);
    memset(self->memory + 16, rubbish, self->size);
    PROMISE(tbox_init(NULL, self->size, &lent) == NULL);
    PROMISE(tbox_init(self->memory + 16, self->size - 1U, &lent) == NULL);
    self->core = tbox_init(self->memory + 16, self->size, &lent);
    memset(&lent, rubbish, sizeof lent); /* the setup was copied */
}

static void home_close(home_t *self)
{
    for (size_t i = 0; i < 16; i++) {
        PROMISE(self->memory[i] == CANARY && self->memory[16U + self->size + i] == CANARY);
    }
    free(self->memory);
}

/* Everything a core told, for the comparison. */
typedef struct {
    tbox_output_t outputs[16U * WILD_INPUTS]; /* 13 samples each at most, and some events */
    size_t count;
} tale_t;

static void drain(home_t *home, tale_t *tale, witness_t *witness, size_t most)
{
    tbox_output_t output;

    const size_t before = tale->count;

    while (most-- > 0 && tbox_next(home->core, &output)) {
        witness_output(witness, &output);
        PROMISE(tale->count < sizeof tale->outputs / sizeof tale->outputs[0]);
        tale->outputs[tale->count++] = output;
        novel_output(&output);
    }
    novel_queue(tale->count - before);
}

static void finish(home_t *home, tale_t *tale, witness_t *witness)
{
    if (!tbox_finish(home->core)) {
        drain(home, tale, witness, SIZE_MAX);
        PROMISE(tbox_finish(home->core));
    }
    drain(home, tale, witness, SIZE_MAX);
    PROMISE(tbox_finish(home->core));
    PROMISE(!tbox_next(home->core, &(tbox_output_t){0}));
}

static void feed_whole(home_t *home, const wild_t *wild, tale_t *tale)
{
    witness_t witness;
    size_t fed = 0;

    witness_init(&witness);
    while (fed < wild->count) {
        const size_t used = tbox_feed(home->core, &wild->inputs[fed], wild->count - fed);

        PROMISE(used <= wild->count - fed);
        fed += used;
        drain(home, tale, &witness, SIZE_MAX);
        PROMISE(used > 0); /* with the queue taken out there is room */
    }
    witness_core(&witness, home->core, fed);
    finish(home, tale, &witness);
}

/* Splits come from a number sequence of the seed (Lehmer); outputs are taken when the mood is there or the queue is full. */
static void feed_split(home_t *home, const wild_t *wild, tale_t *tale, uint32_t seed)
{
    witness_t witness;
    size_t fed = 0;

    witness_init(&witness);
    while (fed < wild->count) {
        seed = (uint32_t)((uint64_t)(seed + 1U) * 48271U % 2147483647U);
        const size_t wanted = seed % 5U == 0 ? seed % 100U : 1U;
        const size_t part = wanted < wild->count - fed ? wanted : wild->count - fed;
        const size_t used = tbox_feed(home->core, &wild->inputs[fed], part);

        PROMISE(used <= part);
        fed += used;
        witness_core(&witness, home->core, fed);
        if (seed % 64U == 0) {
            witness_ring(home->core, &wild->setup, wild->inputs, fed);
        }
        drain(home, tale, &witness, used < part || seed % 3U == 0 ? SIZE_MAX : seed % 2U);
    }
    witness_ring(home->core, &wild->setup, wild->inputs, fed);
    finish(home, tale, &witness);
}

/* A part of both must be alike, and is heard. */
static void compare_part(const void *a, const void *b, size_t begin, size_t end)
{
    PROMISE(memcmp((const uint8_t *)a + begin, (const uint8_t *)b + begin, end - begin) == 0);
    heard_numbers((const uint8_t *)a + begin, end - begin);
}

/* Field by field at the ends: what pads a struct is nobody's promise. */
static void compare_output(const tbox_output_t *a, const tbox_output_t *b)
{
    if (a->kind == TBOX_OUT_EVENT) {
        compare_part(&a->u, &b->u, 0, offsetof(tbox_event_t, rule) + 1U);
        compare_part(&a->u, &b->u, offsetof(tbox_event_t, value), sizeof(tbox_event_t));
    } else if (a->kind == TBOX_OUT_SAMPLE) {
        compare_part(&a->u, &b->u, 0, offsetof(tbox_sample_t, engine) + 1U);
        compare_part(&a->u, &b->u, offsetof(tbox_sample_t, fatigue_us),
                     offsetof(tbox_sample_t, rest) + offsetof(tbox_rest_t, is_there) + 1U);
    } else {
        compare_part(&a->u, &b->u, 0, sizeof(tbox_calibration_t));
    }
}

static void compare(const tale_t *whole, const tale_t *split)
{
    PROMISE(whole->count == split->count);
    for (size_t i = 0; i < whole->count; i++) {
        const tbox_output_t *const a = &whole->outputs[i];
        const tbox_output_t *const b = &split->outputs[i];

        PROMISE(a->kind == b->kind && a->t_us == b->t_us);
        heard_numbers(&a->t_us, sizeof a->t_us);
        compare_output(a, b);
    }
}

static void compare_counters(const home_t *whole, const home_t *split)
{
    tbox_counters_t a;
    tbox_counters_t b;

    tbox_counters(whole->core, &a);
    tbox_counters(split->core, &b);
    PROMISE(memcmp(&a, &b, sizeof a) == 0);
    heard_numbers(&a, sizeof a);
    novel_counters(&a);
}

static void fuzz_drive(bytes_t *bytes)
{
    static wild_t wild;
    static tale_t told_whole;
    static tale_t told_split;
    home_t whole;
    home_t split;

    told_whole.count = 0;
    told_split.count = 0;
    const uint32_t seed = wild_head(&wild, bytes);

    wild_drive(&wild, bytes);
    home_init(&whole, &wild.setup, 0x00);
    home_init(&split, &wild.setup, 0x77);
    PROMISE((whole.core != NULL) == tbox_table_check(&wild.setup.table));
    PROMISE((whole.core != NULL) == (split.core != NULL));
    if (whole.core != NULL) {
        feed_whole(&whole, &wild, &told_whole);
        feed_split(&split, &wild, &told_split, seed);
        fed_twice += wild.count;
        novel_inputs(wild.inputs, wild.count);
        compare(&told_whole, &told_split);
        compare_counters(&whole, &split);
    }
    home_close(&whole);
    home_close(&split);
}

static void tell_fed(void)
{
    fprintf(stderr, "stat::core_inputs_fed:         %" PRIu64 "\n", fed_twice);
}

/* --room=N: only bytes for that room, so that the quick ones get their share. */
int LLVMFuzzerInitialize(int *count, char ***words)
{
    for (int i = 1; i < *count; i++) {
        if (sscanf((*words)[i], "--room=%d", &only) == 1) {
            break;
        }
    }
    return atexit(tell_fed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes_t bytes = {.data = data, .size = size};
    const int room = fuzz_room(bytes_u8(&bytes));

    novel_forget();
    if (only != FUZZ_ANY && room != only) {
        return 0;
    }
    switch (room) {
    case FUZZ_TABLE:
        fuzz_table(&bytes);
        break;
    case FUZZ_CAN:
        fuzz_can(&bytes);
        break;
    default:
        fuzz_drive(&bytes);
    }
    return 0;
}
