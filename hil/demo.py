"""The whole way in a minute, on any machine: a simulated car, the unmodified agent, a broker, and what arrives there.

    python -m hil.demo [--out FOLDER] [--embedded-broker]

Needs no root, no car, no broker, no CAN in the kernel. Exit 0: everything that had to arrive did; 1: it says what not.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent.codec import Record
from hil import ROOT
from hil.bench import MAP, Agent, CarProcess, Notices, Staged, run_agent
from hil.car.scenario import DEAD_ZONE, DRIVE_S, LEGS, SETTINGS
from hil.proof import Check, Drive, check
from hil.screen import View, event_line, open_screen
from hil.subscriber import Subscriber
from hil.wires import broker as brokers
from hil.wires.relay import Relay
from hil.wires.wire import has_vcan

START_S = 20.0
TRIP_END_S = 15.0
"""How long after the drive its end may take to arrive."""
SETTLE_S = 10.0
"""How long the last records may take to arrive once the agent has stopped."""
TURN_S = 0.1
WRITTEN = ("tbox.toml", "agent.log", "received.tbox", "report.html")
"""What stays behind in the folder of the demo."""


class DemoError(Exception):
    """The demo cannot go on; the text says what happened."""


class Demo(Staged):
    """Everything that runs, and the way through it. Use it as a context manager: leaving ends every process."""

    def __init__(self, out: Path, *, embedded: bool) -> None:
        self._out = out
        self._embedded = embedded
        self._cut_us = (0, 0)
        self._arrived: list[tuple[float, Record]] = []

    def _start(self, stack: ExitStack) -> None:
        """Broker, network, subscriber, car, agent: in the order in which they need each other."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tbox-demo-")))
        self.broker = brokers.start(folder, embedded=self._embedded)
        stack.callback(self.broker.stop)
        self.relay = Relay(self.broker.port)
        stack.callback(self.relay.close)
        self.subscriber = Subscriber(brokers.HOST, self.broker.port, self.broker.version, self._note)
        stack.callback(self.subscriber.close)
        self.bus = "vcan0" if has_vcan() else "slcan over a pty"
        link = folder / "can0"
        self.car = CarProcess(["--channel", "vcan0"] if self.bus == "vcan0" else ["--link", str(link)])
        stack.callback(self.car.stop)
        self.notices = Notices(folder)
        stack.callback(self.notices.close)
        settings = self._out / "tbox.toml"
        settings.write_text(settings_text(folder, self.relay.port, None if self.bus == "vcan0" else link))
        self._wait("the broker's subscriber", lambda: self.subscriber.wait_until_subscribed(TURN_S))
        self._wait("the car", lambda: self.car.is_ready.wait(TURN_S))
        self.agent = Agent(settings, self.notices, self._out / "agent.log")
        stack.callback(self.agent.stop)

    def _wait(self, what: str, ready: Any) -> None:
        give_up_s = time.monotonic() + START_S
        while not ready():
            if time.monotonic() > give_up_s or self.car.exit_code() is not None:
                raise DemoError(f"{what} did not start")

    def _note(self, record: Record) -> None:
        """A record arrived: remember when, by the drive's clock."""
        self._arrived.append((self.car.truth.get("time_s", 0.0), record))

    def drive(self) -> None:
        """Show the drive until its end has arrived."""
        view, screen = View(self._setup(), DRIVE_S), open_screen()
        try:
            self._await_agent()
            self.car.go()
            give_up_s = time.monotonic() + DRIVE_S + TRIP_END_S
            while not self._is_over() and time.monotonic() < give_up_s:
                self._turn(view)
                screen.show(view)
                time.sleep(TURN_S)
            self._turn(view)
            screen.show(view)
        finally:
            screen.close()

    def _setup(self) -> list[tuple[str, str]]:
        """What the person watching should know first."""
        changed = ", ".join(f"{key} = {number}" for key, number in SETTINGS.items())
        return [
            ("Broker", f"{self.broker.name}, MQTT {self.broker.version}, on the loopback"),
            ("Bus", f"{self.bus}, python-can on both ends"),
            ("Settings", f"{changed}; everything else as shipped"),
        ]

    def _await_agent(self) -> None:
        give_up_s = time.monotonic() + START_S
        while not self.notices.is_ready:
            self.notices.read()
            if self.agent.exit_code() is not None or time.monotonic() > give_up_s:
                raise DemoError(f"tbox run did not start; it said:\n{self.agent.log.read_text(errors='replace')}")
            time.sleep(TURN_S)

    def _turn(self, view: View) -> None:
        """Once round: where the car is, whether it has a network there, what has arrived."""
        self.notices.read()
        truth = self.car.truth
        self._network(truth.get("leg", 0) in DEAD_ZONE)
        view.time_s = min(truth.get("time_s", 0.0), DRIVE_S)
        view.doing = LEGS[truth.get("leg", 0)].label
        view.speed_kmh = truth.get("speed_mps", 0.0) * 3.6
        view.is_linked = self.relay.is_whole
        view.waiting = self.notices.waiting
        view.agent = self.notices.status
        with self.subscriber.lock:
            inbox = self.subscriber.inbox
            view.delivered, view.redelivered, view.is_online = len(inbox.records), inbox.redelivered, inbox.is_online()
        arrived = [(at_s, record) for at_s, record in self._arrived if record.kind == "event"]
        view.events = [event_line(dict(record.body), at_s) for at_s, record in arrived]
        if self.agent.exit_code() is not None or self.car.exit_code() is not None:
            raise DemoError("the agent or the car ended in mid-drive")

    def _network(self, is_dead: bool) -> None:
        """Cut or mend the link as the place demands."""
        if is_dead == self.relay.is_whole:
            now_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
            if is_dead:
                self.relay.cut()
                self._cut_us = (now_us, now_us)
            else:
                self.relay.mend()
                self._cut_us = (self._cut_us[0], now_us)

    def _is_over(self) -> bool:
        """The trip's end and the seal behind it have arrived, and so has all before them."""
        with self.subscriber.lock:
            inbox = self.subscriber.inbox
            ends = inbox.bodies("trip_end")
            return bool(ends) and any(
                seal.seq > ends[-1].seq and not inbox.missing(seal.device) for seal in inbox.bodies("seal")
            )

    def prove(self) -> list[Check]:
        """Stop the agent, then say what holds."""
        truth = self.car.truth
        code = self.agent.stop()
        give_up_s = time.monotonic() + SETTLE_S
        while time.monotonic() < give_up_s and not self._is_over():
            time.sleep(TURN_S)
        drive = Drive(truth.get("distance_m", 0.0), truth.get("dropped", 0), self._cut_us)
        with self.subscriber.lock:
            checks = check(self.subscriber.inbox, drive)
        return [*checks, Check(code == 0, f"tbox run ended with exit code {code}"), *self._written()]

    def _written(self) -> list[Check]:
        """Keep what was received, and let tbox itself check and report it."""
        received, page = self._out / "received.tbox", self._out / "report.html"
        with self.subscriber.lock:
            received.write_bytes(self.subscriber.inbox.framed())
        verify = run_agent(["verify", str(received)])
        report = run_agent(["report", str(received), "-o", str(page), "--config", str(self._out / "tbox.toml")])
        print(f"\ntbox verify {received}\n{(verify.stdout + verify.stderr).rstrip()}")
        return [
            Check(verify.returncode == 0, f"tbox verify accepts what was received (exit code {verify.returncode})"),
            Check(
                report.returncode == 0 and page.is_file(),
                f"tbox report wrote its page (exit code {report.returncode}) {report.stderr.strip()}".rstrip(),
            ),
        ]

    def trip_lines(self) -> list[str]:
        """The summary of the trip, for people."""
        with self.subscriber.lock:
            ends = self.subscriber.inbox.bodies("trip_end")
        return [line for end in ends for line in summary_lines(dict(end.body))]


