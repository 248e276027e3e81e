"""What a change of settings changes: values with units, old and new, and who says so."""

import json
from pathlib import Path

import pytest

from agent.errors import SettingsError
from agent.flash import config_diff
from agent.settings.difference import changes
from agent.settings.file import read
from tests.fleets import bundle_of
from tests.test_slots import placed


def test_each_value_has_its_unit_and_both_origins(tmp_path: Path) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text('[trip]\nend_s = 100\n[[can]]\nchannel = "can0"\n')
    new.write_text(
        '[trip]\nend_s = 100\nstart_mps = 2\n[[can]]\nchannel = "can0"\nbitrate = 500000\ninterface = "slcan"\n[[elm]]\nnumber = 1\n'
    )
    found = changes(read(old), read(new), {}, {})
    assert [change.name for change in found][:3] == ["can[0].interface", "can[0].bitrate", "elm[0].port"]
    lines = {change.name: change.line() for change in found}
    assert lines["trip.start_mps"] == f"trip.start_mps: 1.39 -> 2.0 m/s (default -> {new}:3)"
    assert lines["can[0].bitrate"] == f"can[0].bitrate: 0 -> 500000 bit/s (default -> {new}:6)"
    assert lines["elm[0].port"] == 'elm[0].port: - -> "/dev/ttyUSB0" (- -> default)'


def test_the_same_settings_differ_in_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[trip]\nend_s = 100\n")
    assert changes(read(file), read(file, ["trip.end_s=100"]), {}, {}) == []


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        pytest.param(b"1", b"1", None, id="the same bytes in another slot"),
        pytest.param(b"1", b"2", "vehicle.map: x.toml [6b86b273] -> x.toml [d4735e3a]", id="other bytes"),
    ],
)
def test_a_file_that_a_setting_names_is_told_by_its_content(
    tmp_path: Path, before: bytes, after: bytes, line: str | None
) -> None:
    slots = [tmp_path / name for name in ("a", "b")]
    for slot in slots:
        slot.mkdir()
        (slot / "tbox.toml").write_text('[vehicle]\nmap = "./maps/x.toml"\n')
    files = [{str(slot / "maps/x.toml"): content} for slot, content in zip(slots, (before, after), strict=True)]
    found = changes(read(slots[0] / "tbox.toml"), read(slots[1] / "tbox.toml"), *files)
    assert [change.line().partition(" (")[0] for change in found] == ([line] if line else [])


def test_files_that_no_setting_names_are_told_too(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("")
    found = changes(
        read(file), read(file), {"rules/candidate.toml": b"1", "certs/ca.pem": b"2"}, {"certs/ca.pem": b"2"}
    )
    assert [(change.name, change.old, change.new) for change in found] == [("rules/candidate.toml", "6b86b273", "-")]


# ---- tbox config diff -----------------------------------------------------------------------------------------------


def machine(tmp_path: Path) -> Path:
    config = tmp_path / "machine.toml"
    config.write_text('[device]\nstate_dir = "state"\n[trip]\nend_s = 100\n')
    return config


def test_a_bundle_against_what_is_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, path = machine(tmp_path), tmp_path / "new.tbx"
    placed(tmp_path / "state", b"[trip]\nend_s = 150\nstart_mps = 3\n")
    path.write_bytes(bundle_of({"tbox.toml": b"[trip]\nend_s = 200\n"}, version=13).raw())
    assert config_diff.diff(path, config, [], json=True) == 0
    told = {change["name"]: change for change in json.loads(capsys.readouterr().out)}
    assert told["trip.end_s"] == {
        "name": "trip.end_s", "unit": "s", "old": "150.0", "new": "200.0",
        "old_origin": "bundle acme-vans 12 (tbox.toml:2)", "new_origin": "bundle acme-vans 13 (tbox.toml:2)",
    }  # fmt: skip
    assert (told["trip.start_mps"]["new"], told["trip.start_mps"]["new_origin"]) == ("1.39", "default")
    assert told["README.txt"]["new"] == "-"


def test_another_settings_file_against_what_is_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, path = machine(tmp_path), tmp_path / "other.toml"
    path.write_text('[device]\nstate_dir = "state"\n[trip]\nend_s = 100\nmin_distance_m = 9\n')
    assert config_diff.diff(path, config, [], json=False) == 0
    assert capsys.readouterr().out == f"trip.min_distance_m: 5.0 -> 9.0 m (default -> {path}:5)\n"
    assert config_diff.diff(config, config, [], json=False) == 0
    assert capsys.readouterr().out == "nothing changes\n"


def test_a_file_that_is_not_there_is_78(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone.tbx: cannot be read"):
        config_diff.diff(tmp_path / "gone.tbx", machine(tmp_path), [], json=False)
