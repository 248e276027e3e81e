"""Frames through the core: a plain message of eight bytes goes the short way, and tells what its table says."""

import math
from dataclasses import replace

import pytest

from agent.core import Core, ffi, lib
from agent.settings.file import load
from agent.vehicle import BIG_ENDIAN, CHECKS, FLOAT, LIMITED, SIGNED, Cut, Message
from drivers import batch
from drivers.batch import SIGNAL_INDEX
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.tables import ANSWERS, cut, plain, table

FUEL, LOAD = SIGNAL_INDEX["fuel"], SIGNAL_INDEX["load"]


def fed(data: bytes, *messages: Message, flags: int = 0) -> tuple[float | None, float | None, int, int, dict]:
    """Fuel, load, values invalid, frames decoded, frames rejected, after one frame."""
    made = Core(load(None, []), table(*messages))
    made.feed(batch.frame(0, 0, 0x100, data, flags))
    told, counters = made.snapshot(0), made.counters()
    rejected = {why: count for why, count in counters["rejected"].items() if count}
    return told.value("fuel"), told.value("load"), counters["values_rejected"]["invalid"], counters["decoded"], rejected


def limited(**more: int) -> Cut:
    return cut(0, 8, LIMITED, signal=FUEL, min=10.0, max=20.0, **more)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        pytest.param(10, (10.0, 0), id="at its least"),
        pytest.param(9, (None, 1), id="just under"),
        pytest.param(20, (20.0, 0), id="at its most"),
        pytest.param(21, (None, 1), id="just over"),
    ],
)
def test_limits_hold_on_the_short_way(raw: int, wanted: tuple) -> None:
    fuel, load_pct, invalid, decoded, _ = fed(
        bytes([raw, 55, 0, 0, 0, 0, 0, 0]), plain(limited(), cut(8, 8, signal=LOAD))
    )
    assert (fuel, invalid) == wanted
    assert (load_pct, decoded) == (55.0, 1)


@pytest.mark.parametrize(("bit", "wanted"), [(1, (15.0, 0)), (0, (None, 1))])
def test_a_validity_signal_holds_on_the_short_way(bit: int, wanted: tuple) -> None:
    message = plain(limited(valid_cut=1), cut(8, 1))
    assert fed(bytes([15, bit, 0, 0, 0, 0, 0, 0]), message)[:3:2] == wanted


@pytest.mark.parametrize(
    ("least", "most", "raw", "wanted"),
    [
        pytest.param(-math.inf, 20.0, 0, (0.0, 0), id="no least"),
        pytest.param(-math.inf, 20.0, 21, (None, 1), id="no least, over the most"),
        pytest.param(10.0, math.inf, 90, (90.0, 0), id="no most"),
        pytest.param(10.0, math.inf, 9, (None, 1), id="no most, under the least"),
    ],
)
def test_a_limit_may_be_on_one_side_only(least: float, most: float, raw: int, wanted: tuple) -> None:
    one = cut(0, 8, LIMITED, signal=FUEL, min=least, max=most)
    assert fed(bytes([raw, 0, 0, 0, 0, 0, 0, 0]), plain(one))[:3:2] == wanted


def test_a_multiplexed_frame_whose_checksum_is_wrong_says_nothing() -> None:
    selected = cut(8, 8, signal=FUEL, mux_cut=0, mux_from=1, mux_to=1)
    proof = (cut(56, 8), Cut(name="", unit="", start_bit=0, bits=0))
    message = replace(plain(cut(0, 8), selected, *proof), check=CHECKS.index("toyota"))
    for checksum, wanted in ((8 + 1 + 1 + 33, (33.0, 1, {})), (8 + 1 + 1 + 34, (None, 0, {"checksum": 1}))):
        fuel, _, _, decoded, rejected = fed(bytes([1, 33, 0, 0, 0, 0, 0, checksum]), message)
        assert (fuel, decoded, rejected) == wanted


@pytest.mark.parametrize(("flags", "sound"), [(0, True), (SIGNED, False), (FLOAT, False)])
def test_a_counter_is_a_plain_number(flags: int, sound: bool) -> None:
    proof = (cut(0, 8), cut(8, 16, flags, max=15.0))
    c_table = table(replace(plain(*proof), check=CHECKS.index("toyota"))).as_c(ffi)  # kept: it owns what is checked
    assert lib.tbox_table_check(c_table.table) == sound


def test_answers_of_obd_have_no_checksum() -> None:
    proof = (cut(0, 8), Cut(name="", unit="", start_bit=0, bits=0))
    answers = replace(ANSWERS, cuts=proof, check=CHECKS.index("toyota"))
    c_table = table(answers).as_c(ffi)
    assert not lib.tbox_table_check(c_table.table)


def test_a_message_that_feeds_nothing_is_decoded_all_the_same() -> None:
    assert fed(bytes(8), plain(cut(0, 8)))[3] == 1


@pytest.mark.parametrize(
    ("size", "flags", "wanted"),
    [
        pytest.param(6, 0, (30.0, 1, {}), id="as long as its message"),
        pytest.param(5, 0, (None, 0, {"short": 1}), id="shorter"),
        pytest.param(8, 0, (30.0, 1, {}), id="longer"),
        pytest.param(12, batch.FD, (30.0, 1, {}), id="FD"),
        pytest.param(8, batch.REMOTE, (None, 0, {"remote_frame": 1}), id="remote"),
        pytest.param(8, batch.ERROR, (None, 0, {"error_frame": 1}), id="error"),
        pytest.param(9, 0, (None, 0, {"bad_length": 1}), id="nine bytes and not FD"),
    ],
)
def test_what_a_frame_must_be(size: int, flags: int, wanted: tuple) -> None:
    data = bytes([0, 0, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0])[:size]
    fuel, _, _, decoded, rejected = fed(data, plain(cut(47, 8, BIG_ENDIAN, signal=FUEL), length=6), flags=flags)
    assert (fuel, decoded, rejected) == wanted


def test_of_a_multiplexed_message_only_what_is_there_is_fed() -> None:
    selector = cut(0, 8)
    parts = (
        selector,
        cut(8, 8, signal=FUEL, mux_cut=0, mux_from=1, mux_to=1),
        cut(8, 8, signal=LOAD, mux_cut=0, mux_from=2, mux_to=2),
    )
    assert fed(bytes([1, 33, 0, 0, 0, 0, 0, 0]), plain(*parts))[:2] == (33.0, None)
    assert fed(bytes([2, 33, 0, 0, 0, 0, 0, 0]), plain(*parts))[:2] == (None, 33.0)
    assert fed(bytes([3, 33, 0, 0, 0, 0, 0, 0]), plain(*parts))[:2] == (None, None)
