"""The processes of the bench and what they say: the agent under test, unmodified, and the simulated car."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from hil import ROOT

MAP = Path(__file__).with_name("demo.toml")
STOP_S = 30.0
DATAGRAM_BYTES = 4096


class Staged:
    """What `_start` opens, one after the other; leaving ends it all, and so does an opening that fails."""

    _stack: ExitStack

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._start(opening)
            self._stack = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        """Open everything, and say to the stack how each ends."""
        raise NotImplementedError


def agent_command() -> list[str]:
    """How `tbox` is called: the one installed beside this Python, else from this folder."""
    installed = Path(sys.executable).with_name("tbox")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "agent.cli"]


def run_agent(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """One command of tbox, to its end."""
    command = [*agent_command(), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 # our own words


class Notices:
    """The socket systemd would listen on: the agent tells it that it is ready, and how it is."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self.path))
        self.is_ready = False
        self.status = ""

    def read(self) -> None:
        """Take what the agent has said since the last time."""
        while True:
            try:
                heard = self._socket.recv(DATAGRAM_BYTES).decode(errors="replace")
            except BlockingIOError:
                return
            for line in heard.splitlines():
                name, _, words = line.partition("=")
                self.is_ready |= name == "READY"
                self.status = words if name == "STATUS" else self.status

    @property
    def waiting(self) -> int | None:
        """How many records wait to be delivered, as the agent's status says; None before it says so."""
        head, _, _ = self.status.partition(" ")
        return int(head) if head.isdecimal() else None

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


class Agent:
    """`tbox run` as a process of its own; what it writes goes to `log`."""

    def __init__(self, settings: Path, notices: Notices, log: Path, more: Sequence[str] = ()) -> None:
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603 # our own words
                [*agent_command(), "run", "--config", str(settings), *more],
                cwd=ROOT,
                env={**os.environ, "NOTIFY_SOCKET": str(notices.path)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def send_signal(self, number: int) -> None:
        """As kill(1) does; nothing when it has ended."""
        self._process.send_signal(number)

    def kill(self) -> int:
        """End it at once, as a power cut does; its exit code."""
        self._process.kill()
        return self._process.wait()

    def stop(self) -> int:
        """Ask it to end, as systemd does; its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class CarProcess:
    """The simulated car; `truth` is what it said last about itself."""

    def __init__(self, bus: Sequence[str], module: str = "hil.car.car") -> None:
        self._process = subprocess.Popen(  # noqa: S603 # our own words
            [sys.executable, "-m", module, *bus],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.truth: dict[str, Any] = {}
        self.is_ready = threading.Event()
        self._reader = threading.Thread(target=self._read, name="car", daemon=True)
        self._reader.start()

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def go(self) -> None:
        """Drive."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """Take the car away: its input ends, so it goes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                self.truth = json.loads(line)
            else:
                self.is_ready.set()
