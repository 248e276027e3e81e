"""A vehicle map as its author wrote it (TOML), typed; every error names file, line, key and the fix."""

import math
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from agent.errors import SettingsError
from agent.vehicle import Powertrain, VehicleClass, read_map
from drivers.batch import SIGNALS

Key = tuple[str | int, ...]
Channel = Annotated[int, Meta(ge=0, le=254)]
DataId = Annotated[int, Meta(ge=0, le=0xFFFF)]
DESCRIPTIONS = (".dbc", ".kcd", ".sym", ".arxml")


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[vehicle]: which car, what drives it, how much fuel it holds, how fast its engine may turn (0: nobody says)."""

    name: str = ""
    powertrain: Powertrain = "combustion"
    vehicle_class: VehicleClass = msgspec.field(name="class", default="car")
    tank_l: Annotated[float, Meta(gt=0, le=2000)] | None = None
    limit_rpm: Annotated[float, Meta(ge=0, le=20_000)] = 0.0


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[source]]: what is heard on a bus: the frames of a DBC, or answers to OBD-II requests. No channel: on any.

    `dbc` may name a DBC, KCD, SYM or ARXML file. With `j1939` its 29-bit identifiers are matched by parameter group;
    left out, as the file says.
    """

    channel: Channel | None = None
    dbc: str = ""
    obd: bool = False
    j1939: bool | None = None


class Feed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[signal.NAME]: where a signal of the catalogue comes from.

    Its value is the DBC's, converted from `unit` (empty: the DBC's own) to the catalogue's, times scale, plus offset;
    min and max are in the catalogue's unit. `source` (a DBC as [[source]] names it) and `channel` choose among several.
    """

    message: str = ""
    signal: str = ""
    pid: Annotated[str, Meta(pattern="^([0-9A-Fa-f]{2}([.][A-Za-z0-9]+)?)?$")] = ""
    source: str = ""
    channel: Channel | None = None
    unit: str = ""
    scale: float | None = None
    offset: float = 0.0
    valid: str = ""
    min: float | None = None
    max: float | None = None


class Check(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[check.MESSAGE]: how a frame of this message proves itself; one that does not is rejected.

    `checksum` and `counter` name signals of the message. The counter counts from 0 to `counter_max` (left out: what its
    bits hold; e2e_p1: 14). `data_id` is the number the E2E profiles put under the checksum, for e2e_p2 one for all
    counters or a list of 16. `source` and `channel` choose among several.
    """

    kind: Literal["counter", "toyota", "honda", "hyundai", "hyundai_fd", "vw_mqb", "e2e_p1", "e2e_p2", "e2e_p5"]
    checksum: str = ""
    counter: str = ""
    counter_max: Annotated[int, Meta(ge=1, le=0xFFFF)] | None = None
    data_id: DataId | Annotated[tuple[DataId, ...], Meta(min_length=16, max_length=16)] | None = None
    source: str = ""
    channel: Channel | None = None


class Uds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[uds]]: a data identifier that is asked for (ISO 14229-1, service 22) every `period_s`.

    `to` and `answer` are the CAN identifiers of request and answer in hexadecimal, of 8 digits where they have 29 bits.
    What the answer means is a message of a DBC with the identifier `answer`. Only a map that is trusted is asked by.
    """

    to: Annotated[str, Meta(pattern="^([0-7][0-9A-Fa-f]{2}|1[0-9A-Fa-f]{7})$")]
    answer: Annotated[str, Meta(pattern="^([0-7][0-9A-Fa-f]{2}|1[0-9A-Fa-f]{7})$")]
    did: Annotated[str, Meta(pattern="^[0-9A-Fa-f]{4}$")]
    period_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 1.0
    channel: Channel | None = None


class Content(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    vehicle: Head = Head()
    source: tuple[Source, ...] = ()
    signal: dict[str, Feed] = {}
    check: dict[str, Check] = {}
    uds: tuple[Uds, ...] = ()


@dataclass(frozen=True)
class VehicleMap:
    """A map and where it stands."""

    path: Path
    text: str
    content: Content

    def error(self, key: Key, sentence: str) -> SettingsError:
        """What is wrong at this key: "rav4.toml:12: signal.speed.message: ..."."""
        return error(self.path, self.text, key, sentence)

    def dbc_path(self, source: Source) -> Path:
        """Paths in a map start from the map's folder."""
        return self.path.parent / source.dbc


