"""The simulated car: it keeps to physics, says in its frames what it does, and its adapter speaks slcan."""

import math
import os
import select
import time
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import can
import cantools.database
import pytest

from hil.car.car import DBC, GRAVITY_MPS2, MOUNTING, PERIODS, Car, whole_day
from hil.car.scenario import DEAD_ZONE, DRIVE_S, LEGS
from hil.drive import ORIGIN_DEG, STEP_S, Leg, drive
from hil.wires.wire import Adapter, frame_line, parse_frame

STATES = list(drive(LEGS))
DATABASE: Any = cantools.database.load_file(DBC)
WAIT_S = 5.0


def test_the_drive_lasts_as_long_as_its_legs() -> None:
    assert STATES[-1].time_s == pytest.approx(DRIVE_S)
    assert len(STATES) == round(DRIVE_S / STEP_S) + 1


def test_speed_is_the_integral_of_acceleration_and_distance_that_of_speed() -> None:
    speed_mps = distance_m = 0.0
    for before, after in pairwise(STATES):
        gained = (before.forward_mps2 + after.forward_mps2) / 2 * STEP_S
        speed_mps = max(0.0, speed_mps + gained)
        distance_m += (before.speed_mps + after.speed_mps) / 2 * STEP_S
        if after.speed_mps > 0:
            assert after.speed_mps == pytest.approx(speed_mps, abs=1e-9)
        speed_mps = after.speed_mps
    assert STATES[-1].distance_m == pytest.approx(distance_m)


def test_it_never_rolls_backwards_and_stands_still_when_it_stands() -> None:
    assert min(state.speed_mps for state in STATES) == 0
    assert all(state.forward_mps2 >= 0 for state in STATES if state.speed_mps == 0)


def test_the_crash_takes_twelve_metres_a_second_in_a_tenth_of_a_second() -> None:
    crash = next(number for number, leg in enumerate(LEGS) if leg.label == "crash")
    before = next(last for last, state in pairwise(STATES) if state.leg == crash)
    inside = [state for state in STATES if state.leg == crash]
    assert len(inside) == 10
    assert before.speed_mps - inside[-1].speed_mps == pytest.approx(12.0, rel=0.01)
    assert max(-state.forward_mps2 for state in inside) == pytest.approx(188.5, rel=0.01)


def test_the_bend_turns_left_by_lateral_acceleration_over_speed() -> None:
    bend = Leg("bend", 2.0, left_mps2=4.0)
    states = list(drive([Leg("launch", 4.0, forward_mps2=4.0), bend]))
    assert states[-1].yaw_radps == pytest.approx(4.0 / states[-1].speed_mps)
    assert states[-1].heading_rad < states[0].heading_rad


def test_the_dead_zone_holds_the_braking_and_the_begin_of_the_stand() -> None:
    assert [LEGS[number].label for number in sorted(DEAD_ZONE)] == [
        "dead zone: no network",
        "dead zone: harsh braking",
        "dead zone: idling",
    ]
    after = min(state.speed_mps for state in STATES if state.leg == max(DEAD_ZONE))
    assert after == 0


def test_the_way_is_in_the_open_sea_and_as_long_as_the_distance() -> None:
    places = [(state.east_m, state.north_m) for state in STATES]
    assert sum(math.dist(a, b) for a, b in pairwise(places)) == pytest.approx(STATES[-1].distance_m, rel=1e-6)
    assert math.dist(STATES[-1].position_deg, ORIGIN_DEG) < 0.01


def test_frames_decode_to_what_the_car_does() -> None:
    told: dict[str, float] = {}
    car = Car()
    for state in STATES[:1001]:
        for frame in car.frames(state):
            told |= DATABASE.decode_message(frame.arbitration_id, bytes(frame.data))
    state = STATES[1000]
    latitude, longitude = state.position_deg
    assert told["SPEED"] == pytest.approx(state.speed_mps * 3.6, abs=0.005)
    assert told["RPM"] == pytest.approx(state.rpm, abs=0.125)
    assert told["THROTTLE"] == pytest.approx(state.throttle_pct, abs=0.25)
    assert told["YAW_RATE"] == pytest.approx(state.yaw_radps, abs=0.00005)
    assert told["LATITUDE"] == pytest.approx(latitude, abs=5e-8)
    assert told["LONGITUDE"] == pytest.approx(longitude, abs=5e-8)
    assert (told["BRAKE"], told["IGNITION"], told["AIRBAG"]) == (0, 1, 0)


def test_the_sensor_feels_gravity_on_its_own_axes_and_the_crash_along_the_car() -> None:
    car = Car()
    forces = []
    for state in STATES:
        for frame in car.frames(state):
            if frame.arbitration_id == DATABASE.get_message_by_name("ACCEL").frame_id:
                told = DATABASE.decode_message(frame.arbitration_id, bytes(frame.data))
                sensor = [told["ACCEL_X"], told["ACCEL_Y"], told["ACCEL_Z"]]
                columns = zip(*MOUNTING, strict=True)  # the transpose of a rotation takes it back
                forces.append([sum(a * b for a, b in zip(column, sensor, strict=True)) for column in columns])
    mean_z = sum(force[2] for force in forces) / len(forces)
    assert mean_z == pytest.approx(GRAVITY_MPS2, abs=0.05)
    assert min(force[0] for force in forces) == pytest.approx(-188.5, rel=0.02)


def test_the_mounting_is_a_rotation() -> None:
    for i, row in enumerate(MOUNTING):
        for j, other in enumerate(MOUNTING):
            assert sum(a * b for a, b in zip(row, other, strict=True)) == pytest.approx(float(i == j), abs=1e-12)


