"""Whatever is handed to the commands of evidence and proof: one line that names it, the right exit code, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli import main
from agent.errors import StorageError
from agent.maps.maps import SHIPPED
from agent.outbox.outbox import Outbox
from agent.outbox.store import STORE_NAME
from agent.replay.inputs import written
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
    (tmp_path / "drive.csv").write_text("time_s,speed_mps\n0,1\n1,1\n")
    (tmp_path / "german.csv").write_text("time_s;speed_mps\n0;1,5\n")
    (tmp_path / "map.toml").write_bytes((SHIPPED / "obd2.toml").read_bytes())
    (tmp_path / "bare").mkdir()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("agent.outbox.recordfile.PILE_BYTES_MAX", 1 << 16)
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
        ("trips export -o o --records text --config t.toml", 2, "name the crash with --frames"),
        ("trips export -o state/outbox.db --config t.toml", 2, "state/outbox.db: is read by this command"),
        ("trips export -o text --frames 1 --records text", 2, "text: is read by this command"),
        (f"trips contest {BRAKE} _ --config none.toml", 74, "nowhere/outbox.db"),
        (f"trips contest {HUGE} _ --config t.toml", 2, "not the number of a record"),
        (f"trips contest {BRAKE} {'x' * 501} --config t.toml", 2, "1 to 500 characters"),
        ("trips erase 99 --yes --config t.toml", 66, "there is no trip 99"),
        ("key show --config none.toml", 74, "nowhere"),
        ("key certify xy --fleet text --name n -o o", 2, "64 hex digits"),
        (f"key certify {'a' * 64} --fleet text/x --name n -o o", 74, "text/x: the key cannot be read"),
        ("bundle sign /dev/zero --fleet text", 66, "/dev/zero: "),
        ("vehicle compile /dev/zero -o o", 78, "/dev/zero: too big for a vehicle map"),
        ("vehicle compile map.toml -o map.toml", 2, "map.toml: is read by this command"),
        (f"vehicle check {'x' * 300} text", 78, "vehicle map cannot be read: File name too long"),
        ("verify two\nlines", 66, "two lines: cannot be read"),
        ("replay german.csv", 66, "nothing recognised: its content is none of candump asc blf trc mf4 nmea csv; a CSV"),
        ("replay drive.csv --set \udcff=1", 2, "is not UTF-8 text"),
        ("replay drive.csv --json drive.csv", 2, "drive.csv: is read by this command"),
        ("report drive.csv -o drive.csv", 2, "drive.csv: is read by this command"),
        ("replay drive.csv --set vehicle.map='a\0b'", 78, "vehicle.map: holds the character NUL"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_and_its_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, says: str
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(words.split(" ")) == code
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not (folder / "o.html").exists()
    assert not (folder / "o").exists()
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "words",
    ["config schema", "replay drive.csv", "replay drive.csv --json -", "verify state --json"],
)
def test_a_full_disk_behind_stdout_is_74_and_no_verdict(folder: Path, words: str) -> None:
    line = [sys.executable, "-m", "agent.cli", *words.split()]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, cwd=folder, check=False)
    assert (done.returncode, done.stderr) == (74, "tbox: the output: No space left on device\n")


def test_closed_streams_are_no_traceback(folder: Path) -> None:
    line = [sys.executable, "-m", "agent.cli", "trips", "erase", "2", "--config", "t.toml"]
    shut = ["sh", "-c", 'exec "$@" <&- >&-', "sh", *line]
    done = subprocess.run(shut, stderr=subprocess.PIPE, text=True, cwd=folder, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_name_that_is_no_text_is_told_all_the_same(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"dr\xffve.csv")
    (folder / "drive.csv").rename(folder / name)
    assert main(["report", name, "-o", "o.html"]) == 0
    assert r"dr\udcffve.csv" in (folder / "o.html").read_text()
    assert main(["bundle", "verify", name]) == 1
    assert r"dr\udcffve.csv: not to be installed" in capfd.readouterr().out


@pytest.mark.parametrize("why", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_half_a_file_is_not_left_behind(folder: Path, why: BaseException) -> None:
    def half() -> None:
        with written("o", []) as out:
            out.write("half")
            raise why

    with pytest.raises((KeyboardInterrupt, StorageError)):
        half()
    assert not (folder / "o").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("key token ping --all --fleet text --seconds nan", "nan: must be a number over 0, at most 604800"),
        ("bundle permit --device 0 --id a --version 1 --fleet text -o o --days inf", "inf: must be a number over 0"),
        ("install record --technician x --odometer-km nan", "nan: must be a number from 0 to 10000000"),
        ("service --minutes soon", "soon: must be a number from 1 to 1440"),
        ("awake soon", "soon: must be a number over 0"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_no_number_is_said_at_the_word(capsys: pytest.CaptureFixture[str], words: str, says: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words.split())
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("key roster r --name a --add A=12 --fleet fleet.key", "--add A=12: a public key has 64 hex digits"),
        ("key token ping --device XY --fleet fleet.key", "--device XY: must be 16 hex digits"),
        ("key token ping --all --challenge 12 --fleet fleet.key", "--challenge 12: must be 32 hex digits"),
        (f"pair sign --device {'0' * 16} --code x --binding b --vin 12 --fleet fleet.key -o o", "--vin 12: a VIN has"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_signed_is_looked_at_first(capsys: pytest.CaptureFixture[str], words: str, says: str) -> None:
    assert main(["key", "fleet", "fleet.key"]) == 0
    assert main(words.split()) == 2
    assert says in capsys.readouterr().err
