"""The running agent and bundles: a good one comes into force, one that kills it is taken back by itself."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.codec import decode, kind_number
from agent.flash import flash_back
from agent.flash.flash import Machine
from agent.outbox.store import STORE_NAME, open_readable
from agent.slots import slot_files, slots
from tests import doomed
from tests.fleets import bundle_of
from tests.supervised import WATCHDOG_S, Supervised
from tests.yards import DBC, MAP, Yard, daemon, until, van


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Yard, Supervised]]:
    """A daemon, by its service manager, on which version 12 proved itself."""
    folder = tmp_path_factory.mktemp("daemon")
    yard = Yard(folder, seconds=120)
    with Supervised(folder, list(daemon(yard, "tests.doomed"))) as manager:
        until(lambda: "boot 1" in manager.said(), "the daemon")
        outcome, _ = yard.install(van(12))
        assert (outcome.state, outcome.exit_code) == ("running", 0), outcome
        yield yard, manager


def doing(fault: float, version: int) -> Any:
    """Valid, signed, and with a fault that no check before the commit can see."""
    return bundle_of({"tbox.toml": f"[trip]\nend_s = {fault}\n".encode()}, version=version)


def records(yard: Yard) -> list[dict[str, Any]]:
    """The bodies of the `config` records, oldest first."""
    asked = "SELECT raw FROM records WHERE kind = ? ORDER BY seq"
    with closing(open_readable(yard.state_dir / STORE_NAME)) as store:
        return [dict(decode(raw).body) for (raw,) in store.execute(asked, (kind_number("config"),))]


@pytest.mark.parametrize(
    ("fault", "version", "words"),
    [
        pytest.param(doomed.RAISES, 21, "crashed: RuntimeError planted", id="crashes at its start"),
        pytest.param(doomed.DIES, 22, "not healthy after 1 start", id="is killed at its start"),
        pytest.param(doomed.HANGS, 23, "not healthy after 1 start", id="hangs"),
        pytest.param(doomed.HOGS, 24, "of memory, more than 128 MB", id="takes all memory"),
        pytest.param(doomed.DIES_LATER, 25, "not healthy after 1 start", id="dies before it proved itself"),
    ],
)
def test_a_valid_bundle_that_kills_the_agent_is_taken_back(
    running: tuple[Yard, Supervised], fault: float, version: int, words: str
) -> None:
    yard, manager = running
    manager.watchdog_s = 10.0 if fault == doomed.HANGS else WATCHDOG_S
    outcome, _ = yard.install(doing(fault, version))
    assert (outcome.state, outcome.exit_code) == ("reverted", 1), outcome
    assert words in outcome.reason
    assert yard.end_s() == 200
    until(lambda: records(yard)[-1:] != [] and records(yard)[-1]["failed"] is not None, "the record of it")
    until(lambda: any(body["failed"] and body["failed"]["version"] == version for body in records(yard)), "that one")
    told = next(body for body in reversed(records(yard)) if body["failed"] and body["failed"]["version"] == version)
    assert (told["state"], told["version"], words in told["reason"]) == ("reverted", 12, True)
    assert "proved itself" in manager.said()


def test_a_map_that_does_not_fit_is_refused_and_the_agent_never_hears_of_it(running: tuple[Yard, Supervised]) -> None:
    yard, manager = running
    before = manager.said().count("starting anew")
    files = {"maps/van.toml": MAP.encode(), "maps/van.dbc": DBC.replace("BO_ 25", "BO_ 76").encode()}
    toml = b'[trip]\nend_s = 300\n[vehicle]\nmap = "maps/van.toml"\n'
    outcome, _ = yard.install(bundle_of({"tbox.toml": toml, **files}, version=31))
    assert (outcome.state, outcome.reason) == ("refused", "map"), outcome
    assert (yard.end_s(), manager.said().count("starting anew")) == (200, before)


def test_a_map_that_does_not_fit_is_taken_back_where_it_could_not_be_tried_before(tmp_path: Path) -> None:
    """As over the network, while the car slept; and a rollback leads back to the machine's own file."""
    yard = Yard(tmp_path, seconds=120, first_id=0x300)
    bundle = van(12)
    content = slots.Content("acme-vans", 12, bundle.content, "usb")
    with Supervised(tmp_path, list(daemon(yard))) as manager:
        until(lambda: "boot 1" in manager.said(), "the daemon")
        slot_files.fill(yard.state_dir, "a", bundle.entries())
        slot_files.change(yard.state_dir, lambda state: slots.commit(slots.stage(state, content), 3))
        until(lambda: yard.state.phase == "reverted", "the revert")
        until(lambda: yard.state.news is not None and yard.state.news.is_told, "the record of it")
        assert "does not fit this car: it knows none of" in records(yard)[-1]["reason"]
        assert records(yard)[-1]["bundle"] == ""
        assert (yard.end_s(), manager.starts) == (300, 1)


def test_rollback_undoes_with_one_command(tmp_path: Path) -> None:
    yard = Yard(tmp_path, seconds=120)
    with Supervised(tmp_path, list(daemon(yard))) as manager:
        until(lambda: "boot 1" in manager.said(), "the daemon")
        assert yard.install(bundle_of({"tbox.toml": b"[trip]\nend_s = 200\n"}))[0].state == "running"
        assert yard.end_s() == 200
        outcome = flash_back.roll_back(Machine(yard.config), "wrong yard", lambda _: None)
        assert (outcome.state, outcome.words) == ("rolled_back", "the machine's file alone runs again")
        assert yard.end_s() == 300
        told = records(yard)[-1]
        assert (told["state"], told["reason"], told["failed"]["version"]) == ("rolled_back", "wrong yard", 12)
        assert flash_back.roll_back(Machine(yard.config), "again", lambda _: None).exit_code == 1
