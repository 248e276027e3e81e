"""The health record, and the words to systemd."""

import os
import socket
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from pathlib import Path
from typing import Any

import pytest

from agent.health import Health, Process, Systemd, Vitals, process

CORE = {
    "frames_in": 100,
    "decoded": 60,
    "unmapped": 30,
    "rejected": {"short": 7, "error": 3},
    "values_rejected": {"invalid": 2},
    "not_judged": {"slow": 1},
}
VITALS = Vitals(
    core=CORE,
    sources={"can0": {"frames": 100, "dropped": 5, "losses": 1}, "imu": {"frames": 9}},
    queued={"event": 2, "samples": 40},
    store_bytes=4096,
    flash={"written_bytes": 8192, "driven_us": 60_000_000},
    link="up",
    uplink={"acked": 3},
    process=Process(resident_bytes=30_000_000, anonymous_bytes=20_000_000, cpu_us=123),
    asking={"can0": {"reason": "engine_off"}},
    upkeep={"power": {"state": "parked"}},
    evidence={"alarms": 3},
)


def test_frames_are_conserved_with_those_lost_before_the_core() -> None:
    frames = Health(60, 0).body(1, VITALS)["frames"]
    assert frames == {"in": 105, "decoded": 60, "unmapped": 30, "rejected": {"short": 7, "error": 3}, "dropped": 5}
    assert frames["in"] == frames["decoded"] + frames["unmapped"] + sum(frames["rejected"].values()) + frames["dropped"]


def test_the_body_says_what_every_room_counted() -> None:
    body = Health(60, 1_000_000).body(3_000_000, VITALS)
    del body["frames"]
    assert body == {
        "up_us": 2_000_000,
        "values_rejected": {"invalid": 2},
        "not_judged": {"slow": 1},
        "sources": {"can0": {"frames": 100, "dropped": 5, "losses": 1}, "imu": {"frames": 9}},
        "queued": {"event": 2, "samples": 40},
        "store_bytes": 4096,
        "flash": {"written_bytes": 8192, "driven_us": 60_000_000},
        "link": "up",
        "uplink": {"acked": 3},
        "memory": {"resident_bytes": 30_000_000, "anonymous_bytes": 20_000_000},
        "asking": {"can0": {"reason": "engine_off"}},
        "power": {"state": "parked"},
        "evidence": {"alarms": 3},
        "cpu_us": 123,
        "loop": {"turns": 0, "turn_us_max": 0},
    }
    assert CORE["frames_in"] == 100


def test_a_record_is_due_once_a_period() -> None:
    health = Health(60, 0)
    due = [health.is_due(now_us, is_heard=True) for now_us in (59_999_999, 60_000_000)]
    health.body(60_000_000, VITALS)
    due += [health.is_due(now_us, is_heard=True) for now_us in (119_999_999, 120_000_000)]
    assert due == [False, True, False, True]


@pytest.mark.parametrize(
    ("period_s", "alone_s", "wait_s"),
    [
        pytest.param(60, 3599.9, 60, id="just under an hour without a link"),
        pytest.param(60, 3600, 600, id="an hour without a link"),
        pytest.param(1800, 3600, 1800, id="it was seldom anyway"),
    ],
)
def test_a_record_is_due_seldom_where_nobody_has_heard_us_for_long(
    period_s: float, alone_s: float, wait_s: float
) -> None:
    health = Health(period_s, 0)
    health.is_due(0, is_heard=True)
    at_us = round(alone_s * 1e6)
    health.body(at_us - round(wait_s * 1e6) + 1, VITALS)
    assert not health.is_due(at_us, is_heard=False)
    assert health.is_due(at_us + 1, is_heard=False) is (wait_s != 60 or alone_s < 3600)
    assert health.is_due(at_us + round(period_s * 1e6), is_heard=True)


def test_the_longest_turn_of_each_period_is_told() -> None:
    health, told = Health(60, 0), list[Any]()
    for now_us in (10, 30, 35):
        health.turned(now_us)
    told.append(health.body(40, VITALS)["loop"])
    health.turned(42)
    told.append(health.body(50, VITALS)["loop"])
    assert told == [{"turns": 3, "turn_us_max": 20}, {"turns": 1, "turn_us_max": 7}]


def test_memory_is_what_the_kernel_says() -> None:
    before = process()
    with mmap(-1, 32_000_000, MAP_PRIVATE | MAP_ANONYMOUS) as ballast:  # the heap may have as much to spare
        ballast.write(b"x" * 32_000_000)
        after = process()
    assert after.anonymous_bytes - before.anonymous_bytes > 30_000_000
    assert after.resident_bytes >= after.anonymous_bytes
    assert after.cpu_us >= before.cpu_us


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0"))
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """Every message that waits."""
        words = []
        while True:
            try:
                words.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return words


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    address = f"@tbox-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    made = Manager(address)
    yield made
    made.socket.close()


def test_systemd_hears_each_word_and_a_status_only_when_it_changes(manager: Manager) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": manager.address})
    systemd.ready()
    for words in ("parked", "parked", "driving\nfast"):
        systemd.status(words)
    systemd.stopping()
    systemd.close()
    assert manager.heard() == ["READY=1", "STATUS=parked", "STATUS=driving fast", "STOPPING=1"]
    assert systemd.failures == 0


@pytest.mark.parametrize(
    ("environment", "beats"),
    [
        pytest.param({"WATCHDOG_USEC": "1000"}, 3, id="twice in its interval"),
        pytest.param({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid())}, 3, id="for this process"),
        pytest.param({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}, 0, id="for another process"),
        pytest.param({}, 0, id="no watchdog"),
        pytest.param({"WATCHDOG_USEC": "soon"}, 0, id="nonsense"),
    ],
)
def test_the_watchdog_is_fed_by_turns_of_the_loop(manager: Manager, environment: dict[str, str], beats: int) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": manager.address} | environment)
    for now_us in (0, 100, 499, 500, 600, 999, 1100):
        systemd.beat(now_us)
    systemd.close()
    assert manager.heard() == ["WATCHDOG=1"] * beats


def test_without_systemd_nothing_happens() -> None:
    systemd = Systemd({"WATCHDOG_USEC": "1000"})
    systemd.ready()
    systemd.beat(0)
    systemd.close()
    assert systemd.failures == 0


def test_a_manager_that_went_away_is_counted_and_not_waited_for(tmp_path: Path) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    systemd.ready()
    systemd.stopping()
    systemd.close()
    assert systemd.failures == 2
