"""[check.MESSAGE] of a vehicle map: what is compiled, and which mistakes are named."""

from pathlib import Path

import pytest

from agent import vehicle
from agent.core import Core
from agent.errors import SettingsError
from agent.maps import maps
from agent.settings.file import load
from agent.vehicle import CHECKS, NO_SIGNAL
from drivers import batch
from tests.maps import HEAD, compiled

UP = tuple(range(16))
CAR = """VERSION ""
NS_ :
BS_:
BU_:
BO_ 180 SPEED: 8 X
 SG_ MODE M : 52|4@1+ (1,0) [0|0] "" X
 SG_ EXTRA m1 : 0|4@1+ (1,0) [0|0] "" X
 SG_ SPEED : 47|16@0+ (0.01,0) [0|250] "km/h" X
 SG_ WIDE : 0|24@1+ (1,0) [0|0] "" X
 SG_ COUNTER : 4|4@1+ (1,0) [0|0] "" X
 SG_ CHECKSUM : 63|8@0+ (1,0) [0|0] "" X
 SG_ SLANTED : 50|8@1+ (1,0) [0|0] "" X
BO_ 2566849022 WIDE: 8 X
 SG_ CHECKSUM : 63|8@0+ (1,0) [0|0] "" X
"""
MAP = HEAD + '[signal.speed]\nmessage = "SPEED"\nsignal = "SPEED"\n'
MAP += '[check.SPEED]\nkind = "toyota"\nchecksum = "CHECKSUM"\ncounter = "COUNTER"\n'


def test_values_of_a_rejected_frame_are_not_used(tmp_path: Path) -> None:
    core = Core(load(None, []), compiled(tmp_path, MAP, CAR))
    core.feed(batch.frame(0, 0, 180, bytes.fromhex("000000000000") + bytes([0x10, 0])))
    assert core.snapshot(0).value("speed") is None


@pytest.mark.parametrize(
    ("kind", "more", "wanted"),
    [
        pytest.param("toyota", "", ("toyota", 15, ()), id="a maker"),
        pytest.param("toyota", "counter_max = 13\n", ("toyota", 13, ()), id="a counter that ends early"),
        pytest.param("e2e_p1", "data_id = 0x123\n", ("e2e_p1", 14, (0x23, 0x01)), id="one id, low byte first"),
        pytest.param("e2e_p2", f"data_id = {list(UP)}\n", ("e2e_p2", 15, UP), id="an id for each counter"),
        pytest.param("vw_mqb", "data_id = 0x86\n", ("e2e_p2", 15, (0x86,) * 16), id="one id for all counters"),
    ],
)
def test_a_check_of_a_map_is_compiled(tmp_path: Path, kind: str, more: str, wanted: tuple) -> None:
    (message,) = compiled(tmp_path, MAP.replace("toyota", kind) + more, CAR).messages
    told, checksum, counter = message.cuts
    assert (told.name, checksum.name, counter.name) == ("SPEED", "CHECKSUM", "COUNTER")
    assert (checksum.signal, counter.signal) == (NO_SIGNAL, NO_SIGNAL)
    assert (CHECKS[message.check], counter.max, message.data_ids) == wanted


def test_a_compiled_check_comes_back_from_its_file(tmp_path: Path) -> None:
    made = compiled(tmp_path, MAP, CAR)
    vehicle.save(made, tmp_path / "car.tbl")
    assert maps.load(tmp_path / "car.tbl") == made


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("toyota", "tesla", "map.toml:10: check.SPEED.kind: "),
        ("checksum =", "sum =", "map.toml:11: check.SPEED.sum: unknown key; the nearest is checksum"),
        ("check.SPEED", "check.SPEDE", "map.toml:9: check.SPEDE: SPEDE is in no DBC of the map; the nearest is SPEED"),
        ("check.SPEED", "check.WIDE", "map.toml:9: check.WIDE: no signal of the map is fed by WIDE; leave the check out"),
        ('"CHECKSUM"', '"CHEKSUM"', "map.toml:11: check.SPEED.checksum: CHEKSUM is not in SPEED; the nearest is CHECKSUM"),
        ('"CHECKSUM"', '"SPEED"', "map.toml:11: check.SPEED.checksum: SPEED must be 1 whole byte, as toyota has it"),
        ('"CHECKSUM"', '"SLANTED"', "map.toml:11: check.SPEED.checksum: SLANTED must be 1 whole byte, as toyota has it"),
        ("toyota", "honda", "map.toml:11: check.SPEED.checksum: CHECKSUM must be half a byte, as honda has it"),
        ("toyota", "e2e_p5", "map.toml:11: check.SPEED.checksum: CHECKSUM must be 2 whole bytes, as e2e_p5 has it"),
        ('"CHECKSUM"', '"EXTRA"', "map.toml:11: check.SPEED.checksum: EXTRA is multiplexed, signed or a float"),
        ('checksum = "CHECKSUM"', "", 'map.toml:9: check.SPEED: kind = "toyota" needs a checksum'),
        ('"toyota"', '"counter"', 'map.toml:11: check.SPEED.checksum: kind = "counter" has none; name the maker'),
        ('"COUNTER"', '"WIDE"', "map.toml:12: check.SPEED.counter: WIDE has 24 bits, more than 16"),
        ('counter = "COUNTER"', "counter_max = 3", None),
        ('"COUNTER"', '"COUNTER"\ncounter_max = 16', "map.toml:13: check.SPEED.counter_max: 16 is more than COUNTER can be: 15"),
        ('"COUNTER"', '"COUNTER"\ndata_id = 1', 'map.toml:13: check.SPEED.data_id: kind = "toyota" has no data_id'),
        ("toyota", "e2e_p1", 'map.toml:9: check.SPEED: kind = "e2e_p1" needs data_id'),
        ('"toyota"', '"e2e_p1"\ndata_id = [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]',
         'map.toml:11: check.SPEED.data_id: kind = "e2e_p1" has one data_id'),
        ('"toyota"', '"e2e_p2"\ndata_id = 256', "map.toml:11: check.SPEED.data_id: numbers of one byte: 0 to 255"),
        ('"toyota"', '"e2e_p2"\ndata_id = [1, 2]', "map.toml:11: check.SPEED.data_id: "),
        ('"toyota"\nchecksum = "CHECKSUM"\ncounter = "COUNTER"', '"e2e_p2"\nchecksum = "CHECKSUM"\ndata_id = 1',
         'map.toml:9: check.SPEED: kind = "e2e_p2" needs a counter'),
        ("channel = 0\n", "", "map.toml:11: check.SPEED.counter: the message may have several senders; add channel to its source"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_check_is_named_with_its_line(tmp_path: Path, old: str, new: str, told: str | None) -> None:
    assert old in MAP
    text = MAP.replace(old, new)
    if told is None:
        assert compiled(tmp_path, text, CAR).messages
        return
    with pytest.raises(SettingsError) as caught:
        compiled(tmp_path, text, CAR)
    assert str(caught.value).startswith(f"{tmp_path}/{told}")
