/* What tbox.h promises, asked of a core after every step. */
#include "promises.h"

#include "promise.h"

#include <math.h>
#include <string.h>

#define SECOND_US 1000000
#define TIME_MOST_US 4000000000000000000 /* beyond, an input is counted invalid */

void witness_init(witness_t *self)
{
    memset(self, 0, sizeof *self);
    self->second_us = INT64_MIN;
}

/* ---- outputs ------------------------------------------------------------------------------------------------------- */

static bool is_nan_or(double number, double least, double most)
{
    return isnan(number) || (number >= least && number <= most);
}

static void check_event(const tbox_event_t *event)
{
    const bool is_blow = event->kind == TBOX_CRASH || event->kind == TBOX_IMPACT;
    const bool is_bend = event->kind == TBOX_HARSH_CORNERING;

    PROMISE(event->kind < TBOX_EVENTS);
    PROMISE(event->start_us <= event->end_us);
    PROMISE(event->severity <= TBOX_HIGH);
    PROMISE(event->confidence >= 0.0 && event->confidence <= 1.0);
    PROMISE(event->sources != 0 && (event->sources & ~(TBOX_BY_SPEED | TBOX_BY_IMU | TBOX_BY_GNSS | TBOX_BY_VEHICLE)) == 0);
    PROMISE(event->kind != TBOX_POWER_CUT);
    PROMISE(event->rule < TBOX_RULES);
    PROMISE(is_nan_or(event->value, -1e10, 1e10));
    PROMISE((event->flags & ~(TBOX_DV_CLIPPED | TBOX_LOCKED)) == 0);
    PROMISE(event->flags == 0 || is_blow || event->kind == TBOX_ROLLOVER);
    PROMISE(!is_bend || event->direction == TBOX_LEFT || event->direction == TBOX_RIGHT);
    PROMISE(is_bend || is_blow || event->kind == TBOX_PARKED_IMPACT || event->direction == TBOX_NO_SIDE);
    PROMISE(event->direction <= TBOX_REAR);
    PROMISE(is_nan_or(event->peak_mps2, 0.0, 1e6));
    PROMISE(is_nan_or(event->entry_mps, 0.0, 200.0));
    PROMISE(is_nan_or(event->exit_mps, 0.0, 200.0));
    PROMISE(is_nan_or(event->delta_v_mps, is_blow ? 0.0 : -200.0, 1e6));
    PROMISE(is_blow || isnan(event->delta_v_mps) || event->delta_v_mps == event->exit_mps - event->entry_mps);
    PROMISE(is_blow ? event->delta_v_s >= 0.0 && event->delta_v_s <= 30.0 : isnan(event->delta_v_s));
    PROMISE(is_nan_or(event->lat_deg, -90.0, 90.0));
    PROMISE(is_nan_or(event->lon_deg, -180.0, 180.0));
}

static void check_sample(const tbox_sample_t *sample)
{
    for (uint32_t i = 0; i < TBOX_SIGNALS; i++) {
        PROMISE(is_nan_or(sample->value[i], -1e10, 1e10));
    }
    PROMISE(is_nan_or(sample->forward_mps2, -1e6, 1e6));
    PROMISE(is_nan_or(sample->left_mps2, -1e6, 1e6));
    PROMISE(is_nan_or(sample->max_speed_mps, 0.0, 200.0));
    PROMISE(sample->distance_m >= 0.0 && sample->distance_m <= 1e15);
    PROMISE(sample->over_limit_m >= 0.0 && sample->over_limit_m <= sample->distance_m * (1.0 + 1e-9) + 1e-3);
    PROMISE(sample->over_limit_us >= 0 && sample->over_limit_us <= sample->limit_known_us + SECOND_US);
    PROMISE(sample->judged_us >= 0 && sample->judged_us <= sample->moving_us);
    PROMISE(sample->idle_us >= 0);
    PROMISE(sample->engine <= 2);
    PROMISE(sample->fatigue_us >= 0 && sample->rest.rest_us >= 0 && sample->rest.driven_us >= 0);
}

/* Totals only ever grow. */
static void check_growth(const tbox_sample_t *before, const tbox_sample_t *after)
{
    PROMISE(after->distance_m >= before->distance_m);
    PROMISE(after->over_limit_m >= before->over_limit_m);
    PROMISE(after->over_limit_us >= before->over_limit_us);
    PROMISE(after->limit_known_us >= before->limit_known_us);
    PROMISE(after->moving_us >= before->moving_us);
    PROMISE(after->idle_us >= before->idle_us);
    PROMISE(after->judged_us >= before->judged_us);
    PROMISE(after->fatigue_us >= before->fatigue_us);
    PROMISE(after->motion_last_us >= before->motion_last_us);
    PROMISE(after->engine_last_us >= before->engine_last_us);
}

