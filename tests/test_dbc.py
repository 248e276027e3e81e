"""Every DBC at hand, compiled and decoded in C, as cantools reads it."""

import random
from pathlib import Path
from typing import Any

import cantools.database
import pytest

from agent._core import ffi, lib
from agent.maps.compile import compile_dbc
from drivers.batch import EXTENDED
from tests.tables import Told, decode, same

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DBCS = sorted((DATA / "dbc").rglob("*.dbc")) + sorted((DATA / "css_canedge").glob("*.dbc"))
OVERLAPPING = ("PCS_HUD",)
"""Messages that cantools refuses to decode, because two of their signals overlap."""


@pytest.mark.skipif(not DBCS, reason="the recordings are not beside the project")
@pytest.mark.parametrize("path", DBCS, ids=lambda path: path.name)
def test_every_signal_of_a_dbc_is_what_cantools_says(path: Path) -> None:
    dice = random.Random(path.name)
    database = cantools.database.load_file(path, strict=False)
    made = compile_dbc(path)
    c_table = made.as_c(ffi)
    assert lib.tbox_table_check(c_table.table)
    names = [cut.name for message in made.messages for cut in message.cuts]
    for theirs in database.messages:
        identifier = theirs.frame_id | (EXTENDED if theirs.is_extended_frame else 0)
        message = lib.tbox_table_find(c_table.table, 3, identifier)
        assert made.messages[message].name == theirs.name
        compared = sum(
            agrees(theirs, decode(c_table, names, message, payload), payload) for payload in payloads(dice, theirs)
        )
        assert compared > 10 or theirs.name in OVERLAPPING


def payloads(dice: random.Random, theirs: Any) -> list[bytes]:
    """Random ones, of which cantools knows each branch; a few a byte longer than the message."""
    multiplexed = [signal for signal in theirs.signals if signal.multiplexer_ids]
    branches = [*multiplexed, *dice.choices(multiplexed, k=60 - len(multiplexed))] if multiplexed else [None] * 30
    return [selecting(dice, theirs, branch) for branch in branches]


def selecting(dice: random.Random, theirs: Any, branch: Any) -> bytes:
    """A payload that carries this signal (None: any): each selector above it has one of its values."""
    payload = bytearray(dice.randbytes(theirs.length + dice.choice((0, 0, 1))))
    chosen: dict[str, int] = {}
    while branch is not None and branch.multiplexer_signal:
        chosen[branch.multiplexer_signal] = dice.choice(branch.multiplexer_ids)
        branch = theirs.get_signal_by_name(branch.multiplexer_signal)
    for signal in theirs.signals:
        if signal.is_multiplexer:
            known = [i for s in theirs.signals if s.multiplexer_signal == signal.name for i in s.multiplexer_ids]
            write(payload, signal, chosen.get(signal.name, dice.choice(known)))
    return bytes(payload)


def write(payload: bytearray, signal: Any, raw: int) -> None:
    """Put a small number into a frame, bit by bit."""
    at = signal.start
    for i in range(signal.length):
        bit = raw >> (signal.length - 1 - i if signal.byte_order == "big_endian" else i) & 1
        payload[at // 8] = payload[at // 8] & ~(1 << at % 8) | bit << at % 8
        at += (-1 if at % 8 else 15) if signal.byte_order == "big_endian" else 1


def agrees(theirs: Any, told: Told, payload: bytes) -> bool:
    """Whether a payload was compared; cantools refuses values of a multiplexer that the DBC does not know."""
    try:
        wanted = theirs.decode(payload, decode_choices=False)
    except cantools.database.DecodeError:
        return False
    assert isinstance(told, list)
    assert {name for name, _, _ in told} == wanted.keys()
    for name, value, _ in told:
        assert same(value, wanted[name]), (theirs.name, name, payload.hex())
    return True
