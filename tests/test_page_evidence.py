"""The page of a crash: everything a claims handler asks for stands on it, and what nobody measured is said."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.capture.ring import HEAD
from agent.codec import Record
from agent.core import Event
from agent.errors import InputError
from agent.evidence import claim
from agent.evidence.claim import Claim
from agent.outbox.recordfile import read_pile
from agent.page import evidence as page_evidence
from agent.page.plot_pulse import pulse_chart
from agent.proof import proof
from drivers.batch import FRAME
from tests.accounts import framed
from tests.pages import Reader
from tests.road import Vector
from tests.wrecks import BLOW_S, BLOW_US, SETTINGS, TABLE, Drive, Terminal

UTC_US = 1_790_000_000_000_000
LATER_S = 13.0


class Told(Terminal):
    """Its events are told as the account tells them."""

    def found(self, event: Event, now_us: int) -> None:
        """An event, numbered with all that is known of it."""
        body = {name: told for name, told in asdict(event).items() if name not in ("at_us", "name")}
        (record,) = self.book.number("event", now_us, {"event": event.name, "trip": None, "rules": "abc", **body})
        self.events.append((event, record.seq))
        self.keep([record, *self.evidence.found(event, record.seq, now_us)])


def crashed() -> list[Record]:
    terminal = Told()
    clock = {"boot": 1, "boot_us": 0, "utc_us": UTC_US, "u_us": 1500, "source": "gnss"}
    terminal.keep(terminal.book.number("clock", 0, clock))
    terminal.keep(terminal.book.number("dtc", BLOW_US + 3_000_000, {"trip": None, "dtc": "appeared", "code": "U0121"}))
    terminal.drive()
    return terminal.records


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """Of a crash, in a file too."""
    path, told = tmp_path_factory.mktemp("crash") / "crash.tbox", crashed()
    path.write_bytes(framed(told))
    return path, told


def gathered(path: Path, told: Sequence[Record], event: int | None = None) -> Claim:
    path.write_bytes(framed(list(told)))
    pile = read_pile(path)
    return claim.gather(pile.records, event, SETTINGS, TABLE, proof.check([pile]))


def twice() -> Drive:
    """Struck from the front at 20 m/s, and from behind 13 s later at 10."""

    def force(at_s: float) -> Vector:
        one, two = (max(0.0, 0.05 - abs(at_s - hit_s - 0.05)) for hit_s in (BLOW_S, BLOW_S + LATER_S))
        return -4000.0 * one + 3200.0 * two, 0.0, 0.0

    return Drive(force, lambda at_s: 20.0 if at_s < BLOW_S + 0.05 else 10.0 if at_s < BLOW_S + LATER_S + 0.05 else 18.0)


def read(told: Claim) -> Reader:
    """The page, as a browser reads it."""
    return Reader(page_evidence.page(told, "crash.tbox", "Europe/Berlin", "tbox test"))


def test_it_says_when_where_how_fast_and_how_hard(records: tuple[Path, list[Record]], tmp_path: Path) -> None:
    text = read(gathered(tmp_path / "a", records[1])).text
    for words in (
        "21 September 2026, 16:15:05 (Europe/Berlin)",
        "2026-09-21 14:15:05.990 UTC, by a receiver, give or take 0.012 s",
        "-1.000500, -0.999753 (WGS 84)",
        "The car was struck from the front at 57 km/h; its velocity changed by 66 km/h.",
        "pedal pressed for the last 1.9 s",
        "longitudinal -65.8 km/h at 120 ms",
        "U0121",
    ):
        assert words in text
    assert "A recording stood for the car" not in text


def test_it_says_what_was_weighed_and_what_was_not_measured(records: tuple[Path, list[Record]], tmp_path: Path) -> None:
    text = read(gathered(tmp_path / "a", records[1])).text
    for words in ("Pothole", "0.0 g below, 37.7 g across", "0 ms weightless", "blow of one sample 0"):
        assert words in text
    assert "In the 5 s before the blow nobody told the throttle." in text
    assert "It never was at the end of its range; its largest number was 37.7 g." in text


def test_it_proves_itself(records: tuple[Path, list[Record]], tmp_path: Path) -> None:
    told = gathered(tmp_path / "a", records[1])
    page = read(told)
    assert "hold: nothing is missing, altered or exchanged." in page.text
    assert "this evidence included." in page.text
    assert told.public is not None
    for words in (told.public.hex(), told.dossier.event.hash.hex(), told.proof.device):
        assert words in page.text


def test_one_byte_changed_is_named(records: tuple[Path, list[Record]], tmp_path: Path) -> None:
    told = list(records[1])
    at = next(i for i, one in enumerate(told) if one.kind == "evidence" and one.body["part"] == 3)
    raw = bytearray(told[at].raw)
    raw[-100] ^= 1
    told[at] = replace(told[at], raw=bytes(raw))
    assert "Does not hold: seq" in read(gathered(tmp_path / "a", told)).text


def test_parts_that_are_missing_are_said(records: tuple[Path, list[Record]], tmp_path: Path) -> None:
    told = [one for one in records[1] if not (one.kind == "evidence" and one.body["part"] in (2, 4))]
    text = read(gathered(tmp_path / "a", told)).text
    assert "Of this evidence parts 2, 4 are not here." in text


def test_it_is_drawn_and_needs_nothing_else(records: tuple[Path, list[Record]], tmp_path: Path) -> None:
    page = read(gathered(tmp_path / "a", records[1]))
    assert len(page.all("polyline")) >= 8
    assert page.all("script") == page.all("link") == page.all("img") == []
    assert "30 s before to 15 s after" in page.text


def test_a_blow_in_which_the_power_went_is_told_as_that(tmp_path: Path) -> None:
    terminal = Told()
    terminal.drive(BLOW_US + 200_000)
    again = Told(tail=terminal.book.tail)
    again.keep(again.evidence.recover(terminal.left(), 1))
    text = read(gathered(tmp_path / "a", terminal.records + again.records)).text
    assert "The power went before it was judged." in text
    assert "not known: no clock record dates it" in text
    assert "Confidence 50 %" in text


def test_the_command_writes_it(
    records: tuple[Path, list[Record]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, told = records
    (seq,) = [record.seq for record in told if record.kind == "event"]
    words: list[Any] = ["report", str(path), "-o", str(tmp_path / "crash.html"), "--event"]
    assert cli.main([*words, str(seq), "--set", "imu.mounting=vehicle", "--set", "device.timezone=Asia/Tokyo"]) == 0
    assert "21 September 2026, 23:15:05 (Asia/Tokyo)" in (tmp_path / "crash.html").read_text()
    assert cli.main([*words, "1"]) == 66
    assert "no evidence of an event 1" in capsys.readouterr().err


def test_a_blow_caught_with_an_earlier_one_is_told_by_its_own_numbers(tmp_path: Path) -> None:
    terminal = Told(twice)
    terminal.drive()
    terminal.keep(terminal.evidence.finish(BLOW_US + 21_000_000))
    (_, one), (_, two) = terminal.events
    first = read(gathered(tmp_path / "a", terminal.records, one)).text
    assert "struck from the front at 72 km/h; its velocity changed by 36 km/h" in first
    assert "up to 16.3 g, 13.1 s after this one" in first
    told = gathered(tmp_path / "a", terminal.records, two)
    second = read(told).text
    assert told.dossier.blow_us == pytest.approx(BLOW_US + LATER_S * 1e6, abs=20_000)
    assert "struck from behind at 36 km/h; its velocity changed by 29 km/h" in second
    assert "speed went from 36 to 36 km/h" in second
    assert "longitudinal +28.8 km/h" in second
    assert f"caught with event {one}" in second
    assert "up to 20.4 g, 12.9 s before this one" in second


def test_where_nobody_knows_how_the_sensor_sits_all_its_axes_are_drawn(
    records: tuple[Path, list[Record]], tmp_path: Path
) -> None:
    told = list(records[1])
    at, part = next((i, one) for i, one in enumerate(told) if one.body.get("form") == "table")
    told[at] = replace(part, body={**part.body, "refs": {"calibration": 999}})
    text = read(claim.gather(told, None, SETTINGS, TABLE, proof.check([read_pile(records[0])]))).text
    assert "Sensor x Sensor y Sensor z" in " ".join(text.split())
    assert "Its mounting was known; the record of it is not among these." in text


def test_the_seal_that_is_shown_covers_all_of_the_evidence(records: tuple[Path, list[Record]], tmp_path: Path) -> None:
    told = gathered(tmp_path / "a", records[1])
    assert told.seal is not None
    assert told.seal.body["upto"] >= told.dossier.parts[-1].seq > told.dossier.parts[0].seq
    text = read(told).text
    assert f"record {told.seal.seq}" in text
    assert told.seal.body["signature"].hex() in text


def test_labels_of_a_long_time_do_not_touch() -> None:
    assert 6 <= pulse_chart([], (-90.0, 15.0), "km/h").count('class="x') <= 13


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"confidence": "much"},
            "event 5 is told as no terminal tells it (Expected `float`, got `str` - at `$.confidence`)",
        ),
        ({"confidence": float("nan")}, "event 5"),
        ({"delta_v_mps": float("inf")}, "event 5 holds a number that is none"),
    ],
)
def test_what_no_terminal_tells_is_named_and_no_page(
    change: dict[str, Any], words: str, records: tuple[Path, list[Record]]
) -> None:
    told = list(records[1])
    at, event = next((i, one) for i, one in enumerate(told) if one.kind == "event")
    told[at] = replace(event, body={**event.body, **change})
    with pytest.raises(InputError, match=re.escape(words.replace("event 5", f"event {event.seq}"))):
        claim.gather(told, event.seq, SETTINGS, TABLE, proof.check([read_pile(records[0])]))


def test_inputs_of_another_time_are_left_out_and_said(records: tuple[Path, list[Record]]) -> None:
    told = list(records[1])
    at, part = next((i, one) for i, one in enumerate(told) if one.body.get("form") == "ring")
    odd = HEAD.pack(1 << 60, 1, FRAME, 0, 8, 0) + bytes(8)
    told[at] = replace(part, body={**part.body, "data": zlib.compress(odd + zlib.decompress(part.body["data"]))})
    found = claim.gather(told, None, SETTINGS, TABLE, proof.check([read_pile(records[0])]))
    assert found.dossier.missing == ("1 inputs are of another time, and left out",)
