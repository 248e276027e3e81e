"""Whatever is handed to the commands of evidence and proof: one line that names it, the right exit code, no traceback."""

import os
from pathlib import Path

import pytest

from agent.cli import main
from agent.outbox import Outbox
from agent.store import STORE_NAME
from tests.accounts import two_boots

BRAKE = next(record.seq for record in two_boots() if record.kind == "event")
HUGE = str(2**80)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A terminal with an account, and beside it what a hurried hand may name instead."""
    (tmp_path / "state").mkdir(mode=0o700)
    outbox = Outbox.open(tmp_path / "state" / STORE_NAME, 64_000_000, "a")
    outbox.append(two_boots())
    outbox.close()
    (tmp_path / "t.toml").write_text('[device]\nstate_dir = "state"\n')
    (tmp_path / "none.toml").write_text('[device]\nstate_dir = "nowhere"\n')
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("not what it should be\n")
    (tmp_path / "bare").mkdir()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("agent.recordfile.PILE_BYTES_MAX", 1 << 16)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("verify gone", 66, "gone: cannot be read: No such file"),
        ("verify empty", 66, "empty: there are no records in it"),
        ("verify text", 66, "text: there are no records in it"),
        ("verify bare", 66, "bare: there is no file in it"),
        ("verify /dev/zero", 66, "/dev/zero: has more than"),
        ("verify state --key 12", 2, "--key takes a public key of 64 hex digits"),
        ("report gone -o o.html --event 1", 66, "gone: no such file, and no number of a trip"),
        ("report bare -o o.html --event 1", 66, "bare: no such file, and no number of a trip"),
        ("report empty -o o.html --event 1", 66, "empty: there are no records in it"),
        ("report text -o o.html --event 1", 66, "text: there are no records in it"),
        ("report state/outbox.db -o o.html --event 1", 66, "there is no evidence of an event 1 here"),
        ("report state/outbox.db -o o.html --clips bare", 2, "name the crash with --event"),
        ("trips list --config none.toml", 74, "nowhere/outbox.db"),
        ("trips show 99 --config t.toml", 66, "there is no trip 99"),
        (f"trips show {HUGE} --config t.toml", 66, f"there is no trip {HUGE}"),
        ("trips export -o bare --config t.toml", 74, "bare: cannot be written: Is a directory"),
        ("trips export -o o --trip 99 --config t.toml", 66, "there is no trip 99"),
        ("trips export -o o --json --config t.toml", 2, "name it with --trip"),
        ("trips export -o o --frames 1 --config t.toml", 66, "there is no evidence of an event 1 here"),
        ("trips export -o o --frames 1 --records gone --config t.toml", 66, "gone: cannot be read"),
        (f"trips contest {BRAKE} _ --config none.toml", 74, "nowhere/outbox.db"),
        (f"trips contest {HUGE} _ --config t.toml", 2, "not the number of a record"),
        (f"trips contest {BRAKE} {'x' * 501} --config t.toml", 2, "1 to 500 characters"),
        ("trips erase 99 --yes --config t.toml", 66, "there is no trip 99"),
        ("key show --config none.toml", 74, "nowhere"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_and_its_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, says: str
) -> None:
    assert main(words.split()) == code
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not (folder / "o.html").exists()
    assert not (folder / "o").exists()
