"""What a driver asks reaches the daemon whole or not at all, and each request is answered once."""

import io
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import cli
from agent.errors import InputError, StorageError, UsageError
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.proof import check
from agent.rights import asking_daemon, portable, spool, trips
from agent.rights.requests import (
    TEXT_MAX,
    Answer,
    Contest,
    Erase,
    RequestError,
    compose,
    compose_answer,
    parse,
    parse_answer,
)
from agent.rights.spool import ANSWERS_MAX, SPOOL_MAX, Spool, fetch, put
from tests.accounts import two_boots
from tests.clerks import Office


def spelt(**told: Any) -> bytes:
    return json.dumps(told).encode()


@pytest.mark.parametrize("payload", [
    pytest.param(b"", id="nothing"),
    pytest.param(b"{", id="no JSON"),
    pytest.param(b"[" * 100_000, id="too long"),
    pytest.param(b"[" * 4000, id="too deep"),
    pytest.param(b"[]", id="no object"),
    pytest.param(spelt(command="reboot"), id="another command"),
    pytest.param(spelt(command="erase", trip=1, more=2), id="more than is asked for"),
    pytest.param(spelt(command="erase", trip=-1), id="a number below 0"),
    pytest.param(spelt(command="erase", trip=2**63), id="a number no record has"),
    pytest.param(spelt(command="erase", trip=True), id="a truth"),
    pytest.param(spelt(command="erase", trip="1"), id="a text"),
    pytest.param(spelt(command="contest", event=1), id="no text"),
    pytest.param(spelt(command="contest", event=1, text=" \n"), id="an empty text"),
    pytest.param(spelt(command="contest", event=1, text="x" * (TEXT_MAX + 1)), id="a character too many"),
    pytest.param(spelt(command="contest", event=1, text="a\x00b"), id="a character that is none"),
    pytest.param(spelt(command="contest", event=1, text="\ud800"), id="half a character"),
])  # fmt: skip
def test_what_is_no_request_is_refused(payload: bytes) -> None:
    with pytest.raises(RequestError):
        parse(payload)


@given(st.binary(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(
    st.sampled_from(["command", "event", "text", "trip"]), inner | st.sampled_from(["contest", "erase"]))).map(
    lambda told: json.dumps(told).encode()))  # fmt: skip
def test_no_bytes_make_it_fail_other_than_by_saying_so(payload: bytes) -> None:
    for read in (parse, parse_answer):
        with suppress(RequestError):
            read(payload)


@pytest.mark.parametrize("request_", [
    Contest(0, "x"), Contest(7, "é" * TEXT_MAX), Contest(7, "\U0001f697" * TEXT_MAX), Contest(1, "one\ntwo"), Erase(2**63 - 1),
])  # fmt: skip
def test_a_request_comes_through_as_it_was(tmp_path: Path, request_: Contest | Erase) -> None:
    assert parse(compose(request_)) == request_
    name = put(tmp_path, request_)
    assert Spool(tmp_path).next() == (name, request_)
    for path in (tmp_path / "requests", *(tmp_path / "requests").iterdir()):
        assert path.stat().st_mode & 0o077 == 0


def test_what_would_be_refused_is_not_put(tmp_path: Path) -> None:
    for text in ("", "x" * 501, "\ud800"):
        with pytest.raises(RequestError):
            put(tmp_path, Contest(1, text))
    assert Spool(tmp_path).next() is None


def test_requests_wait_in_their_order_and_each_is_answered_once(tmp_path: Path) -> None:
    names = [put(tmp_path, Erase(trip)) for trip in range(3)]
    served = Spool(tmp_path)
    for trip, name in enumerate(names):
        assert served.next() == (name, Erase(trip))
        assert fetch(tmp_path, name) is None
        served.answer(name, Answer(is_done=True, text=str(trip)))
        assert fetch(tmp_path, name) == Answer(is_done=True, text=str(trip))
        assert fetch(tmp_path, name) is None
    assert served.next() is None
    assert list((tmp_path / "requests").iterdir()) == []


def test_at_most_so_many_wait_and_answers_nobody_fetches_go(tmp_path: Path) -> None:
    served = Spool(tmp_path)
    for _ in range(3):
        for trip in range(SPOOL_MAX):
            put(tmp_path, Erase(trip))
        with pytest.raises(StorageError, match="16 requests wait already; start tbox run"):
            put(tmp_path, Erase(99))
        while (waiting := served.next()) is not None:
            served.answer(waiting[0], Answer(is_done=False, text="no"))
    assert len(list((tmp_path / "requests").iterdir())) == ANSWERS_MAX


def test_what_is_no_request_is_answered_and_does_not_hold_up_others(tmp_path: Path) -> None:
    name = put(tmp_path, Erase(5))
    folder = tmp_path / "requests"
    (folder / "0.request").write_bytes(b"rubbish")
    (folder / "00.request").write_bytes(bytes(10_000))
    os.mkfifo(folder / "000.request")
    (folder / "0000.request").symlink_to(tmp_path / STORE_NAME)
    (folder / "half.request.new").write_bytes(b"{")
    assert Spool(tmp_path).next() == (name, Erase(5))
    for bad in ("0", "00", "000"):
        answer = fetch(tmp_path, bad)
        assert answer is not None
        assert (answer.is_done, answer.text.partition(":")[0]) == (False, "not understood")
        assert not (folder / f"{bad}.request").exists()


def test_an_answer_that_is_none_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests" / "1.answer").write_bytes(b"[]")
    with pytest.raises(StorageError, match="the answer cannot be read"):
        fetch(tmp_path, "1")
    assert parse_answer(compose_answer(Answer(is_done=True, text="é"))) == Answer(is_done=True, text="é")


