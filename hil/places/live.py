"""Live places: the unmodified agent on a bus that the scenario's car drives in real time, a broker, what arrives there.

    python -m hil.places.live SCENARIO.toml:SEED... --out FOLDER [--car END --terminal END]     (what a kernel runs
    inside)

Each leaves `NAME.json` in the folder, as hil/outcome.py describes it.
"""

import argparse
import faulthandler
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.codec import Record
from hil.bench import CarProcess, Staged
from hil.books import Books, boot_us
from hil.car.road import lasts_s
from hil.faults.live_faults import LiveFaults
from hil.outcome import Outcome
from hil.scenes.scenario_file import read
from hil.scenes.scenario_table import Scenario
from hil.subscriber import Subscriber
from hil.terminal import Plug, Terminal, TerminalError
from hil.wired.box import Box, BoxBooks
from hil.wires import broker as brokers
from hil.wires import controller, tls
from hil.wires.relay import Relay
from hil.wires.site import Site
from hil.wires.wire import VCAN, parse_end

START_S = 90.0
"""What starts takes 3 s alone, and ten times as long where others use the machine before it."""
TURN_S = 0.05
TOLD_S = 5.0
"""How often it is said how far the drive is."""
ARRIVE_S = 20.0
"""How long after the drive what it meant may take to arrive."""
SETTLE_S = 10.0
"""How long the last records may take to arrive once the agent has stopped."""

HUNG_S = 150.0
"""Nothing here waits so long without looking round: in a kernel that comes along it ends then, and says where."""

Say = Callable[[str], None]


class LiveError(Exception):
    """The bench cannot go on; the text says what happened."""


