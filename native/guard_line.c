/* Lines to an ELM327 (data sheet, v1.4 and later) or STN11xx (family reference manual), and what they make of it.
 *
 * Adapters take no notice of case and spaces, so the guard reads a line without them.
 *     AT..., ST...      a command of COMMANDS, digits in the place of #
 *     0100, 010C0D1     a request, in hex; an odd last digit says after how many answers to stop waiting
 *     STPX H:7E0, D:0100, R:1, T:100      a request with its header, answers and milliseconds to wait for
 *
 * Not here, because the adapter would send by itself or what nobody judges: automatic protocols (they try the K line, whose
 * keep-alive is a service of its own), ATCAF0 and STP 31/32 (the ISO-TP length would be ours), ATFC, ATCSM0, ATRTR, ATWM, ATPP.
 */
#include "guard.h"

#include <string.h>

#include "tbox.h"

/* What a command makes of the adapter. */
typedef enum { NOTHING, RESETS, SLEEPS, CHOOSES_11, CHOOSES_29, HEADS, MONITORS, RECEIVES, CLOSES, OPENS, PASSES, BLOCKS } effect_t;

typedef struct {
    const char *text; /* # is a hex digit */
    effect_t effect;
} command_t;

static const command_t COMMANDS[] = {
    {"ATZ", RESETS}, {"ATWS", RESETS}, {"ATD", RESETS}, {"ATLP", SLEEPS}, {"ATPC", NOTHING},
    /* who are you, and how is the supply */
    {"ATI", NOTHING}, {"AT@1", NOTHING}, {"AT@2", NOTHING}, {"STI", NOTHING}, {"STDI", NOTHING}, {"ATRV", NOTHING},
    {"ATIGN", NOTHING}, {"ATDP", NOTHING}, {"ATDPN", NOTHING}, {"ATCS", NOTHING},
    /* how to answer */
    {"ATE0", NOTHING}, {"ATE1", NOTHING}, {"ATL0", NOTHING}, {"ATL1", NOTHING}, {"ATH0", NOTHING}, {"ATH1", NOTHING},
    {"ATS0", NOTHING}, {"ATS1", NOTHING}, {"ATM0", NOTHING}, {"ATAT0", NOTHING}, {"ATAT1", NOTHING}, {"ATAT2", NOTHING},
    {"ATST##", NOTHING}, {"ATCAF1", NOTHING}, {"ATCSM1", NOTHING},
    /* ISO 15765-4: 11 and 29 bits at 500, then at 250 kbit/s */
    {"ATSP6", CHOOSES_11}, {"ATSP7", CHOOSES_29}, {"ATSP8", CHOOSES_11}, {"ATSP9", CHOOSES_29},
    {"ATTP6", CHOOSES_11}, {"ATTP7", CHOOSES_29}, {"ATTP8", CHOOSES_11}, {"ATTP9", CHOOSES_29},
    {"STP33", CHOOSES_11}, {"STP34", CHOOSES_29}, {"STP35", CHOOSES_11}, {"STP36", CHOOSES_29},
    /* to whom: 11 bits, 29 bits without and with the priority, which ATCP sets */
    {"ATSH###", HEADS}, {"ATSH######", HEADS}, {"ATSH########", HEADS}, {"ATCP18", NOTHING},
    /* from whom */
    {"ATCRA", CLOSES}, {"ATAR", CLOSES}, {"ATCRA###", RECEIVES}, {"ATCRA########", RECEIVES},
    {"ATCF###", OPENS}, {"ATCF########", OPENS}, {"ATCM###", OPENS}, {"ATCM########", OPENS},
    {"STFAP###,###", PASSES}, {"STFAP########,########", PASSES}, {"STFCP", BLOCKS},
    /* only listen */
    {"ATMA", MONITORS}, {"STM", MONITORS}, {"STMA", MONITORS},
};

/* A line without spaces and in capitals. */
typedef struct {
    char text[TBOX_GUARD_LINE_MOST];
    size_t size;
} line_t;

