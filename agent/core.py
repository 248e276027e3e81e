"""The door to the C core: batches of inputs go in, events, samples and calibrations come out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent import _core
from agent.events import EVENTS
from agent.settings import Settings
from agent.setup import NO_REST, Rest, go_on, make_setup
from agent.vehicle import Table
from drivers.batch import INPUT_BYTES, SIGNALS

ffi, lib = _core.ffi, _core.lib

NEVER_US = -(2**63)
SEVERITIES = ("low", "medium", "high")
SIDES = (None, "left", "right", "front", "rear")
SOURCES = ((1, "speed"), (2, "imu"), (4, "gnss"), (8, "vehicle"))
RULES = (None, "roll", "attitude", "tilt", "motion", "quality", "jump")
REJECTIONS = ("short", "error_frame", "remote_frame", "bad_length", "checksum", "counter")
VALUE_REASONS = ("invalid", "late", "twin", "impossible", "nonsense")
JUDGEMENTS = (
    "crash_vertical", "crash_handled", "crash_short", "crash_no_gravity", "crash_refresh_too_slow",
    "harsh_too_slow", "harsh_not_held", "harsh_speed_disagrees", "fatigue_rest_unknown", "parked_short",
    "parked_handled",
)  # fmt: skip
ENGINES = ("unknown", "off", "on")


@dataclass(frozen=True, slots=True)
class Event:
    """Something the rules found. Times in microseconds of the input's axis, the rest in SI units; None: not known."""

    at_us: int
    name: str
    start_us: int
    end_us: int
    peak_mps2: float | None
    entry_mps: float | None
    exit_mps: float | None
    delta_v_mps: float | None
    delta_v_s: float | None
    severity: str
    confidence: float
    sources: tuple[str, ...]
    lat_deg: float | None
    lon_deg: float | None
    direction: str | None
    dv_clipped: bool
    locked: bool
    rule: str | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known at a whole second, and totals that only grow; `values` follow drivers.batch.SIGNALS."""

    at_us: int
    values: tuple[float | None, ...]
    forward_mps2: float | None
    left_mps2: float | None
    distance_m: float
    over_limit_m: float
    over_limit_us: int
    limit_known_us: int
    moving_us: int
    idle_us: int
    judged_us: int
    motion_last_us: int | None
    engine_last_us: int | None
    max_speed_mps: float | None
    engine: str
    fatigue_us: int = 0
    rest: Rest = NO_REST

    def value(self, signal: str) -> float | None:
        """The latest value of a catalogue signal, or None when it was never told or is stale."""
        return self.values[SIGNALS.index(signal)]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Which way the sensor is mounted: `rotation` (row-major) turns its axes to the vehicle's."""

    at_us: int
    gravity: tuple[float, float, float]
    rotation: tuple[float, ...]
    quality: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """`blow_us`: when what may be a crash began; None: nothing does. `ringed`: bytes that the ring ever took."""

    blow_us: int | None
    ringed: int


Output = Event | Sample | Calibration


