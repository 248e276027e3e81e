"""Ten ways to cheat with one account, each by hand and on the bytes: `tbox verify` names every one of them.

The account has all there is: two keys, a fleet's certificate, clocks, two trips, the evidence of two crashes, and the
platform's signed receipt. What each room proves by itself is in tests/test_verify.py, test_rotation.py, test_fleet.py.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from agent.codec import Record, make
from agent.ledger.fleet import CERTIFICATE_NAME, Certificate
from agent.ledger.key import DeviceKey
from agent.ledger.key_chain import handover, told_of
from agent.ledger.ledger import Ledger
from agent.ledger.receipt import Ranges, Receipt, signed
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import RECEIPT, head_frame, keeping, read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.finding import Report
from agent.proof.proof import check
from agent.proof.vouching import Known
from agent.rights import trips
from tests.accounts import KEY, OTHER_KEY, drive, framed, ledger

FLEET, PLATFORM = DeviceKey(bytes([70]) * 32), DeviceKey(bytes([80]) * 32)
SECOND = DeviceKey(bytes([2]) * 32, KEY.device)
KNOWN = Known(KEY.public, FLEET.public, PLATFORM.public)
UTC_US = 1_760_000_000_000_000


def crash(book: Ledger, t_us: int) -> Iterator[Record]:
    """A crash and four parts of its evidence, each of which says what it is."""
    (event,) = book.number("event", t_us, {"event": "crash", "start_us": t_us})
    yield event
    told = {"event": event.seq, "form": "ring", "packed": "deflate", "parts": None}
    yield from book.numbers(
        "evidence", t_us, [{**told, "part": n, "data": bytes([n]) * 40 + bytes([t_us % 251])} for n in range(4)]
    )


@cache
def whole() -> tuple[Record, ...]:
    """The account as it was."""
    book = ledger()
    records = book.start(1, {"software": "tbox 0.1.0"})
    for boot_us in (0, 60_000_000):
        clock = {"boot": 1, "boot_us": boot_us, "utc_us": UTC_US + boot_us, "u_us": 900, "source": "gnss"}
        records += book.number("clock", boot_us, clock)
    records += [*drive(book, 10_000_000), *crash(book, 500_000_000), *book.rotate(600_000_000, SECOND, "a drill")]
    return (*records, *crash(book, 700_000_001), *drive(book, 800_000_000))


def of_kind(kind: str) -> list[Record]:
    return [record for record in whole() if record.kind == kind]


def vouched() -> dict[str, Any]:
    certificate = Certificate.signed(FLEET, KEY.device, KEY.public, "B-TB 42", UTC_US)
    return {
        "chain": told_of(record for record in whole() if "previous" in record.body),
        "certificate": certificate.told(),
        RECEIPT: receipt(len(whole()) - 1).text(),
    }


def receipt(upto: int, key: DeviceKey = PLATFORM) -> Receipt:
    return signed(Receipt(Ranges([(0, upto)]), "3f"), key, KEY.device, UTC_US, whole()[upto].hash)


def verified(path: Path, records: list[Record] | tuple[Record, ...], told: dict[str, Any]) -> Report:
    path.write_bytes(head_frame(KEY.public, 0, told, last=len(whole()) - 1) + framed(records))
    return check([read_pile(path)], KNOWN)


def swapped(one: Record, other: Record, take: Callable[[Record, Record], Record]) -> list[Record]:
    """The account with each of both replaced by what `take` makes of it and the other."""
    new = {one.seq: take(one, other), other.seq: take(other, one)}
    return [new.get(record.seq, record) for record in whole()]


def with_body(record: Record, **changes: Any) -> Record:
    body = {**record.body, **changes}
    return make(record.kind, record.device, record.boot, record.seq, record.t_us, record.prev, body)


def in_place(record: Record) -> list[Record]:
    """The account with this record under its number."""
    return [record if one.seq == record.seq else one for one in whole()]


Forged = tuple[list[Record], dict[str, Any], str]


def one_byte() -> Forged:
    """The event made milder."""
    (brake, *_) = [record for record in of_kind("event") if record.body["event"] == "harsh_braking"]
    return in_place(with_body(brake, event="harsh_drawing")), {}, f"seq {brake.seq} (event): was altered or exchanged"


def another_order() -> Forged:
    """Two records stand the other way round."""
    records = list(whole())
    records[5], records[6] = records[6], records[5]
    return records, {}, f"seq {records[6].seq} ({records[6].kind}): stands behind seq {records[5].seq}"


def a_cut_tail() -> Forged:
    """All after a seal is left out: what is there is whole."""
    upto = of_kind("seal")[2].seq
    return list(whole()[: upto + 1]), {}, f"should end with seq {len(whole()) - 1}, but the last in it is seq {upto}"


def another_devices() -> Forged:
    """The same trip of a car that braked less."""
    book = ledger(key=OTHER_KEY)
    other = [*book.start(1, {}), *drive(book, 10_000_000)]
    stranger = next(record for record in other if record.kind == "event")
    mine = of_kind("event")[0]
    records = [stranger if record.seq == mine.seq else record for record in whole()]
    return records, {}, f"seq {stranger.seq} (event): is of device {OTHER_KEY.device.hex()}"


def an_old_seal() -> Forged:
    """A true seal in another's place."""
    old, new = of_kind("seal")[:2]
    fields = (new.seq, new.t_us, new.prev)
    replayed = make("seal", new.device, new.boot, *fields, dict(old.body))
    return in_place(replayed), {}, f"seq {new.seq} (seal): its signature is not this device's: it was altered or forged"