def test_the_same_seed_gives_the_same_frames_and_another_seed_other_noise() -> None:
    def frames(seed: int) -> list[tuple[int, bytes]]:
        car = Car(seed)
        return [(frame.arbitration_id, bytes(frame.data)) for state in STATES[:200] for frame in car.frames(state)]

    assert frames(7) == frames(7)
    assert frames(7) != frames(8)


def test_each_frame_comes_at_its_own_rate() -> None:
    car = Car()
    counted: dict[int, int] = {}
    for state in STATES[:1000]:
        for frame in car.frames(state):
            counted[frame.arbitration_id] = counted.get(frame.arbitration_id, 0) + 1
    assert list(counted.values()) == [1000 // every for every in PERIODS.values()]


def test_after_the_drive_the_car_stands_with_the_engine_off() -> None:
    after = list(islice(whole_day(LEGS), len(STATES), len(STATES) + 100))
    assert after[-1].time_s == pytest.approx(DRIVE_S + 1.0)
    assert {(state.speed_mps, state.rpm, state.distance_m) for state in after} == {(0.0, 0.0, STATES[-1].distance_m)}


# ---- the adapter --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "line"),
    [
        pytest.param(can.Message(arbitration_id=0x1A, data=b"\x01\xfe", is_extended_id=False), b"t01A201FE\r", id="11"),
        pytest.param(can.Message(arbitration_id=0x18DAF110, data=b""), b"T18DAF1100\r", id="29 bits, empty"),
    ],
)
def test_a_frame_is_one_line_and_back(message: can.Message, line: bytes) -> None:
    assert frame_line(message) == line
    back = parse_frame(line[:-1].decode())
    assert back is not None
    assert back.equals(message, timestamp_delta=None, check_channel=False, check_direction=False)


@pytest.mark.parametrize("line", ["", "x", "t", "t01", "t01A2", "t01A3AABB", "t01A1XY", "tXYZ0", "T18DAF11", "r01A0"])
def test_what_is_no_frame_is_none(line: str) -> None:
    assert parse_frame(line) is None


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[Adapter]:
    with Adapter(tmp_path / "can0") as adapter:
        yield adapter


def ask(adapter: Adapter, words: bytes, size: int) -> bytes:
    """What the adapter answers to a computer that says these words: so many bytes, or what came instead."""
    computer = os.open(adapter.link, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(computer, words)
        said, until_s = b"", time.monotonic() + 20
        while len(said) < size and time.monotonic() < until_s:
            adapter.recv(0.01)
            said += os.read(computer, 100) if select.select([computer], [], [], 0.01)[0] else b""
        return said
    finally:
        os.close(computer)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        pytest.param(b"V\r", b"V1013\r", id="version"),
        pytest.param(b"S6\r", b"\r", id="bit rate"),
        pytest.param(b"L\rC\r", b"\r\r", id="open to listen, close"),
        pytest.param(b"t1230\r", b"\a", id="a frame while closed is refused"),
        pytest.param(b"O\rt1230\r", b"\rz\r", id="a frame while open is taken"),
        pytest.param(b"L\rt1230\r", b"\r\a", id="a frame while only listening is refused"),
        pytest.param(b"?\r", b"\a", id="what it does not know is refused"),
        pytest.param(b"\r\r", b"", id="an empty line is nothing"),
    ],
)
def test_the_adapter_answers_as_the_manual_says(adapter: Adapter, words: bytes, answer: bytes) -> None:
    assert ask(adapter, words, len(answer)) == answer


def test_python_can_hears_every_frame_of_the_car_through_the_adapter(adapter: Adapter) -> None:
    sent = [frame for car in [Car()] for state in STATES[:40] for frame in car.frames(state)]
    path = str(adapter.link)
    with can.Bus(interface="slcan", channel=path, listen_only=True, bitrate=500_000, sleep_after_open=0.0) as bus:
        give_up_s = time.monotonic() + WAIT_S
        while not adapter.is_open and time.monotonic() < give_up_s:
            adapter.recv(0.01)
        for frame in sent:
            adapter.send(frame)
        heard: list[can.Message] = []
        while len(heard) < len(sent) and time.monotonic() < give_up_s:
            heard += [message for message in [bus.recv(0.01)] if message is not None]
            adapter.recv(0)
    assert [(m.arbitration_id, m.data) for m in heard] == [(m.arbitration_id, m.data) for m in sent]
    assert adapter.dropped == 0


def test_nothing_is_told_before_the_channel_is_opened(adapter: Adapter) -> None:
    adapter.send(can.Message(arbitration_id=1, data=b"\x01", is_extended_id=False))
    assert ask(adapter, b"V\r", 6) == b"V1013\r"


def test_a_computer_that_does_not_read_costs_whole_frames_and_they_are_counted(adapter: Adapter) -> None:
    computer = os.open(adapter.link, os.O_RDWR | os.O_NOCTTY)
    os.write(computer, b"O\r")
    adapter.recv(WAIT_S)
    message = can.Message(arbitration_id=0x123, data=bytes(8), is_extended_id=False)
    for _ in range(20_000):
        adapter.send(message)
    assert 0 < adapter.dropped < 20_000
    heard = b""
    while select.select([computer], [], [], 0.1)[0]:
        heard += os.read(computer, 65_536)
        adapter.recv(0)
    os.close(computer)
    lines = heard.removeprefix(b"\r").split(b"\r")[:-1]
    assert set(lines) == {frame_line(message)[:-1]}
    assert len(lines) == 20_000 - adapter.dropped
