/* Bytes read as a setup: a table, and rules of any strictness. */
#include "wild.h"

#include <math.h>

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

static void make_rules(wild_t *self, bytes_t *bytes)
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

/* The rules that watch the car and the box, with times so short that a few bytes can reach them, and an account of rest. */
static void make_watch(wild_t *self, bytes_t *bytes)
{
    const uint8_t choice = bytes_u8(bytes);
    const uint8_t more = bytes_u8(bytes);
    const bool is_quick = (choice & 64) != 0;
    const int64_t settle_us = choice & 128 ? 2000000 : 10000000;
    tbox_setup_t *const setup = &self->setup;

    setup->over_rev = (tbox_level_rule_t){2000.0, choice & 1 ? 0.0 : 200.0, choice & 2 ? 0 : 2000000, true};
    setup->cold_rev = (tbox_cold_rule_t){1500.0, 50.0, choice & 2 ? 0 : 3000000, true};
    setup->fatigue = choice & 4 ? (tbox_fatigue_rule_t){30000000, 20000000, choice & 8 ? 5000000 : 1200000000, true}
                                : (tbox_fatigue_rule_t){14400000000, 12600000000, 1200000000, true};
    setup->rollover = (tbox_rollover_rule_t){45.0, 60.0, choice & 16 ? 0 : 1000000, choice & 16 ? 0 : 3000000, true};
    setup->parked_impact = (tbox_parked_rule_t){9.80665, true};
    setup->tow = (tbox_tow_rule_t){5.0, 4.17, choice & 32 ? 2000000 : 20000000, true};
    setup->low_battery = (tbox_level_rule_t){11.8, 0.4, is_quick ? 2000000 : 60000000, true};
    setup->unplugged = (tbox_level_rule_t){6.0, 0.0, is_quick ? 0 : 1000000, true};
    setup->overheat = (tbox_level_rule_t){115.0, 5.0, is_quick ? 2000000 : 10000000, true};
    setup->refuel = (tbox_fuel_rule_t){8.0, settle_us, true};
    setup->fuel_drop = (tbox_fuel_rule_t){8.0, settle_us, (more & 1) == 0};
    setup->gnss = (tbox_gnss_rule_t){2000.0, is_quick ? 10000000 : 120000000, !(more & 2), !(more & 4)};
    setup->rest = (tbox_rest_t){
        .is_there = (more & 8) != 0,
        .driven_us = more & 16 ? 15000000 : 0,
        .rest_us = more & 32 ? 3000000 : 0,
        .gone_us = more & 64 ? -1 : (int64_t)(more & 3) * 4000000,
        .odometer_m = more & 128 ? 5000.0 : (double)NAN,
        .lat_deg = more & 128 ? 48.0 : (double)NAN,
        .lon_deg = more & 128 ? 11.0 : (double)NAN,
    };
}

uint32_t wild_head(wild_t *self, bytes_t *bytes)
{
    memset(self, 0, offsetof(wild_t, inputs));
    self->count = 0;
    self->mps = 0.0;
    self->odometer_m = 5000.0;
    self->lat_deg = 48.0;
    const uint32_t seed = bytes_u8(bytes);

    self->t_us = seed & 1 ? 1234567 : -3500000;
    make_rules(self, bytes);
    if (seed & 2) {
        make_watch(self, bytes);
    }
    wild_table(self, bytes);
    return seed;
}