def test_a_folder_that_cannot_be_written_says_as_whom_to_ask(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("a file")
    with pytest.raises(StorageError, match="run this as the user who runs tbox"):
        put(tmp_path, Erase(1))


# ---- notes of contest -----------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder whose store has two trips, 2 and 11, with the events 4 and 13."""
    outbox = Outbox.open(tmp_path / STORE_NAME, 64_000_000, "a")
    outbox.append(two_boots())
    outbox.close()
    return tmp_path


def test_a_note_stands_beside_the_event_sealed(state: Path) -> None:
    office = Office(state)
    answer = office.ask(Contest(13, "a child ran into the road"))
    assert answer == Answer(is_done=True, text="your note stands in the account, beside event 13")
    office.close()
    note, seal = office.made
    assert (note.kind, note.lane, seal.kind) == ("command", "event", "seal")
    told = {name: note.body[name] for name in ("command", "event", "text")}
    assert told == {"command": "contest", "event": 13, "text": "a child ran into the road"}
    report = check([read_pile(state / STORE_NAME)])
    assert (report.problems, report.unsealed) == ([], 0)


@pytest.mark.parametrize("event", [5, 2, 999])
def test_only_an_event_can_be_contested(state: Path, event: int) -> None:
    office = Office(state)
    assert office.ask(Contest(event, "no")).text.startswith(f"there is no event {event} on this terminal")
    assert office.made == []
    office.close()


def test_a_note_that_was_taken_before_the_power_went_is_not_taken_twice(state: Path) -> None:
    first, name = Office(state), put(state, Contest(4, "not me"))
    first.until(lambda: bool(first.made) and first.delivery.synced_upto >= first.made[-1].seq)
    first.clerk._spool = Spool(state / "elsewhere")
    first.close()
    again = Office(state)
    again.until((state / "requests" / f"{name}.answer").exists)
    answer = fetch(state, name)
    assert answer is not None
    assert answer.is_done
    again.close()
    assert (len(first.made), again.made) == (2, [])


def config(state: Path) -> list[str]:
    """The terminal's settings, for the command line."""
    (state / "tbox.toml").write_text(f'[device]\nstate_dir = "{state}"\n')
    return ["--config", str(state / "tbox.toml")]


# ---- the command line -----------------------------------------------------------------------------------------------


def test_without_a_daemon_the_request_waits_for_the_next(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trips", "contest", "4", "it was a pothole", *config(state)]) == 0
    assert "done when tbox run runs next" in capsys.readouterr().out
    office = Office(state)
    office.until(lambda: bool(office.made))
    assert office.made[0].body["text"] == "it was a pothole"
    office.close()


def test_a_daemon_that_runs_is_waited_for(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office = Office(state)
    assert spool.is_running(state)
    monkeypatch.setattr("agent.rights.asking_daemon.time.sleep", lambda _: office.turn())
    monkeypatch.setattr("agent.rights.asking_daemon.ANSWER_S", 30.0)
    assert asking_daemon.contest(state, 13, "no") == 0
    assert capsys.readouterr().out == "your note stands in the account, beside event 13\n"
    with pytest.raises(InputError, match="there is no event 12 on this terminal"):
        asking_daemon.contest(state, 12, "no")
    office.close()
    assert not spool.is_running(state)


def test_a_text_that_is_no_note_is_a_usage_error(state: Path) -> None:
    with pytest.raises(UsageError, match="1 to 500 characters"):
        asking_daemon.contest(state, 4, "")
    with pytest.raises(StorageError, match="there is no store here"):
        asking_daemon.contest(state / "nowhere", 4, "x")


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("y\n", 1), ("", 1)])
def test_an_erasure_is_confirmed_first(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert cli.main(["trips", "erase", "11", *config(state)]) == code
    told = capsys.readouterr().out
    assert "trip 11 (2025-10-09T08:53:35Z, 1.23 km)" in told
    waiting = Spool(state).next()
    assert (None if waiting is None else waiting[1]) == (Erase(11) if code == 0 else None)
    with pytest.raises(InputError, match="there is no trip 12"):
        asking_daemon.erase(state, 12, is_sure=True)


def test_one_trip_can_be_exported_for_other_programs_and_names_no_device(state: Path) -> None:
    office = Office(state)
    office.ask(Contest(13, "no"))
    office.close()
    settings = ["-o", str(state / "trip.json"), "--json", *config(state)]
    assert cli.main(["trips", "export", "--trip", "11", *settings]) == 0
    text = (state / "trip.json").read_text()
    told = json.loads(text)
    assert (told["form"], told["distance_m"], told["start_utc"]) == (portable.FORM, 1234.5, "2025-10-09T08:53:35Z")
    assert [one["event"] for one in told["event_list"]] == ["harsh_braking"]
    assert told["notes"] == [{"command": "contest", "event": 13, "text": "no"}]
    assert told["event_list"][0]["event_seq"] == 13
    assert office.book.tail.device.hex() not in text
    assert cli.main(["trips", "export", *settings]) == 2
    assert cli.main(["trips", "export", "--trip", "5", *settings]) == 66


def test_a_note_is_told_with_its_trip_and_no_other(state: Path) -> None:
    office = Office(state)
    office.ask(Contest(4, "first"))
    office.close()
    _, records = trips.whole(state, 2)
    assert [record.body.get("text") for record in records if record.kind == "command"] == ["first"]
    assert [record.kind for record in trips.whole(state, 11)[1]] == ["samples", "samples"]
