"""Recordings in place of a drive: cut, converted, through `tbox replay` and `tbox run`, and on a bus."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hil.__main__ import main
from hil.outcome import read as read_outcome
from hil.places.in_process import _Watch, made
from hil.scenes import recorded
from hil.scenes.recorded import RecordedError
from hil.scenes.recorded_table import RecordingTable
from hil.scenes.scenario_file import FOLDER, ScenarioError, find, missing, names, read

LOG = (
    "(100.500000) can0 123#00\n(100.750000) can1 124#\n\nno frame at all\n(101.5) can0 12345678#0102\n"
    "(103.000001) can0 20000004#0000000000000000\n"
)
DRIVE = """title = "t"
why = "w"
places = ["process"]
drive = [
    { label = "engine on", lasts_s = 0.4 },
    { label = "pulls away", lasts_s = 2.2, forward_mps2 = 4.5 },
    { label = "stops", lasts_s = 2.2, forward_mps2 = -5 },
    { label = "stands, engine off", lasts_s = 3.6, engine = false },
]
expect = {}
"""
"""Two harsh events, from a stand to a stand."""


def table(path: Path, **more: Any) -> RecordingTable:
    return msgspec.convert({"path": str(path), **more}, RecordingTable)


def cut(folder: Path, *tables: RecordingTable) -> list[str]:
    """The text of each part."""
    return [path.read_text() for path in recorded.write(tables, folder)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "bus.log"
    path.write_text(LOG)
    return path


# ---- cut and converted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        pytest.param({}, ["(0.000000) can0 123#00", "(0.250000) can1 124#", "(1.000000) can0 12345678#0102",
                          "(2.500001) can0 20000004#0000000000000000"], id="all of it"),
        pytest.param({"channel": "can1"}, ["(0.000000) can1 124#"], id="one bus"),
        pytest.param({"ids": ["123", "12345678"]}, ["(0.000000) can0 123#00", "(1.000000) can0 12345678#0102"], id="some frames"),
        pytest.param({"from_s": 0.25, "to_s": 1.0}, ["(0.000000) can1 124#", "(0.750000) can0 12345678#0102"], id="both ends are in it"),
        pytest.param({"from_s": 0.250001, "to_s": 0.999999}, [], id="just inside of both"),
    ],
)  # fmt: skip
def test_a_log_is_cut_and_its_times_begin_at_zero(
    log: Path, tmp_path: Path, more: dict[str, Any], lines: list[str]
) -> None:
    (told,) = cut(tmp_path, table(log, **more))
    assert told.splitlines() == lines


def test_a_foreign_table_becomes_one_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text(
        "stamp,mph,who,g\n2007-08-20 06:52:28,10,a,1\n2007-08-20 06:52:29,11,b,1\n2007-08-20 06:52:30,,a,-0.5\n,3,a,1\n"
    )
    columns = {
        "time_s": {"cell": "stamp"},
        "speed_mps": {"cell": "mph", "scale": 0.44704},
        "accel_y_mps2": {"cell": "g", "scale": -10.0},
    }
    (told,) = cut(tmp_path, table(path, columns=columns, where={"who": "a"}))
    assert told.splitlines() == ["time_s,speed_mps,accel_y_mps2", "0.000000,4.4704,-10", "2.000000,,5"]


def test_a_table_without_names_gets_them_and_a_place_keeps_its_digits(tmp_path: Path) -> None:
    path = tmp_path / "raw.tsv"
    path.write_text("1\t5000\t-0.000001234\n2\t5500\t48.12345678\n")
    columns = {"time_s": {"cell": "ms", "scale": 0.001}, "lat_deg": {"cell": "y"}}
    (told,) = cut(tmp_path, table(path, columns=columns, header=["n", "ms", "y"]))
    assert told.splitlines() == ["time_s,lat_deg", "0.000000,-1.234e-06", "0.500000,48.12345678"]


def test_several_parts_stand_on_one_axis_which_begins_with_the_first_input(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "imu.csv"
    path.write_text("t,a\n100.25,1\n100.75,2\n104,3\n")
    parts = (table(log), table(path, columns={"time_s": {"cell": "t"}, "accel_x_mps2": {"cell": "a"}}))
    frames, rows = cut(tmp_path, *parts)
    assert frames.startswith("(0.250000) can0 123#00\n")
    assert rows.splitlines()[1:] == ["0.000000,1", "0.500000,2", "3.750000,3"]
    assert recorded.lasts_s(parts) == 3.75


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"channel": "can7"}, "nothing in it is what the scenario asks for", id="no such bus"),
        pytest.param({"columns": {"time_s": {"cell": "t"}, "rpm": {"cell": "n"}}}, "has no n t", id="no such cell"),
    ],
)
def test_a_recording_that_is_not_as_said_is_named(log: Path, tmp_path: Path, more: dict[str, Any], words: str) -> None:
    with pytest.raises(RecordedError, match=f"bus.log: {words}"):
        recorded.write([table(log, **more)], tmp_path)


# ---- what a scenario may say of it ----------------------------------------------------------------------------------

SMALL = 'title = "t"\nwhy = "w"\nplaces = ["process"]\n[expect]\n[[recording]]\npath = "x.log"\n'


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(("[expect]", "drive = [{ label = 'a', lasts_s = 1 }]\n[expect]"), "either a drive or a recording", id="both"),
        pytest.param(('[[recording]]\npath = "x.log"\n', ""), "either a drive or a recording", id="none"),
        pytest.param(('"x.log"', '"x.log"\nto_s = 2\nfrom_s = 2'), "recording[0].to_s = 2 lies before from_s = 2", id="nothing left"),
        pytest.param(('"x.log"', '"x.log"\ncolumns = { rpm = { cell = "n" } }'), "columns: time_s is missing", id="no time"),
        pytest.param(('"x.log"', '"x.log"\nheader = ["n"]'), "recording[0].header and where are for rows", id="header of a log"),
        pytest.param(('"x.log"', '"x"\nids = ["1"]\ncolumns = { time_s = { cell = "n" } }'), "channel and ids are for frames", id="ids of rows"),
        pytest.param(('"process"]', '"process", "live"]', '"x.log"', '"x"\ncolumns = { time_s = { cell = "n" } }'), "rows are on no bus", id="rows on a bus"),
        pytest.param(("[expect]", 'bump = [{ name = "kerb", at_s = 1 }]\n[expect]'), "leave out bump", id="bump"),
        pytest.param(("[expect]", "[expect]\ndistance_share = 0.1"), "its true way is not known", id="true way"),
        pytest.param(("[expect]", 'feed = "rows"\n[expect]'), "leave out ecus and feed", id="feed"),
        pytest.param(("[expect]", 'fault = [{ name = "gnss_jam", from_s = 1 }]\n[expect]'), "is one of the simulated car", id="fault of the car"),
        pytest.param(("[expect]", 'vehicle = "rav4.toml"\ndrive = [{ label = "a", lasts_s = 1 }]\n[expect]', '[[recording]]\npath = "x.log"\n', ""), "has its own map", id="map of a drive"),
        pytest.param(('"process"]', '"kernel"]\ndrive = [{ label = "a", lasts_s = 1 }]', "[expect]", "[expect]\nsame_as_replay = true", '[[recording]]\npath = "x.log"\n', ""), "never twice the same", id="drive on a bus"),
        pytest.param(('"x.log"', '"x.log"\nspeed = 2'), "recording[0].speed: unknown key", id="unknown key"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(tmp_path: Path, change: tuple[str, ...], words: str) -> None:
    path, text = tmp_path / "own.toml", SMALL
    for right, wrong in zip(change[::2], change[1::2], strict=True):
        text = text.replace(right, wrong)
    path.write_text(text)
    with pytest.raises(ScenarioError) as why:
        read(path)
    assert words in str(why.value)


def test_a_recording_that_is_not_here_is_a_skip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.toml"
    own.write_text(SMALL)
    assert main(["run", str(own), "--out", str(tmp_path)]) == 1, "nothing was tried"
    assert "x.log is not on this machine" in capsys.readouterr().out


def test_every_recorded_scenario_asks_for_the_same_both_ways() -> None:
    shipped = {name: read(find(name)) for name in names()}
    told = [name for name, one in shipped.items() if one.recording]
    assert len(told) >= 7
    assert all(shipped[name].expect.same_as_replay for name in told)


# ---- both ways through the terminal ---------------------------------------------------------------------------------


def own_recording(folder: Path) -> Path:
    """A scenario whose recording is a short drive, made here."""
    drive, own = folder / "drive.toml", folder / "own.toml"
    drive.write_text(DRIVE)
    (log,) = made(read(drive), 1, _Watch(), folder, lambda _: None)
    head = 'places = ["process", "live"]\nvehicle = "hil/demo.toml"\nsettings = { "trip.end_s" = 3 }'
    text = SMALL.replace('places = ["process"]', head).replace("x.log", str(log))
    own.write_text(text.replace("[expect]", "[expect]\nsame_as_replay = true\ntrip = [{}]"))
    return own


@pytest.mark.parametrize("place", ["process", "live"])
def test_a_recorded_drive_tells_the_same_through_run_and_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    own = own_recording(tmp_path)
    code = main(["run", str(own), "--place", place, "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert code == 0, said
    told = read_outcome(tmp_path / "own.json")
    assert told.other is not None
    kinds = [[event.kind for event in way.events] for way in (told, told.other)]
    assert kinds == [["harsh_acceleration", "harsh_braking"]] * 2
    assert min(told.counters["in"], told.other.counters["in"]) > 1000
    assert told.live is not None
    assert told.live.account.seals >= 1


@pytest.mark.skipif(bool(missing(read(find("recorded-rav4")))), reason="the recordings are not beside the project")
def test_a_real_bus_tells_the_same_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "recorded-rav4", "--place", "process", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "tbox run and tbox replay tell the same, within 2e-06 s: 3 events, 1 trip" in said
    assert (FOLDER / "recorded-rav4.expected.jsonl").exists()
