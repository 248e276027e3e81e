#include "pick.h"

#include <stdbool.h>
#include <string.h>

#include "tbox.h"

static bool is_diagnostic(uint32_t id)
{
    const uint32_t number = id & ~TBOX_EXTENDED;

    if ((id & TBOX_EXTENDED) == 0) {
        return number == UINT32_C(0x7DF) || (number & ~UINT32_C(0xF)) == UINT32_C(0x7E0);
    }
    return number == UINT32_C(0x18DB33F1) || (number & ~UINT32_C(0xFF00)) == UINT32_C(0x18DA00F1) ||
           (number & ~UINT32_C(0xFF)) == UINT32_C(0x18DAF100);
}

static bool is_among(uint32_t id, const uint32_t *also, size_t also_count)
{
    for (size_t i = 0; i < also_count; i++) {
        if (also[i] == id) {
            return true;
        }
    }
    return false;
}

size_t tbox_pick(const uint8_t *inputs, size_t count, const uint32_t *also, size_t also_count, uint8_t *out)
{
    size_t picked = 0;

    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = inputs + i * sizeof(tbox_input_t);
        tbox_input_t input;

        memcpy(&input, at, offsetof(tbox_input_t, u));
        if (input.kind == TBOX_IN_FRAME && ((input.flags & TBOX_FRAME_ERROR) != 0 || is_diagnostic(input.id) ||
                                            is_among(input.id, also, also_count))) {
            memcpy(out + picked * sizeof input, at, sizeof input);
            picked++;
        }
    }
    return picked;
}
