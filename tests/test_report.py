"""`tbox report`: from records and recordings to the page, by the rules that judged them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.codec import Record
from agent.core import Calibration, Event, Sample
from agent.ledger.key import load_or_make
from agent.ledger.ledger import Identity, Ledger, Tail
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import frame
from agent.replay.drives import from_records, from_replay
from agent.replay.inputs import opened
from agent.replay.replay import replay, told
from agent.settings import Samples, rules_id
from agent.settings.file import load
from agent.settings.rules import Detect, Harsh
from agent.trip.account import Account
from agent.trip.trip import EventFound, TripEnded, TripStarted
from drivers.batch import SIGNALS
from tests.pages import TABLE, UTC_S, Reader


def core_sample(second: int) -> Sample:
    """A second of a drive at a steady 15 m/s with the sensor turned a quarter to the left."""
    told = {
        "speed": 15.0,
        "rpm": 2000.0,
        "lat": -1.0 + second * 1e-4,
        "lon": -1.0,
        "accel_x": 0.5,
        "accel_y": -2.0,
        "accel_z": 9.8,
    }
    values = tuple(told.get(name) for name in SIGNALS)
    totals = (15.0 * second, 0.0, 0, 0, second * 1_000_000, 0, second * 1_000_000)
    return Sample(second * 1_000_000, values, None, None, *totals, second * 1_000_000, None, 15.0, "on")


def braking(start_us: int) -> Event:
    return Event(
        start_us, "harsh_braking", start_us, start_us + 2_000_000, 5.0, 20.0, 10.0, -10.0, None, "medium", 0.9,
        ("speed",), -1.0, -1.0, None, False, False,
    )  # fmt: skip


SUMMARY: dict[str, Any] = {
    "start_us": 1_000_000, "end_us": 30_000_000, "distance_m": 435.0, "moving_us": 29_000_000, "idle_us": 0,
    "max_speed_mps": 15.0, "over_limit_us": None, "over_limit_m": None, "judged_us": 29_000_000, "end_reason": "stopped",
    "events": {"harsh_braking": 1}, "odometer": {"distance_m": None, "difference_m": None},
}  # fmt: skip


def account(folder: Path, *, dated: bool = True, calibrated: bool = True, rules: str = "rules") -> list[Record]:
    """The records of one drive, as a terminal makes them."""
    key = load_or_make(folder / "key")
    ledger = Ledger(key, 1, Tail(), Identity("tbox test", "0" * 16))
    book = Account(ledger, Samples(), rules)
    records = ledger.start(0, {"software": "tbox test"})
    if dated:
        told = {"boot": 1, "boot_us": 0, "utc_us": int(UTC_S * 1e6), "u_us": None, "source": "system"}
        records += ledger.number("clock", 0, told)
    if calibrated:
        turned = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        records += book.calibration(Calibration(500_000, (0.0, 0.0, 1.0), turned, 0.9), 500_000)
    records += book.moment(TripStarted(0, 1_000_000), 1_500_000)
    for second in range(1, 31):
        records += book.sample(core_sample(second))
    records += book.moment(EventFound(braking(9_000_000), 0), 12_000_000)
    return records + book.moment(TripEnded(0, SUMMARY), 31_000_000)


def test_records_tell_the_drive_in_utc_and_on_the_car_s_axes(tmp_path: Path) -> None:
    drives = from_records(account(tmp_path))
    assert [one["start_s"] for one in drives.trips] == [UTC_S + 1]
    assert [(one["event"], one["start_s"]) for one in drives.events] == [("harsh_braking", UTC_S + 9)]
    assert [row["time_s"] for row in drives.samples] == [UTC_S + second for second in range(1, 31)]
    assert {(row["measured_mps2"], row["measured_left_mps2"]) for row in drives.samples} == {(2.0, 0.5)}
    assert {row.get("forward_mps2") for row in drives.samples} == {None, 0.0}


def test_the_order_in_which_records_come_does_not_matter(tmp_path: Path) -> None:
    records = account(tmp_path)
    assert from_records(records[::-1]) == from_records(records)


def test_without_a_calibration_acceleration_is_the_change_of_speed(tmp_path: Path) -> None:
    drives = from_records(account(tmp_path, calibrated=False))
    assert {row.get("forward_mps2") for row in drives.samples} == {None, 0.0}
    assert {row["measured_mps2"] for row in drives.samples} == {None}
    assert any("No mounting" in note for note in drives.notes)


def test_the_last_health_record_says_what_was_not_judged(tmp_path: Path) -> None:
    records = account(tmp_path)
    bodies = [{"turns": 3}, {"not_judged": {"harsh_not_held": 1}}, {"not_judged": {"harsh_not_held": 5}}]
    last = [replace(records[-1], seq=1000 + n, kind="health", body=body) for n, body in enumerate(bodies)]
    assert from_records([*records, *last]).counters["not_judged"] == {"harsh_not_held": 5}


def test_without_a_clock_record_times_count_from_the_boot(tmp_path: Path) -> None:
    assert from_records(account(tmp_path, dated=False)).trips[0]["start_s"] == 1.0


def test_events_stand_beside_the_rules_they_were_judged_by(tmp_path: Path) -> None:
    assert from_records(account(tmp_path)).events[0]["settings"] is None
    own = Detect(harsh_braking=Harsh(threshold_mps2=4.0))
    (told,) = from_records(account(tmp_path, rules=rules_id(own)), own).events
    assert told["settings"]["threshold_mps2"] == 4.0


def test_rules_that_are_not_at_hand_are_named(tmp_path: Path) -> None:
    assert any("rules rules, which are not those at hand" in note for note in from_records(account(tmp_path)).notes)


def test_a_recording_is_seen_closely_around_its_events(tmp_path: Path) -> None:
    recording = tmp_path / "drive.csv"
    speeds = [min(at / 50, 20.0) - max(0.0, min((at - 2000) * 0.05, 15.0)) for at in range(4000)]
    forces = [-5.0 if 2000 <= at < 2300 else 1.0 if at < 1000 else 0.0 for at in range(4000)]
    rows = [f"{at / 100},{speeds[at]:.3f},{forces[at]},0,9.81" for at in range(4000)]
    recording.write_text("time_s,speed_mps,accel_x_mps2,accel_y_mps2,accel_z_mps2\n" + "\n".join(rows) + "\n")
    settings = load(None, ["imu.mounting=vehicle"])
    things = replay(settings, TABLE, opened([recording], None), glance_us=20_000)
    drives = from_replay(things, settings)
    (braking,) = drives.events
    at_s = [row["time_s"] for row in braking["window"]]
    assert (at_s[0], at_s[-1]) == pytest.approx((braking["start_s"] - 3, braking["end_s"] + 3), abs=0.03)
    assert len(at_s) == pytest.approx((at_s[-1] - at_s[0]) * 50, abs=5)
    assert min(row["measured_mps2"] for row in braking["window"]) == -5.0
    assert braking["settings"]["threshold_mps2"] == 3.43
    plain = [told(thing) for thing in replay(settings, TABLE, opened([recording], None))]
    assert [line for line in plain if line and line["record"] == "trip"] == drives.trips


def report(*words: str | int | Path) -> int:
    return cli.main(["report", *map(str, words)])


def test_a_record_file_becomes_a_page_that_says_it_holds(tmp_path: Path) -> None:
    received, out = tmp_path / "received.tbox", tmp_path / "out.html"
    received.write_bytes(b"".join(frame(record.raw) for record in account(tmp_path)))
    assert report(received, "-o", out) == 0
    read = Reader(out.read_text())
    assert "Nothing is missing, altered or exchanged" in read.text
    assert len(read.all("article", "card")) == 1


def test_a_record_that_was_changed_is_named_on_the_page(tmp_path: Path) -> None:
    received, out = tmp_path / "received.tbox", tmp_path / "out.html"
    records = account(tmp_path)
    received.write_bytes(b"".join(frame(record.raw) for record in records if record.kind != "event"))
    assert report(received, "-o", out) == 0
    assert "Does not hold" in Reader(out.read_text()).text


def test_a_recording_becomes_a_page(tmp_path: Path) -> None:
    recording, out = tmp_path / "drive.csv", tmp_path / "out.html"
    rows = [f"{second / 10},{min(second / 10 * 2, 20)}" for second in range(600)]
    recording.write_text("time_s,speed_mps\n" + "\n".join(rows) + "\n")
    assert report(recording, "-o", out) == 0
    assert "end" in Reader(out.read_text()).text
    assert Reader(out.read_text()).all("polyline", "speed")


def terminal(folder: Path) -> Path:
    """Settings of a terminal that has this drive in its store."""
    outbox = Outbox.open(folder / "outbox.db", 4_000_000)
    outbox.append(account(folder))
    outbox.close()
    settings = folder / "tbox.toml"
    settings.write_text(f'[device]\nstate_dir = "{folder}"\n')
    return settings


def test_a_trip_of_this_terminal_becomes_a_page(tmp_path: Path) -> None:
    settings, out = terminal(tmp_path), tmp_path / "out.html"
    number = next(record.seq for record in account(tmp_path) if record.kind == "trip_start")
    assert report(number, "--config", settings, "-o", out) == 0
    assert "435 m" in Reader(out.read_text()).text


def test_a_trip_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("999", "--config", terminal(tmp_path), "-o", tmp_path / "out.html") == 66
    assert "no closed trip 999" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "words"),
    [("nowhere.log", "no such file"), ("7", "outbox.db"), ("garbage.bin", "garbage.bin")],
)
def test_what_cannot_be_reported_is_one_clear_line(
    what: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "garbage.bin").write_bytes(b"\xc4\x03abc" * 5)
    settings = tmp_path / "tbox.toml"
    settings.write_text(f'[device]\nstate_dir = "{tmp_path / "state"}"\n')
    asked = str(tmp_path / what) if "." in what else what
    assert report(asked, "--config", settings, "-o", tmp_path / "out.html") in (66, 74)
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out.html").exists()


def test_a_page_that_cannot_be_written_is_a_storage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    received = tmp_path / "received.tbox"
    received.write_bytes(b"".join(frame(record.raw) for record in account(tmp_path)))
    assert report(received, "-o", tmp_path / "missing" / "out.html") == 74
    assert "cannot be written" in capsys.readouterr().err
