"""A service manager in little, as config/tbox.service has it: starts again what ends, kills what hangs."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

PREVENT = (2, 78)
WATCHDOG_S = 30.0
"""As in the unit: a loaded machine starts a process slowly."""

TURN_S = 0.05


class Supervised:
    """One command, kept running from `start` to `stop`; its words are in `log`."""

    def __init__(self, folder: Path, words: list[str]) -> None:
        self.log = folder / "tbox.log"
        self.starts = 0
        self.watchdog_s = WATCHDOG_S
        self.codes: list[int] = []
        self._words, self._folder = words, folder
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._address = f"@tbox-test-{os.getpid()}-{id(self)}"
        self._notices.bind("\0" + self._address[1:])
        self._notices.settimeout(TURN_S)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()
        self._notices.close()

    def said(self) -> str:
        """All that it logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _run(self) -> None:
        while not self._over.is_set():
            self.codes.append(self._once())
            if self.codes[-1] in PREVENT:
                return

    def _once(self) -> int:
        """One process, from its start to its end."""
        environment = {**os.environ, "NOTIFY_SOCKET": self._address, "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6))}
        with self.log.open("ab") as log:
            self._process = process = subprocess.Popen(
                [sys.executable, *self._words], stderr=log, stdout=log, env=environment
            )
        self.starts += 1
        beaten_s = time.monotonic()
        while process.poll() is None:
            if self._over.is_set():
                process.terminate()
            try:
                if b"WATCHDOG=1" in self._notices.recv(4096):
                    beaten_s = time.monotonic()
            except TimeoutError:
                pass
            if time.monotonic() - beaten_s > self.watchdog_s:
                process.send_signal(signal.SIGKILL)
        return process.wait()
