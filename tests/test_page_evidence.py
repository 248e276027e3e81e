"""The page of a crash: everything a claims handler asks for stands on it, and what nobody measured is said."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from agent import claim, cli, page_evidence, proof
from agent.claim import Claim
from agent.codec import Record
from agent.core import Event
from agent.recordfile import read_pile
from tests.accounts import framed
from tests.pages import Reader
from tests.wrecks import BLOW_US, SETTINGS, TABLE, Terminal

UTC_US = 1_790_000_000_000_000


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


def gathered(path: Path, told: Sequence[Record]) -> Claim:
    path.write_bytes(framed(list(told)))
    pile = read_pile(path)
    return claim.gather(pile.records, None, SETTINGS, TABLE, proof.check([pile]))


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
