"""The door of the core: batches in any split, back-pressure, whole seconds, the ring, conserved counters, staleness."""

import struct
from collections.abc import Callable, Iterator
from random import Random

import pytest

from agent.core import Core, Event, Sample, ffi, lib
from agent.vehicle import PLAIN, Message, Table
from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import AT_15, CALM, Road, core, cruise, drive, packed, steady, us, value

EMPTY = Table(name="", powertrain="combustion", vehicle_class="car", messages=())


def lively() -> bytes:
    """A drive with something of everything."""
    road = Road([*AT_15, (2, -5, 0), (3, 0, 4.5), (2, 4, 0), *cruise(10), (4, -3.6, 0), (20, 0, 0)])
    frames = [(i / 50, batch.frame(us(i / 50), 0, 0x100 + i % 3, bytes(i % 9))) for i in range(3000)]
    engine = steady(road.seconds, 2, "rpm", 900)
    fixes = [(at, batch.fix(us(at), [48, 11, 5, at % 360, 1, 9], valid=at % 7 != 0)) for at in range(60)]
    return packed(road.speed(), road.imu(50), frames, engine, fixes, steady(60, 1, "speed_limit", 13.0))


def split(made: Core, inputs: bytes, sizes: Iterator[int]) -> list:
    found, at = [], 0
    while at < len(inputs):
        size = next(sizes) * 80
        found += made.feed(inputs[at : at + size])
        at += size
    return found + made.finish()


def forever(make: Callable[[], int]) -> Iterator[int]:
    while True:
        yield make()


SETS = ("detect.idling.hold_s=5", "detect.speeding.hold_s=2")


@pytest.mark.parametrize("mounted", [True, False])
def test_any_split_gives_the_same_outputs_and_counters(mounted: bool) -> None:
    inputs, luck = lively(), Random(3)
    whole = core(*SETS, mounted=mounted)
    wanted = whole.feed(inputs) + whole.finish()
    assert {o.name for o in wanted if isinstance(o, Event)} >= {"harsh_braking", "idling", "speeding"}
    for sizes in (forever(lambda: 1), forever(lambda: luck.randint(1, 400)), forever(lambda: luck.randint(1, 5))):
        made = core(*SETS, mounted=mounted)
        assert split(made, inputs, sizes) == wanted
        assert made.counters() == whole.counters()


def test_a_full_queue_stops_the_feed_and_loses_nothing() -> None:
    inputs = packed(Road(CALM * 3).speed(5))
    made = core()
    data, count = ffi.from_buffer("tbox_input_t[]", inputs), len(inputs) // 80
    used = lib.tbox_feed(made._core, data, count)
    assert 0 < used < count
    assert lib.tbox_feed(made._core, data + used, count - used) == 0
    found = made.feed(inputs[used * 80 :])
    seconds = [o.at_us for o in [*made._drain(), *found] if isinstance(o, Sample)]
    assert len(seconds) == len(set(seconds))
    whole = core()
    assert [o.at_us for o in whole.feed(inputs) if isinstance(o, Sample)][-1] == seconds[-1]


def test_each_second_makes_one_sample_before_the_input_at_its_border() -> None:
    rows = [(at, value(at, "speed", at)) for at in (0.5, 1.0, 1.5, 2.0, 3.25)]
    samples = drive(rows).samples()
    assert [(s.at_us, s.value("speed")) for s in samples] == [(us(1), 0.5), (us(2), 1.5), (us(3), 2.0)]


def test_after_twelve_quiet_seconds_the_rest_is_skipped_but_the_last() -> None:
    rows = [(0.5, value(0.5, "rpm", 800)), (100.5, value(100.5, "rpm", 800))]
    assert [s.at_us for s in drive(rows).samples()] == [us(at) for at in [*range(1, 13), 100]]


def test_after_a_quiet_time_the_last_second_is_one_that_has_ended() -> None:
    for last_s, wanted in ((99.999999, 99), (100.0, 100), (100.000001, 100)):
        rows = [(at, value(at, "rpm", 800)) for at in (0.5, last_s)]
        assert [s.at_us for s in drive(rows).samples()] == [us(at) for at in [*range(1, 13), wanted]]


