"""From a vehicle map, or a DBC, to the table the terminal reads. A program too: `-m agent.maps.compile MAP -`."""

import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agent.errors import TboxError
from agent.files import apart
from agent.maps import checks, dbc, units, vehicle_map
from agent.maps.cuts import Heard, Place, Wanted, known_only, obd_message, plain_message
from agent.maps.vehicle_map import Check, Feed, Source, VehicleMap
from agent.obd import pids
from agent.vehicle import ANY_CHANNEL, Data, Message, Table, pack, save
from drivers.batch import EXTENDED, SIGNAL_INDEX


class Entry(NamedTuple):
    """What the catalogue says of a signal."""

    unit: str
    min: float
    max: float


CATALOGUE = Path(__file__).resolve().parents[2] / "config" / "signals.toml"


def run(source: Path, output: Path) -> int:
    """`tbox vehicle compile MAP|DBC -o FILE` (KCD, SYM and ARXML as well); a file "-" is stdout."""
    is_dbc = source.suffix.lower() in vehicle_map.DESCRIPTIONS
    table = compile_dbc(source) if is_dbc else compile_map(source)
    if str(output) == "-":
        sys.stdout.buffer.write(pack(table))
        return 0
    apart(output, [source])
    save(table, output)
    signals = sorted({cut.signal for message in table.messages for cut in message.cuts} & set(SIGNAL_INDEX.values()))
    print(f"{output}: {len(table.messages)} messages, {len(signals)} catalogue signals")
    return 0


def compile_dbc(path: Path) -> Table:
    """Every signal of every message on any channel, in the DBC's own units; nothing feeds the catalogue."""
    messages = [plain_message(ANY_CHANNEL, message, {}) for message in dbc.read(path)]
    return _table(path.stem, vehicle_map.Head(), messages)


def compile_obd() -> Table:
    """Every value of every known PID, in SAE J1979's units; nothing feeds the catalogue."""
    return _table("OBD-II", vehicle_map.Head(), [obd_message(ANY_CHANNEL, ((row, None) for row in pids.PIDS))])


def compile_map(path: Path) -> Table:
    """The table of a TOML map: only messages that feed a catalogue signal, only the cuts they need."""
    made = vehicle_map.read(path)
    obd = {source.channel: source for source in made.content.source if source.obd}
    rows: dict[int, list[tuple[pids.Pid, Wanted | None]]] = {}
    heard: dict[Place, Heard] = {}
    for name, feed in sorted(made.content.signal.items(), key=lambda pair: pair[0].startswith("accel_")):
        if feed.pid:
            for channel, row in _answers(made, name, feed, obd):
                rows.setdefault(channel, []).append((row, _wanted(made, name, feed, row.unit)))
        else:
            _hear(made, name, feed, heard)
    proofs = checks.proofs(made, heard, {name: _checked(made, name, heard) for name in made.content.check})
    messages = [plain_message(item.channel, item.message, item.wanted, proofs.get(key)) for key, item in heard.items()]
    messages += [obd_message(channel, found) for channel, found in rows.items()]
    head = made.content.vehicle
    return _table(head.name or path.stem, head, messages, map(_data, made.content.uds))


def _data(item: vehicle_map.Uds) -> Data:
    """What is asked for, with identifiers as numbers."""
    return Data(
        channel=ANY_CHANNEL if item.channel is None else item.channel,
        to=_identifier(item.to),
        answer=_identifier(item.answer),
        did=int(item.did, 16),
        period_s=item.period_s,
    )


def _identifier(text: str) -> int:
    """An identifier of 3 or 8 hexadecimal digits."""
    return int(text, 16) | (EXTENDED if len(text) > 3 else 0)


def _table(name: str, head: vehicle_map.Head, messages: Iterable[Message], data: Iterable[Data] = ()) -> Table:
    """Messages in the order the core searches them."""
    ordered = tuple(sorted(messages, key=lambda message: (message.channel, message.id)))
    return Table(
        name=name,
        powertrain=head.powertrain,
        vehicle_class=head.vehicle_class,
        messages=ordered,
        tank_l=head.tank_l,
        limit_rpm=head.limit_rpm,
        data=tuple(data),
    )


# ---- frames of a DBC ------------------------------------------------------------------------------------------------


def _hear(made: VehicleMap, name: str, feed: Feed, heard: dict[Place, Heard]) -> None:
    """Find a feed's signal and note what is wanted of it."""
    source, message = _message(made, ("signal", name, "message"), feed.message, feed)
    signal = _signal(made, (name, "signal"), message, feed.signal)
    if feed.valid:
        _signal(made, (name, "valid"), message, feed.valid)
    channel = _channel(source.channel, feed)
    there = heard.setdefault((channel, message.table_id), Heard(channel, message, {}))
    if there.message is not message:
        raise made.error(("signal", name, "message"), f"{message.name} and {there.message.name} have one identifier")
    wanted = _wanted(made, name, feed, signal.unit)
    there.wanted.setdefault(feed.signal, []).append(known_only(signal, wanted) if message.is_j1939 else wanted)


