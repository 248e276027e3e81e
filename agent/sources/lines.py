"""From settings to what may be asked: for each bus that may send, and each adapter, its deciders and its device."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from agent.asking.asking import Line
from agent.asking.diagnosis import Diagnosis, Open
from agent.asking.poller import Poller
from agent.asking.search import BITRATES
from agent.asking.silence import Rule
from agent.asking.wants import WantData, wants_of
from agent.settings import Can, Settings
from agent.settings.obd import Elm
from agent.sources.openers import can_opener, make_guard
from agent.vehicle import Table
from drivers.bus.can_asker import CanAsker
from drivers.bus.diagnostic import Answer, Request
from drivers.bus.pick import Picked
from drivers.elm.elm import Elm as ElmSource
from drivers.rack import Opener, Rack

TESTER_S = 60.0
"""We come back so long after another tester asked last (DESIGN 8)."""

AS_SET_UP = ("socketcan", "virtual")
"""Interfaces whose bit rate is not chosen where they are opened."""


class CanDevice:
    """A bus: ISO-TP over whatever source the rack has for it now."""

    def __init__(self, rack: Rack, name: str, number: int, uds: Mapping[int, int]) -> None:
        self._rack, self._name = rack, name
        self._asker = CanAsker(self._send, channel=number, uds=uds)

    def hear(self, frames: list[Picked]) -> None:
        """Put frames together."""
        self._asker.hear(frames)

    def ask(self, request: Request, *, is_extended: bool) -> str:
        """Send a question through the guard."""
        self._asker.extended = is_extended
        return self._asker.ask(request)

    def answers(self) -> list[Answer]:
        """Whole answers."""
        return self._asker.answers()

    def foreign(self) -> int:
        """Requests that were not ours."""
        return self._asker.foreign()

    def is_proved(self) -> bool | None:
        """A bus does not know."""
        return None

    def permit(self, may_look: bool | None) -> None:
        """It never looks by itself."""

    def counters(self) -> dict[str, int]:
        """Those of ISO-TP."""
        return self._asker.counters()

    def _send(self, t_us: int, identifier: int, data: bytes) -> str:
        source: Any = self._rack.source(self._name)
        return "bus" if source is None else str(source.send(t_us, identifier, data))


class ElmDevice:
    """An adapter's process, which asks and answers by itself."""

    def __init__(self, rack: Rack, name: str) -> None:
        self._rack, self._name = rack, name
        self._told: ElmSource | None = None
        self._permitted: bool | None = None

    def hear(self, frames: list[Picked]) -> None:
        """Its frames are what it answered."""

    def ask(self, request: Request, *, is_extended: bool) -> str:  # noqa: ARG002  (it knows its protocol)
        """Hand it to the process."""
        return "bus" if self._elm is None else self._elm.ask(request)

    def answers(self) -> list[Answer]:
        """Whole answers."""
        return [] if self._elm is None else self._elm.answers()

    def foreign(self) -> int:
        """Answers to what was never asked."""
        return 0 if self._elm is None else self._elm.foreign()

    def is_proved(self) -> bool | None:
        """Whether it found a car."""
        return self._elm is not None and self._elm.state == "car"

    def permit(self, may_look: bool | None) -> None:
        """Tell its process, when that is news to it."""
        elm = self._elm
        if elm is not self._told:
            self._told, self._permitted = elm, None
        if elm is not None and may_look != self._permitted:
            elm.permit(may_look)
            self._permitted = may_look

    def counters(self) -> dict[str, int]:
        """They stand among the sources'."""
        return {}

    @property
    def _elm(self) -> ElmSource | None:
        return cast("ElmSource | None", self._rack.source(self._name))


def make_lines(settings: Settings, table: Table, rack: Rack, kept: Mapping[str, Any]) -> list[Line]:
    """All lines of these settings; `kept` by their names, as Asking.state gave it."""
    buses = [_bus(settings, can, table, rack, kept) for can in settings.can if not can.listen_only]
    return buses + [_adapter(settings, elm, table, rack, kept) for elm in settings.elm]


def _bus(settings: Settings, can: Can, table: Table, rack: Rack, kept: Mapping[str, Any]) -> Line:
    """A bus that may send."""
    uds = {item.to: item.answer for item in table.asked(can.number)}
    rates = BITRATES if can.bitrate == 0 and (can.setup or can.interface not in AS_SET_UP) else (can.bitrate,)
    return Line(
        can.channel,
        can.number,
        Diagnosis(_rule(settings), _poller(settings, table, can.number), rates, kept.get(can.channel)),
        CanDevice(rack, can.channel, can.number, uds),
        _opener(settings, can, table),
        opened=Open(can.bitrate, listen_only=True),
        also=(*uds.keys(), *uds.values()),
    )


def _adapter(settings: Settings, elm: Elm, table: Table, rack: Rack, kept: Mapping[str, Any]) -> Line:
    """An adapter: it finds its protocol by itself, and changes its header only with a command of its own."""
    poller = _poller(settings, table, elm.number, is_addressed=False)
    diagnosis = Diagnosis(_rule(settings), poller, kept=kept.get(elm.port))
    return Line(elm.port, elm.number, diagnosis, ElmDevice(rack, elm.port))


def _rule(settings: Settings) -> Rule:
    obd = settings.obd
    return Rule(
        listen_only=False,
        tester_s=TESTER_S,
        engine_off_s=obd.engine_off_s,
        floor_v=obd.floor_v,
        charging_v=obd.charging_v,
    )


def _poller(settings: Settings, table: Table, number: int, *, is_addressed: bool = True) -> Poller:
    data = [WantData(item.to, item.did, round(item.period_s * 1e6)) for item in table.asked(number)]
    obd = settings.obd
    return Poller(
        wants_of(table, number),
        data,
        requests_per_s=obd.requests_per_s,
        codes_s=obd.codes_s,
        is_addressed=is_addressed,
    )


def _opener(settings: Settings, can: Can, table: Table) -> Callable[[Open], Opener]:
    """How this bus is opened in each way; one guard for all of them, so that reopening brings no new budget."""
    guard = make_guard(settings, table, can.number)

    def opener(how: Open) -> Opener:
        return can_opener(can, table, guard=guard, bitrate=how.bitrate, listen_only=how.listen_only)

    return opener