static int digit(char letter)
{
    if (letter >= '0' && letter <= '9') {
        return letter - '0';
    }
    return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

/* Empty when it is too long, or has in it what is no text. */
static line_t read_line(const char *line, size_t size)
{
    line_t out = {.size = 0};

    size -= size > 0 && line[size - 1] == '\r';
    if (size >= TBOX_GUARD_LINE_MOST) {
        return out;
    }
    for (size_t i = 0; i < size; i++) {
        if (line[i] < ' ' || line[i] > '~') {
            return (line_t){.size = 0};
        }
        if (line[i] != ' ') {
            out.text[out.size++] = (char)(line[i] >= 'a' && line[i] <= 'z' ? line[i] - 'a' + 'A' : line[i]);
        }
    }
    return out;
}

static bool is_command(const char *text, const char *wanted)
{
    while (*wanted != '\0' && (*wanted == '#' ? digit(*text) >= 0 : *text == *wanted)) {
        text++;
        wanted++;
    }
    return *wanted == '\0' && *text == '\0';
}

/* The number of these hex digits, at most 8; false when one is none. */
static bool read_hex(const char *text, size_t digits, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        if (digit(text[i]) < 0) {
            return false;
        }
        *out = *out << 4 | (uint32_t)digit(text[i]);
    }
    return true;
}

/* An identifier as adapters write it: in 3, 6 (18 stands in front) or 8 digits. 0: none. */
static uint32_t read_id(const char *text, size_t digits)
{
    uint32_t number;

    if (!read_hex(text, digits, &number) || (number & TBOX_EXTENDED) != 0) {
        return 0;
    }
    if (digits == 3) {
        return number;
    }
    return TBOX_EXTENDED | number | (digits == 6 ? UINT32_C(0x18000000) : 0);
}

static int choose_header(const tbox_guard_t *self, uint32_t id, tbox_adapter_t *after)
{
    if (!tbox_guard_is_target(self, id)) {
        return TBOX_GUARD_IDENTIFIER;
    }
    after->header = id;
    return TBOX_GUARD_PASSES;
}

static int apply(const tbox_guard_t *self, effect_t effect, const line_t *line, tbox_adapter_t *after)
{
    switch (effect) {
    case RESETS:
        *after = (tbox_adapter_t){.is_known = true};
        return TBOX_GUARD_PASSES;
    case CHOOSES_11:
        after->width = 11;
        return TBOX_GUARD_PASSES;
    case CHOOSES_29:
        after->width = 29;
        return TBOX_GUARD_PASSES;
    case HEADS:
        return choose_header(self, read_id(line->text + 4, line->size - 4), after);
    case MONITORS:
        return after->is_known && after->width != 0 ? TBOX_GUARD_PASSES : TBOX_GUARD_ADAPTER;
    case RECEIVES:
        after->lets_others = !tbox_guard_is_answer(read_id(line->text + 5, line->size - 5));
        return TBOX_GUARD_PASSES;
    case OPENS:
    case CLOSES:
        after->lets_others = effect == OPENS;
        return TBOX_GUARD_PASSES;
    case PASSES:
    case BLOCKS:
        after->passes_more = effect == PASSES;
        return TBOX_GUARD_PASSES;
    case SLEEPS:
        after->is_known = false;
        return TBOX_GUARD_PASSES;
    case NOTHING:
        return TBOX_GUARD_PASSES;
    }
    return TBOX_GUARD_COMMAND;
}

/* A request of these hex digits to `header`; 0: the protocol's own. */
static int ask(const tbox_guard_t *self, const char *text, size_t digits, uint32_t header)
{
    const tbox_adapter_t *adapter = &self->adapter;
    const uint32_t everybody = adapter->width == 29 ? TBOX_EXTENDED | UINT32_C(0x18DB33F1) : UINT32_C(0x7DF);
    const uint32_t id = header != 0 ? header : everybody;
    uint8_t payload[TBOX_GUARD_LINE_MOST];

    if (digits % 2 != 0) {
        return TBOX_GUARD_LENGTH;
    }
    for (size_t i = 0; i < digits / 2; i++) {
        uint32_t byte;

        if (!read_hex(text + 2 * i, 2, &byte)) {
            return TBOX_GUARD_COMMAND;
        }
        payload[i] = (uint8_t)byte;
    }
    if (!adapter->is_known || adapter->width != ((id & TBOX_EXTENDED) != 0 ? 29 : 11) || adapter->lets_others ||
        adapter->passes_more) {
        return TBOX_GUARD_ADAPTER;
    }
    return tbox_guard_payload(self, id, payload, digits / 2);
}

