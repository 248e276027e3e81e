/* What the first byte of the fuzzer's bytes says: which room they are for. */
#ifndef TBOX_TEST_ROOM_H
#define TBOX_TEST_ROOM_H

#include <stdint.h>

enum { FUZZ_ANY = -1, FUZZ_DRIVE, FUZZ_TABLE, FUZZ_CAN };

static inline int fuzz_room(uint8_t first)
{
    static const int rooms[8] = {FUZZ_DRIVE, FUZZ_DRIVE, FUZZ_DRIVE, FUZZ_DRIVE, FUZZ_DRIVE, FUZZ_TABLE, FUZZ_TABLE, FUZZ_CAN};

    return rooms[first % 8U];
}

#endif
