"""The driver contests, takes along and erases a trip of a running daemon; what is left and what was sent holds."""

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from agent.cli import main
from agent.codec import kind_number
from agent.outbox.store import PENDING, STORE_NAME
from hil.subscriber import Subscriber
from tests.brokers import Mosquitto
from tests.test_receiver import exported, receiver
from tests.test_run import FAST, Terminal, have, listening, running, until

TEXT = "the road was icy, a deer ran across"
CAR = "car1"


def short_drive() -> str:
    """Off, along, a hard brake, to the kerb, the engine off: CSV at 10 Hz."""
    speeds, speed = [], 0.0
    for tenth in range(700):
        rate = 2.0 if 10 <= tenth < 90 else -5.0 if 150 <= tenth < 170 else -2.0 if 250 <= tenth < 330 else 0.0
        speed = max(0.0, speed + rate / 10)
        speeds.append(speed)
    rows = (f"{n / 10:.1f},{mps:.3f},{1500 if n < 340 else 0}\n" for n, mps in enumerate(speeds))
    return "time_s,speed_mps,rpm\n" + "".join(rows)


def driven(folder: Path, port: int, more: str = "") -> tuple[Terminal, dict[str, Any]]:
    """A terminal that has driven it, as fast as it is read, and is off; and the trip."""
    terminal = Terminal(folder, port, more=f"{FAST}{more}[trip]\nend_s = 10\n")
    parked = terminal.config.read_text().replace("[device]\n", f'[device]\nname = "{CAR}"\n')
    terminal.config.write_text(parked.replace('[recording]\npaths = ["drive.csv"]\n', ""))
    (folder / "way.csv").write_text(short_drive())
    try:
        terminal.start("--recorded", str(folder / "way.csv"))
        until(lambda: " km ended: " in terminal.log.read_text(), "the trip's end")
        assert terminal.stop() == 0
    finally:
        terminal.kill()
    (folder / "drive.csv").write_text("time_s,speed_mps\n" + "".join(f"{second},0\n" for second in range(300)))
    terminal.config.write_text(parked)
    return terminal, trip_of(terminal)


def tbox(terminal: Terminal, *words: str, code: int = 0) -> str:
    """What a command says, which must end so."""
    config = [] if words[0] == "verify" else ["--config", str(terminal.config)]
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        assert main([*words, *config]) == code, said.getvalue()
    return said.getvalue()


def trip_of(terminal: Terminal) -> dict[str, Any]:
    """The only one, closed, with its events."""
    listed: list[dict[str, Any]] = json.loads(tbox(terminal, "trips", "list", "--json"))
    if len(listed) != 1 or listed[0]["end_reason"] is None:
        return {}
    told: dict[str, Any] = json.loads(tbox(terminal, "trips", "show", str(listed[0]["trip"]), "--json"))
    return told


def contest_take_along_and_erase(terminal: Terminal, trip: dict[str, Any]) -> None:
    """All three, as a driver types them; each takes effect while the daemon runs."""
    number, event = str(trip["trip"]), str(trip["event_list"][0]["seq"])
    folder = terminal.folder
    until(lambda: terminal.log.read_text().count(f"device {CAR}, boot") == 2, "the daemon")
    assert "your note stands in the account" in tbox(terminal, "trips", "contest", event, TEXT)
    assert "no event 1 " in tbox(terminal, "trips", "contest", "1", TEXT, code=66)
    tbox(terminal, "trips", "export", "--trip", number, "--json", "-o", str(folder / "trip.json"))
    mine = json.loads((folder / "trip.json").read_text())
    assert [note["text"] for note in mine["notes"]] == [TEXT]
    assert mine["distance_m"] > 200
    tbox(terminal, "trips", "export", "-o", str(folder / "before.tbox"))
    assert "GOOD" in tbox(terminal, "verify", str(folder / "before.tbox"))
    assert f"trip {number} is erased here" in tbox(terminal, "trips", "erase", number, "--yes")
    assert trip_of(terminal) == {}
    assert "no trip" in tbox(terminal, "trips", "erase", number, "--yes", code=66)
    assert "no event" in tbox(terminal, "trips", "contest", event, TEXT, code=66)


