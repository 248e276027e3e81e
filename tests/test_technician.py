"""A technician in the yard, by the command line: a bare box becomes a proven installation. Prints how long each step takes."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fleets import roster_form, signed_roster
from tests.supervised import Supervised
from tests.yards import VIN, Flashed, Yard, daemon, until, van


class Day:
    """Steps and how long each took."""

    def __init__(self) -> None:
        self.took_s: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One of them, by name."""
        begin_s = time.monotonic()
        yield
        self.took_s[name] = time.monotonic() - begin_s

    def lines(self) -> str:
        """Longest first."""
        whole_s = sum(self.took_s.values())
        rows = sorted(self.took_s.items(), key=lambda row: -row[1])
        return "\n".join(f"{took_s:7.2f} s {100 * took_s / whole_s:4.0f} %  {name}" for name, took_s in rows)


def good(done: subprocess.CompletedProcess[str]) -> str:
    """What a command said that went well."""
    assert done.returncode == 0, f"{done.args}: {done.stdout}{done.stderr}"
    return done.stdout


def test_a_bare_box_becomes_a_proven_installation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day, yard = Day(), Yard(tmp_path, boots=3, is_trusting=False)
    yard.bundle("van.tbx", van(12))
    (tmp_path / "acme.json").write_bytes(signed_roster(roster_form()).text())
    with day.step("check the machine's file"):
        assert "good" in good(yard.run_plain("config", "check", yard.config))
    with day.step("trust the fleet"):
        good(yard.run("key", "trust", tmp_path / "acme.json"))
    with Supervised(tmp_path, list(daemon(yard))) as manager:
        with day.step("start the agent"):
            until(lambda: "boot 1" in manager.said(), "the agent")
        with day.step("what would change"):
            assert "trip.end_s: 300.0 -> 200.0 s" in good(yard.run("config", "diff", tmp_path / "van.tbx"))
        with day.step("flash: verify, try on the car, commit, prove"):
            flashed = yard.flash(tmp_path / "van.tbx")
        assert (flashed.code, flashed.outcome["state"], flashed.outcome["vin"]) == (0, "running", VIN), flashed.words
        with day.step("what is in force"):
            told = json.loads(good(yard.run("config", "show", "--json")))
        assert told["trip.end_s"] == {"value": 200.0, "origin": "bundle acme-vans 12 (tbox.toml:2)"}
        with day.step("doctor"):
            doctors = json.loads(yard.run("doctor", "--seconds", "1", "--json").stdout)
        verdicts = {check["name"]: check["verdict"] for check in doctors["checks"]}
        assert {verdicts[name] for name in ("bus recording", "vehicle map", "VIN", "speed", "store")} == {"PASS"}
        with day.step("undo"):
            undone = Flashed(yard.run("rollback", "--json", "--reason", "that was the lesson"))
        assert (undone.code, undone.outcome["state"]) == (0, "rolled_back"), undone.words
        assert "boot" in manager.said()
    with day.step("verify the account"):
        assert "GOOD" in good(yard.run_plain("verify", yard.state_dir / "outbox.db"))
    with capsys.disabled():
        print(f"\n{day.lines()}")
