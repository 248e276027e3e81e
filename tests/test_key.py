"""The device's key: made once, kept from others, never guessed."""

import hashlib
import os
from pathlib import Path

import pytest

from agent.errors import SettingsError, StorageError
from agent.ledger.key import DeviceKey, device_of, is_signed, load_or_make


def test_the_first_start_makes_a_key_that_stays(tmp_path: Path) -> None:
    path = tmp_path / "state" / "device.key"
    made, loaded = load_or_make(path), load_or_make(path)
    assert made.public == loaded.public
    assert made.device == hashlib.sha256(made.public).digest()[:8]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["device.key"]


def test_two_devices_have_two_keys(tmp_path: Path) -> None:
    assert load_or_make(tmp_path / "a.key").device != load_or_make(tmp_path / "b.key").device


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    key, other = DeviceKey(bytes(32)), DeviceKey(bytes(31) + b"\x01")
    signature = key.sign(b"message")
    assert is_signed(b"message", signature, key.public)
    assert not is_signed(b"massage", signature, key.public)
    assert not is_signed(b"message", signature, other.public)
    assert not is_signed(b"message", signature[:-1], key.public)
    assert not is_signed(b"message", signature, b"short")
    assert device_of(key.public) == key.device


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_others_can_reach_is_refused_with_the_fix(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "device.key"
    load_or_make(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match=f"type: chmod 600 {path}"):
        load_or_make(path)


def test_a_key_of_another_user_is_refused_and_left_to_that_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_or_make(tmp_path / "device.key")
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    with pytest.raises(SettingsError, match="belongs to another user; run tbox as that one: sudo -u '#"):
        load_or_make(tmp_path / "device.key")


def test_a_folder_others_can_write_is_refused_with_the_fix(tmp_path: Path) -> None:
    load_or_make(tmp_path / "device.key")
    tmp_path.chmod(0o770)
    with pytest.raises(SettingsError, match=f"type: chmod 700 {tmp_path}"):
        load_or_make(tmp_path / "device.key")


def test_a_link_instead_of_a_key_is_refused(tmp_path: Path) -> None:
    load_or_make(tmp_path / "real.key")
    (tmp_path / "device.key").symlink_to(tmp_path / "real.key")
    with pytest.raises(StorageError, match="cannot be read"):
        load_or_make(tmp_path / "device.key")


def test_any_changed_character_is_noticed_and_the_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "device.key"
    load_or_make(path)
    whole = path.read_bytes()
    for at in range(len(whole) - 1):
        torn = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        path.write_bytes(torn)
        with pytest.raises(SettingsError, match="damaged"):
            load_or_make(path)
        assert path.read_bytes() == torn


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"tbox-ed25519-v1", b"tbox-ed25519-v1 00 00\n", b"a b c d\n"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "device.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="damaged"):
        load_or_make(path)


def test_a_half_written_file_of_a_power_cut_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "device.key.new").write_bytes(b"tbox-ed")
    load_or_make(tmp_path / "device.key")
    assert [one.name for one in tmp_path.iterdir()] == ["device.key"]


def test_a_folder_that_cannot_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be"):
        load_or_make(tmp_path / "file" / "device.key")
