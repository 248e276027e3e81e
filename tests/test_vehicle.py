"""Compiled tables: kept in a file, found by name, compiled apart from the daemon; the shipped maps are sound."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest

from agent import vehicle
from agent._core import ffi, lib
from agent.errors import SettingsError, StorageError
from agent.maps import maps
from agent.vehicle import OBD_FILTERS, PLAIN, Message, Table
from drivers.batch import EXTENDED, SIGNALS
from tests import yards

SHIPPED = sorted(path.name for path in maps.SHIPPED.glob("*.toml"))
MAP = '[[source]]\nobd = true\n[signal.speed]\npid = "0D"\n'


def table() -> Table:
    return maps.load(Path("rav4.toml"))


def signals(of: Table) -> set[str]:
    return {SIGNALS[cut.signal] for message in of.messages for cut in message.cuts if cut.signal < len(SIGNALS)}


def test_a_table_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    vehicle.save(table(), tmp_path / "car.tbl")
    assert maps.load(tmp_path / "car.tbl") == table()
    assert [path.name for path in tmp_path.iterdir()] == ["car.tbl"]


def test_a_table_that_cannot_be_written_is_a_fault_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone/car\.tbl: cannot be written: No such file or directory"):
        vehicle.save(table(), tmp_path / "gone" / "car.tbl")


def spoiled(how: str) -> bytes:
    raw = vehicle.pack(table())
    values = msgspec.msgpack.decode(raw)
    match how:
        case "torn":
            return raw[:-20]
        case "version":
            return msgspec.msgpack.encode((values[0], vehicle.VERSION + 1, values[2]))
        case "range":
            values[2]["messages"][0]["cuts"][0]["bits"] = 256
        case "field":
            del values[2]["messages"][0]["length"]
    return msgspec.msgpack.encode(values)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("torn", "a damaged compiled table"),
        ("version", f"a compiled table of version {vehicle.VERSION + 1}, this tbox reads {vehicle.VERSION}"),
        ("range", "a damaged compiled table (Expected `int` <= 255"),
        ("field", "a damaged compiled table (Object missing required field `length`"),
    ],
)
def test_a_spoiled_table_is_refused_with_what_helps(tmp_path: Path, how: str, told: str) -> None:
    (tmp_path / "car.tbl").write_bytes(spoiled(how))
    with pytest.raises(SettingsError) as caught:
        maps.load(tmp_path / "car.tbl")
    assert str(caught.value).startswith(f"{tmp_path / 'car.tbl'}: {told}")
    assert "compile the map again" in str(caught.value)


def test_a_bare_name_is_a_shipped_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert signals(maps.load(Path("obd2.toml"))) == {
        "speed", "rpm", "throttle", "load", "coolant", "fuel", "battery", "odometer",
    }  # fmt: skip


def test_a_bare_name_that_is_not_shipped_is_a_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(MAP)
    assert signals(maps.load(Path("mine.toml"))) == {"speed"}


def test_a_map_that_is_gone_is_named_with_those_shipped(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"gone\.toml: vehicle map cannot be read: .*; shipped are obd2\.toml, rav4\.toml"
    ):
        maps.load(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"\xff\xfe\x00", "neither UTF-8 text nor a compiled table", id="bytes"),
        pytest.param(
            b'VERSION ""\nBO_ 1 A: 8 X\n', "a DBC is named in a map, or compiled by tbox vehicle compile", id="a DBC"
        ),
    ],
)
@pytest.mark.parametrize("in_child", [False, True])
def test_what_is_no_map_is_refused(tmp_path: Path, content: bytes, told: str, in_child: bool) -> None:
    (tmp_path / "car.dbc").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        maps.load(tmp_path / "car.dbc", in_child=in_child)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_map_is_sound(name: str) -> None:
    made = maps.load(maps.SHIPPED / name)
    c_table = made.as_c(ffi)  # kept: it owns what is checked
    assert lib.tbox_table_check(c_table.table)
    assert "speed" in signals(made)


def test_the_rav4_map_feeds_what_its_bus_tells() -> None:
    assert signals(table()) == {"speed", "rpm", "throttle", "brake", "yaw_rate"}


LISTED = "import sys; print(sorted({'cantools', 'can', 'obd'} & set(sys.modules)))"


@pytest.mark.parametrize("name", ["obd2.toml", "rav4.toml"])
def test_a_running_terminal_never_loads_cantools(name: str) -> None:
    code = f"from pathlib import Path; from agent.maps import maps; maps.load(Path({name!r}), in_child=True); {LISTED}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_map_compiled_apart_is_the_same() -> None:
    assert maps.load(Path("rav4.toml"), in_child=True) == table()


def test_a_map_is_compiled_apart_once_for_each_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Mock(wraps=subprocess.run)
    monkeypatch.setattr("agent.maps.maps.subprocess.run", spy)
    for folder in (tmp_path / "staged", tmp_path / "slot"):
        folder.mkdir()
        (folder / "van.toml").write_text(yards.MAP)
        (folder / "van.dbc").write_text(yards.DBC)
    made = [maps.load(tmp_path / folder / "van.toml", in_child=True) for folder in ("staged", "slot", "slot")]
    assert (made[0] == made[1] == made[2], spy.call_count) == (True, 1)
    (tmp_path / "slot" / "van.dbc").write_text(yards.DBC.replace("(0.01,0)", "(0.02,0)"))
    assert maps.load(tmp_path / "slot" / "van.toml", in_child=True) != made[0]
    (tmp_path / "slot" / "van.toml").write_text(yards.MAP.replace("Van", "Bus"))
    assert maps.load(tmp_path / "slot" / "van.toml", in_child=True).name == "Bus"
    assert spy.call_count == 3


def test_an_error_of_the_compiler_apart_is_told_as_its_own(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('[[source]]\ndbc = "gone.dbc"\n[signal.speed]\nmessage = "A"\nsignal = "B"\n')
    told = []
    for in_child in (False, True):
        with pytest.raises(SettingsError) as caught:
            maps.load(tmp_path / "map.toml", in_child=in_child)
        told.append(str(caught.value))
    assert told[0] == told[1] == f"{tmp_path / 'gone.dbc'}: cannot be read: No such file or directory"


def test_kernel_filters_let_through_what_the_table_knows() -> None:
    known = [
        Message(name="a", id=0x123, channel=0, length=8, kind=PLAIN, cuts=()),
        Message(name="b", id=0x18FF01FE | EXTENDED, channel=1, length=8, kind=PLAIN, cuts=()),
    ]
    made = replace(maps.load(Path("obd2.toml")), messages=(*known, *maps.load(Path("obd2.toml")).messages))
    assert made.filters(0) == [{"can_id": 0x123, "can_mask": 0x7FF, "extended": False}, *OBD_FILTERS]
    assert made.filters(1) == [{"can_id": 0x18FF01FE, "can_mask": 0x1FFFFFFF, "extended": True}, *OBD_FILTERS]
