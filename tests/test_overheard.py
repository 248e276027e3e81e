"""Trouble codes in recordings of what somebody asked: as events, each told once, after two readings."""

import json
from pathlib import Path

import pytest

from agent import cli


def line(at_s: float, ecu: str, payload: str) -> str:
    data = bytes.fromhex(payload)
    return f"({at_s:.6f}) can0 {ecu}#{bytes([len(data)]).hex()}{data.hex()}\n".upper().replace("CAN0", "can0")


def events(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    (folder / "can.log").write_text(text)
    assert cli.main(["replay", str(folder / "can.log"), "--json", "-"]) == 0
    lines = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    return [row for row in lines if row["record"] == "event"]


STORED, NONE, PENDING = "43010133", "4300", "47010171"
LAMP_ON, LAMP_OFF = "410181000000", "410100000000"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([(1, STORED)], [], id="read once: nothing yet"),
        pytest.param([(1, STORED), (2, STORED)], [("dtc", "appeared", "P0133", "stored", 1.0)], id="read twice"),
        pytest.param([(1, STORED), (2, NONE), (3, STORED)], [], id="seen, gone, seen"),
        pytest.param(
            [(1, STORED), (2, STORED), (3, NONE), (4, NONE)],
            [("dtc", "appeared", "P0133", "stored", 1.0), ("dtc", "cleared", "P0133", "stored", 3.0)],
            id="repaired",
        ),
        pytest.param([(1, PENDING), (2, PENDING)], [("dtc", "appeared", "P0171", "pending", 1.0)], id="pending"),
        pytest.param([(1, LAMP_ON), (2, LAMP_ON)], [("mil", "lamp", None, None, 1.0)], id="the lamp comes on"),
        pytest.param([(1, LAMP_OFF), (2, LAMP_OFF)], [], id="the lamp stays off"),
    ],
)
def test_codes_and_lamp_are_events(
    answers: list[tuple[int, str]], expected: list[tuple], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = events(tmp_path, "".join(line(at_s, "7E8", payload) for at_s, payload in answers), capsys)
    assert [(e["event"], e["change"], e["code"], e["kind"], e["start_s"]) for e in found] == expected
    assert all(e["trip"] is None and e["peak_mps2"] is None for e in found)
    assert [e["value"] for e in found if e["event"] == "mil"] == [1.0] * sum(e["event"] == "mil" for e in found)


def test_units_are_apart_and_a_code_in_a_drive_names_its_trip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = [line(0.5 * n, "7E8", "410d32") for n in range(60)]
    drive.insert(30, line(14.6, "7E8", STORED))
    drive.insert(31, line(14.7, "7E9", STORED))
    drive.insert(40, line(18.6, "7E8", STORED))
    found = events(tmp_path, "".join(drive), capsys)
    assert [(e["event"], e["ecu"], e["trip"]) for e in found] == [("dtc", "7E8", 0)]


def test_a_person_reads_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "can.log").write_text("".join(line(at, "7E8", told) for at in (1, 2) for told in (STORED, LAMP_ON)))
    assert cli.main(["replay", str(tmp_path / "can.log")]) == 0
    said = capsys.readouterr().out
    assert "1.0 s  dtc: stored code P0133 of unit 7E8 appeared" in said
    assert "1.0 s  mil: the lamp of unit 7E8 went on" in said
