"""The core by itself: fed without an allocation, on little stack, whole as frame by frame, and its plan true to its table."""

import re
import subprocess
from pathlib import Path
from random import Random

import pytest

from agent.core import ffi, lib
from agent.settings_file import load
from agent.vehicle import (
    ALWAYS,
    ANY_CHANNEL,
    BIG_ENDIAN,
    FLOAT,
    LIMITED,
    NO_SIGNAL,
    OBD,
    OBD_ID,
    SIGNED,
    Cut,
    Message,
    Table,
)
from drivers import batch
from native.build import FLAGS as BUILT_WITH
from tests.native import build, bus
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
    assert list(build.FLAGS) == BUILT_WITH


def some_cut(luck: Random, index: int, length: int) -> Cut:
    flags = luck.choice([0, SIGNED]) | luck.choice([0, BIG_ENDIAN]) | luck.choice([0, LIMITED])
    flags |= FLOAT if luck.random() < 0.03 else 0
    return Cut(
        name="", unit="", start_bit=luck.randrange(8 * length),
        bits=luck.choice([16, 32, 64]) if flags & FLOAT else luck.choice([luck.randint(1, 16), luck.randint(1, 64)]),
        flags=flags, scale=luck.choice([1.0, 0.01, -0.5, 1e9, 1e300, 0.0, 1e-300]), offset=luck.choice([0.0, -40.0, 1e308]),
        min=-100.0, max=1e6, signal=luck.choice([NO_SIGNAL, luck.randrange(len(batch.SIGNALS))]),
        mux_cut=luck.randrange(index) if index and luck.random() < 0.03 else ALWAYS, mux_to=luck.randrange(4),
        valid_cut=luck.randrange(index) if index and luck.random() < 0.1 else ALWAYS,
    )  # fmt: skip


def is_sound(cut: Cut, length: int) -> bool:
    """Whether it lies inside a frame of this length."""
    first = cut.start_bit ^ 7 if cut.flags & BIG_ENDIAN else cut.start_bit
    return first + cut.bits <= 8 * length


def some_message(luck: Random, identifier: int, channel: int) -> Message:
    length = luck.choice([*range(1, 9), 8, 8, 12, 64])
    cuts: list[Cut] = []
    for _ in range(luck.choice([0, 3, 7, 20, 70])):
        cut = some_cut(luck, len(cuts), length)
        cuts += [cut] if is_sound(cut, length) else []
    return Message(name="", id=identifier, channel=channel, length=length, kind=0, cuts=tuple(cuts))


def some_table(luck: Random) -> Table:
    """Two channels and any, identifiers of all kinds, OBD answers on one."""
    ids = [luck.randrange(0x800) for _ in range(30)] + [luck.randrange(1 << 29) | batch.EXTENDED for _ in range(10)]
    ids += [0, 0x7E8, 0x7EA, 0x18DAF101 | batch.EXTENDED]
    places = sorted({(luck.choice([0, 1, ANY_CHANNEL]), identifier) for identifier in ids * 2})
    messages = [some_message(luck, identifier, channel) for channel, identifier in places]
    answer = Cut(name="", unit="", start_bit=7, bits=8, flags=BIG_ENDIAN, signal=0, mux_from=0x0D, mux_to=0x0D, bytes=1)
    messages.append(Message(name="", id=OBD_ID, channel=1, length=0, kind=OBD, cuts=(answer,)))
    messages.sort(key=lambda message: (message.channel, message.id))
    return Table(name="", powertrain="combustion", vehicle_class="car", messages=tuple(messages))


def some_frame(luck: Random, at: int, ids: list[int]) -> bytes:
    identifier = luck.choice([luck.choice(ids), luck.choice(ids), luck.randrange(0x800), luck.randrange(0x7E0, 0x7F0)])
    length = luck.choice([8, 8, 8, luck.randrange(9), 64])
    return batch.frame(at, luck.randrange(3), identifier, luck.randbytes(length), batch.FD if length > 8 else 0)


def test_the_feed_finds_and_decodes_as_the_table_does(folder: Path) -> None:
    alike = build.program("alike", folder / "alike")
    decoded = 0
    for seed in range(60):
        luck = Random(seed)
        table = some_table(luck)
        assert lib.tbox_table_check(table.as_c(ffi).table)
        ids = [message.id for message in table.messages if message.id != OBD_ID]
        pack(folder / "alike.run", load(None, []), table, b"".join(some_frame(luck, at, ids) for at in range(400)))
        found, some = map(int, run(alike, folder / "alike.run").stdout.split())
        assert found > 100
        decoded += some
    assert decoded > 3000
