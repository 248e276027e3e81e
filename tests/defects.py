"""Defects on purpose: one is planted in a copy of the project, and whatever watches must see it."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
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
    known: Mapping[str, Kind],
    names: Sequence[str],
    try_one: Callable[[Kind], str],
    by: Callable[[Kind], str],
    at_once: int = 1,
) -> int:
    """Plant them, so many at once; 0 when each was seen. `by` says of each who must see it."""
    missed, wanted = 0, list(names or known)
    with ThreadPoolExecutor(at_once) as pool:
        tried = {pool.submit(try_one, known[name]): name for name in wanted}
        for future in as_completed(tried):
            missed += not _told(known, tried[future], future.result(), by)
    print(f"{missed} of {len(wanted)} defects were not seen" if missed else "every defect was seen")
    return 1 if missed else 0


def _told(known: Mapping[str, Kind], name: str, seen: str, by: Callable[[Kind], str]) -> bool:
    """Say it in a line; whether it was seen."""
    verdict = "red" if seen else "NOT SEEN"
    print(f"{verdict}: {name}: {known[name].words} ({by(known[name])}): {seen[:200]}", flush=True)
    return bool(seen)
