"""Starts `tbox` again and again, in milliseconds: a process that has everything loaded, and forks.

Started with tests/native/cut_shim.c preloaded. A line of JSON on stdin asks for a process: the words of its command,
where its own words go, and at which call in which folder it ends. A line on stdout has its number, the next its exit
code and the calls that were counted. One thread only; one process at a time.
"""

import json
import os
import subprocess
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent import app, cli, run
from agent.outbox import writer
from agent.proof import verify
from agent.settings import file as settings_file
from drivers.recordings import csv_table, recorded
from tests import powercut_shim
from tests.powercut_shim import Call

SPAN_US, CONFIRM_WAIT_S = 500_000, 0.05
LOADED = (app, csv_table, run, settings_file, verify)
"""What every start needs."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One process: what it does, where its words go, at which call in this folder it ends (0: at none)."""

    words: list[str]
    log: str
    folder: str
    at: int
    is_torn: bool


class Server:
    """The process, as its owner has it."""

    def __init__(self, library: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.powercut_server"],
            env=powercut_shim.environment(library),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, asked: Asked) -> int:
        """Its number."""
        assert self._process.stdin is not None
        print(json.dumps(asdict(asked)), file=self._process.stdin, flush=True)
        pid: int = self._read()
        return pid

    def wait(self) -> tuple[int, list[Call]]:
        """Its exit code, a signal's number below zero, and the calls."""
        code, calls = self._read()
        return code, [Call(*call) for call in calls]

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def serve() -> None:
    """Until nobody asks any more."""
    recorded.INPUTS_MIN, recorded.SPAN_US = 1, SPAN_US  # more turns in a drive: more moments at which a cut can come
    writer.CONFIRM_WAIT_S = CONFIRM_WAIT_S  # a run ends sooner
    for line in sys.stdin:
        asked = Asked(**json.loads(line))
        calls = os.memfd_create("calls")
        child = os.fork()
        if child == 0:
            _become(asked, calls)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        told = [[call.name, call.file, call.size] for call in powercut_shim.calls_in(calls)]
        print(json.dumps([os.waitstatus_to_exitcode(status), told]), flush=True)


def _become(asked: Asked, calls: int) -> None:
    """The process that was asked for."""
    code = powercut_shim.FAILED
    try:
        log = os.open(asked.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for file, place in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(file, place)
        powercut_shim.arm(Path(asked.folder), asked.at, is_torn=asked.is_torn, log=calls)
        code = cli.main(asked.words)
    except SystemExit as why:
        code = why.code if isinstance(why.code, int) else powercut_shim.FAILED
    except BaseException:  # noqa: BLE001  (the top of a process)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
