/* The decode table: which bits of which frame are which signal.
 *
 * A table is compiled once (agent/maps/compile.py: a DBC through cantools, or OBD-II PIDs) and only read afterwards. The
 * caller owns both arrays; they must outlive every use. Messages are sorted by (channel, id), so a frame is found by
 * binary search; the cuts of a message lie together.
 */
#ifndef TBOX_TABLE_H
#define TBOX_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* cdef: begin */
#define TBOX_EXTENDED 0x80000000 /* set in an identifier: 29 bits wide */
#define TBOX_ANY_CHANNEL 255
#define TBOX_NO_SIGNAL 0xFFFF /* a cut that feeds no catalogue signal: only `tbox decode` shows it */
#define TBOX_ALWAYS 0xFFFF    /* mux_cut of a cut that is in every frame of its message */

/* Flags of a cut. */
#define TBOX_CUT_SIGNED 1
#define TBOX_CUT_FLOAT 2      /* IEEE 754, 16, 32 or 64 bits */
#define TBOX_CUT_BIG_ENDIAN 4 /* Motorola: start_bit is the most significant bit, DBC numbering */
#define TBOX_CUT_LIMITED 8    /* min and max are checked; outside counts as invalid */

/* Kinds of message. */
#define TBOX_MESSAGE_PLAIN 0
#define TBOX_MESSAGE_OBD 1 /* ISO 15765-4 single-frame answers to service 01: see table.c */
#define TBOX_MESSAGE_PGN 2 /* SAE J1939: whatever priority, source and (PDU1) destination; id as tbox_table_pgn says */
#define TBOX_OBD_ID 0xFFFFFFFF /* the id of an OBD message: it stands for 0x7E8..0x7EF and 0x18DAF100..0x18DAF1FF */

#define TBOX_BY_PGN 0x40000000 /* set in the id of a TBOX_MESSAGE_PGN, beside TBOX_EXTENDED */

/* How a frame of this message proves itself (checks.c). The two cuts that lie behind its `count` cuts are those of its
 * checksum and of its counter (bits 0: it has none); the counter's min and max are where it starts and ends. */
enum {
    TBOX_CHECK_NONE,
    TBOX_CHECK_COUNTER, /* no checksum, only a counter */
    TBOX_CHECK_TOYOTA,
    TBOX_CHECK_HONDA,
    TBOX_CHECK_HYUNDAI,
    TBOX_CHECK_HYUNDAI_FD,
    TBOX_CHECK_E2E_P1, /* AUTOSAR E2E; data_ids[0..1] are the data id, low byte first */
    TBOX_CHECK_E2E_P2, /* data_ids by counter; Volkswagen's MQB too */
    TBOX_CHECK_E2E_P5, /* as P1 */
    TBOX_CHECKS        /* how many kinds there are */
};
#define TBOX_COUNTERS_MAX 64 /* messages of a table with a counter; each has a slot of its own */

/* One signal's place in a frame: physical = raw * scale + offset. */
typedef struct {
    double scale;
    double offset;
    double min;
    double max;
    uint32_t mux_from;  /* present when the selector lies in mux_from..mux_to (OBD: the PID) */
    uint32_t mux_to;
    uint16_t mux_cut;   /* index within the message of the selecting cut, before this one; or TBOX_ALWAYS */
    uint16_t valid_cut; /* index within the message of a signal that is 0 when this one is invalid, or TBOX_ALWAYS */
    uint16_t signal;    /* catalogue signal (tbox.h), or TBOX_NO_SIGNAL */
    uint16_t start_bit;
    uint8_t bits;       /* 1..64 */
    uint8_t flags;
    uint8_t bytes;      /* OBD: how long the PID's value is; start_bit counts from its first byte */
    uint8_t pad[5];
} tbox_cut_t;

typedef struct {
    uint32_t id;    /* with TBOX_EXTENDED */
    uint32_t first; /* its first cut */
    uint16_t count; /* how many cuts */
    uint8_t channel;
    uint8_t length; /* bytes; a shorter frame is rejected as short */
    uint8_t kind;
    uint8_t check; /* TBOX_CHECK_* */
    uint8_t slot;  /* where the core keeps its counter */
    uint8_t pad;
    uint8_t data_ids[16];
} tbox_message_t;

typedef struct {
    const tbox_message_t *messages;
    const tbox_cut_t *cuts;
    uint32_t message_count;
    uint32_t cut_count;
} tbox_table_t;

/* One decoded signal. */
typedef struct {
    double value;
    uint32_t cut; /* index into the table's cuts */
    bool valid;   /* false: out of its limits, or its validity signal is 0 */
} tbox_decoded_t;

/* Whether the table can be trusted: messages strictly sorted, every index inside, every cut inside its message, every
 * catalogue signal one there is, the cuts of an OBD message sorted by PID. */
bool tbox_table_check(const tbox_table_t *self);

/* The id under which a table has this extended identifier's parameter group (SAE J1939-21: priority and source masked, in
 * PDU1 the destination too), whether it has it or not. */
uint32_t tbox_table_pgn(uint32_t id);

/* The message of a frame, or -1 when the table has none. Extended identifiers carry TBOX_EXTENDED. A message of this
 * channel goes before one of any channel, a plain one before a PGN's, that before OBD. At most six binary searches. */
int32_t tbox_table_find(const tbox_table_t *self, uint8_t channel, uint32_t id);

/* Decodes a frame of this message (`length` bytes of `data`, up to 64). Writes at most `room` values in the order of the
 * cuts and says how many; -1 when the frame is shorter than its message, -2 when nothing in it is known (an OBD PID or
 * service without a cut). Only for a table that tbox_table_check trusts. */
int32_t tbox_table_decode(const tbox_table_t *self, int32_t message, const uint8_t *data, uint8_t length,
                          tbox_decoded_t *out, uint32_t room);

/* What the checksum of a frame of this message must be, as its cut reads it; 0 for a message without. The frame is not
 * short (tbox_table_decode). */
uint32_t tbox_table_checksum(const tbox_table_t *self, int32_t message, uint32_t id, const uint8_t *data, uint8_t length);
/* cdef: end */

#endif
