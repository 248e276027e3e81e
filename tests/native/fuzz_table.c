/* Any table, sound or not: what tbox_table_check trusts may be decoded with any frame without reading beside it. */
#include "heard.h"
#include "promise.h"
#include "wild.h"

#include <math.h>

enum { ROOM = 8 };

void fuzz_table(bytes_t *bytes);

/* One more, one less, or anything. */
static void change(uint8_t *byte, uint8_t choice)
{
    *byte = choice < 64U ? (uint8_t)(*byte + 1U) : choice < 128U ? (uint8_t)(*byte - 1U) : choice;
}

/* A table of which some bytes are changed: often not sound. */
static void read_table(wild_t *self, bytes_t *bytes)
{
    tbox_table_t *const table = &self->setup.table;

    wild_table(self, bytes);
    for (uint32_t changes = bytes_u8(bytes) % 4U; changes > 0; changes--) {
        const uint32_t at = bytes_u16(bytes);

        if (at & 1U) {
            change((uint8_t *)self->messages + (at >> 1U) % sizeof self->messages, bytes_u8(bytes));
        } else {
            change((uint8_t *)self->cuts + (at >> 1U) % sizeof self->cuts, bytes_u8(bytes));
        }
    }
    PROMISE(table->message_count <= WILD_MESSAGES && table->cut_count <= WILD_CUTS);
}

/* What table.h says of a table that can be trusted. */
static void check_sound(const tbox_table_t *table)
{
    for (uint32_t i = 0; i < table->message_count; i++) {
        const tbox_message_t *const message = &table->messages[i];

        PROMISE(message->first <= table->cut_count && message->count <= table->cut_count - message->first);
        for (uint32_t j = 0; j < message->count; j++) {
            const tbox_cut_t *const cut = &table->cuts[message->first + j];

            PROMISE(cut->bits >= 1U && cut->bits <= 64U);
            PROMISE(cut->signal == TBOX_NO_SIGNAL || cut->signal < TBOX_SIGNALS);
            PROMISE(cut->mux_cut == TBOX_ALWAYS || cut->mux_cut < j);
            PROMISE(cut->valid_cut == TBOX_ALWAYS || cut->valid_cut < message->count);
        }
    }
}

static void check_decoded(const tbox_table_t *table, const tbox_message_t *message, const tbox_decoded_t *decoded)
{
    const tbox_cut_t *const cut = &table->cuts[decoded->cut];

    PROMISE(decoded->cut >= message->first && decoded->cut < message->first + message->count);
    PROMISE(!decoded->valid || isfinite(decoded->value));
    PROMISE(!decoded->valid || !(cut->flags & TBOX_CUT_LIMITED)
            || (decoded->value >= cut->min && decoded->value <= cut->max));
}

static void decode(const tbox_table_t *table, bytes_t *bytes)
{
    const bool is_answer = bytes_u8(bytes) & 1;
    const uint8_t which = is_answer ? 0 : bytes_u8(bytes) % 8U;
    const uint32_t plain = which < 4U ? 0x100U + which : TBOX_EXTENDED + 0x19000027U + ((which - 4U) << 16U);
    const uint32_t id = is_answer ? 0x7E8U : plain;
    const int32_t found = tbox_table_find(table, bytes_u8(bytes) & 1U, id);
    const uint8_t length = bytes_u8(bytes) % 65U;
    const uint32_t room = bytes_u8(bytes) % (ROOM + 1U);
    uint8_t *const data = malloc(length); /* exactly, so that a byte beside it is seen */
    tbox_decoded_t *const out = malloc(room * sizeof *out);

    PROMISE(found >= -1 && found < (int32_t)table->message_count);
    PROMISE((data != NULL || length == 0) && (out != NULL || room == 0));
    bytes_take(bytes, data, length);
    if (is_answer && length > 3U && (data[0] & 1)) {
        data[0] = (uint8_t)(length - (data[0] >> 1 & 3U)); /* an answer of service 01 that just fits, or just does not */
        data[1] = 0x41;
        data[2] = (uint8_t)(data[2] % 4U * 3U);
    }
    if (found >= 0) {
        const tbox_message_t *const message = &table->messages[found];
        const int32_t count = tbox_table_decode(table, found, data, length, out, room);

        PROMISE(count >= -2 && count <= (int32_t)room);
        PROMISE(count == -1 || length >= message->length);
        if (count >= 0 && message->check != TBOX_CHECK_NONE) {
            PROMISE(tbox_table_checksum(table, found, id, data, length) <= 0xFFFFU);
        }
        for (int32_t i = 0; i < count; i++) {
            check_decoded(table, message, &out[i]);
            heard_numbers(&out[i], offsetof(tbox_decoded_t, valid) + sizeof out[i].valid);
            PROMISE(message->kind == TBOX_MESSAGE_OBD || i == 0 || out[i].cut > out[i - 1].cut);
        }
    }
    free(out);
    free(data);
}

/* The arrays move to memory of exactly their size: an index beside them is seen too. */
void fuzz_table(bytes_t *bytes)
{
    static wild_t wild;
    tbox_table_t table;

    memset(&wild, 0, offsetof(wild_t, inputs));
    read_table(&wild, bytes);
    table = wild.setup.table;
    tbox_message_t *const messages = malloc(table.message_count * sizeof *messages);
    tbox_cut_t *const cuts = malloc(table.cut_count * sizeof *cuts);

    PROMISE((messages != NULL || table.message_count == 0) && (cuts != NULL || table.cut_count == 0));
    if (table.message_count > 0) {
        memcpy(messages, wild.messages, table.message_count * sizeof *messages);
    }
    if (table.cut_count > 0) {
        memcpy(cuts, wild.cuts, table.cut_count * sizeof *cuts);
    }
    table.messages = messages;
    table.cuts = cuts;
    if (heard_truth(tbox_table_check(&table))) {
        check_sound(&table);
        do {
            decode(&table, bytes);
        } while (bytes->size > 0);
    }
    free(cuts);
    free(messages);
}
