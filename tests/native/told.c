/* What a core told, as lines of text. */
#include "told.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

typedef struct {
    char *line;
    size_t used;
} line_t;

static void put(line_t *self, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    self->used += (size_t)vsnprintf(self->line + self->used, TOLD_ROOM - self->used, format, arguments);
    va_end(arguments);
}

static void put_number(line_t *self, double number)
{
    if (isnan(number)) {
        put(self, " nan"); /* its sign and payload are nobody's promise */
    } else {
        put(self, " %a", number);
    }
}

static void put_numbers(line_t *self, const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_number(self, numbers[i]);
    }
}

static void put_counts(line_t *self, const uint64_t *counts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(self, " %" PRIu64, counts[i]);
    }
}

static void put_event(line_t *self, const tbox_event_t *event)
{
    const double numbers[] = {event->peak_mps2,   event->entry_mps,  event->exit_mps, event->delta_v_mps,
                              event->delta_v_s,   event->confidence, event->lat_deg,  event->lon_deg};

    put(self, " event %d %" PRId64 " %" PRId64, event->kind, event->start_us, event->end_us);
    put_numbers(self, numbers, sizeof numbers / sizeof numbers[0]);
    put(self, " %d %d %d %d", event->severity, event->direction, event->sources, event->flags);
}

static void put_sample(line_t *self, const tbox_sample_t *sample)
{
    const double numbers[] = {sample->forward_mps2, sample->left_mps2, sample->distance_m, sample->over_limit_m,
                              sample->max_speed_mps};
    const int64_t times_us[] = {sample->over_limit_us,  sample->limit_known_us, sample->moving_us,     sample->idle_us,
                                sample->judged_us,      sample->motion_last_us, sample->engine_last_us};

    put(self, " sample %d", sample->engine);
    put_numbers(self, numbers, sizeof numbers / sizeof numbers[0]);
    for (size_t i = 0; i < sizeof times_us / sizeof times_us[0]; i++) {
        put(self, " %" PRId64, times_us[i]);
    }
    put_numbers(self, sample->value, TBOX_SIGNALS);
}

size_t told_output(const tbox_output_t *output, char line[TOLD_ROOM])
{
    line_t self = {.line = line};

    put(&self, "%" PRId64, output->t_us);
    if (output->kind == TBOX_OUT_EVENT) {
        put_event(&self, &output->u.event);
    } else if (output->kind == TBOX_OUT_SAMPLE) {
        put_sample(&self, &output->u.sample);
    } else {
        put(&self, " calibration");
        put_numbers(&self, output->u.calibration.gravity, 3);
        put_numbers(&self, output->u.calibration.rotation, 9);
        put_number(&self, output->u.calibration.quality);
    }
    return self.used;
}

size_t told_counters(const tbox_counters_t *counters, char line[TOLD_ROOM])
{
    line_t self = {.line = line};

    put(&self, "counters");
    put_counts(&self, &counters->inputs, 1);
    put_counts(&self, &counters->frames_in, 1);
    put_counts(&self, &counters->decoded, 1);
    put_counts(&self, &counters->unmapped, 1);
    put_counts(&self, counters->rejected, TBOX_REJECTIONS);
    put_counts(&self, counters->values, TBOX_VALUE_REASONS);
    put_counts(&self, counters->judgements, TBOX_JUDGEMENTS);
    return self.used;
}
