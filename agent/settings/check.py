"""What no single range can say: settings that must fit each other."""

from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from zoneinfo import available_timezones

from agent.events import EVENTS
from agent.settings import Settings
from agent.world.hours import zone
from drivers.batch import SIGNALS

Key = tuple[str | int, ...]
Conflict = tuple[tuple[Key, ...], str]
HARSH = ("harsh_braking", "harsh_acceleration", "harsh_cornering")


def conflicts(settings: Settings) -> Iterator[Conflict]:
    """Each pair of settings that does not go together: their keys, and a sentence that names both and the way out."""
    yield from _order(settings)
    yield from _buses(settings)
    yield from _broker(settings)
    yield from _signals(settings)
    yield from _timezone(settings.device.timezone)
    yield from _adapters(settings)
    yield from _events(settings)
    yield from _camera(settings)


def _order(settings: Settings) -> Iterator[Conflict]:
    """Pairs of numbers of which the first may not be the greater."""
    pairs = [("uplink", "backoff_s_min", "backoff_s_max"), ("detect.crash", "medium_mps", "high_mps")]
    pairs += [("detect.fatigue", "warning_s", "driving_s"), ("flash", "healthy_s", "window_s")]
    pairs += [
        ("power", "settle_s", "settle_s_max"),
        ("power", "floor_v", "watch_v"),
        ("power", "blind_ah", "budget_ah"),
    ]
    for name in HARSH:
        pairs += [(f"detect.{name}", "release_mps2", "threshold_mps2"), (f"detect.{name}", "medium_mps2", "high_mps2")]
    pairs.append(("store", "evidence_mb_per_day", "budget_mb"))
    for table, low, high in pairs:
        said: object = settings
        for part in table.split("."):
            said = getattr(said, part)
        if getattr(said, low) > getattr(said, high):
            keys = ((*table.split("."), low), (*table.split("."), high))
            values = f"{table}.{low} = {getattr(said, low)} is above {high} = {getattr(said, high)}"
            yield keys, f"{values}: lower {low} or raise {high}"


def _adapters(settings: Settings) -> Iterator[Conflict]:
    """Each adapter has its own port and number, beside the buses'."""
    numbers = [bus.number for bus in settings.can]
    for at, elm in enumerate(settings.elm):
        if elm.number in numbers:
            yield (("elm", at, "number"), ("elm", at)), f"elm[{at}].number = {elm.number} is taken: give it its own"
        if elm.port in [other.port for other in settings.elm[:at]]:
            yield (("elm", at, "port"), ("elm", at)), f'elm[{at}].port = "{elm.port}" stands above: open it once'
        numbers.append(elm.number)


def _events(settings: Settings) -> Iterator[Conflict]:
    """Only events that there are can be told, or filmed."""
    for table, key, kinds in (("notice", "kinds", settings.notice.kinds), ("camera", "events", settings.camera.events)):
        for kind in kinds:
            if kind not in EVENTS:
                near = get_close_matches(kind, EVENTS, 1)
                hint = f"the nearest is {near[0]}" if near else f"known are {' '.join(EVENTS)}"
                yield ((table, key),), f"{table}.{key}: {kind!r} is no event; {hint}"


def _camera(settings: Settings) -> Iterator[Conflict]:
    """A login is for a camera on the network, and in a file of its own."""
    camera = settings.camera
    if camera.source.startswith("rtsp") and "@" in camera.source:
        yield (("camera", "source"),), "camera.source holds a login: put user:password into a file, camera.login_file"
    if camera.login_file and not camera.source.startswith("rtsp"):
        yield (("camera", "login_file"),), "camera.login_file is for rtsp:// sources: leave it out"


def _buses(settings: Settings) -> Iterator[Conflict]:
    """Each bus has its own number and its own port."""
    for at, bus in enumerate(settings.can):
        before = settings.can[:at]
        if bus.number in [other.number for other in before]:
            yield (
                (("can", at, "number"), ("can", at)),
                f"can[{at}].number = {bus.number} is taken: give each bus its own",
            )
        if (bus.interface, bus.channel) in [(other.interface, other.channel) for other in before]:
            yield (
                (("can", at, "channel"), ("can", at)),
                f'can[{at}].channel = "{bus.channel}" stands above: open it once',
            )
        if bus.setup and bus.interface != "socketcan":
            yield (("can", at, "setup"),), f"can[{at}].setup is for socketcan: leave it out"
        if bus.bitrate and bus.interface == "socketcan" and not bus.setup:
            way = f"ip link set {bus.channel} up type can bitrate {bus.bitrate} listen-only on"
            yield (("can", at, "bitrate"),), f"can[{at}].bitrate is not used by socketcan: leave it out and type: {way}"


def _broker(settings: Settings) -> Iterator[Conflict]:
    """Halves of one thing, and secrets for a door that is open."""
    mqtt = settings.mqtt
    for have, lack in (("cert_file", "key_file"), ("key_file", "cert_file"), ("password_file", "username")):
        if getattr(mqtt, have) and not getattr(mqtt, lack):
            yield (("mqtt", have),), f"mqtt.{have} is set and mqtt.{lack} is not: set both or none"
    for name in ("ca_file", "cert_file"):
        if getattr(mqtt, name) and not mqtt.tls:
            yield (
                (("mqtt", "tls"),),
                f"mqtt.tls = false, but mqtt.{name} is set: it would not be used; set mqtt.tls = true",
            )


def _signals(settings: Settings) -> Iterator[Conflict]:
    """Known signals, each once."""
    for name, count in Counter(settings.samples.signals).items():
        if name not in SIGNALS:
            yield (("samples", "signals"),), f'samples.signals: unknown signal "{name}"; known: {" ".join(SIGNALS)}'
        elif count > 1:
            yield (("samples", "signals"),), f'samples.signals: "{name}" stands twice'


def _timezone(name: str) -> Iterator[Conflict]:
    """A time zone that the system knows."""
    try:
        zone(name)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
        close = get_close_matches(name, known, n=1)
        hint = f"the nearest known is {close[0]}" if close else "see /usr/share/zoneinfo"
        way = hint if known else "this system has no time zone data: apt install tzdata"
        yield (("device", "timezone"),), f'device.timezone: unknown time zone "{name:.64}"; {way}'