class Core:
    """One core with its memory. Feeding in any split gives the same outputs."""

    def __init__(
        self,
        settings: Settings,
        table: Table,
        rotation: tuple[float, ...] | None = None,
        rest: tuple[Rest, int | None] | None = None,
    ) -> None:
        """`rest`: the account an earlier run left, and the microseconds gone by since then, None: not known."""
        self._keep: list[Any] = []
        setup = make_setup(settings, table, rotation, self._keep)
        if rest is not None:
            go_on(setup.rest, *rest)
        size = lib.tbox_size(setup)
        self._memory = ffi.new("char[]", size + 16)
        address = int(ffi.cast("uintptr_t", self._memory))
        aligned = ffi.cast("char *", address + (-address) % 16)
        self._core = lib.tbox_init(aligned, size, setup)
        assert self._core != ffi.NULL, "the compiled table is not sound"
        self._out = ffi.new("tbox_output_t *")
        self._alarm = ffi.new("tbox_alarm_t *")

    def feed(self, batch: bytes | bytearray | memoryview) -> list[Output]:
        """Take a batch (a multiple of 80 bytes); what came of it, in order."""
        inputs = ffi.from_buffer("tbox_input_t[]", batch)
        count, used = len(batch) // INPUT_BYTES, 0
        found: list[Output] = []
        while used < count:
            used += lib.tbox_feed(self._core, inputs + used, count - used)
            found.extend(self._drain())
        return found

    def finish(self) -> list[Output]:
        """The input ends: close what is open."""
        found: list[Output] = []
        done = False
        while not done:
            done = lib.tbox_finish(self._core)
            found.extend(self._drain())
        return found

    def snapshot(self, at_us: int) -> Sample:
        """What is known now."""
        out = ffi.new("tbox_sample_t *")
        lib.tbox_snapshot(self._core, out)
        return _sample(at_us, out[0])

    def told_us(self) -> tuple[int | None, ...]:
        """When each catalogue signal was told last, on the inputs' axis; None: never. In the order of drivers.batch."""
        out = ffi.new("int64_t[]", len(SIGNALS))
        lib.tbox_told(self._core, out)
        return tuple(map(_moment, out))

    def counters(self) -> dict[str, Any]:
        """Frames conserved: frames_in = decoded + unmapped + rejected by reason; values and judgements by reason."""
        out = ffi.new("tbox_counters_t *")
        lib.tbox_counters(self._core, out)
        return {
            "frames_in": out.frames_in,
            "decoded": out.decoded,
            "unmapped": out.unmapped,
            "rejected": dict(zip(REJECTIONS, out.rejected, strict=True)),
            "values_rejected": dict(zip(VALUE_REASONS, out.values, strict=True)),
            "not_judged": dict(zip(JUDGEMENTS, out.judgements, strict=True)),
        }

    def freeze(self, room: int) -> bytes:
        """The newest `room` bytes of the ring, oldest first, as the records native/tbox.h describes."""
        out = bytearray(room)
        return bytes(out[: lib.tbox_freeze(self._core, ffi.from_buffer("uint8_t[]", out), room)])

    def alarm(self) -> Alarm:
        """Whether a crash may have begun, and how far the ring is."""
        lib.tbox_alarm(self._core, self._alarm)
        return Alarm(_moment(self._alarm.blow_us), self._alarm.ringed)

    def _drain(self) -> Iterator[Output]:
        while lib.tbox_next(self._core, self._out):
            yield _output(self._out[0])


def _output(out: Any) -> Output:
    """A C output as its Python value."""
    if out.kind == lib.TBOX_OUT_SAMPLE:
        return _sample(out.t_us, out.u.sample)
    if out.kind == lib.TBOX_OUT_EVENT:
        return _event(out.t_us, out.u.event)
    told = out.u.calibration
    return Calibration(out.t_us, tuple(told.gravity), tuple(told.rotation), told.quality)


def _event(at_us: int, told: Any) -> Event:
    return Event(
        at_us=at_us,
        name=EVENTS[told.kind],
        start_us=told.start_us,
        end_us=told.end_us,
        peak_mps2=_number(told.peak_mps2),
        entry_mps=_number(told.entry_mps),
        exit_mps=_number(told.exit_mps),
        delta_v_mps=_number(told.delta_v_mps),
        delta_v_s=_number(told.delta_v_s),
        severity=SEVERITIES[told.severity],
        confidence=told.confidence,
        sources=tuple(name for bit, name in SOURCES if told.sources & bit),
        lat_deg=_number(told.lat_deg),
        lon_deg=_number(told.lon_deg),
        direction=SIDES[told.direction],
        dv_clipped=bool(told.flags & lib.TBOX_DV_CLIPPED),
        locked=bool(told.flags & lib.TBOX_LOCKED),
        rule=RULES[told.rule],
        value=_number(told.value),
    )


def _sample(at_us: int, told: Any) -> Sample:
    return Sample(
        at_us=at_us,
        values=tuple(map(_number, told.value)),
        forward_mps2=_number(told.forward_mps2),
        left_mps2=_number(told.left_mps2),
        distance_m=told.distance_m,
        over_limit_m=told.over_limit_m,
        over_limit_us=told.over_limit_us,
        limit_known_us=told.limit_known_us,
        moving_us=told.moving_us,
        idle_us=told.idle_us,
        judged_us=told.judged_us,
        motion_last_us=_moment(told.motion_last_us),
        engine_last_us=_moment(told.engine_last_us),
        max_speed_mps=_number(told.max_speed_mps),
        engine=ENGINES[told.engine],
        fatigue_us=told.fatigue_us,
        rest=_rest(told.rest),
    )


def _rest(told: Any) -> Rest:
    return Rest(
        driven_us=told.driven_us,
        rest_us=told.rest_us,
        odometer_m=_number(told.odometer_m),
        lat_deg=_number(told.lat_deg),
        lon_deg=_number(told.lon_deg),
        is_unsure=told.is_unsure,
        may_have_rested=told.may_have_rested,
    )


def _number(told: float) -> float | None:
    """The core's NaN is our None."""
    return told if told == told else None  # noqa: PLR0124  (the cheapest test for NaN; this runs 30 times a second)


def _moment(told: int) -> int | None:
    return None if told == NEVER_US else told
