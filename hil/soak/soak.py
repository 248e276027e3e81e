"""A soak: the unmodified agent on two full buses, a broker, and what can be seen of it from outside while it runs.

    python -m hil.soak.soak --place PLACE --seconds S --rate N --batch N --out FOLDER     (what places.py runs)

Leaves `soak.json` in the folder, as outcome.py describes it. A file named `stop` there ends it early, as the
time would.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil.bench import CarProcess, Staged
from hil.books import boot_us
from hil.soak.books import SoakBooks
from hil.soak.outcome import Plan, SoakOutcome
from hil.soak.watch import Flash, memory_mib
from hil.subscriber import Subscriber
from hil.terminal import Plug, Terminal, TerminalError
from hil.wires import broker as brokers
from hil.wires.soak_wire import free_ports, offer, widen

MAP = Path(__file__).parent.with_name("soak.toml")
SETTINGS: dict[str, bool | int | float | str] = {
    "vehicle.map": str(MAP),
    "detect.over_rev.limit_rpm": 4500,
    "detect.over_rev.hold_s": 0.2,
    "health.period_s": 5,
    "obd.ask": "never",
}
"""What differs from the defaults: an event a second, counters every 5 s, and everything on the buses is read."""
START_S = 150.0
ARRIVE_S = 30.0
TURN_S = 0.05
LOOK_S = 1.0
TOLD_S = 5.0
LOG_CHARACTERS = 20_000
STOP = "stop"

Say = Callable[[str], None]


class SoakError(Exception):
    """It cannot go on; the text says what happened."""


@dataclass(frozen=True, slots=True)
class Buses(Plug):
    """The two buses, read whole."""

    classic: str = "vcan0"
    fd: str = "vcan1"

    def table(self) -> str:
        """Their tables in the settings."""
        first = f'[[can]]\nchannel = "{self.classic}"\nlisten_only = false\n'
        return f'{first}\n[[can]]\nchannel = "{self.fd}"\nnumber = 1\nfd = true\nlisten_only = false\n'


class Soak(Staged):
    """Everything that runs."""

    def __init__(self, plan: Plan, say: Say, is_wanted: Callable[[], bool]) -> None:
        self.plan, self._say, self._is_wanted = plan, say, is_wanted
        self._books = SoakBooks()
        self._flooded_s, self._waiting = 0.0, 0

    def _start(self, stack: ExitStack) -> None:
        """Broker, subscriber, flood, terminal."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tbox-soak-")))
        buses = Buses()
        if self.plan.place == "pair":
            offer(folder)
            classic, fd = free_ports(2)
            buses = Buses(classic=str(classic), fd=str(fd))
        if self.plan.place == "kernel":
            widen()
        broker = brokers.start(folder)
        stack.callback(broker.stop)
        listening = (brokers.HOST, broker.port, broker.version)
        self._subscriber = Subscriber(*listening, lambda record: self._books.note(record, boot_us()), self._books.inbox)
        stack.callback(self._subscriber.close)
        words = ["--classic", buses.classic, "--fd", buses.fd]
        self._flood = CarProcess(
            [*words, "--rate", str(self.plan.rate), "--batch", str(self.plan.batch)], "hil.soak.flood"
        )
        stack.callback(self._flood.stop)
        self._terminal = Terminal(folder, buses, broker.port, SETTINGS)
        stack.callback(self._terminal.close)
        self._flash = Flash(self._terminal.state / "outbox.db")
        stack.callback(self._flash.close)
        self._wait("the subscriber", lambda: self._subscriber.wait_until_subscribed(TURN_S))
        self._wait("the flood", lambda: self._flood.is_ready.wait(TURN_S))
        self._terminal.start()
        self._wait("tbox run", self._terminal.is_ready)

    def _wait(self, what: str, is_so: Callable[[], bool]) -> None:
        """Until it is so. SoakError when it never is."""
        if not _until(is_so, START_S):
            raise SoakError(f"{what}: not within {START_S:.0f} s")

    def flood(self) -> None:
        """Both buses full until the time is over or nobody wants it any more; then until all of it was counted."""
        begin_us = self._books.begin_us = boot_us()
        self._flood.go()
        look_s = told_s = now_s = 0.0
        while now_s < self.plan.lasts_s and self._is_wanted():
            self._hear()
            if now_s >= look_s:
                look_s += LOOK_S
                self._look(now_s)
            if now_s >= told_s:
                told_s += TOLD_S
                with self._subscriber.lock:
                    words = self._books.words(self._flash.synced_us)
                self._say(f"{now_s:.0f} of {self.plan.lasts_s:.0f} s, {words}")
            time.sleep(TURN_S)
            now_s = (boot_us() - begin_us) / 1e6
        self._flooded_s = now_s
        self._flood.stop()
        self._hear()
        self._say("both buses are silent: counting")
        _until(self._locked(self._books.is_counted), ARRIVE_S)

    def settle(self) -> None:
        """Stop the agent, and let arrive what it said last."""
        self._terminal.stop()
        _until(self._locked(self._books.is_complete), ARRIVE_S)

    def fields(self) -> dict[str, Any]:
        """Fields of the outcome, once it has settled."""
        return {
            **self._books.fields(self._flood.truth, self._flash.synced_us, self._flooded_s),
            "is_cut_short": self._flooded_s < self.plan.lasts_s,
            "exit_codes": tuple(self._terminal.exit_codes),
            "log": self._terminal.log()[-LOG_CHARACTERS:],
        }

    def _hear(self) -> None:
        """What the flood says, and whether both live."""
        self._books.hear(self._flood.truth)
        self._waiting = self._terminal.waiting or 0
        if self._flood.exit_code() not in (None, 0):
            raise SoakError(f"the flood ended with {self._flood.exit_code()}")
        if not self._terminal.is_running():
            raise SoakError(f"tbox run ended; it said:\n{self._terminal.log()[-2000:]}")

    def _look(self, now_s: float) -> None:
        pid = self._terminal.pid
        assert pid is not None, "_hear looks first"
        self._books.look(now_s, memory_mib(pid), self._waiting)

    def _locked(self, look: Callable[[], bool]) -> Callable[[], bool]:
        """The same, while no record comes in."""

        def looked() -> bool:
            with self._subscriber.lock:
                return look()

        return looked


def _until(is_so: Callable[[], bool], wait_s: float) -> bool:
    """Wait until it is so; False when it never is."""
    give_up_s = time.monotonic() + wait_s
    while not is_so():
        if time.monotonic() > give_up_s:
            return False
        time.sleep(TURN_S)
    return True


def run(plan: Plan, say: Say, is_wanted: Callable[[], bool]) -> SoakOutcome:
    """One soak."""
    begin_s, trouble, fields = time.monotonic(), "", dict[str, Any]()
    say("starting broker, flood and agent")
    try:
        with Soak(plan, say, is_wanted) as soak:
            soak.flood()
            soak.settle()
            fields = soak.fields()
    except (SoakError, TerminalError, brokers.BrokerError) as why:
        trouble = str(why)
    return SoakOutcome(plan=plan, took_s=round(time.monotonic() - begin_s, 3), trouble=trouble, **fields)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one; 0 when it has an outcome, whatever it is."""
    parser = argparse.ArgumentParser(prog="python -m hil.soak.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--place", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = Plan(place=options.place, lasts_s=options.seconds, rate=options.rate, batch=options.batch)
    outcome = run(plan, lambda words: print(words, flush=True), lambda: not (options.out / STOP).exists())
    outcome.write(options.out / "soak.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
