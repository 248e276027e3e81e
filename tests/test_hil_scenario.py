"""Scenario files: what they may say, what they must not, and what the car of one does and tells."""

import itertools
import math
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import can
import cantools.database
import msgspec
import pytest

from hil.car import bumps, car_faults
from hil.car.broadcast import HEADER, Broadcast, Senses, rows
from hil.car.bus_faults import BusFaults
from hil.car.car import DBC
from hil.car.ecu import Readings, engine
from hil.car.road import Moment, lasts_s, moments
from hil.car.vehicle import BusDriver
from hil.drive import METRES_PER_DEGREE
from hil.places.in_process import stray_line
from hil.scenes import scenario_table
from hil.scenes.scenario_file import ScenarioError, find, names, read
from hil.scenes.scenario_table import BumpTable, FaultTable, LegTable, Scenario

DATABASE: Any = cantools.database.load_file(DBC)
SMALL = 'title = "t"\nwhy = "w"\nplaces = ["process"]\ndrive = [{ label = "a", lasts_s = 1 }]\nexpect = {}\n'


def scenario(legs: Sequence[LegTable], **more: Any) -> Scenario:
    return Scenario(
        title="t", why="w", places=("process",), drive=tuple(legs), expect=scenario_table.ExpectTable(), **more
    )


def leg(lasts_s: float, **more: Any) -> LegTable:
    return LegTable(label="leg", lasts_s=lasts_s, **more)


def drive(*legs: LegTable, **more: Any) -> list[Moment]:
    return list(moments(scenario(legs, **more)))


# ---- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_every_shipped_scenario_is_right(name: str) -> None:
    told = read(find(name))
    assert told.title
    assert told.why.endswith(".")


