"""Kernels that come along: what each left, why one left nothing, and which is booted again."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import pytest

from hil import kernel
from hil.__main__ import main
from hil.outcome import Outcome
from hil.places import boots, in_kernel
from hil.places.in_kernel import Boot, Stop
from hil.places.task import Task
from hil.scenes.scenario_file import find, read

PANIC = Stop("the kernel ended before it was done; it said:\nit panicked", is_kernel=True)
CRASH = Stop("what ran in there ended with 1; it said:\nhil/relay.py, line 7", is_kernel=False)


class Boots(AbstractContextManager[Any]):
    """Boots as they are told to be: each of a scenario's in turn stops like this; None: it leaves an outcome."""

    stops: dict[str, list[Stop | None]]
    order: list[str]
    at_once: int
    most: int
    lock = threading.Lock()

    def __init__(self, words: list[str], folder: Path, *_: object) -> None:
        self._folder = folder
        self._name = Path(words[0].rpartition(":")[0]).stem

    def __enter__(self) -> Self:
        with self.lock:
            Boots.order.append(self._name)
            Boots.at_once += 1
            Boots.most = max(Boots.most, Boots.at_once)
        return self

    def __exit__(self, *_: object) -> None:
        with self.lock:
            Boots.at_once -= 1

    def stop(self) -> Stop | None:
        """As it was told."""
        told = self.stops.get(self._name, [])
        stop = told.pop(0) if told else None
        if stop is None:
            left = Outcome(scenario=self._name, place="kernel", seed=1, took_s=1.0, drive_s=1.0)
            left.write(self._folder / f"{self._name}.json")
        return stop

    def lines(self) -> Iterator[str]:
        """What it says."""
        yield f"{self._name}: driving"


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Boots, "stops", {}, raising=False)
    monkeypatch.setattr(Boots, "order", [], raising=False)
    monkeypatch.setattr(Boots, "at_once", 0, raising=False)
    monkeypatch.setattr(Boots, "most", 0, raising=False)
    monkeypatch.setattr(boots, "Boot", Boots)
    monkeypatch.setattr(boots, "compile_all", lambda: None)


def task(name: str, place: str = "kernel") -> Task:
    return Task(find(name), read(find(name)), place, 1)


def outcomes(tasks: list[Task], folder: Path, said: list[str]) -> dict[str, Outcome]:
    with boots.Boots(tasks, folder, said.append) as booted:
        return {one.name: outcome for one, outcome in booted.rest()}


@pytest.mark.parametrize(
    ("stops", "trouble", "starts"),
    [
        pytest.param([None], "", 1, id="it is done"),
        pytest.param([PANIC, None], "", 2, id="its kernel falls, the next does not"),
        pytest.param([PANIC, PANIC], f"{PANIC.words} twice", 2, id="two kernels fall"),
        pytest.param([CRASH, None], CRASH.words, 1, id="the bench in it falls"),
        pytest.param([PANIC, CRASH], CRASH.words, 2, id="a kernel, then the bench"),
    ],
)
def test_only_a_kernel_that_falls_is_booted_again_and_once(
    stops: list[Stop | None], trouble: str, starts: int, tmp_path: Path
) -> None:
    Boots.stops = {"link-cut": stops}
    said: list[str] = []
    found = outcomes([task("link-cut"), task("tls")], tmp_path, said)
    assert (found["link-cut"].trouble, found["tls"].trouble) == (trouble, "")
    assert Boots.order.count("link-cut") == starts
    assert any("once more in a new boot" in words for words in said) == (starts == 2)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_drives_begin_first_and_no_more_run_at_once_than_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = boots.Machine("kernel", "hil.places.in_kernel", at_once=1, tasks_each=1, boot_s=0.0, patience=1.0)
    monkeypatch.setattr(boots, "MACHINES", (one,))
    assert set(outcomes([task("tls"), task("tester"), task("error-states")], tmp_path, [])) == set(Boots.order)
    assert (Boots.order, Boots.most) == (["tester", "error-states", "tls"], 1)


def test_one_that_falls_takes_no_other_of_its_boot_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = boots.Machine("qemu", "hil.places.in_qemu", at_once=1, tasks_each=2, boot_s=0.0, patience=1.0)
    monkeypatch.setattr(boots, "MACHINES", (two,))
    Boots.stops = {"controller-asks": [CRASH]}
    found = outcomes([task("controller-quiet", "qemu"), task("controller-asks", "qemu")], tmp_path, [])
    assert {name: outcome.trouble for name, outcome in found.items()} == {
        "controller-asks": CRASH.words,
        "controller-quiet": "",
    }
    assert Boots.order == ["controller-asks", "controller-quiet"]


def test_a_kernel_that_falls_twice_is_a_failure_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernel, "is_here", lambda: True)
    Boots.stops = {"link-cut": [PANIC, PANIC]}
    assert main(["run", "harsh-day", "link-cut", "--place", "kernel", "--out", str(tmp_path)]) == 1
    assert "it panicked twice" in capsys.readouterr().out
    assert list(tmp_path.glob(".run-*")) == []


class Process:
    """One that runs, or has ended."""

    def __init__(self, code: int | None = None) -> None:
        self.code = code

    def poll(self) -> int | None:
        """Its exit code."""
        return self.code

    def wait(self, _: float) -> int | None:
        """The same."""
        return self.code

    def terminate(self) -> None:
        """It ends."""
        self.code = 0


@pytest.mark.parametrize(
    ("files", "code", "stop"),
    [
        pytest.param({"said": "driving"}, None, None, id="it goes on"),
        pytest.param(
            {"said": "a word", "code": "3\n"},
            1,
            Stop("what ran in there ended with 3; it said:\na word", False),
            id="it failed",
        ),
        pytest.param({"said": "a"}, 1, Stop("the kernel ended before it was done; it said:\na", True), id="it fell"),
    ],
)
def test_why_a_boot_leaves_no_more(
    files: dict[str, str], code: int | None, stop: Stop | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: Process(code))
    with Boot([], tmp_path, 60.0) as boot:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        assert boot.stop() == stop


def test_a_kernel_without_a_heart_beat_stands_still_and_one_that_takes_too_long_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: Process())
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    with Boot([], tmp_path, 100.0) as boot:
        (tmp_path / kernel.BEAT).write_text("\n")
        now_s = 1040.0
        assert boot.stop() is None
        now_s = 1040.0 + in_kernel.STILL_S
        assert boot.stop() is None, "just not too long"
        (tmp_path / kernel.BEAT).write_text("\n\n")
        now_s += 0.1
        stop = boot.stop()
        assert stop == Stop("its kernel lives, but it was not done within 100 s; it said:\n", is_kernel=False)
        now_s += in_kernel.STILL_S + 0.1
        stop = boot.stop()
        assert stop == Stop("its kernel has stood still for 60 s; it said:\n", is_kernel=True)
