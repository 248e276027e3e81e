"""Asks the car, once, who it is and what it can tell: the poller chooses, silence and guard allow, as in the daemon."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.asking.poller import Poller
from agent.asking.search import ANSWER_US, QUESTION
from agent.asking.silence import Rule, Signs, Silence
from agent.asking.wants import Want
from agent.core import Sample
from agent.obd.findings import Finding, Identity, Supported
from agent.settings.obd import Obd
from agent.sources.hearing import Bus
from agent.world import clock
from drivers.batch import EXTENDED
from drivers.bus.can_asker import CanAsker
from drivers.bus.pick import picked

WAIT_S = 0.01
"""Units wait 75 ms for flow control: the bus is looked at more often."""

QUIET_US = 2_000_000
"""When nothing new was learnt for so long, there is no more to learn."""

IDLE_US = 3_000_000
"""A question that is due later than this is one that was answered before."""

ALL_THERE_IS_S = 3600.0
TESTER_S = 60.0
AS_SHIPPED = Obd()


@dataclass(slots=True)
class Learnt:
    """What the car told. `silence`: why it was not asked, or not to the end; empty: it was."""

    vin: str = ""
    calibrations: dict[int, str] = field(default_factory=dict)
    pids: dict[int, set[int]] = field(default_factory=dict)
    silence: str = ""

    def take(self, finding: Finding) -> bool:
        """Keep it; whether it is of any interest."""
        match finding:
            case Supported(ecu=ecu, service=0x01, pids=pids):
                self.pids.setdefault(ecu, set()).update(pids)
            case Identity(what="0902", text=text):
                self.vin = self.vin or text
            case Identity(ecu=ecu, what="0904", text=text):
                self.calibrations[ecu] = text
            case _:
                return False
        return True


class Interview:
    """One conversation. `bus`: what was heard of it, which goes on while `read` waits for more and gives it.

    `wants`: values that are asked for all the time. `signs`: what is known of the car now, as silence.Signs names it.
    """

    def __init__(
        self,
        asker: CanAsker,
        bus: Bus,
        read: Callable[[float], bytes],
        *,
        wants: Sequence[Want] = (),
        signs: Callable[[], dict[str, Any]] = dict,
        obd: Obd = AS_SHIPPED,
    ) -> None:
        self._asker, self._bus, self._read, self._signs = asker, bus, read, signs
        self._wants = wants
        self._poller = Poller(wants, requests_per_s=obd.requests_per_s, codes_s=ALL_THERE_IS_S)
        rule = Rule(
            listen_only=False, tester_s=TESTER_S, engine_off_s=ALL_THERE_IS_S, floor_v=obd.floor_v,
            charging_v=obd.charging_v,
        )  # fmt: skip
        self._silence = Silence(rule)
        is_wide = 2 * sum(ident.frames for key, ident in bus.ids.items() if key & EXTENDED) > bus.frames
        self._widths = [is_wide, not is_wide]
        self._wait_us = 0
        self._is_answered = False
        self.learnt = Learnt()

    def run(self, seconds: float) -> Learnt:
        """For so long at most, and no longer than there is something to learn, where nothing is wanted all the time."""
        now_us = news_us = clock.boot_us()
        until_us = now_us + round(seconds * 1e6)
        while now_us < min(until_us, news_us + QUIET_US) and not self._is_idle(now_us):
            self._asker.hear(picked(self._read(WAIT_S)))
            now_us = clock.boot_us()
            news_us = now_us if self._turn(now_us) or (self._wants and self._is_answered) else news_us
        return self.learnt

    def _is_idle(self, now_us: int) -> bool:
        """Whether everything was asked and answered: what comes next only asks again."""
        return self._is_answered and not self._wants and self._poller.wake_us() > now_us + IDLE_US

    def _turn(self, now_us: int) -> bool:
        """Hear, then ask what may be asked; whether there was anything new."""
        answers = self._asker.answers()
        is_new = bool(answers) and not self._is_answered
        self._is_answered |= is_new
        news = [self.learnt.take(finding) for finding in self._poller.heard(now_us, answers)]
        signs = Signs(
            is_there=True, is_proved=self._is_answered, errors=self._bus.errors, foreign=self._asker.foreign(),
            frames=self._bus.frames, **self._signs(),
        )  # fmt: skip
        self.learnt.silence = self._silence.step(now_us, signs)
        return self._ask(now_us) or is_new or any(news)

    def _ask(self, now_us: int) -> bool:
        """The next request; whether it was the first of a width."""
        if not self._is_answered and self._silence.may_probe:
            return self._probe(now_us)
        request = self._poller.step(now_us, may_ask=self._is_answered and not self.learnt.silence)
        why = self._asker.ask(request) if request is not None else ""
        if request is not None and why:
            self._poller.refused(now_us, request, why)
        return False

    def _probe(self, now_us: int) -> bool:
        """One 0100 on each width, the likelier first, until one is answered."""
        if now_us < self._wait_us or not self._widths:
            return False
        self._asker.extended = self._widths.pop(0)
        self._wait_us = now_us + ANSWER_US
        return not self._asker.ask(QUESTION)


def signs_of(sample: Sample) -> dict[str, Any]:
    """What the core knows, as the silence decider takes it."""
    ignition = sample.value("ignition")
    told = {"rpm": "rpm", "speed_mps": "speed", "voltage_v": "battery"}
    return {sign: sample.value(signal) for sign, signal in told.items()} | {
        "ignition": None if ignition is None else ignition > 0
    }
