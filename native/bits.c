/* Bits in DBC numbering: bit 0 is the least significant of byte 0, bit 8 that of byte 1. */
#include "bits.h"

#include <string.h>

#define HALF_SUBNORMAL 5.9604644775390625e-8 /* 2^-24 */

/* Intel: start is the least significant bit. */
static uint64_t little(const uint8_t *data, uint32_t start, uint32_t bits)
{
    uint32_t byte = start / 8U;
    uint32_t have = 8U - start % 8U;
    uint64_t raw = (uint64_t)data[byte] >> (start % 8U);

    while (have < bits) {
        byte++;
        raw |= (uint64_t)data[byte] << have;
        have += 8U;
    }
    return bits < 64U ? raw & ((UINT64_C(1) << bits) - 1U) : raw;
}

/* Motorola: start is the most significant bit. */
static uint64_t big(const uint8_t *data, uint32_t start, uint32_t bits)
{
    uint32_t byte = start / 8U;
    uint32_t have = start % 8U + 1U;
    uint64_t raw = (uint64_t)data[byte] & ((UINT64_C(1) << have) - 1U);

    if (have >= bits) {
        return raw >> (have - bits);
    }
    for (; bits - have >= 8U; have += 8U) {
        byte++;
        raw = raw << 8U | data[byte];
    }
    if (have < bits) {
        raw = raw << (bits - have) | (uint64_t)data[byte + 1U] >> (8U - (bits - have));
    }
    return raw;
}

uint64_t bits_raw(const tbox_cut_t *cut, const uint8_t *data)
{
    return cut->flags & TBOX_CUT_BIG_ENDIAN ? big(data, cut->start_bit, cut->bits)
                                            : little(data, cut->start_bit, cut->bits);
}

/* IEEE 754 binary16, bit by bit: its normal numbers are doubles with another bias. */
static double half(uint64_t raw)
{
    const uint64_t sign = (raw & 0x8000U) << 48U;
    const uint64_t exponent = raw >> 10U & 0x1FU;
    const uint64_t fraction = raw & 0x3FFU;
    uint64_t image = sign | (exponent == 31U ? UINT64_C(0x7FF) : exponent + 1008U) << 52U | fraction << 42U;
    double value;

    if (exponent == 0U) {
        return sign ? -(double)fraction * HALF_SUBNORMAL : (double)fraction * HALF_SUBNORMAL;
    }
    memcpy(&value, &image, sizeof value);
    return value;
}

static double floating(uint64_t raw, uint32_t bits)
{
    const uint32_t word = (uint32_t)raw;
    double wide;
    float narrow;

    if (bits == 16U) {
        return half(raw);
    }
    if (bits == 32U) {
        memcpy(&narrow, &word, sizeof narrow);
        return (double)narrow;
    }
    memcpy(&wide, &raw, sizeof wide);
    return wide;
}

static double integer(uint64_t raw, uint32_t bits, bool is_signed)
{
    const uint64_t sign = UINT64_C(1) << (bits - 1U);

    if (is_signed && (raw & sign)) {
        return -(double)(((sign - 1U) - (raw & (sign - 1U))) + 1U); /* two's complement without a cast out of range */
    }
    return (double)raw;
}

double bits_number(const tbox_cut_t *cut, uint64_t raw)
{
    return cut->flags & TBOX_CUT_FLOAT ? floating(raw, cut->bits)
                                       : integer(raw, cut->bits, cut->flags & TBOX_CUT_SIGNED);
}

uint32_t bits_reach(const tbox_cut_t *cut)
{
    const uint32_t byte = cut->start_bit / 8U;
    const uint32_t have = cut->start_bit % 8U + 1U;

    if (!(cut->flags & TBOX_CUT_BIG_ENDIAN)) {
        return (cut->start_bit + (uint32_t)cut->bits + 7U) / 8U;
    }
    return byte + 1U + (cut->bits > have ? (cut->bits - have + 7U) / 8U : 0U);
}