def _checked(made: VehicleMap, name: str, heard: dict[Place, Heard]) -> Place:
    """Where the message of [check.NAME] is heard."""
    check = made.content.check[name]
    source, message = _message(made, ("check", name), name, check)
    place = (_channel(source.channel, check), message.table_id)
    if place not in heard:
        raise made.error(("check", name), f"no signal of the map is fed by {name}; leave the check out")
    return place


def _message(made: VehicleMap, at: vehicle_map.Key, name: str, said: Feed | Check) -> tuple[Source, dbc.Message]:
    """The one message of this name that a feed or a check means; `at` is its key, for the error."""
    books = [
        (source, _book(made.dbc_path(source), source.j1939))
        for source in made.content.source
        if source.dbc and said.source in ("", source.dbc) and _fits(said, source.channel)
    ]
    if not books:
        raise made.error(at[:2], "no [[source]] with a dbc fits its source and channel")
    found = [(source, book[name]) for source, book in books if name in book]
    if not found:
        known = vehicle_map.nearest(name, sorted({known for _, book in books for known in book}))
        raise made.error(at, f"{name} is in no DBC of the map{known}")
    if len(found) > 1:
        raise made.error(at, f"{name} is in several sources; add channel or source")
    return found[0]


def _fits(feed: Feed | Check, channel: int | None) -> bool:
    """Whether a feed may come from a source on this channel (None: any)."""
    return feed.channel is None or channel in (None, feed.channel)


def _channel(channel: int | None, feed: Feed | Check) -> int:
    """The channel of a source, or of the feed where the source is on any."""
    return next((said for said in (channel, feed.channel) if said is not None), ANY_CHANNEL)


@cache
def _book(path: Path, j1939: bool | None) -> dict[str, dbc.Message]:
    """A DBC's messages by name."""
    return {message.name: message for message in dbc.read(path, j1939=j1939)}


def _signal(made: VehicleMap, at: tuple[str, str], message: dbc.Message, wanted: str) -> dbc.Signal:
    """A signal of this message that the core can read."""
    signal = message.signals.get(wanted)
    if signal is None:
        known = vehicle_map.nearest(wanted, list(message.signals))
        raise made.error(("signal", *at), f"{wanted} is not in {message.name}{known}")
    if not signal.is_number:
        raise made.error(("signal", *at), f"{wanted} has {signal.bits} bits: no number the core can read")
    return signal


def _wanted(made: VehicleMap, name: str, feed: Feed, unit: str) -> Wanted:
    """What becomes of a value on its way to the catalogue."""
    entry = _catalogue()[name]
    told = feed.unit or unit
    found = units.conversion(told, entry.unit)
    if found is None and (feed.scale is None or feed.unit):
        known = ", ".join(units.spellings(entry.unit))
        said = f'the unit "{told}" is unknown for {name}' if told else f"the DBC says no unit for {feed.signal}"
        raise made.error(("signal", name), f"{said}; write unit ({known}), or scale to {entry.unit}")
    factor, offset = found or units.SAME
    scale = 1.0 if feed.scale is None else feed.scale
    low = entry.min if feed.min is None else max(entry.min, feed.min)
    high = entry.max if feed.max is None else min(entry.max, feed.max)
    if low > high:
        raise made.error(("signal", name), f"min and max leave nothing of {entry.min} to {entry.max} {entry.unit}")
    return Wanted(
        SIGNAL_INDEX[name], units.Conversion(factor * scale, offset * scale + feed.offset), low, high, feed.valid
    )


@cache
def _catalogue() -> dict[str, Entry]:
    """Unit and range of each catalogue signal."""
    rows = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    return {name: Entry(row["unit"], float(row["min"]), float(row["max"])) for name, row in rows.items()}


# ---- OBD-II answers -------------------------------------------------------------------------------------------------


def _answers(
    made: VehicleMap, name: str, feed: Feed, sources: dict[int | None, Source]
) -> Iterator[tuple[int, pids.Pid]]:
    """The PID's row, on each channel where answers are heard."""
    row = next((row for row in pids.PIDS if row.name.upper() == f"01{feed.pid}".upper()), None)
    if row is None:
        known = vehicle_map.nearest(feed.pid, [row.name[2:] for row in pids.PIDS])
        raise made.error(("signal", name, "pid"), f"{feed.pid} is not known{known}")
    found = [channel for channel in sources if _fits(feed, channel)]
    if not found:
        raise made.error(("signal", name, "pid"), "no [[source]] with obd = true fits its channel")
    for channel in found:
        yield _channel(channel, feed), row


def main(words: Sequence[str]) -> int:
    """Compile for a parent process: the table's bytes to stdout, an error to stderr."""
    try:
        return run(Path(words[0]), Path(words[1]))
    except TboxError as why:
        print(f"tbox: {why}", file=sys.stderr)
        return why.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
