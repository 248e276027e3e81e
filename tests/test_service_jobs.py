"""Children of the service page: followed line by line, one at a time, bounded, ended in order."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.service import jobs as service_jobs
from agent.service.jobs import BusyError, Job, Jobs

WAIT_S = 30.0
LINES = "import json\nfor n in range(3): print(json.dumps({'n': n}))\nprint('no object')\nprint('[1]')"
FAILS = "import sys\nprint('tbox: a first word', file=sys.stderr)\nprint('tbox: x.toml:3: wrong', file=sys.stderr)\nsys.exit(78)"
WAITS = 'import signal\nprint(\'{"step": "here"}\', flush=True)\nsignal.pause()'
ENDLESS = "while True: print('{}')"
LONG = "print('x' * 200_000)"
TIDY = "import signal, sys\nfrom pathlib import Path\ntry:\n    print('{}', flush=True)\n    signal.pause()\nexcept KeyboardInterrupt:\n    Path(sys.argv[1]).touch()\n    sys.exit(130)"


def run(talk: Callable[[Jobs], Awaitable[Any]], program: str) -> Any:
    """A script in place of our command line; `talk` with its jobs."""

    async def live() -> Any:
        jobs = Jobs([sys.executable, "-c", program], [])
        try:
            return await talk(jobs)
        finally:
            await jobs.close()

    return asyncio.run(live())


async def until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end_s
        await asyncio.sleep(0.01)


async def ended(jobs: Jobs, *words: str) -> Job:
    job = await jobs.start("doctor", words)
    await until(lambda: job.code is not None)
    return job


def test_a_job_says_objects_and_what_is_none_is_text() -> None:
    job = run(ended, LINES)
    assert job.lines == [{"n": 0}, {"n": 1}, {"n": 2}, {"text": "no object"}, {"text": "[1]"}]
    assert (job.code, job.error) == (0, "")
    assert job.told(3) == {"job": 1, "name": "doctor", "lines": job.lines[3:], "next": 5, "code": 0, "error": ""}


def test_what_was_found_before_another_configuration_came_is_old() -> None:
    async def talk(jobs: Jobs) -> list[bool]:
        known = [jobs.ended("doctor", unless=("flash",)) is not None]
        for name in ("doctor", "judge", "flash", "doctor"):
            job = await jobs.start(name, ())
            known.append(jobs.ended("doctor", unless=("flash",)) is not None)
            await until(lambda job=job: job.code is not None)  # type: ignore[misc]
            known.append(jobs.ended("doctor", unless=("flash",)) is not None)
        return known

    assert run(talk, LINES) == [False, False, True, True, True, False, False, False, True]


def test_why_a_job_failed_is_its_last_word() -> None:
    job = run(ended, FAILS)
    assert (job.code, job.error) == (78, "x.toml:3: wrong")


def test_one_runs_at_a_time_and_stop_ends_it() -> None:
    async def talk(jobs: Jobs) -> tuple[Job, str]:
        job = await jobs.start("flash", [])
        await until(lambda: bool(job.lines))
        with pytest.raises(BusyError) as caught:
            await jobs.start("doctor", [])
        jobs.stop(job)
        await until(lambda: job.code is not None)
        return job, str(caught.value)

    job, why = run(talk, WAITS)
    assert (job.lines, why) == ([{"step": "here"}], "flash")
    assert job.code != 0


def test_a_page_that_ends_lets_its_child_clean_up(tmp_path: Path) -> None:
    async def talk(jobs: Jobs) -> None:
        job = await jobs.start("flash", [str(tmp_path / "clean")])
        await until(lambda: bool(job.lines))

    run(talk, TIDY)
    assert (tmp_path / "clean").exists()


@pytest.mark.parametrize(
    ("program", "lines"), [pytest.param(ENDLESS, 50, id="lines without end"), pytest.param(LONG, 0, id="one long line")]
)
def test_who_says_too_much_is_ended(monkeypatch: pytest.MonkeyPatch, program: str, lines: int) -> None:
    monkeypatch.setattr(service_jobs, "LINES_MAX", 50)
    job = run(ended, program)
    assert len(job.lines) == lines
    assert job.code not in (0, None)


def test_a_job_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_jobs, "JOB_S_MAX", 0.2)
    job = run(ended, WAITS)
    assert (job.code, job.error) == (69, "it took too long, or said too much")


@pytest.mark.parametrize(
    ("program", "timeout_s", "bytes_max", "answer"),
    [
        pytest.param("print('[1, 2]')", WAIT_S, 100, (0, b"[1, 2]\n", ""), id="an answer"),
        pytest.param(FAILS, WAIT_S, 100, (78, b"", "x.toml:3: wrong"), id="a refusal"),
        pytest.param("print('x' * 101)", WAIT_S, 100, (69, b"", "it took too long, or said too much"), id="too much"),
        pytest.param(WAITS, 0.2, 100, (69, b"", "it took too long, or said too much"), id="too long"),
    ],
)
def test_a_question_has_one_answer(program: str, timeout_s: float, bytes_max: int, answer: Any) -> None:
    told = run(lambda jobs: jobs.ask([], timeout_s, bytes_max), program)
    assert (told.code, told.out, told.error) == answer


def test_words_from_a_person_are_one_argument_each() -> None:
    words = ["--plate=M; rm -rf /", "--technician=$(id) `id`", "--vin=\n--yes"]
    told = run(lambda jobs: jobs.ask(words, WAIT_S, 1000), "import sys, json; print(json.dumps(sys.argv[1:]))")
    assert told.out.decode().count("\\n") == 1
    assert all(word.split("=")[0] in told.out.decode() for word in words)


def test_a_program_that_is_not_there_is_said() -> None:
    async def talk(_jobs: Jobs) -> Job:
        return await Jobs(["/no/such/tbox"], []).start("doctor", [])

    job = run(talk, "")
    assert (job.code, job.error) == (69, "cannot be started: No such file or directory")
