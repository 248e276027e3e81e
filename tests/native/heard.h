/* Everything that was heard from the core, as one number: the same bytes in must give it again. */
#ifndef TBOX_TEST_HEARD_H
#define TBOX_TEST_HEARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void heard_forget(void);

/* A hash (FNV-1a, by words of 8 bytes) of all that was heard since. */
uint64_t heard_hash(void);

/* Hears numbers that lie together, the last one perhaps cut short. Every NaN is the same. */
void heard_numbers(const void *numbers, size_t size);

/* Hears whether something is so, and hands it on. */
bool heard_truth(bool is_so);

#endif
