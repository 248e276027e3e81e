"""An erased trip is gone for good, the account says so and still holds, and no power cut is ever between the two."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.codec import Record, decode
from agent.errors import InputError
from agent.ledger.ledger import ERASED, Ledger, Loss, losses_of
from agent.outbox import erasure
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.finding import Report
from agent.proof.proof import check
from agent.proof.verify import run
from agent.rights import trips
from agent.rights.requests import Contest, Erase
from agent.uplink.exchange import Acked, LinkUp
from tests.accounts import drive, ledger, two_boots
from tests.clerks import Office

SECRET = "where-she-went"
LARGE = 64_000_000
OF_TRIP_2 = [2, 3, 4, 6, 7]
"""Of the two trips of `two_boots`: start, samples, event, samples, end; health 5 and the seal 8 stay."""


def busy(book: Ledger, t_us: int) -> list[Record]:
    """A trip that leaves one of everything."""
    start = book.number("trip_start", t_us, {"start_us": t_us, "mark": SECRET})
    trip = {"trip": start[0].seq}
    records = start + book.number("samples", t_us, {**trip, "columns": SECRET.encode() * 400})
    records += (event := book.number("event", t_us, {**trip, "event": "crash", "mark": SECRET}))
    records += book.number("evidence", t_us, {"event": event[0].seq, "data": SECRET.encode() * 3000})
    records += book.number("health", t_us, {"turns": 3})
    records += book.number("dtc", t_us, {**trip, "code": SECRET})
    records += book.number("config", t_us, {**trip, "shadow": {"differences": [SECRET]}})
    return records + book.number("trip_end", t_us, {**trip, "start_us": t_us, "end_us": t_us, "mark": SECRET})


def verified(path: Path) -> Report:
    return check([read_pile(path)])


def erased(report: Report) -> list[int]:
    """The numbers that the account says are erased."""
    spans = [(one["first"], one["last"]) for one in report.dropped if one["reason"] == ERASED]
    return [seq for first, last in spans for seq in range(first, last + 1)]


def erase(outbox: Outbox, book: Ledger, trip: int) -> list[Record]:
    """As the clerk does it."""
    found = outbox.within(lambda store: erasure.of_trip(store, trip))
    assert isinstance(found, list)
    outbox.append(gaps := book.gaps(9, found))
    return gaps


@pytest.fixture
def state(tmp_path: Path) -> Path:
    outbox = Outbox.open(tmp_path / STORE_NAME, LARGE, "a")
    outbox.append(two_boots())
    outbox.close()
    return tmp_path


@pytest.mark.parametrize("confirmed", [-1, 4, 17])
def test_an_erased_trip_is_gone_and_the_account_says_so(
    state: Path, confirmed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox = Outbox.open(state / STORE_NAME, LARGE, "a")
    outbox.confirm_ranges([(0, confirmed)])
    outbox.close()
    office = Office(state)
    answer = office.ask(Erase(2))
    assert (answer.is_done, answer.text) == (True, "trip 2 is erased here; what was sent before is elsewhere")
    assert (
        sum(office.delivery.writer.depth.values())
        == len([s for s in range(confirmed + 1, 18) if s not in OF_TRIP_2]) + 2
    )
    assert office.ask(Erase(2)).text == "there is no trip 2 on this terminal (not any more)"
    office.close()
    report = verified(state / STORE_NAME)
    assert (report.problems, erased(report)) == ([], OF_TRIP_2)
    assert run([state / STORE_NAME], json=False, key=None) == 0
    assert "dropped, accounted: seq 2..2 trip_start (erased)" in capsys.readouterr().out
    with pytest.raises(InputError, match="there is no trip 2"):
        trips.show_trip(state, 2, json=False)
    assert trips.show_trip(state, 11, json=True) == 0
    for number in (None, 11):
        trips.export(state, state / "export", number)
        assert verified(state / "export").problems == []


def test_all_that_tells_of_a_trip_goes_and_nothing_else(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.keep(office.book.start(0, {}))
    first, second = busy(office.book, 5), busy(office.book, 9)
    office.keep(first + second)
    crash, other = first[2].seq, second[2].seq
    office.ask(Contest(crash, SECRET))
    office.ask(Contest(other, "stays"))
    assert office.ask(Erase(first[0].seq)).is_done
    office.close()
    gone = {record.seq for record in first if record.kind not in ("health", "seal")} | {office.made[0].seq}
    assert set(erased(verified(tmp_path / STORE_NAME))) == gone
    with closing(sqlite3.connect(tmp_path / STORE_NAME)) as store:
        left = {seq for (seq,) in store.execute("SELECT seq FROM records")}
    assert left == set(range(office.book.tail.next_seq)) - gone


def test_a_trip_whose_end_was_lost_can_be_erased_when_another_has_begun(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path / STORE_NAME, LARGE, "a")
    outbox.append(two_boots()[:7])
    assert isinstance(outbox.within(lambda store: erasure.of_trip(store, 2)), str)
    outbox.append(two_boots()[7:12])
    outbox.within(lambda store: store.execute("DELETE FROM records WHERE seq=7"))
    assert isinstance(outbox.within(lambda store: erasure.of_trip(store, 2)), list)
    outbox.close()


@pytest.mark.parametrize("is_confirmed", [False, True])
def test_no_byte_of_it_is_left_in_the_files(tmp_path: Path, is_confirmed: bool) -> None:
    book, store = ledger(), tmp_path / STORE_NAME
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(book.start(0, {}) + busy(book, 5))
    if is_confirmed:
        outbox.confirm_ranges([(0, 99)])
    damaged = tmp_path / f"{STORE_NAME}.damaged-20260101T000000Z"
    shutil.copy(store, damaged)
    wal = store.with_name(f"{STORE_NAME}-wal")
    assert SECRET.encode() in store.read_bytes() + wal.read_bytes()
    erase(outbox, book, 2)
    assert SECRET.encode() not in store.read_bytes() + wal.read_bytes()
    assert not damaged.exists()
    outbox.close()


@pytest.mark.parametrize(("trip", "why"), [
    pytest.param(3, "there is no trip 3", id="samples are no trip"),
    pytest.param(99, "there is no trip 99", id="no record at all"),
    pytest.param(18, "trip 18 is still open", id="a trip that goes on"),
])  # fmt: skip
def test_what_is_no_closed_trip_is_not_erased(state: Path, trip: int, why: str) -> None:
    outbox = Outbox.open(state / STORE_NAME, LARGE, "a")
    book = ledger(2, outbox.tail())
    outbox.append(book.number("trip_start", 9, {"start_us": 4}))
    outbox.close()
    office = Office(state)
    answer = office.ask(Erase(trip))
    assert not answer.is_done
    assert answer.text.startswith(why)
    assert office.made == []
    office.close()


def test_what_is_erased_is_not_delivered_any_more(state: Path) -> None:
    office = Office(state)
    office.link.says = [LinkUp("broker", "5", session_present=False)]
    office.until(lambda: len(office.link.published) == 2)
    on_the_way = {one.seq for one in office.link.published}
    assert office.ask(Erase(11)).is_done

    def acknowledge() -> bool:
        office.link.says = [Acked(seq) for seq in {one.seq for one in office.link.published}]
        return not office.delivery.waiting

    office.until(acknowledge)
    sent = {one.seq for one in office.link.published}
    assert sent & {11, 12, 13, 15, 16} <= on_the_way
    assert {office.made[0].seq, *range(2, 8)} <= sent
    office.close()


def test_the_films_of_an_erased_trip_go_with_it(state: Path) -> None:
    for event in (4, 13):
        (state / "clips" / f"1-{event}").mkdir(parents=True)
        (state / "clips" / f"1-{event}" / "segment").touch()
        (state / "clips" / f"1-{event}.json").touch()
    office = Office(state)
    assert office.ask(Erase(11)).is_done
    assert sorted(path.name for path in (state / "clips").iterdir()) == ["1-4", "1-4.json"]
    office.close()


# ---- the power goes -------------------------------------------------------------------------------------------------


class Copies:
    """The store's files as they are at moments of an erasure."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.taken, self.is_on = folder, list[Path](), False

    def take(self) -> None:
        """What a power cut now would leave."""
        if not self.is_on:
            return
        copy = self.folder / f"cut-{len(self.taken)}"
        shutil.copytree(self.folder / "state", copy, ignore=shutil.ignore_patterns("*.lock", "*-shm"))
        self.taken.append(copy)


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copies:
    """Taken before, between each step and after: in the transaction, after its commit, before the log goes."""
    taken = Copies(tmp_path)
    steps = {
        "agent.outbox.recovery.erase": erasure.erase,
        "agent.outbox.outbox.wipe": erasure.wipe,
        "agent.outbox.erasure.write_reserve": erasure.write_reserve,
    }
    for name, step in steps.items():

        def stepped(*words: Any, step: Any = step) -> Any:
            taken.take()
            result = step(*words)
            taken.take()
            return result

        monkeypatch.setattr(name, stepped)
    return taken


