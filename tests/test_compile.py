"""Vehicle maps become tables: units, limits, validity, only what is needed."""

import re
import tomllib
from pathlib import Path

import pytest

from agent.maps import compile as compiler
from agent.maps import maps, units
from agent.vehicle import ALWAYS, ANY_CHANNEL, LIMITED, NO_SIGNAL, OBD_ID, Cut, Table
from drivers.batch import EXTENDED, SIGNAL_INDEX, SIGNALS
from tests.maps import DBC, HEAD, SPEED, compiled

ROOT = Path(__file__).resolve().parents[1]


def only_cut(table: Table) -> Cut:
    (message,) = table.messages
    (cut,) = message.cuts
    return cut


# ---- what comes out -------------------------------------------------------------------------------------------------


def test_the_smallest_map_feeds_speed_in_metres_per_second(tmp_path: Path) -> None:
    table = compiled(tmp_path, HEAD + SPEED)
    assert (table.name, table.powertrain, table.vehicle_class) == ("Car", "combustion", "car")
    (message,) = table.messages
    assert (message.name, message.id, message.channel, message.length) == ("SPEED", 180, 0, 8)
    cut = only_cut(table)
    assert (cut.signal, cut.offset, cut.min, cut.max) == (SIGNAL_INDEX["speed"], 0, -20, 110)
    assert cut.scale == pytest.approx(0.01 / 3.6, rel=1e-15)


@pytest.mark.parametrize(
    ("lines", "scale", "offset"),
    [
        pytest.param("scale = 2.0\noffset = 1.5", 0.02 / 3.6, 1.5, id="scale and offset, after the unit"),
        pytest.param('unit = "mph"', 0.01 * 0.44704, 0, id="a unit that overrules the DBC's"),
        pytest.param('unit = "m/s"\nscale = -1', -0.01, 0, id="a sign turned"),
    ],
)
def test_scale_and_unit_of_a_map(tmp_path: Path, lines: str, scale: float, offset: float) -> None:
    cut = only_cut(compiled(tmp_path, HEAD + SPEED + lines))
    assert (cut.scale, cut.offset) == (pytest.approx(scale), offset)


def test_an_offset_in_the_dbc_is_converted_with_its_unit(tmp_path: Path) -> None:
    text = HEAD + '[signal.coolant]\nmessage = "SPEED"\nsignal = "TEMP"\n'
    cut = only_cut(compiled(tmp_path, text))
    assert (cut.scale, cut.offset) == (pytest.approx(5 / 9), pytest.approx((-40 - 32) * 5 / 9))


@pytest.mark.parametrize(("name", "signal"), [("throttle", "BARE"), ("odometer", "ODD")])
def test_a_scale_stands_for_a_unit_nobody_knows(tmp_path: Path, name: str, signal: str) -> None:
    text = HEAD + f'[signal.{name}]\nmessage = "SPEED"\nsignal = "{signal}"\nscale = 3.0\n'
    assert only_cut(compiled(tmp_path, text)).scale == pytest.approx(1.5 if signal == "BARE" else 3.0)


def test_limits_narrow_the_catalogue_s_range(tmp_path: Path) -> None:
    cut = only_cut(compiled(tmp_path, HEAD + SPEED + "min = 0\nmax = 500\n"))
    assert (cut.min, cut.max, cut.flags & LIMITED) == (0, 110, LIMITED)


def test_only_what_selects_and_validates_comes_along(tmp_path: Path) -> None:
    text = HEAD + '[signal.rpm]\nmessage = "WIDE"\nsignal = "RPM"\nvalid = "OK"\n'
    (message,) = compiled(tmp_path, text).messages
    assert message.id == 0x18FF01FE | EXTENDED
    told = [(c.name, c.signal, c.mux_cut, c.mux_from, c.mux_to, c.valid_cut) for c in message.cuts]
    rpm = SIGNAL_INDEX["rpm"]
    assert told == [
        ("MUX", NO_SIGNAL, ALWAYS, 0, 0, ALWAYS),
        ("INNER", NO_SIGNAL, 0, 2, 2, ALWAYS),
        ("OK", NO_SIGNAL, 1, 3, 3, ALWAYS),
        ("OK", NO_SIGNAL, 1, 5, 6, ALWAYS),
        ("RPM", rpm, 1, 3, 3, 2),
        ("RPM", rpm, 1, 5, 6, 3),
    ]


def test_one_signal_may_feed_two(tmp_path: Path) -> None:
    text = HEAD + SPEED + SPEED.replace("speed", "gnss_speed")
    (message,) = compiled(tmp_path, text).messages
    assert [cut.signal for cut in message.cuts] == [SIGNAL_INDEX["speed"], SIGNAL_INDEX["gnss_speed"]]


def test_channels_tell_two_buses_apart(tmp_path: Path) -> None:
    (tmp_path / "other.dbc").write_text(DBC)
    text = (
        '[[source]]\nchannel = 1\ndbc = "car.dbc"\n[[source]]\nchannel = 0\ndbc = "other.dbc"\n[[source]]\nobd = true\n'
        + SPEED + 'channel = 1\n[signal.throttle]\nmessage = "SPEED"\nsignal = "BARE"\nunit = "%"\nsource = "other.dbc"\n'
        '[signal.load]\npid = "04"\n'
    )  # fmt: skip
    messages = compiled(tmp_path, text).messages
    assert [(m.channel, m.id, m.cuts[0].signal) for m in messages] == [
        (0, 180, SIGNAL_INDEX["throttle"]),
        (1, 180, SIGNAL_INDEX["speed"]),
        (ANY_CHANNEL, OBD_ID, SIGNAL_INDEX["load"]),
    ]


