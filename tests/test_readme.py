"""The README's example of cheating with an account: its commands do, on another account, what stands beneath them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.accounts import drive, framed, ledger

README = Path(__file__).resolve().parent.parent / "README.md"
PROGRAMS = ("lose.py", "forge.py")


def blocks() -> Iterator[list[str]]:
    """The indented blocks of the example, one after the other."""
    text = README.read_text(encoding="utf-8")
    lines = text[text.index("Try to cheat") : text.index("## The bench")].splitlines()
    for is_code, block in groupby(lines, key=lambda line: line.startswith("    ") or not line):
        found = [line[4:] for line in block]
        if is_code and any(found):
            parts = "\n".join(found).strip("\n").split("\n\n")
            yield from (part.splitlines() for part in parts)


def account() -> bytes:
    """A drive with a harsh braking, whose end counts it."""
    book = ledger()
    records = book.start(0, {}) + drive(book, 5)
    return framed(records + book.number("trip_end", 9, {"trip": 2, "events": {"harsh_braking": 1}}))


def general(line: str) -> str:
    """Its words, whatever the numbers."""
    return re.sub(r"\d+", "N", line)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "received.tbox").write_bytes(account())
    programs = [block for block in blocks() if not block[0].startswith("$ ")]
    for name, block in zip(PROGRAMS, programs, strict=True):
        (tmp_path / name).write_text("\n".join(block), encoding="utf-8")
    return tmp_path


def run(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command, shell=True, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    return done.stdout


def test_each_way_of_cheating_is_found_as_the_readme_says(folder: Path) -> None:
    seen = 0
    for block in (block for block in blocks() if block[0].startswith("$ ")):
        commands = [line[2:] for line in block if line.startswith("$ ")]
        told = "".join(run(command, folder) for command in commands).splitlines()
        promised = [line for line in block if not line.startswith("$ ")]
        kinds = {re.sub(r" \(.*", "", general(line)) for line in promised if "seal)" not in line}
        assert kinds <= {re.sub(r" \(.*", "", general(line)) for line in told} | {"FAILED: N things do not hold"}, told
        verdict = promised[-1].partition(":")[0]
        assert told[-1].startswith(verdict)
        seen += 1
    assert seen == 4
