/* What a core told, as lines of text that say every bit: doubles as hexadecimal floats, NaN as "nan". Two cores that told the
 * same give the same lines, whatever lies in the padding of their structs. */
#ifndef TBOX_TEST_TOLD_H
#define TBOX_TEST_TOLD_H

#include <stddef.h>

#include "tbox.h"

enum { TOLD_ROOM = 2048 };

/* Writes one line without its end; returns its length, less than TOLD_ROOM. */
size_t told_output(const tbox_output_t *output, char line[TOLD_ROOM]);
size_t told_counters(const tbox_counters_t *counters, char line[TOLD_ROOM]);

#endif
