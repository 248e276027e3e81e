"""Hours behind the wheel with everything going wrong from a seed: poller and silence together, nothing may be upset."""

from collections import Counter
from random import Random

import pytest

from agent.asking.inquiry import CODES
from agent.asking.silence import Rule, Signs, Silence
from agent.obd.trouble import Trouble
from drivers.bus.diagnostic import Request
from tests.garage import MS, SPEED, Ride, S, engine, gearbox, most_in_a_second, poller

RULE = Rule(listen_only=False, tester_s=60.0, engine_off_s=300.0, floor_v=11.8, charging_v=13.2)
FAULTS = ("deaf", "lossy", "pending", "slow", "refuses", "gone", "errors", "bus_off", "tester", "low")
OURS_AGAIN_US = 10 * S


class Drive(Ride):
    """A ride whose bus, units and supply fail one after the other; the daemon's loop comes round every 20 ms at most."""

    def __init__(self, seed: int, requests_per_s: float) -> None:
        quick = Random(seed).choice([(5 * MS, 15 * MS), (20 * MS, 45 * MS), (100 * MS, 300 * MS)])
        units = [engine(delay_us=quick, codes={3: [], 7: []}), gearbox(delay_us=(quick[0], quick[1] * 2))]
        super().__init__(poller(requests_per_s=requests_per_s), *units, seed=seed, turn_us=10 * MS)
        self.silence = Silence(RULE)
        self.quick = quick
        self.fault = ""
        self.faults: Counter[str] = Counter()
        self.resumed_us: list[int] = []
        """How long after each fault the next speed came."""
        self.broken: list[str] = []
        """Requests that went out though they should not have."""
        self._signs = {"frames": 0, "errors": 0, "foreign": 0}
        self._change_us = 30 * S
        self._over_us: int | None = None
        self._fault_us = 0

    def turn(self) -> None:
        """Once round, the faults first."""
        if self.now_us >= self._change_us:
            self._change()
        self._count()
        asked = len(self.asked)
        self.may_ask = not self.silence.step(self.now_us, self._known())
        super().turn()
        if len(self.asked) > asked:
            self._judge(self.asked[-1][1])
        if self._over_us is not None and self.times_after(self._over_us):
            self.resumed_us.append(self.now_us - self._over_us)
            self._over_us = None

    def times_after(self, since_us: int) -> bool:
        """Whether the newest answer is a speed from after this."""
        newest = self.answered[-1] if self.answered else None
        return newest is not None and newest.t_us > since_us and newest.payload[:2] == bytes([0x41, SPEED])

    def _change(self) -> None:
        """A fault begins, or is over."""
        first, second = self.ecus[0x7E8], self.ecus[0x7E9]
        if self.fault:
            first.is_deaf = second.is_deaf = False
            first.loses = second.loses = first.pends = 0.0
            first.delay_us, first.negative, self.refuses = self.quick, {}, ""
            if self.fault == "gone":
                self.poller.forget()
            self._over_us = self.now_us + 60 * S * (self.fault == "tester")
            self.fault = ""
            self._change_us = self.now_us + self.rng.randint(75 * S, 150 * S)
            return
        self.fault = self.rng.choice(FAULTS)
        self.faults[self.fault] += 1
        self._fault_us = self.now_us
        self._change_us = self.now_us + self.rng.randint(1 * S, 60 * S)
        first.is_deaf = second.is_deaf = self.fault == "deaf"
        first.loses = second.loses = 0.3 * (self.fault == "lossy")
        first.pends = 0.2 * (self.fault == "pending")
        if self.fault == "slow":
            first.delay_us = (500 * MS, 900 * MS)
        first.negative = {b"\x01\x0d": 0x21} if self.fault == "refuses" else {}
        self.refuses = "bus" if self.fault in ("gone", "bus_off") else ""
        first.codes[0x03] = [self.rng.randbytes(2)] if self.rng.random() < 0.3 else []

    def _count(self) -> None:
        self._signs["frames"] += self.fault not in ("gone", "bus_off")
        self._signs["errors"] += self.fault == "errors"
        self._signs["foreign"] += self.fault == "tester"

    def _known(self) -> Signs:
        """What the daemon would know."""
        return Signs(
            is_there=self.fault != "gone",
            is_bus_off=self.fault == "bus_off",
            is_proved=True,
            voltage_v=11.0 if self.fault == "low" else 13.9,
            frames=self._signs["frames"],
            errors=self._signs["errors"],
            foreign=self._signs["foreign"],
        )

    def _judge(self, request: Request) -> None:
        """No request goes out into a fault that forbids it."""
        if self.fault in ("gone", "errors", "bus_off", "tester", "low") and self.now_us - self._fault_us > S:
            self.broken.append(f"{self.now_us / S:.1f}: {request} while {self.fault}")


@pytest.mark.parametrize("seed", range(2))
def test_four_hours_of_faults_upset_nothing_and_speed_is_back_within_10_s_of_each(seed: int) -> None:
    drive = Drive(seed, 5.0)
    drive.run(4 * 3600)
    assert drive.broken == []
    assert most_in_a_second([at for at, _ in drive.asked]) <= 5
    assert sum(drive.faults.values()) > 80
    assert max(drive.resumed_us) < OURS_AGAIN_US
    assert len(drive.times(SPEED)) > 0.25 * len(drive.asked)
    assert len(drive.resumed_us) >= sum(drive.faults.values()) - 1


def test_every_code_that_stays_is_told_once_and_so_is_its_end() -> None:
    drive = Drive(7, 5.0)
    trouble = Trouble()
    drive.run(3600)
    told = [(body["code"], body["dtc"]) for body in trouble.step(drive.found) if body["dtc"] != "lamp"]
    assert told
    for code in {code for code, _ in told}:
        changes = [change for of, change in told if of == code]
        assert changes[::2] == ["appeared"] * len(changes[::2])
        assert changes[1::2] == ["cleared"] * len(changes[1::2])
    assert {asked.service for _, asked in drive.asked} >= set(CODES)
