"""The batch reader where one burst, one stamp or one frame more is needed than in the other file: lost, stamped, sent."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from drivers._socketcan import ffi, lib
from drivers.batch import ERROR, EXTENDED, INPUT_BYTES
from drivers.bus.socketcan import SocketCan
from drivers.guard import Guard
from tests.native.build import WARNINGS
from tests.packed import frames
from tests.test_drivers_socketcan import CLASSIC, reader, udp_pair
from tests.wires import Wire

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "tests" / "native"


def test_what_the_kernel_dropped_since_it_was_last_told_is_added() -> None:
    """Its counter goes on from the first burst to the second."""
    ours, theirs = udp_pair()
    source = reader(ours)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sent, got = 0, 0
    for _ in range(2):
        for _ in range(300):
            theirs.send(CLASSIC.pack(1, 0, 0, b""))
        while batch := source.read():
            got += len(batch) // INPUT_BYTES
        theirs.send(CLASSIC.pack(1, 0, 0, b""))  # the counter rides on the next frame
        got += len(source.read()) // INPUT_BYTES
        sent += 301
        assert got < sent
        assert source.counters()["dropped"] == sent - got
    theirs.close()
    source.close()


@pytest.mark.parametrize(("is_there", "wanted"), [(True, ("", 1, 0)), (False, ("bus", 0, 1))], ids=["read", "gone"])
def test_a_frame_is_sent_where_the_kernel_takes_it(is_there: bool, wanted: tuple) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    source, request = SocketCan(Wire(ours), "can0", 0, Guard()), bytes.fromhex("02010C0000000000")
    if not is_there:
        theirs.close()
    why = source.send(0, 0x7DF, request)
    assert (why, source.counters()["sent"], source.counters()["unsent"]) == wanted
    if is_there:
        assert theirs.recv(100) == CLASSIC.pack(0x7DF, 8, 0, request)
        theirs.close()
    source.close()


@pytest.mark.parametrize(
    ("told", "wanted"),
    [(0x1123, (0x123, 0)), (0x80001123, (0x1123 | EXTENDED, 0)), (0x20001004, (0x1004, ERROR))],
    ids=["11 bits", "29 bits", "classes of errors"],
)
def test_an_identifier_has_as_many_bits_as_its_flags_say(told: int, wanted: tuple[int, int]) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    source = reader(ours)
    theirs.send(CLASSIC.pack(told, 0, 0, b""))
    assert [(one[2], one[4]) for one in frames(source.read())] == [wanted]
    theirs.close()
    source.close()


def test_a_reader_begins_with_nothing_of_what_was_in_its_memory() -> None:
    state = ffi.new("tbox_can_t *")
    memory = ffi.buffer(state)
    memory[:] = b"\xa5" * len(memory)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        lib.tbox_can_init(state, ours.fileno(), 0)
    names = ("frames", "dropped", "overruns", "errors", "unstamped", "hardware_stamped", "sent", "unsent", "overflow")
    assert {name: getattr(state, name) for name in names} == dict.fromkeys(names, 0)
    assert (state.hardware_ns, state.hardware_known) == (0, False)


@pytest.mark.parametrize(("age_ns", "wanted_ns"), [(1, 99), (0, 100), (-1, 100)])
def test_a_frame_is_as_old_as_its_stamp_to_the_nanosecond(age_ns: int, wanted_ns: int) -> None:
    assert lib.tbox_can_boot_ns(1000, 1000 + age_ns, 100, 80) == wanted_ns


# ---- a controller that stamps ----------------------------------------------------------------------------------------

READ = """
import json, socket, struct, sys
import tests.native.tape
from tests.packed import frames
from tests.test_drivers_socketcan import CLASSIC, reader
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
source = reader(ours)
begun_us = source._self.floor_ns // 1000
for told_ns in map(int, sys.argv[1:]):
    theirs.send(CLASSIC.pack(1, 8, 0, struct.pack("=q", told_ns)))
times_us = [one[0] - begun_us for one in frames(source.read())]
print(json.dumps([times_us, source.counters()["hardware_stamped"]]))
"""


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It, to be preloaded."""
    library = tmp_path_factory.mktemp("controller") / "controller.so"
    words = ["gcc", "-std=c11", "-O2", "-shared", "-fPIC", *WARNINGS, "-o", library, NATIVE / "stamp_shim.c"]
    subprocess.run(words, check=True)
    return library


def read(controller: Path, *told_ns: int) -> tuple[list[int], int]:
    """When frames came that the controller stamps so, in us since the reader began; how many had a stamp."""
    environment = {**os.environ, "LD_PRELOAD": str(controller), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", READ, *map(str, told_ns)]
    made = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    times_us, stamped = json.loads(made.stdout)
    return times_us, stamped


def test_a_controllers_clock_takes_no_frame_back_before_another(controller: Path) -> None:
    """It is set back by 5 ms between two frames of one batch."""
    (first_us, then_us), stamped = read(controller, 50_000_000_000, 49_995_000_000)
    assert (then_us, stamped) == (first_us, 2)


def test_the_wall_clock_is_compared_with_the_middle_of_two_looks_at_the_boot_clock(controller: Path) -> None:
    """One look as a read begins, one before and one after the wall clock."""
    assert read(controller, 0) == ([2500], 0)


def test_what_is_as_long_as_stamps_and_something_else_is_no_stamp(controller: Path) -> None:
    assert [read(controller, told_ns)[1] for told_ns in (50_000_000_000, -50_000_000_000)] == [1, 0]
