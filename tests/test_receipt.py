"""Sets of record numbers against plain sets, and receipts: what is one, and what is not."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ledger.receipt import ISLANDS_MAX, RECEIPT_BYTES_MAX, Ranges, ReceiptError, parse_receipt

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)).map(lambda span: (span[0], span[0] + span[1])))


def numbers(spans: list[tuple[int, int]]) -> set[int]:
    return {seq for first, last in spans for seq in range(first, last + 1)}


@pytest.mark.parametrize(
    ("spans", "kept"),
    [
        ([], []),
        ([(5, 5)], [(5, 5)]),
        ([(5, 5), (6, 6)], [(5, 6)]),
        ([(6, 6), (5, 5)], [(5, 6)]),
        ([(5, 5), (7, 7)], [(5, 5), (7, 7)]),
        ([(5, 5), (7, 7), (6, 6)], [(5, 7)]),
        ([(1, 3), (8, 9), (0, 20)], [(0, 20)]),
        ([(0, 20), (3, 4)], [(0, 20)]),
    ],
)
def test_neighbours_and_overlaps_become_one_span(spans: list[tuple[int, int]], kept: list[tuple[int, int]]) -> None:
    assert list(Ranges(spans)) == kept


@given(SPANS)
def test_ranges_hold_what_a_set_holds_in_the_fewest_spans(spans: list[tuple[int, int]]) -> None:
    ranges, wanted = Ranges(spans), numbers(spans)
    assert {seq for seq in range(60) if seq in ranges} == wanted
    assert (len(ranges), bool(ranges)) == (len(wanted), bool(wanted))
    kept = list(ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(kept))


@given(SPANS, SPANS)
def test_split_tells_the_shared_from_the_rest(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    shared, alone = Ranges(one).split(Ranges(other))
    assert numbers(list(shared)) == numbers(one) & numbers(other)
    assert numbers(list(alone)) == numbers(one) - numbers(other)


@given(SPANS, st.integers(1, 10))
def test_take_takes_out_the_lowest(spans: list[tuple[int, int]], limit: int) -> None:
    ranges, wanted = Ranges(spans), sorted(numbers(spans))
    assert list(ranges.take(limit)) == wanted[:limit]
    assert numbers(list(ranges)) == set(wanted[limit:])


@pytest.mark.parametrize(
    ("payload", "stored", "epoch"),
    [
        pytest.param(b'{"upto": -1, "epoch": 0}', [], 0, id="nothing yet"),
        pytest.param(b'{"upto": 0, "epoch": "a"}', [(0, 0)], "a", id="the first, and an epoch in words"),
        pytest.param(b'{"upto": 4, "also": [[7, 9]], "epoch": 1, "by": "x"}', [(0, 4), (7, 9)], 1, id="an island"),
        pytest.param(b'{"upto": 4, "also": [[5, 9], [2, 3]], "epoch": 1}', [(0, 9)], 1, id="islands that touch"),
    ],
)
def test_a_receipt_is_read(payload: bytes, stored: list[tuple[int, int]], epoch: int | str) -> None:
    receipt = parse_receipt(payload, upto_max=9)
    assert (list(receipt.stored), receipt.epoch) == (stored, epoch)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 60000, "not JSON"),
        (b"9" * 6000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"3", "not a JSON object"),
        (b" " * (RECEIPT_BYTES_MAX + 1), "more than 65536"),
        (b'{"epoch": 1}', "upto is None"),
        (b'{"upto": "3", "epoch": 1}', "upto is '3'"),
        (b'{"upto": true, "epoch": 1}', "upto is True"),
        (b'{"upto": 3.0, "epoch": 1}', "upto is 3.0"),
        (b'{"upto": -2, "epoch": 1}', "upto is -2"),
        (b'{"upto": 3}', "epoch is None"),
        (b'{"upto": 3, "epoch": true}', "epoch is True"),
        (b'{"upto": 3, "epoch": 1.5}', "epoch is 1.5"),
        (b'{"upto": 3, "epoch": 1, "also": 5}', "also is 5"),
        (b'{"upto": 3, "epoch": 1, "also": [5]}', "pairs"),
        (b'{"upto": 3, "epoch": 1, "also": [[5]]}', "pairs"),
        (b'{"upto": 3, "epoch": 1, "also": [[6, 5]]}', "pairs"),
        (b'{"upto": 3, "epoch": 1, "also": [[-1, 5]]}', "pairs"),
        (b'{"upto": 3, "epoch": 1, "also": [[true, 5]]}', "pairs"),
        (json.dumps({"upto": 3, "epoch": 1, "also": [[5, 5]] * (ISLANDS_MAX + 1)}).encode(), "4096 pairs"),
        (b'{"upto": 10, "epoch": 1}', "claims record 10, but the last one made here is 9"),
        (b'{"upto": 3, "epoch": 1, "also": [[5, 10]]}', "claims record 10"),
    ],
)
def test_what_is_no_receipt_is_refused_with_the_reason(payload: bytes, why: str) -> None:
    with pytest.raises(ReceiptError, match=why):
        parse_receipt(payload, upto_max=9)


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists).map(
        lambda x: json.dumps({"upto": x, "also": x, "epoch": x}).encode()
    )
)
def test_no_bytes_raise_anything_but_a_receipt_error(payload: bytes) -> None:
    try:
        receipt = parse_receipt(payload, upto_max=9)
    except ReceiptError:
        return
    assert all(0 <= first <= last <= 9 for first, last in receipt.stored)
