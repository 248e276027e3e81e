"""Nothing wrong passes for right, and what is wrong has a name."""

import json
import random
import tracemalloc
from pathlib import Path

import msgpack
import pytest

from agent.codec import LANES, ZEROS, Record, decode, kind_number, make
from agent.errors import InputError, UsageError
from agent.ledger.key import DeviceKey
from agent.ledger.ledger import Ledger, Loss, Tail, is_sealed_by, signed_bytes
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import frame, head_frame, read_pile, stub_frame
from agent.outbox.store import STORE_NAME
from agent.proof.finding import Report
from agent.proof.proof import check
from agent.proof.verify import run
from agent.rights import trips
from tests.accounts import KEY, OTHER_KEY, drive, framed, ledger, two_boots

WHOLE = two_boots()


def verified(path: Path, content: bytes) -> Report:
    path.write_bytes(content)
    return check([read_pile(path)])


def named(report: Report) -> list[tuple[int | None, str]]:
    return [(problem.seq, problem.kind) for problem in report.problems]


def changed(record: Record, **body: object) -> Record:
    """The record with other content and the same place in the chain."""
    return make(record.kind, record.device, record.boot, record.seq, record.t_us, record.prev, {**record.body, **body})


def without(*seqs: int) -> list[Record]:
    return [record for record in WHOLE if record.seq not in seqs]


