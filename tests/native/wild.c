/* Bytes read as a setup and a drive. */
#include "wild.h"

#include <math.h>

#define G 9.80665

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static void make_cut(tbox_cut_t *cut, const tbox_message_t *message, uint32_t index, bytes_t *bytes)
{
    static const double scales[] = {1.0, 0.01, -0.5, 1e6, 0.0, 1.0 / 3.6, (double)NAN, 1e308};
    static const uint8_t widths[] = {8, 1, 16, 12, 32, 64, 7, 13};
    const uint8_t choice = bytes_u8(bytes);
    const uint8_t shape = bytes_u8(bytes);
    const bool is_obd = message->kind == TBOX_MESSAGE_OBD;

    *cut = (tbox_cut_t){
        .scale = scales[choice % 8],
        .offset = choice & 8 ? -40.0 : 0.0,
        .min = choice & 16 ? -1.0 : 0.0,
        .max = 200.0,
        .mux_from = is_obd ? index * 3U : shape >> 6,
        .mux_to = is_obd ? index * 3U : shape >> 6,
        .mux_cut = !is_obd && index > 0U && (choice & 32) ? (uint16_t)(index - 1U) : TBOX_ALWAYS,
        .valid_cut = !is_obd && (choice & 64) ? (uint16_t)(message->count - (shape & 1U)) : TBOX_ALWAYS,
        .signal = shape % 32U < TBOX_SIGNALS ? shape % 32U : TBOX_NO_SIGNAL,
        .start_bit = bytes_u8(bytes) % 64U,
        .bits = widths[shape >> 3 & 7U],
        .flags = bytes_u8(bytes) & 15U,
        .bytes = (uint8_t)(1U + shape % 4U),
    };
    if (is_obd && !(choice & 128)) { /* a value that fits */
        cut->bits = 8;
        cut->start_bit = cut->flags & TBOX_CUT_BIG_ENDIAN ? 7 : 0;
        cut->flags &= (uint8_t)~TBOX_CUT_FLOAT;
        cut->valid_cut = choice & 32 ? (uint16_t)index : TBOX_ALWAYS;
    }
}

/* A checksum in byte 0 or beside it and a counter in byte 2, behind the cuts of the message. */
static void make_check(tbox_cut_t *cuts, const tbox_message_t *message)
{
    static const uint8_t widths[TBOX_CHECKS] = {0, 0, 8, 4, 4, 16, 8, 8, 16};

    cuts[0] = (tbox_cut_t){.bits = widths[message->check], .signal = TBOX_NO_SIGNAL};
    cuts[1] = (tbox_cut_t){.start_bit = 16, .bits = 4, .max = 14.0, .signal = TBOX_NO_SIGNAL};
}

void wild_table(wild_t *self, bytes_t *bytes)
{
    const uint8_t count = bytes_u8(bytes) % (WILD_MESSAGES + 1U);
    uint32_t cuts = 0;

    for (uint32_t i = 0; i < count; i++) {
        tbox_message_t *const message = &self->messages[i];
        const uint8_t shape = bytes_u8(bytes);
        const bool is_obd = i + 1U == count && (shape & 1);
        const bool is_pgn = !is_obd && ((shape & 16) || (i > 0U && message[-1].kind == TBOX_MESSAGE_PGN));

        *message = (tbox_message_t){
            .id = is_obd ? TBOX_OBD_ID : is_pgn ? tbox_table_pgn(0x01000000U + (i << 16U)) : 0x100U + i,
            .first = cuts,
            .count = (uint16_t)(shape >> 1 & 3U),
            .channel = shape & 128 ? TBOX_ANY_CHANNEL : (uint8_t)(shape >> 6 & i),
            .length = is_obd ? 0 : shape & 8 ? 64 : 8,
            .kind = is_obd ? TBOX_MESSAGE_OBD : is_pgn ? TBOX_MESSAGE_PGN : TBOX_MESSAGE_PLAIN,
            .check = !is_obd && (shape & 32) ? (uint8_t)(1U + (shape >> 1 & 7U)) : TBOX_CHECK_NONE,
            .slot = (uint8_t)i,
            .data_ids = {shape, count},
        };
        for (uint32_t j = 0; j < message->count; j++) {
            make_cut(&self->cuts[cuts + j], message, j, bytes);
        }
        cuts += message->count;
        if (message->check != TBOX_CHECK_NONE) {
            make_check(&self->cuts[cuts], message);
            cuts += 2U;
        }
    }
    self->setup.table = (tbox_table_t){
        .messages = self->messages, .cuts = self->cuts, .message_count = count, .cut_count = cuts};
}

/* ---- the rules ---------------------------------------------------------------------------------------------------- */

