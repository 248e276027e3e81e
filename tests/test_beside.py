"""The doctor beside a running agent: whose devices are whose, and what is judged by what the agent tells."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as with_

from agent.doctor.beside import Held, checks, is_enough, leave, merged, mute
from agent.doctor.checkup import Check, failed, passed, skipped
from agent.maps import maps
from agent.settings import Can, Gnss, Imu, Settings
from agent.settings.obd import Elm

TABLE = maps.load(Path("obd2.toml"))
PORT, BLUE = "/dev/ttyACM0", "/dev/rfcomm0"
VIN = "WDB9066331S123456"
SERIAL, KERNEL = Can(interface="slcan", channel=PORT), Can(channel="can0")
HELD = Held((SERIAL,), (BLUE,), has_receiver=True, has_sensor=True)
ASKED = Settings(can=(SERIAL, KERNEL), elm=(Elm(port=BLUE),), gnss=Gnss(port="/dev/ttyS1"), imu=Imu(device="lsm6dso"))
SIGNALS = ("speed", "rpm", "throttle", "load", "coolant", "fuel", "odometer", "accel_x", "accel_y")


def source(**said: Any) -> dict[str, Any]:
    well = {
        "is_there": True,
        "frames": 1000,
        "frames_per_s": 100.0,
        "last_frame_age_s": 0.8,
        "load_pct": 2.4,
        "bitrate": 500_000,
    }
    return well | {"errors": 0, "silent": ""} | said


def read(**said: Any) -> dict[str, Any]:
    """What the agent tells where all is well, but for this."""
    well = {
        "up_s": 100.0, "sources": {PORT: source(), BLUE: source()}, "identity": {"0902 7E8": VIN},
        "signals": {name: {"value": 0.0} for name in SIGNALS} | {"accel_z": {"value": 9.81}},
        "gnss": {"is_there": True, "lat_deg": 48.1, "speed_mps": 0.1, "hdop": 0.9, "sats": 9.0, "age_s": 0.5},
        "imu": {"is_there": True}, "supply": {"volt": 14.1},
    }  # fmt: skip
    return well | said


def without(*names: str) -> dict[str, Any]:
    return {"signals": {name: told for name, told in read()["signals"].items() if name not in names}}


def on(**said: Any) -> dict[str, Any]:
    return {"sources": {PORT: source(**said), BLUE: source()}}


def off(reason: str = "engine_off") -> dict[str, Any]:
    gone = source(last_frame_age_s=60.0, silent=reason)
    return {"sources": {PORT: gone, BLUE: gone}} | {"signals": {}, "identity": {}}


def judged(told: dict[str, Any], *, may_ask: bool = True) -> dict[str, Check]:
    before = {"sources": {PORT: source(frames=0)}}
    return {check.name: check for check in checks(HELD, before, told, TABLE, floor_v=11.8, may_ask=may_ask)}


def test_what_only_one_process_can_have_is_the_agents_and_nobody_is_asked() -> None:
    for told in (read(sources=dict.fromkeys([PORT, BLUE, "can0", "gnss", "imu"])), {}):
        left, held = leave(ASKED, told)
        assert held == HELD
        assert held.names == [PORT, BLUE, "gnss", "imu"]
        assert (left.can, left.elm, left.gnss.port, left.imu.device, left.obd.ask) == ((KERNEL,), (), "", "", "never")


def test_what_the_agent_does_not_have_yet_is_tried_and_the_car_behind_it_asked() -> None:
    left, held = leave(ASKED, read(sources={"gnss": {}}))
    assert held == Held(has_receiver=True)
    assert left == with_(ASKED, gnss=with_(ASKED.gnss, port=""))


def test_a_terminal_whose_devices_are_shared_has_none_to_itself() -> None:
    left, held = leave(Settings(can=(KERNEL,), gnss=Gnss(gpsd="localhost")), read(sources={"can0": {}, "gnss": {}}))
    assert (held, held.is_car, left.gnss.gpsd, left.obd.ask) == (Held(), False, "localhost", "never")


def test_where_all_is_well_all_passes() -> None:
    found = judged(read())
    assert {check.verdict for check in found.values()} == {"PASS"}
    assert {name: check.words for name, check in found.items()} == {
        f"bus {PORT}": "100 frames/s, 2 % of 500000 bit/s, as tbox run hears it", f"adapter {BLUE}": "a car answers",
        "vehicle map": "OBD-II: 7 of 8 signals, as tbox run reads them", "VIN": VIN, "speed": "0 km/h; the receiver 0 km/h",
        "motion sensor": "gravity 9.81 m/s2", "GNSS": "fix 0.5 s old, 9 satellites, HDOP 0.9", "voltage": "14.1 V",
    }  # fmt: skip


ROWS = [
    pytest.param(on(is_there=False), f"bus {PORT}", "FAIL", "tbox run cannot open it", id="pulled out"),
    pytest.param(on(last_frame_age_s=5.0), f"bus {PORT}", "PASS", "100 frames/s", id="a frame in time"),
    pytest.param(on(last_frame_age_s=5.01), f"bus {PORT}", "FAIL", "no frame in 5 s", id="a frame too long ago"),
    pytest.param(on(last_frame_age_s=None), f"bus {PORT}", "FAIL", "no frame in 5 s", id="never a frame"),
    pytest.param(off(), f"bus {PORT}", "SKIP", "nothing is asked while the engine is off", id="engine off"),
    pytest.param(on(errors=10), f"bus {PORT}", "PASS", "100 frames/s", id="few errors"),
    pytest.param(on(errors=11), f"bus {PORT}", "FAIL", "11 error frames beside 1000", id="too many errors"),
    pytest.param(on(load_pct=None), f"bus {PORT}", "PASS", "100 frames/s, as tbox", id="of no known rate"),
    pytest.param({"sources": {}}, f"adapter {BLUE}", "FAIL", "it is not there", id="no adapter"),
    pytest.param(off(), f"adapter {BLUE}", "SKIP", "waits for a running engine", id="an adapter that waits"),
    pytest.param(off("not_proved"), f"adapter {BLUE}", "FAIL", "no car answered it", id="an adapter without a car"),
    pytest.param(without("rpm", "throttle", "load"), "vehicle map", "PASS", "4 of 8", id="half of the map"),
    pytest.param(without("rpm", "throttle", "load", "fuel"), "vehicle map", "FAIL", "3 of 8", id="less than half"),
    pytest.param(without("speed"), "vehicle map", "FAIL", "6 of 8", id="a map without its speed"),
    pytest.param(off(), "vehicle map", "SKIP", "start it", id="a map that waits for the engine"),
    pytest.param(without("speed"), "speed", "FAIL", "was not heard", id="no speed"),
    pytest.param(off(), "speed", "SKIP", "start it", id="no speed, engine off"),
    pytest.param({"identity": {"0902 7E8": "X" * 17, "0902 7E9": VIN}}, "VIN", "FAIL", " and ", id="two VINs"),
    pytest.param({"identity": {"0904 7E8": "CAL"}}, "VIN", "SKIP", "the car does not tell", id="no VIN"),
    pytest.param({"imu": {"is_there": False}}, "motion sensor", "FAIL", "0 readings", id="no sensor"),
    pytest.param(without("accel_z"), "motion sensor", "FAIL", "it tells nothing", id="a mute sensor"),
    pytest.param({"signals": {**read()["signals"], "accel_z": {"value": 1.0}}}, "motion sensor", "FAIL", "1.00", id="in g"),
    pytest.param({"signals": {**read()["signals"], "speed": {"value": 3.0}}}, "motion sensor", "SKIP", "stand", id="driving"),
    pytest.param({"gnss": {"is_there": False}}, "GNSS", "FAIL", "no word", id="no receiver"),
    pytest.param({"gnss": {**read()["gnss"], "age_s": 3.1}}, "GNSS", "FAIL", "fix 3.1 s old", id="an old fix"),
    pytest.param({"gnss": {**read()["gnss"], "lat_deg": None}}, "GNSS", "FAIL", "no fix in 1", id="no fix"),
    pytest.param({"supply": {"volt": 11.7}}, "voltage", "FAIL", "11.7 V", id="a flat battery"),
    pytest.param({"supply": {"volt": None}}, "voltage", "SKIP", "nothing tells it", id="no voltage"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "name", "verdict", "words"), ROWS)
def test_what_the_agent_tells_is_judged(said: dict[str, Any], name: str, verdict: str, words: str) -> None:
    found = judged(read(**said))[name]
    assert found.verdict == verdict
    assert words in found.words
    assert bool(found.fix) == (verdict == "FAIL")


def test_a_car_that_may_not_be_asked_is_not_said_to_be_silent() -> None:
    assert judged(read(identity={}), may_ask=False)["VIN"].words == "not asked for: listen-only"


ENOUGH = [
    pytest.param({}, True, id="all is told"),
    pytest.param({"identity": {}, "up_s": 5.0}, True, id="no VIN for long enough"),
    pytest.param({"identity": {}, "up_s": 4.9}, False, id="no VIN yet"),
    pytest.param({"identity": {}} | on(silent="not_proved"), False, id="it is not asked yet"),
    pytest.param(without("speed"), False, id="no speed yet"),
    pytest.param(on(last_frame_age_s=None), False, id="a bus that is not heard yet"),
    pytest.param(off(), True, id="an engine that is off tells no more"),
]


@pytest.mark.parametrize(("said", "expected"), ENOUGH)
def test_it_is_waited_for_until_all_is_told(said: dict[str, Any], expected: bool) -> None:
    assert is_enough(read(**said), HELD) == expected


OWN = [
    passed("speed", "here"),
    skipped("VIN", "here"),
    failed("voltage", "here", "x"),
    passed("motion sensor", "here"),
    skipped("bus", "none"),
    passed("vehicle map", "here"),
]
TOLD = [passed("vehicle map", "there"), passed("speed", "there"), passed("VIN", "there"), passed("voltage", "there")]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        pytest.param(
            Held((SERIAL,)),
            {"vehicle map": "there", "speed": "here", "VIN": "there", "voltage": "there", "motion sensor": "here"},
            id="the agent has the bus",
        ),
        pytest.param(
            Held(),
            {
                "vehicle map": "here",
                "speed": "here",
                "VIN": "there",
                "voltage": "here",
                "motion sensor": "here",
                "bus": "none",
            },
            id="the bus is shared",
        ),
    ],
)
def test_each_check_is_told_once_by_who_knows(held: Held, expected: dict[str, str]) -> None:
    assert {check.name: check.words for check in merged(OWN, TOLD, held)} == expected


def test_an_agent_that_does_not_answer_fails_and_its_devices_are_not_judged() -> None:
    first, *rest = mute(HELD)
    assert (first.name, first.verdict, {check.verdict for check in rest}, len(rest)) == ("agent", "FAIL", {"SKIP"}, 4)
    names = {check.name for check in merged(OWN, mute(HELD), replace(HELD, has_sensor=False))}
    assert names >= {"agent", f"device {PORT}"}