/* A request in hex. An odd digit at the end is how many answers to wait for. */
static int ask_in_hex(const tbox_guard_t *self, const line_t *line)
{
    const size_t digits = line->size - line->size % 2;
    const bool has_count = digits == line->size || digit(line->text[digits]) > 0;

    return has_count ? ask(self, line->text, digits, self->adapter.header) : TBOX_GUARD_COMMAND;
}

/* A part of STPX, from after its colon to before the next comma. */
typedef struct {
    const char *text;
    size_t size;
} part_t;

static bool is_decimal(const part_t *part, size_t most)
{
    for (size_t i = 0; i < part->size; i++) {
        if (part->text[i] < '0' || part->text[i] > '9') {
            return false;
        }
    }
    return part->size > 0 && part->size <= most;
}

enum { HEADER, ASKED, ANSWERS, TIME, PARTS };

/* Takes STPX apart: each of H, D, R, T at most once. */
static bool split(const char *text, part_t parts[PARTS])
{
    for (;;) {
        static const char NAMES[PARTS] = {'H', 'D', 'R', 'T'};
        const char *name = memchr(NAMES, *text, PARTS);
        part_t *part = NULL;

        if (name == NULL || text[1] != ':' || parts[name - NAMES].text != NULL) {
            return false;
        }
        part = &parts[name - NAMES];
        part->text = text + 2;
        part->size = strcspn(part->text, ",");
        text = part->text + part->size;
        if (*text == '\0') {
            return true;
        }
        text++;
    }
}

static int ask_with_header(const tbox_guard_t *self, const line_t *line)
{
    part_t parts[PARTS] = {{0}};
    const part_t *header = &parts[HEADER];
    uint32_t id = self->adapter.header;

    if (!split(line->text + 4, parts) || parts[ASKED].text == NULL ||
        (parts[ANSWERS].text != NULL && !is_decimal(&parts[ANSWERS], 2)) ||
        (parts[TIME].text != NULL && !is_decimal(&parts[TIME], 5))) {
        return TBOX_GUARD_COMMAND;
    }
    if (header->text != NULL) {
        id = header->size == 3 || header->size == 8 ? read_id(header->text, header->size) : 0;
        if (!tbox_guard_is_target(self, id)) {
            return TBOX_GUARD_IDENTIFIER;
        }
    }
    return ask(self, parts[ASKED].text, parts[ASKED].size, id);
}

static int command(const tbox_guard_t *self, const line_t *line, tbox_adapter_t *after)
{
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (is_command(line->text, COMMANDS[i].text)) {
            return apply(self, COMMANDS[i].effect, line, after);
        }
    }
    return TBOX_GUARD_COMMAND;
}

int tbox_guard_judge(const tbox_guard_t *self, const char *line, size_t size, tbox_adapter_t *after)
{
    const line_t read = read_line(line, size);

    *after = self->adapter;
    if (!tbox_guard_is_made(self)) {
        return TBOX_GUARD_UNSET;
    }
    if (size == 1 && line[0] == ' ') {
        return self->adapter.is_known ? TBOX_GUARD_PASSES : TBOX_GUARD_ADAPTER;
    }
    if (read.size == 0) {
        return TBOX_GUARD_LINE;
    }
    after->was_asked = true;
    if (strncmp(read.text, "STPX", 4) == 0) {
        return ask_with_header(self, &read);
    }
    if (digit(read.text[0]) >= 0 && strncmp(read.text, "AT", 2) != 0) {
        return ask_in_hex(self, &read);
    }
    after->was_asked = false;
    return command(self, &read, after);
}

int tbox_guard_line(const tbox_guard_t *self, const char *line, size_t size)
{
    tbox_adapter_t after;

    return tbox_guard_judge(self, line, size, &after);
}
