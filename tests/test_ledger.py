"""Numbers without a hole, a chain without a break, seals where they are due."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.codec import ZEROS, Record, decode, make
from agent.errors import StorageError
from agent.ledger.ledger import (
    DAMAGED,
    GAP_HASHES_MAX,
    SEAL_EVERY_US,
    SEAL_TAG,
    Loss,
    Tail,
    is_sealed_by,
    losses_of,
    signed_bytes,
)
from tests.accounts import KEY, OTHER_KEY, drive, ledger, two_boots

MINUTE_US = 60_000_000


def test_the_account_begins_with_the_key_and_each_boot_with_a_boot_record() -> None:
    first = ledger()
    records = first.start(7, {"reason": "power on"})
    assert [(record.kind, record.seq) for record in records] == [("key", 0), ("boot", 1)]
    assert records[0].body["public"] == KEY.public
    assert records[1].body == {"reason": "power on", "key": {"public": KEY.public, "id": KEY.device}}
    again = ledger(2, first.tail).start(3, {})
    assert [(record.kind, record.seq, record.boot) for record in again] == [("boot", 2, 2)]


def test_each_record_leads_back_to_the_exact_bytes_before_it() -> None:
    records = two_boots()
    assert [record.seq for record in records] == list(range(len(records)))
    assert records[0].prev == ZEROS
    assert all(after.prev == hashlib.sha256(before.raw).digest() for before, after in pairwise(records))
    assert [decode(record.raw) for record in records] == list(records)


def test_the_tail_goes_on_as_if_there_had_been_no_restart() -> None:
    records = two_boots()
    tail = Tail()
    for record in records:
        tail = tail.after(record)
    assert (tail.next_seq, tail.head, tail.boot, tail.device) == (18, records[-1].hash, 2, KEY.device)


@pytest.mark.parametrize(("kind", "kinds"), [
    pytest.param("trip_end", ["trip_end", "seal"], id="a trip's end is sealed at once"),
    pytest.param("evidence", ["evidence", "seal"], id="evidence is sealed at once"),
    pytest.param("gap", ["gap", "seal"], id="a gap counts only when sealed"),
    pytest.param("event", ["event"], id="an event waits for the next seal"),
    pytest.param("samples", ["samples"], id="samples wait for the next seal"),
])  # fmt: skip
def test_what_must_be_sealed_comes_with_its_seal(kind: str, kinds: list[str]) -> None:
    assert [record.kind for record in ledger().number(kind, 0, {})] == kinds


def test_a_seal_says_what_it_seals_and_nothing_is_sealed_twice_or_left_out() -> None:
    seals = [record for record in two_boots() if record.kind == "seal"]
    first, second = (dict(seal.body) for seal in seals)
    assert (first["from"], first["upto"], first["head"]) == (0, 7, seals[0].prev)
    assert first["counts"] == {
        "boot": 1,
        "event": 1,
        "health": 1,
        "key": 1,
        "samples": 2,
        "trip_end": 1,
        "trip_start": 1,
    }
    assert first["frames"] == {"in": 100, "decoded": 90, "unmapped": 10}
    assert (first["software"], first["settings"], first["key"]) == ("tbox 0.1.0", "5e77195", KEY.device)
    assert (second["from"], second["upto"], second["counts"]["seal"]) == (8, 16, 1)


def test_the_signature_covers_the_tag_the_head_and_every_field() -> None:
    seal = next(record for record in two_boots() if record.kind == "seal")
    body = dict(seal.body)
    body.pop("signature")
    message = signed_bytes(seal.seq, seal.boot, seal.t_us, seal.device, seal.prev, body)
    assert message.startswith(SEAL_TAG)
    assert is_sealed_by(seal, KEY.public)
    assert not is_sealed_by(seal, OTHER_KEY.public)
    for changed in (
        make("seal", seal.device, seal.boot, seal.seq + 1, seal.t_us, seal.prev, seal.body),
        make("seal", seal.device, seal.boot + 1, seal.seq, seal.t_us, seal.prev, seal.body),
        make("seal", seal.device, seal.boot, seal.seq, seal.t_us + 1, seal.prev, seal.body),
        make("seal", seal.device, seal.boot, seal.seq, seal.t_us, bytes(31) + b"\x01", seal.body),
        make("seal", seal.device, seal.boot, seal.seq, seal.t_us, seal.prev, {**seal.body, "losses": {"x": 0}}),
        make("seal", seal.device, seal.boot, seal.seq, seal.t_us, seal.prev, body),
        make("seal", seal.device, seal.boot, seal.seq, seal.t_us, seal.prev, {**body, "signature": "text"}),
    ):
        assert not is_sealed_by(changed, KEY.public)


def test_a_seal_is_due_ten_minutes_after_the_one_before() -> None:
    book = ledger()
    book.start(0, {})
    assert not book.due(SEAL_EVERY_US - 1)
    assert book.due(SEAL_EVERY_US)
    book.seal(SEAL_EVERY_US)
    book.number("event", SEAL_EVERY_US + MINUTE_US, {})
    assert not book.due(2 * SEAL_EVERY_US - 1)
    assert book.due(2 * SEAL_EVERY_US)


def test_of_a_parked_car_only_an_event_waits_for_a_seal() -> None:
    book = ledger()
    book.start(0, {})
    assert not book.due(SEAL_EVERY_US, is_parked=True)
    book.number("event", SEAL_EVERY_US, {"event": "parked_impact"})
    assert book.due(SEAL_EVERY_US, is_parked=True)


def test_a_seal_is_not_due_when_nothing_was_numbered_since() -> None:
    book = ledger()
    book.start(0, {})
    book.seal(1)
    assert not book.due(10 * SEAL_EVERY_US)


def test_after_a_restart_the_ten_minutes_count_in_the_new_boots_time() -> None:
    first = ledger()
    first.start(50 * SEAL_EVERY_US, {})
    second = ledger(2, first.tail)
    assert not second.due(100 * SEAL_EVERY_US)
    second.start(1000, {})
    assert not second.due(1000 + SEAL_EVERY_US - 1)
    assert second.due(1000 + SEAL_EVERY_US)


def test_a_store_of_another_device_is_refused() -> None:
    with pytest.raises(StorageError, match=OTHER_KEY.device.hex()):
        ledger(tail=Tail(device=OTHER_KEY.device, next_seq=9))


def test_gaps_say_what_was_dropped_and_the_next_seal_counts_it() -> None:
    book = ledger(tail=Tail(next_seq=300))
    samples = [record for number in range(3) for record in book.number("samples", number, {})]
    loss = Loss(300, 302, "samples", "over budget", tuple(record.hash for record in samples))
    gap, seal = book.gaps(9, [loss, Loss(100, 200, "", DAMAGED, ())])
    assert gap.body["ranges"][0] == [300, 302, ["samples"], "over budget", list(loss.hashes)]
    assert losses_of(gap) == [loss, Loss(100, 200, "", DAMAGED, ())]
    assert seal.body["losses"] == {"records: over budget": 3, "records: store damaged": 101}
    assert book.seal(10).body["losses"] == {}
    assert book.gaps(11, []) == []


def test_losses_the_core_counted_stand_in_every_seal() -> None:
    book = ledger()
    book.count({"in": 5}, {"frames dropped": 2})
    assert book.seal(0).body["losses"] == {"frames dropped": 2}


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=5))
def test_many_losses_become_several_gaps_and_none_is_left_out(lengths: list[int]) -> None:
    losses, at = [], 0
    for length in lengths:
        losses.append(Loss(at, at + length - 1, "samples", "over budget", (bytes(32),) * length))
        at += length + 1
    *gaps, seal = ledger(tail=Tail(next_seq=at)).gaps(0, losses)
    assert seal.kind == "seal"
    assert all(sum(len(loss.hashes) for loss in losses_of(gap)) <= GAP_HASHES_MAX for gap in gaps)
    told = [seq for gap in gaps for loss in losses_of(gap) for seq in range(loss.first, loss.last + 1)]
    assert told == [seq for loss in losses for seq in range(loss.first, loss.last + 1)]


@pytest.mark.parametrize("ranges", [
    None, 5, [[]], [[1, 2, ["samples"], "x"]], [[2, 1, ["samples"], "x", []]], [[1, 2, ["samples"], "x", [bytes(32)]]],
    [[-1, 0, [], "x", []]], [[0, 0, [], "x", ["text"]]], [["0", 0, [], "x", []]], [[0, 9, [], "x", []]],
    [[0, 2**64 - 1, [], "x", []]],
])  # fmt: skip
def test_a_malformed_gap_or_one_that_speaks_of_the_future_covers_nothing(ranges: object) -> None:
    assert losses_of(make("gap", KEY.device, 1, 9, 0, ZEROS, {"ranges": ranges})) == []


def test_the_same_drive_gives_the_same_bytes() -> None:
    def made() -> list[Record]:
        book = ledger()
        return book.start(1, {}) + drive(book, 5)

    assert [record.raw for record in made()] == [record.raw for record in made()]