static tbox_harsh_rule_t harsh_rule(bytes_t *bytes, double min_speed_mps)
{
    const uint8_t choice = bytes_u8(bytes);

    return (tbox_harsh_rule_t){
        .threshold_mps2 = choice & 1 ? 0.5 : 3.43,
        .release_mps2 = choice & 1 ? 0.4 : 2.85,
        .medium_mps2 = choice & 2 ? 0.0 : 4.41,
        .high_mps2 = choice & 2 ? 0.0 : 5.88,
        .min_speed_mps = choice & 4 ? 0.0 : min_speed_mps,
        .hold_us = choice & 8 ? 0 : 500000,
        .refractory_us = choice & 16 ? 0 : choice & 32 ? 60000000 : 3000000,
        .enabled = !(choice & 128),
    };
}

void wild_setup(wild_t *self, bytes_t *bytes)
{
    const uint8_t choice = bytes_u8(bytes);
    const uint8_t more = bytes_u8(bytes);
    tbox_setup_t *const setup = &self->setup;

    setup->braking = harsh_rule(bytes, 2.78);
    setup->acceleration = harsh_rule(bytes, 2.78);
    setup->cornering = harsh_rule(bytes, 4.17);
    setup->idling = (tbox_idling_rule_t){.max_speed_mps = 0.278, .hold_us = choice & 1 ? 0 : 5000000, .enabled = true};
    setup->speeding = (tbox_speeding_rule_t){.limit_mps = choice & 2 ? 13.0 : 0.0,
                                             .margin_mps = choice & 4 ? 2.0 : 0.0,
                                             .hysteresis_mps = 1.39,
                                             .hold_us = choice & 8 ? 0 : 10000000,
                                             .enabled = true};
    setup->crash = (tbox_crash_rule_t){.threshold_mps2 = choice & 16 ? 5.0 : 19.61,
                                       .delta_v_mps = 2.22,
                                       .medium_mps = 4.17,
                                       .high_mps = 6.94,
                                       .lock_mps = 6.94,
                                       .speed_loss_mps2 = 9.0,
                                       .hold_us = choice & 32 ? 0 : 8000,
                                       .confirm_us = choice & 64 ? 0 : 10000000,
                                       .enabled = !(choice & 128)};
    memcpy(setup->rotation, (const double[9]){0, 0, -1, 0, 1, 0, 1, 0, 0}, sizeof setup->rotation);
    setup->ring_us = 30000000;
    setup->ring_bytes = more & 1 ? 0U : (uint32_t)(more >> 1) * 13U;
    setup->powertrain = more % 3U;
    setup->mounted = (more & 24) == 8;
    setup->has_rotation = (more & 24) == 16;
}

/* ---- the drive ---------------------------------------------------------------------------------------------------- */

static tbox_input_t *add(wild_t *self, uint8_t kind)
{
    static tbox_input_t beyond; /* no room: written, never fed */
    tbox_input_t *const input = self->count < WILD_INPUTS ? &self->inputs[self->count++] : &beyond;

    memset(input, 0, sizeof *input);
    input->kind = kind;
    input->t_us = self->t_us;
    return input;
}

static void add_value(wild_t *self, uint32_t signal, double number)
{
    tbox_input_t *const input = add(self, TBOX_IN_VALUE);

    input->id = signal;
    input->u.number[0] = number;
}

static void add_force(wild_t *self, double forward_mps2, double left_mps2, double up_mps2, bool is_upright)
{
    tbox_input_t *const input = add(self, TBOX_IN_IMU);
    const double shake = 0.01 * (double)(self->count % 7U); /* a sensor never tells the same twice */

    input->flags = 63;
    input->u.number[0] = (is_upright ? forward_mps2 : up_mps2) + shake;
    input->u.number[1] = left_mps2 - shake;
    input->u.number[2] = is_upright ? up_mps2 : -forward_mps2;
    input->u.number[is_upright ? 5 : 3] = self->mps > 1.0 ? left_mps2 / self->mps : 0.0;
}

static void pass(wild_t *self, uint8_t choice)
{
    static const int64_t steps_us[] = {10000,   0,        1,         100000,  1000000, 250000,    2500000, -5000,
                                       20000000, -3000000, 600000000, 500000, 11000000, -900000000, 999999,  40000};

    self->t_us += steps_us[choice & 15];
}

/* One number, from plausible to absurd. */
static double odd_number(bytes_t *bytes)
{
    const uint8_t choice = bytes_u8(bytes);

    switch (choice & 7) {
    case 0:
        return 0.0;
    case 1:
        return (double)(int8_t)bytes_u8(bytes);
    case 2:
        return (double)(int16_t)bytes_u16(bytes) / 256.0;
    case 3:
        return (double)INFINITY * (choice & 8 ? -1.0 : 1.0);
    case 4:
        return (double)NAN;
    case 5:
        return bytes_double(bytes);
    case 6:
        return choice & 8 ? 1.0 : 1e308;
    default:
        return (double)(choice >> 3);
    }
}

