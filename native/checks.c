/* Checksums and counters of frames.
 *
 *   Toyota      sum of the length, the identifier's bytes and all bytes of the frame but the checksum
 *   Honda       8 - sum of the nibbles of identifier and frame but the checksum's; + 3 when the identifier is extended
 *   Hyundai     - sum of the frame's nibbles but the checksum's (CLU11, MDPS12, SCC12 ...; not TCS13 and WHL_SPD11)
 *   Hyundai FD  CRC-16 0x1021 from 0 over the bytes but the checksum's, then the identifier, low byte first;
 *               xor a constant of the length
 *   E2E P1      CRC-8 0x1D from 0 over the data id (mode "both", low byte first) and the bytes but the checksum
 *   E2E P2      CRC-8 0x2F from 0xFF, xor 0xFF, over the bytes but the checksum and the counter's data id
 *   E2E P5      CRC-16 0x1021 from 0xFFFF over the bytes but the checksum and the data id, low byte first
 *
 * The first four are public through commaai/opendbc; the E2E profiles are AUTOSAR PRS_E2EProtocol 6.3, 6.4 and 6.7, with
 * the CRCs of AUTOSAR SWS_CRCLibrary. Volkswagen's MQB is E2E P2 with data ids of its own.
 */
#include "checks.h"

#include "bits.h"

#define POLYNOMIAL_J1850 0x1DU
#define POLYNOMIAL_H2F 0x2FU
#define POLYNOMIAL_CCITT 0x1021U

/* A frame and where its checksum lies. */
typedef struct {
    const uint8_t *data;
    uint32_t length;
    uint32_t sum_first; /* its first byte */
    uint32_t sum_end;   /* the byte after its last */
    uint32_t told;      /* what it says */
} checked_t;

/* ---- sums ---------------------------------------------------------------------------------------------------------- */

static uint32_t sum_of_bytes(const checked_t *frame)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < frame->length; i++) {
        sum += frame->data[i];
    }
    return sum - frame->told;
}

static uint32_t sum_of_nibbles(const checked_t *frame)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < frame->length; i++) {
        sum += (frame->data[i] & 15U) + (frame->data[i] >> 4U);
    }
    return sum - frame->told;
}

static uint32_t toyota(const checked_t *frame, uint32_t id)
{
    const uint32_t sum = (id & 255U) + (id >> 8U & 255U) + (id >> 16U & 255U) + (id >> 24U);

    return (frame->length + sum + sum_of_bytes(frame)) & 255U;
}

static uint32_t honda(const checked_t *frame, uint32_t id, bool is_extended)
{
    uint32_t sum = sum_of_nibbles(frame);

    for (; id != 0U; id >>= 4U) {
        sum += id & 15U;
    }
    return ((is_extended ? 11U : 8U) - sum) & 15U;
}

/* ---- cyclic redundancy checks -------------------------------------------------------------------------------------- */

static uint32_t crc8(uint32_t crc, uint32_t byte, uint32_t polynomial)
{
    crc ^= byte;
    for (uint32_t bit = 0; bit < 8U; bit++) {
        crc = crc << 1U ^ (crc & 0x80U ? polynomial | 0x100U : 0U);
    }
    return crc;
}

static uint32_t crc16(uint32_t crc, uint32_t byte)
{
    crc ^= byte << 8U;
    for (uint32_t bit = 0; bit < 8U; bit++) {
        crc = crc << 1U ^ (crc & 0x8000U ? POLYNOMIAL_CCITT | 0x10000U : 0U);
    }
    return crc;
}

/* Over every byte but the checksum's. */
static uint32_t crc8_of(const checked_t *frame, uint32_t crc, uint32_t polynomial)
{
    for (uint32_t i = 0; i < frame->length; i++) {
        if (i < frame->sum_first || i >= frame->sum_end) {
            crc = crc8(crc, frame->data[i], polynomial);
        }
    }
    return crc;
}

static uint32_t crc16_of(const checked_t *frame, uint32_t crc)
{
    for (uint32_t i = 0; i < frame->length; i++) {
        if (i < frame->sum_first || i >= frame->sum_end) {
            crc = crc16(crc, frame->data[i]);
        }
    }
    return crc;
}

static uint32_t hyundai_fd(const checked_t *frame, uint32_t id)
{
    const uint32_t crc = crc16(crc16(crc16_of(frame, 0U), id & 255U), id >> 8U & 255U);

    switch (frame->length) {
    case 8U:
        return crc ^ 0x5F29U;
    case 16U:
        return crc ^ 0x041DU;
    case 24U:
        return crc ^ 0x819DU;
    case 32U:
        return crc ^ 0x9F5BU;
    default:
        return crc;
    }
}

