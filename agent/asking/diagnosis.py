"""One way into the car that may be asked: when, what, and what its answers mean. Pure.

Four deciders in one turn: silence (may we?), search (at which bit rate and width?), poller (what?), trouble (what is
new?).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.asking.agenda import NEVER_US
from agent.asking.poller import Poller
from agent.asking.search import QUESTION, Ask, Found, Heard, Listen, Search, Way
from agent.asking.silence import Rule, Signs, Silence
from agent.obd.findings import Finding, Identity, Supported
from agent.obd.trouble import Trouble
from drivers.batch import EXTENDED
from drivers.bus.diagnostic import Answer, Request

ANSWERED = bytes([QUESTION.service | 0x40]) + QUESTION.data

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Open:
    """The bus has to be opened like this: at a bit rate (0: as it is set up), able to send or not."""

    bitrate: int
    listen_only: bool


@dataclass(frozen=True, slots=True)
class Census:
    """What was heard on the bus since the last turn, as far as it could be looked at: good frames and error frames."""

    frames_11: int = 0
    frames_29: int = 0
    errors: int = 0


class Diagnosis:
    """The decider of one bus or adapter. `rates`: bit rates the bus may have; none: an adapter, which finds its car.

    `kept` is what `state` gave in an earlier run. A turn: `hear` what came, then do what `step` gives; `refused` if a
    request did not go. `is_extended` is the width of a functional request.
    """

    def __init__(
        self, rule: Rule, poller: Poller, rates: Sequence[int] = (), kept: Mapping[str, Any] | None = None
    ) -> None:
        kept = kept or {}
        self.silence, self.poller, self.trouble = Silence(rule), poller, Trouble(kept.get("trouble"))
        self.is_extended = False
        self.identity: dict[str, str] = {}
        """Texts by what they are ("0902": VIN) and unit."""
        self.supported: dict[int, set[int]] = {}
        """PIDs of service 01 by the identifier a unit answers on."""
        self._known = Way(*kept["way"]) if kept.get("way") else None
        self._rates = tuple(rates)
        self._search = self._new_search()
        self._heard = Heard()
        self._probe: Request | None = None
        self._was_there = False
        self._is_opening = False
        self._step_us = self._searched_us = 0

    @property
    def way(self) -> Way | None:
        """How the units are reached, as far as that is known."""
        return self._search.result if self._search is not None else None

    @property
    def is_proved(self) -> bool:
        """Whether something answered, so that this is the right bus at the right speed. An adapter says so itself."""
        return self.way is not None and self.way.is_extended is not None

    def step(self, now_us: int, signs: Signs, census: Census) -> Open | Request | None:
        """What to do now. `signs.is_proved` is this decider's own, where it searches."""
        self._note_loss(signs)
        before = self.silence.reason
        reason = self.silence.step(now_us, signs)
        if before == "engine_off" and reason != before:
            self.poller.renew(now_us)
        self._let_pass(now_us, signs)
        if self._search is None or self.is_proved:
            return self.poller.step(now_us, may_ask=not reason)
        if self._probe is not None and signs.is_there:
            return self._take_probe()
        action = self._look(self._search, census)
        self._is_opening = action is not None
        return action

    def hear(self, now_us: int, came: Sequence[Answer]) -> list[Body]:
        """Take in whole answers; bodies of `dtc` records for what they show."""
        answers = [answer for answer in came if answer.payload[:2] == ANSWERED]
        self._heard = _added(self._heard, Census(), sum(map(self._is_of_width, answers)))
        findings = self.poller.heard(now_us, came)
        for found in findings:
            self._note(found)
        return self.trouble.step(findings)

    def refused(self, now_us: int, request: Request, why: str) -> None:
        """The request did not go out; the one question of a search is tried again while its time lasts."""
        if self._search is None or self.is_proved:
            self.poller.refused(now_us, request, why)
        else:
            self._probe = request

    def wake_us(self) -> int:
        """When `step` may have a request, without anything being heard."""
        if self._is_opening:
            return 0
        return NEVER_US if self.silence.reason else self.poller.wake_us()

    def state(self) -> dict[str, Any]:
        """What must outlive a start: how the units were reached last, and the codes that were told."""
        way = None if self._known is None else [self._known.bitrate, self._known.is_extended]
        return {"way": way, "trouble": self.trouble.state()}

    def health(self, now_us: int) -> dict[str, Any]:
        """For health: why it is silent ("": it asks), how the units are reached, who they are."""
        told = self.silence.health(now_us) | {"poller": self.poller.counters(), "units": self.poller.health(now_us)}
        if self.way is not None:
            told["way"] = {"bitrate": self.way.bitrate, "is_extended": self.way.is_extended}
        return told | {"identity": dict(self.identity)}

    def _new_search(self) -> Search | None:
        """One that tries first what was found last; None: an adapter searches by itself."""
        return Search(self._rates, self._known) if self._rates else None

    def _let_pass(self, now_us: int, signs: Signs) -> None:
        """The search's time stands still while its bus is not there or is being opened, which may take seconds."""
        if signs.is_there and not self._is_opening:
            self._searched_us += now_us - self._step_us
        self._is_opening = False
        self._step_us = now_us

    def _look(self, search: Search, census: Census) -> Open | None:
        """One step of the search, as far as it wants something."""
        self._heard = _added(self._heard, census)
        action = search.step(self._searched_us, self._heard, may_probe=self.silence.may_probe)
        if action is not None:
            self._heard = Heard()
        match action:
            case Listen(bitrate):
                return Open(bitrate, listen_only=True)
            case Ask(way):
                self.is_extended = bool(way.is_extended)
                self._probe = Request(QUESTION.service, QUESTION.data, QUESTION.to)
                return Open(way.bitrate, listen_only=False)
            case Found(way) if way.is_extended is not None:
                self.is_extended, self._known = way.is_extended, way
                return Open(way.bitrate, listen_only=False)
        return None

    def _take_probe(self) -> Request | None:
        """The question of the search, once its bus is open; not where it was forbidden meanwhile."""
        probe, self._probe = self._probe, None
        return probe if self.silence.may_probe else None

    def _is_of_width(self, answer: Answer) -> bool:
        """Whether it can answer a question of the width that was asked last."""
        return bool(answer.ecu & EXTENDED) == self.is_extended

    def _note_loss(self, signs: Signs) -> None:
        """A bus that was away may be another one; so may the car that an adapter lost."""
        is_there = signs.is_there and (self._search is not None or signs.is_proved)
        if self._was_there and not is_there:
            self.poller.forget()
            self.identity.clear()
            self.supported.clear()
            self._probe, self._heard, self._search = None, Heard(), self._new_search()
        self._was_there = is_there

    def _note(self, found: Finding) -> None:
        """Who the units are, and what they have."""
        match found:
            case Identity(ecu=ecu, what=what, text=text):
                self.identity[f"{what} {ecu & ~EXTENDED:X}"] = text
            case Supported(ecu=ecu, service=0x01, pids=pids):
                self.supported.setdefault(ecu, set()).update(pids)


def _added(heard: Heard, census: Census, answers: int = 0) -> Heard:
    return Heard(
        heard.frames_11 + census.frames_11,
        heard.frames_29 + census.frames_29,
        heard.errors + census.errors,
        heard.answers + answers,
    )
