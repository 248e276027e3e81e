"""The process between the daemon and an ELM327 or STN adapter: `python -m drivers.elm.adapter PORT`.

drivers.elm.elm starts it. Its input and output are lines of JSON. In come `{"ask": "010D", "to": 0}` and
`{"permit": true}`, out go:

    {"state": "waiting"}                                what it does now (drivers.elm.elm.STATES)
    {"about": {"banner": "ELM327 v1.5", ...}}           who the adapter is and what it can
    {"volts": 14.1, "t_us": 5}                          the supply at its socket
    {"answers": [[5, 2024, "410D32"], ...]}             the end of a request: time, control unit, payload
    {"faults": {"no_prompt": 1, ...}}                   totals by kind, when one has grown
    {"end": "..."}                                      why it goes

It goes when its input ends, so that it never outlives the daemon, and when the port is gone.
"""

import argparse
import json
import os
import select
import signal
import sys
from collections import Counter, deque
from typing import Any

from drivers.bus.diagnostic import Request
from drivers.elm.bridge import Bridge
from drivers.elm.car import PROTOCOLS
from drivers.elm.probe import BAUDRATES
from drivers.elm.serial import GuardedPort, PortError
from drivers.guard import Guard

HELD_BYTES = 65_536
HELD_REQUESTS = 8
"""The daemon has one under way; more than this it never asks."""


class Daemon:
    """The other end of the pipes. Raises SystemExit when it has gone."""

    def __init__(self, in_fd: int, out_fd: int) -> None:
        self.is_permitted: bool | None = None
        """Whether the car may be asked, whatever the supply shows; None: the supply decides."""
        self.wakes = 0
        """How often the daemon permitted."""
        self._in = in_fd
        self._out = out_fd
        self._heard = bytearray()
        self._requests: deque[Request] = deque(maxlen=HELD_REQUESTS)
        os.set_blocking(in_fd, False)

    def fileno(self) -> int:
        """Readable when the daemon has said something, or has gone."""
        return self._in

    def pump(self) -> None:
        """Take in what was said."""
        try:
            data = os.read(self._in, HELD_BYTES)
        except BlockingIOError:
            return
        if not data or len(self._heard) > HELD_BYTES:
            raise SystemExit(0)
        self._heard += data
        *lines, rest = self._heard.split(b"\n")
        self._heard = bytearray(rest)
        for line in lines:
            self._obey(json.loads(line))

    def next(self, wait_s: float) -> Request | None:
        """The oldest request, waited for so long; None also when something else was said meanwhile."""
        if not self._requests and select.select([self._in], [], [], wait_s)[0]:
            self.pump()
        return self._requests.popleft() if self._requests else None

    def say(self, **message: Any) -> None:
        """Tell it something. A daemon that does not read makes this process wait, and only this one."""
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except BrokenPipeError:
            raise SystemExit(0) from None

    def _obey(self, message: dict[str, Any]) -> None:
        if "ask" in message:
            payload = bytes.fromhex(message["ask"])
            self._requests.append(Request(payload[0], payload[1:], message["to"]))
        if "permit" in message:
            self.is_permitted = message["permit"]
            self.wakes += self.is_permitted is True


def main(arguments: list[str] | None = None) -> None:
    """Open the port and serve the daemon until one of them goes."""
    args = _parser().parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the daemon's terminal is the daemon's affair
    daemon = Daemon(sys.stdin.fileno(), sys.stdout.fileno())
    faults: Counter[str] = Counter()
    guard = Guard(args.uds_id, args.requests_per_s)
    try:
        port = GuardedPort(args.port, guard, daemon, faults)
        numbers = [args.protocol] if args.protocol else list(PROTOCOLS)
        baudrates = (
            [args.baudrate] if args.baudrate else sorted(BAUDRATES, key=lambda rate: rate != args.known_baudrate)
        )
        Bridge(port, daemon, faults, args.engine_volts, baudrates, numbers, args.known).run()
    except PortError as why:
        daemon.say(end=str(why))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drivers.elm.adapter")
    parser.add_argument("port")
    parser.add_argument("--baudrate", type=int, default=0, help="0: found out")
    parser.add_argument("--protocol", default="", help="the ELM's number, 6 to 9; none: found out")
    parser.add_argument("--known", default="", help="the protocol a car answered by before")
    parser.add_argument("--known-baudrate", type=int, default=0, help="and the speed, tried first")
    parser.add_argument("--engine-volts", type=float, required=True, help="from here on the engine runs")
    parser.add_argument("--requests-per-s", type=float, required=True)
    parser.add_argument("--uds-id", type=int, action="append", default=[], help="may be asked by service 22")
    return parser


if __name__ == "__main__":
    main()
