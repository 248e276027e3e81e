"""Four hours on a bus whose adapter, units and supply fail from a seed: nothing escapes, all is counted, data resume."""

from collections import Counter

import pytest

from agent.settings.obd import Obd
from tests.askable import BUS_OFF, MS, RESTARTED, TURN_US, S, World
from tests.garage import most_in_a_second

HOURS = 4
REQUESTS_PER_S = 2.0
FORBIDDING = ("unplugged", "errors", "bus_off", "tester", "low")
AGAIN_US = 10 * S
TESTER_US = 60 * S
CALM_US = S
"""How long we may go on after a fault that forbids it began."""
FAULTS = (*FORBIDDING, "flapping", "deaf", "lossy", "full", "pending")
QUESTION = b"\x02\x01\x0d"


class Drive(World):
    """A drive on which one thing after the other goes wrong, each for 1 to 60 s, with 75 to 150 s between them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
        super().__init__(monkeypatch, obd=Obd(requests_per_s=REQUESTS_PER_S, codes_s=60), seed=seed)
        self.fault = ""
        self.faults: Counter[str] = Counter()
        self.resumed_us: list[tuple[str, int]] = []
        """How long after each fault the next speed came."""
        self.broken: list[str] = []
        """Requests that went out though they should not have."""
        self._change_us = self.now_us + 30 * S
        self._begun_us = self.now_us
        self._over: tuple[str, int] | None = None

    def turn(self) -> None:
        """Once round, the faults first."""
        if self.now_us >= self._change_us:
            if self.fault:
                self._end()
            else:
                self._begin()
        self._go_on()
        before = len(self.sent)
        super().turn()
        is_forbidden = self.fault in FORBIDDING and self.now_us > self._begun_us + CALM_US
        self.broken += [f"{self.now_us}: {one} while {self.fault}" for one in self.sent[before:] if is_forbidden]
        if self._over is not None and self.speeds_us and self.speeds_us[-1] > self._over[1]:
            self.resumed_us.append((self._over[0], self.now_us - self._over[1]))
            self._over = None

    def _begin(self) -> None:
        self.fault = self.rng.choice(FAULTS)
        self.faults[self.fault] += 1
        self._begun_us = self.now_us
        self._change_us = self.now_us + self.rng.randint(1 * S, 60 * S)
        for port in self.ecus.ports:
            port.habits.is_silent = self.fault == "deaf"
            port.habits.loses = 0.5 * (self.fault == "lossy")
            port.habits.pending = int(self.fault == "pending")
        self.refuses = {"full": "busy"}.get(self.fault, "")
        self.volts = 11.0 if self.fault == "low" else 14.1
        self.is_plugged = self.fault != "unplugged"

    def _end(self) -> None:
        if self.fault == "bus_off":
            self.fail(RESTARTED)
        self._over = (self.fault, self.now_us)
        self.fault, self.refuses, self.volts, self.is_plugged = "", "", 14.1, True
        for port in self.ecus.ports:
            port.habits.is_silent, port.habits.loses, port.habits.pending = False, 0.0, 0
        self._change_us = self.now_us + self.rng.randint(75 * S, 150 * S)

    def _go_on(self) -> None:
        """What a fault does all the time."""
        if self.fault == "errors":
            self.fail(0x8)
        elif self.fault == "bus_off":
            self.fail(BUS_OFF)
        elif self.fault == "tester":
            self.say(0x7DF, QUESTION)
        elif self.fault == "flapping":
            self.is_plugged = self.rng.random() < 0.9

    def losses(self) -> int:
        """How often the adapter went."""
        return self.rack.counters()["can0"]["losses"]


def test_four_hours_of_faults_escape_nobody_and_upset_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    drive = Drive(monkeypatch, seed=4)
    drive.run(HOURS * 3600)
    assert sum(drive.faults.values()) > 80
    assert set(drive.faults) == set(FAULTS)
    assert drive.broken == []
    assert most_in_a_second([at_us for at_us, _ in drive.requests()]) <= REQUESTS_PER_S
    assert_resumed(drive)
    assert_counted(drive)
    assert len(drive.speeds_us) > 0.2 * len(drive.requests())
    drive.rack.close()


def assert_resumed(drive: Drive) -> None:
    """Within 10 s of the end of each fault; another tester is let be for 60 s."""
    assert len(drive.resumed_us) >= sum(drive.faults.values()) - 1
    for fault, after_us in drive.resumed_us:
        assert after_us < AGAIN_US + TESTER_US * (fault == "tester"), (fault, after_us / S)


def assert_counted(drive: Drive) -> None:
    """Each kind of failure shows in health, no less often than it was."""
    said, faults = drive.health(), drive.faults
    silences = said["silences"]
    assert silences["tester"] == faults["tester"]
    assert silences["low_voltage"] == faults["low"]
    assert silences["bus_error"] >= faults["errors"]
    assert silences["bus_off"] == faults["bus_off"] == said["recoveries"]["bus_off"]
    assert drive.losses() >= faults["unplugged"] + faults["flapping"] // 2
    assert silences["no_bus"] >= faults["unplugged"]
    assert said["poller"]["timeouts"] >= faults["deaf"]
    assert said["poller"]["refused"] >= faults["full"]
    assert said["poller"]["pending"] >= faults["pending"]
    assert said["transport"]["timeout"] + said["poller"]["timeouts"] >= faults["deaf"] + faults["lossy"]


@pytest.mark.parametrize("away_s", [1, 7, 30, 600])
def test_an_adapter_that_was_away_gives_data_within_10_s(monkeypatch: pytest.MonkeyPatch, away_s: int) -> None:
    world = World(monkeypatch)
    world.run(15)
    assert world.speeds_us
    world.is_plugged = False
    world.run(away_s)
    assert world.rack.missing() == ["can0"]
    world.is_plugged = True
    back_us = world.now_us
    world.run(AGAIN_US / S)
    assert world.speeds_us[-1] > back_us
    assert world.opened[-2:] == [(500_000, True), (500_000, False)], "it listens before it asks"
    first_us = world.requests(back_us)[0][0]
    assert first_us - back_us > 3 * S - 2 * TURN_US
    assert max(world.requests(back_us)[1][0] - first_us, 0) < 1000 * MS
    world.rack.close()