static void check_calibration(const tbox_calibration_t *calibration)
{
    const double *const r = calibration->rotation;

    for (uint32_t i = 0; i < 3; i++) {
        const double turned = r[3 * i] * calibration->gravity[0] + r[3 * i + 1] * calibration->gravity[1]
                              + r[3 * i + 2] * calibration->gravity[2];

        PROMISE(fabs(turned - (i == 2 ? 1.0 : 0.0)) < 1e-6); /* rotation x gravity = (0, 0, 1) */
        PROMISE(fabs(r[3 * i] * r[3 * i] + r[3 * i + 1] * r[3 * i + 1] + r[3 * i + 2] * r[3 * i + 2] - 1.0) < 1e-6);
    }
    PROMISE(calibration->quality >= 0.0 && calibration->quality <= 1.0);
}

void witness_output(witness_t *self, const tbox_output_t *output)
{
    PROMISE(!self->has_told || output->t_us >= self->told_us);
    PROMISE(output->t_us > -TIME_MOST_US && output->t_us < TIME_MOST_US);
    self->told_us = output->t_us;
    self->has_told = true;
    if (output->kind == TBOX_OUT_EVENT) {
        check_event(&output->u.event);
        PROMISE(output->u.event.end_us <= output->t_us + SECOND_US);
    } else if (output->kind == TBOX_OUT_SAMPLE) {
        PROMISE(output->t_us % SECOND_US == 0);
        PROMISE(output->t_us > self->second_us);
        self->second_us = output->t_us;
        check_sample(&output->u.sample);
    } else {
        PROMISE(output->kind == TBOX_OUT_CALIBRATION);
        check_calibration(&output->u.calibration);
    }
}

/* ---- between the steps --------------------------------------------------------------------------------------------- */

static uint64_t sum_of(const uint64_t *counts, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += counts[i];
    }
    return sum;
}

static void check_counters(const tbox_counters_t *before, const tbox_counters_t *now)
{
    PROMISE(now->frames_in == now->decoded + now->unmapped + sum_of(now->rejected, TBOX_REJECTIONS));
    PROMISE(now->frames_in <= now->inputs);
    for (uint32_t i = 0; i < TBOX_VALUE_REASONS; i++) {
        PROMISE(now->values[i] >= before->values[i]);
    }
    for (uint32_t i = 0; i < TBOX_JUDGEMENTS; i++) {
        PROMISE(now->judgements[i] >= before->judgements[i]);
    }
}

void witness_core(witness_t *self, const tbox_core_t *core, uint64_t fed)
{
    tbox_counters_t counters;
    tbox_sample_t now;

    tbox_counters(core, &counters);
    PROMISE(counters.inputs == fed);
    check_counters(&self->counters, &counters);
    self->counters = counters;
    tbox_snapshot(core, &now);
    check_sample(&now);
    if (self->has_last) {
        check_growth(&self->last, &now);
    }
    self->last = now;
    self->has_last = true;
}

/* ---- the ring ------------------------------------------------------------------------------------------------------ */

static size_t record_of(const tbox_input_t *input, uint8_t record[80])
{
    const size_t payload = input->kind == TBOX_IN_VALUE   ? 8U
                           : input->kind != TBOX_IN_FRAME ? 48U
                           : input->length > 64U          ? 64U
                                                          : input->length;

    memset(record, 0, 80);
    memcpy(record, &input->t_us, 8);
    memcpy(&record[8], &input->id, 4);
    memcpy(&record[12], (const uint8_t[]){input->kind, input->channel, input->length, input->flags}, 4);
    memcpy(&record[16], input->u.data, payload);
    return 16U + (payload + 7U) / 8U * 8U;
}

static bool is_kept(const tbox_setup_t *setup, const tbox_input_t *input)
{
    uint8_t record[80];

    return input->kind < TBOX_IN_TICK && input->t_us > -TIME_MOST_US && input->t_us < TIME_MOST_US
           && record_of(input, record) <= (setup->ring_bytes + 7U) / 8U * 8U;
}

/* Writes what must be in the ring to the end of `bytes`; returns how much that is. */
static size_t expect(const tbox_setup_t *setup, const tbox_input_t *inputs, size_t count, size_t most, uint8_t *bytes)
{
    size_t used = 0;

    for (size_t i = count; i > 0; i--) {
        uint8_t record[80];
        const size_t size = record_of(&inputs[i - 1], record);

        if (!is_kept(setup, &inputs[i - 1])) {
            continue;
        }
        if (used + size > most) {
            break;
        }
        used += size;
        memcpy(&bytes[(size_t)setup->ring_bytes + 8U - used], record, size);
    }
    return used;
}

void witness_ring(const tbox_core_t *core, const tbox_setup_t *setup, const tbox_input_t *inputs, size_t count)
{
    const size_t whole = (setup->ring_bytes + 7U) / 8U * 8U;
    uint8_t *const wanted = malloc((size_t)setup->ring_bytes + 8U);

    PROMISE(wanted != NULL);
    for (uint32_t part = 0; part < 3; part++) {
        const size_t room = whole >> part;
        uint8_t *const told = malloc(room + 1U); /* exactly the room, so that a byte more is seen */
        const size_t size = expect(setup, inputs, count, room, wanted);

        PROMISE(told != NULL);
        told[room] = 0xA5;
        PROMISE(tbox_freeze(core, told, room) == size);
        PROMISE(told[room] == 0xA5);
        PROMISE(memcmp(told, &wanted[(size_t)setup->ring_bytes + 8U - size], size) == 0);
        free(told);
    }
    free(wanted);
}
