"""Vehicle maps become tables: units, limits, validity, only what is needed; each mistake is named with its line."""

import re
import tomllib
from pathlib import Path

import pytest

from agent import compile as compiler
from agent import units, vehicle
from agent._core import ffi, lib
from agent.errors import SettingsError
from agent.vehicle import ALWAYS, ANY_CHANNEL, LIMITED, NO_SIGNAL, OBD_ID, Cut, Table
from drivers.batch import EXTENDED, SIGNAL_INDEX, SIGNALS

ROOT = Path(__file__).resolve().parents[1]

DBC = """VERSION ""
NS_ :
BS_:
BU_:
BO_ 180 SPEED: 8 X
 SG_ SPEED : 47|16@0+ (0.01,0) [0|250] "km/h" X
 SG_ SPEED_OK : 0|1@1+ (1,0) [0|1] "" X
 SG_ TEMP : 8|8@1+ (1,-40) [0|0] "degF" X
 SG_ BARE : 16|8@1+ (0.5,0) [0|0] "" X
 SG_ ODD : 24|8@1+ (1,0) [0|0] "furlongs" X
BO_ 2566849022 WIDE: 8 X
 SG_ MUX M : 0|4@1+ (1,0) [0|0] "" X
 SG_ INNER m2M : 4|4@1+ (1,0) [0|0] "" X
 SG_ OK m3 : 8|1@1+ (1,0) [0|0] "" X
 SG_ RPM m3 : 16|16@1+ (1,0) [0|0] "rpm" X
 SG_ FUEL m4 : 16|8@1+ (1,0) [0|0] "%" X
BO_ 300 OTHER: 8 X
 SG_ X : 0|8@1+ (1,0) [0|0] "" X
BO_ 500 LONG: 64 X
 SG_ TEXT : 0|400@1+ (1,0) [0|0] "" X
SG_MUL_VAL_ 2566849022 INNER MUX 2-2;
SG_MUL_VAL_ 2566849022 OK INNER 3-3, 5-6;
SG_MUL_VAL_ 2566849022 RPM INNER 3-3, 5-6;
SG_MUL_VAL_ 2566849022 FUEL MUX 4-4;
"""

HEAD = '[vehicle]\nname = "Car"\n[[source]]\nchannel = 0\ndbc = "car.dbc"\n'
SPEED = '[signal.speed]\nmessage = "SPEED"\nsignal = "SPEED"\n'


def compiled(folder: Path, text: str, dbc: str = DBC) -> Table:
    (folder / "car.dbc").write_text(dbc)
    (folder / "map.toml").write_text(text)
    table = compiler.compile_map(folder / "map.toml")
    c_table = table.as_c(ffi)  # kept: it owns what is checked
    assert lib.tbox_table_check(c_table.table)
    return table


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