class Live(Staged):
    """Everything that runs for one scenario."""

    def __init__(self, scenario: Scenario, path: Path, seed: int, site: Site, look: Callable[[], None]) -> None:
        """`look` is called whenever it looks round."""
        self.scenario, self._path, self._seed, self._site, self._look = scenario, path, seed, site, look
        self.link = ""
        """How the terminal's link stood at last, in words."""
        self.books: Books = BoxBooks(site.device) if site.is_box else Books()

    def _start(self, stack: ExitStack) -> None:
        """Broker, network, subscriber, car, agent: in the order in which they need each other."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tbox-hil-")))
        certificates = tls.Certificates(folder) if self.scenario.tls else None
        self.broker = brokers.start(folder, certificates=certificates)
        stack.callback(lambda: self.broker.stop())  # noqa: PLW0108 (the one there is then)
        self.relay = self._relay()
        stack.callback(self.relay.close)
        self.subscribe()
        stack.callback(lambda: self.subscriber.close())  # noqa: PLW0108 (the same)
        plug = self._plug(folder)
        self._site.set_up(is_quiet=self.scenario.ecus == "none", is_ours=self.scenario.link == "up")
        bus = ["--channel", str(self._site.car)] if plug.link is None else ["--link", str(plug.link)]
        module = "hil.car.recorded_car" if self.scenario.recording else "hil.car.vehicle"
        receiver = folder / "gnss" if self.scenario.receiver else None
        sky = ["--receiver", str(receiver), "--utc", str(self.books.utc_us)] if receiver else []
        self.car = CarProcess([str(self._path), "--seed", str(self._seed), *bus, *sky], module)
        stack.callback(self.car.stop)
        settings = {**(certificates.settings() if certificates else {}), **self.scenario.agent_settings}
        settings |= {"gnss.port": str(receiver)} if receiver else {}
        books, port = self.books, self.relay.port
        self.terminal = (
            Box(folder, books.box) if isinstance(books, BoxBooks) else Terminal(folder, plug, port, settings)
        )
        self.faults = LiveFaults(self.scenario.fault, self)
        stack.callback(self.faults.close)
        stack.callback(self.terminal.close)
        stack.callback(self.faults.end)
        self.wait("the car", lambda: self.car.is_ready.wait(TURN_S))
        self.faults.prepare()
        self.terminal.start()
        self.wait("tbox run", self.terminal.is_ready)

    def _plug(self, folder: Path) -> Plug:
        """What the terminal is plugged into."""
        is_adapter = self.scenario.adapter != "none"
        link = folder / "can0" if self._site.is_pty or is_adapter else None
        end, own = self._site.terminal, self.scenario.link
        end = replace(end, bitrate=self._site.bitrate) if own == "set_up" else end
        return Plug(link, self.scenario.ecus != "none", is_adapter, end, sets_up=own != "up")

    def _relay(self) -> Relay:
        """The network before the broker, where the terminal looks for it. LiveError."""
        host, port = self._site.listen
        try:
            return Relay(self.broker.port, host, port)
        except OSError as why:
            raise LiveError(f"{host}:{port}: cannot listen there: {why.strerror}") from None

    def subscribe(self) -> None:
        """Listen at the broker, into the same books."""
        host, port, version = brokers.HOST, self.broker.inner_port, self.broker.version
        self.subscriber = Subscriber(host, port, version, self._note, self.books.inbox)
        self.wait("the subscriber", lambda: self.subscriber.wait_until_subscribed(TURN_S))

    def wait(self, what: str, is_ready: Callable[[], bool]) -> None:
        """Until it is. LiveError when it never is."""
        give_up_s = time.monotonic() + START_S * self._site.patience
        while not is_ready():
            self._look()
            if time.monotonic() > give_up_s:
                raise LiveError(f"{what} did not come within {START_S * self._site.patience:.0f} s")
            time.sleep(TURN_S)

    def _note(self, record: Record) -> None:
        self.books.note(record, boot_us())

    def drive(self, say: Say) -> None:
        """The whole drive, then until what it meant has arrived."""
        self.terminal.begin()
        self.car.go()
        drive_s = lasts_s(self.scenario)
        told_s, now_s = 0.0, 0.0
        while now_s < drive_s:
            now_s = self._turn()
            if now_s >= told_s:
                told_s += TOLD_S
                say(f"{now_s:.0f} of {drive_s:.0f} s, {len(self.books.inbox.records)} records arrived")
            time.sleep(TURN_S)
        if late := self.faults.waiting(drive_s):
            raise LiveError("; ".join(late))
        self.faults.end()
        self._let_start()
        give_up_s = time.monotonic() + ARRIVE_S * self._site.patience
        while not (self.terminal.has_told() and self._is_over()) and time.monotonic() < give_up_s:
            self._turn()
            time.sleep(TURN_S)

    def _let_start(self) -> None:
        """Until one that a fault started anew late in the drive is up, as long as a start may take."""
        give_up_s = time.monotonic() + START_S * self._site.patience
        while self.terminal.is_starting() and time.monotonic() < give_up_s:
            self._turn()
            time.sleep(TURN_S)

    def _turn(self) -> float:
        """Once round; where the drive is, in seconds."""
        self._look()
        truth = self.car.truth
        now_s = float(truth.get("time_s", 0.0))
        self.faults.step(now_s)
        self.books.see(truth, self.terminal.waiting)
        if self.car.exit_code() is not None:
            raise LiveError("the car ended in mid-drive")
        self.terminal.tend(time.monotonic())
        return now_s

    def _is_over(self, *, to_the_seal: bool = False) -> bool:
        """As many trips as expected have ended, and nothing is missing, nor the seal with which a terminal ends."""
        trips = self.scenario.expect.trip
        with self.subscriber.lock:
            is_whole = self.books.is_complete(len(trips) if trips is not None else 0)
            return is_whole and (not to_the_seal or self.books.is_closed())

    def settle(self) -> None:
        """Stop the agent, and let arrive what it said last."""
        self._look()
        if self.scenario.expect.link is not None:
            self.link = controller.look(self._site.terminal.channel).words
        self.terminal.stop()
        give_up_s = time.monotonic() + SETTLE_S * self._site.patience
        while not self._is_over(to_the_seal=True) and time.monotonic() < give_up_s:
            self._look()
            time.sleep(TURN_S)


def run(path: Path, seed: int, site: Site, say: Say, look: Callable[[], None] = lambda: None) -> Outcome:
    """One scenario, live. `look` is called as long as it goes on."""
    scenario, begin_s, trouble = read(path), time.monotonic(), ""
    say("starting broker, car and agent")
    try:
        with Live(scenario, path, seed, site, look) as live:
            live.drive(say)
            say("the drive is over")
            live.settle()
            look()
            told = live.books.outcome(live.car.truth, live.terminal, live.link)
    except (LiveError, TerminalError, brokers.BrokerError, controller.LinkError, tls.TlsError) as why:
        trouble, told = str(why), {}
    took_s = round(time.monotonic() - begin_s, 3)
    drive_s = lasts_s(scenario)
    return Outcome(
        scenario=path.stem, place=site.place, seed=seed, took_s=took_s, drive_s=drive_s, trouble=trouble, **told
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run scenarios one after the other; 0 when each has an outcome, whatever it is."""
    parser = argparse.ArgumentParser(prog="python -m hil.places.live", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenario", nargs="+", help="FILE.toml:SEED")
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.json")
    parser.add_argument("--place", default="vcan", help="its name in the outcome")
    parser.add_argument("--car", type=parse_end, default=VCAN, help="its interface (default: vcan0)")
    parser.add_argument("--terminal", type=parse_end, default=VCAN, help="its interface (default: vcan0)")
    parser.add_argument("--bitrate", type=int, default=0, help="set both up at it first (default: they are)")
    parser.add_argument("--patience", type=float, default=1.0, help="how many times longer everything may take")
    options = parser.parse_args(arguments)
    site = Site(
        options.place,
        car=options.car,
        terminal=options.terminal,
        bitrate=options.bitrate,
        patience=options.patience,
    )
    for word in options.scenario:
        name, _, seed = word.rpartition(":")
        path = Path(name)
        outcome = run(path, int(seed), site, partial(_say, path.stem), partial(_watch, HUNG_S * options.patience))
        outcome.write(options.out / f"{path.stem}.json")
    faulthandler.cancel_dump_traceback_later()
    return 0


def _watch(most_s: float) -> None:
    """Whoever does not call again within this time ends, with a word on where every thread stood."""
    faulthandler.dump_traceback_later(most_s, exit=True)


def _say(name: str, words: str) -> None:
    print(f"{name}: {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
