"""The ffmpeg that films: started, listened to, ended when it brings nothing, started again later.

Times. ffmpeg says of each segment from where to where it goes on its own axis. That it says so at all, at the segment's
end, is heard here on boot time; the earliest of the last such moments ties both axes together. So segments are dated at
most as late as a picture takes from the lens to here, and `spread_us` is how far those moments lay apart.
"""

import logging
import os
import resource
import shutil
import signal
import subprocess
from collections import deque
from contextlib import suppress

from drivers.camera.plan import LoginError, Plan, read_login, record_command, script
from drivers.camera.ring import Ring

RETRY_US_MIN = 1_000_000
RETRY_US_MAX = 60_000_000
HEARD_MAX = 60
LINE_BYTES_MAX = 4096
WORDS_MAX = 300
END_S = 1.0
TIED = ("setpriv", "--pdeathsig", "KILL")
"""Of util-linux: runs a command that is killed when this process ends, however it ends."""
TOO_LARGE = "a segment outgrew an eighth of camera.budget_mb"

log = logging.getLogger(__name__)


class Recorder:
    """One ffmpeg at a time. `tend` is called often; nothing in here waits. Times are boot time in microseconds."""

    def __init__(self, plan: Plan, ring: Ring) -> None:
        self._plan, self._ring = plan, ring
        self._tied = TIED if shutil.which(TIED[0]) else ()
        self._child: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._words = b""
        self._login = ""
        self._ties: deque[int] = deque(maxlen=HEARD_MAX)
        self._heard_us = 0
        self._retry_at_us = 0
        self._wait_us = RETRY_US_MIN
        self.why = ""
        """Why it does not film; empty while it does."""
        self.counters = {"starts": 0, "stalls": 0, "ends": 0}

    @property
    def is_filming(self) -> bool:
        """Whether there is an ffmpeg."""
        return self._child is not None

    @property
    def pid(self) -> int:
        """The ffmpeg that films; 0: none does."""
        return 0 if self._child is None else self._child.pid

    @property
    def spread_us(self) -> int:
        """How far apart the moments lay by which segments are dated."""
        return max(self._ties, default=0) - min(self._ties, default=0)

    def filenos(self) -> list[int]:
        """Readable when ffmpeg has told something."""
        child = self._child
        return [] if child is None or child.stdout is None else [child.stdout.fileno()]

    def tend(self, now_us: int, *, is_wanted: bool) -> None:
        """Hear ffmpeg, end it when it hangs or is not wanted, start it when it is and it is time."""
        if self._child is not None:
            self._hear(now_us)
            self._watch(now_us, is_wanted=is_wanted)
        elif is_wanted and now_us >= self._retry_at_us:
            self._start(now_us)

    def close(self) -> None:
        """End ffmpeg; what it was writing stays."""
        if self._child is not None:
            self._end("")

    def _start(self, now_us: int) -> None:
        plan = self._plan
        self._ties.clear()
        self._heard, self._words, self._heard_us = b"", b"", now_us
        self._retry_at_us = now_us + self._wait_us
        self._wait_us = min(self._wait_us * 2, RETRY_US_MAX)
        try:
            self._login = read_login(plan.login_file) if plan.login_file else ""
            child = subprocess.Popen(  # noqa: S603 - our own command; what is set stands in it as whole words
                [*self._tied, *record_command(plan, self._ring.begin(now_us))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=self._confine,  # noqa: PLW1509 - this process has one thread
                start_new_session=True,
            )
        except (OSError, LoginError) as why:
            self._say(f"ffmpeg cannot be started: {why}" if isinstance(why, OSError) else str(why))
            return
        assert child.stdin is not None
        with suppress(OSError), child.stdin as told:
            told.write(script(plan, self._login) if self._login else b"")
        for pipe in (child.stdout, child.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        self._child = child
        self.counters["starts"] += 1

    def _confine(self) -> None:
        """In the child: it writes no file larger than it may."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._ring.open_bytes_max,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def _hear(self, now_us: int) -> None:
        """Segments that are whole, and what it complains of."""
        assert self._child is not None
        assert self._child.stderr is not None
        for fd in self.filenos():
            *lines, self._heard = (self._heard + _read(fd)).split(b"\n")
            self._heard = self._heard[-LINE_BYTES_MAX:]
            for line in lines:
                self._segment(line, now_us)
        self._words = (self._words + _read(self._child.stderr.fileno()))[-LINE_BYTES_MAX:]

    def _segment(self, line: bytes, now_us: int) -> None:
        name, start, end = [*line.decode(errors="replace").strip().split(","), "", ""][:3]
        try:
            start_us, end_us = round(float(start) * 1e6), round(float(end) * 1e6)
        except (ValueError, OverflowError):
            start_us = end_us = 0
        self._ties.append(now_us - end_us)
        tie_us = min(self._ties)
        if self._ring.take(name, max(0, tie_us + start_us), max(0, tie_us + end_us)):
            self._heard_us, self._wait_us = now_us, RETRY_US_MIN
            self._say("")
        else:
            self._ties.pop()

    def _watch(self, now_us: int, *, is_wanted: bool) -> None:
        assert self._child is not None
        code = self._child.poll()
        if code is not None:
            self.counters["ends"] += 1
            self._end(TOO_LARGE if code == -signal.SIGXFSZ else f"ffmpeg ended with {code}: {self._complaint()}")
        elif now_us - self._heard_us > self._plan.stall_s * 1e6:
            self.counters["stalls"] += 1
            self._end(f"no picture for {self._plan.stall_s:g} s: {self._complaint()}")
        elif not is_wanted:
            self._wait_us, self._retry_at_us = RETRY_US_MIN, now_us
            self._end("")

    def _complaint(self) -> str:
        """The last line ffmpeg wrote, without the login in it."""
        lines = self._words.decode(errors="replace").strip().splitlines()
        words = lines[-1] if lines else "it said nothing"
        return (words.replace(self._login, "...") if self._login else words)[-WORDS_MAX:]

    def _end(self, why: str) -> None:
        child, self._child = self._child, None
        assert child is not None
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            child.wait(END_S)
        for pipe in (child.stdout, child.stderr):
            assert pipe is not None
            pipe.close()
        self._ring.end(round(self._plan.segment_s * 1e6))
        if why:
            self._say(why)

    def _say(self, why: str) -> None:
        if why and why != self.why:
            log.warning("camera: %s", why)
        self.why = why


def _read(fd: int) -> bytes:
    with suppress(OSError):
        return os.read(fd, 65_536)
    return b""
