/* Everything that was heard from the core, as one number. */
#include "heard.h"

#include <string.h>

static uint64_t hash;

void heard_forget(void)
{
    hash = UINT64_C(0xcbf29ce484222325);
}

uint64_t heard_hash(void)
{
    return hash;
}

void heard_numbers(const void *numbers, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        const size_t left = size - at;
        uint64_t word = 0;

        memcpy(&word, (const uint8_t *)numbers + at, left < sizeof word ? left : sizeof word);
        if ((word << 1U) > UINT64_C(0xFFE0000000000000)) {
            word = UINT64_C(0x7FF8000000000000); /* sign and payload of a NaN differ between processors */
        }
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
    }
}

bool heard_truth(bool is_so)
{
    heard_numbers(&is_so, sizeof is_so);
    return is_so;
}
