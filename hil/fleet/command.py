"""A run of `python -m hil fleet`: load, faults, drain, and what the database says against what the terminals made."""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf, isnan
from pathlib import Path
from time import monotonic, process_time

from agent.codec import make
from hil.fleet import packets
from hil.fleet.account import VirtualAccount, pool
from hil.fleet.engines import Engines, missing
from hil.fleet.load import Load
from hil.fleet.terminal import VirtualTerminal, share
from hil.places.places import PlaceError

POOL = 2
DRAIN_S = 180.0
BACK_S = 2.0
TELL_S = 5.0
TURN_MOST = 1000
"""Records made in one turn: links must be looked after in between."""


@dataclass(slots=True)
class Told:
    """What came of a run."""

    seconds: float = 0.0
    drain_s: float = 0.0
    made: int = 0
    sent: int = 0
    sent_again: int = 0
    flaps: int = 0
    killed: list[str] = field(default_factory=list)
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    forged: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    per_s: float = 0.0
    best_per_s: float = 0.0
    latency_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    """Of each part, this generator too."""
    database_bytes: int = 0

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing twice, nothing forged taken, every chain ends as its terminal's does."""
        return (
            not (self.lost or self.duplicated or self.wrong)
            and self.stored == self.made
            and self.refused >= self.forged
        )


LEAST = {"terminals": 1, "receivers": 1, "minutes": 0.01, "rate": 0, "flaps": 0, "outage": 0, "forge": 0}
"""With less there is no fleet, and what comes of it would pass."""


def command(options: argparse.Namespace) -> int:
    """0: each record is stored once, and nothing else; 1: not so. PlaceError: something is not installed."""
    for name, least in LEAST.items():
        if not least <= getattr(options, name) < inf:
            raise PlaceError(f"--{name} {getattr(options, name)}: must be a number from {least:g} on")
    if lacks := missing():
        raise PlaceError(f"the fleet needs a database: {lacks}")
    kills = sorted(_kill(word, options) for word in options.kill)
    ways = pool(POOL, options.seed)
    terminals = [VirtualTerminal(f"v{n}", VirtualAccount(n, options.seed, ways)) for n in range(options.terminals)]
    with (
        tempfile.TemporaryDirectory(prefix="tbox-fleet-") as name,
        Engines(Path(name), options.receivers, options.engine) as engines,
        _loaded(terminals, engines.broker.ports, options.seed) as load,
    ):
        told = Run(load, engines, options, kills).run()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(
        json.dumps({name: getattr(told, name) for name in told.__dataclass_fields__}, indent=1) + "\n"
    )
    print("\n".join(lines(told, options)))
    return 0 if told.is_good else 1


def lines(told: Told, options: argparse.Namespace) -> Iterator[str]:
    """What came of it, to read."""
    lasted_s = max(told.seconds + told.drain_s, 1.0)
    yield (
        f"terminals {options.terminals}, receivers {options.receivers}, {told.seconds:.0f} s,"
        f" and {told.drain_s:.0f} s until all was told"
    )
    yield f"sent {told.made}, stored {told.stored}, lost {told.lost}, duplicated {told.duplicated}"
    yield f"forged {told.forged}, refused {told.refused}"
    yield f"published {told.sent}, of these again {told.sent_again}; links fell {told.flaps} times"
    yield f"killed {', '.join(told.killed) or 'nothing'}"
    yield f"stored per second: {told.per_s:.0f} on average, {told.best_per_s:.0f} in the best {TELL_S:.0f} s"
    times = (f"{name} {value:.2f} s" for name, value in told.latency_s.items() if not isnan(value))
    yield f"from record to receipt: {', '.join(times)}"
    busy = ", ".join(f"{name} {used / lasted_s:.2f}" for name, used in told.cpu_s.items())
    yield f"processors in use: {busy}"
    each = told.database_bytes / max(told.stored, 1)
    yield f"database {told.database_bytes / 1e6:.1f} MB, {each:.0f} B a record"
    yield from (f"WRONG: {one}" for one in told.wrong[:10])
    yield "PASS" if told.is_good else "FAIL"


def _kill(word: str, options: argparse.Namespace) -> tuple[float, str]:
    who, _, when = word.partition("@")
    try:
        at_s = float(when)
    except ValueError:
        raise PlaceError(f"--kill {word}: write WHO@SECONDS, as in broker@20") from None
    parts = {"mosquitto": ["broker"], "rabbitmq": ["node1", "node2", "node3"]}[options.engine]
    if who not in [*parts, *(str(number + 1) for number in range(options.receivers))]:
        among = ", ".join(parts)
        raise PlaceError(f"--kill {word}: {who} is neither {among} nor a receiver's number, 1 to {options.receivers}")
    return at_s, who


@contextmanager
def _loaded(terminals: list[VirtualTerminal], ports: Sequence[int], seed: int) -> Iterator[Load]:
    load = Load(terminals, ports, seed)
    try:
        yield load
    finally:
        load.close()