def test_what_was_sealed_holds(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", framed(WHOLE))
    assert report.is_good
    assert (report.device, report.key) == (KEY.device.hex(), KEY.public.hex())
    assert (report.records, report.first, report.last, report.boots) == (18, 0, 17, [1, 2])
    assert (report.seals, report.sealed_upto, report.unsealed) == (2, 16, 0)
    assert report.notes == []


@pytest.mark.parametrize("seq", range(1, 17))
def test_a_changed_record_is_named(tmp_path: Path, seq: int) -> None:
    records = list(WHOLE)
    records[seq] = changed(records[seq], extra=1)
    assert named(verified(tmp_path / "f", framed(records))) == [(seq, WHOLE[seq].kind)] or WHOLE[seq].kind == "seal"
    assert (seq, WHOLE[seq].kind) in named(verified(tmp_path / "f", framed(records)))


@pytest.mark.parametrize("seq", range(18))
def test_a_removed_record_is_named(tmp_path: Path, seq: int) -> None:
    report = verified(tmp_path / "f", framed(without(seq)))
    if seq == 17:
        assert report.notes[-1] == "seq 9..16: no seal vouches for this, not yet or not any more"
        assert report.is_good
    else:
        assert [str(problem) for problem in report.problems] == [f"seq {seq}: is missing"]


@pytest.mark.parametrize(("one", "other"), [(0, 1), (3, 6), (4, 8), (2, 7), (5, 14), (16, 2)])
def test_two_swapped_records_of_an_export_are_named(tmp_path: Path, one: int, other: int) -> None:
    records = list(WHOLE)
    records[one], records[other] = records[other], records[one]
    report = verified(tmp_path / "f", head_frame(KEY.public, 0) + framed(records))
    assert not report.is_good
    assert {seq for seq, _ in named(report)} & {one, other}


@pytest.mark.parametrize("one", range(17))
def test_two_swapped_neighbours_of_an_export_are_named(tmp_path: Path, one: int) -> None:
    records = list(WHOLE)
    records[one : one + 2] = reversed(records[one : one + 2])
    report = verified(tmp_path / "f", head_frame(KEY.public, 0) + framed(records))
    assert named(report) == [(one, WHOLE[one].kind)]
    assert f"behind seq {one + 1}" in report.problems[0].problem


@pytest.mark.parametrize(("one", "other"), [(3, 6), (12, 15), (3, 15)])
def test_two_records_that_exchanged_their_numbers_are_named(tmp_path: Path, one: int, other: int) -> None:
    records = list(WHOLE)
    for place, source in ((one, WHOLE[other]), (other, WHOLE[one])):
        old = WHOLE[place]
        records[place] = make(source.kind, old.device, old.boot, old.seq, old.t_us + 1, old.prev, source.body)
    assert {one, other} <= {seq for seq, _ in named(verified(tmp_path / "f", framed(records)))}


def test_lanes_may_overtake_each_other_and_it_is_noted(tmp_path: Path) -> None:
    records = sorted(WHOLE, key=lambda record: (record.lane == "samples", record.seq))
    report = verified(tmp_path / "f", framed(records))
    assert report.is_good
    assert report.notes == ["f: 4 stand behind newer ones"]


def test_what_is_live_may_overtake_a_backlog_of_its_own_lane_and_it_is_noted(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", framed([*WHOLE[9:], *WHOLE[:9]]))
    assert report.is_good
    assert report.notes == ["f: 9 stand behind newer ones"]


def test_lanes_in_files_of_their_own_are_one_account(tmp_path: Path) -> None:
    for lane in ("event", "trip", "health", "samples"):
        (tmp_path / lane).write_bytes(framed([record for record in WHOLE if record.lane == lane]))
    assert check([read_pile(path) for path in sorted(tmp_path.iterdir())]).is_good


def test_the_same_record_twice_is_counted_and_another_under_its_number_is_wrong(tmp_path: Path) -> None:
    twice = verified(tmp_path / "f", framed([*WHOLE, WHOLE[4], WHOLE[5]]))
    assert twice.is_good
    assert twice.duplicates == 2
    assert named(verified(tmp_path / "f", framed([*WHOLE, changed(WHOLE[4], extra=1)]))) == [(4, "event")]


def test_records_of_another_device_are_named(tmp_path: Path) -> None:
    foreign = ledger(key=OTHER_KEY).start(0, {})
    report = verified(tmp_path / "f", framed([*WHOLE, *foreign]))
    assert named(report) == [(0, "key"), (1, "boot")]
    assert OTHER_KEY.device.hex() in report.problems[0].problem


def test_records_behind_the_last_seal_are_said_to_be_unproven(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", framed(WHOLE[:12]))
    assert report.is_good
    assert report.unsealed == 3
    assert report.notes == ["seq 9..11: no seal vouches for this, not yet or not any more"]


def test_without_any_seal_nothing_is_proven(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", framed(WHOLE[:6]))
    assert [problem.problem for problem in report.problems] == [
        "there is no valid seal: nothing vouches for these records"
    ]


def test_a_whole_account_forged_without_the_key_fails_at_the_seals(tmp_path: Path) -> None:
    forger = DeviceKey(bytes(31) + b"\x07")
    forger.device = KEY.device
    book = Ledger(forger, 1, Tail(), ledger()._identity)
    report = verified(tmp_path / "f", framed(book.start(0, {}) + drive(book, 5)))
    assert not report.is_good
    assert [str(problem) for problem in report.problems] == ["no seal can be checked: the key is not this device's"]


def test_an_account_rewritten_from_one_record_on_fails_at_its_seal(tmp_path: Path) -> None:
    records, prev = list(WHOLE[:4]), WHOLE[3].hash
    for record in WHOLE[4:]:
        body = {**record.body, "event": "none"} if record.seq == 4 else record.body
        records.append(make(record.kind, record.device, record.boot, record.seq, record.t_us, prev, body))
        prev = records[-1].hash
    assert {(8, "seal"), (17, "seal")} <= set(named(verified(tmp_path / "f", framed(records))))


def test_a_seal_that_lies_about_what_it_seals_is_named(tmp_path: Path) -> None:
    book = ledger()
    records = book.start(0, {}) + drive(book, 5)
    book.tail = Tail(**{name: getattr(book.tail, name) for name in book.tail.__slots__} | {"counts": {"event": 7}})
    records.append(book.seal(9))
    report = verified(tmp_path / "f", framed(records))
    assert named(report) == [(9, "seal")]
    assert "counts 7 event in 8..8, but there are 1 seal" in report.problems[0].problem


@pytest.mark.parametrize("body", [{"head": bytes(32)}, {"upto": 1}])
def test_a_signed_seal_of_another_place_is_named(tmp_path: Path, body: dict[str, object]) -> None:
    book = ledger()
    records = book.start(0, {}) + book.number("health", 1, {})
    tail, right = book.tail, book.seal(2)
    told = {name: fact for name, fact in right.body.items() if name != "signature"} | body
    message = signed_bytes(3, 1, 2, KEY.device, tail.head, told)
    seal = make("seal", KEY.device, 1, 3, 2, tail.head, {**told, "signature": KEY.sign(message)})
    report = verified(tmp_path / "f", framed([*records, seal]))
    assert "seq 3 (seal): does not seal the record before it" in [str(one) for one in report.problems]


@pytest.mark.parametrize(("boots", "fault"), [
    pytest.param((1, 2), "begins boot 2 without a boot record", id="a boot without its record"),
    pytest.param((3, 2), "is of boot 2, but seq 9 before it of boot 3", id="a boot that falls"),
])  # fmt: skip
def test_boots_that_cannot_be_are_named(tmp_path: Path, boots: tuple[int, int], fault: str) -> None:
    first = ledger(boots[0])
    records = first.start(0, {}) + drive(first, 5) + first.number("health", 9, {})
    second = ledger(boots[1], first.tail)
    records += [*second.number("event", 0, {}), second.seal(1)]
    report = verified(tmp_path / "f", framed(records))
    assert [str(problem) for problem in report.problems] == [f"seq 10 (event): {fault}"]


def test_what_was_dropped_and_accounted_for_is_no_fault(tmp_path: Path) -> None:
    book = ledger()
    records = book.start(0, {}) + drive(book, 5)
    lost = [records[3], records[5], records[6]]
    told = [Loss(one.seq, one.seq, one.kind, "over budget", (one.hash,)) for one in lost]
    gaps = book.gaps(9, told)
    kept = [record for record in records if record not in lost]
    report = verified(tmp_path / "f", framed(kept + gaps))
    assert report.problems == []
    assert [(entry["first"], entry["last"], entry["kind"]) for entry in report.dropped] == [
        (3, 3, "samples"), (5, 5, "health"), (6, 6, "samples"),
    ]  # fmt: skip
    unsealed = verified(tmp_path / "f", framed(kept + gaps[:1]))
    assert "seq 9 says it was dropped, but no seal vouches for that" in unsealed.problems[0].problem
    altered = [changed(record, extra=1) if record.seq == 4 else record for record in kept]
    report = verified(tmp_path / "f", framed(altered + gaps))
    assert [str(one) for one in report.problems] == [
        "seq 8 (seal): what it sealed is not what is here: one of seq 2..6 was altered"
    ]


def test_a_gap_that_tells_other_hashes_than_the_chain_is_named(tmp_path: Path) -> None:
    book = ledger()
    records = book.start(0, {}) + drive(book, 5)
    gaps = book.gaps(9, [Loss(5, 6, "samples", "over budget", (bytes(32), bytes(32)))])
    report = verified(tmp_path / "f", framed([one for one in records if one.seq not in (5, 6)] + gaps))
    assert (7, "trip_end") in named(report)
    assert "as it was when it was dropped" in report.problems[0].problem


def test_a_forged_gap_excuses_nothing(tmp_path: Path) -> None:
    last = WHOLE[-1]
    body = {"ranges": [[4, 4, ["event"], "over budget", [WHOLE[4].hash]]]}
    forged = make("gap", last.device, last.boot, 18, last.t_us, last.hash, body)
    report = verified(tmp_path / "f", framed([*without(4), forged]))
    assert [problem.seq for problem in report.problems] == [4]


def test_a_trip_end_whose_seal_became_something_else_is_wrong(tmp_path: Path) -> None:
    last = WHOLE[17]
    other = make("kind-80", last.device, last.boot, last.seq, last.t_us, last.prev, last.body)
    report = verified(tmp_path / "f", framed([*WHOLE[:17], other]))
    assert [str(one) for one in report.problems] == ["seq 17 (kind-80): should be the seal of seq 16 (trip_end)"]


def test_unknown_kinds_are_verified_like_any_other(tmp_path: Path) -> None:
    book = ledger()
    records = [*book.start(0, {}), book._number("kind-42", 1, {"new": True}), *drive(book, 5)]
    assert verified(tmp_path / "f", framed(records)).is_good
    records[2] = changed(records[2], new=False)
    assert named(verified(tmp_path / "f", framed(records))) == [(2, "kind-42")]


def test_a_torn_end_is_said(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", framed(WHOLE)[:-20])
    assert "after seq 16 are no frame: damaged or cut off" in report.problems[0].problem


def test_garbage_between_records_is_said_and_the_rest_is_still_read(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", framed(WHOLE[:5]) + b"\xc6\xff\xff garbage \xc4" + framed(WHOLE[5:]))
    assert len(report.problems) == 1
    assert "after seq 4 are no frame" in report.problems[0].problem
    assert report.records == 18


def stub(record: Record) -> bytes:
    return stub_frame(record.seq, kind_number(record.kind), record.hash)


def test_an_export_says_where_it_begins_and_what_it_has_only_hashes_of(tmp_path: Path) -> None:
    body = [stub(record) if record.seq in (9, 12, 15) else frame(record.raw) for record in WHOLE[8:]]
    report = verified(tmp_path / "f", head_frame(KEY.public, 8) + b"".join(body))
    assert report.problems == []
    assert (report.elsewhere, report.unsealed) == (3, 0)
    assert report.notes == [
        "begins with seq 8; what came before is not in it",
        "seq 9, 12, 15: only the hash is in it (1 boot, 2 samples)",
    ]
    beheaded = verified(tmp_path / "f", head_frame(KEY.public, 8) + b"".join(body[1:]))
    assert "should begin with seq 8, but the first in it is seq 9" in beheaded.problems[0].problem


@pytest.mark.parametrize(("stubs", "at", "who"), [
    pytest.param((12,), 11, [(11, "trip_start")], id="the only one the chain cannot show is named"),
    pytest.param((12, 15), 11, [(17, "seal")], id="one of two: the seal says among which"),
    pytest.param((12, 15), 13, [(13, "event")], id="one the chain shows is named"),
])  # fmt: skip
def test_a_record_before_one_of_which_only_the_hash_is_left_cannot_be_changed_either(
    tmp_path: Path, stubs: tuple[int, ...], at: int, who: list[tuple[int, str]]
) -> None:
    records = [changed(record, extra=1) if record.seq == at else record for record in WHOLE[8:]]
    body = [stub(record) if record.seq in stubs else frame(record.raw) for record in records]
    report = verified(tmp_path / "f", head_frame(KEY.public, 8) + b"".join(body))
    assert named(report) == who or (at == 11 and "one of seq" in report.problems[0].problem)


def test_where_hashes_are_missing_it_says_what_no_seal_vouches_for(tmp_path: Path) -> None:
    body = [stub(record) if record.seq == 12 else frame(record.raw) for record in WHOLE[10:]]
    report = verified(tmp_path / "f", head_frame(KEY.public, 10) + b"".join(body))
    assert report.is_good
    assert report.notes[-1] == "seq 10..11: no seal vouches for this, not yet or not any more"


def test_no_flipped_bit_of_an_export_passes(tmp_path: Path) -> None:
    store = Outbox.open(tmp_path / "state" / STORE_NAME, 64_000_000)
    store.append(WHOLE)
    store.confirm_ranges([(0, 13)])
    store.close()
    path = tmp_path / "export"
    assert trips.export(tmp_path / "state", path, 11) == 0
    whole = path.read_bytes()
    assert check([read_pile(path)]).is_good
    rng = random.Random(7)
    for bit in rng.sample(range(len(whole) * 8), 400):
        torn = bytearray(whole)
        torn[bit // 8] ^= 1 << bit % 8
        assert not verified(path, bytes(torn)).is_good, f"bit {bit % 8} of byte {bit // 8}"


def test_no_flipped_bit_of_what_was_received_passes(tmp_path: Path) -> None:
    whole = framed(WHOLE)
    rng = random.Random(8)
    for bit in rng.sample(range(len(whole) * 8), 400):
        torn = bytearray(whole)
        torn[bit // 8] ^= 1 << bit % 8
        assert not verified(tmp_path / "f", bytes(torn)).is_good, f"bit {bit % 8} of byte {bit // 8}"


def test_no_file_makes_it_fail_other_than_by_saying_so(tmp_path: Path) -> None:
    rng = random.Random(9)
    whole = framed(WHOLE)
    for _ in range(150):
        torn = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            at, size = rng.randrange(len(torn)), rng.randrange(1, 90)
            torn[at : at + size] = rng.randbytes(rng.randrange(90))
        assert not verified(tmp_path / "f", bytes(torn)).is_good


def test_the_store_itself_can_be_verified_beside_its_writer(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path / STORE_NAME, 64_000_000)
    outbox.append(WHOLE)
    assert run([tmp_path / STORE_NAME], json=False, key=None) == 0
    outbox._connection.execute("UPDATE records SET raw=? WHERE seq=4", (changed(WHOLE[4], extra=1).raw,))
    assert named(check([read_pile(tmp_path / STORE_NAME)])) == [(4, "event")]
    outbox._connection.execute("DELETE FROM records WHERE seq=4")
    assert named(check([read_pile(tmp_path / STORE_NAME)])) == [(4, "")]
    outbox.close()


def test_the_command_says_good_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f").write_bytes(framed(WHOLE))
    assert run([tmp_path / "f"], json=False, key=KEY.public.hex()) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"device {KEY.device.hex()}, 18 records, seq 0..17, boots 1, 2",
        f"key {KEY.public.hex()} (as given)",
        "2 seals are the device's; the last vouches for everything up to seq 16",
        "GOOD: nothing is missing, altered or exchanged; a cut-off end would not show",
    ]


def test_the_command_names_the_record_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [changed(record, event="none") if record.seq == 4 else record for record in WHOLE]
    (tmp_path / "f").write_bytes(framed(records))
    assert run([tmp_path / "f"], json=False, key=None) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "WRONG: seq 4 (event): was altered or exchanged: the chain breaks between it and seq 5",
        "FAILED: 1 thing does not hold",
    ]


def test_the_command_tells_scripts_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f").write_bytes(framed(without(4)))
    assert run([tmp_path / "f"], json=True, key=None) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["good"], told["problems"]) == (False, [{"seq": 4, "kind": "", "problem": "is missing"}])
    assert (told["device"], told["sealed_upto"]) == (KEY.device.hex(), 16)


def test_many_problems_are_not_all_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = ledger()
    records = (
        book.start(0, {}) + [record for _ in range(100) for record in book.number("health", 0, {})] + [book.seal(0)]
    )
    kept = [record for record in records if record.kind != "health" or record.seq % 2]
    (tmp_path / "f").write_bytes(framed(kept))
    assert run([tmp_path / "f"], json=False, key=None) == 1
    assert len(capsys.readouterr().out.splitlines()) < 60


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xc4\x03abc", b"\x98\x01", framed(WHOLE)[:100]])
def test_a_file_without_records_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(InputError, match="there are no records in it"):
        run([tmp_path / "f"], json=False, key=None)


def test_a_folder_is_the_store_in_it_or_all_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outbox = Outbox.open(tmp_path / "state" / STORE_NAME, 64_000_000)
    outbox.append(two_boots())
    outbox.close()
    assert run([tmp_path / "state"], json=False, key=None) == 0
    received = tmp_path / "received"
    received.mkdir()
    for lane in LANES:
        (received / f"{lane}.records").write_bytes(framed([one for one in two_boots() if one.lane == lane]) or b"")
    (received / "evidence.records").unlink()
    (received / ".part").write_bytes(b"not yet")
    assert run([received], json=False, key=None) == 0
    assert capsys.readouterr().out.count("18 records, seq 0..17") == 2


def test_a_folder_without_files_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file in it; name a state folder"):
        run([tmp_path], json=False, key=None)


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing: cannot be read: No such file"):
        run([tmp_path / "nothing"], json=False, key=None)


@pytest.mark.parametrize("key", ["", "xyz", "ab" * 31])
def test_a_key_that_is_none_is_a_usage_error(tmp_path: Path, key: str) -> None:
    (tmp_path / "f").write_bytes(framed(WHOLE))
    with pytest.raises(UsageError, match="64 hex digits"):
        run([tmp_path / "f"], json=False, key=key)


def test_a_key_of_another_device_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(framed(WHOLE))
    assert run([tmp_path / "f"], json=False, key=OTHER_KEY.public.hex()) == 1


def test_the_frames_are_plain_msgpack(tmp_path: Path) -> None:
    unpacker = msgpack.Unpacker()
    unpacker.feed(framed(WHOLE))
    assert [decode(raw) for raw in unpacker] == list(WHOLE)
    assert is_sealed_by(WHOLE[8], KEY.public)
    assert WHOLE[0].prev == ZEROS


def test_a_file_takes_no_more_memory_than_it_needs(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(framed(WHOLE))
    tracemalloc.start()
    try:
        read_pile(tmp_path / "f")
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 16 << 20
