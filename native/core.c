/* The verbs of tbox.h: memory, time, dispatch. */
#include "core.h"

#include <math.h>
#include <string.h>

#define SECOND_US 1000000
#define TIME_MOST_US 4000000000000000000
#define QUIET_US 12000000 /* after so long without input, seconds are skipped */

static size_t core_bytes(void)
{
    return (sizeof(tbox_core_t) + 15) & ~(size_t)15;
}

static size_t ring_bytes(const tbox_setup_t *setup)
{
    return (setup->ring_bytes + (size_t)7) & ~(size_t)7;
}

size_t tbox_size(const tbox_setup_t *setup)
{
    return core_bytes() + plan_bytes(&setup->table) + ring_bytes(setup);
}

tbox_core_t *tbox_init(void *memory, size_t size, const tbox_setup_t *setup)
{
    tbox_core_t *const self = memory;

    if (memory == NULL || size < tbox_size(setup) || !tbox_table_check(&setup->table)) {
        return NULL;
    }
    memset(self, 0, sizeof *self);
    self->setup = *setup;
    plan_init(&self->plan, (uint8_t *)memory + core_bytes(), &self->setup.table);
    ring_init(&self->ring, (uint8_t *)memory + core_bytes() + plan_bytes(&setup->table), ring_bytes(setup));
    signals_init(&self->signals);
    speed_init(&self->car);
    speed_init(&self->gnss);
    totals_init(&self->totals);
    imu_init(&self->imu);
    self->now_us = NEVER;
    self->second_us = NEVER;
    self->engine_last_us = NEVER;
    self->judged_row_us = NEVER;
    judge_init(self);
    watch_init(self);
    return self;
}

/* The first whole second at or after a time. */
static int64_t second_from(int64_t t_us)
{
    const int64_t over_us = t_us % SECOND_US;

    if (over_us == 0) {
        return t_us;
    }
    return t_us - over_us + (over_us > 0 ? SECOND_US : 0);
}

/* Only the engine's speed and the ignition can start it. Where the ignition alone tells that it runs, it runs on with
 * time, until one of them says otherwise. */
static void note_engine(tbox_core_t *self, int64_t t_us)
{
    self->engine_news = ENGINE_OLD;
    if (moment_engine(self, t_us) == ENGINE_RUNS) {
        const int64_t last_us = moment_engine_last(self, t_us);

        self->engine_last_us = last_us > self->engine_last_us ? last_us : self->engine_last_us;
        self->engine_news = moment_engine_last(self, t_us + 1) > t_us ? ENGINE_FOLLOWS : ENGINE_OLD;
    }
}

static void hear_engine(tbox_core_t *self)
{
    if (self->engine_news == ENGINE_TOLD) {
        note_engine(self, self->now_us);
    } else {
        self->engine_last_us = self->now_us;
    }
}

/* A sample: what is known at a moment, and what the rules that watch carry on. */
static void tell(const tbox_core_t *self, int64_t t_us, tbox_sample_t *out)
{
    moment_tell(self, t_us, out);
    watch_tell(self, out);
}

static void end_second(tbox_core_t *self, int64_t t_us)
{
    note_engine(self, t_us);
    judge_second(self, t_us);
    watch_second(self, t_us);
    tell(self, t_us, &queue_push(&self->queue, TBOX_OUT_SAMPLE, t_us)->u.sample);
    self->totals.max_speed_mps = (double)NAN;
}

/* Makes the samples of the seconds that end at or before t. */
static void advance(tbox_core_t *self, int64_t t_us)
{
    if (self->now_us == NEVER) {
        self->second_us = second_from(t_us) == t_us ? t_us + SECOND_US : second_from(t_us);
        self->now_us = t_us;
    }
    while (self->second_us <= t_us) {
        if (self->second_us > self->now_us + QUIET_US) {
            self->second_us = second_from(t_us + 1) - SECOND_US;
        }
        end_second(self, self->second_us);
        self->second_us += SECOND_US;
    }
    if (t_us > self->now_us) {
        self->now_us = t_us;
    }
}

/* Times beyond any clock would only make the sums of times overflow. */
static bool is_time(int64_t t_us)
{
    return t_us > -TIME_MOST_US && t_us < TIME_MOST_US;
}

/* Nearly every input lies between the last and the end of the second, which both are times. */
static bool takes_time(tbox_core_t *self, int64_t t_us)
{
    if (t_us >= self->now_us && t_us < self->second_us) {
        self->now_us = t_us;
        return true;
    }
    if (!is_time(t_us)) {
        self->counters.values[TBOX_VALUE_INVALID]++;
        return false;
    }
    advance(self, t_us);
    return true;
}

static void take(tbox_core_t *self, const tbox_input_t *input)
{
    self->counters.inputs++;
    if (!takes_time(self, input->t_us)) {
        return;
    }
    ring_take(&self->ring, input);
    if (input->kind == TBOX_IN_FRAME) {
        frame_take(self, input);
    } else {
        input_take(self, input);
    }
    if (self->engine_news != ENGINE_OLD) {
        hear_engine(self);
    }
}

size_t tbox_feed(tbox_core_t *self, const tbox_input_t *inputs, size_t count)
{
    size_t used = 0;

    for (; used < count && queue_has_room(&self->queue); used++) {
        take(self, &inputs[used]);
    }
    return used;
}

bool tbox_next(tbox_core_t *self, tbox_output_t *out)
{
    return queue_pop(&self->queue, out);
}

bool tbox_finish(tbox_core_t *self)
{
    if (!queue_has_room(&self->queue)) {
        return false;
    }
    if (!self->is_finished && self->now_us != NEVER) {
        judge_end(self);
        watch_end(self);
    }
    self->is_finished = true;
    return true;
}

void tbox_snapshot(const tbox_core_t *self, tbox_sample_t *out)
{
    tell(self, self->now_us, out);
}

void tbox_told(const tbox_core_t *self, int64_t *out)
{
    for (uint32_t i = 0; i < TBOX_SIGNALS; i++) {
        out[i] = self->signals.t_us[i];
    }
}

void tbox_counters(const tbox_core_t *self, tbox_counters_t *out)
{
    *out = self->counters;
}

size_t tbox_freeze(const tbox_core_t *self, uint8_t *out, size_t room)
{
    return ring_copy(&self->ring, out, room);
}

void tbox_alarm(const tbox_core_t *self, tbox_alarm_t *out)
{
    const loss_t *const loss = &self->loss;
    const bool is_loss = loss->is_hit && !is_older(loss->from.t_us, self->now_us, self->setup.crash.confirm_us);

    *out = (tbox_alarm_t){.blow_us = is_loss ? loss->from.t_us : NEVER, .ringed = self->ring.taken};
    if (crash_is_open(&self->crash)) {
        out->blow_us = self->crash.zero_us;
    }
}
