/* candump's log, read fast. */
#include "candump.h"

#include <string.h>

#include "tbox.h"

enum { SECOND_DIGITS_MOST = 11, FRACTION_DIGITS = 6, STANDARD_DIGITS = 3, EXTENDED_DIGITS = 8 };

#define ERROR_BIT UINT32_C(0x20000000)
#define STANDARD_MAX UINT32_C(0x7FF)
#define EXTENDED_MAX UINT32_C(0x1FFFFFFF)
#define NO_DIGIT 255U

_Static_assert(sizeof(((tbox_candump_t *)0)->channels) / sizeof(tbox_candump_channel_t) == CANDUMP_CHANNELS, "cdef");
_Static_assert(sizeof(((tbox_candump_channel_t *)0)->name) == CANDUMP_NAME_BYTES, "cdef");

/* What is left of a line. */
typedef struct {
    const char *at;
    const char *end;
} line_t;

static uint32_t digit_of(char letter)
{
    if (letter >= '0' && letter <= '9') {
        return (uint32_t)(letter - '0');
    }
    const uint32_t upper = (uint32_t)(uint8_t)letter & ~UINT32_C(0x20);

    return upper >= 'A' && upper <= 'F' ? upper - 'A' + 10U : NO_DIGIT;
}

static bool takes(line_t *self, char letter)
{
    if (self->at == self->end || *self->at != letter) {
        return false;
    }
    self->at++;
    return true;
}

/* Decimal digits, at most so many; returns how many there were. */
static uint32_t take_decimal(line_t *self, uint32_t most, int64_t *out)
{
    uint32_t count = 0;

    for (; count < most && self->at < self->end && *self->at >= '0' && *self->at <= '9'; count++) {
        *out = *out * 10 + (*self->at - '0');
        self->at++;
    }
    return count;
}

static bool takes_time(line_t *self, int64_t *t_us)
{
    *t_us = 0;
    return takes(self, '(') && take_decimal(self, SECOND_DIGITS_MOST, t_us) > 0U && takes(self, '.')
           && take_decimal(self, FRACTION_DIGITS, t_us) == FRACTION_DIGITS && takes(self, ')') && takes(self, ' ');
}

static bool takes_channel(line_t *self, const tbox_candump_t *known, uint8_t *number)
{
    const size_t left = (size_t)(self->end - self->at);

    for (uint32_t i = 0; i < known->count; i++) {
        const tbox_candump_channel_t *const channel = &known->channels[i];

        if (left > channel->length && self->at[channel->length] == ' '
            && memcmp(self->at, channel->name, channel->length) == 0) {
            self->at += channel->length + 1U;
            *number = channel->number;
            return true;
        }
    }
    return false;
}

/* Identifier with TBOX_EXTENDED, and flags; false when its digits are not 3 or 8 before a hash, or say too much. */
static bool takes_id(line_t *self, tbox_input_t *out)
{
    uint32_t id = 0;
    uint32_t count = 0;

    for (; count < EXTENDED_DIGITS && self->at < self->end && digit_of(*self->at) != NO_DIGIT; count++) {
        id = id << 4U | digit_of(*self->at);
        self->at++;
    }
    if (!takes(self, '#') || (count != STANDARD_DIGITS && count != EXTENDED_DIGITS)) {
        return false;
    }
    if (count == STANDARD_DIGITS) {
        out->id = id;
        return id <= STANDARD_MAX;
    }
    if ((id & ERROR_BIT) && id <= (ERROR_BIT | EXTENDED_MAX)) {
        out->id = id & EXTENDED_MAX;
        out->flags |= TBOX_FRAME_ERROR;
        return true;
    }
    out->id = id | TBOX_EXTENDED;
    return id <= EXTENDED_MAX;
}

static void take_data(line_t *self, tbox_input_t *out, uint32_t most)
{
    uint32_t count = 0;

    for (; count < most && self->end - self->at >= 2; count++) {
        const uint32_t high = digit_of(self->at[0]);
        const uint32_t low = digit_of(self->at[1]);

        if (high == NO_DIGIT || low == NO_DIGIT) {
            break;
        }
        out->u.data[count] = (uint8_t)(high << 4U | low);
        self->at += 2;
    }
    out->length = (uint8_t)count;
}

/* After the data: nothing, or who sent it. */
static bool is_end(line_t *self)
{
    if (takes(self, ' ')) {
        return (takes(self, 'R') || takes(self, 'T')) && self->at == self->end;
    }
    return self->at == self->end;
}

static bool takes_frame(line_t *self, const tbox_candump_t *known, tbox_input_t *out)
{
    if (!takes_time(self, &out->t_us) || !takes_channel(self, known, &out->channel) || !takes_id(self, out)) {
        return false;
    }
    if (takes(self, '#')) {
        if (self->at == self->end || digit_of(*self->at) == NO_DIGIT) {
            return false;
        }
        self->at++;
        out->flags |= TBOX_FRAME_FD;
    }
    take_data(self, out, out->flags & TBOX_FRAME_FD ? 64U : 8U);
    return is_end(self);
}

size_t tbox_candump_read(const tbox_candump_t *self, const char *text, size_t size, size_t *at, uint8_t *inputs,
                         size_t room)
{
    size_t count = 0;

    for (; count < room && *at < size; count++) {
        const char *const begin = &text[*at];
        const char *const feed = memchr(begin, '\n', size - *at);
        const char *const end = feed != NULL ? feed : &text[size];
        tbox_input_t input = {.kind = TBOX_IN_FRAME};
        line_t line = {begin, end > begin && end[-1] == '\r' ? end - 1 : end};

        if (!takes_frame(&line, self, &input)) {
            break;
        }
        memcpy(&inputs[count * sizeof input], &input, sizeof input);
        *at = (size_t)(end - text) + 1U;
    }
    return count;
}