def assert_told(report: dict[str, Any], trip: dict[str, Any]) -> None:
    """It holds, and says which numbers were erased: at least the trip's own, its event's and its note's."""
    assert report["good"], report["problems"]
    spans = [(one["first"], one["last"]) for one in report["dropped"] if one["reason"] == "erased"]
    erased = {seq for first, last in spans for seq in range(first, last + 1)}
    assert {trip["trip"], trip["event_list"][0]["seq"]} < erased
    assert report["sealed_upto"] >= max(erased)


def verified(terminal: Terminal, path: Path) -> dict[str, Any]:
    """What `tbox verify` says."""
    report: dict[str, Any] = json.loads(tbox(terminal, "verify", "--json", str(path)))
    return report


def of_the_store(terminal: Terminal, trip: dict[str, Any]) -> None:
    """The store holds and names the range; nothing of the trip is left in its files."""
    state = terminal.folder / "state"
    assert_told(verified(terminal, state), trip)
    first = trip["trip"]
    said = tbox(terminal, "verify", str(state))
    assert f"dropped, accounted: seq {first}..{first} trip_start (erased)" in said
    assert not [path for path in state.glob(f"{STORE_NAME}*") if TEXT.encode() in path.read_bytes()]


def settled(subscriber: Subscriber) -> Callable[[], bool]:
    """Whether a gap that says "erased" arrived, and its seal."""

    def check() -> bool:
        with subscriber.lock:
            gaps = [one.seq for one in subscriber.inbox.bodies("gap") if "erased" in str(one.body)]
            return bool(gaps) and any(one.seq > gaps[-1] for one in subscriber.inbox.bodies("seal"))

    return check


def test_what_was_sent_before_it_was_erased_still_holds_and_the_account_names_what_went(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, listening(broker.port) as subscriber:
        terminal, trip = driven(tmp_path, broker.port)
        with running(terminal):
            until(have(subscriber, "trip_end"), "the trip, delivered")
            contest_take_along_and_erase(terminal, trip)
            until(have(subscriber, "command"), "the note, delivered")
            until(settled(subscriber), "the gap, delivered")
            of_the_store(terminal, trip)
            assert terminal.stop() == 0
        (tmp_path / "received.tbox").write_bytes(subscriber.inbox.framed())
        assert_told(verified(terminal, tmp_path / "received.tbox"), trip)
        assert [note.body["text"] for note in subscriber.inbox.bodies("command")] == [TEXT]
        of_the_store(terminal, trip)


def test_with_receipts_the_platform_knows_what_was_erased_and_waits_for_nothing(tmp_path: Path) -> None:
    store = tmp_path / "platform.db"
    with Mosquitto(tmp_path) as broker, receiver(store, broker.port):
        terminal, trip = driven(tmp_path, broker.port, 'confirm = "receipt"\n')
        with running(terminal):
            until(lambda: trip_of(terminal).get("delivered") is True, "the trip, stored by the platform")
            contest_take_along_and_erase(terminal, trip)
            of_the_store(terminal, trip)
            until(lambda: _is_confirmed(terminal), "the gap, stored by the platform")
            assert terminal.stop() == 0
        assert_told(verified(terminal, exported(store, tmp_path)), trip)
        of_the_store(terminal, trip)


def _is_confirmed(terminal: Terminal) -> bool:
    """Whether the gap, its seal and all before them count as delivered on the terminal."""
    with closing(sqlite3.connect(f"file:{terminal.folder / 'state' / STORE_NAME}?mode=ro", uri=True)) as store:
        gap, seal = (
            store.execute("SELECT max(seq) FROM records WHERE kind=?", (kind_number(kind),)).fetchone()[0]
            for kind in ("gap", "seal")
        )
        (waiting,) = store.execute("SELECT count(*) FROM records WHERE state=? AND seq<=?", (PENDING, seal)).fetchone()
    return bool(seal > gap and not waiting)
