"""What a run leaves to the next: a clean end, a power cut, and the account of driving and rest with the time gone by."""

from pathlib import Path

import msgspec
import pytest

from agent import app
from agent.maps.maps import load
from agent.outbox.outbox import Outbox
from agent.settings import Settings, defaults
from agent.setup import Rest
from agent.trip.account import Account
from agent.trip.resume import Left, left_by
from agent.world import clock
from agent.world.clock import Stamp
from drivers import batch
from tests.accounts import ledger
from tests.road import us, value

REST = Rest(driven_us=us(9000), rest_us=us(60), odometer_m=5e6, lat_deg=48.0, lon_deg=11.0, is_unsure=True)
NOW = Stamp("kernel-b", us(100), us(2_000_000))


@pytest.mark.parametrize(
    ("before", "now", "gone_s"),
    [
        pytest.param(Stamp("a", us(10), None), Stamp("a", us(25), None), 15, id="the same boot of the kernel"),
        pytest.param(Stamp("a", us(10), us(500)), Stamp("b", us(3), us(900)), 400, id="UTC known at both ends"),
        pytest.param(Stamp("a", us(10), us(500)), Stamp("b", us(3), None), None, id="UTC known at one"),
        pytest.param(Stamp("a", us(10), None), Stamp("b", us(30), us(900)), None, id="another boot, UTC unknown"),
        pytest.param(Stamp("a", us(10), us(900)), Stamp("b", us(3), us(500)), None, id="UTC went backwards"),
        pytest.param(Stamp("", us(10), None), Stamp("", us(30), None), None, id="a kernel without a name"),
    ],
)
def test_time_gone_by_is_measured_or_not_known(before: Stamp, now: Stamp, gone_s: float | None) -> None:
    assert before.gone_us(now) == (None if gone_s is None else us(gone_s))


def test_this_kernel_names_its_boot() -> None:
    first, second = clock.stamp(), clock.stamp()
    assert first.kernel == second.kernel != ""
    assert first.boot_us <= second.boot_us


def test_a_journal_comes_back_as_it_was() -> None:
    left = Left(7, NOW, REST, is_clean=False, samples={"trip": 3}, trip_end={"trip": 3, "boot": 7})
    assert left_by(left.journal()) == left


@pytest.mark.parametrize(
    "journal", [None, b"", b"\x00", b"\x93\x01\x02\x03", msgspec.msgpack.encode({"samples": None})]
)
def test_a_journal_that_is_none_leaves_nothing(journal: bytes | None) -> None:
    assert left_by(journal) is None


def recovered(left: Left | None) -> list[tuple]:
    account = Account(ledger(), defaults().samples, "rules")
    return [
        (record.kind, record.body.get("event"), record.body.get("trip"))
        for record in account.recover(left, NOW, us(100))
    ]


def test_an_end_in_order_leaves_nothing_to_close() -> None:
    assert recovered(Left(7, NOW, REST, is_clean=True)) == []
    assert recovered(None) == []


def test_a_power_cut_is_an_event_and_closes_the_trip() -> None:
    trip_end = {"trip": 3, "boot": 7, "start_us": 1, "end_us": 2, "distance_m": 1.0, "end_reason": "power_cut"}
    told = recovered(Left(7, NOW, REST, is_clean=False, samples={"trip": 3, "boot": 7}, trip_end=trip_end))
    assert told[:3] == [("samples", None, 3), ("event", "power_cut", 3), ("trip_end", None, 3)]
    assert recovered(Left(7, NOW, REST, is_clean=False))[:1] == [("event", "power_cut", None)]


@pytest.mark.parametrize(
    ("stamp", "confidence", "dark_s"),
    [
        pytest.param(Stamp("kernel-a", us(70), us(1_999_990)), 1.0, 10.0, id="the kernel started anew"),
        pytest.param(Stamp("kernel-b", us(70), None), 0.5, 30.0, id="only the agent died"),
        pytest.param(Stamp("kernel-a", us(70), None), 1.0, None, id="nobody knows how long"),
    ],
)
def test_a_power_cut_says_when_and_how_long(stamp: Stamp, confidence: float, dark_s: float | None) -> None:
    body = Left(7, stamp, REST, is_clean=False).power_cut(NOW, "rules")
    assert (body["start_us"], body["end_us"], body["boot"]) == (us(70), us(70), 7)
    assert (body["confidence"], body["value"]) == (confidence, dark_s)


# ---- the daemon ----------------------------------------------------------------------------------------------------


def settings(folder: Path) -> Settings:
    shipped = defaults()
    return msgspec.structs.replace(
        shipped,
        device=msgspec.structs.replace(shipped.device, state_dir=str(folder)),
        mqtt=msgspec.structs.replace(shipped.mqtt, tls=False),
    )


def started(folder: Path) -> app.Agent:
    return app.Agent(settings(folder), load(Path("obd2.toml")), Outbox.open(folder / "outbox.db", 2**26))


def first(agent: app.Agent) -> list[tuple]:
    return [(record.kind, record.body.get("is_clean", record.body.get("event"))) for record in agent.held]


def drive(agent: app.Agent, seconds: int) -> None:
    """Feeds the agent's core an hour's worth of rows just before now."""
    start_us = clock.boot_us() - us(seconds)
    rows = (value((start_us + us(i)) / 1e6, "speed", 20.0) for i in range(seconds))
    for output in agent.core.feed(b"".join(rows) + batch.tick(clock.boot_us())):
        agent.held += agent._meaning(output, clock.boot_us())


def test_the_account_of_driving_survives_a_stop_and_a_start(tmp_path: Path) -> None:
    agent = started(tmp_path)
    assert first(agent)[1] == ("boot", True)
    drive(agent, 3600)
    agent.stop()
    agent.run()
    again = started(tmp_path)
    try:
        assert first(again)[0] == ("boot", True)
        assert again.core.snapshot(0).rest.driven_us == pytest.approx(us(3599), abs=us(2))
    finally:
        again.stop()
        again.run()


def test_a_start_after_a_power_cut_says_so(tmp_path: Path) -> None:
    agent = started(tmp_path)
    agent._keep(clock.boot_us())
    agent.delivery.close()
    agent.rack.close()
    again = started(tmp_path)
    try:
        assert first(again)[:2] == [("boot", False), ("event", "power_cut")]
    finally:
        again.stop()
        again.run()
