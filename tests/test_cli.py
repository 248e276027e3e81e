"""The command line as a person meets it: help that answers, errors of one line, the right exit code."""

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = (
    [], ["run"], ["replay"], ["decode"], ["report"], ["trips"], ["trips", "list"], ["trips", "show"], ["trips", "export"],
    ["verify"], ["config"], ["config", "check"], ["config", "show"], ["config", "schema"], ["config", "diff"], ["flash"], ["rollback"], ["vehicle"], ["vehicle", "compile"],
    ["vehicle", "probe"], ["vehicle", "check"], ["doctor"], ["key"], ["key", "show"],
    ["key", "rotate"], ["key", "accept"], ["key", "fleet"], ["key", "certify"],
)  # fmt: skip
ROOT = Path(__file__).parent.parent


def tbox(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command."""
    line = [sys.executable, "-m", "agent.cli", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=cwd, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_is_an_answer(words: list[str]) -> None:
    told = tbox(*words, "--help")
    assert (told.returncode, told.stderr) == (0, "")
    assert "exit codes" in told.stdout


@pytest.mark.parametrize(
    ("words", "code", "naming"),
    [
        pytest.param(["verify", "gone.tbox"], 66, "gone.tbox", id="verify a file that is not there"),
        pytest.param(["verify", ROOT / "LICENSE"], 66, "LICENSE", id="verify what is no account"),
        pytest.param(["report", "gone.csv", "-o", "x.html"], 66, "gone.csv", id="report of nothing"),
        pytest.param(["config", "check", "gone.toml"], 78, "gone.toml", id="settings that are not there"),
        pytest.param(["vehicle", "compile", "gone.dbc", "-o", "x.table"], 78, "gone.dbc", id="a DBC that is not there"),
        pytest.param(["trips", "list", "--config", "gone.toml"], 78, "gone.toml", id="trips without settings"),
        pytest.param(["trips", "show", "seven"], 2, "seven", id="a trip that is no number"),
        pytest.param(["vehicle", "probe", "--seconds", "0"], 2, "over 0", id="listening for no time"),
        pytest.param(["vehicle", "probe", "--seconds", "86401"], 2, "86400", id="listening for more than a day"),
        pytest.param(["doctor", "--seconds", "nan"], 2, "over 0", id="listening for what is no number"),
        pytest.param(["doctor", "--seconds", "soon"], 2, "soon", id="listening for words"),
        pytest.param(["vehicle", "check", "gone.toml", "a.log"], 78, "gone.toml", id="a map that is not there"),
        pytest.param(["vehicle", "check", "obd2.toml", "gone.log"], 66, "gone.log", id="a map on no log"),
        pytest.param(["key", "show", "--config", "gone.toml"], 78, "gone.toml", id="a key without settings"),
        pytest.param(
            ["key", "certify", "xy", "--fleet", "f", "--name", "n", "-o", "c"], 2, "64 hex", id="no public key"
        ),
        pytest.param(["replay", "a.csv", "--format", "pdf"], 2, "pdf", id="a format that does not exist"),
    ],
)
def test_an_error_is_one_line_with_the_right_code(tmp_path: Path, words: list[object], code: int, naming: str) -> None:
    told = tbox(*words, cwd=tmp_path)
    assert told.returncode == code, told.stderr
    assert naming in told.stderr.splitlines()[-1]
    assert "Traceback" not in told.stderr
    assert code == 2 or len(told.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_probing_a_named_bus_needs_no_settings(tmp_path: Path) -> None:
    told = tbox("vehicle", "probe", "--channel", "gone", "--interface", "slcan", "--seconds", "1", cwd=tmp_path)
    assert (told.returncode, "gone" in told.stderr, len(told.stderr.splitlines())) == (69, True, 1)


def test_a_command_that_is_stopped_cleans_its_line_and_is_130(tmp_path: Path) -> None:
    settings, (ours, theirs) = tmp_path / "tbox.toml", pty.openpty()
    settings.write_text(f'device.state_dir = "{tmp_path}"\n')
    line = [sys.executable, "-m", "agent.cli", "doctor", "--seconds", "600", "--config", str(settings)]
    with subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as doctor:
        os.close(theirs)
        said = b""
        while b"listening for 600 s" not in said:
            assert select.select([ours], [], [], 30)[0], said
            said += os.read(ours, 4096)
        doctor.send_signal(signal.SIGINT)
        assert doctor.wait(30) == 130
    rest = os.read(ours, 65536)
    os.close(ours)
    assert b"Traceback" not in rest
    assert rest.endswith(b"\r\x1b[K")


def test_a_dbc_with_an_error_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.dbc").write_text('VERSION ""\nBU_:\nBO_ 291 Mixed: 8 X\n SG_ Whole : 0|16@1+ (1,0 [0|0] "" X\n')
    told = tbox("vehicle", "compile", "bad.dbc", "-o", "x.table", cwd=tmp_path)
    assert told.returncode == 78
    assert "bad.dbc:4" in told.stderr


def test_an_output_that_cannot_be_written_is_74(tmp_path: Path) -> None:
    (tmp_path / "drive.csv").write_text("time_s,speed_mps\n0,1\n1,1\n")
    told = tbox("replay", "drive.csv", "--json", "no/such/folder.jsonl", cwd=tmp_path)
    assert (told.returncode, "folder.jsonl" in told.stderr) == (74, True)


def test_a_table_in_a_folder_that_is_none_is_74(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = tbox("vehicle", "compile", ROOT / "config" / "vehicles" / "obd2.toml", "-o", "file/x.table", cwd=tmp_path)
    assert (told.returncode, len(told.stderr.splitlines())) == (74, 1), told.stderr


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    frames = "".join(f"({n / 100:.6f}) can0 7E8#03410D10\n" for n in range(20_000))
    (tmp_path / "drive.log").write_text(frames)
    line = f"{sys.executable} -m agent.cli decode drive.log --obd | true"
    told = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.stderr == ""
