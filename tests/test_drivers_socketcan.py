"""The batch reader in C: the frames python-can would give, stamped on boot time whatever the wall clock does."""

import errno
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import can
import pytest
from can.interfaces.socketcan.socketcan import dissect_can_frame

import drivers.bus.socketcan
from drivers._socketcan import ffi, lib
from drivers.batch import ERROR, EXTENDED, FD, REMOTE
from drivers.bus.message import pack
from drivers.bus.socketcan import RECEIVE_BYTES, ROOM, SocketCan, make_room
from drivers.errors import DeviceError
from drivers.source import boot_us
from tests.packed import Frame, frames
from tests.wires import Wire

CLASSIC, FLEXIBLE = struct.Struct("=IBB2x8s"), struct.Struct("=IBB2x64s")
SECOND_NS = 1_000_000_000


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A datagram pair that carries struct can_frame as a CAN socket does; no stamps on it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def reader(ours: socket.socket, number: int = 0) -> SocketCan:
    return SocketCan(Wire(ours), "can0", number)


def traffic(seed: int, count: int) -> list[bytes]:
    """Frames of every kind, as the kernel hands them out."""
    luck = random.Random(seed)
    raw = []
    for _ in range(count):
        identifier = luck.choice([luck.randrange(0x800), luck.randrange(1 << 29) | 0x80000000])
        identifier |= luck.choice([0, 0, 0, 0x40000000])
        if luck.random() < 0.1:
            identifier = luck.randrange(0x200) | 0x20000000
        if luck.random() < 0.3 and not identifier & 0x60000000:
            raw.append(
                FLEXIBLE.pack(
                    identifier, size := luck.choice([0, 8, 12, 64]), luck.choice([4, 5]), luck.randbytes(size)
                )
            )
        else:
            raw.append(CLASSIC.pack(identifier, size := luck.randrange(9), 0, luck.randbytes(size)))
    return raw


def through_python_can(raw: bytes, number: int) -> Frame:
    """The same bytes the way python-can's SocketcanBus makes a Message of them (capture_message)."""
    identifier, _, flags, data = dissect_can_frame(raw)
    message = can.Message(
        arbitration_id=identifier & 0x1FFFFFFF,
        is_extended_id=bool(identifier & 0x80000000),
        is_remote_frame=bool(identifier & 0x40000000),
        is_error_frame=bool(identifier & 0x20000000),
        is_fd=len(raw) == FLEXIBLE.size,
        data=data,
    )
    del flags
    return frames(pack(message, 0, number))[0]


def test_both_readers_give_the_same_frames(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    source = reader(ours, number=2)
    raw, got = traffic(seed=1, count=2000), []
    for start in range(0, len(raw), 5):
        for one in raw[start : start + 5]:
            theirs.send(one)
        got += frames(source.read())
    assert [one[1:] for one in got] == [through_python_can(one, 2)[1:] for one in raw]
    ran_over = [one for one in got if one[4] & ERROR and one[2] & 4 and len(one[3]) > 1 and one[3][1] & 1]
    assert source.counters() == {
        "frames": 2000, "dropped": 0, "overruns": len(ran_over), "errors": 0, "unstamped": 2000, "hardware_stamped": 0, "sent": 0, "unsent": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        pytest.param(CLASSIC.pack(0x7E8, 2, 0, b"\x01\x02"), (0x7E8, b"\x01\x02", 0), id="11 bits"),
        pytest.param(CLASSIC.pack(0x98DAF110, 1, 0, b"\x01"), (0x18DAF110 | EXTENDED, b"\x01", 0), id="29 bits"),
        pytest.param(CLASSIC.pack(0x40000123, 4, 0, b""), (0x123, b"", REMOTE), id="remote"),
        pytest.param(CLASSIC.pack(0x20000080, 8, 0, b""), (0x80, bytes(8), ERROR), id="error"),
        pytest.param(FLEXIBLE.pack(0x123, 64, 4, b"\x07" * 64), (0x123, b"\x07" * 64, FD), id="FD"),
    ],
)
def test_a_kernel_frame_is_this_input(pair: tuple[socket.socket, socket.socket], raw: bytes, wanted: tuple) -> None:
    pair[1].send(raw)
    assert [one[2:] for one in frames(reader(pair[0]).read())] == [wanted]


