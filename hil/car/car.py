"""The simulated car on a real bus: what the drive is, told frame by frame as a car tells it, in real time.

    python -m hil.car.car (--link PATH | --channel vcan0) [--seed N]

It says `ready` when its bus is open, drives when it is told `go` on its input, says ten times a second where it is as a
JSON line, stands with the engine off when the drive is over, and goes when its input ends.
"""

import argparse
import json
import math
import random
import select
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import can
import cantools.database
from cantools.database.can import Database, Message

from hil.car.scenario import LEGS
from hil.drive import STEP_S, Leg, State, drive
from hil.wires.wire import Adapter, open_car_end

DBC = Path(__file__).parent.with_name("demo.dbc")
GRAVITY_MPS2 = 9.80665
ODOMETER_M = 48_211_300.0
SENSOR_NOISE_MPS2 = 0.05
ROAD_NOISE_MPS2 = 0.15
GYRO_NOISE_RADPS = 0.004
PERIODS = {"MOTION": 2, "ENGINE": 5, "BODY": 10, "ACCEL": 1, "GYRO": 2, "POSITION": 100, "COURSE": 100}
"""Every how many steps of 10 ms each frame is broadcast."""
REPORT_STEPS = 10

Axes = tuple[float, float, float]


def mount(yaw_deg: float, pitch_deg: float, roll_deg: float) -> tuple[Axes, Axes, Axes]:
    """Rotation that takes vehicle axes to those of a box hung this way: three rows."""
    (cy, sy), (cp, sp), (cr, sr) = (
        (math.cos(math.radians(angle)), math.sin(math.radians(angle))) for angle in (yaw_deg, pitch_deg, roll_deg)
    )
    return (
        (cy * cp, sy * cp, -sp),
        (cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, cp * sr),
        (cy * sp * cr + sy * sr, sy * sp * cr - cy * sr, cp * cr),
    )


MOUNTING = mount(35.0, 20.0, -12.0)
"""How the box hangs under the dashboard: nobody aligned it."""


def turn(rotation: Iterable[Axes], vector: Axes) -> Axes:
    """The vector on the box's axes."""
    x, y, z = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in rotation)
    return x, y, z


