"""The report page: everything that happened is on it, nothing else is needed to read it, and no text breaks it."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.account import Account
from agent.codec import Record
from agent.core import Calibration, Event, Sample
from agent.drives import from_records
from agent.key import load_or_make
from agent.ledger import Identity, Ledger, Tail
from agent.outbox import Outbox
from agent.page import page
from agent.plot import Line, bounds, clock, nice_step, time_chart, track
from agent.recordfile import frame
from agent.settings import Samples
from agent.trip import EventFound, TripEnded, TripStarted
from drivers.batch import SIGNALS

UTC_S = 1_767_261_600.0
VOID = {"meta", "line", "rect", "polyline", "br", "link", "img"}


class Reader(HTMLParser):
    """Reads a page as a browser does: its elements, their attributes, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "an element is left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element opens."""
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that holds nothing."""
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """The innermost element closes."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text."""
        self.words.append(data)

    def all(self, tag: str, style: str = "") -> list[dict[str, str | None]]:
        """Attributes of every element of this tag and class."""
        return [told for name, told in self.seen if name == tag and style in (told.get("class") or "")]

    @property
    def text(self) -> str:
        """All text."""
        return " ".join(self.words)


def event(name: str, start_s: float, **told: Any) -> dict[str, Any]:
    base = {
        "record": "event", "event": name, "start_s": start_s, "end_s": start_s + 2.0, "peak_mps2": 5.0, "entry_mps": 20.0,
        "exit_mps": 10.0, "delta_v_mps": -10.0, "delta_v_s": None, "severity": "medium", "confidence": 0.9,
        "sources": ["speed", "imu"], "lat_deg": -1.0, "lon_deg": -1.0, "direction": None, "trip": 0,
    }  # fmt: skip
    return base | told


def trip(**told: Any) -> dict[str, Any]:
    base = {
        "record": "trip", "trip": 0, "start_s": UTC_S, "end_s": UTC_S + 60.0, "distance_m": 900.0, "moving_s": 50.0,
        "idle_s": 10.0, "max_speed_mps": 25.0, "over_limit_s": None, "over_limit_m": None, "judged_s": 45.0,
        "end_reason": "stopped", "events": {}, "odometer": {"distance_m": 905.0, "difference_m": -5.0},
    }  # fmt: skip
    return base | told


def sample(time_s: float, **told: Any) -> dict[str, Any]:
    base = {
        "time_s": time_s, "speed_mps": 15.0, "forward_mps2": 0.1, "left_mps2": -0.1, "rpm": 2000.0,
        "lat_deg": -1.0 + (time_s - UTC_S) * 1e-5, "lon_deg": -1.0 + (time_s - UTC_S) * 2e-5,
    }  # fmt: skip
    return base | told


EVENTS = [
    event("harsh_acceleration", UTC_S + 3),
    event("harsh_cornering", UTC_S + 10, direction="left", severity="low", peak_mps2=4.0),
    event("harsh_braking", UTC_S + 20, severity="high", peak_mps2=6.2),
    event("idling", UTC_S + 30, end_s=UTC_S + 42.0, peak_mps2=None, delta_v_mps=None),
    event("crash", UTC_S + 50, peak_mps2=188.5, delta_v_mps=12.0, severity="high", direction="front", locked=True),
]
SAMPLES = [sample(UTC_S + second) for second in range(60)]
COUNTERS = {"record": "counters", "frames_in": 12345, "rejected": {"short": 2, "error_frame": 0}, "lines_bad": 3}


def full() -> str:
    return page("Drive", [trip()], EVENTS, SAMPLES, COUNTERS, notes=["A note."])


def test_nothing_outside_the_page_is_needed() -> None:
    text = full()
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<img|src=", text)
    assert all((told.get("href") or "#").startswith("#") for _, told in Reader(text).seen)


def test_every_event_has_a_card_and_a_number_on_every_plot() -> None:
    read = Reader(full())
    cards = read.all("article", "card")
    assert [card["id"] for card in cards] == [f"event-{number}" for number in range(1, 6)]
    links = [told["href"] or "" for told in read.all("a", "badge")]
    plots = 4  # speed, acceleration, engine, the way
    assert sorted(links) == sorted(f"#event-{number}" for number in range(1, 6) for _ in range(plots))


@pytest.mark.parametrize(
    "words",
    [
        "Harsh braking", "Harsh acceleration", "Harsh cornering, left", "Idling", "Crash",  # what
        "10:00:20", "1 January 2026, times in UTC",  # when
        "0.63 g", "6.2 m/s²", "Δv 43 km/h, 19 g", "12 s",  # how strong, how long
        "72 → 36 km/h", "front", "speed, motion sensor", "90 %", "-1.00000, -1.00000", "locked",  # what else is known
        "900 m", "1 min 00 s", "50 s", "90 km/h", "65 km/h", "stood long enough with the engine off",  # the trip
        "-5.0 m of 905 m", "12 345", "short 2", "A note.",  # the data
    ],
)  # fmt: skip
def test_it_says(words: str) -> None:
    assert words in re.sub(r"\s+", " ", Reader(full()).text)


def test_text_from_outside_is_escaped() -> None:
    evil = '<i onload="x">&'
    text = page(
        evil,
        [trip(end_reason=evil)],
        [event(evil, UTC_S, sources=[evil], direction=evil)],
        [],
        {evil: evil},
        notes=[evil],
    )
    assert "<i onload" not in text
    assert evil in Reader(text).text


def test_the_same_drive_gives_the_same_bytes() -> None:
    assert full() == full()


