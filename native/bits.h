/* The bits of a cut and the number they are. */
#ifndef TBOX_BITS_H
#define TBOX_BITS_H

#include "table.h"

/* The raw bits of this cut; `data` has at least bits_reach bytes. */
uint64_t bits_raw(const tbox_cut_t *cut, const uint8_t *data);

/* What they are as a number, before scale and offset: unsigned, two's complement or IEEE 754. */
double bits_number(const tbox_cut_t *cut, uint64_t raw);

/* Bytes a frame must have so that this cut lies inside. */
uint32_t bits_reach(const tbox_cut_t *cut);

#endif