def test_times_before_zero_are_times() -> None:
    rows = [(at, value(at, "speed", 1.0)) for at in (-2.5, -1.25, 0.25)]
    assert [s.at_us for s in drive(rows).samples()] == [us(-2), us(-1), 0]


def test_values_go_stale_after_ten_seconds_but_not_the_limit_and_the_ignition() -> None:
    rows = [(0.0, value(0, name, 1)) for name in ("speed", "fuel", "speed_limit", "ignition")]
    rows += [(at, batch.tick(us(at))) for at in range(1, 13)]
    by_s = {
        s.at_us // us(1): [s.value(n) for n in ("speed", "fuel", "speed_limit", "ignition")]
        for s in drive(rows).samples()
    }
    assert by_s[10] == [1, 1, 1, 1]
    assert by_s[11] == [None, None, 1, 1]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([(0, "speed", float("nan"))], "invalid"),
        ([(0, "lat", 91.0)], "invalid"),
        ([(0, "rpm", -5.0)], "invalid"),
        ([(1, "fuel", 50.0), (0.5, "fuel", 49.0)], "late"),
        ([*((i / 2, "speed", 5.0) for i in range(9)), (4.02, "speed", 4.0)], "twin"),
        ([*((i / 2, "speed", 20.0 + i % 2) for i in range(9)), (4.5, "speed", 2.0)], "impossible"),
    ],
)
def test_what_is_not_used_is_counted_by_reason(rows: list, reason: str) -> None:
    made = core()
    made.feed(b"".join(value(at, name, number) for at, name, number in rows))
    counted = made.counters()["values_rejected"]
    assert counted == {**dict.fromkeys(counted, 0), reason: 1}


def test_frames_are_conserved_whatever_they_are() -> None:
    luck, made = Random(1), core()
    flags = [luck.choice([0, 0, 0, batch.FD, batch.ERROR, batch.REMOTE]) for _ in range(400)]
    made.feed(b"".join(batch.frame(i * 1000, 0, i, bytes(luck.choice([0, 8, 8, 12])), f) for i, f in enumerate(flags)))
    told = made.counters()
    assert told["frames_in"] == 400
    assert told["decoded"] + told["unmapped"] + sum(told["rejected"].values()) == 400
    assert told["rejected"]["error_frame"] == flags.count(batch.ERROR)
    assert told["rejected"]["bad_length"] > 0


RING = ("ring.before_s=1", "ring.frames_per_s=10")
HEAD = struct.Struct("=qIBBBB")


def kept(raw: bytes) -> list[tuple[int, int, bytes]]:
    """(time, kind, payload) of each record of the ring."""
    found, at = [], 0
    while at < len(raw):
        t_us, _, kind, _, length, _ = HEAD.unpack_from(raw, at)
        size = {batch.FRAME: length, batch.VALUE: 8}.get(kind, 48)
        found.append((t_us, kind, raw[at + 16 : at + 16 + size]))
        at += 16 + (size + 7) // 8 * 8
    assert at == len(raw)
    return found


def test_the_ring_keeps_the_newest_frames_of_24_bytes() -> None:
    made = core(*RING)
    made.feed(b"".join(batch.frame(i, 0, 1, bytes([i] * 8)) for i in range(25)))
    assert kept(made.freeze(1 << 20)) == [(i, batch.FRAME, bytes([i] * 8)) for i in range(15, 25)]
    assert kept(made.freeze(50)) == [(i, batch.FRAME, bytes([i] * 8)) for i in (23, 24)]
    assert made.freeze(10) == b""


def test_the_ring_holds_records_of_any_size_through_its_end() -> None:
    luck, made = Random(2), core(*RING)
    sent = []
    for i in range(300):
        kind = luck.choice([batch.FRAME, batch.VALUE, batch.IMU])
        payload = luck.randbytes(luck.randint(0, 8)) if kind == batch.FRAME else struct.pack("=d", i % 90)
        if kind == batch.FRAME:
            raw = batch.frame(i, 0, 7, payload)
        elif kind == batch.VALUE:
            raw = batch.value(i, batch.SIGNAL_INDEX["fuel"], i % 90)
        else:
            payload = struct.pack("=6d", 1, 2, 9.8, 4, 5, i)
            raw = batch.imu(i, [1, 2, 9.8, 4, 5, i])
        sent.append((i, kind, payload))
        made.feed(raw + batch.tick(i))
        assert kept(made.freeze(1 << 20)) == sent[-len(kept(made.freeze(1 << 20))) :]


