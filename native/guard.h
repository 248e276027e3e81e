/* The transmit guard: what may leave this box for the car, and how often. All that does passes it at the last step.
 *
 * It does no I/O, has no clock and keeps nothing outside its struct. Memory that is all zeros refuses everything;
 * `tbox_guard_init` works once, and nothing that follows can widen what it allows.
 *
 * On CAN these frames pass, and no other:
 *
 *     identifier                        ISO-TP           payload
 *     7DF, 7E0..7E7,                    single frame     01 + 1 to 6 PIDs
 *     18DB33F1, 18DAxxF1                                 02 + 1 to 3 pairs of PID and frame number
 *                                                        03, 07 or 0A alone
 *                                                        09 + 1 information type          (SAE J1979)
 *     7E0..7E7, 18DAxxF1                flow control     30 00 00: go on, without pause (ISO 15765-4 asks for these)
 *     identifiers named at init         single frame     22 + 1 data identifier of 2 bytes (ISO 14229-1)
 *
 * Classic data frames only, of 8 bytes or of just as many as are used; unused bytes are all 00, all 55, all AA or all CC.
 *
 * To an ELM327 or STN11xx adapter pass lines that set it up for that, and hex requests by the same rule (guard_line.c).
 * The guard follows the header and protocol an adapter was told, so that a request is judged with the identifier it will
 * bear. Nothing is asked before a reset (ATZ, ATWS, ATD) and a choice of an ISO 15765-4 protocol (6 to 9), and nothing while
 * filters let pass what is no answer, because an adapter sends flow control by itself to what looks like a first frame.
 * The guard judges what is written, not what arrives: 0104 that loses its first two characters on the way clears codes. So
 * write a line only after the adapter's prompt, and a request behind a few spaces, which are lost first and mean nothing.
 */
#ifndef TBOX_GUARD_H
#define TBOX_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* cdef: begin */

/* Why something does not pass; `tbox_guard_word` has a word for each. */
enum {
    TBOX_GUARD_PASSES,
    TBOX_GUARD_UNSET,      /* the guard was never initialised */
    TBOX_GUARD_KIND,       /* a remote, error or FD frame */
    TBOX_GUARD_IDENTIFIER, /* nothing, or not this, is sent there */
    TBOX_GUARD_LENGTH,     /* frame length, ISO-TP length and service do not agree */
    TBOX_GUARD_SEGMENT,    /* neither a single frame nor that flow control */
    TBOX_GUARD_SERVICE,
    TBOX_GUARD_PADDING,
    TBOX_GUARD_RATE,    /* more than is allowed in this time */
    TBOX_GUARD_COMMAND, /* an adapter's command that is not on the list */
    TBOX_GUARD_LINE,    /* empty (it would repeat the last one), too long, or with characters that are no text */
    TBOX_GUARD_ADAPTER, /* header, protocol or filters of the adapter are not known, or do not fit a request */
    TBOX_GUARD_REASONS  /* how many there are */
};

enum {
    TBOX_GUARD_UDS_MOST = 32,
    TBOX_GUARD_LINE_MOST = 64,             /* characters, with spaces and carriage return */
    TBOX_GUARD_MILLIREQUESTS_MOST = 100000 /* per second: 100 requests */
};

typedef struct tbox_guard tbox_guard_t;

typedef struct {
    uint64_t requests;    /* passed, frames and lines */
    uint64_t flows;       /* flow control frames passed */
    uint64_t commands;    /* adapter's commands passed */
    uint64_t refused[12]; /* by reason */
} tbox_guard_counters_t;

/* Bytes a guard needs, aligned to 8. */
size_t tbox_guard_size(void);

/* Makes a guard in `self`. `uds_ids`: identifiers service 22 may be asked of, bit 31 set for 29 bits; not 0, and
 * none that OBD answers come with. False, and a guard that refuses everything, when one of them or the rate is out of range; false
 * too, and nothing changed, when it was made before. */