@pytest.mark.parametrize(
    "raw", [b"", bytes(15), bytes(17), bytes(71), bytes(73), CLASSIC.pack(1, 9, 0, b""), FLEXIBLE.pack(1, 65, 4, b"")]
)
def test_what_is_no_frame_is_counted(pair: tuple[socket.socket, socket.socket], raw: bytes) -> None:
    ours, theirs = pair
    theirs.send(raw)
    theirs.send(CLASSIC.pack(0x123, 0, 0, b""))
    source = reader(ours)
    assert [one[2] for one in frames(source.read())] == [0x123]
    assert source.counters()["errors"] == 1


def test_an_empty_socket_gives_nothing_and_does_not_block(pair: tuple[socket.socket, socket.socket]) -> None:
    assert reader(pair[0]).read() == b""


def test_a_read_takes_no_more_than_there_is_room_for() -> None:
    state, room = ffi.new("tbox_can_t *"), bytearray(100 * 80 + 1)
    ours, theirs = udp_pair()
    with ours, theirs:
        lib.tbox_can_init(state, ours.fileno(), 0)
        for identifier in range(130):
            theirs.send(CLASSIC.pack(identifier, 0, 0, b""))
        inputs = ffi.from_buffer("uint8_t[]", room, require_writable=True)
        assert lib.tbox_can_read(state, inputs, 100) == 100
        assert room[-1] == 0
        assert [one[2] for one in frames(bytes(room[:-1]))] == list(range(100))
        assert lib.tbox_can_read(state, inputs, 100) == 30


def test_a_descriptor_that_is_gone_is_a_device_that_went(pair: tuple[socket.socket, socket.socket]) -> None:
    source = reader(pair[0])
    source.close()
    with pytest.raises(DeviceError, match="can0: went while it was read: Bad file descriptor"):
        source.read()


def test_a_link_that_is_down_says_how_to_bring_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        source = reader(ours)
        monkeypatch.setattr(
            "drivers.bus.socketcan.lib", type("Down", (), {"tbox_can_read": lambda *_: -errno.ENETDOWN})
        )
        with pytest.raises(DeviceError, match="ip link set can0 up"):
            source.read()


def udp_pair() -> tuple[socket.socket, socket.socket]:
    """Datagrams on the loopback: those the kernel does stamp."""
    ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ours.bind(("127.0.0.1", 0))
    theirs = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    theirs.connect(ours.getsockname())
    return ours, theirs


def until_stamped(source: SocketCan, theirs: socket.socket) -> int:
    """Send until the kernel stamps, which it begins to do some time after it was asked; how many it did not."""
    deadline_us = boot_us() + 30_000_000
    while source.counters()["frames"] == source.counters()["unstamped"]:
        assert boot_us() < deadline_us, "the kernel never stamps"
        theirs.send(CLASSIC.pack(1, 0, 0, b""))
        source.read()
    return source.counters()["unstamped"]


def test_a_frame_has_the_time_it_came_not_the_time_it_was_read() -> None:
    ours, theirs = udp_pair()
    source = reader(ours)
    unstamped = until_stamped(source, theirs)
    times = []
    for identifier in range(3):
        before_us = boot_us()
        theirs.send(CLASSIC.pack(identifier, 0, 0, b""))
        times.append((before_us, boot_us()))
        while boot_us() < times[-1][1] + 3000:
            continue
    got = [one[0] for one in frames(source.read())]
    theirs.close()
    source.close()
    assert source.counters()["unstamped"] == unstamped
    for t_us, (before_us, after_us) in zip(got, times, strict=True):
        assert before_us - 200 <= t_us <= after_us + 200  # the clocks are compared to far less than 0.2 ms


def test_a_full_read_leaves_the_rest_for_the_next() -> None:
    ours, theirs = udp_pair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    source = reader(ours)
    for identifier in range(ROOM + 10):
        theirs.send(CLASSIC.pack(identifier, 0, 0, b""))
    first, second = frames(source.read()), frames(source.read())
    assert [len(first), len(second)] == [ROOM, 10]
    times = [one[0] for one in first + second]
    assert times == sorted(times)
    theirs.close()
    source.close()