def test_an_event_outside_any_trip_is_told_apart() -> None:
    read = Reader(page("Drive", [trip()], [event("idling", UTC_S + 500, trip=None)], SAMPLES, {}))
    assert "Outside any trip" in read.text
    assert len(read.all("article", "card")) == 1


def test_without_a_trip_it_says_so_and_still_shows_what_there_is() -> None:
    read = Reader(page("Drive", [], [], SAMPLES, {}))
    assert "No trip in this input" in read.text
    assert read.all("polyline", "speed")


def test_without_anything_it_is_still_a_page() -> None:
    assert "Nothing was driven" in Reader(page("Drive", [], [], [], {})).text


@pytest.mark.parametrize("key", ["speed_mps", "forward_mps2", "lat_deg", "rpm"])
def test_a_signal_that_is_not_known_leaves_its_plot_out(key: str) -> None:
    missing = [one | {key: None} | ({"left_mps2": None} if key == "forward_mps2" else {}) for one in SAMPLES]
    few, many = Reader(page("Drive", [trip()], EVENTS, missing, {})), Reader(full())
    assert len(few.all("figure")) == len(many.all("figure")) - 1


def test_a_hole_in_the_data_is_a_hole_in_the_line() -> None:
    holed = [one for one in SAMPLES if not UTC_S + 20 < one["time_s"] < UTC_S + 40]
    assert len(Reader(page("Drive", [trip()], [], holed, {})).all("polyline", "speed")) == 2


def test_two_trips_have_a_section_each() -> None:
    second = trip(trip=1, start_s=UTC_S + 1000, end_s=UTC_S + 1060)
    read = Reader(page("Drive", [trip(), second], [*EVENTS, event("harsh_braking", UTC_S + 1010, trip=1)], SAMPLES, {}))
    assert [word for word in read.words if word.startswith("Trip ")] == ["Trip 1 of 2", "Trip 2 of 2"]


def test_a_long_drive_is_thinned_and_keeps_its_peaks() -> None:
    heights = [(float(second), 120.0 if second == 7777 else 50.0) for second in range(20_000)]
    text = time_chart([Line("Speed", "speed", heights)], (0.0, 20_000.0, 0.0), [], unit="km/h", axis=(0.0, 20.0))
    points = next(told["points"] for told in Reader(text).all("polyline", "speed"))
    assert points is not None
    assert len(points.split()) < 2000
    assert min(float(pair.split(",")[1]) for pair in points.split()) == pytest.approx(1000 * (1 - 120 / 150), abs=0.1)


@pytest.mark.parametrize(("spread", "step"), [(100.0, 50.0), (60.0, 20.0), (1.0, 0.5), (0.0, 1.0), (7.9, 2.0)])
def test_steps_of_an_axis_are_round(spread: float, step: float) -> None:
    assert nice_step(spread, 4) == pytest.approx(step)


@pytest.mark.parametrize(
    ("heights", "floor", "expected"),
    [([0.0, 62.0], 0.0, (0.0, 80.0, 20.0)), ([-5.2, 4.8], None, (-10.0, 5.0, 5.0)), ([], 0.0, (0.0, 20.0, 5.0))],
)
def test_an_axis_holds_all_its_values(
    heights: list[float], floor: float | None, expected: tuple[float, float, float]
) -> None:
    assert bounds(heights, floor=floor, least=20.0 if floor is not None else 1.0) == expected


@pytest.mark.parametrize(
    ("time_s", "origin_s", "words"),
    [(UTC_S + 61, UTC_S, "10:01:01"), (161.0, 100.0, "1:01"), (3761.0, 100.0, "1:01:01"), (100.0, 100.0, "0:00")],
)
def test_a_moment_is_told_by_the_clock_or_since_the_start(time_s: float, origin_s: float, words: str) -> None:
    assert clock(time_s, origin_s) == words


def test_the_map_keeps_metres_square_and_says_how_long_they_are() -> None:
    way = [(-1.0, -1.0), (-1.0, -0.99), (-0.995, -0.99)]
    read = Reader(track(way, []))
    points = next(told["points"] for told in read.all("polyline"))
    assert points is not None
    first, second, third = ([float(number) for number in pair.split(",")] for pair in points.split()[:3])
    style = next(told["style"] for told in read.all("div", "map"))
    assert style is not None
    aspect = float(style.split(";")[0].split(":")[1])
    east, north = (second[0] - first[0]) * aspect, second[1] - third[1]
    assert east == pytest.approx(2 * north, rel=0.01)
    assert "200 m" in read.text


# ---- from records, from recordings ----------------------------------------------------------------------------------


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


def account(folder: Path, *, dated: bool = True, calibrated: bool = True) -> list[Record]:
    """The records of one drive, as a terminal makes them."""
    key = load_or_make(folder / "key")
    ledger = Ledger(key, 1, Tail(), Identity("tbox test", "0" * 16))
    book = Account(ledger, Samples(), "rules")
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
    assert {(row["forward_mps2"], row["left_mps2"]) for row in drives.samples} == {(2.0, 0.5)}


def test_the_order_in_which_records_come_does_not_matter(tmp_path: Path) -> None:
    records = account(tmp_path)
    assert from_records(records[::-1]) == from_records(records)


def test_without_a_calibration_acceleration_is_the_change_of_speed(tmp_path: Path) -> None:
    drives = from_records(account(tmp_path, calibrated=False))
    assert {row.get("forward_mps2") for row in drives.samples} == {None, 0.0}
    assert any("change of speed" in note for note in drives.notes)


def test_without_a_clock_record_times_count_from_the_boot(tmp_path: Path) -> None:
    assert from_records(account(tmp_path, dated=False)).trips[0]["start_s"] == 1.0


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