bool tbox_guard_init(tbox_guard_t *self, const uint32_t *uds_ids, size_t count, uint32_t millirequests_per_s);

/* Whether this frame is on the list: 0, or the reason it is not. `flags` as in tbox_input_t; `data` has `length` bytes. */
int tbox_guard_frame(const tbox_guard_t *self, uint32_t id, const uint8_t *data, uint8_t length, uint8_t flags);

/* Whether this line may be written to an adapter with one carriage return, which may stand there already. An empty line
 * is refused, because it repeats the last one. One space alone, to be written without carriage return, ends a monitor; in
 * case one is written all the same, it passes only behind a reset, and costs a request when the last line was one. */
int tbox_guard_line(const tbox_guard_t *self, const char *line, size_t size);

/* The same for what is sent now: it takes its share of the budget, is counted, and changes what is known of the adapter.
 *
 * Budget: a bucket that fills at the rate given at init and holds a quarter of a second's requests, at least one: in any
 * time t pass at most `rate * t + held` requests. Flow control has a bucket of its own, 100 a second, 50 held. Time is
 * monotonic microseconds; while it lies behind what was seen before, no bucket fills. */
int tbox_guard_send(tbox_guard_t *self, int64_t t_us, uint32_t id, const uint8_t *data, uint8_t length, uint8_t flags);
int tbox_guard_say(tbox_guard_t *self, int64_t t_us, const char *line, size_t size);

/* An adapter did not confirm what it was told: no request passes until it is reset. */
void tbox_guard_forget(tbox_guard_t *self);

void tbox_guard_counters(const tbox_guard_t *self, tbox_guard_counters_t *out);

/* A reason as a word: "identifier", "rate"; "" for what passes. */
const char *tbox_guard_word(int reason);

/* cdef: end */

/* Tokens that come with time, counted in billionths. */
typedef struct {
    int64_t last_us;
    uint64_t held;
    uint64_t most;
    uint32_t millis_per_s; /* thousandths of a token a second */
} tbox_bucket_t;

enum { TBOX_GUARD_MADE = 0x74475244 };

/* What an adapter was told, as far as a request depends on it. */
typedef struct {
    uint32_t header;  /* with bit 31 for 29 bits; 0: the protocol's own */
    uint8_t width;    /* 11 or 29 bits; 0: no protocol chosen */
    bool is_known;    /* it was reset, and confirmed all since */
    bool was_asked;   /* its last line was a request */
    bool lets_others; /* ATCRA, ATCF, ATCM: more comes through than answers */
    bool passes_more; /* STFAP: likewise */
} tbox_adapter_t;

struct tbox_guard {
    uint32_t made; /* TBOX_GUARD_MADE, or it is not */
    uint32_t uds_count;
    uint32_t uds_ids[TBOX_GUARD_UDS_MOST];
    tbox_bucket_t requests;
    tbox_bucket_t flows;
    tbox_adapter_t adapter;
    tbox_guard_counters_t counters;
};

/* guard_frame.c: whether a payload, ISO-TP's length byte taken off, may go to this target. */
int tbox_guard_payload(const tbox_guard_t *self, uint32_t id, const uint8_t *payload, size_t size);

/* guard_frame.c: whether something may be sent to this identifier. */
bool tbox_guard_is_target(const tbox_guard_t *self, uint32_t id);

/* guard_frame.c: whether a guard was initialised. */
bool tbox_guard_is_made(const tbox_guard_t *self);

/* guard_frame.c: OBD answers come with this identifier. */
bool tbox_guard_is_answer(uint32_t id);

/* guard_frame.c: the one flow control frame that passes. */
bool tbox_guard_is_flow(const uint8_t *data, uint8_t length);

/* guard_line.c: as tbox_guard_line, and what the line would make of the adapter. */
int tbox_guard_judge(const tbox_guard_t *self, const char *line, size_t size, tbox_adapter_t *after);

#endif
