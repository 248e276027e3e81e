"""What the terminal tells of its trips, beside the running daemon."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.errors import InputError, StorageError
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.proof import check
from agent.rights import trips
from tests.accounts import drive, ledger, two_boots


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """A store with two trips, open for writing all the while."""
    opened = Outbox.open(tmp_path / STORE_NAME, 64_000_000)
    opened.append(two_boots())
    yield opened
    opened.close()


def test_the_list_tells_when_how_long_how_far(
    outbox: Outbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox.confirm_ranges([(0, 8)])
    assert trips.list_trips(tmp_path, json=False) == 0
    _, first, second = (line.split() for line in capsys.readouterr().out.splitlines())
    assert first == ["2", "boot", "1", "+5", "s", "2.1", "1.23", "1", "stopped", "yes"]
    assert second == ["11", "2025-10-09T08:53:35Z", "2.1", "1.23", "1", "stopped", "no"]


def test_an_open_trip_is_listed_as_open(outbox: Outbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = ledger(2, outbox.tail())
    outbox.append(book.number("trip_start", 9, {"start_us": 4_000_000}))
    assert trips.list_trips(tmp_path, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert [trip["trip"] for trip in told] == [2, 11, 18]
    assert (told[2]["end_us"], told[2]["end_reason"], told[2]["delivered"]) == (None, None, False)
    assert trips.list_trips(tmp_path, json=False) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[-2:] == ["open", "no"]


def test_a_trip_is_shown_with_its_events(outbox: Outbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trips.show_trip(tmp_path, 11, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["trip"], told["distance_m"], told["end_reason"], told["boot"]) == (11, 1234.5, "stopped", 2)
    assert [event["event"] for event in told["event_list"]] == ["harsh_braking"]
    assert told["event_list"][0]["start_utc"] == "2025-10-09T08:53:40Z"
    assert trips.show_trip(tmp_path, 2, json=False) == 0
    assert "harsh_braking" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ({"value": 83.4, "band": "good", "reason": None}, "83.4 of 100, good"),
        ({"value": None, "band": None, "reason": "too short"}, "none: too short"),
        (None, None),
    ],
)
def test_a_score_is_shown_in_words(score: dict[str, Any] | None, words: str | None) -> None:
    assert trips._score({"score": score} if score else None) == words


def test_a_trip_that_is_not_there_is_an_input_error(outbox: Outbox, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no trip 3 on this terminal; `tbox trips list` names"):
        trips.show_trip(tmp_path, 3, json=False)


@pytest.mark.parametrize("confirmed", [-1, 4, 9, 17])
@pytest.mark.parametrize("number", [None, 2, 11])
def test_an_export_holds_whatever_was_delivered_before(
    outbox: Outbox, tmp_path: Path, confirmed: int, number: int | None
) -> None:
    outbox.confirm_ranges([(0, confirmed)])
    assert trips.export(tmp_path, tmp_path / "export", number) == 0
    pile = read_pile(tmp_path / "export")
    report = check([pile])
    assert report.problems == []
    assert report.unsealed == 0
    first, last, begin = {None: (0, 17, 0), 2: (0, 8, 2), 11: (8, 17, 11)}[number]
    assert (report.first, report.last, pile.records[0].seq) == (first, last, begin)
    assert report.records + report.elsewhere == last - first + 1


def test_the_export_of_an_open_trip_says_that_it_is_not_sealed(outbox: Outbox, tmp_path: Path) -> None:
    book = ledger(2, outbox.tail())
    outbox.append([*book.number("trip_start", 9, {"start_us": 4}), book.seal(10), *book.number("event", 11, {})])
    trips.export(tmp_path, tmp_path / "export", 18)
    report = check([read_pile(tmp_path / "export")])
    assert report.is_good
    assert report.unsealed == 1


def test_an_export_of_a_store_whose_beginning_is_long_delivered_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.outbox.budget.HISTORY_RECORDS", 10)
    outbox = Outbox.open(tmp_path / STORE_NAME, 64_000_000)
    outbox.append(two_boots())
    outbox.confirm_ranges([(0, 17)])
    outbox.close()
    trips.export(tmp_path, tmp_path / "export")
    report = check([read_pile(tmp_path / "export")])
    assert report.problems == []
    assert report.first == 8


def test_without_a_store_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no store here"):
        trips.list_trips(tmp_path, json=False)


def test_a_store_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / STORE_NAME).write_bytes(b"garbage" * 1000)
    with pytest.raises(StorageError, match="no store of tbox"):
        trips.list_trips(tmp_path, json=False)


def test_a_fresh_terminal_has_no_trips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Outbox.open(tmp_path / STORE_NAME, 64_000_000).close()
    assert trips.list_trips(tmp_path, json=False) == 0
    assert capsys.readouterr().out == "no trips yet\n"
    with pytest.raises(InputError, match="nothing to export yet"):
        trips.export(tmp_path, tmp_path / "export")


def test_an_export_that_cannot_be_written_is_a_storage_error(outbox: Outbox, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        trips.export(tmp_path, tmp_path)


def test_times_of_a_trip_that_an_earlier_boot_left_open_are_that_boots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ledger()
    records = first.start(0, {}) + first.number("trip_start", 5, {"start_us": 4})
    second = ledger(2, first.tail)
    records += second.start(0, {}) + second.number(
        "trip_end", 1, {"trip": 2, "boot": 1, "start_us": 4, "end_us": 9_000_004}
    )
    outbox = Outbox.open(tmp_path / STORE_NAME, 64_000_000)
    outbox.append(records + drive(second, 5))
    outbox.close()
    trips.list_trips(tmp_path, json=True)
    assert json.loads(capsys.readouterr().out)[0]["boot"] == 1
