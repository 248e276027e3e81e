/* What the core told, as counters that libFuzzer looks at. */
#include "novel.h"

#include <math.h>
#include <string.h>

enum {
    EVENT_BITS = 11,
    SOURCES = TBOX_SIGNALS + 4, /* each signal, and each kind of input that is no value */
    REASONS = TBOX_REJECTIONS + TBOX_VALUE_REASONS + TBOX_JUDGEMENTS
};

/* libFuzzer reads every byte of this section after a run. */
static struct {
    uint8_t events[1 << EVENT_BITS];
    uint8_t pairs[TBOX_EVENTS + 1][TBOX_EVENTS];
    uint8_t samples[512];
    uint8_t orders[2][SOURCES][SOURCES];
    uint8_t queue;
    uint8_t reasons[REASONS];
} seen __attribute__((section("__libfuzzer_extra_counters")));

static uint8_t last_event;

void novel_forget(void)
{
    last_event = TBOX_EVENTS;
    memset(&seen, 0, sizeof seen);
}

static void count(uint8_t *counter)
{
    if (*counter < UINT8_MAX) {
        (*counter)++;
    }
}

static uint32_t source_of(const tbox_input_t *input)
{
    if (input->kind == TBOX_IN_VALUE) {
        return input->id < TBOX_SIGNALS ? input->id : 0U;
    }
    return TBOX_SIGNALS + (input->kind == TBOX_IN_FRAME ? 0U : input->kind <= TBOX_IN_TICK ? input->kind - 1U : 3U);
}

void novel_inputs(const tbox_input_t *inputs, size_t number)
{
    const tbox_input_t *newest = inputs;

    for (size_t i = 1; i < number; i++) {
        if (inputs[i].t_us <= newest->t_us) {
            seen.orders[inputs[i].t_us < newest->t_us][source_of(newest)][source_of(&inputs[i])] = 1;
        } else {
            newest = &inputs[i];
        }
    }
}

static uint32_t scattered(uint32_t number, uint32_t bits)
{
    return number * UINT32_C(0x9E3779B1) >> (32U - bits);
}

void novel_output(const tbox_output_t *output)
{
    if (output->kind == TBOX_OUT_EVENT) {
        const tbox_event_t *const event = &output->u.event;
        const uint32_t about = ((event->kind * 3U + event->severity) * 16U + event->sources) * 8U + event->direction;

        count(&seen.events[scattered((about * 8U + event->rule) * 4U + event->flags, EVENT_BITS)]);
        count(&seen.pairs[last_event][event->kind]);
        last_event = event->kind;
    } else if (output->kind == TBOX_OUT_SAMPLE) {
        const tbox_sample_t *const sample = &output->u.sample;
        const uint32_t known = (isnan(sample->forward_mps2) ? 0U : 1U) | (isnan(sample->left_mps2) ? 0U : 2U)
                               | (isnan(sample->max_speed_mps) ? 0U : 4U) | (sample->rest.rest_us > 0 ? 8U : 0U)
                               | (sample->rest.is_unsure ? 16U : 0U) | (sample->rest.may_have_rested ? 32U : 0U)
                               | (sample->fatigue_us > 0 ? 64U : 0U);

        count(&seen.samples[known * 4U + sample->engine]);
    }
}

void novel_queue(size_t outputs)
{
    seen.queue = (uint8_t)(outputs > seen.queue ? outputs : seen.queue);
}

static void note(uint8_t *out, const uint64_t *counts, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        out[i] = (uint8_t)(counts[i] < UINT8_MAX ? counts[i] : UINT8_MAX);
    }
}

void novel_counters(const tbox_counters_t *counters)
{
    note(seen.reasons, counters->rejected, TBOX_REJECTIONS);
    note(&seen.reasons[TBOX_REJECTIONS], counters->values, TBOX_VALUE_REASONS);
    note(&seen.reasons[TBOX_REJECTIONS + TBOX_VALUE_REASONS], counters->judgements, TBOX_JUDGEMENTS);
}
