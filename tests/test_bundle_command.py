"""`tbox bundle` and `tbox key roster|trust`: a fleet, from its keys to a bundle that a terminal takes."""

import json
import os
from pathlib import Path

import pytest

from agent.cli import main
from agent.ledger.key import load_or_make
from agent.trust.bundle import Bundle
from agent.trust.permit import Permit


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the keys of Anna, Ben and Carol, a machine's file, and settings to bundle."""
    monkeypatch.chdir(tmp_path)
    for name in ("anna", "ben", "carol"):
        load_or_make(tmp_path / f"{name}.key")
    (tmp_path / "machine.toml").write_text(f'[device]\nstate_dir = "{tmp_path / "state"}"\n')
    (tmp_path / "van").mkdir()
    (tmp_path / "van" / "tbox.toml").write_text("[trip]\nend_s = 200\n")
    return tmp_path


def tbox(words: str) -> int:
    return main(words.split())


def public(name: str) -> str:
    return load_or_make(Path(f"{name}.key")).public.hex()


def make(version: int = 1, more: str = "") -> str:
    return f"bundle new van -o van.tbx --id acme-vans --version {version} {more}"


def test_one_key_is_enough_for_a_small_fleet(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tbox("key roster acme.json --name acme --fleet anna.key") == 0
    assert "next, on a terminal: tbox key trust acme.json" in capsys.readouterr().out
    assert tbox(make()) == 0
    assert tbox("bundle sign van.tbx --fleet anna.key") == 0
    assert tbox("key trust acme.json --config machine.toml") == 0
    assert tbox("bundle verify van.tbx --config machine.toml") == 0
    assert capsys.readouterr().out.endswith("van.tbx: good\n")


def test_two_of_three_and_a_lost_key(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adds = " ".join(f"--add {name}={public(name)}" for name in ("anna", "ben", "carol"))
    assert tbox(f"key roster acme.json --name acme {adds} --threshold 2 --fleet anna.key") == 0
    assert "it has 1 of 2 signatures by its root keys; next: tbox bundle sign acme.json" in capsys.readouterr().out
    assert tbox("key trust acme.json --config machine.toml") == 66
    assert "not signed by its own root keys: 1 of 2 signatures" in capsys.readouterr().err
    assert tbox("bundle sign acme.json --fleet ben.key") == 0
    assert tbox("key trust acme.json --config machine.toml") == 0
    tbox(make())
    assert tbox("bundle sign van.tbx --fleet anna.key --fleet ben.key") == 0
    assert tbox("bundle verify van.tbx --config machine.toml") == 0
    assert tbox("key roster acme2.json --from acme.json --revoke ben --fleet anna.key --fleet carol.key") == 0
    assert tbox("key trust acme2.json --config machine.toml") == 0
    capsys.readouterr()
    assert tbox("bundle verify van.tbx --config machine.toml --json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(step["name"], step["is_good"], step["reason"]) for step in told["checks"]] == [
        ("whole", True, ""), ("signed", False, "revoked"), ("works", True, ""),
    ]  # fmt: skip
    assert tbox("key trusted --config machine.toml --json") == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert (document["version"], document["revoked"]) == (2, {public("ben"): "revoked"})


def test_a_folder_that_was_copied_gives_the_same_bundle(fleet: Path) -> None:
    """Other order of the folder's entries, other times and rights of the files."""
    (fleet / "van" / "README.txt").write_text("x")
    (fleet / "other").mkdir()
    for number, name in enumerate(("tbox.toml", "README.txt")):
        copied = fleet / "other" / name
        copied.write_bytes((fleet / "van" / name).read_bytes())
        os.utime(copied, (number, number))
        copied.chmod(0o600)
    (fleet / "other" / ".notes").write_text("left out")
    assert tbox(make()) == 0
    assert tbox(make().replace("new van -o van", "new other -o other")) == 0
    assert (fleet / "van.tbx").read_bytes() == (fleet / "other.tbx").read_bytes()


def test_the_manifest_may_stand_in_the_folder(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = 'id = "acme-vans"\nversion = 7\nnot_before = 2026-01-31\nnot_after = 2027-01-31T12:00:00+01:00\n'
    (fleet / "van" / "manifest.toml").write_text(f'{told}[compatible]\nvin = ["WDB*"]\nagent = ">=0.1"\n')
    assert tbox("bundle new van -o van.tbx --version 8 --hardware rpi-4 --class car") == 0
    capsys.readouterr()
    assert tbox("bundle inspect van.tbx --json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["id"], told["version"], told["signatures"]) == ("acme-vans", 8, [])
    assert (told["not_before"], told["not_after"]) == ("2026-01-31T00:00:00Z", "2027-01-31T11:00:00Z")
    assert told["compatible"] == {"agent": ">=0.1", "hardware": ["rpi-4"], "vehicle_class": ["car"], "vin": ["WDB*"]}
    assert tbox("bundle inspect van.tbx") == 0
    assert "valid       2026-01-31T00:00:00Z until 2027-01-31T11:00:00Z\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("bundle new van -o van.tbx --version 1", 66, "a bundle needs --id, or id = ... in van/manifest.toml"),
        ("bundle new van -o van.tbx --id acme", 66, "a bundle needs --version"),
        ("bundle new van -o van.tbx --id Acme --version 1", 66, "manifest.json: Expected `str` matching regex"),
        ("bundle new van -o van.tbx --id acme --version 0", 66, "Expected `int` >= 1"),
        (make(1, "--agent 1.0"), 66, '"1.0" is no range of versions such as ">=1.0,<2"'),
        (make(1, "--vin OTTO"), 66, "manifest.toml: Expected `str` matching regex"),
        (make(1, "--not-after soon"), 66, 'not_after = "soon": write a day such as 2027-01-31'),
        (make(1, "--not-after 2026-01-01 --not-before 2026-01-01"), 66, "not_after is not later than not_before"),
        (make().replace("van.tbx", "no/van.tbx"), 74, "no/van.tbx: cannot be written"),
        ("bundle new empty -o van.tbx --id a --version 1", 66, "empty: there is no such folder"),
        ("bundle sign van.toml --fleet anna.key", 66, "van.toml: cannot be read"),
        ("bundle sign machine.toml --fleet anna.key", 66, "machine.toml: not JSON"),
        ("bundle inspect anna.key", 66, "anna.key: not a bundle: it does not begin like one"),
        ("bundle verify no.tbx --trust van", 1, ""),
        ("key roster a.json --fleet anna.key", 2, "first trust document needs --name"),
        ("key roster a.json --name acme --fleet none.key", 66, "`tbox key fleet none.key` makes one"),
        ("key roster a.json --name acme --fleet anna.key --threshold 2", 66, "needs 2 keys, 1 are left; add one"),
        ("key roster a.json --name acme --fleet anna.key --threshold many", 2, "write it as 2, or as bundle=2"),
        ("key roster a.json --name acme --fleet anna.key --add Ben", 2, "write NAME=KEY or NAME=KEY:bundle,command"),
        ("key roster a.json --name acme --fleet anna.key --revoke Ben", 2, "no such name or key in it"),
        ("key trust van/tbox.toml --config machine.toml", 66, "van/tbox.toml: not JSON"),
        ("key untrust acme --config machine.toml", 66, "no such fleet is trusted here"),
        ("bundle permit --device 12 --id a --version 1 --fleet anna.key -o p.json", 66, "device"),
        ("bundle permit --device xx --id a --version 1 --fleet anna.key -o p.json", 2, "16 hex digits"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    fleet: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, said: str
) -> None:
    assert tbox(words) == code
    told = capsys.readouterr()
    assert said in told.err
    assert len(told.err.splitlines()) == (1 if said else 0)


def test_a_bundle_that_would_not_work_is_not_made(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fleet / "van" / "tbox.toml").write_text("[trip]\nend_s = 0\n")
    assert tbox(make()) == 66
    assert "tbox.toml:2: trip.end_s = 0: must be" in capsys.readouterr().err
    assert not (fleet / "van.tbx").exists()


def test_a_link_in_the_folder_is_not_followed(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fleet / "van" / "README.txt").symlink_to("/etc/passwd")
    assert tbox(make()) == 66
    assert "README.txt: is a link; put the file itself there" in capsys.readouterr().err


def test_a_permission_is_made_and_signed_again(fleet: Path) -> None:
    words = "bundle permit --device 0011223344556677 --id acme-vans --version 2 --fleet anna.key -o permit.json"
    assert tbox(words) == 0
    assert tbox("bundle sign permit.json --fleet ben.key") == 0
    made = Permit.parse((fleet / "permit.json").read_bytes(), "permit.json")
    assert (made.form.device, made.form.version, len(made.signatures)) == ("0011223344556677", 2, 2)


def test_signing_may_leave_the_file_as_it_is(fleet: Path) -> None:
    tbox(make())
    assert tbox("bundle sign van.tbx --fleet anna.key -o signed.tbx") == 0
    assert Bundle.read(fleet / "van.tbx").signatures == ()
    assert len(Bundle.read(fleet / "signed.tbx").signatures) == 1


def test_verifying_with_a_folder_needs_no_machine(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fleet / "trusted").mkdir(mode=0o755)
    tbox("key roster trusted/acme.json --name acme --fleet anna.key")
    tbox(make())
    tbox("bundle sign van.tbx --fleet anna.key")
    assert tbox("bundle verify van.tbx --trust trusted") == 0
    assert "PASS  signed  by key 1" in capsys.readouterr().out
    assert tbox("bundle verify van.tbx --trust van") == 78
    assert "van: there is no trust document" in capsys.readouterr().err
