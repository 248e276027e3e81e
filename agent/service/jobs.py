"""What the service page has done by other commands of ours: a child process each, its lines kept as they come.

One job that changes or tries something runs at a time (doctor, flash, rollback); short questions run beside it, a few
at once. Everything is bounded: lines, their length, time. What a person typed reaches a child only as one argument.
"""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

LINES_MAX = 2000
LINE_BYTES_MAX = 1 << 16
ERROR_BYTES_MAX = 4096
JOB_S_MAX = 900.0
"""A live check takes 60 s, a trial its window; longer is a child that hangs."""

GRACE_S = 5.0
"""A child that is told to end (as by Ctrl-C) cleans up for so long, then it is killed."""

QUESTIONS_MAX = 3
JOBS_KEPT = 8
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME")
"""What a child gets of our own environment."""


class BusyError(Exception):
    """Something else runs."""


@dataclass(slots=True)
class Job:
    """A child and what it has said so far: objects, one a line. `code` is None while it runs."""

    number: int
    name: str
    lines: list[dict[str, Any]] = field(default_factory=list)
    code: int | None = None
    error: str = ""
    """Its last word on stderr, where it failed."""

    def take(self, raw: bytes) -> None:
        """One more line. ValueError: it is one too many."""
        if len(self.lines) >= LINES_MAX:
            raise ValueError("too many lines")
        self.lines.append(_object(raw))

    def told(self, since: int) -> dict[str, Any]:
        """What it said from this line on."""
        return {
            "job": self.number, "name": self.name, "lines": self.lines[since:], "next": max(since, len(self.lines)),
            "code": self.code, "error": self.error,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """A short question's end: exit code, all of stdout, the last words on stderr."""

    code: int
    out: bytes
    error: str


class Jobs:
    """Starts children: `program` is how our own command line is called, `options` what each command gets besides."""

    def __init__(self, program: Sequence[str], options: Sequence[str]) -> None:
        self._program, self._options = tuple(program), tuple(options)
        self._jobs: dict[int, Job] = {}
        self._number = 0
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._asking = asyncio.Semaphore(QUESTIONS_MAX)

    @property
    def running(self) -> Job | None:
        """The job that runs now."""
        return next((job for job in self._jobs.values() if job.code is None), None)

    def find(self, number: int) -> Job | None:
        """A job of this run of the page; None: there is none, or it was long ago."""
        return self._jobs.get(number)

    def latest(self, name: str) -> Job | None:
        """The newest of this name."""
        return next((job for job in reversed(self._jobs.values()) if job.name == name), None)

    def ended(self, name: str, unless: Sequence[str]) -> Job | None:
        """The newest of this name, once it has ended, unless one of these was started after it."""
        job = self.latest(name)
        later = [other for other in map(self.latest, unless) if other is not None]
        if job is None or job.code is None or any(other.number > job.number for other in later):
            return None
        return job

    async def start(self, name: str, words: Sequence[str]) -> Job:
        """Start `tbox WORDS`, which says JSON Lines. BusyError: another job runs."""
        if self.running is not None:
            raise BusyError(self.running.name)
        self._number += 1
        job = self._jobs[self._number] = Job(self._number, name)
        for old in list(self._jobs)[:-JOBS_KEPT]:
            del self._jobs[old]
        try:
            self._process = await self._spawn(words)
        except OSError as why:
            job.code, job.error = 69, f"cannot be started: {why.strerror}"
            return job
        self._task = asyncio.create_task(self._follow(job, self._process))
        return job

    def stop(self, job: Job) -> None:
        """End it as Ctrl-C would."""
        if job.code is None and self._process is not None:
            _signal(self._process, signal.SIGINT)

    async def finish(self, name: str) -> None:
        """End a job of this name if one runs, and wait until it has."""
        if self.running is not None and self.running.name == name:
            self.stop(self.running)
            if self._task is not None:
                await asyncio.wait({self._task}, timeout=GRACE_S)

    async def ask(self, words: Sequence[str], timeout_s: float, bytes_max: int) -> Answer:
        """Run `tbox WORDS` to its end. BusyError: too many ask at once. A late or long-winded child is killed: 69."""
        if self._asking.locked():
            raise BusyError("questions")
        async with self._asking:
            process = await self._spawn(words)
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                out, error = await asyncio.wait_for(
                    asyncio.gather(_read(process.stdout, bytes_max), _tail(process.stderr)), timeout_s
                )
                return Answer(await process.wait(), out, error)
            except (TimeoutError, ValueError):
                return Answer(69, b"", "it took too long, or said too much")
            finally:
                await _end(process)

    async def close(self) -> None:
        """End what runs, in order."""
        if self.running is not None and self._process is not None:
            _signal(self._process, signal.SIGINT)
        if self._task is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._task), GRACE_S)
        if self._process is not None:
            await _end(self._process)

    async def _spawn(self, words: Sequence[str]) -> asyncio.subprocess.Process:
        ours = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return await asyncio.create_subprocess_exec(
            *self._program, *words, *self._options, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env=ours | {"PYTHONUNBUFFERED": "1"}, start_new_session=True,
            limit=LINE_BYTES_MAX,
        )  # fmt: skip

    async def _follow(self, job: Job, process: asyncio.subprocess.Process) -> None:
        """Take its lines until it ends."""
        assert process.stdout is not None
        assert process.stderr is not None
        errors = asyncio.create_task(_tail(process.stderr))
        error, code = "", 69
        try:
            async with asyncio.timeout(JOB_S_MAX):
                while raw := await process.stdout.readline():
                    job.take(raw)
                code = await process.wait()
                error = await errors
        except (TimeoutError, ValueError):
            error = "it took too long, or said too much"
        finally:
            await _end(process)
            errors.cancel()
            job.error, job.code = error, code


def _object(raw: bytes) -> dict[str, Any]:
    """A line as an object; what is none is told as text."""
    try:
        told = json.loads(raw)
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {"text": raw.decode("utf-8", "replace").strip()}


async def _read(stream: asyncio.StreamReader, bytes_max: int) -> bytes:
    """All of it. ValueError: more than so many bytes."""
    pieces, size = [], 0
    while piece := await stream.read(LINE_BYTES_MAX):
        size += len(piece)
        if size > bytes_max:
            raise ValueError("too long")
        pieces.append(piece)
    return b"".join(pieces)


async def _tail(stream: asyncio.StreamReader) -> str:
    """The last line that was said, without our own name before it."""
    kept = b""
    while piece := await stream.read(ERROR_BYTES_MAX):
        kept = (kept + piece)[-ERROR_BYTES_MAX:]
    lines = kept.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("tbox: ") if lines else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """It is over when this returns, and so is all it started."""
    _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To the child and its children."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
