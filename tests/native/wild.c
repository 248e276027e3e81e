/* Bytes read as a drive. */
#include "wild.h"

#include <math.h>

#define G 9.80665

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

/* The same value again and again: of the coolant, the supply, the fuel, the odometer. */
static void add_level(wild_t *self, bytes_t *bytes)
{
    static const int64_t steps_us[] = {1000000, 500000, 2500000, 10000000};
    const uint8_t shape = bytes_u8(bytes);
    const double number = (double)bytes_u8(bytes);
    const uint32_t rows = 1U + (shape >> 2 & 15U);

    for (uint32_t i = 0; i < rows; i++) {
        self->t_us += steps_us[shape >> 6];
        switch (shape & 3) {
        case 0:
            add_value(self, TBOX_COOLANT, number - 40.0);
            break;
        case 1:
            add_value(self, TBOX_BATTERY, number / 10.0);
            break;
        case 2:
            add_value(self, TBOX_FUEL, number / 2.0);
            break;
        default:
            self->odometer_m += i == 0 ? number * 20.0 : 0.0;
            add_value(self, TBOX_ODOMETER, self->odometer_m);
            add_value(self, TBOX_SPEED, self->mps);
        }
    }
}

/* A receiver, once a second: with the car, or somewhere else. */
static void add_fixes(wild_t *self, bytes_t *bytes)
{
    const uint8_t shape = bytes_u8(bytes);
    const uint8_t quality = bytes_u8(bytes);
    const uint32_t fixes = 1U + (shape & 15U);

    self->lat_deg += shape & 16 ? 0.05 : 0.0;
    for (uint32_t i = 0; i < fixes; i++) {
        self->t_us += 1000000;
        self->lat_deg += self->mps / 111000.0;
        if (shape & 32) {
            add_value(self, TBOX_SPEED, self->mps);
        }
        tbox_input_t *const input = add(self, TBOX_IN_FIX);
        const double numbers[6] = {self->lat_deg, 11.0,
                                   self->mps, 0.0, (double)(quality >> 4) / 2.0, (double)(quality & 15)};

        input->flags = shape & 128 ? 63 : 51;
        input->length = shape & 64 ? 0 : 1;
        memcpy(input->u.number, numbers, sizeof numbers);
    }
}

/* The box lies at an angle for some seconds, perhaps turned into it, perhaps with the ignition off. */
static void add_attitude(wild_t *self, bytes_t *bytes)
{
    static const double sines[] = {0.0, 0.12, 0.8, 1.0};
    static const double cosines[] = {1.0, 0.993, 0.6, 0.0};
    static const double angles[] = {0.0, 0.12, 0.927, 1.571};
    const uint8_t shape = bytes_u8(bytes);
    const uint32_t samples = 20U * (1U + (shape >> 2 & 7U));

    if (shape & 128) {
        add_value(self, TBOX_IGNITION, 0.0);
    }
    for (uint32_t i = 0; i < samples; i++) {
        self->t_us += 50000;
        tbox_input_t *const input = add(self, TBOX_IN_IMU);
        const double shake = 0.01 * (double)(self->count % 7U);
        const bool is_turning = i < 10 && (shape & 32);

        input->flags = 63;
        input->u.number[0] = shake;
        input->u.number[1] = G * (is_turning ? 0.0 : sines[shape & 3]) - shake;
        input->u.number[2] = G * (is_turning ? 1.0 : cosines[shape & 3]);
        input->u.number[3] = is_turning ? angles[shape & 3] / 0.5 : 0.0;
        if ((shape & 64) && i % 10U == 9U) {
            add_value(self, TBOX_SPEED, self->mps);
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

/* One value, or only time. */
static void add_one(wild_t *self, bytes_t *bytes, uint8_t kind)
{
    if (kind == 1) {
        const uint8_t signal = bytes_u8(bytes);

        add_value(self, signal % (TBOX_SIGNALS + 2U), odd_number(bytes));
    } else if (kind == 7) {
        add_value(self, TBOX_RPM, (double)bytes_u8(bytes) * 10.0);
    } else if (kind == 8) {
        add_value(self, TBOX_SPEED_LIMIT, (double)bytes_u8(bytes) / 4.0);
    } else if (kind == 9) {
        add_value(self, bytes_u8(bytes) & 1 ? TBOX_IGNITION : TBOX_AIRBAG, (double)(bytes_u8(bytes) & 1));
    } else if (kind == 14) {
        const uint8_t speed = bytes_u8(bytes);

        self->mps = (double)(speed >> 1) * (double)(speed >> 1) / 256.0; /* finer where it hardly moves */
        add_value(self, speed & 1 ? TBOX_GNSS_SPEED : TBOX_SPEED, self->mps);
    } else {
        (void)add(self, TBOX_IN_TICK);
    }
}

void wild_record(wild_t *self, bytes_t *bytes)
{
    const uint8_t choice = bytes_u8(bytes);

    pass(self, choice >> 4);
    switch (choice & 15) {
    case 0:
        add_frame(self, bytes);
        break;
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
    case 11:
        add_level(self, bytes);
        break;
    case 12:
        add_fixes(self, bytes);
        break;
    case 13:
        add_attitude(self, bytes);
        break;
    case 15:
        add_stretch(self, bytes);
        break;
    default:
        add_one(self, bytes, choice & 15);
    }
}

void wild_drive(wild_t *self, bytes_t *bytes)
{
    while (bytes->size > 0 && self->count < WILD_INPUTS) {
        wild_record(self, bytes);
    }
}