class Run:
    """One run, from the first link to the last receipt."""

    def __init__(
        self, load: Load, engines: Engines, options: argparse.Namespace, kills: list[tuple[float, str]]
    ) -> None:
        self._load, self._engines, self._options = load, engines, options
        self._todo = kills
        self._back: list[tuple[float, str]] = []
        self._told = Told()
        self._say_s, self._counted, self._begin_s = 0.0, 0, 0.0

    def run(self) -> Told:
        """Load, drain, count."""
        told, load = self._told, self._load
        self._engines.await_receivers()
        while not all(line.terminal.is_up for line in load.lines):
            load.turn()
        before = self._used_s()
        self._begin_s = monotonic()
        lasts_s = 60 * self._options.minutes
        outage = (lasts_s / 2, lasts_s / 2 + self._options.outage)
        while (at_s := monotonic() - self._begin_s) < lasts_s:
            self._make(at_s)
            self._break(at_s, outage)
            load.turn(self._options.flaps * self._options.terminals / 60)
            self._say(at_s)
        told.seconds = at_s
        self._forge()
        while load.waiting and monotonic() - self._begin_s - lasts_s < DRAIN_S:
            at_s = monotonic() - self._begin_s
            self._break(at_s, (0.0, 0.0))
            load.turn()
            self._say(at_s)
        told.drain_s = monotonic() - self._begin_s - told.seconds
        used = self._used_s()
        told.cpu_s = {name: round(used[name] - before[name], 2) for name in used}
        self._count()
        return told

    def _used_s(self) -> dict[str, float]:
        return self._engines.cpu_s() | {"this load": process_time()}

    def _make(self, at_s: float) -> None:
        if not self._options.rate:
            self._load.fill()
            return
        self._load.make(min(TURN_MOST, int(at_s * self._options.rate) - self._load.made))

    def _break(self, at_s: float, outage: tuple[float, float]) -> None:
        """What is to fall now falls, what fell long enough ago comes back."""
        if outage[0] <= at_s < outage[1] and not self._load.is_cut:
            self._load.cut()
        elif self._load.is_cut and at_s >= outage[1]:
            self._load.mend()
        while self._todo and self._todo[0][0] <= at_s:
            _, who = self._todo.pop(0)
            self._engines.kill(who)
            self._told.killed.append(who)
            self._back.append((at_s + BACK_S, who))
        while self._back and self._back[0][0] <= at_s:
            self._engines.start(self._back.pop(0)[1])

    def _say(self, at_s: float) -> None:
        """How it stands, now and then."""
        if at_s < self._say_s:
            return
        stored = self._engines.stored()["records"]
        if self._say_s:
            self._told.best_per_s = max(self._told.best_per_s, (stored - self._counted) / (at_s - self._say_s + TELL_S))
        self._say_s, self._counted = at_s + TELL_S, stored
        up = sum(line.terminal.is_up for line in self._load.lines)
        print(f"  {at_s:5.0f} s  made {self._load.made}, stored {stored}, links up {up}", flush=True)

    def _forge(self) -> None:
        """Altered copies of records that are stored: other content under their numbers."""
        victims = [line for line in self._load.lines if line.terminal.is_up][: self._options.forge]
        for line in victims:
            self._load.say(line, _forged(line.terminal))
        self._told.forged = len(victims)

    def _count(self) -> None:
        """What the database says, against what each terminal made."""
        told, heads = self._told, self._engines.heads()
        stored = self._engines.stored()
        told.made, told.stored, told.flaps = self._load.made, stored["records"], self._load.flaps
        told.refused, told.database_bytes = stored["refused"], stored["bytes"]
        for line in self._load.lines:
            terminal = line.terminal
            count, numbers, head = heads.pop(terminal.account.key.device, (0, 0, b""))
            told.lost += max(0, terminal.account.made - numbers)
            told.duplicated += count - numbers
            if terminal.account.made and head != terminal.account.head:
                told.wrong.append(f"{terminal.name}: its account ends otherwise in the database")
            told.sent, told.sent_again = told.sent + terminal.sent, told.sent_again + terminal.sent_again
        told.wrong += [f"device {device.hex()} is nobody's" for device in heads]
        times = sorted(one for line in self._load.lines for one in line.terminal.latencies_s)
        told.latency_s = {f"p{round(100 * part)}": round(share(times, part), 3) for part in (0.5, 0.9, 0.99)}
        told.per_s = round(told.stored / (told.seconds + told.drain_s), 1)


def _forged(terminal: VirtualTerminal) -> bytes:
    """A publish of this terminal's first record with another body."""
    account = terminal.account
    record = make("event", account.key.device, 1, 0, 7, bytes(32), {"event": "harsh_braking"})
    return packets.publish(packets.MID_MAX, packets.topic_bytes(f"tbox/v1/{terminal.name}/event"), record.raw)
