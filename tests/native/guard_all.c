/* Asks the guard for every frame of a space, and compares with a list of those that may pass (guard_words.py).
 *
 *     guard_all [STEP OF] < list      of each range every OF-th identifier from STEP on: one process's share
 *
 * The list, in words of hexadecimal:
 *     uds N ID...                         first: identifiers given to the guard
 *     heads FROM TO LENGTH B3..B7 N (N HEAD... N ID...)*N
 *                                         every combination of the first three bytes to each identifier FROM..TO-1, with
 *                                         this length and these bytes behind. These heads may pass to these identifiers,
 *                                         no other head, and nothing to any other identifier
 *     ids FROM TO B0..B7 N ID...          this frame to every identifier FROM..TO-1: it may pass to these, in order
 * Says how many were asked and how many passed. The first that should have and did not, or the reverse, ends it with 1.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"

enum { HEADS = 1 << 24, CLASSES = 16, IDS_MOST = 4096, HEADS_MOST = 1 << 16 };

/* Identifiers to which the same may be sent. */
typedef struct {
    uint32_t ids[IDS_MOST];
    size_t id_count;
    uint32_t heads[HEADS_MOST];
    size_t head_count;
} class_t;

static tbox_guard_t guard;
static class_t classes[CLASSES];
static uint8_t may_pass[HEADS];
static uint64_t asked, passed;

static uint32_t word(void)
{
    uint32_t number = 0;

    if (scanf("%" SCNx32, &number) != 1) {
        fputs("the list ends too soon\n", stderr);
        exit(2);
    }
    return number;
}

static size_t words(uint32_t *out, size_t most)
{
    const size_t count = word();

    if (count > most) {
        fputs("the list is too long\n", stderr);
        exit(2);
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = word();
    }
    return count;
}

static bool expect(const char *wanted)
{
    char text[16];

    return scanf("%15s", text) == 1 && strcmp(text, wanted) == 0;
}

static void ask(uint32_t id, const uint8_t data[8], uint8_t length, bool may)
{
    const bool does = tbox_guard_frame(&guard, id, data, length, 0) == TBOX_GUARD_PASSES;

    asked++;
    passed += does;
    if (does != may) {
        printf("%08" PRIX32 " [%u]", id, length);
        for (uint8_t i = 0; i < length; i++) {
            printf(" %02X", data[i]);
        }
        printf(": %s\n", does ? "passes" : "is refused");
        exit(1);
    }
}

static void ask_heads(uint32_t id, uint8_t length, const uint8_t rest[8])
{
    uint8_t data[8];

    memcpy(data, rest, sizeof data);
    for (uint32_t head = 0; head < HEADS; head++) {
        data[0] = (uint8_t)(head >> 16);
        data[1] = (uint8_t)(head >> 8);
        data[2] = (uint8_t)head;
        ask(id, data, length, may_pass[head] != 0);
    }
}

static void mark(const class_t *found, uint8_t as)
{
    for (size_t i = 0; i < found->head_count; i++) {
        may_pass[found->heads[i]] = as;
    }
}

static const class_t *class_of(uint32_t id, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < classes[i].id_count; j++) {
            if (classes[i].ids[j] == id) {
                return &classes[i];
            }
        }
    }
    return NULL;
}

static void bytes(uint8_t *out, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        out[i] = (uint8_t)word();
    }
}

static void every_head(uint32_t step, uint32_t of)
{
    const uint32_t from = word(), to = word();
    const uint8_t length = (uint8_t)word();
    uint8_t rest[8] = {0};
    size_t count = 0;

    bytes(rest, 3, 8);
    count = word();
    for (size_t i = 0; i < count && i < CLASSES; i++) {
        classes[i].head_count = words(classes[i].heads, HEADS_MOST);
        classes[i].id_count = words(classes[i].ids, IDS_MOST);
    }
    for (uint32_t id = from + step; id < to; id += of) {
        const class_t *found = class_of(id, count);

        if (found != NULL) {
            mark(found, 1);
        }
        ask_heads(id, length, rest);
        if (found != NULL) {
            mark(found, 0);
        }
    }
}

static void every_id(uint32_t step, uint32_t of)
{
    const uint32_t from = word(), to = word();
    uint8_t data[8];
    class_t *found = &classes[0];
    size_t next = 0;

    bytes(data, 0, 8);
    found->id_count = words(found->ids, IDS_MOST);
    for (uint32_t id = from + step; id < to; id += of) {
        while (next < found->id_count && found->ids[next] < id) {
            next++;
        }
        ask(id, data, 8, next < found->id_count && found->ids[next] == id);
    }
}

int main(int count, char **arguments)
{
    uint32_t uds_ids[TBOX_GUARD_UDS_MOST];
    const uint32_t step = count == 3 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 0;
    const uint32_t of = count == 3 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 1;
    char what[16];

    if (!expect("uds") ||
        !tbox_guard_init(&guard, uds_ids, words(uds_ids, TBOX_GUARD_UDS_MOST), TBOX_GUARD_MILLIREQUESTS_MOST)) {
        return 2;
    }
    while (scanf("%15s", what) == 1) {
        if (strcmp(what, "heads") == 0) {
            every_head(step, of);
        } else if (strcmp(what, "ids") == 0) {
            every_id(step, of);
        } else {
            return 2;
        }
    }
    printf("%" PRIu64 " %" PRIu64 "\n", asked, passed);
    return 0;
}
