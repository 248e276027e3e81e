"""The device's key in a token: SoftHSM stands for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import key_command
from agent.doctor import doctor
from agent.errors import SettingsError, StorageError
from agent.ledger.key import device_of, is_signed
from agent.ledger.ledger import Ledger
from agent.outbox.key_files import open_key, place_of
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.proof import check
from agent.settings import Mqtt, defaults
from tests.accounts import IDENTITY, drive
from tests.test_rotation import settings_of

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
UTIL = shutil.which("softhsm2-util")

pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
pytestmark = pytest.mark.skipif(UTIL is None or not MODULE.exists(), reason="softhsm2 is not installed")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a token "tbox" and its PIN; the library reads its configuration once in a process."""
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    before, os.environ["SOFTHSM2_CONF"] = os.environ.get("SOFTHSM2_CONF"), str(folder / "conf")
    words = [str(UTIL), "--init-token", "--free", "--label", "tbox", "--pin", "1234", "--so-pin", "5678"]
    subprocess.run(words, check=True, capture_output=True)
    (folder / "pin").write_text("1234\n")
    (folder / "pin").chmod(0o600)
    yield folder
    os.environ.pop("SOFTHSM2_CONF")
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


def uri(tokens: Path, label: str, **more: str) -> str:
    words = {"token": "tbox", "module": str(MODULE), "pin": str(tokens / "pin")} | more
    return f"pkcs11:token={words['token']};object={label}?module-path={words['module']}&pin-source={words['pin']}"


def start(state: Path, key: str) -> bytes:
    """One run of a terminal; the public key that signed."""
    outbox = Outbox.open(state / STORE_NAME, 64_000_000, "a")
    try:
        signer, _ = open_key(place_of(key, state), state, outbox)
        book = Ledger(signer, outbox.boot, outbox.tail(), IDENTITY)
        outbox.append(book.start(1, {"software": "tbox"}) + drive(book, 10))
    finally:
        outbox.close()
    return signer.public


def test_a_key_is_made_in_the_token_once_and_signs_as_any_other(tokens: Path, tmp_path: Path) -> None:
    key = uri(tokens, "once")
    public = start(tmp_path, key)
    assert start(tmp_path, key) == public
    assert not (tmp_path / "device.key").exists()
    report = check([read_pile(tmp_path / STORE_NAME)])
    assert (report.problems, report.key, report.device) == ([], public.hex(), device_of(public).hex())
    signer = place_of(key, tmp_path).find(b"", b"")
    assert signer is not None
    assert is_signed(b"message", signer.sign(b"message"), public)
    assert not is_signed(b"massage", signer.sign(b"message"), public)


def test_a_key_in_a_token_is_replaced_and_the_old_one_destroyed(tokens: Path, tmp_path: Path) -> None:
    key = uri(tokens, "replaced")
    shipped = settings_of(tmp_path)
    settings = type(shipped)(device=type(shipped.device)(state_dir=str(tmp_path), key=key))
    old = start(tmp_path, key)
    assert key_command.rotate(settings, "a drill") == 0
    new = start(tmp_path, key)
    assert new != old
    report = check([read_pile(tmp_path / STORE_NAME)])
    assert (report.problems, [entry["key"] for entry in report.keys]) == ([], [old.hex(), new.hex()])
    assert place_of(key, tmp_path).find(device_of(old), b"") is None


def test_a_key_that_a_power_cut_left_over_is_taken_away(tokens: Path, tmp_path: Path) -> None:
    key = uri(tokens, "left over")
    public = start(tmp_path, key)
    left = place_of(key, tmp_path).make(device_of(public))
    assert start(tmp_path, key) == public
    assert place_of(key, tmp_path).find(device_of(left.public), b"") is None


def test_two_keys_of_one_label_and_no_account_are_not_guessed_between(tokens: Path, tmp_path: Path) -> None:
    place = place_of(uri(tokens, "two"), tmp_path)
    place.make(b"")
    place.make(b"")
    with pytest.raises(SettingsError, match="has 2 keys two"):
        start(tmp_path, uri(tokens, "two"))


def test_an_account_of_another_key_is_refused(tokens: Path, tmp_path: Path) -> None:
    start(tmp_path, "")
    with pytest.raises(StorageError, match="its key is not in the token tbox"):
        start(tmp_path, uri(tokens, "another"))


@pytest.mark.parametrize(("more", "words"), [
    pytest.param({"token": "gone"}, "knows no token gone", id="no such token"),
    pytest.param({"module": "/gone.so"}, "/gone.so", id="no such library"),
    pytest.param({"pin": "/gone"}, "the PIN of device.key cannot be read", id="no file with the PIN"),
])  # fmt: skip
def test_a_token_that_cannot_be_used_is_a_settings_error(
    tokens: Path, tmp_path: Path, more: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        place_of(uri(tokens, "x", **more), tmp_path)


def test_a_pin_that_others_may_read_is_refused_with_the_fix(tokens: Path, tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("1234")
    (tmp_path / "pin").chmod(0o644)
    with pytest.raises(SettingsError, match=f"type: chmod 600 {tmp_path / 'pin'}"):
        place_of(uri(tokens, "x", pin=str(tmp_path / "pin")), tmp_path)


def test_doctor_knows_the_key_in_a_token_and_whose_it_is(tokens: Path, tmp_path: Path) -> None:
    def told(key: str) -> tuple[str, str, str]:
        shipped = settings_of(tmp_path)
        settings = type(shipped)(
            device=type(shipped.device)(state_dir=str(tmp_path), key=key), mqtt=Mqtt(tls=False, port=1)
        )
        first, broker, *_ = doctor.terminal(settings, has_gnss=False)
        assert first.name == "device key"
        return first.verdict, first.words, broker.verdict

    key = uri(tokens, "examined")
    assert told(key) == ("SKIP", "there is none in the token tbox yet: tbox run makes it", "SKIP")
    device = device_of(start(tmp_path, key)).hex()
    assert told(key) == ("PASS", f"device {device}, key in the token tbox", "FAIL")
    shipped = settings_of(tmp_path)
    key_command.rotate(type(shipped)(device=type(shipped.device)(state_dir=str(tmp_path), key=key)), "a drill")
    assert told(key) == ("PASS", f"device {device}, key in the token tbox", "FAIL")
    assert told(uri(tokens, "gone"))[:2] == ("FAIL", f"that of device {device} is not in the token tbox")
    refused = told(uri(tokens, "examined", pin="/gone"))
    assert refused == ("FAIL", "/gone: the PIN of device.key cannot be read: No such file or directory", "SKIP")


@pytest.mark.parametrize("key", [
    "pkcs11:", "pkcs11:token=tbox", "pkcs11:token=a;object=b?module-path=c&pin-source=d&pin-value=1234", "file:x",
])  # fmt: skip
def test_a_name_of_a_key_that_is_none_says_how_one_looks(key: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="should be such as pkcs11:token=tbox"):
        place_of(key, tmp_path)


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agent.ledger.key_token", None)
    with pytest.raises(SettingsError, match="a token needs python-pkcs11"):
        place_of("pkcs11:token=x", tmp_path)


def test_by_default_the_key_is_a_file() -> None:
    assert defaults().device.key == ""