def settings_text(folder: Path, port: int, link: Path | None) -> str:
    """The agent's settings: where things are, and the few values the demo changes."""
    changed: dict[str, list[str]] = {}
    for key, number in SETTINGS.items():
        table, _, name = key.rpartition(".")
        changed.setdefault(table, []).append(f"{name} = {number}")
    bus = (
        'interface = "socketcan"\nchannel = "vcan0"'
        if link is None
        else f'interface = "slcan"\nchannel = "{link}"\noptions = {{ sleep_after_open = 0.0 }}'
    )
    return (
        f'[device]\nname = "demo"\nstate_dir = "{folder / "state"}"\n\n[[can]]\n{bus}\n\n[vehicle]\nmap = "{MAP}"\n\n'
        f'[mqtt]\nhost = "{brokers.HOST}"\nport = {port}\ntls = false\n\n'
        + "\n\n".join(f"[{table}]\n" + "\n".join(lines) for table, lines in changed.items())
        + "\n"
    )


def summary_lines(body: dict[str, Any]) -> list[str]:
    """What an insurer prices on, in short."""
    events = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in body["events"].items()) or "none"
    return [
        f"distance {body['distance_m']:.0f} m in {(body['end_us'] - body['start_us']) / 1e6:.1f} s",
        f"driving {body['moving_us'] / 1e6:.1f} s, idling {(body['idle_us'] or 0) / 1e6:.1f} s",
        f"at most {body['max_speed_mps'] * 3.6:.0f} km/h",
        f"events: {events}",
        f"ended: {body['end_reason']}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when everything arrived."""
    parser = argparse.ArgumentParser(prog="python -m hil.demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "out" / "demo",
        metavar="FOLDER",
        help="for the report, the records and the log",
    )
    parser.add_argument("--embedded-broker", action="store_true", help="amqtt even where mosquitto is installed")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name in WRITTEN:
            (options.out / name).unlink(missing_ok=True)
        with Demo(options.out.resolve(), embedded=options.embedded_broker) as demo:
            demo.drive()
            checks = demo.prove()
            lines = demo.trip_lines()
    except (DemoError, brokers.BrokerError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130
    return tell(checks, lines, options.out)


def tell(checks: Sequence[Check], lines: Sequence[str], out: Path) -> int:
    """The trip, the proof, the page; the exit code."""
    print("\nThe trip\n" + "\n".join(f"  {line}" for line in lines))
    print("\nThe proof\n" + "\n".join(f"  {'✓' if one.holds else '✗'} {one.words}" for one in checks))
    missing = [one.words for one in checks if not one.holds]
    print(f"\nReport: {out / 'report.html'}")
    print("Everything arrived." if not missing else f"{len(missing)} of {len(checks)} things are not as they must be.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
