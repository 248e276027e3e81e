"""Which decode tables are trusted: what is checked once, so that no frame needs to be."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agent._core import ffi, lib
from agent.vehicle import BIG_ENDIAN, FLOAT, OBD_ID, CTable, Cut, Table
from drivers.batch import SIGNAL_INDEX
from tests.tables import ANSWERS, cut, plain, table

SPEED = SIGNAL_INDEX["speed"]
SOUND = table(plain(cut(0, 8, signal=SPEED), cut(8, 8, mux_cut=0, valid_cut=0)))


def with_cut(**changes: Any) -> Table:
    message = SOUND.messages[0]
    return replace(SOUND, messages=(replace(message, cuts=(message.cuts[0], replace(message.cuts[1], **changes))),))


def answers(*cuts: Cut) -> Table:
    return table(replace(ANSWERS, cuts=cuts))


def pid(number: int, **more: Any) -> Cut:
    return cut(7, 8, BIG_ENDIAN, **({"mux_from": number, "mux_to": number, "bytes": 1} | more))


@pytest.mark.parametrize(
    ("made", "sound"),
    [
        pytest.param(SOUND, True, id="a good one"),
        pytest.param(table(), True, id="an empty one"),
        pytest.param(with_cut(start_bit=56), True, id="the last byte"),
        pytest.param(with_cut(start_bit=57), False, id="one bit over the end"),
        pytest.param(with_cut(start_bit=56, bits=9), False, id="into the byte after the end"),
        pytest.param(with_cut(start_bit=63, flags=BIG_ENDIAN), True, id="the last byte, Motorola"),
        pytest.param(with_cut(start_bit=62, flags=BIG_ENDIAN), False, id="one bit over the end, Motorola"),
        pytest.param(with_cut(bits=0), False, id="no bits"),
        pytest.param(with_cut(start_bit=0, bits=65), False, id="too many bits"),
        pytest.param(with_cut(bits=24, flags=FLOAT), False, id="a float of 24 bits"),
        pytest.param(with_cut(signal=len(SIGNAL_INDEX)), False, id="no signal of the catalogue"),
        pytest.param(with_cut(mux_cut=1), False, id="a cut that selects itself"),
        pytest.param(with_cut(valid_cut=2), False, id="a validity signal that is not there"),
        pytest.param(table(plain(length=65)), False, id="longer than any frame"),
        pytest.param(table(plain(identifier=2), plain(identifier=1)), False, id="not sorted"),
        pytest.param(table(plain(), plain()), False, id="one message twice"),
        pytest.param(table(plain(channel=1), plain(channel=0, identifier=0x200)), False, id="channels not sorted"),
        pytest.param(table(plain(identifier=OBD_ID)), False, id="a plain message as OBD"),
        pytest.param(table(replace(ANSWERS, id=0x7E8)), False, id="OBD with an identifier"),
        pytest.param(table(replace(ANSWERS, kind=3)), False, id="an unknown kind"),
        pytest.param(answers(pid(4), pid(5)), True, id="PIDs sorted"),
        pytest.param(answers(pid(5), pid(4)), False, id="PIDs not sorted"),
        pytest.param(answers(pid(4), pid(4, bytes=2)), False, id="two lengths of one PID"),
        pytest.param(answers(pid(4, bytes=0)), False, id="a PID without bytes"),
        pytest.param(answers(pid(4), pid(5, mux_cut=0)), False, id="a PID that another selects"),
        pytest.param(answers(pid(4), pid(4, valid_cut=0)), True, id="a PID validated by itself"),
        pytest.param(answers(pid(4), pid(5, valid_cut=0)), False, id="a PID validated by another"),
    ],
)
def test_a_table_is_trusted_only_when_it_is_sound(made: Table, sound: bool) -> None:
    c_table = made.as_c(ffi)  # kept: it owns what is checked
    assert lib.tbox_table_check(c_table.table) == sound


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda c: setattr(c.messages[0], "count", 3), id="more cuts than there are"),
        pytest.param(lambda c: setattr(c.messages[0], "first", 3), id="a first cut outside"),
        pytest.param(lambda c: setattr(c.messages[0], "first", 0xFFFFFFFF), id="a first cut that overflows"),
        pytest.param(lambda c: setattr(c.table, "message_count", 1 << 31), id="more messages than an index counts"),
    ],
)
def test_indexes_outside_the_arrays_are_found(spoil: Callable[[CTable], None]) -> None:
    c_table = SOUND.as_c(ffi)
    assert lib.tbox_table_check(c_table.table)
    spoil(c_table)
    assert not lib.tbox_table_check(c_table.table)


@pytest.mark.parametrize(("first", "sound"), [(0, True), (1, False)])
def test_a_message_ends_where_the_tables_cuts_end(first: int, sound: bool) -> None:
    c_table = table(plain(cut(0, 8), cut(8, 8), cut(16, 8))).as_c(ffi)
    c_table.table.cut_count, c_table.messages[0].count = 2, 2
    c_table.messages[0].first = first
    assert lib.tbox_table_check(c_table.table) == sound
