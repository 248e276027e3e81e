"""Decode tables made by hand, for the tests of the C code that reads them."""

import math
from collections.abc import Sequence
from typing import Any

from agent._core import ffi, lib
from agent.maps.compile import compile_obd
from agent.vehicle import ANY_CHANNEL, OBD, OBD_ID, PLAIN, CTable, Cut, Message, Table

SHORT, UNKNOWN = -1, -2

Told = list[tuple[str, float, bool]] | int
ANSWERS = Message(name="OBD", id=OBD_ID, channel=ANY_CHANNEL, length=0, kind=OBD, cuts=())


def table(*messages: Message) -> Table:
    return Table(name="made", powertrain="combustion", vehicle_class="car", messages=messages)


def plain(*cuts: Cut, length: int = 8, identifier: int = 0x100, channel: int = 0) -> Message:
    return Message(name="M", id=identifier, channel=channel, length=length, kind=PLAIN, cuts=cuts)


def cut(start_bit: int, bits: int, flags: int = 0, **more: Any) -> Cut:
    return Cut(name=more.pop("name", "S"), unit="", start_bit=start_bit, bits=bits, flags=flags, **more)


def decode(c_table: CTable, names: Sequence[str], message: int, data: bytes, room: int = 128) -> Told:
    """(name, value, valid) of each cut that is there, or why there is none."""
    out = ffi.new("tbox_decoded_t[]", room)
    count = lib.tbox_table_decode(c_table.table, message, data, len(data), out, room)
    return count if count < 0 else [(names[told.cut], told.value, told.valid) for told in out[0:count]]


def decoded(made: Table, data: bytes, *, message: int = 0, room: int = 128) -> Told:
    """The same of a table that is checked first."""
    c_table = made.as_c(ffi)
    assert lib.tbox_table_check(c_table.table)
    return decode(c_table, [cut.name for message in made.messages for cut in message.cuts], message, data, room)


def found(made: Table, channel: int, identifier: int) -> int:
    c_table = made.as_c(ffi)
    return int(lib.tbox_table_find(c_table.table, channel, identifier))


def obd(data: str) -> Told:
    return decoded(compile_obd(), bytes.fromhex(data))


def same(told: float, wanted: float) -> bool:
    return told == wanted or (math.isnan(told) and math.isnan(wanted)) or math.isclose(told, wanted, rel_tol=1e-9)