@pytest.mark.parametrize(
    ("identifier", "state", "overruns"),
    [
        (0x20000004, 1, 1),
        (0x20000204, 3, 1),
        (0x20000004, 2, 0),
        (0x20000004, 0x30, 0),
        (0x20000200, 1, 0),
        (0x004, 1, 0),
    ],
    ids=["ran over", "both ways, with other errors", "sending", "passive", "another error", "an ordinary frame"],
)
def test_a_controller_that_ran_over_is_counted(
    pair: tuple[socket.socket, socket.socket], identifier: int, state: int, overruns: int
) -> None:
    source = reader(pair[0])
    pair[1].send(CLASSIC.pack(identifier, 8, 0, bytes([0, state])))
    assert len(source.read()) == 80
    assert source.counters()["overruns"] == overruns


def test_the_kernel_is_asked_for_room_for_many_frames() -> None:
    ours, theirs = udp_pair()
    usual = ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    source = reader(ours)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= min(2 * usual, 2 * RECEIVE_BYTES)
    theirs.close()
    source.close()


@pytest.mark.parametrize(
    ("before", "most", "after"),
    [(8192, 4096, 16384), (2048, 4096, 8192), (2047, 2048, 4096)],
    ids=["it has more", "it has less", "just less"],
)
def test_room_that_a_box_was_given_is_not_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, most: int, after: int
) -> None:
    (tmp_path / "rmem_max").write_text(f"{most}\n")
    monkeypatch.setattr(drivers.bus.socketcan, "RECEIVE_MOST", tmp_path / "rmem_max")
    monkeypatch.setattr(drivers.bus.socketcan, "RECEIVE_BYTES", after // 2)
    ours, theirs = udp_pair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, before)
    make_room(ours)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == after
    theirs.close()
    ours.close()


def test_what_the_kernel_dropped_is_counted() -> None:
    ours, theirs = udp_pair()
    source = reader(ours)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sent, got = 500, 0
    for _ in range(sent):
        theirs.send(CLASSIC.pack(1, 0, 0, b""))
    while batch := source.read():
        got += len(batch) // 80
    theirs.send(CLASSIC.pack(1, 0, 0, b""))  # the counter rides on the next frame
    got += len(source.read()) // 80
    assert 0 < got < sent
    assert source.counters()["dropped"] == sent + 1 - got
    theirs.close()
    source.close()


@pytest.mark.parametrize(
    ("stamp", "wall_now", "floor", "wanted"),
    [
        pytest.param(1000, 1007, 80, 93, id="7 s old"),
        pytest.param(1007, 1007, 80, 100, id="just now"),
        pytest.param(1000, 1020, 80, 80, id="as old as the last empty read"),
        pytest.param(1000, 1021, 80, 80, id="no older than that"),
        pytest.param(1000, 5000, 80, 80, id="the wall clock was set forward in between"),
        pytest.param(1000, 500, 80, 100, id="it was set back"),
    ],
)
def test_a_wall_stamp_becomes_a_boot_stamp_inside_its_batch(stamp: int, wall_now: int, floor: int, wanted: int) -> None:
    seconds = [second * SECOND_NS for second in (stamp, wall_now, 100, floor)]
    assert lib.tbox_can_boot_ns(*seconds) == wanted * SECOND_NS


def test_a_controllers_clock_is_followed_by_its_least_delayed_frames() -> None:
    state = ffi.new("tbox_can_t *")
    luck = random.Random(2)
    offset_ns, worst_ns = 12_345_678_901, 0
    for frame in range(20_000):
        hardware_ns = frame * 1_000_000
        true_ns = hardware_ns + offset_ns + frame * 20  # a crystal 20 ppm off: 20 ns a millisecond
        delay_ns = 2_000 + int(luck.expovariate(1 / 50_000))
        told_ns = lib.tbox_can_hardware_ns(state, hardware_ns, true_ns + delay_ns)
        if frame > 1000:
            worst_ns = max(worst_ns, abs(told_ns - true_ns))
    assert worst_ns < 25_000, "half of the mean delay it is there to take out"


def test_a_controllers_clock_that_jumps_is_found_again() -> None:
    state = ffi.new("tbox_can_t *")
    lib.tbox_can_hardware_ns(state, 0, 50 * SECOND_NS)
    assert lib.tbox_can_hardware_ns(state, SECOND_NS, 51 * SECOND_NS + 1000) == 51 * SECOND_NS + 1000 // 256
    assert lib.tbox_can_hardware_ns(state, 0, 52 * SECOND_NS) == 52 * SECOND_NS
    assert lib.tbox_can_hardware_ns(state, 900 * SECOND_NS, 53 * SECOND_NS) == 53 * SECOND_NS