def test_a_feed_may_narrow_a_source_on_any_channel(tmp_path: Path) -> None:
    text = '[[source]]\nobd = true\n[signal.speed]\npid = "0d"\nchannel = 2\n'
    assert [message.channel for message in compiled(tmp_path, text).messages] == [2]


def test_answers_are_sorted_by_pid(tmp_path: Path) -> None:
    text = '[[source]]\nobd = true\n[signal.speed]\npid = "0D"\n[signal.rpm]\npid = "0C"\n[signal.load]\npid = "04"\n'
    (message,) = compiled(tmp_path, text).messages
    assert [cut.name for cut in message.cuts] == ["0104", "010C", "010D"]


def test_a_dbc_alone_has_every_signal_that_is_a_number(tmp_path: Path) -> None:
    (tmp_path / "car.dbc").write_text(DBC)
    table = compiler.compile_dbc(tmp_path / "car.dbc")
    told = {message.name: {cut.name for cut in message.cuts} for message in table.messages}
    assert told == {
        "SPEED": {"SPEED", "SPEED_OK", "TEMP", "BARE", "ODD"},
        "OTHER": {"X"},
        "LONG": set(),
        "WIDE": {"MUX", "INNER", "OK", "RPM", "FUEL"},
    }
    assert {cut.signal for message in table.messages for cut in message.cuts} == {NO_SIGNAL}


# ---- units ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "wanted", "number", "result"),
    [
        ("km/h", "m/s", 36, 10), ("kph", "m/s", 36, 10), ("KPH", "m/s", 36, 10), ("km / h", "m/s", 36, 10),
        ("mph", "m/s", 100, 44.704), ("knots", "m/s", 10, 5.14444444444444), ("m/s", "m/s", 7, 7),
        ("rpm", "1/min", 900, 900), ("1/min", "1/min", 900, 900), ("Hz", "1/min", 10, 600),
        ("rad/s", "1/min", 2 * 3.141592653589793, 60),
        ("%", "%", 55, 55),
        ("degC", "degC", 90, 90), ("°C", "degC", 90, 90), ("Â°C", "degC", 90, 90), ("C", "degC", 90, 90),
        ("F", "degC", 212, 100), ("°F", "degC", 32, 0), ("K", "degC", 273.15, 0),
        ("V", "V", 12.5, 12.5), ("mV", "V", 12500, 12.5),
        ("km", "m", 2, 2000), ("miles", "m", 1, 1609.344), ("m", "m", 3, 3),
        ("g", "m/s2", 1, 9.80665), ("m/s^2", "m/s2", 3, 3), ("m/s²", "m/s2", 3, 3), ("m/s2", "m/s2", 3, 3),
        ("deg/s", "rad/s", 180, 3.141592653589793), ("degrees/s", "rad/s", 180, 3.141592653589793),
        ("rad/s", "rad/s", 1, 1), ("deg", "degrees", 47, 47), ("anything", "", 1, 1),
    ],
)  # fmt: skip
def test_a_unit_becomes_the_catalogue_s(told: str, wanted: str, number: float, result: float) -> None:
    found = units.conversion(told, wanted)
    assert found is not None
    assert number * found.factor + found.offset == pytest.approx(result, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("told", "wanted"), [("furlongs", "m"), ("", "m/s"), ("km", "m/s"), ("C", "V")])
def test_a_unit_of_another_kind_is_unknown(told: str, wanted: str) -> None:
    assert units.conversion(told, wanted) is None


# ---- the command and the catalogue ----------------------------------------------------------------------------------


def test_the_command_writes_what_load_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = compiled(tmp_path, HEAD + SPEED)
    assert compiler.run(tmp_path / "map.toml", tmp_path / "car.tbl") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'car.tbl'}: 1 messages, 1 catalogue signals\n"
    assert maps.load(tmp_path / "car.tbl") == wanted


def test_the_command_takes_a_dbc_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "car.dbc").write_text(DBC)
    assert compiler.run(tmp_path / "car.dbc", tmp_path / "car.tbl") == 0
    assert "4 messages, 0 catalogue signals" in capsys.readouterr().out


def test_the_catalogue_is_that_of_the_core() -> None:
    rows = tomllib.loads((ROOT / "config" / "signals.toml").read_text())
    assert tuple(rows) == SIGNALS
    header = (ROOT / "native" / "tbox.h").read_text()
    body = header[header.index("    TBOX_SPEED,") : header.index("    TBOX_SIGNALS ")]
    assert tuple(name.lower() for name in re.findall(r"^    TBOX_(\w+),", body, re.MULTILINE)) == SIGNALS


@pytest.mark.parametrize("name", SIGNALS)
def test_each_signal_of_the_catalogue_is_described(name: str) -> None:
    row = tomllib.loads((ROOT / "config" / "signals.toml").read_text())[name]
    assert row.keys() == {"unit", "min", "max", "vss", "description"}
    assert row["min"] < row["max"]
    assert units.conversion(row["unit"], row["unit"]) == units.SAME
    assert row["description"]
    assert re.fullmatch(r"|Vehicle(\.[A-Z][A-Za-z0-9]*)+", row["vss"])


def test_the_catalogue_says_which_vss_its_names_are_of() -> None:
    assert re.search(r"^# vss .*, version 4\b", (ROOT / "config" / "signals.toml").read_text(), re.MULTILINE)
