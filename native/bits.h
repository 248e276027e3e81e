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

/* table.c: whether a decoded value is valid: finite, within its limits, not marked by its validity signal. `cuts` are
 * those of its message. */
bool table_is_valid(const tbox_cut_t *cuts, const tbox_cut_t *cut, const uint8_t *data, double value);

/* Whether OBD-II answers come with this identifier. */
static inline bool table_is_answer(uint32_t id)
{
    return (id & ~UINT32_C(7)) == UINT32_C(0x7E8) || (id & ~UINT32_C(0xFF)) == (TBOX_EXTENDED | UINT32_C(0x18DAF100));
}

#endif
