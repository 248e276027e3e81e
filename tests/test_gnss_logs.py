"""44 receivers of the world: their logs give gpsd's fixes, as a recording, through a port, and by gpsd's own reports."""

import json
from collections import Counter
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from drivers import timer
from drivers.errors import DeviceError
from drivers.gnss.gpsd_reports import Reports, parsed
from drivers.gnss.port import open_port
from drivers.recordings.recording import open_recordings
from tests.packed import drained, read, told
from tests.receivers import Port, ready, until

FOLDER = Path(__file__).resolve().parents[2] / "shared/data/gpsd"
LOGS = sorted(FOLDER.glob("*.log"))
UNSPOKEN = 1 / 100
"""Share of moments that may differ: gpsd makes a speed of its own where a receiver tells none."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recordings are not beside the project")


def reports(log: Path) -> dict[int, dict[str, Any]]:
    """What gpsd says of each moment at last, by UTC in units of 10 ms."""
    lines = log.with_suffix(".log.chk").read_text(errors="replace").splitlines()
    found = [json.loads(line) for line in lines if line.startswith('{"class":"TPV"')]
    placed = [one for one in found if one["mode"] >= 2 and {"time", "lat", "lon"} <= one.keys()]
    return {round(datetime.fromisoformat(one["time"]).timestamp() * 100): one for one in placed}


def is_same(numbers: list[float | None], report: dict[str, Any]) -> bool:
    """Position to 1e-6 degrees and speed to 0.01 m/s; a speed that one of them lacks is not the same."""
    lat, lon, speed = numbers[:3]
    if lat is None or lon is None or (speed is None) != ("speed" not in report):
        return False
    is_here = abs(lat - report["lat"]) < 1e-6 and abs(lon - report["lon"]) < 1e-6
    return is_here and (speed is None or abs(speed - report["speed"]) <= 0.01)


def test_position_and_speed_are_gpsds() -> None:
    matched, wrong = 0, []
    for log in LOGS:
        ours = {round(t_us / 1e4): numbers for t_us, _, valid, numbers in told(read(log)) if valid}
        for moment, report in reports(log).items():
            matched += moment in ours
            if moment in ours and not is_same(ours[moment], report):
                wrong.append((log.name, report["time"]))
    assert matched >= 585
    assert len(wrong) <= UNSPOKEN * matched, wrong


def test_nearly_every_moment_gpsd_tells_is_told() -> None:
    missing = {log.name: len(set(reports(log)) - {round(t_us / 1e4) for t_us, *_ in told(read(log))}) for log in LOGS}
    assert {name: count for name, count in missing.items() if count} == {
        "garmin48.log": 7,  # GLL a second ahead of all else
        "triton400.log": 1,  # all but GLL of this moment is torn
    }


def test_courses_are_gpsds() -> None:
    compared, wrong = 0, []
    for log in LOGS:
        ours = {round(t_us / 1e4): numbers for t_us, _, valid, numbers in told(read(log)) if valid}
        for moment, report in reports(log).items():
            course = ours.get(moment, [None] * 4)[3]
            if course is not None and "track" in report:
                compared += 1
                wrong += [(log.name, report["time"])] if abs(course - report["track"]) > 0.01 else []
    assert compared > 450
    assert len(wrong) <= UNSPOKEN * compared, wrong


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_port_tells_what_the_recording_tells(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timer, "GAP_US", 600_000_000)  # a busy machine tears no burst
    text = log.read_bytes()
    port = Port(tmp_path / "ttyGNSS").plug()
    source = open_port(str(port.path), baud=9600)
    heard = []
    for start in range(0, len(text), 500):
        port.say(text[start : start + 500])
        heard += ready(source, 1.0)
    port.unplug()
    with suppress(DeviceError):
        until(lambda: bool(heard.extend(ready(source, 0.02))))
    source.close()
    fixes = Counter(str(one[2:]) for one in heard)
    wanted = Counter(str(one[2:]) for one in told(drained(open_recordings([log]))))
    assert wanted - fixes == Counter()
    assert list((fixes - wanted).items()) in ([], [(str((False, [None] * 6)), 1)])  # its farewell


def test_gpsds_reports_read_back_are_gpsds_fixes() -> None:
    matched, wrong = 0, []
    for log in LOGS:
        put, done = Reports(""), []
        for number, line in enumerate(log.with_suffix(".log.chk").read_bytes().splitlines()):
            done += put.hear(parsed(line), number * 1000)
        ours = {round(one.utc_us / 1e4): list(one.place) for one in [*done, *put.close()] if one.utc_us is not None}
        for moment, report in reports(log).items():
            matched += moment in ours
            if moment in ours and not is_same(ours[moment], report):
                wrong.append((log.name, report["time"]))
    assert matched >= 594  # of 597: three are void by gpsd's last word
    assert wrong == []
