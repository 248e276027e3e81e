"""The door to the C core: batches of inputs go in, events, samples and calibrations come out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent import _core
from agent.settings import Harsh, Settings
from agent.vehicle import Table
from drivers.batch import INPUT_BYTES, SIGNALS

ffi, lib = _core.ffi, _core.lib

NEVER_US = -(2**63)
EVENTS = ("harsh_braking", "harsh_acceleration", "harsh_cornering", "idling", "speeding", "crash", "impact")
SEVERITIES = ("low", "medium", "high")
SIDES = (None, "left", "right", "front", "rear")
SOURCES = ((1, "speed"), (2, "imu"), (4, "gnss"))
POWERTRAINS = ("combustion", "hybrid", "electric")
REJECTIONS = ("short", "error_frame", "remote_frame", "bad_length")
VALUE_REASONS = ("invalid", "late", "twin", "impossible", "nonsense")
JUDGEMENTS = (
    "crash_vertical", "crash_handled", "crash_short", "crash_no_gravity", "crash_refresh_too_slow",
    "harsh_too_slow", "harsh_not_held", "harsh_speed_disagrees",
)  # fmt: skip
ENGINES = ("unknown", "off", "on")
RING_FRAME_BYTES = 24


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


Output = Event | Sample | Calibration


class Core:
    """One core with its memory. Feeding in any split gives the same outputs."""

    def __init__(self, settings: Settings, table: Table, rotation: tuple[float, ...] | None = None) -> None:
        self._keep: list[Any] = []
        setup = _setup(settings, table, rotation, self._keep)
        size = lib.tbox_size(setup)
        self._memory = ffi.new("char[]", size + 16)
        address = int(ffi.cast("uintptr_t", self._memory))
        aligned = ffi.cast("char *", address + (-address) % 16)
        self._core = lib.tbox_init(aligned, size, setup)
        assert self._core != ffi.NULL, "the compiled table is not sound"
        self._out = ffi.new("tbox_output_t *")

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

    def _drain(self) -> Iterator[Output]:
        while lib.tbox_next(self._core, self._out):
            yield _output(self._out[0])


def _setup(settings: Settings, table: Table, rotation: tuple[float, ...] | None, keep: list[Any]) -> Any:
    """The C setup of these settings; what it points to is put in `keep`."""
    detect, setup = settings.detect, ffi.new("tbox_setup_t *")
    c_table = table.as_c(ffi)
    keep.append(c_table)
    setup.table = c_table.table[0]
    for name, rule in (
        ("braking", detect.harsh_braking),
        ("acceleration", detect.harsh_acceleration),
        ("cornering", detect.harsh_cornering),
    ):
        _harsh(getattr(setup, name), rule)
    setup.idling = (detect.idling.max_speed_mps, _us(detect.idling.hold_s), detect.idling.enabled)
    speeding, crash = detect.speeding, detect.crash
    setup.speeding = (
        speeding.limit_mps, speeding.margin_mps, speeding.hysteresis_mps, _us(speeding.hold_s), speeding.enabled
    )  # fmt: skip
    setup.crash = (
        crash.threshold_mps2, crash.delta_v_mps, crash.medium_mps, crash.high_mps, crash.lock_mps,
        crash.speed_loss_mps2, _us(crash.hold_s), _us(crash.confirm_s), crash.enabled,
    )  # fmt: skip
    setup.ring_us = _us(settings.ring.before_s)
    setup.ring_bytes = round(settings.ring.before_s * settings.ring.frames_per_s) * RING_FRAME_BYTES
    setup.powertrain = POWERTRAINS.index(settings.vehicle.powertrain or table.powertrain)
    setup.mounted = settings.imu.mounting == "vehicle"
    setup.has_rotation = rotation is not None
    if rotation is not None:
        setup.rotation = rotation
    return setup


def _harsh(out: Any, rule: Harsh) -> None:
    """One harsh rule, in the core's units."""
    for name in ("threshold_mps2", "release_mps2", "medium_mps2", "high_mps2", "min_speed_mps", "enabled"):
        setattr(out, name, getattr(rule, name))
    out.hold_us, out.refractory_us = _us(rule.hold_s), _us(rule.refractory_s)


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


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
    )


def _number(told: float) -> float | None:
    """The core's NaN is our None."""
    return told if told == told else None  # noqa: PLR0124  (the cheapest test for NaN; this runs 30 times a second)


def _moment(told: int) -> int | None:
    return None if told == NEVER_US else told