def read(path: Path) -> VehicleMap:
    """A map that says only known things, of the right type. What it names in a DBC is the compiler's to find."""
    text = _text(path)
    try:
        data = tomllib.loads(text)
        made = VehicleMap(path, text, msgspec.convert(data, Content))
    except (tomllib.TOMLDecodeError, RecursionError) as why:
        _, found, rest = str(why).rpartition("(at line ")
        line = f":{rest.partition(',')[0]}" if found else ""
        hint = (
            "; a DBC is named in a map, or compiled by tbox vehicle compile"
            if path.suffix.lower() in DESCRIPTIONS
            else ""
        )
        raise SettingsError(f"{path}{line}: not TOML: {why}{hint}") from None
    except msgspec.ValidationError as why:
        raise _explained(path, text, data, str(why)) from None
    _check(made)
    return made


def error(path: Path, text: str, key: Key, sentence: str) -> SettingsError:
    """An error at a key, with its line."""
    from agent.settings.error import dotted  # noqa: PLC0415  (only an error needs words)
    from agent.settings.file import Layer  # noqa: PLC0415

    return SettingsError(f"{Layer(str(path), {}, text).place(key)}: {dotted(key)}: {sentence}")


def nearest(word: str, known: list[str]) -> str:
    """Which known word was meant, or what there is, to follow a sentence."""
    close = get_close_matches(word, known, n=1, cutoff=0.5) or get_close_matches(
        word.lower(), [name for name in known if name.lower() == word.lower()], n=1
    )
    if close:
        return f"; the nearest is {close[0]}"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"; there are {', '.join(known[:12])}{more}" if known else ""


def _text(path: Path) -> str:
    try:
        return read_map(path).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not a vehicle map: neither UTF-8 text nor a compiled table") from None


def _explained(path: Path, text: str, data: Any, message: str) -> SettingsError:
    """The complaint of msgspec in words for the map's author."""
    from agent.settings.error import parsed, shown  # noqa: PLC0415  (only an error needs words)
    from agent.settings.file import look  # noqa: PLC0415

    key, is_unknown = parsed(message)
    if "[...]" in message and key:  # somewhere in [signal.*] or [check.*]: msgspec does not say in which
        section = str(key[0])
        name, message = _odd_entry(data[section], KINDS[section])
        inner, is_unknown = parsed(message)
        key = (section, name, *inner)
    if is_unknown:
        return error(path, text, key, f"unknown key{nearest(str(key[-1]), _known(key))}")
    return error(path, text, key, f"{shown(look(data, key))}: {message.partition(' - at ')[0]}")


KINDS: dict[str, type[Struct]] = {"vehicle": Head, "source": Source, "signal": Feed, "check": Check}


def _odd_entry(entries: dict[str, Any], kind: type[Struct]) -> tuple[str, str]:
    """Which [signal.NAME] or [check.NAME] does not fit, and why."""
    for name, entry in entries.items():
        try:
            msgspec.convert(entry, kind)
        except msgspec.ValidationError as why:
            return name, str(why)
    raise AssertionError("msgspec complained about an entry that fits")


def _known(key: Key) -> list[str]:
    """What may stand where this unknown key stands."""
    kind = KINDS.get(str(key[0]), Content) if len(key) > 1 else Content
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _check(made: VehicleMap) -> None:
    """What types alone do not say."""
    if not made.content.source:
        raise made.error(("source",), 'missing; add [[source]] with dbc = "FILE" or obd = true')
    for index, source in enumerate(made.content.source):
        if bool(source.dbc) == source.obd:
            raise made.error(("source", index), 'say either dbc = "FILE" or obd = true')
    if not made.content.signal:
        raise made.error(("signal",), "missing; add [signal.speed], so that the map feeds something")
    for name, feed in made.content.signal.items():
        _check_feed(made, name, feed)


def _check_feed(made: VehicleMap, name: str, feed: Feed) -> None:
    key = ("signal", name)
    if name not in SIGNALS:
        raise made.error(key, f"not in the catalogue{nearest(name, list(SIGNALS))}")
    if bool(feed.pid) == bool(feed.message) or bool(feed.message) != bool(feed.signal):
        raise made.error(key, 'say either message = "..." and signal = "...", or pid = "0D"')
    if feed.pid and feed.valid:
        raise made.error((*key, "valid"), "an OBD answer has no validity signal; leave it out")
    for part, number in (("scale", feed.scale), ("offset", feed.offset), ("min", feed.min), ("max", feed.max)):
        if number is not None and not (math.isfinite(number) and abs(number) <= 1e15 and (part != "scale" or number)):
            raise made.error((*key, part), f"{number}: must be a finite number" + " other than 0" * (part == "scale"))
    if feed.min is not None and feed.max is not None and feed.min > feed.max:
        raise made.error((*key, "min"), f"{feed.min} is above max = {feed.max}")
