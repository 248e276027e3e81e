"""Diagnostic frames out of whole batches: all of them, in order, and nothing else."""

import random

import pytest

from drivers._guard import ffi, lib
from drivers.batch import ERROR, EXTENDED, FD, REMOTE, fix, frame, imu, tick, value
from drivers.bus.pick import picked


def is_wanted(identifier: int) -> bool:
    """Whether it is one of J1979's on CAN: by its digits."""
    digits = f"{identifier & ~EXTENDED:08X}" if identifier & EXTENDED else f"{identifier:03X}"
    if len(digits) == 3:
        return digits == "7DF" or digits.startswith("7E")
    return digits == "18DB33F1" or (
        digits.startswith("18DA") and (digits.endswith("F1") or digits.startswith("18DAF1"))
    )


@pytest.mark.parametrize(
    ("identifier", "wanted"),
    [
        (0x7DE, False), (0x7DF, True), (0x7E0, True), (0x7E7, True), (0x7E8, True), (0x7EF, True), (0x7F0, False), (0, False),
        (0x7DF | EXTENDED, False), (0x7E8 | EXTENDED, False), (0x18DB33F1, False), (0x18DB33F1 | EXTENDED, True),
        (0x18DB33F0 | EXTENDED, False), (0x18DA00F1 | EXTENDED, True), (0x18DAFFF1 | EXTENDED, True), (0x18DAFFF2 | EXTENDED, False),
        (0x18DAF100 | EXTENDED, True), (0x18DAF1FF | EXTENDED, True), (0x18DAF200 | EXTENDED, False), (0x19DA10F1 | EXTENDED, False),
    ],
)  # fmt: skip
def test_requests_and_answers_are_picked_by_their_identifier(identifier: int, wanted: bool) -> None:
    assert picked(frame(5, 1, identifier, b"\x02\x01\x0c")) == [(5, 1, identifier, 0, b"\x02\x01\x0c")] * wanted


def test_every_one_of_a_busy_bus_is_picked_in_order_and_no_other() -> None:
    luck = random.Random(1)
    near = [0x7DF, 0x7E8, 0x18DAF110 | EXTENDED, 0x18DA10F1 | EXTENDED, 0x18DB33F1 | EXTENDED]
    sent = []
    for at in range(5000):
        identifier = luck.choice([*near, luck.randrange(0x800), luck.randrange(1 << 29) | EXTENDED]) ^ luck.choice(
            [0, 1 << luck.randrange(29)]
        )
        sent.append(
            (at, luck.randrange(256), identifier, luck.choice([0, 0, FD, REMOTE]), luck.randbytes(luck.randrange(9)))
        )
    got = picked(
        b"".join(frame(t_us, channel, identifier, data, flags) for t_us, channel, identifier, flags, data in sent)
    )
    assert got == [one for one in sent if is_wanted(one[2])]
    assert len(got) > 500


def test_errors_of_the_bus_are_picked_whatever_they_say() -> None:
    batch = frame(1, 0, 0x123, bytes(8)) + frame(2, 0, 0x40, bytes(8), ERROR) + frame(3, 0, 0x1FFFFFFF, b"", ERROR | FD)
    assert picked(batch) == [(2, 0, 0x40, ERROR, bytes(8)), (3, 0, 0x1FFFFFFF, ERROR | FD, b"")]


def test_what_is_no_frame_is_never_picked() -> None:
    others = (
        tick(1) + imu(2, [1.0]) + fix(3, [4.0], valid=True) + b"".join(value(4, signal, 1.0) for signal in range(25))
    )
    kinds = bytearray(frame(1, 0, 0x7E8, b""))
    kinds[12] = 1  # a value that looks like one
    assert picked(others + bytes(kinds)) == []


def test_more_identifiers_can_be_asked_for() -> None:
    batch = (
        frame(1, 0, 0x6F1, b"a")
        + frame(2, 0, 0x6F9, b"b")
        + frame(3, 0, 0x6F1 | EXTENDED, b"c")
        + frame(4, 0, 0x7E8, b"d")
    )
    assert [one[0] for one in picked(batch, (0x6F9, 0x6F1))] == [1, 2, 4]
    assert [one[0] for one in picked(batch, (0x6F1 | EXTENDED,))] == [3, 4]


def test_no_more_frames_or_identifiers_are_looked_at_than_were_counted() -> None:
    batch, room = frame(1, 0, 0x6F1, b"a"), bytearray(80)
    inputs, out = ffi.from_buffer("uint8_t[]", batch), ffi.from_buffer("uint8_t[]", room)
    also = ffi.new("uint32_t[]", [0x6F0, 0x6F1])
    assert [lib.tbox_pick(inputs, 1, also, count, out) for count in (0, 1, 2)] == [0, 0, 1]
    assert lib.tbox_pick(inputs, 0, also, 2, out) == 0


def test_data_is_as_long_as_it_was_and_an_empty_batch_gives_nothing() -> None:
    assert picked(frame(1, 0, 0x7E8, bytes(range(64)), FD)) == [(1, 0, 0x7E8, FD, bytes(range(64)))]
    assert picked(b"") == []
