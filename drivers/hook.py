"""A command of the settings, run without a shell and without ever waiting for it: so many at once, each for so long."""

import logging
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

STEP_S_MAX = 1.0
"""Between two looks at most so much of a command's time goes by: asleep, Linux does not run it either."""

GRACE_S = 2.0
"""A command that is told to end gets so long before it is killed."""

LEAVE_S = 1.0
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""What a command gets of our own environment."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that is over. `exit_code` as subprocess has it: negative, the signal that ended it."""

    command: str
    exit_code: int
    is_late: bool
    words: Mapping[str, str]

    @property
    def is_good(self) -> bool:
        """Whether it did what it was asked for."""
        return self.exit_code == 0 and not self.is_late


@dataclass(slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    words: Mapping[str, str]
    left_s: float
    is_late: bool = False
    is_killed: bool = False


class Hook:
    """Runs `argv` when asked. `{kind}` in it becomes the word "kind" of the call, and so does TBOX_KIND around it.

    `timeout_s`: how long it may run. `at_once`: how many of it may run. What it prints goes to our standard error.
    """

    def __init__(self, argv: Sequence[str], *, timeout_s: float = 10.0, at_once: int = 1) -> None:
        self._argv = tuple(argv)
        self._timeout_s, self._at_once = timeout_s, at_once
        self._running: list[_Running] = []
        self._looked_s: float | None = None
        self._was_missing = False
        self._counters = {"started": 0, "refused": 0, "missing": 0, "failed": 0, "late": 0}

    @property
    def is_running(self) -> bool:
        """Whether one has not ended yet."""
        return bool(self._running)

    def start(self, words: Mapping[str, str] | None = None) -> bool:
        """Run it; False, and counted, when too many run already or it cannot be run. No command: does nothing."""
        if not self._argv:
            return False
        if len(self._running) >= self._at_once:
            self._counters["refused"] += 1
            return False
        told = dict(words or {})
        process = self._spawn(told)
        if process is not None:
            self._counters["started"] += 1
            self._running.append(_Running(process, told, self._timeout_s))
        return process is not None

    def tend(self, now_s: float) -> list[Ended]:
        """Look after those that run; returns those that are over. Called each turn of the loop; any clock will do."""
        step_s = 0.0 if self._looked_s is None else min(max(now_s - self._looked_s, 0.0), STEP_S_MAX)
        self._looked_s = now_s if self._running else None
        ended = [ended for running in self._running if (ended := self._look(running, step_s)) is not None]
        self._running = [running for running in self._running if running.process.returncode is None]
        return ended

    def counters(self) -> dict[str, int]:
        """Tell commands started; refused, as too many ran; missing; failed; ended by us, as they took too long."""
        return dict(self._counters)

    def close(self) -> None:
        """End what still runs. A second call does nothing."""
        for running in self._running:
            _tell(running.process, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(LEAVE_S)
        self._running = []

    def _spawn(self, words: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
        argv = [_filled(part, words) for part in self._argv]
        ours = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        told = {f"TBOX_{name.upper()}": word for name, word in words.items()}
        try:
            return subprocess.Popen(  # noqa: S603 - the command is the owner's, in a file only the owner may write
                argv, stdin=subprocess.DEVNULL, stdout=2, env=ours | told, start_new_session=True
            )
        except (OSError, ValueError) as error:
            self._counters["missing"] += 1
            if not self._was_missing:
                log.warning("command %s cannot be run: %s", argv[0], error)
            self._was_missing = True
            return None

    def _look(self, running: _Running, step_s: float) -> Ended | None:
        code = running.process.poll()
        if code is None:
            running.left_s -= step_s
            self._hurry(running)
            return None
        if code != 0 and not running.is_late:
            self._counters["failed"] += 1
            log.warning("command %s ended with %d", self._argv[0], code)
        return Ended(self._argv[0], code, running.is_late, running.words)

    def _hurry(self, running: _Running) -> None:
        """Ask one that takes too long to end, then end it."""
        if running.left_s <= 0 and not running.is_late:
            running.is_late = True
            self._counters["late"] += 1
            log.warning("command %s took longer than %g s", self._argv[0], self._timeout_s)
            _tell(running.process, signal.SIGTERM)
        elif running.left_s <= -GRACE_S and not running.is_killed:
            running.is_killed = True
            _tell(running.process, signal.SIGKILL)


def _filled(part: str, words: Mapping[str, str]) -> str:
    """The argument with its {name}s replaced."""
    for name, word in words.items():
        part = part.replace("{" + name + "}", word)
    return part


def _tell(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the command and all it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
