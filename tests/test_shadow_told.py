"""Candidate rules in a whole terminal and in replay."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent import app
from agent.cli import main
from agent.maps.maps import load as load_map
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.proof.proof import check
from agent.settings import Settings, defaults
from agent.trip.account import Account
from agent.trip.contrast import Differed, Difference
from agent.trip.trip import EventFound
from agent.world import clock
from drivers.recordings.recorded import recorded
from tests.accounts import ledger
from tests.test_shadow import CANDIDATE, ROAD, WANTED, S, brake, shadowed

# ---- the whole terminal ----------------------------------------------------------------------------------------------


@pytest.fixture
def _own_time() -> Iterator[None]:
    yield
    clock.follow(None)


def drive_csv(folder: Path) -> Path:
    path = folder / "drive.csv"
    rows = (f"{at:.1f},{ROAD.at(at)[0]:.3f}\n" for at in (i / 10 for i in range(int(ROAD.seconds * 10))))
    path.write_text("time_s,speed_mps\n" + "".join(rows))
    return path


def agent_of(settings: Settings, folder: Path) -> app.Agent:
    return app.Agent(settings, load_map(Path(settings.vehicle.map)), Outbox.open(folder / "outbox.db", 2**26))


@pytest.mark.usefixtures("_own_time")
@pytest.mark.parametrize("text", [CANDIDATE, "[detect.harsh_braking]\nthreshold_mps2 = -1\n"])
def test_the_terminal_writes_it_down_signed_or_drives_on_without_it(tmp_path: Path, text: str) -> None:
    shipped = defaults()
    settings = shadowed(
        tmp_path,
        text,
        device=msgspec.structs.replace(shipped.device, state_dir=str(tmp_path)),
        mqtt=msgspec.structs.replace(shipped.mqtt, tls=False),
    )
    source = recorded([drive_csv(tmp_path)])
    clock.follow(source)
    agent = agent_of(settings, tmp_path)
    last_us = round((ROAD.seconds - 0.2) * S)
    while clock.boot_us() < last_us:
        agent.turn()
    agent.stop()
    agent.run()
    pile = read_pile(tmp_path / "outbox.db")
    bodies = {record.kind: record.body for record in pile.records}
    assert check([pile]).problems == []
    assert bodies["trip_end"]["events"] == {"harsh_braking": 2}
    if text is CANDIDATE:
        assert bodies["trip_end"]["shadow"]["differences"] == WANTED
        assert bodies["config"]["trip"] == bodies["trip_end"]["trip"]
        assert len(bodies["config"]["shadow"]["differences"]) == 3
    else:
        assert "shadow" not in bodies["trip_end"]
        assert "config" not in bodies


def test_a_difference_is_no_event_and_names_the_trip_by_its_record() -> None:
    account = Account(ledger(), defaults().samples, "old")
    differed = Differed(None, "new", "old", (Difference(None, brake(1, 2)),))
    (record,) = account.moment(differed, 1)
    assert (record.kind, record.body["trip"]) == ("config", None)
    assert record.body["shadow"]["differences"][0]["candidate"] == "low"
    assert account.moment(EventFound(brake(1, 2), None), 1)[0].kind == "event"


# ---- replay ----------------------------------------------------------------------------------------------------------


def test_replay_tells_each_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shadowed(tmp_path)
    words = ["replay", str(drive_csv(tmp_path)), "--candidate", str(tmp_path / "candidate.toml")]
    assert main([*words, "--json", "-"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["difference"] for line in lines if line["record"] == "shadow"] == [
        "only_candidate",
        "only_active",
        "severity",
    ]
    (trip,) = [line for line in lines if line["record"] == "trip"]
    assert trip["shadow"]["differences"] == WANTED
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "shadow: harsh_acceleration: none now, low by the candidate" in said
    assert "shadow of trip 0: harsh_acceleration only_candidate 1, harsh_braking only_active 1, " in said


def test_replay_refuses_a_candidate_that_does_not_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shadowed(tmp_path, "[detect.harsh_breaking]\n")
    assert main(["replay", str(drive_csv(tmp_path)), "--candidate", str(tmp_path / "candidate.toml")]) == 78
    said = capsys.readouterr().err
    assert "harsh_braking" in said
    assert len(said.splitlines()) == 1


def test_a_broken_candidate_is_found_before_the_drive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.toml").write_text("[detect.tow]\ntilt_deg = 90.0\n")
    (tmp_path / "tbox.toml").write_text('[shadow]\nrules = "rules.toml"\n')
    assert main(["config", "check", str(tmp_path / "tbox.toml")]) == 78
    assert f"{tmp_path}/rules.toml:2: detect.tow.tilt_deg = 90.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["mounted-every-harsh-event", "struck-while-parked", "launch-and-kickdown", "crash-in-front"]
)
def test_the_active_rules_as_their_own_candidate_differ_in_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    shadowed(tmp_path, "")
    drive = Path(__file__).parent / "golden" / f"{name}.csv"
    assert main(["replay", str(drive), "--candidate", str(tmp_path / "candidate.toml"), "--json", "-"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line["record"] == "shadow"] == []
    assert all(line["shadow"]["differences"] == {} for line in lines if line["record"] == "trip")
    assert any(line["record"] == "event" for line in lines)
