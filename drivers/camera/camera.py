"""A camera, seen from the daemon: a process of its own films and saves; here it is told what, and heard.

Nothing in here waits, and nothing fails: a process that ends, hangs or talks nonsense is ended by its id and started
again, later each time.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from drivers.camera.plan import Plan

RETRY_S_MIN = 1.0
RETRY_S_MAX = 60.0
HUNG_S = 90.0
"""The process tells something every second, but for a disk that makes it wait."""

LINE_BYTES_MAX = 262_144
READ_BYTES = 65_536
READS_MAX = 4
"""In one turn at most: the loop has other things to do."""
END_S = 2.0


class Camera:
    """The process that keeps a camera. `tend` each turn of the loop; `begun` grows whenever it was started."""

    def __init__(self, plan: Plan) -> None:
        self._command = [sys.executable, "-m", "drivers.camera.keeper", json.dumps(asdict(plan))]
        self._child: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._heard_s = self._since_s = 0.0
        self._retry_at_s = float("-inf")
        self._wait_s = RETRY_S_MIN
        self._gone: list[subprocess.Popen[bytes]] = []
        self._counters = {"begun": 0, "hung": 0, "nonsense": 0, "untold": 0}

    @property
    def begun(self) -> int:
        """How often the process was started."""
        return self._counters["begun"]

    @property
    def pid(self) -> int:
        """The process; 0: there is none now."""
        return 0 if self._child is None else self._child.pid

    def tend(self, now_s: float) -> list[dict[str, Any]]:
        """What the process told since the last call. Starts it when it is not there."""
        self._gone = [child for child in self._gone if child.poll() is None]
        if self._child is None:
            if now_s >= self._retry_at_s:
                self._start(now_s)
            return []
        told = self._read(self._child, now_s)
        if self._child is not None and now_s - self._heard_s > HUNG_S:
            self._counters["hung"] += 1
            self._end()
        return told

    def tell(self, **message: Any) -> bool:
        """A line to the process; False, and counted: there is none, or it takes none."""
        data = json.dumps(message).encode() + b"\n"
        if self._child is not None and self._child.stdin is not None:
            with suppress(OSError):
                if os.write(self._child.stdin.fileno(), data) == len(data):
                    return True
            self._end()
        self._counters["untold"] += 1
        return False

    def counters(self) -> dict[str, int]:
        """Tell starts of the process, hangs, nonsense it told, and what could not be told to it."""
        return dict(self._counters)

    def close(self) -> None:
        """End the process, kindly first; a second call does nothing."""
        child = self._child
        if child is None:
            return
        assert child.stdin is not None
        with suppress(OSError):
            child.stdin.close()
        for number in (0, signal.SIGTERM):
            child.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(END_S)
                break
        self._end()
        with suppress(subprocess.TimeoutExpired):
            child.wait(END_S)

    def _start(self, now_s: float) -> None:
        self._retry_at_s, self._wait_s = now_s + self._wait_s, min(self._wait_s * 2, RETRY_S_MAX)
        self._heard, self._heard_s, self._since_s = b"", now_s, now_s
        try:
            child = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours
        except OSError:
            return
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        self._child = child
        self._counters["begun"] += 1

    def _read(self, child: subprocess.Popen[bytes], now_s: float) -> list[dict[str, Any]]:
        assert child.stdout is not None
        told: list[dict[str, Any]] = []
        for _ in range(READS_MAX):
            try:
                data = os.read(child.stdout.fileno(), READ_BYTES)
            except BlockingIOError:
                break
            *lines, self._heard = (self._heard + data).split(b"\n")
            messages = [_message(line) for line in lines]
            told += [message for message in messages if message is not None]
            if not data or None in messages or len(self._heard) > LINE_BYTES_MAX:
                self._counters["nonsense"] += bool(data)
                self._end()
                break
            self._heard_s = now_s
            self._wait_s = RETRY_S_MIN if now_s - self._since_s > RETRY_S_MAX else self._wait_s
        return told

    def _end(self) -> None:
        """Gone, whatever it does."""
        child, self._child = self._child, None
        assert child is not None
        child.kill()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        self._gone.append(child)


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