def another_clock() -> Forged:
    """An hour earlier."""
    clock = of_kind("clock")[0]
    forged = with_body(clock, utc_us=clock.body["utc_us"] - 3_600_000_000)
    return in_place(forged), {}, f"seq {clock.seq} (clock): was altered or exchanged"


def a_key_taken_over() -> Forged:
    """The handover to a key of one's own."""
    link = next(record for record in of_kind("key") if "previous" in record.body)
    thief = DeviceKey(bytes([9]) * 32, KEY.device)
    forged = with_body(link, **handover(KEY.public, thief.public, "stolen"))
    words = f"seq {link.seq} (key): hands over to another key without the signature of the one before: forged"
    return in_place(forged), {"chain": told_of([forged])}, words


def another_certificate() -> Forged:
    """That of another car of the fleet."""
    other = Certificate.signed(FLEET, OTHER_KEY.device, OTHER_KEY.public, "B-TB 43", UTC_US)
    return list(whole()), {"certificate": other.told()}, "its certificate was altered, or is another device's"


def a_receipt_of_ones_own() -> Forged:
    """Signed, by nobody known."""
    told = {RECEIPT: receipt(9, OTHER_KEY).text()}
    return list(whole()), told, f"the platform's receipt is signed by an unknown key, {OTHER_KEY.public.hex()}"


def parts_exchanged() -> Forged:
    """What was caught of one crash put into the other, in the same part."""
    one, other = (part for part in of_kind("evidence") if part.body["part"] == 2)
    records = swapped(one, other, lambda mine, theirs: with_body(mine, data=theirs.body["data"]))
    return records, {}, f"seq {one.seq} (evidence): was altered or exchanged"


WAYS = (
    one_byte, another_order, a_cut_tail, another_devices, an_old_seal, another_clock, a_key_taken_over,
    another_certificate, a_receipt_of_ones_own, parts_exchanged,
)  # fmt: skip


def test_the_account_as_it_was_holds(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", whole(), vouched())
    assert (report.problems, len(report.keys)) == ([], 2)
    assert report.fleet is not None
    assert report.confirmed is not None


@pytest.mark.parametrize("forge", WAYS)
def test_each_way_to_cheat_is_named(tmp_path: Path, forge: Callable[[], Forged]) -> None:
    records, told, words = forge()
    report = verified(tmp_path / "f", records, vouched() | told)
    assert any(words in str(problem) for problem in report.problems), [str(one) for one in report.problems]


def test_both_halves_of_an_exchange_are_named(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", parts_exchanged()[0], vouched())
    assert {problem.seq for problem in report.problems} >= {
        part.seq for part in of_kind("evidence") if part.body["part"] == 2
    }


# ---- a tail that was cut off ----------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A terminal's folder with the account in it."""
    outbox = Outbox.open(tmp_path / STORE_NAME, 64_000_000, "a")
    outbox.append(whole())
    outbox.within(keeping(receipt(len(whole()) - 1).text()))
    outbox.close()
    (tmp_path / CERTIFICATE_NAME).write_bytes(Certificate.signed(FLEET, KEY.device, KEY.public, "x", UTC_US).text())
    return tmp_path


def test_a_store_whose_newest_rows_were_taken_out_is_named(state: Path) -> None:
    assert check([read_pile(state / STORE_NAME)], KNOWN).problems == []
    upto, last = of_kind("seal")[2].seq, len(whole()) - 1
    with closing(sqlite3.connect(state / STORE_NAME)) as store, store:
        store.execute("DELETE FROM records WHERE seq>?", (upto,))
    said = [str(one) for one in check([read_pile(state / STORE_NAME)], KNOWN).problems]
    assert any(
        f"should end with seq {last}, but the last in it is seq {upto}: its end was cut off" in one for one in said
    )
    with closing(sqlite3.connect(state / STORE_NAME)) as store, store:
        store.execute("DELETE FROM account WHERE name='tail'")
    said = [str(one) for one in check([read_pile(state / STORE_NAME)], KNOWN).problems]
    assert said == [f"ends with seq {upto}, but the platform had all up to seq {last}: its end was cut off"]


def test_an_export_says_where_it_ends_and_one_trip_of_it_is_whole(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trips.export(state, tmp_path / "all")
    trips.export(state, tmp_path / "one", of_kind("trip_start")[0].seq)
    capsys.readouterr()
    everything, one = (check([read_pile(tmp_path / name)], KNOWN) for name in ("all", "one"))
    assert (everything.problems, one.problems) == ([], [])
    last, upto = one.last, len(whole()) - 1
    assert f"ends with seq {last}; the platform had all up to seq {upto}, what came after is not in it" in one.notes
    cut = (tmp_path / "all").read_bytes()
    (tmp_path / "all").write_bytes(cut[: cut.rindex(whole()[-1].raw) - 3])
    assert "its end was cut off" in " ".join(map(str, check([read_pile(tmp_path / "all")], KNOWN).problems))