# ---- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(HEAD + SPEED.replace('signal = "SPEED"', 'signal = "SPED"'),
                     "map.toml:8: signal.speed.signal: SPED is not in SPEED; the nearest is SPEED", id="a signal misspelt"),
        pytest.param(HEAD + SPEED.replace('message = "SPEED"', 'message = "SPEDE"'),
                     "map.toml:7: signal.speed.message: SPEDE is in no DBC of the map; the nearest is SPEED",
                     id="a message misspelt"),
        pytest.param(HEAD + SPEED.replace("signal.speed", "signal.sped"),
                     "map.toml:6: signal.sped: not in the catalogue; the nearest is speed", id="no catalogue signal"),
        pytest.param(HEAD + SPEED + "scael = 2\n", "map.toml:9: signal.speed.scael: unknown key; the nearest is scale",
                     id="a key of a signal misspelt"),
        pytest.param(HEAD.replace("channel", "chanel") + SPEED, "map.toml:4: source[0].chanel: unknown key; the nearest is channel",
                     id="a key of a source misspelt"),
        pytest.param(HEAD.replace("name", "nmae") + SPEED, "map.toml:2: vehicle.nmae: unknown key; the nearest is name",
                     id="a key of the vehicle misspelt"),
        pytest.param(HEAD.replace("[vehicle]", "[vehicel]") + SPEED, "map.toml:1: vehicel: unknown key; the nearest is vehicle",
                     id="a table misspelt"),
        pytest.param(HEAD + SPEED + 'scale = "2"\n', 'map.toml:9: signal.speed.scale: "2": Expected `float | null`',
                     id="a text for a number"),
        pytest.param(HEAD + "[signal]\nspeed = 3\n", "map.toml:7: signal.speed: 3: Expected `object`, got `int`", id="a number for a table"),
        pytest.param(HEAD + SPEED + "scale = 0\n", "map.toml:9: signal.speed.scale: 0.0: must be a finite number other than 0",
                     id="a scale of 0"),
        pytest.param(HEAD + SPEED + "offset = nan\n", "map.toml:9: signal.speed.offset: nan: must be a finite number",
                     id="not a number"),
        pytest.param(HEAD + SPEED + "min = 3\nmax = 2\n", "map.toml:9: signal.speed.min: 3.0 is above max = 2.0",
                     id="limits the wrong way round"),
        pytest.param(HEAD + SPEED + "min = 200\n", "map.toml:6: signal.speed: min and max leave nothing of -20.0 to 110.0 m/s",
                     id="limits outside the catalogue's range"),
        pytest.param(HEAD + SPEED + 'valid = "OK"\n', "map.toml:9: signal.speed.valid: OK is not in SPEED",
                     id="a validity signal of another message"),
        pytest.param(HEAD + '[signal.throttle]\nmessage = "SPEED"\nsignal = "BARE"\n',
                     "map.toml:6: signal.throttle: the DBC says no unit for BARE; write unit (%, percent, pct), or scale to %",
                     id="no unit"),
        pytest.param(HEAD + '[signal.odometer]\nmessage = "SPEED"\nsignal = "ODD"\n',
                     'map.toml:6: signal.odometer: the unit "furlongs" is unknown for odometer; write unit (m, ', id="an odd unit"),
        pytest.param(HEAD + '[signal.speed]\nmessage = "LONG"\nsignal = "TEXT"\n',
                     "map.toml:8: signal.speed.signal: TEXT has 400 bits: no number the core can read", id="a text as a number"),
        pytest.param(HEAD + SPEED + 'pid = "0D"\n', 'map.toml:6: signal.speed: say either message = "..." and signal', id="both ways"),
        pytest.param(HEAD + '[signal.speed]\nmessage = "SPEED"\n', "map.toml:6: signal.speed: say either message", id="half a way"),
        pytest.param('[[source]]\nobd = true\n[signal.speed]\npid = "FE"\n', "map.toml:4: signal.speed.pid: FE is not known",
                     id="an unknown PID"),
        pytest.param('[[source]]\nobd = true\n[signal.speed]\npid = "0xD"\n', "map.toml:4: signal.speed.pid: ", id="no PID"),
        pytest.param(HEAD + '[signal.speed]\npid = "0D"\n', "map.toml:7: signal.speed.pid: no [[source]] with obd = true",
                     id="a PID without a source"),
        pytest.param("[[source]]\nobd = true\n" + SPEED, "map.toml:3: signal.speed: no [[source]] with a dbc", id="a message without a DBC"),
        pytest.param('[[source]]\nobd = true\ndbc = "car.dbc"\n' + SPEED, "map.toml:1: source[0]: say either dbc", id="both sources"),
        pytest.param(HEAD + '[[source]]\nchannel = 1\ndbc = "car.dbc"\n' + SPEED,
                     "map.toml:10: signal.speed.message: SPEED is in several sources; add channel or source", id="ambiguous"),
        pytest.param(HEAD, "map.toml: signal: missing; add [signal.speed]", id="nothing mapped"),
        pytest.param("[vehicle]\n" + SPEED, "map.toml: source: missing; add [[source]]", id="no source"),
        pytest.param('[vehicle]\npowertrain = "diesel"\n', 'map.toml:2: vehicle.powertrain: "diesel": Invalid enum value', id="no powertrain"),
        pytest.param("[vehicle\n", "map.toml:1: not TOML: ", id="no TOML"),
        pytest.param(HEAD.replace("car.dbc", "gone.dbc") + SPEED, "gone.dbc: DBC cannot be read: No such file or directory", id="a DBC that is gone"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_map_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compiled(tmp_path, text)
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(DBC.replace("SG_ TEMP :", "SG_ TEMP "), "car.dbc:8: not a sound DBC: ", id="a colon missing"),
        pytest.param("", "car.dbc:1: not a sound DBC: ", id="empty"),
        pytest.param('VERSION ""\n', "car.dbc: holds no message (BO_); is it a DBC?", id="no message"),
        pytest.param("\x00\x01\x02" * 100, "car.dbc:1: not a sound DBC: ", id="bytes"),
        pytest.param("[vehicle]\nname = 'x'\n", "car.dbc:2: not a sound DBC: ", id="a map as a DBC"),
        pytest.param(DBC.replace("INNER MUX 2-2", "INNER INNER 2-2"), "car.dbc: ", id="a multiplexer on itself"),
        pytest.param(DBC.replace("SG_ BARE : 16", "SG_ BARE : -1"), "car.dbc: SPEED.BARE has a bit", id="a bit below 0"),
    ],
)
def test_a_broken_dbc_is_named_with_its_line(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compiled(tmp_path, HEAD + SPEED, content)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- the command and the catalogue ----------------------------------------------------------------------------------


def test_the_command_writes_what_load_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = compiled(tmp_path, HEAD + SPEED)
    assert compiler.run(tmp_path / "map.toml", tmp_path / "car.tbl") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'car.tbl'}: 1 messages, 1 catalogue signals\n"
    assert vehicle.load(tmp_path / "car.tbl") == wanted


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