def test_a_ring_that_a_value_just_fits_into_keeps_it() -> None:
    made = core("ring.before_s=1", "ring.frames_per_s=1")
    raw = batch.value(1, batch.SIGNAL_INDEX["fuel"], 5.0)
    made.feed(raw)
    assert kept(made.freeze(100)) == [(1, batch.VALUE, struct.pack("=d", 5.0))]
    made.feed(batch.imu(2, [1, 2, 9.8, 4, 5, 6]))
    assert kept(made.freeze(100)) == [(1, batch.VALUE, struct.pack("=d", 5.0))]


def test_without_a_ring_nothing_is_kept() -> None:
    made = core("ring.frames_per_s=0")
    made.feed(batch.frame(1, 0, 1, bytes(8)))
    assert made.freeze(100) == b""


def test_memory_that_is_too_small_is_refused() -> None:
    setup = ffi.new("tbox_setup_t *")
    size = lib.tbox_size(setup)
    memory = ffi.new("char[]", size)
    assert lib.tbox_init(memory, size - 1, setup) == ffi.NULL
    assert lib.tbox_init(ffi.NULL, size, setup) == ffi.NULL


def test_memory_that_was_used_before_is_as_good_as_new() -> None:
    """An identifier whose search begins in the last of the eight slots, and which the old bytes spell there."""
    identifier = next(n for n in range(0x10000, 0x20000) if (n * 0x9E3779B1 & 0xFFFFFFFF) >> 29 == 7)
    message = Message(name="M", id=0x100, channel=0, length=8, kind=PLAIN, cuts=())
    c_table = Table(name="", powertrain="combustion", vehicle_class="car", messages=(message,)).as_c(ffi)
    setup, counters = ffi.new("tbox_setup_t *"), ffi.new("tbox_counters_t *")
    setup.table = c_table.table[0]
    size = lib.tbox_size(setup)
    memory = ffi.new("char[]", size + 16)
    ffi.memmove(memory, struct.pack("=I", identifier) * (size // 4 + 4), size + 16)
    address = int(ffi.cast("uintptr_t", memory))
    core_ = lib.tbox_init(memory + (-address) % 16, size, setup)
    frame = batch.frame(0, identifier >> 16, identifier, bytes(8))
    assert lib.tbox_feed(core_, ffi.from_buffer("tbox_input_t[]", frame), 1) == 1
    lib.tbox_counters(core_, counters)
    assert (counters.frames_in, counters.unmapped, counters.decoded) == (1, 1, 0)


def test_random_inputs_keep_every_promise() -> None:
    for seed in range(12):
        luck, t_us = Random(seed), 0
        inputs = bytearray()
        for _ in range(1500):
            t_us += luck.choice([1, 10_000, 10_000, 100_000, -5_000, 2_000_000])
            inputs += wild(luck, t_us)
        made = core(*SETS, *RING, mounted=bool(seed % 2))
        found = made.feed(bytes(inputs)) + made.finish()
        for event in (o for o in found if isinstance(o, Event)):
            assert event.start_us <= event.end_us <= event.at_us + us(1)
            assert 0 <= event.confidence <= 1
        seconds = [o.at_us for o in found if isinstance(o, Sample)]
        assert seconds == sorted(set(seconds))
        assert all(s % us(1) == 0 for s in seconds)


def wild(luck: Random, t_us: int) -> bytes:
    kind = luck.randrange(5)
    if kind == batch.FRAME:
        return batch.frame(t_us, luck.randrange(256), luck.getrandbits(32), luck.randbytes(8), luck.randrange(8))
    if kind == batch.VALUE:
        return batch.value(t_us, luck.randrange(30), luck.choice([0.0, luck.uniform(0, 40), luck.gauss(0, 1e6)]))
    if kind == batch.IMU:
        return batch.imu(t_us, [luck.gauss(0, luck.choice([1, 60])), luck.gauss(0, 1), luck.gauss(9.8, 1), 0, 0, None])
    if kind == batch.FIX:
        return batch.fix(t_us, [luck.uniform(-99, 99) for _ in range(6)], valid=luck.random() < 0.8)
    return batch.tick(t_us)
