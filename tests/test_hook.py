"""A command of the settings: run without a shell, never waited for, ended when it takes too long."""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.hook import GRACE_S, STEP_S_MAX, Ended, Hook

WAIT_S = 30.0
PYTHON = sys.executable
FOR_EVER = [PYTHON, "-c", "import signal; signal.pause()"]

Make = Callable[..., Hook]


@pytest.fixture
def hooked() -> Iterator[Make]:
    hooks: list[Hook] = []

    def make(*argv: str, **more: float) -> Hook:
        hooks.append(Hook(argv, **more))
        return hooks[-1]

    yield make
    for hook in hooks:
        hook.close()


def ended(hook: Hook, now_s: float = 0.0) -> Ended:
    """Tend it, at this time, until a command is over."""
    until_s = time.monotonic() + WAIT_S
    while not (over := hook.tend(now_s)):
        assert time.monotonic() < until_s, "it does not end"
        select.select([], [], [], 0.005)
    return over[0]


def appeared(place: Path) -> str:
    """What stands in a file, once there is one."""
    until_s = time.monotonic() + WAIT_S
    while not place.exists():
        assert time.monotonic() < until_s, f"no {place.name}"
        select.select([], [], [], 0.005)
    return place.read_text()


def writing(place: Path, what: str) -> tuple[str, ...]:
    """A command that leaves a file, whole from the first moment on."""
    code = f"import os, sys; p = {str(place)!r}; open(p + '_', 'w').write({what}); os.replace(p + '_', p)"
    return (PYTHON, "-c", code)


def test_words_of_the_call_become_arguments_and_environment(tmp_path: Path, hooked: Make) -> None:
    what = "repr((sys.argv[1:], os.environ['TBOX_KIND'], os.environ['TBOX_SEVERITY']))"
    hook = hooked(*writing(tmp_path / "out", what), "--{kind}", "{severity}", "{other}; $HOME")
    assert hook.start({"kind": "harsh_braking", "severity": "high"})
    over = ended(hook)
    assert over == Ended(PYTHON, 0, is_late=False, words={"kind": "harsh_braking", "severity": "high"})
    assert over.is_good
    wanted = (["--harsh_braking", "high", "{other}; $HOME"], "harsh_braking", "high")
    assert (tmp_path / "out").read_text() == repr(wanted)


def test_a_command_gets_nothing_of_ours_that_it_should_not(
    tmp_path: Path, hooked: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "@systemd")
    monkeypatch.setenv("LANG", "C.UTF-8")
    hook = hooked(*writing(tmp_path / "out", "repr(('NOTIFY_SOCKET' in os.environ, os.environ['LANG']))"))
    assert hook.start()
    ended(hook)
    assert (tmp_path / "out").read_text() == "(False, 'C.UTF-8')"


def test_no_command_does_nothing(hooked: Make) -> None:
    hook = hooked()
    assert not hook.start({"kind": "crash"})
    assert hook.tend(0) == []
    assert set(hook.counters().values()) == {0}


@pytest.mark.parametrize("argv", [("/nonexistent/command",), ("/",), ("a\0b",)])
def test_a_command_that_cannot_be_run_is_counted_and_harms_nobody(hooked: Make, argv: tuple[str, ...]) -> None:
    hook = hooked(*argv)
    assert not hook.start()
    assert not hook.start()
    assert (hook.counters()["missing"], hook.counters()["started"], hook.is_running) == (2, 0, False)


def test_a_command_that_fails_is_counted(hooked: Make) -> None:
    hook = hooked(PYTHON, "-c", "raise SystemExit(3)")
    hook.start()
    over = ended(hook)
    assert (over.exit_code, over.is_good, hook.counters()["failed"]) == (3, False, 1)


def test_so_many_run_at_once_and_no_more(hooked: Make) -> None:
    hook = hooked(*FOR_EVER, at_once=2)
    assert [hook.start() for _ in range(4)] == [True, True, False, False]
    assert (hook.counters()["started"], hook.counters()["refused"]) == (2, 2)
    assert hook.tend(0) == []
    assert hook.is_running


def test_one_that_takes_too_long_is_ended(hooked: Make) -> None:
    hook = hooked(*FOR_EVER, timeout_s=1.5)
    hook.start()
    for now_s in (100.0, 101.0, 101.4):
        assert hook.tend(now_s) == []
    assert hook.counters()["late"] == 0
    hook.tend(101.5)
    over = ended(hook, 101.5)
    assert (over.exit_code, over.is_late, over.is_good) == (-signal.SIGTERM, True, False)
    assert (hook.counters()["late"], hook.counters()["failed"], hook.is_running) == (1, 0, False)


def test_one_that_does_not_listen_is_killed_after_a_grace(tmp_path: Path, hooked: Make) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    made = writing(tmp_path / "ready", "'x'")
    hook = hooked(PYTHON, "-c", f"{deaf}; {made[2]}; signal.pause()", timeout_s=1)
    hook.start()
    appeared(tmp_path / "ready")
    now_s = 0.0
    while now_s < 1 + GRACE_S:
        assert hook.tend(now_s) == []
        now_s += 0.5
    assert ended(hook, now_s).exit_code == -signal.SIGKILL


def test_what_it_started_is_ended_with_it(tmp_path: Path, hooked: Make) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child_code(tmp_path)!r}])"
    hook = hooked(PYTHON, "-c", child, timeout_s=0.5)
    hook.start()
    pid = int(appeared(tmp_path / "pid"))
    hook.tend(0)
    hook.tend(0.5)
    ended(hook, 0.5)
    until_s = time.monotonic() + WAIT_S
    while Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < until_s


def child_code(folder: Path) -> str:
    """A program that says who it is, and stays."""
    return f"{writing(folder / 'pid', 'str(os.getpid())')[2]}; import signal; signal.pause()"


def test_hours_asleep_count_as_a_moment(hooked: Make) -> None:
    """A command that suspends the machine runs on when it wakes: it was not its own time that went by."""
    hook = hooked(*FOR_EVER, timeout_s=STEP_S_MAX * 2)
    hook.start()
    for now_s in (0.0, 28_800.0):
        assert hook.tend(now_s) == []
    assert hook.counters()["late"] == 0
    hook.tend(57_600.0)
    assert hook.counters()["late"] == 1


def test_closing_ends_what_runs(hooked: Make) -> None:
    hook = hooked(*FOR_EVER)
    hook.start()
    pid = hook._running[0].process.pid
    hook.close()
    hook.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
