"""What the core tells to drives of the tests, to the last bit, beside what those tests assert of it themselves.

For every test that tests/golden/told.txt names, it has a hash of all that the test's cores are given and one of all that
they tell: outputs, counters, what is known at the end, the ring. `make golden` writes them anew, deliberately. Where already the inputs
are others because the C library has another sine (the first line of the file tells), nothing is compared.
"""

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent.core import Core, Output

ROOT = Path(__file__).resolve().parents[2]
TOLD = ROOT / "tests" / "golden" / "told.txt"
DIGITS = 16
RING_BYTES = 1 << 20
NOTHING = sha256().hexdigest()[:DIGITS]
LIBRARY = "the C library's sine"
WRITE = "TBOX_TOLD"
"""A variable of the environment: the file to which a run of the named tests writes its lines."""


class Hashes(NamedTuple):
    """Of a test's cores: all they were given, and all they told."""

    given: str
    told: str


def parse(lines: Iterable[str]) -> dict[str, Hashes]:
    """By test."""
    rows = (line.rstrip("\n").split(" ", 2) for line in lines)
    return {test: Hashes(given, told) for given, told, test in rows}


def sine() -> str:
    """A hash of what the C library makes of the functions that drives are drawn with."""
    numbers = [function(i / 97) for function in (math.sin, math.cos, math.exp, math.log1p) for i in range(2000)]
    return sha256(repr(numbers).encode()).hexdigest()[:DIGITS]


@cache
def told_lines() -> tuple[str, ...]:
    """The file's first line, and the others."""
    return tuple(TOLD.read_text().splitlines())


@cache
def wanted() -> dict[str, Hashes]:
    """What the file says."""
    return parse(told_lines()[1:])


@cache
def is_drawn_alike() -> bool:
    """Whether drives are drawn here as where the file was written: then what is given must be the same too."""
    return told_lines()[0] == f"{sine()} {LIBRARY}"


class Ear:
    """Listens to every core that is made while it is there."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._given, self._told = sha256(), sha256()
        self._cores: list[Core] = []
        init, feed, finish = Core.__init__, Core.feed, Core.finish

        def listen(core: Core, *args: Any, **more: Any) -> None:
            init(core, *args, **more)
            self._cores.append(core)

        def take(core: Core, batch: bytes) -> list[Output]:
            self._given.update(batch)
            return self._heard(feed(core, batch))

        patch.setattr(Core, "__init__", listen)
        patch.setattr(Core, "feed", take)
        patch.setattr(Core, "finish", lambda core: self._heard(finish(core)))

    def _heard(self, outputs: list[Output]) -> list[Output]:
        self._told.update("\n".join(map(repr, outputs)).encode())
        return outputs

    @property
    def has_heard(self) -> bool:
        """Whether there was a core at all."""
        return bool(self._cores)

    def hashes(self) -> Hashes:
        """So far, with what the cores know and have counted by now."""
        told = self._told.copy()
        for core in self._cores:
            told.update(repr((core.snapshot(0), core.counters())).encode() + core.freeze(RING_BYTES))
        return Hashes(self._given.hexdigest()[:DIGITS], told.hexdigest()[:DIGITS])


@pytest.fixture(autouse=True)
def as_told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For the test files that import it."""
    test, path = request.node.nodeid, os.environ.get(WRITE)
    if not path and test not in wanted():
        yield
        return
    ear = Ear(monkeypatch)
    yield
    heard = ear.hashes()
    if path:
        with Path(path).open("a") as file:
            file.write(f"{heard.given} {heard.told} {test}\n")
        return
    if not ear.has_heard:  # what it drives is not on this machine: it was skipped
        return
    is_given = heard.given == wanted()[test].given
    assert is_given or not is_drawn_alike(), "the drive is another one, and is compared with nothing: `make golden`"
    if is_given:
        assert heard.told == wanted()[test].told, "the core tells something else: `make golden`, if that is meant"


def write(tests: Iterable[str]) -> int:
    """Write the file anew for those of these tests that feed a core; how many lines changed."""
    names = sorted({test for test in tests if "test_native_told" not in test})  # which looks at this very file
    before = wanted()
    assert names, "no test is named"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "told"
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *names]
        subprocess.run(words, cwd=ROOT, env={**os.environ, WRITE: str(path)}, check=True, stdout=subprocess.DEVNULL)
        found = {test: told for test, told in parse(path.read_text().splitlines()).items() if told.given != NOTHING}
    lines = [f"{told.given} {told.told} {name}\n" for name, told in sorted(found.items())]
    TOLD.write_text("".join([f"{sine()} {LIBRARY}\n", *lines]))
    return sum(before.get(name) != told for name, told in found.items())


def main() -> int:
    """For the tests that are named there, or all of the files that are named to it."""
    names: Iterable[str] = wanted()
    if sys.argv[1:]:
        words = [sys.executable, "-m", "pytest", "--collect-only", *sys.argv[1:]]
        listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        names = [line for line in listed.splitlines() if "::" in line]
    print(f"{write(names)} tests' drives come out otherwise: look at `git diff {TOLD.relative_to(ROOT)}`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