static uint32_t profile_1(const checked_t *frame, const uint8_t *data_ids)
{
    const uint32_t crc = crc8(crc8(0U, data_ids[0], POLYNOMIAL_J1850), data_ids[1], POLYNOMIAL_J1850);

    return crc8_of(frame, crc, POLYNOMIAL_J1850);
}

static uint32_t profile_2(const checked_t *frame, const uint8_t *data_ids, uint32_t counter)
{
    return crc8(crc8_of(frame, 0xFFU, POLYNOMIAL_H2F), data_ids[counter & 15U], POLYNOMIAL_H2F) ^ 0xFFU;
}

static uint32_t profile_5(const checked_t *frame, const uint8_t *data_ids)
{
    return crc16(crc16(crc16_of(frame, 0xFFFFU), data_ids[0]), data_ids[1]);
}

/* ---- a frame ------------------------------------------------------------------------------------------------------- */

/* The cut of the checksum; that of the counter lies behind it. */
static const tbox_cut_t *check_cuts(const tbox_table_t *table, const tbox_message_t *message)
{
    return &table->cuts[message->first + message->count];
}

static uint32_t number_of(const tbox_cut_t *cut, const uint8_t *data)
{
    return cut->bits > 0U ? (uint32_t)bits_raw(cut, data) : 0U;
}

uint32_t tbox_table_checksum(const tbox_table_t *self, int32_t message, uint32_t id, const uint8_t *data, uint8_t length)
{
    const tbox_message_t *const of = &self->messages[message];
    const bool is_extended = id & TBOX_EXTENDED;

    if (of->check <= TBOX_CHECK_COUNTER) {
        return 0;
    }
    const tbox_cut_t *const cuts = check_cuts(self, of);
    const uint32_t first = cuts[0].start_bit / 8U;
    const checked_t frame = {.data = data, .length = length, .sum_first = first, .sum_end = bits_reach(&cuts[0]),
                             .told = number_of(&cuts[0], data)};

    id &= ~(uint32_t)TBOX_EXTENDED;
    switch (of->check) {
    case TBOX_CHECK_TOYOTA:
        return toyota(&frame, id);
    case TBOX_CHECK_HONDA:
        return honda(&frame, id, is_extended);
    case TBOX_CHECK_HYUNDAI:
        return (0U - sum_of_nibbles(&frame)) & 15U;
    case TBOX_CHECK_HYUNDAI_FD:
        return hyundai_fd(&frame, id);
    case TBOX_CHECK_E2E_P1:
        return profile_1(&frame, of->data_ids);
    case TBOX_CHECK_E2E_P2:
        return profile_2(&frame, of->data_ids, number_of(&cuts[1], data));
    default:
        return profile_5(&frame, of->data_ids);
    }
}

/* From where it was to where it is, at most half a round. */
static bool is_ahead(const tbox_cut_t *cut, uint32_t last, uint32_t counter)
{
    const uint32_t round = (uint32_t)cut->max - (uint32_t)cut->min + 1U;
    const uint32_t step = counter >= last ? counter - last : counter + round - last;

    return step > 0U && step <= round / 2U;
}

static bool is_counter_right(checks_t *self, const tbox_message_t *message, const tbox_cut_t *cut, const uint8_t *data)
{
    const uint32_t counter = number_of(cut, data);
    const uint32_t last = self->last[message->slot];

    if (counter < (uint32_t)cut->min || counter > (uint32_t)cut->max) {
        return false;
    }
    self->last[message->slot] = counter + 1U;
    return last == 0U || is_ahead(cut, last - 1U, counter);
}

int32_t checks_fault(checks_t *self, const tbox_table_t *table, int32_t message, const tbox_input_t *frame)
{
    const tbox_message_t *const of = &table->messages[message];

    if (of->check == TBOX_CHECK_NONE) {
        return -1;
    }
    const tbox_cut_t *const cuts = check_cuts(table, of);
    const uint8_t *const data = frame->u.data;

    if (number_of(&cuts[0], data) != tbox_table_checksum(table, message, frame->id, data, frame->length)) {
        return TBOX_REJECTED_CHECKSUM;
    }
    return cuts[1].bits == 0U || is_counter_right(self, of, &cuts[1], data) ? -1 : TBOX_REJECTED_COUNTER;
}
