/* Changes for libFuzzer that know what a drive is made of: whole records are changed, dropped, moved, said again and put
 * in from other drives, so that what stands behind them keeps its meaning. Tables and datagrams change byte by byte. */
#include "room.h"
#include "wild.h"

#include <stdlib.h>

enum { DRIVE_BYTES = 4096, RECORD_BYTES = 96, RECORDS = 1024, CHANGES = 8 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size, const uint8_t *other, size_t other_size, uint8_t *out,
                                 size_t most, unsigned seed);

/* A drive, cut into its head and its records: record i lies at starts[i] up to starts[i + 1]. */
typedef struct {
    uint8_t bytes[DRIVE_BYTES];
    size_t starts[RECORDS + 1];
    size_t count;
} drive_t;

static wild_t scratch;

static uint32_t choose(uint32_t *seed, size_t choices)
{
    *seed = (uint32_t)((uint64_t)(*seed + 1U) * 48271U % 2147483647U); /* Lehmer */
    return choices == 0 ? 0 : *seed % (uint32_t)choices;
}

static size_t head_bytes(const uint8_t *data, size_t size)
{
    bytes_t bytes = {.data = data, .size = size};

    (void)bytes_u8(&bytes);
    (void)wild_head(&scratch, &bytes);
    return size - bytes.size;
}

static size_t record_bytes(const uint8_t *data, size_t size)
{
    bytes_t bytes = {.data = data, .size = size};

    scratch.count = 0;
    wild_record(&scratch, &bytes);
    return size - bytes.size;
}

/* Bytes beyond the room for inputs are never read: they are left off. */
static void cut_up(drive_t *self, const uint8_t *data, size_t size)
{
    size_t at = head_bytes(data, size);
    size_t inputs = 0;

    self->count = 0;
    self->starts[0] = at;
    while (at < size && self->count < RECORDS && inputs < WILD_INPUTS) {
        at += record_bytes(&data[at], size - at);
        inputs += scratch.count;
        self->count++;
        self->starts[self->count] = at;
    }
    memcpy(self->bytes, data, at);
}

static size_t drive_bytes(const drive_t *self)
{
    return self->starts[self->count];
}

/* Puts bytes in the place of the records from `from` up to `to`. The cuts behind are not moved: a change is the last one of
 * its drive. Returns the new size; 0 when there is no room. */
static size_t put(drive_t *self, size_t from, size_t to, const uint8_t *bytes, size_t size, size_t most)
{
    const size_t begin = self->starts[from];
    const size_t end = self->starts[to];
    const size_t behind = drive_bytes(self) - end;

    if (begin + size + behind > most || begin + size + behind > sizeof self->bytes) {
        return 0;
    }
    memmove(&self->bytes[begin + size], &self->bytes[end], behind);
    memcpy(&self->bytes[begin], bytes, size);
    return begin + size + behind;
}

static size_t change_head(drive_t *self, size_t most)
{
    static uint8_t head[DRIVE_BYTES];
    const size_t size = self->starts[0];

    memset(head, 0, sizeof head);
    memcpy(head, self->bytes, size);
    (void)LLVMFuzzerMutate(head, size, size + 16U);
    head[0] = FUZZ_DRIVE;
    const size_t whole = head_bytes(head, sizeof head);
    const size_t behind = drive_bytes(self) - size;

    if (whole + behind > most || whole + behind > sizeof self->bytes) {
        return 0;
    }
    memmove(&self->bytes[whole], &self->bytes[size], behind);
    memcpy(self->bytes, head, whole);
    return whole + behind;
}

/* Its bytes change; what it then needs more is zero, what it needs less is left off. */
static size_t change_record(drive_t *self, size_t at, size_t most)
{
    uint8_t record[RECORD_BYTES] = {0};
    const size_t size = self->starts[at + 1] - self->starts[at];

    memcpy(record, &self->bytes[self->starts[at]], size);
    (void)LLVMFuzzerMutate(record, size, size);
    return put(self, at, at + 1, record, record_bytes(record, sizeof record), most);
}