def test_whenever_the_power_goes_there_is_the_trip_or_the_word_that_it_was_erased(copies: Copies) -> None:
    book, store = ledger(), copies.folder / "state" / STORE_NAME
    outbox = Outbox.open(store, LARGE, "a")
    records = book.start(0, {}) + busy(book, 5) + busy(book, 6)
    outbox.append(records)
    copies.is_on = True
    copies.take()
    erase(outbox, book, 2)
    copies.take()
    copies.is_on = False
    outbox.close()
    start = next(one.raw for one in records if one.seq == 2)
    found = [_after_the_cut(folder / STORE_NAME, start) for folder in copies.taken]
    assert found == ["whole"] * 3 + ["erased"] * 7


def _after_the_cut(store: Path, start: bytes) -> str:
    """The trip is whole or erased; asked once more, it is erased, the account holds, and its bytes are nowhere."""
    outbox = Outbox.open(store, LARGE, "b")
    assert outbox.reports == []
    seqs = {seq for lane in ("trip", "samples", "event", "evidence") for seq, _ in outbox.pending(lane, -1, 99)}
    told = erased_upto(outbox)
    book = ledger(outbox.boot, outbox.tail())
    outbox.append(book.start(1, {}))
    found = outbox.within(lambda connection: erasure.of_trip(connection, 2))
    assert isinstance(found, list) == (2 in seqs) == (not told)
    if isinstance(found, list):
        outbox.append(book.gaps(9, found))
    outbox.append([book.seal(10)])
    assert not [path for path in store.parent.iterdir() if start in path.read_bytes()]
    outbox.close()
    report = verified(store)
    assert report.problems == []
    assert 2 in erased(report)
    return "erased" if told else "whole"