class Car:
    """Turns states into frames; its noise comes from the seed, so the same seed gives the same bytes."""

    def __init__(self, seed: int = 1) -> None:
        database = cantools.database.load_file(DBC)
        assert isinstance(database, Database)
        self._messages: dict[str, Message] = {message.name: message for message in database.messages}
        self._random = random.Random(seed)  # noqa: S311 # noise, and it must repeat

    def frames(self, state: State) -> list[can.Message]:
        """What the car broadcasts at this step."""
        step = round(state.time_s / STEP_S)
        values = self._values(state)
        return [
            self._frame(name, {**values, "COUNTER": step // every % 16})
            for name, every in PERIODS.items()
            if step % every == 0
        ]

    def _frame(self, name: str, values: Mapping[str, float]) -> can.Message:
        """One frame; a value beyond what its sensor can say is cut to it, as a sensor does."""
        message = self._messages[name]
        fitting = {
            signal.name: min(max(values[signal.name], signal.minimum or 0.0), signal.maximum or math.inf)
            for signal in message.signals
        }
        data = message.encode(fitting, strict=False)
        return can.Message(arbitration_id=message.frame_id, data=data, is_extended_id=False)

    def _values(self, state: State) -> dict[str, float]:
        """Every signal of every frame."""
        latitude, longitude = state.position_deg
        return {
            "SPEED": state.speed_mps * 3.6,
            "YAW_RATE": state.yaw_radps,
            "BRAKE": state.braking,
            "RPM": state.rpm,
            "THROTTLE": state.throttle_pct,
            "LOAD": state.load_pct,
            "COOLANT": state.coolant_c,
            "ODOMETER": ODOMETER_M + state.distance_m,
            "BATTERY": 14.1 if state.engine else 12.6,
            "FUEL": 61.0,
            "IGNITION": state.engine,
            "AIRBAG": state.airbag,
            "LATITUDE": latitude,
            "LONGITUDE": longitude,
            "GNSS_SPEED": state.speed_mps,
            "GNSS_COURSE": math.degrees(state.heading_rad) % 360,
            "HDOP": 0.9,
            "SATELLITES": 11,
            **self._inertial(state),
        }

    def _inertial(self, state: State) -> dict[str, float]:
        """What the accelerometer and the gyroscope feel, on the box's own axes."""
        shake = SENSOR_NOISE_MPS2 + (ROAD_NOISE_MPS2 if state.speed_mps > 1 else 0.0)
        level = (state.forward_mps2, state.left_mps2, GRAVITY_MPS2)
        x, y, z = (axis + self._random.gauss(0, shake) for axis in level)
        force = turn(MOUNTING, (x, y, z))
        gx, gy, gz = (self._random.gauss(0, GYRO_NOISE_RADPS) for _ in range(3))
        rate = turn(MOUNTING, (gx, gy, gz + state.yaw_radps))
        return {
            **dict(zip(("ACCEL_X", "ACCEL_Y", "ACCEL_Z"), force, strict=True)),
            **dict(zip(("GYRO_X", "GYRO_Y", "GYRO_Z"), rate, strict=True)),
            "ACCEL_VALID": 1,
            "GYRO_VALID": 1,
        }


def parked(state: State, step: int) -> State:
    """The drive is over: only time passes."""
    return State(
        time_s=round(state.time_s + step * STEP_S, 6),
        leg=state.leg,
        heading_rad=state.heading_rad,
        east_m=state.east_m,
        north_m=state.north_m,
        distance_m=state.distance_m,
        coolant_c=state.coolant_c,
        engine=False,
        airbag=state.airbag,
    )


def whole_day(legs: Sequence[Leg]) -> Iterator[State]:
    """The drive, then the parked car for as long as anybody looks."""
    last = State()
    for last in drive(legs):
        yield last
    step = 0
    while True:
        step += 1
        yield parked(last, step)


def run(bus: can.BusABC, legs: Sequence[Leg], seed: int) -> None:
    """Broadcast the drive in real time until the input ends."""
    car = Car(seed)
    begin_s = time.monotonic()
    sent = 0
    for number, state in enumerate(whole_day(legs)):
        wait_s = max(0.0, begin_s + number * STEP_S - time.monotonic())
        if select.select([sys.stdin], [], [], wait_s)[0]:
            return
        bus.recv(0)
        for frame in car.frames(state):
            bus.send(frame)
            sent += 1
        if number % REPORT_STEPS == 0:
            tell(state, sent, bus.dropped if isinstance(bus, Adapter) else 0)


def tell(state: State, sent: int, dropped: int) -> None:
    """Where the car is, for the screen: the truth, which the agent never sees."""
    line = {
        "time_s": state.time_s,
        "leg": state.leg,
        "speed_mps": round(state.speed_mps, 3),
        "forward_mps2": round(state.forward_mps2, 3),
        "distance_m": round(state.distance_m, 3),
        "frames": sent,
        "dropped": dropped,
    }
    print(json.dumps(line), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the bus, wait for the word, drive."""
    parser = argparse.ArgumentParser(prog="python -m hil.car.car", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--link", type=Path, help="make a serial CAN adapter (slcan) and let this path point at it")
    parser.add_argument("--channel", default="vcan0", help="without --link: this SocketCAN channel (default: vcan0)")
    parser.add_argument("--seed", type=int, default=1, help="of the sensor noise (default: 1)")
    options = parser.parse_args(arguments)
    bus = open_car_end(link=options.link, channel=options.channel)
    try:
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0.01)[0]:
            bus.recv(0)
        if sys.stdin.readline().strip() == "go":
            run(bus, LEGS, options.seed)
    finally:
        bus.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
