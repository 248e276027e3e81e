"""From an adapter at a port to a car that answers, and back to the start when one of them is lost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

from drivers.bus.diagnostic import Request
from drivers.elm.car import FIRST, Car, UnconfirmedError, find_car
from drivers.elm.line import OUT_OF_STEP, find
from drivers.elm.probe import Adapter, meet, read_volts
from drivers.elm.serial import GuardedPort
from drivers.source import boot_us

WAITING_S = 2.0
"""How often the supply is read while the engine is off."""
VOLTS_S = 5.0
"""And how often while a car answers."""
RETRY_S_MIN, RETRY_S_MAX = 0.5, 5.0
"""Between two tries to find a car that has answered before."""
MUTE_S_MAX = 4.0
"""At most between two tries to find the adapter: that costs nobody anything."""
MISSES_MOST = 8
"""So many requests in a row without an answer: is the car still there?"""
EARLY_S = 0.1
"""What a request may be early by: it waits, once."""
FAILURES_MOST = 3
"""So many searches in a row by the known protocol that found nobody: is it another car?"""
ADAPTER_FAULTS = OUT_OF_STEP | {"truncated", "echo", "unknown", "refused"}


class Daemon(Protocol):
    """The other side, as far as it matters here."""

    is_permitted: bool | None
    """Whether the car may be asked, whatever the supply shows; None: the supply decides."""
    wakes: int
    """How often it permitted."""

    def next(self, wait_s: float) -> Request | None:
        """The oldest request, waited for so long; None also when it said something else meanwhile."""
        ...

    def say(self, **message: Any) -> None:
        """Tell it something."""
        ...


class Bridge:
    """Runs until the port or the daemon goes: PortError, SystemExit."""

    def __init__(  # noqa: PLR0913, PLR0917 - both ends, and how a car is looked for
        self,
        port: GuardedPort,
        daemon: Daemon,
        faults: Counter[str],
        engine_volts: float,
        baudrates: Sequence[int],
        numbers: Sequence[str],
        known: str = "",
    ) -> None:
        """`known`: the protocol a car answered by before, one of `numbers`."""
        self._port = port
        self._daemon = daemon
        self._faults = faults
        self._told: Counter[str] = Counter()
        self._engine_volts = engine_volts
        self._baudrates = list(baudrates)
        self._numbers = numbers
        self._known = known
        self._failures = 0
        self._volts: float | None = None
        self._volts_due_us = 0

    def run(self) -> None:
        """Never ends by itself."""
        while True:
            self._stay(self._meet())

    def _meet(self) -> Adapter:
        """Until somebody at the port says who he is."""
        retry_s = RETRY_S_MIN
        self._daemon.say(state="meeting")
        while not (adapter := meet(self._port, self._baudrates)):
            self._tell_faults()
            self._daemon.say(state="mute")
            self._idle(retry_s)
            retry_s = min(2 * retry_s, MUTE_S_MAX)
        self._baudrates = sorted(self._baudrates, key=lambda baudrate: baudrate != adapter.baudrate)
        self._tell_about(adapter)
        return adapter

    def _stay(self, adapter: Adapter) -> None:
        """Find the car and serve, again and again, until the adapter does not answer any more.

        A bus on which nobody has ever answered is left alone until the next wake. Where a car has answered before, or
        the adapter failed, it is tried again.
        """
        retry_s = RETRY_S_MIN
        while self._wait_for_engine():
            car, is_silent = self._look(adapter)
            if car is not None:
                retry_s = RETRY_S_MIN
                self._serve(car)
            elif is_silent and not self._known:
                self._wait_for_wake()
            else:
                self._idle(retry_s)
                retry_s = min(2 * retry_s, RETRY_S_MAX)

    def _wait_for_engine(self) -> bool:
        """Until the supply shows a running engine or the daemon permits; False: the adapter answers no more."""
        is_told = False
        while self._read_volts():
            if self._may_ask():
                return True
            if not is_told:
                self._daemon.say(state="waiting")
            is_told = True
            self._idle(WAITING_S)
        return False

    def _wait_for_wake(self) -> None:
        """Until the engine was off, or the daemon permits once more."""
        self._daemon.say(state="silent")
        wakes = self._daemon.wakes
        while self._read_volts() and self._daemon.wakes == wakes and self._may_ask():
            self._idle(WAITING_S)

    def _may_ask(self) -> bool:
        if self._daemon.is_permitted is not None:
            return self._daemon.is_permitted
        return self._volts is not None and self._volts >= self._engine_volts

    def _look(self, adapter: Adapter) -> tuple[Car | None, bool]:
        """Try the protocols: the car, or whether there was nothing but silence."""
        self._daemon.say(state="searching")
        before = self._torn()
        try:
            car = find_car(self._port, adapter, self._order(), self._faults)
        except UnconfirmedError:
            return None, False
        finally:
            self._tell_faults()
        if car is None:
            self._failures += 1
            return None, self._torn() == before
        self._known, self._failures = car.protocol, 0
        self._tell_about(adapter, protocol=car.protocol)
        self._daemon.say(state="car")
        return car, False

    def _order(self) -> Sequence[str]:
        """Protocols to try: the one that is known; once, when that has failed for a while, the others: another car."""
        if not self._known:
            return self._numbers
        if self._failures == FAILURES_MOST:
            return [number for number in self._numbers if number != self._known]
        return [self._known]

    def _torn(self) -> int:
        """How often the adapter, not the car, failed."""
        return sum(self._faults[kind] for kind in ADAPTER_FAULTS)

    def _serve(self, car: Car) -> None:
        """Requests, one at a time, until the car or the adapter is lost."""
        misses = 0
        while misses < MISSES_MOST or self._is_there(car):
            misses = 0 if misses >= MISSES_MOST else misses
            if boot_us() >= self._volts_due_us and not self._read_volts():
                return
            request = self._daemon.next(max(0.0, (self._volts_due_us - boot_us()) / 1e6))
            if request is not None:
                found = self._answer(car, request)
                if found is None:
                    return
                misses = 0 if found else misses + 1

    def _is_there(self, car: Car) -> bool:
        """Whether it answers at all."""
        try:
            return bool(car.ask(FIRST)[0])
        except UnconfirmedError:
            return False

    def _answer(self, car: Car, request: Request) -> int | None:
        """One request: how many answers there were (1 if it was not sent); None: the chip must be set up anew."""
        try:
            answers, reply = car.ask(request)
            if self._port.refusal == "rate":  # it came a little early
                self._port.waits(EARLY_S)
                answers, reply = car.ask(request)
                if self._port.refusal == "rate":
                    self._faults["refused"] += 1
        except UnconfirmedError:
            self._daemon.say(answers=[])
            return None
        self._daemon.say(answers=[(answer.t_us, answer.ecu, answer.payload.hex()) for answer in answers])
        if self._port.refusal:
            self._tell_faults()
            return 1
        is_lost = reply.is_out_of_step and not self._find()
        self._tell_faults()
        return None if is_lost or "reset" in reply.kinds else len(answers)

    def _read_volts(self) -> bool:
        """Read the supply and tell it; False: the adapter does not answer, not even to its name."""
        self._volts = read_volts(self._port)
        self._volts_due_us = boot_us() + int(VOLTS_S * 1e6)
        if self._volts is None:
            return self._find()
        self._daemon.say(volts=self._volts, t_us=boot_us())
        return True

    def _find(self) -> bool:
        """Come into step again; whether the adapter is there."""
        self._faults["resync"] += 1
        return bool(find(self._port))

    def _idle(self, wait_s: float) -> None:
        """Let time pass, until the daemon says something; what it asks now is not answered."""
        if self._daemon.next(wait_s) is not None:
            self._daemon.say(answers=[])

    def _tell_about(self, adapter: Adapter, protocol: str = "") -> None:
        """Who the adapter is and what it can."""
        about = asdict(adapter) | {"is_clone": adapter.is_clone, "protocol": protocol}
        self._daemon.say(about=about)

    def _tell_faults(self) -> None:
        """Totals by kind, when one has grown."""
        if self._faults != self._told:
            self._told = self._faults.copy()
            self._daemon.say(faults=dict(self._told))
