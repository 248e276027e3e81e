/* Any datagram through the SocketCAN reader's conversion, and any clocks through its stamps; no socket is needed. */
#include "socketcan.c" /* its conversion is static; -I says of which copy of native/ */

#include "bytes.h"
#include "heard.h"
#include "promise.h"

void fuzz_can(bytes_t *bytes);

static void convert_any(bytes_t *bytes)
{
    struct canfd_frame frame;
    tbox_input_t input;
    const uint8_t shape = bytes_u8(bytes);
    const size_t size = shape & 1 ? CAN_MTU : shape & 2 ? CANFD_MTU : shape;

    memset(&input, 0xA5, sizeof input);
    bytes_take(bytes, &frame, sizeof frame);
    if (!convert(&frame, size, &input)) {
        PROMISE((size != CAN_MTU && size != CANFD_MTU) || frame.len > 8U);
        return;
    }
    heard_numbers(&input, sizeof input);
    PROMISE(input.kind == TBOX_IN_FRAME);
    PROMISE(input.length <= (size == CANFD_MTU ? 64 : 8));
    PROMISE(((input.flags & TBOX_FRAME_FD) != 0) == (size == CANFD_MTU));
    PROMISE((input.id & 0x60000000U) == 0 && ((input.id & TBOX_EXTENDED) != 0 || (input.id >> 29) == 0));
    PROMISE(memcmp(input.u.data, frame.data, input.length) == 0);
    for (size_t i = input.length; i < sizeof input.u.data; i++) {
        PROMISE(input.u.data[i] == 0);
    }
}

static int64_t any_ns(bytes_t *bytes)
{
    return bytes_i64(bytes) / 8; /* a clock of less than 36 years: sums do not overflow */
}

static void stamp_any(bytes_t *bytes)
{
    tbox_can_t can = {.floor_ns = any_ns(bytes)};

    while (bytes->size > 0) {
        const int64_t low_ns = can.floor_ns;
        const clocks_t now = {.wall_ns = any_ns(bytes), .boot_ns = low_ns + (any_ns(bytes) & 0xFFFFFFFFFF)};
        const beside_t beside = {.kernel_ns = any_ns(bytes), .hardware_ns = any_ns(bytes)};
        const int64_t t_ns = stamp(&can, &beside, &now);

        heard_numbers(&t_ns, sizeof t_ns);
        PROMISE(t_ns >= low_ns && t_ns <= now.boot_ns && can.floor_ns == t_ns);
    }
}

void fuzz_can(bytes_t *bytes)
{
    if (bytes_u8(bytes) & 1) {
        stamp_any(bytes);
    } else {
        convert_any(bytes);
    }
}
