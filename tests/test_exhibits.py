"""Beside a crash stand the camera's clip, held against its hash, and what the driver contests."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.codec import Record
from agent.evidence import claim, exhibits
from agent.evidence.exhibits import ABSENT, DIFFERS, HOLDS, SENT, SENT_WRONG, UNCHECKED, hashes_of, names_of
from agent.outbox.recordfile import read_pile
from agent.proof import proof
from tests.accounts import framed
from tests.pages import Reader
from tests.test_page_evidence import Told, read
from tests.wrecks import BLOW_US, SETTINGS, TABLE

FILM, NAME = b"a film" * 50_000, "1-5.mkv"
TEXT = "The <b>light</b> was green.\nAsk the cyclist."


def clip(files: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """As agent/camera/clips.py tells of one."""
    times = {"start_us": BLOW_US - 30_000_000, "end_us": BLOW_US + 15_000_000, "u_us": 400_000}
    return {"form": "clip", **times, "is_whole": True, "files": list(files), "why": None, **more}


def of(name: str, data: bytes) -> dict[str, Any]:
    return {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).digest()}


def crash(*bodies: dict[str, Any], contests: Sequence[str] = ()) -> list[Record]:
    """A crash, and this evidence and these notes beside it."""
    terminal = Told()
    terminal.keep(
        terminal.book.number("clock", 0, {"boot": 1, "boot_us": 0, "utc_us": 1_790_000_000_000_000, "u_us": 9})
    )
    terminal.drive()
    event = terminal.events[0][1]
    for body in bodies:
        terminal.keep(terminal.book.number("evidence", BLOW_US, {"event": event, **body}))
    for text in contests:
        note = {"command": "contest", "event": event, "text": text, "request": "1-2"}
        terminal.keep([*terminal.book.number("command", BLOW_US + 3_600_000_000, note), terminal.book.seal(1)])
    return terminal.records


def gathered(folder: Path, records: Sequence[Record], at_hand: exhibits.AtHand | None = None) -> claim.Claim:
    (folder / "crash.tbox").write_bytes(framed(list(records)))
    pile = read_pile(folder / "crash.tbox")
    return claim.gather(pile.records, None, SETTINGS, TABLE, proof.check([pile]), at_hand)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return crash(clip([of(NAME, FILM)]), contests=[TEXT])


@pytest.mark.parametrize(("given", "data", "verdict"), [
    pytest.param(None, b"", UNCHECKED, id="nothing at hand"),
    pytest.param(NAME, FILM, HOLDS, id="the file"),
    pytest.param("renamed.mkv", FILM, HOLDS, id="the file under another name"),
    pytest.param(NAME, FILM + b"x", DIFFERS, id="one byte longer"),
    pytest.param("other.mkv", b"other", DIFFERS, id="a file that is not it"),
    pytest.param(".", FILM, HOLDS, id="its folder"),
    pytest.param(".", FILM[:-1], DIFFERS, id="its folder, one byte shorter"),
    pytest.param("empty", b"", ABSENT, id="a folder without it"),
])  # fmt: skip
def test_the_file_at_hand_is_held_against_the_hash_in_the_account(
    records: list[Record], tmp_path: Path, given: str | None, data: bytes, verdict: str
) -> None:
    if given == "empty":
        (tmp_path / given).mkdir()
    elif given is not None:
        (tmp_path / (NAME if given == "." else given)).write_bytes(data)
    at_hand = None if given is None else hashes_of(tmp_path / given, names_of(records))
    told = gathered(tmp_path, records, at_hand)
    (film,) = told.films
    assert film.verdict == verdict
    assert (film.file, film.bytes, film.sha256) == (NAME, len(FILM), hashlib.sha256(FILM).hexdigest())
    assert (film.start_s, film.end_s) == pytest.approx((-30.0, 15.0), abs=0.2)
    page = read(told)
    for words in (NAME, film.sha256, verdict, "-30.0 s to +15.0 s from the blow, give or take 0.4 s", "sealed"):
        assert words in page.text
    assert bool(page.all("span", "wrong")) is (verdict == DIFFERS)


@pytest.mark.parametrize(("parts", "verdict"), [
    pytest.param([FILM[:100_000], FILM[100_000:]], SENT, id="all of them"),
    pytest.param([FILM[:100_000], FILM[100_001:]], SENT_WRONG, id="a byte less"),
    pytest.param([FILM[:100_000], None], UNCHECKED, id="one is not here"),
])  # fmt: skip
def test_a_clip_that_was_sent_in_parts_is_checked_without_a_file(
    tmp_path: Path, parts: list[bytes | None], verdict: str
) -> None:
    video = [
        {"form": "video", "chunk": number, "chunks": len(parts), "file": NAME, "data": data}
        for number, data in enumerate(parts)
        if data is not None
    ]
    records = crash(clip([of(NAME, FILM)]), *video)
    assert [film.verdict for film in gathered(tmp_path, records).films] == [verdict]


def test_a_clip_that_never_came_is_told_with_its_reason(tmp_path: Path) -> None:
    records = crash(clip([], is_whole=False, why="the camera's process does not answer"))
    assert (
        "No clip of -30.0 s to +15.0 s from the blow: the camera's process does"
        in read(gathered(tmp_path, records)).text
    )


def test_what_the_driver_contests_stands_beside_the_event_as_it_was_written(
    records: list[Record], tmp_path: Path
) -> None:
    told = gathered(tmp_path, records)
    page = read(told)
    at = page.words.index(TEXT)
    assert page.words.index("Contested by the driver") < at < page.words.index("Measured")
    assert f"record {told.notes[0].seq}, sealed" in page.text
    assert "21 September 2026, 17:15:06 (Europe/Berlin)" in page.text
    assert "Contested" not in read(gathered(tmp_path, crash())).text


def test_a_file_s_name_in_an_account_leads_nowhere_else(tmp_path: Path) -> None:
    names = ["../secret", "/etc/passwd", "a/b/c", "", ".", "..", "a/../b", "1-5.mkv", "1-5/000.mkv"]
    assert names_of(crash(clip([of(name, b"x") for name in names]))) == ["1-5.mkv", "1-5/000.mkv"]


@pytest.mark.parametrize("body", [
    {"files": [{"file": "x", "bytes": 1, "sha256": b"short"}]}, {"files": 7}, {"files": [[]]}, {"start_us": "x"}, {"files": None},
])  # fmt: skip
def test_a_clip_record_that_is_none_does_no_harm(tmp_path: Path, body: dict[str, Any]) -> None:
    Reader(read(gathered(tmp_path, crash(clip([]) | body))).text)


def test_the_command_checks_the_clip(records: list[Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "crash.tbox").write_bytes(framed(records))
    (tmp_path / NAME).write_bytes(FILM)
    words = ["report", str(tmp_path / "crash.tbox"), "-o", str(tmp_path / "crash.html")]
    event = ["--event", str(next(record.seq for record in records if record.kind == "event")), "--clips"]
    assert cli.main([*words, *event, str(tmp_path)]) == 0
    assert HOLDS in (tmp_path / "crash.html").read_text()
    assert cli.main([*words, *event, str(tmp_path / "gone.mkv")]) == 66
    assert "gone.mkv: cannot be read: No such file or directory" in capsys.readouterr().err
    assert cli.main([*words, "--clips", str(tmp_path)]) == 2
    assert "name the crash with --event" in capsys.readouterr().err
