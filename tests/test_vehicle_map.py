"""Mistakes in a vehicle map or its DBC: one sentence with file, line, key and what helps."""

from pathlib import Path

import pytest

from agent.errors import SettingsError
from tests.maps import DBC, HEAD, SPEED, compiled


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
        pytest.param(HEAD.replace("car.dbc", "gone.dbc") + SPEED, "gone.dbc: cannot be read: No such file or directory", id="a DBC that is gone"),
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
        pytest.param('VERSION ""\n', "car.dbc: holds no message; is it a DBC?", id="no message"),
        pytest.param("\x00\x01\x02" * 100, "car.dbc:1: not a sound DBC: ", id="bytes"),
        pytest.param("[vehicle]\nname = 'x'\n", "car.dbc:2: not a sound DBC: ", id="a map as a DBC"),
        pytest.param(DBC.replace("INNER MUX 2-2", "INNER INNER 2-2"), "car.dbc: ", id="a multiplexer on itself"),
        pytest.param(
            DBC.replace("SG_ BARE : 16", "SG_ BARE : -1"), "car.dbc: SPEED.BARE has a bit", id="a bit below 0"
        ),
    ],
)
def test_a_broken_dbc_is_named_with_its_line(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compiled(tmp_path, HEAD + SPEED, content)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