def test_every_fault_and_every_bump_has_a_scenario() -> None:
    told = [read(find(name)) for name in names()]
    every = [
        *get_args(scenario_table.CarFault),
        *get_args(scenario_table.BusFault),
        *get_args(scenario_table.LiveFault),
    ]
    assert {fault.name for one in told for fault in one.fault} == set(every)
    assert {bump.name for one in told for bump in one.bump} == set(get_args(scenario_table.Bump)) == set(bumps.BUMPS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(("lasts_s", "last_s"), "drive[0].last_s: unknown key; the nearest known is lasts_s", id="unknown key"),
        pytest.param(("expect = {}", "expect = { trips = [] }"), "expect.trips: unknown key; the nearest known is trip", id="unknown expectation"),
        pytest.param(("lasts_s = 1", "lasts_s = -1"), "drive[0].lasts_s: Expected `float` >= 0", id="out of range"),
        pytest.param(('["process"]', '["moon"]'), "places[0]: Invalid enum value 'moon'", id="no such place"),
        pytest.param(("expect = {}", ""), "the scenario: Object missing required field `expect`", id="nothing expected"),
        pytest.param(("lasts_s = 1", 'lasts_s = 1, trace = "x.csv"'), "drive[0] (a): give either lasts_s or a trace", id="leg and trace"),
        pytest.param(('["process"]', '["kernel"]\nfeed = "rows"'), 'rows can only be replayed; write places = ["process"]', id="rows live"),
        pytest.param(("expect = {}", 'expect = { never = ["crash"], event = [{ kind = "crash" }] }'), "crash stands in event and in never", id="both"),
        pytest.param(("expect", 'fault = [{ name = "link_cut", from_s = 1 }]\nexpect'), 'take "process" out of places', id="live fault in process"),
        pytest.param(("expect", 'feed = "rows"\nfault = [{ name = "full_load", from_s = 1 }]\nexpect'), 'is one of frames; write feed = "frames"', id="frames in rows"),
        pytest.param(("lasts_s = 1", "lasts_s = 1, step_s = 1"), "frames come every 10 ms", id="step of frames"),
        pytest.param(("expect", 'ecus = "wide"\nexpect'), 'a recording is asked nothing; take "process" out of places', id="asked in process"),
        pytest.param(('["process"]', '["live"]\nadapter = "stn"'), 'an adapter asks units; write ecus = "narrow" or "wide"', id="adapter of nobody"),
        pytest.param(("expect", 'fault = [{ name = "tester", from_s = 1 }]\nexpect'), 'there are no units that answer; write ecus = "narrow"', id="nobody to ask"),
        pytest.param(("expect", 'fault = [{ name = "adapter_gone", from_s = 1 }]\nexpect'), 'there is none; write adapter = "genuine"', id="no adapter to lose"),
        pytest.param(("title", "= title"), "is no TOML", id="no TOML"),
    ],
)  # fmt: skip
def test_an_error_names_the_file_the_key_and_the_fix(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(SMALL.replace(*change, 1))
    with pytest.raises(ScenarioError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert words in str(error.value)


def test_a_name_that_is_none_tells_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="did you mean crash-front"):
        find("crash-fron")
    with pytest.raises(ScenarioError, match="cannot be read"):
        read(Path("nowhere.toml"))


# ---- how it moves ----------------------------------------------------------------------------------------------------


def test_a_trace_is_followed_closely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.car.road.ROOT", tmp_path)
    (tmp_path / "t.csv").write_text("cycSecs,cycMps\n" + "\n".join(f"{t},{min(t, 8) * 1.5}" for t in range(21)))
    told = drive(LegTable(label="trace", trace="t.csv"))
    assert told[-1].time_s == lasts_s(scenario([LegTable(label="trace", trace="t.csv")])) == 20
    assert all(abs(moment.state.speed_mps - min(moment.time_s, 8) * 1.5) < 0.3 for moment in told)
    assert told[-1].state.speed_mps == pytest.approx(12, abs=0.01)


@pytest.mark.parametrize(("side", "axis", "sign"), [("front", 0, -1), ("rear", 0, 1), ("left", 1, -1), ("right", 1, 1)])
def test_a_blow_pushes_away_from_its_side_by_its_change_of_speed(side: str, axis: int, sign: int) -> None:
    told = drive(leg(5, forward_mps2=3), leg(0.1, blow_mps=8, blow_from=side))
    blow = [moment.force[axis] for moment in told if moment.state.leg == 1]
    assert sum(blow) * 0.01 == pytest.approx(sign * 8, rel=0.06)
    assert told[-1].state.airbag


def test_a_car_on_its_roof_feels_gravity_the_other_way_up() -> None:
    told = drive(leg(1.0, roll_deg=180.0), leg(1.0))
    assert sum(moment.rate[0] for moment in told) * 0.01 == pytest.approx(math.pi, rel=0.01)
    assert told[-1].force == pytest.approx((0, 0, -9.80665), abs=1e-6)


def test_a_car_that_is_carried_moves_with_wheels_at_rest() -> None:
    told = drive(leg(10, carried_mps=10.0, engine=False))
    assert (told[-1].state.speed_mps, told[-1].state.distance_m, told[-1].gnss_mps) == (0, 0, 10)
    moved_deg = told[-1].position_deg[0] - told[0].position_deg[0]
    assert moved_deg * METRES_PER_DEGREE == pytest.approx(100, abs=0.2)


@pytest.mark.parametrize("name", sorted(bumps.BUMPS))
def test_a_bump_is_felt_when_it_comes_and_by_its_size(name: str) -> None:
    times = [number / 500 for number in range(2500)]
    once = [bumps.felt((BumpTable(name=name, at_s=1.0),), time_s) for time_s in times]
    twice = [bumps.felt((BumpTable(name=name, at_s=1.0, size=2.0),), time_s) for time_s in times]
    assert {force for time_s, force in zip(times, once, strict=True) if time_s < 1} == {(0.0, 0.0, 0.0)}
    most = max(math.hypot(*force) for force in once)
    assert most > 9.8
    assert max(math.hypot(*force) for force in twice) == pytest.approx(2 * most)


# ---- what it tells ---------------------------------------------------------------------------------------------------


def test_frames_are_what_cantools_makes_of_the_same_values() -> None:
    one = scenario([leg(3, forward_mps2=4.0), leg(1, left_mps2=-3.0)])
    broadcast, senses = Broadcast(one, 7), Senses(one, 7)
    for moment in moments(one):
        values = senses.at(moment)
        for identifier, data in broadcast.frames(moment):
            message = DATABASE.get_message_by_frame_id(identifier)
            told = message.decode(data)
            counter = told.get("COUNTER", 0)
            assert message.encode({**values, "COUNTER": counter}, strict=False) == data


def test_the_same_seed_tells_the_same_and_another_one_other_noise() -> None:
    one = scenario([leg(1)])
    told = [[Broadcast(one, seed).frames(moment) for moment in moments(one)] for seed in (3, 3, 4)]
    assert told[0] == told[1] != told[2]


def test_rows_have_the_columns_of_the_contract_and_a_box_without_supply_hears_no_bus() -> None:
    one = scenario([leg(1, limit_kmh=36), leg(1, supply_v=0), leg(5, is_silent=True), leg(1)], feed="rows", step_s=0.1)
    header, *lines = rows(one, 1, moments(one))
    table = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    assert header.split(",") == list(HEADER)
    assert [row["speed_limit_mps"] for row in table[1:10]] == ["10"] * 9
    off = [row for row in table if row["battery_v"] == "0"]
    assert {row["speed_mps"] for row in off} == {""}
    assert len(off) == 10
    assert max(after - before for before, after in pairwise(float(row["time_s"]) for row in table)) == pytest.approx(
        5.1
    )


# ---- faults ----------------------------------------------------------------------------------------------------------


def fault(name: str, **more: Any) -> FaultTable:
    return msgspec.convert({"name": name, "from_s": 1.0, "to_s": 2.0, **more}, FaultTable)


def values_at(time_s: float, faults: car_faults.CarFaults, **more: float) -> dict[str, float]:
    names = (*car_faults.FORCES, *car_faults.RATES, "LATITUDE")
    return faults.spoil(time_s, dict.fromkeys(names, 100.0) | more)


def test_a_stuck_sensor_repeats_itself_and_comes_back() -> None:
    faults = car_faults.CarFaults([fault("imu_stuck")])
    told = [values_at(time_s, faults, ACCEL_X=time_s)["ACCEL_X"] for time_s in (0.5, 1.0, 1.5, 2.0)]
    assert told == [0.5, 1.0, 1.0, 2.0]


def test_a_saturated_sensor_clips_both_ways() -> None:
    faults = car_faults.CarFaults([fault("imu_saturated", size=4)])
    told = values_at(1.5, faults, ACCEL_X=-100.0)
    assert told["ACCEL_X"] == -told["ACCEL_Y"] == pytest.approx(-4 * 9.80665)
    assert told["GYRO_X"] == pytest.approx(math.radians(125))


def test_a_spoofed_fix_lies_elsewhere() -> None:
    faults = car_faults.CarFaults([fault("gnss_spoof", size=11_119.5)])
    assert values_at(1.5, faults)["LATITUDE"] == pytest.approx(100.1)
    assert values_at(2.5, faults)["LATITUDE"] == 100.0


@pytest.mark.parametrize(
    ("one", "silent"),
    [(fault("gnss_jam"), {"POSITION", "COURSE"}), (fault("missing_ecu", what="ENGINE"), {"ENGINE"})],
)
def test_who_is_silent_sends_no_frame(one: FaultTable, silent: set[str]) -> None:
    told = scenario([leg(4)], fault=(one,))
    broadcast = Broadcast(told, 1)
    sent: dict[str, list[float]] = {}
    for moment in moments(told):
        for identifier, _ in broadcast.frames(moment):
            sent.setdefault(DATABASE.get_message_by_frame_id(identifier).name, []).append(moment.time_s)
    for name, times in sent.items():
        assert any(1 <= time_s < 2 for time_s in times) == (name not in silent)
        assert any(time_s >= 2 for time_s in times)


def test_a_trouble_code_comes_is_cleared_and_heals() -> None:
    ecu = engine(Readings())
    troubles = car_faults.Troubles(
        [fault("trouble_code", what="P0301", to_s=4.0), fault("codes_cleared", from_s=3.0)], ecu
    )
    told = []
    for time_s in (0.5, 1.0, 2.9, 3.0, 4.0):
        troubles.step(time_s)
        told.append((ecu.trouble.is_lit, *ecu.trouble.stored, *ecu.trouble.permanent))
    assert told == [(False,), *[(True, "P0301", "P0301")] * 2, (False, "P0301"), (False,)]


def answered(driver: BusDriver, far: can.BusABC, about: list[Moment], service: int) -> bool:
    """Whether a unit says this, while the car goes on."""
    give_up_s = time.monotonic() + 10
    for moment in itertools.cycle(about):
        driver._say(moment)
        driver._answer(moment)
        while (frame := far.recv(0)) is not None:
            if (frame.arbitration_id, frame.data[1]) == (0x7E8, service):
                return True
        if time.monotonic() > give_up_s:
            break
    return False


def test_the_car_on_a_bus_answers_the_terminal_and_a_tester_alike() -> None:
    told = scenario([leg(3)], ecus="narrow", fault=(fault("tester", size=1),))
    near, far = (can.Bus(interface="virtual", channel="hil-vehicle") for _ in range(2))
    driver, about = BusDriver(near, told, 1), drive(leg(3))[100:120]
    assert answered(driver, far, about, 0x41)
    assert driver._heard == 0
    far.send(can.Message(arbitration_id=0x7DF, data=[1, 0x03, 0, 0, 0, 0, 0, 0], is_extended_id=False))
    assert answered(driver, far, about, 0x43)
    assert driver._heard == 1
    driver.close()
    far.shutdown()


def test_strays_come_at_their_rate_in_order_and_none_is_lost_between_steps() -> None:
    planned = [fault("error_frames", size=50), fault("babbling_id", size=300), fault("full_load", size=330)]
    made = BusFaults(planned, 1)
    told = [stray for step in range(1, 400) for stray in made.until(step * 0.01)]
    assert len(told) == 50 + 300 + 330
    assert [stray.time_s for stray in told[:100]] == sorted(stray.time_s for stray in told[:100])
    assert sum(stray.is_error for stray in told) == 50
    assert stray_line(next(stray for stray in told if stray.is_error)) == "(1.000000) can0 20000008#0000000000000000"
