"""Defects on purpose: one is planted in a copy of the project, and whatever watches must see it."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from hil import ROOT


class Planted(Protocol):
    """What is done wrong: in which file, what stands there and what is put in its place."""

    words: str
    file: str
    right: str
    wrong: str


Kind = TypeVar("Kind", bound=Planted)


@contextmanager
def spoilt(defect: Planted, folders: Sequence[str]) -> Iterator[tuple[Path, dict[str, str]]]:
    """A copy of these folders of the project with the defect in it, and the environment to run it in."""
    (ROOT / "out").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="defect-", dir=ROOT / "out") as folder:
        copy = Path(folder)
        for name in folders:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / defect.file
        text = path.read_text()
        assert defect.right in text, f"{defect.file} has changed: {defect.right!r} is not in it"
        path.write_text(text.replace(defect.right, defect.wrong, 1))
        yield copy, {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


def try_all(
    known: Mapping[str, Kind], names: Sequence[str], try_one: Callable[[Kind], str], by: Callable[[Kind], str]
) -> int:
    """Plant them one after the other; 0 when each was seen. `by` says of each who must see it."""
    missed = 0
    for name in names or known:
        seen = try_one(known[name])
        missed += not seen
        verdict = "red" if seen else "NOT SEEN"
        print(f"{verdict}: {name}: {known[name].words} ({by(known[name])}): {seen[:200]}", flush=True)
    print(f"{missed} of {len(names or known)} defects were not seen" if missed else "every defect was seen")
    return 1 if missed else 0
