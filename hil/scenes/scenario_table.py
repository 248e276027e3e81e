"""What stands in a scenario's file: its tables, typed.

A scenario is a drive (legs, one after the other), what is felt on top of it, faults, and what must come of it. Times
are seconds from its begin; axes are ISO 8855.
"""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from hil import ROOT
from hil.scenes.recorded_table import RecordingTable

Place = Literal["process", "kernel", "vcan", "live", "qemu", "wired"]
Side = Literal["front", "rear", "left", "right"]
Positive = Annotated[float, Meta(gt=0)]
Size = Annotated[float, Meta(ge=0)]
Bump = Literal[
    "pothole", "kerb", "speed_bump", "slammed_door", "slammed_boot", "dropped_box", "cobbles", "trailer", "knock"
]
CarFault = Literal[
    "imu_stuck",
    "imu_saturated",
    "gnss_spoof",
    "gnss_jam",
    "gnss_week",
    "missing_ecu",
    "trouble_code",
    "codes_cleared",
    "adapter_gone",
    "answers_torn",
]
BusFault = Literal["error_frames", "bus_off", "babbling_id", "full_load", "tester"]
LiveFault = Literal[
    "kill_agent",
    "freeze_agent",
    "broker_restart",
    "link_cut",
    "half_open",
    "slow_network",
    "certificate_expired",
    "certificate_wrong",
    "dns_failure",
    "clock_step",
    "ntp_step",
    "rtc_1970",
    "disk_full",
    "sync_stall",
    "read_only",
    "power_cut",
    "drop_writes",
    "low_memory",
    "starved",
]
LIVE_FAULTS = get_args(LiveFault)
FRAME_FAULTS = ("missing_ecu", *get_args(BusFault))
ASKED_FAULTS = ("trouble_code", "codes_cleared", "tester", "answers_torn")
"""What only units that answer can show."""