static size_t put_new(drive_t *self, size_t at, size_t most, uint32_t *seed)
{
    uint8_t record[RECORD_BYTES];

    for (size_t i = 0; i < sizeof record; i++) {
        record[i] = (uint8_t)(choose(seed, 65536) >> 8);
    }
    return put(self, at, at, record, record_bytes(record, sizeof record), most);
}

/* Some records, behind themselves or elsewhere, once or again and again. */
static size_t say_again(drive_t *self, size_t from, size_t to, size_t most, uint32_t *seed)
{
    static uint8_t said[DRIVE_BYTES];
    const size_t size = self->starts[to] - self->starts[from];
    const uint32_t times = choose(seed, 2) == 0 ? 1U : 1U + choose(seed, 12);
    const size_t where = choose(seed, 2) == 0 ? to : choose(seed, self->count + 1U);
    size_t used = 0;

    for (uint32_t i = 0; i < times && used + size <= sizeof said; i++) {
        memcpy(&said[used], &self->bytes[self->starts[from]], size);
        used += size;
    }
    return put(self, where, where, said, used, most);
}

/* Two neighbouring stretches of records change places. */
static size_t swap(drive_t *self, size_t from, size_t to, size_t most, uint32_t *seed)
{
    static uint8_t swapped[DRIVE_BYTES];
    const size_t end = to + choose(seed, self->count - to + 1U);
    const size_t first = self->starts[to] - self->starts[from];
    const size_t second = self->starts[end] - self->starts[to];

    memcpy(swapped, &self->bytes[self->starts[to]], second);
    memcpy(&swapped[second], &self->bytes[self->starts[from]], first);
    return put(self, from, end, swapped, first + second, most);
}

/* Mostly few. */
static size_t some(uint32_t *seed, size_t most)
{
    const size_t few = most < 4U ? most : 4U;

    return most == 0 ? 0 : 1U + choose(seed, choose(seed, 3) == 0 ? most : few);
}

static size_t change(drive_t *self, size_t most, uint32_t *seed)
{
    const size_t from = choose(seed, self->count);
    const size_t to = from + some(seed, self->count - from);
    const uint32_t kind = choose(seed, CHANGES);

    if (kind == 0 || (self->count == 0 && kind > 1U)) {
        return change_head(self, most);
    }
    switch (kind) {
    case 1:
        return put_new(self, choose(seed, self->count + 1U), most, seed);
    case 2:
        return put(self, from, to, self->bytes, 0, most);
    case 3:
        return swap(self, from, to, most, seed);
    case 4:
    case 5:
        return say_again(self, from, to, most, seed);
    default:
        return change_record(self, from, most);
    }
}

static bool is_drive(const uint8_t *data, size_t size)
{
    return size > 0 && size <= DRIVE_BYTES && fuzz_room(data[0]) == FUZZ_DRIVE;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static drive_t drive;
    uint32_t number = seed % 2147483647U;

    if (!is_drive(data, size) || choose(&number, 16) == 0) {
        return LLVMFuzzerMutate(data, size, most);
    }
    cut_up(&drive, data, size);
    const size_t changed = change(&drive, most, &number);

    memcpy(data, drive.bytes, changed);
    return changed;
}

/* Records of another drive, put in somewhere or in the place of some. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size, const uint8_t *other, size_t other_size, uint8_t *out,
                                 size_t most, unsigned seed)
{
    static drive_t drive;
    static drive_t from;
    uint32_t number = seed % 2147483647U;

    if (!is_drive(data, size) || !is_drive(other, other_size)) {
        return 0;
    }
    cut_up(&drive, data, size);
    cut_up(&from, other, other_size);
    const size_t at = choose(&number, drive.count + 1U);
    const size_t to = choose(&number, 2) == 0 ? at : at + choose(&number, drive.count - at + 1U);
    const size_t first = choose(&number, from.count);
    const size_t last = first + some(&number, from.count - first);
    const size_t changed =
        put(&drive, at, to, &from.bytes[from.starts[first]], from.starts[last] - from.starts[first], most);

    memcpy(out, drive.bytes, changed);
    return changed;
}
