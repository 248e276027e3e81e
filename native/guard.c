/* How often: a guard made, its budget, and what is sent now counted. Frames are guard_frame.c's, lines guard_line.c's. */
#include "guard.h"

#include <string.h>

#include "tbox.h"

enum {
    FLOWS_MILLIS_PER_S = 100000,
    FLOWS_HELD = 50,
    HELD_US = 250000,
    LONG_US = 60000000 /* a minute fills every bucket; far more would overflow */
};

static const uint64_t TOKEN = UINT64_C(1000000000);

_Static_assert(sizeof(((tbox_guard_counters_t *)0)->refused) / sizeof(uint64_t) == TBOX_GUARD_REASONS, "one per reason");

size_t tbox_guard_size(void)
{
    return sizeof(tbox_guard_t);
}

/* One unit of time and rate, a millionth of a second and a thousandth of a token a second, is a billionth of a token. */
static bool take(tbox_bucket_t *bucket, int64_t t_us)
{
    if (t_us > bucket->last_us) {
        const uint64_t passed_us = (uint64_t)t_us - (uint64_t)bucket->last_us;

        bucket->held += (passed_us < LONG_US ? passed_us : LONG_US) * bucket->millis_per_s;
        bucket->held = bucket->held < bucket->most ? bucket->held : bucket->most;
        bucket->last_us = t_us;
    }
    if (bucket->held < TOKEN) {
        return false;
    }
    bucket->held -= TOKEN;
    return true;
}

static tbox_bucket_t make_bucket(uint32_t millis_per_s, uint64_t most)
{
    most = most > TOKEN ? most : TOKEN;
    return (tbox_bucket_t){.held = most, .most = most, .millis_per_s = millis_per_s};
}

static bool may_be_named(uint32_t id)
{
    const uint32_t most = (id & TBOX_EXTENDED) != 0 ? TBOX_EXTENDED | UINT32_C(0x1FFFFFFF) : UINT32_C(0x7FF);

    return id != 0 && id <= most && !tbox_guard_is_answer(id);
}

bool tbox_guard_init(tbox_guard_t *self, const uint32_t *uds_ids, size_t count, uint32_t millirequests_per_s)
{
    if (tbox_guard_is_made(self) || count > TBOX_GUARD_UDS_MOST || millirequests_per_s == 0 ||
        millirequests_per_s > TBOX_GUARD_MILLIREQUESTS_MOST) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!may_be_named(uds_ids[i])) {
            return false;
        }
    }
    memset(self, 0, sizeof *self);
    memcpy(self->uds_ids, uds_ids, count * sizeof *uds_ids);
    self->uds_count = (uint32_t)count;
    self->requests = make_bucket(millirequests_per_s, (uint64_t)millirequests_per_s * HELD_US);
    self->flows = make_bucket(FLOWS_MILLIS_PER_S, FLOWS_HELD * TOKEN);
    self->made = TBOX_GUARD_MADE;
    return true;
}

static int counted(tbox_guard_t *self, int reason, uint64_t *passed)
{
    if (reason == TBOX_GUARD_PASSES) {
        ++*passed;
    } else {
        self->counters.refused[reason]++;
    }
    return reason;
}

int tbox_guard_send(tbox_guard_t *self, int64_t t_us, uint32_t id, const uint8_t *data, uint8_t length, uint8_t flags)
{
    int reason = tbox_guard_frame(self, id, data, length, flags);
    const bool is_answering = reason == TBOX_GUARD_PASSES && tbox_guard_is_flow(data, length);

    if (reason == TBOX_GUARD_PASSES && !take(is_answering ? &self->flows : &self->requests, t_us)) {
        reason = TBOX_GUARD_RATE;
    }
    return counted(self, reason, is_answering ? &self->counters.flows : &self->counters.requests);
}

int tbox_guard_say(tbox_guard_t *self, int64_t t_us, const char *line, size_t size)
{
    tbox_adapter_t after;
    int reason = tbox_guard_judge(self, line, size, &after);

    if (reason == TBOX_GUARD_PASSES && after.was_asked && !take(&self->requests, t_us)) {
        reason = TBOX_GUARD_RATE;
    }
    if (reason == TBOX_GUARD_PASSES) {
        self->adapter = after;
    }
    return counted(self, reason, after.was_asked ? &self->counters.requests : &self->counters.commands);
}

void tbox_guard_forget(tbox_guard_t *self)
{
    self->adapter.is_known = false;
}

void tbox_guard_counters(const tbox_guard_t *self, tbox_guard_counters_t *out)
{
    *out = self->counters;
}

const char *tbox_guard_word(int reason)
{
    static const char *const WORDS[TBOX_GUARD_REASONS] = {
        "",        "unset",   "kind", "identifier", "length", "segment",
        "service", "padding", "rate", "command",    "line",   "adapter",
    };

    return reason >= 0 && reason < TBOX_GUARD_REASONS ? WORDS[reason] : "unknown";
}