/* A second or more of driving: the speed as a row every `step`, a sensor ten times as often. */
static void add_stretch(wild_t *self, bytes_t *bytes)
{
    static const int64_t steps_us[] = {100000, 50000, 250000, 1000000};
    const uint8_t shape = bytes_u8(bytes);
    const double forward_mps2 = (double)(int8_t)bytes_u8(bytes) / 8.0;
    const double left_mps2 = (double)(int8_t)bytes_u8(bytes) / 8.0;
    const int64_t step_us = steps_us[shape & 3];
    const uint32_t rows = 1U + (shape >> 2 & 15U);
    const bool has_speed = !(shape & 64);
    const bool has_sensor = (shape & 128) != 0;

    for (uint32_t i = 0; i < rows; i++) {
        for (uint32_t j = 0; j < 10 && has_sensor; j++) {
            self->t_us += step_us / 10;
            add_force(self, forward_mps2, left_mps2, G, true);
        }
        self->t_us += has_sensor ? 0 : step_us;
        self->mps = fmin(fmax(self->mps + forward_mps2 * (double)step_us * 1e-6, 0.0), 70.0);
        if (has_speed) {
            add_value(self, shape & 32 ? TBOX_GNSS_SPEED : TBOX_SPEED, self->mps);
        }
        if ((shape & 48) == 48) {
            add_value(self, TBOX_YAW_RATE, self->mps > 1.0 ? left_mps2 / self->mps : 0.0);
        }
    }
}

/* A tenth of a second that strikes the sensor, as hard as the bytes say. */
static void add_blow(wild_t *self, bytes_t *bytes)
{
    const uint8_t shape = bytes_u8(bytes);
    const double forward_mps2 = (double)(int8_t)bytes_u8(bytes) * 2.0;
    const double left_mps2 = (double)(int8_t)bytes_u8(bytes) * 2.0;
    const double up_mps2 = shape & 1 ? (double)(int8_t)bytes_u8(bytes) * 2.0 : G;
    const uint32_t samples = 1U + (shape >> 1 & 31U);
    const int64_t step_us = shape & 64 ? 1250 : 5000;

    for (uint32_t i = 0; i < samples; i++) {
        self->t_us += step_us;
        add_force(self, forward_mps2, left_mps2, up_mps2, !(shape & 128));
    }
}

static void add_frame(wild_t *self, bytes_t *bytes)
{
    const uint8_t shape = bytes_u8(bytes);
    tbox_input_t *const input = add(self, TBOX_IN_FRAME);

    input->id = shape & 8 ? 0x7E8U : shape & 4 ? TBOX_EXTENDED + 0x19000027U + ((shape & 3U) << 16U) : 0x100U + (shape & 3U);
    input->channel = shape >> 4 & 1U;
    input->flags = shape & 32 ? bytes_u8(bytes) : 0U;
    input->length = shape & 64 ? bytes_u8(bytes) : 8U;
    bytes_take(bytes, input->u.data, shape & 128 ? 64 : 8);
    if ((shape & 15) == 8) {
        memcpy(input->u.data, (const uint8_t[]){(uint8_t)(shape >> 4 & 7), 0x41}, 2); /* an answer of service 01 */
    }
}

static void add_odd(wild_t *self, bytes_t *bytes, uint8_t kind)
{
    tbox_input_t *const input = add(self, kind);

    input->flags = bytes_u8(bytes);
    input->length = input->flags >> 7;
    for (uint32_t i = 0; i < 6; i++) {
        input->u.number[i] = odd_number(bytes);
    }
}

void wild_drive(wild_t *self, bytes_t *bytes)
{
    while (bytes->size > 0 && self->count < WILD_INPUTS) {
        const uint8_t choice = bytes_u8(bytes);

        pass(self, choice >> 4);
        switch (choice & 15) {
        case 0:
            add_frame(self, bytes);
            break;
        case 1: {
            const uint8_t signal = bytes_u8(bytes);

            add_value(self, signal % (TBOX_SIGNALS + 2U), odd_number(bytes));
            break;
        }
        case 2:
            add_odd(self, bytes, TBOX_IN_IMU);
            break;
        case 3:
            add_odd(self, bytes, TBOX_IN_FIX);
            break;
        case 4:
            bytes_take(bytes, add(self, 0), sizeof(tbox_input_t));
            break;
        case 5:
            self->t_us = bytes_i64(bytes) / 2;
            (void)add(self, TBOX_IN_TICK);
            break;
        case 6:
            add_blow(self, bytes);
            break;
        case 7:
            add_value(self, TBOX_RPM, (double)bytes_u8(bytes) * 10.0);
            break;
        case 8:
            add_value(self, TBOX_SPEED_LIMIT, (double)bytes_u8(bytes) / 4.0);
            break;
        case 9:
            add_value(self, bytes_u8(bytes) & 1 ? TBOX_IGNITION : TBOX_AIRBAG, (double)(bytes_u8(bytes) & 1));
            break;
        case 10:
            (void)add(self, TBOX_IN_TICK);
            break;
        default:
            add_stretch(self, bytes);
        }
    }
}
