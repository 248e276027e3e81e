"""Every setting of a terminal: name, default, range, unit. config/tbox.toml explains them; a test binds the two."""

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from agent.settings.camera import Camera
from agent.settings.flash import Flash
from agent.settings.notice import Notice
from agent.settings.obd import Elm, Obd
from agent.settings.power import Power
from agent.settings.privacy import Privacy
from agent.settings.ranges import span, text
from agent.settings.rules import Detect
from agent.settings.samples import Bounds
from agent.settings.sensors import Gnss, Imu, Indicator, Supply
from agent.settings.service import Service


class Device(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this terminal is and where it keeps its account."""

    name: Annotated[
        str,
        text("id in topics; empty: the device id", "^[A-Za-z0-9._-]{0,64}$(?!\\n)", "up to 64 of A-Z a-z 0-9 . _ -"),
    ] = ""
    state_dir: Annotated[str, text("folder of the outbox and the device key")] = "/var/lib/tbox"
    hardware: Annotated[
        str,
        text(
            "what bundles call this box; empty: the device tree's model",
            r"^(|[a-z0-9][a-z0-9._,-]{0,63})$(?!\n)",
            "up to 64 of a-z 0-9 . _ , -",
        ),
    ] = ""
    key: Annotated[
        str,
        text(
            "where the device key is; empty: in state_dir", "^(|pkcs11:.+)$(?!\\n)", 'empty or "pkcs11:..." (RFC 7512)'
        ),
    ] = ""
    timezone: Annotated[
        str, text("local time of trips, an IANA name", "^[A-Za-z0-9+_/-]+$(?!\\n)", "a name such as Europe/Paris")
    ] = "UTC"


class Can(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One CAN bus, opened through python-can."""

    channel: Annotated[str, text("interface or port", ".", "at least one character")] = "can0"
    interface: Annotated[
        str, text("python-can's name of the driver", "^[a-z0-9_]+$(?!\\n)", "a name such as socketcan, slcan")
    ] = "socketcan"
    number: Annotated[int, span(0, 255, "", "channel number in vehicle maps")] = 0
    bitrate: Annotated[int, span(0, 1_000_000, "bit/s", "bit rate of an adapter; 0: as it is set up")] = 0
    fd: Annotated[bool, Meta(description="receive CAN FD frames")] = False
    setup: Annotated[bool, Meta(description="set a SocketCAN link up ourselves; needs CAP_NET_ADMIN")] = False
    listen_only: Annotated[bool, Meta(description="keep an adapter from sending even the acknowledge bit")] = True
    options: Annotated[
        dict[str, str | int | float | bool], Meta(description="further arguments of python-can's driver")
    ] = field(default_factory=dict)


class Recording(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recordings played as if they were hardware, for trials."""

    paths: Annotated[tuple[str, ...], text("recordings, merged on one time axis")] = ()
    speed: Annotated[float, span(0.1, 100, "", "pace; 1: as recorded")] = 1.0


class Vehicle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The car this terminal is in."""

    map: Annotated[str, text("vehicle map; a bare name: one of those shipped", ".", "at least one character")] = (
        "obd2.toml"
    )
    powertrain: Annotated[
        Literal["", "combustion", "hybrid", "electric"],
        Meta(description="what 'engine runs' means; empty: as the map says"),
    ] = ""


class Ring(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pre-event ring: the last seconds at full rate, for crash evidence."""

    before_s: Annotated[float, span(0, 120, "s", "time kept; 0: no ring")] = 30.0
    after_s: Annotated[float, span(0, 120, "s", "time caught after a crash")] = 15.0
    frames_per_s: Annotated[int, span(0, 16_000, "frames/s", "rate it has room for, 24 bytes a frame; 0: no ring")] = (
        4000
    )


class Trip(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a drive begins and ends."""

    end_s: Annotated[float, span(1, 7200, "s", "after the last motion, engine off or unknown, the trip ends")] = 300.0
    min_distance_m: Annotated[float, span(0, 1000, "m", "shorter drives are no trips")] = 5.0
    start_mps: Annotated[float, span(0.1, 15, "m/s", "a trip begins at this speed, or when the engine runs")] = 1.39
    score: Annotated[
        str, text("formula of the score; a bare name: one of those shipped", ".", "at least one character")
    ] = "score.toml"


class Samples(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of each second of a drive."""

    chunk_s: Annotated[float, span(1, 600, "s", "length of one samples record")] = 60.0
    journal_s: Annotated[float, span(1, 60, "s", "how much of the open trip a power cut may cost")] = 5.0
    signals: Annotated[tuple[str, ...], Meta(description="signals kept, at 1 Hz")] = (
        "speed", "rpm", "throttle", "load", "coolant", "fuel", "accel_x", "accel_y", "accel_z", "lat", "lon", "course",
    )  # fmt: skip
    mode: Annotated[
        Literal["exact", "bounded"],
        Meta(description="as exact as the sensors, or within samples.bounds for a third of the data"),
    ] = "exact"
    bounds: Bounds = Bounds()


class Store(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Flash that the account may use."""

    budget_mb: Annotated[int, span(4, 1_000_000, "MB", "size of the outbox")] = 64
    evidence_mb: Annotated[int, span(0, 1000, "MB", "evidence of one crash, deflated; 0: none")] = 4
    evidence_mb_per_day: Annotated[int, span(0, 10_000, "MB", "crash evidence a day; 0: none")] = 8
    alarms_mb_per_day: Annotated[int, span(0, 10_000, "MB", "put to flash of alarms that come to nothing")] = 8


class Mqtt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker and how it knows this terminal."""

    host: Annotated[str, text("the broker's name or address", r"^\S+$(?!\n)", "a name or address")] = "localhost"
    port: Annotated[int, span(0, 65535, "", "0: 8883 with TLS, 1883 without")] = 0
    version: Annotated[Literal["auto", "5", "3.1.1"], Meta(description="auto: 5 first, on refusal 3.1.1")] = "auto"
    username: Annotated[str, text("empty: none")] = ""
    password_file: Annotated[str, text("file that holds the password; empty: none")] = ""
    ca_file: Annotated[str, text("certificates that may vouch for the broker, PEM; empty: the system's")] = ""
    cert_file: Annotated[str, text("this terminal's certificate, PEM; empty: none")] = ""
    key_file: Annotated[str, text("private key of cert_file, PEM; empty: none")] = ""
    tls: Annotated[bool, Meta(description="encrypt, and check the broker's certificate")] = True
    keepalive_s: Annotated[int, span(5, 3600, "s", "a silent link is tried after this long")] = 30


class Uplink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be sent when, and what counts as delivered."""

    confirm: Annotated[
        Literal["puback", "receipt"],
        Meta(description="delivered when the broker took it, or when the platform stored it"),
    ] = "puback"
    platform_key: Annotated[
        str,
        text("public key that signs receipts; empty: any receipt counts", "^(|[0-9a-f]{64})$(?!\\n)", "64 hex digits"),
    ] = ""
    receipt_s: Annotated[float, span(1, 86_400, "s", "no receipt for so long: published again; doubles")] = 900.0
    window: Annotated[int, span(1, 1000, "records", "in flight, unconfirmed")] = 20
    ack_s: Annotated[float, span(5, 3600, "s", "a link that acknowledges nothing for so long is given up")] = 60.0
    day_mb: Annotated[int, span(0, 100_000, "MB", "sent in any 24 hours at most, but for events; 0: no limit")] = 0
    backoff_s_min: Annotated[float, span(0.1, 3600, "s", "first wait after a lost link; doubles")] = 1.0
    backoff_s_max: Annotated[float, span(0.1, 86_400, "s", "longest wait")] = 60.0
    auth_backoff_s: Annotated[float, span(1, 86_400, "s", "wait after the broker refused who we are")] = 300.0


class Health(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terminal's word about itself."""

    period_s: Annotated[float, span(1, 86_400, "s", "between two health records")] = 60.0


class Shadow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Candidate rules beside the active ones: what they would have told is recorded, and nothing else."""

    rules: Annotated[str, text("file of nothing but [detect.*] tables; empty: none, or the bundle's candidate")] = ""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. Attributes are named as the keys in TOML."""

    device: Device = Device()
    can: tuple[Can, ...] = ()
    elm: tuple[Elm, ...] = ()
    obd: Obd = Obd()
    recording: Recording = Recording()
    vehicle: Vehicle = Vehicle()
    imu: Imu = Imu()
    gnss: Gnss = Gnss()
    supply: Supply = Supply()
    power: Power = Power()
    notice: Notice = Notice()
    indicator: Indicator = Indicator()
    camera: Camera = Camera()
    ring: Ring = Ring()
    trip: Trip = Trip()
    samples: Samples = Samples()
    store: Store = Store()
    privacy: Privacy = Privacy()
    flash: Flash = Flash()
    mqtt: Mqtt = Mqtt()
    uplink: Uplink = Uplink()
    health: Health = Health()
    service: Service = Service()
    shadow: Shadow = Shadow()
    detect: Detect = Detect()


def defaults() -> Settings:
    """The shipped defaults."""
    return Settings()


def to_json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a settings file."""
    return msgspec.json.schema(Settings)


def rules_id(detect: Detect) -> str:
    """Names a threshold set: 16 hex digits of SHA-256 over the rules as JSON, the same on every machine."""
    return hashlib.sha256(msgspec.json.encode(detect)).hexdigest()[:16]


def settings_id(settings: Settings) -> str:
    """Names the effective settings: 16 hex digits of SHA-256 over them as JSON (secrets are file names there)."""
    return hashlib.sha256(msgspec.json.encode(settings)).hexdigest()[:16]
