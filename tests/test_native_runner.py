"""The core by itself: fed without an allocation, on little stack, whole as frame by frame, and its plan true to its table."""

import re
import subprocess
from pathlib import Path
from random import Random

import pytest

import native.build
from agent.settings.file import load
from tests.native import build, bus
from tests.native.odd_tables import pack_odd
from tests.native.pack import pack

STACK_BYTES_MAX = 8192
ALLOWED = {"memchr", "memcmp", "memcpy", "memmove", "memset", "sqrt", "__assert_fail", "__stack_chk_fail"}
"""All the core may call; `sqrt` is the only mathematics whose result IEEE 754 prescribes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("native")


@pytest.fixture(scope="module")
def runner(folder: Path) -> Path:
    return build.runner(folder / "runner")


@pytest.fixture(scope="module")
def drive(folder: Path) -> Path:
    """Some seconds of a modern bus, every signal decoded, the drive's begin cut so that harsh braking is in it."""
    every, _ = bus.tables(folder)
    rows = [row for row in bus.traffic(40) if row[0] > 25_000_000]
    pack(folder / "drive.run", load(None, []), every, bus.packed(rows))
    return folder / "drive.run"


def run(program: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *words], capture_output=True, text=True, check=True)


def test_feeding_allocates_nothing_and_uses_little_stack(runner: Path, drive: Path) -> None:
    told = re.fullmatch(r"allocations (\d+) of (\d+) stack (\d+) core (\d+)\n", run(runner, drive, "4096").stderr)
    assert told is not None
    fed, counted, stack, _ = map(int, told.groups())
    assert fed == 0
    assert counted > 3  # what the runner itself asks for: the counting works
    assert 0 < stack < STACK_BYTES_MAX


def test_whole_and_frame_by_frame_the_same_bytes(runner: Path, drive: Path) -> None:
    whole = run(runner, drive).stdout
    assert whole.count("\n") > 10
    assert run(runner, drive, "1").stdout == whole


def test_the_core_calls_nothing_but_copies_and_sqrt(folder: Path) -> None:
    sources = build.core_sources()
    subprocess.run(["gcc", *build.FLAGS, "-c", "-I", build.NATIVE, *sources], check=True, cwd=folder)
    names = subprocess.run(
        ["nm", *(f"{path.stem}.o" for path in sources)], capture_output=True, text=True, check=True, cwd=folder
    )
    symbols = re.findall(r" ([A-Za-z]) (\w+)$", names.stdout, re.MULTILINE)
    own = {name for kind, name in symbols if kind == "T"}
    assert "tbox_feed" in own
    assert {name for kind, name in symbols if kind == "U"} - own - {"_GLOBAL_OFFSET_TABLE_"} <= ALLOWED
    assert not [name for kind, name in symbols if kind in "BbCDd"]  # no global


def test_the_runner_is_built_as_the_product_is() -> None:
    assert list(build.FLAGS) == native.build.FLAGS
    assert [path.name for path in build.core_sources()] == native.build.CORE_SOURCES
    parts = {name: sorted(sources) for name, (_, sources) in native.build.DRIVERS.items()}
    assert {name: [path.name for path in build.driver_sources(name)] for name in build.DRIVERS} == parts


def test_the_feed_finds_and_decodes_as_the_table_does(folder: Path) -> None:
    files = [folder / f"alike{seed}.run" for seed in range(60)]
    for seed, path in enumerate(files):
        pack_odd(path, Random(seed))
    told = run(build.program("alike", folder / "alike"), *files).stdout.splitlines()
    found, decoded, grouped = zip(*(map(int, line.split()) for line in told), strict=True)
    assert len(told) == len(files)
    assert min(found) > 100
    assert sum(decoded) > 3000
    assert sum(grouped) > 1500
