"""The fleet's certificate and the platform's signed receipts: who vouches, and what passes for neither."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.cli import key_command
from agent.errors import InputError, SettingsError, UsageError
from agent.ledger.fleet import CERTIFICATE_NAME, Certificate
from agent.ledger.key import DeviceKey
from agent.ledger.receipt import Ranges, Receipt, ReceiptError, parse_receipt, signed
from agent.outbox.key_files import certificate_of
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import RECEIPT, head_frame, keeping, read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.finding import Report
from agent.proof.proof import check
from agent.proof.verify import run
from agent.proof.vouching import Known
from agent.uplink.confirming import KEEP_S, Confirming
from tests.accounts import KEY, OTHER_KEY, framed, rotated, two_boots
from tests.test_rotation import SECOND, settings_of, start

FLEET, PLATFORM = DeviceKey(bytes([70]) * 32), DeviceKey(bytes([80]) * 32)
SINCE_US = 1_760_000_000_000_000
CERTIFICATE = Certificate.signed(FLEET, KEY.device, KEY.public, "B-TB 42", SINCE_US)
WHOLE = two_boots()


def receipt(upto: int = 17, *, key: DeviceKey = PLATFORM, device: bytes = KEY.device, head: bytes = b"") -> Receipt:
    return signed(Receipt(Ranges([(0, upto)]), "3f"), key, device, SINCE_US + upto, head or WHOLE[upto].hash)


def verified(path: Path, vouched: Mapping[str, Any], known: Known | None = None, records: Any = WHOLE) -> Report:
    path.write_bytes(head_frame(KEY.public, 0, vouched) + framed(records))
    return check([read_pile(path)], known or Known())


def said(report: Report) -> str:
    return " ".join(str(problem) for problem in report.problems)


# The fleet


def test_a_device_the_fleet_vouches_for_is_told_by_its_name(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", {"certificate": CERTIFICATE.told()}, Known(fleet=FLEET.public))
    assert report.is_good
    assert report.fleet == {"key": FLEET.public.hex(), "name": "B-TB 42", "not_before_us": SINCE_US}


@pytest.mark.parametrize("public", [KEY.public, SECOND.public], ids=["the first key", "a later one"])
def test_it_vouches_for_the_device_whichever_of_its_keys_the_fleet_saw(tmp_path: Path, public: bytes) -> None:
    told = Certificate.signed(FLEET, KEY.device, public, "x", 1).told()
    assert verified(tmp_path / "f", {"certificate": told}, Known(fleet=FLEET.public), rotated()).fleet is not None


def test_without_the_fleets_key_it_says_which_would_check_it(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", {"certificate": CERTIFICATE.told()})
    assert (report.is_good, report.fleet) == (True, None)
    assert report.notes == [f"has a certificate of fleet key {FLEET.device.hex()}; --fleet checks it"]


UNVOUCHED: dict[str, tuple[Mapping[str, Any], str]] = {
    "none": ({}, "no certificate of this fleet is in it"),
    "another fleet's": (
        {"certificate": Certificate.signed(OTHER_KEY, KEY.device, KEY.public, "x", 1).told()},
        f"by an unknown key, {OTHER_KEY.device.hex()}"),
    "another device's": (
        {"certificate": Certificate.signed(FLEET, OTHER_KEY.device, OTHER_KEY.public, "x", 1).told()},
        "its certificate was altered, or is another device's"),
    "another name": ({"certificate": CERTIFICATE.told() | {"name": "B-TB 43"}}, "its certificate was altered"),
    "another day": ({"certificate": CERTIFICATE.told() | {"not_before_us": 1}}, "its certificate was altered"),
    "a key nobody has": (
        {"certificate": Certificate.signed(FLEET, KEY.device, OTHER_KEY.public, "x", 1).told()},
        "its certificate was altered, or is another device's"),
    "half of one": ({"certificate": {"device": KEY.device}}, "no certificate of this fleet is in it"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNVOUCHED)
def test_what_the_fleet_does_not_vouch_for_is_named(tmp_path: Path, name: str) -> None:
    vouched, words = UNVOUCHED[name]
    assert words in said(verified(tmp_path / "f", vouched, Known(fleet=FLEET.public)))


def test_a_certificate_is_made_in_the_office_and_told_by_the_next_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, settings = tmp_path / "state", settings_of(tmp_path / "state")
    start(state)
    public = json.loads(_shown(settings, capsys))["key"]
    assert key_command.fleet(tmp_path / "fleet.key") == 0
    fleet = capsys.readouterr().out.strip()
    assert key_command.certify(public, tmp_path / "fleet.key", "B-TB 42", None, tmp_path / "cert") == 0
    assert key_command.accept(settings, tmp_path / "cert") == 0
    assert certificate_of(state) == Certificate.parse((tmp_path / "cert").read_bytes())
    assert run([state], json=False, key=None, fleet=fleet) == 0
    assert "of a device the fleet vouches for: B-TB 42, since 20" in capsys.readouterr().out
    assert json.loads(_shown(settings, capsys))["certificate"]["name"] == "B-TB 42"


def _shown(settings: Any, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert key_command.show(settings, json=True) == 0
    return capsys.readouterr().out


def test_another_devices_certificate_is_not_accepted(tmp_path: Path) -> None:
    start(tmp_path)
    (tmp_path / "cert").write_bytes(CERTIFICATE.text())
    with pytest.raises(InputError, match=f"is for device {KEY.device.hex()}"):
        key_command.accept(settings_of(tmp_path), tmp_path / "cert")
    assert certificate_of(tmp_path) is None


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff", CERTIFICATE.text()[:-9], b'{"device": 7}', b"[" * 9999])
def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / CERTIFICATE_NAME).write_bytes(text)
    with pytest.raises(SettingsError, match="there is no certificate in it"):
        certificate_of(tmp_path)


@pytest.mark.parametrize(("public", "name", "error"), [
    ("xyz", "x", UsageError), ("ab" * 31, "x", UsageError), ("ab" * 32, "", InputError), ("ab" * 32, "x" * 65, InputError),
])  # fmt: skip
def test_what_cannot_be_certified_is_refused(tmp_path: Path, public: str, name: str, error: type[Exception]) -> None:
    key_command.fleet(tmp_path / "fleet.key")
    with pytest.raises(error):
        key_command.certify(public, tmp_path / "fleet.key", name, None, tmp_path / "cert")
    assert not (tmp_path / "cert").exists()


# The platform


def test_a_signed_receipt_is_read_as_it_was_written() -> None:
    told = receipt()
    read = parse_receipt(told.text(), upto_max=17)
    assert (read, read.upto) == (told, 17)
    assert read.is_by(PLATFORM.public, KEY.device)


@pytest.mark.parametrize(("entry", "told"), [
    ("upto", 16), ("also", [[19, 20]]), ("epoch", "3e"), ("time_us", 1), ("head", "00" * 32), ("head", ""),
    ("key", OTHER_KEY.public.hex()), ("signature", "00" * 64), ("epoch", 2**70),
])  # fmt: skip
def test_a_receipt_with_anything_changed_is_not_the_platforms(entry: str, told: object) -> None:
    fields = json.loads(receipt().text()) | {entry: told}
    assert not parse_receipt(json.dumps(fields).encode(), upto_max=99).is_by(PLATFORM.public, KEY.device)


@pytest.mark.parametrize("entry", ["time_us", "head", "key", "signature"])
@pytest.mark.parametrize("told", [None, True, -1, "x", "00", [], {}])
def test_a_signature_that_is_none_is_refused(entry: str, told: object) -> None:
    fields = json.loads(receipt().text()) | {entry: told}
    with pytest.raises(ReceiptError, match=entry):
        parse_receipt(json.dumps(fields).encode(), upto_max=99)


COUNTED = {
    "the platform's": (receipt().text(), 1),
    "unsigned": (b'{"upto": 17, "epoch": "3f"}', 0),
    "another platform's": (receipt(key=OTHER_KEY).text(), 0),
    "for another device": (receipt(device=OTHER_KEY.device).text(), 0),
}


@pytest.mark.parametrize("name", COUNTED)
def test_where_the_platform_is_known_only_its_word_counts(name: str) -> None:
    payload, good = COUNTED[name]
    room = Confirming("receipt", -1, 900.0)
    room.demand(PLATFORM.public, KEY.device)
    room.acked(4)
    room.receipt(payload, 17)
    assert (room.counts, len(room.ready)) == ({"receipts": good, "receipts_bad": 1 - good}, good)
    assert room.to_keep(0.0) == (payload if good else None)


def test_the_receipt_that_says_most_is_kept_now_and_then() -> None:
    room = Confirming("receipt", -1, 900.0)
    room.demand(PLATFORM.public, KEY.device)
    kept = []
    for upto, now_s in ((3, 0.0), (5, KEEP_S - 1), (4, KEEP_S), (4, 2 * KEEP_S)):
        room.receipt(receipt(upto).text(), 17)
        kept.append(room.to_keep(now_s))
    assert kept == [receipt(3).text(), None, receipt(5).text(), None]


def test_the_store_shows_what_the_platform_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outbox = Outbox.open(tmp_path / STORE_NAME, 64_000_000)
    outbox.append(WHOLE)
    outbox.within(keeping(receipt(12).text()))
    outbox.within(keeping(receipt(16).text()))
    outbox.within(keeping(receipt(14).text()))  # it would rather have had less
    outbox.close()
    assert run([tmp_path], json=False, key=None, platform=PLATFORM.public.hex()) == 0
    assert "the platform confirmed all up to seq 16 at 2025-10-09T08:53:20Z" in capsys.readouterr().out


DENIED: dict[str, tuple[Receipt, str]] = {
    "another platform's": (receipt(key=OTHER_KEY), f"is signed by an unknown key, {OTHER_KEY.public.hex()}"),
    "another device's": (receipt(device=OTHER_KEY.device), "is not signed for this device: it was altered or forged"),
    "another account's": (receipt(head=bytes(32)), "is for another record 17 than this one"),
    "unsigned": (replace(receipt(), word=None), "is not signed for this device"),
}


@pytest.mark.parametrize("name", DENIED)
def test_a_receipt_that_proves_nothing_is_named(tmp_path: Path, name: str) -> None:
    told, words = DENIED[name]
    report = verified(tmp_path / "f", {RECEIPT: told.text()}, Known(platform=PLATFORM.public))
    assert (words in said(report), report.confirmed) == (True, None)


def test_scripts_are_told_who_vouches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vouched = {"certificate": CERTIFICATE.told(), RECEIPT: receipt().text()}
    verified(tmp_path / "f", vouched)
    assert run([tmp_path / "f"], json=True, key=None, fleet=FLEET.public.hex()) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["good"], told["fleet"]["name"], told["confirmed"]["upto"]) == (True, "B-TB 42", 17)
    assert (told["confirmed"]["key"], told["confirmed"]["is_known"]) == (PLATFORM.public.hex(), False)


@pytest.mark.parametrize("name", ["fleet", "platform"])
def test_a_key_to_check_with_that_is_none_is_a_usage_error(tmp_path: Path, name: str) -> None:
    verified(tmp_path / "f", {})
    with pytest.raises(UsageError, match=f"--{name} takes a public key of 64 hex digits"):
        run([tmp_path / "f"], json=True, key=None, **{name: "xyz"})