class _Table(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What all tables have in common: unknown keys are errors."""


class LegTable(_Table, frozen=True, kw_only=True):
    """One part of the drive: `lasts_s` of wanted accelerations, or a speed `trace` followed from its begin to its end.

    A blow takes `blow_mps` in one half sine over the whole leg, from a side. Angles are reached at the leg's end, and
    stay. `fuel_pct`, `supply_v` and `limit_kmh` hold from here on. `carried_mps`: wheels stand, satellites see this
    speed. `is_silent`: the terminal hears nothing of it. `step_s`: for rows, how often the car is looked at here.
    """

    label: Annotated[str, Meta(min_length=1)]
    lasts_s: Size = 0.0
    trace: str = ""
    forward_mps2: float = 0.0
    left_mps2: float = 0.0
    engine: bool = True
    blow_mps: Size = 0.0
    blow_from: Side = "front"
    roll_deg: float | None = None
    pitch_deg: float | None = None
    fuel_pct: Annotated[float, Meta(ge=0, le=100)] | None = None
    supply_v: Size | None = None
    limit_kmh: Size | None = None
    carried_mps: Size = 0.0
    is_silent: bool = False
    step_s: Positive | None = None


class BumpTable(_Table, frozen=True, kw_only=True):
    """Something felt on top of the drive; `size` 1 is as strong as hil/car/bumps.py says."""

    name: Bump
    at_s: Size
    size: Positive = 1.0


class FaultTable(_Table, frozen=True, kw_only=True):
    """A fault by its name. What the numbers mean to it stands in hil/faults.py."""

    name: CarFault | BusFault | LiveFault
    from_s: Size
    to_s: Size = 0.0
    size: float = 0.0
    what: str = ""
    after: str = ""
    """Of one around the terminal: it waits, with its whole length, until a record of this kind has arrived, which was
    on flash before. So a slow machine changes nothing about what it finds."""

    @property
    def until_s(self) -> float:
        """When it is over; at once for what has no length."""
        return max(self.from_s, self.to_s)


class EventTable(_Table, frozen=True, kw_only=True):
    """Events that must come: so many of this kind that begin within these seconds, and are like this.

    `value` is in the kind's own unit, V, m, 1/min, and may be off by `share` of it.
    """

    kind: Annotated[str, Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1)] = 1
    from_s: Size = 0.0
    to_s: Positive | None = None
    direction: Side | None = None
    severity: Literal["low", "medium", "high"] | None = None
    rule: str | None = None
    is_locked: bool | None = None
    value: float | None = None
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.02


class TripTable(_Table, frozen=True, kw_only=True):
    """One trip that must come, in order; `share` is how far its distance may be off."""

    distance_m: Positive | None = None
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.02
    end_reason: str | None = None


class SpanTable(_Table, frozen=True, kw_only=True):
    """How many there may, and must, be in this time: frames the terminal sends on the bus, or records that arrive."""

    from_s: Size
    to_s: Positive
    least: Annotated[int, Meta(ge=0)] = 0
    most: Annotated[int, Meta(ge=0)] | None = None


class ExpectTable(_Table, frozen=True, kw_only=True):
    """What must come of it. Conserved counters are always asked for, and in live places a complete account too.

    `only`: no event besides those of `event`. `distance_share`: all trips together against the true way.
    `silence`: the terminal sends nothing on the bus. `trouble`: each `dtc` record in words, as "appeared P0301 stored",
    of each code and of the lamp in order.
    """

    event: tuple[EventTable, ...] = ()
    only: bool = False
    never: tuple[str, ...] = ()
    trip: tuple[TripTable, ...] | None = None
    distance_share: Annotated[float, Meta(gt=0, lt=1)] | None = None
    silence: bool = True
    sends: tuple[SpanTable, ...] = ()
    arrives: tuple[SpanTable, ...] = ()
    says: tuple[str, ...] = ()
    """Words that stand in the terminal's log."""
    trouble: tuple[str, ...] | None = None
    records: dict[str, Annotated[int, Meta(ge=0)]] = {}
    """In live places: at least so many records of a kind."""
    silences: dict[str, Annotated[int, Meta(ge=0)]] = {}
    """At least so often, by its last word on its health, did it fall silent, by reason."""
    clocks: tuple[str, ...] | None = None
    """Who vouched for each `clock` record, in order: one more is a step of the wall clock that was noted."""
    utc_error_s: Positive | None = None
    """How far the date may be off that clock records give."""
    rejected_min: Annotated[int, Meta(ge=0)] = 0
    unmapped_min: Annotated[int, Meta(ge=0)] = 0
    dropped_min: Annotated[int, Meta(ge=0)] = 0
    dropped_max: Annotated[int, Meta(ge=0)] | None = None
    restarts: Annotated[int, Meta(ge=0)] = 0
    """How often the terminal starts anew."""
    exit_codes: tuple[int, ...] = (0,)
    """With which the terminal ended: each of them at least once, and no other."""
    link: str | None = None
    """In words, how the terminal's controller stands after the drive, as "500000 bit/s, listen-only, ERROR-ACTIVE"."""
    same_as_replay: bool = False
    """`tbox run` tells the same of it as `tbox replay`: in place process exactly, elsewhere within `tolerance_s`."""
    tolerance_s: Positive = 0.1


class Scenario(_Table, frozen=True, kw_only=True):
    """One file. `feed`: the car's frames as on its bus, every 10 ms; or decoded rows, every `step_s`."""

    title: Annotated[str, Meta(min_length=1)]
    why: Annotated[str, Meta(min_length=1)]
    places: Annotated[tuple[Place, ...], Meta(min_length=1)]
    drive: tuple[LegTable, ...] = ()
    recording: tuple[RecordingTable, ...] = ()
    """In place of a drive."""
    vehicle: str = ""
    """The vehicle map of a recording: one that ships with tbox, or a path from the project."""
    expect: ExpectTable
    seed: Annotated[int, Meta(ge=0)] = 1
    feed: Literal["frames", "rows"] = "frames"
    step_s: Positive = 0.01
    mounting_deg: tuple[float, float, float] = (35.0, 20.0, -12.0)
    """How the box hangs: yaw, pitch, roll."""
    settings: dict[str, bool | int | float | str] = {}
    """The agent's settings, by dotted key."""
    ecus: Literal["none", "narrow", "wide"] = "none"
    """Whether units answer what the terminal asks, on 11 or 29 bits; then it may send."""
    adapter: Literal["none", "genuine", "stn", "clone"] = "none"
    """Whether the terminal has a serial adapter instead of a bus, and which; then it knows only what it asks for."""
    link: Literal["up", "set_up", "find_rate"] = "up"
    """Whether the terminal sets up its controller by itself, at a bit rate that it is told, or finds."""
    receiver: bool = False
    """Whether the terminal has a GNSS receiver of its own, at a serial port, beside what the bus tells."""
    tls: bool = False
    """Whether broker and terminal show each other certificates."""
    bump: tuple[BumpTable, ...] = ()
    fault: tuple[FaultTable, ...] = ()

    @property
    def agent_settings(self) -> dict[str, bool | int | float | str]:
        """The agent's settings, with the map of its recording."""
        if not self.vehicle:
            return self.settings
        path = ROOT / self.vehicle
        return {"vehicle.map": str(path) if path.is_file() else self.vehicle, **self.settings}
