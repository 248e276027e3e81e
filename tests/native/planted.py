"""Bugs of the kinds that happen, to be planted one at a time: a fuzzer that misses one of them is asleep."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """`good` stands exactly once in native/`file`; `bad` in its place is the bug."""

    name: str
    file: str
    good: str
    bad: str


PLANTED = (
    Planted("queue-overflows", "queue.h", "QUEUE_ROOM - self->count >= QUEUE_STEP", "self->count < QUEUE_ROOM"),
    Planted("ring-record-torn", "ring.c", "self->size - self->used < bytes)", "self->size - self->used + 8 < bytes)"),
    Planted("obd-length-by-one", "table.c", "if (at + size > length) {", "if (at + size > length + 1U) {"),
    Planted("validity-cut-by-one", "table_check.c", "cut->valid_cut < message->count", "cut->valid_cut <= message->count"),
    Planted("bits-read-beyond", "bits.c", "while (have < bits) {", "while (have <= bits) {"),
    Planted("frame-not-counted", "frame.c", "if (message == NULL) {\n        self->counters.unmapped++;", "if (message == NULL) {"),
    Planted("nan-gets-in", "signal.c", "!(value >= RANGE[signal].min && value <= RANGE[signal].max)",
            "value < RANGE[signal].min || value > RANGE[signal].max"),
    Planted("time-overflows", "core.c", "return t_us > -TIME_MOST_US && t_us < TIME_MOST_US;",
            "return t_us > -TIME_MOST_US || t_us < TIME_MOST_US;"),
    Planted("batch-matters", "core.c", "take(self, &inputs[used]);",
            "take(self, &inputs[used > 0 && inputs[used].id == inputs[used - 1].id ? used - 1 : used]);"),
    Planted("twin-divides-by-zero", "loss.c", "if (to.t_us <= from.t_us) {", "if (to.t_us < from.t_us) {"),
    Planted("confidence-over-one", "harsh.c", "alone + 0.4 * (1.0 - alone)", "alone + 0.8"),
    Planted("rubbish-left", "core.c", "memset(self, 0, sizeof *self);", "memset(self, 0, sizeof *self - 64);"),
    Planted("moving-shrinks", "totals.c", "self->moving_us += rounded(moving.us);", "self->moving_us -= rounded(moving.us);"),
    Planted("cut-range-by-one", "table_check.c", "message->count > self->cut_count - message->first",
            "message->count > self->cut_count - message->first + 1U"),
    Planted("plan-too-small", "plan.c", "return padded_cuts(table) * sizeof(plan_cut_t)",
            "return table->cut_count * sizeof(plan_cut_t)"),
    Planted("queue-step-too-small", "queue.h", "QUEUE_STEP = 58", "QUEUE_STEP = 12"),
    Planted("ring-wraps-late", "ring.c", "return at < self->size ?", "return at <= self->size ?"),
    Planted("block-beyond", "imu.c", "self->next = (self->next + 1) % IMU_BLOCKS;", "self->next = (self->next + 1) % (IMU_BLOCKS + 1);"),
    Planted("end-before-start", "harsh.c", "open->event.end_us = reading->t_us + reading->half_us;",
            "open->event.end_us = reading->t_us - 2 * reading->half_us - 1;"),
    Planted("fatigue-shrinks", "rest.c", "if (!self->hole.is_open && over_before_us + us > 0) {", "if (!self->hole.is_open) {"),
    Planted("frame-too-long", "socketcan.c", "frame->len > most) {", "frame->len > most + 8) {"),
)  # fmt: skip