def erased_upto(outbox: Outbox) -> list[Loss]:
    """What gaps in the store say is erased."""
    records = [decode(raw) for _, raw in outbox.pending("event", -1, 999)]
    return [loss for record in records if record.kind == "gap" for loss in losses_of(record) if loss.reason == ERASED]


def test_a_damaged_store_does_not_bring_it_back(tmp_path: Path) -> None:
    book, store = ledger(), tmp_path / STORE_NAME
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(book.start(0, {}) + busy(book, 5) + busy(book, 6))
    before = {path: path.read_bytes() for path in (store, store.with_name(f"{STORE_NAME}-wal"))}
    erase(outbox, book, 2)
    outbox.close()
    aside = tmp_path / f"{STORE_NAME}.damaged-20260101T000000Z"
    for path, content in before.items():
        aside.with_name(path.name.replace(STORE_NAME, aside.name)).write_bytes(content)
    store.write_bytes(b"\0" * 16 + store.read_bytes()[16:])
    again = Outbox.open(store, LARGE, "b")
    seqs = {seq for lane in ("trip", "samples", "event", "evidence") for seq, _ in again.pending(lane, -1, 999)}
    assert any("records were saved" in report for report in again.reports)
    assert seqs
    assert seqs & {2, 3, 4, 5} == set()
    assert all(not loss.first <= 3 <= loss.last for loss in again.losses())
    again.close()


def _made(book: Ledger, kind: str, t_us: int) -> list[Record]:
    """Records of a kind of happening."""
    match kind:
        case "restart":
            return book.start(0, {})
        case "health":
            return book.number("health", t_us, {})
        case "drive":
            return drive(book, t_us + 5_000_000)
    return busy(book, t_us)


@given(kinds=st.lists(st.sampled_from(["drive", "busy", "health", "restart"]), min_size=2, max_size=8), data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_account_with_erased_trips_holds(
    tmp_path_factory: pytest.TempPathFactory, kinds: Sequence[str], data: st.DataObject
) -> None:
    store, boot = tmp_path_factory.mktemp("any") / STORE_NAME, 1
    outbox, book = Outbox.open(store, LARGE, "a"), ledger()
    outbox.append(book.start(0, {}))
    starts: list[int] = []
    for t_us, kind in enumerate(kinds, start=1):
        if kind == "restart":
            boot += 1
            book = ledger(boot, book.tail)
        made = _made(book, kind, t_us)
        outbox.append(made)
        starts += [record.seq for record in made if record.kind == "trip_start"]
        if data.draw(st.booleans()):
            outbox.confirm_ranges([(0, data.draw(st.integers(0, book.tail.next_seq)))])
        if starts and data.draw(st.booleans()):
            erase(outbox, book, starts.pop(data.draw(st.integers(0, len(starts) - 1))))
    outbox.append([book.seal(99)])
    outbox.close()
    assert verified(store).problems == []
