"""A recording in place of the car of a scenario: its frames on a real bus, each when it was, counted from the first.

    python -m hil.car.recorded_car SCENARIO.toml (--link PATH | --channel vcan0)

Speaks as vehicle.py does: `ready`, then after `go` a JSON line ten times a second; it goes when its input ends.
"""

import argparse
import json
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import can

from hil.scenes import recorded
from hil.scenes.recorded import Frame, RecordedError
from hil.scenes.scenario_file import read
from hil.wires.wire import Adapter, open_car_end

REPORT_S = 0.1
LATE_S = 0.02
"""So much is caught up; of what is later only the newest of each identifier is sent."""
IDLE_S = 0.01
TOGETHER_S = 0.004
"""What is due within this goes out at one waking: a kernel that comes along has dear ones."""


class RecordedCar:
    """Sends what was recorded and counts what others say."""

    def __init__(self, bus: can.BusABC, frames: Sequence[Frame]) -> None:
        self._bus = bus
        self._messages = [(frame.t_us / 1e6, _message(frame)) for frame in frames]
        self._next = self._sent = self._refused = self._heard = 0
        self._told_s = self._listened_s = 0.0

    def idle(self) -> None:
        """Nothing is played yet, but an adapter answers."""
        self._bus.recv(0)

    def drive(self) -> None:
        """Until the input ends; after its last frame the recording is silent.

        What a machine that is late has missed is left out, but for the newest of each identifier: hurried through, it
        would look as if the car had braked harder.
        """
        begun_s, at_s = time.monotonic(), 0.0
        while not select.select([sys.stdin], [], [], self._pause_s(at_s))[0]:
            at_s = time.monotonic() - begun_s
            self._say(at_s)
            if at_s >= self._listened_s + IDLE_S:
                self._listen(at_s)
            if at_s >= self._told_s:
                self._tell(at_s)

    def close(self) -> None:
        """Leave the bus."""
        self._bus.shutdown()

    def _pause_s(self, at_s: float) -> float:
        """Until the next frames are due, or there is something to tell; at least TOGETHER_S."""
        due_s = self._messages[self._next][0] if self._next < len(self._messages) else at_s + IDLE_S
        return min(IDLE_S, max(TOGETHER_S, due_s - at_s))

    def _due(self, at_s: float) -> list[can.Message]:
        """Those whose time has come, without what is out of date."""
        first = self._next
        while self._next < len(self._messages) and self._messages[self._next][0] <= at_s:
            self._next += 1
        due = self._messages[first : self._next]
        newest = {message.arbitration_id: number for number, (_, message) in enumerate(due)}
        return [
            message
            for number, (t_s, message) in enumerate(due)
            if at_s - t_s <= LATE_S or newest[message.arbitration_id] == number
        ]

    def _say(self, at_s: float) -> None:
        """What is due. A frame that the bus refuses is counted: nobody has heard it."""
        for message in self._due(at_s):
            try:
                self._bus.send(message)
                self._sent += 1
            except can.CanError:
                self._refused += 1

    def _listen(self, at_s: float) -> None:
        """What others have said since."""
        self._listened_s = at_s
        while self._bus.recv(0) is not None:
            self._heard += 1

    def _tell(self, at_s: float) -> None:
        """Where the recording is; how the car moved nobody knows."""
        self._told_s = at_s + REPORT_S
        dropped = self._refused + (self._bus.dropped if isinstance(self._bus, Adapter) else 0)
        line = {
            **dict.fromkeys(("leg", "speed_mps", "forward_mps2", "left_mps2", "rpm", "distance_m"), 0),
            "time_s": round(at_s, 6),
            "at_us": time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000,
            "frames": self._sent,
            "heard": self._heard,
            "dropped": dropped,
        }
        print(json.dumps(line), flush=True)


def _message(frame: Frame) -> can.Message:
    """As it goes on a bus. RecordedError for what does not."""
    number = int(frame.number, 16)
    try:
        data = bytes.fromhex(frame.data)
    except ValueError:
        raise RecordedError(f"{frame.number}#{frame.data}: only classic data frames can be played on a bus") from None
    return can.Message(
        arbitration_id=number & 0x1FFFFFFF,
        is_extended_id=len(frame.number) == recorded.EXTENDED_DIGITS and not frame.is_error,
        is_error_frame=frame.is_error,
        data=data,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the recording, open the bus, wait for the word, play."""
    parser = argparse.ArgumentParser(
        prog="python -m hil.car.recorded_car", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--link", type=Path, help="make a serial adapter and let this path point at it")
    parser.add_argument("--channel", default="vcan0", help="without --link: this interface (default: vcan0)")
    parser.add_argument("--seed", type=int, default=1, help="as the simulated car has it; a recording needs none")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # an adapter that is pulled out hangs up its line
    tables = read(options.scenario).recording
    zero_us = recorded.begin_us(tables)
    frames = sorted(frame for table in tables for frame in recorded.frames(table, zero_us))
    player = RecordedCar(open_car_end(link=options.link, channel=options.channel), frames)
    try:
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], IDLE_S)[0]:
            player.idle()
        if sys.stdin.readline().strip() == "go":
            player.drive()
    finally:
        player.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
