"""Names of trips: the same for ever, of nobody else, and the secret stays where it is."""

import hashlib
import hmac
import os
from pathlib import Path

import pytest

from agent.errors import SettingsError, StorageError
from agent.ledger.ledger import Ledger, Tail
from agent.ledger.pseudonym import SECRET_NAME, Pseudonym, load_or_make
from tests.accounts import IDENTITY, KEY

SECRET = bytes(range(32))


def test_a_name_is_the_head_of_the_hmac_over_boot_and_number() -> None:
    expected = hmac.new(SECRET, (3).to_bytes(8, "big") + (41).to_bytes(8, "big"), hashlib.sha256).hexdigest()[:16]
    assert Pseudonym(SECRET).trip_id(3, 41) == expected
    assert len({Pseudonym(SECRET).trip_id(boot, seq) for boot in range(9) for seq in range(99)}) == 9 * 99
    assert Pseudonym(bytes(32)).trip_id(3, 41) != expected


def test_the_secret_is_made_once_for_the_owner_only_and_shown_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "state" / SECRET_NAME
    made = load_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make(path).trip_id(1, 2) == made.trip_id(1, 2)
    secret = path.read_text().split()[1]
    assert secret not in repr(made) + str(made)
    assert load_or_make(tmp_path / SECRET_NAME).trip_id(1, 2) != made.trip_id(1, 2)


@pytest.mark.parametrize("text", [
    "", "tbox-pseudonym-v1", "tbox-pseudonym-v1 00 00", "é", f"tbox-pseudonym-v1 {SECRET.hex()} 00000000",
    f"other {SECRET.hex()} {hashlib.sha256(SECRET).hexdigest()[:8]}",
])  # fmt: skip
def test_a_damaged_secret_is_said_with_the_way_out_and_without_the_secret(tmp_path: Path, text: str) -> None:
    path = tmp_path / SECRET_NAME
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="damaged; put its backup there") as caught:
        load_or_make(path)
    assert SECRET.hex() not in str(caught.value)


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / SECRET_NAME
    load_or_make(path)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_or_make(path)


def test_a_secret_that_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("x")
    (tmp_path / SECRET_NAME).symlink_to(tmp_path / "other")
    with pytest.raises(StorageError, match="cannot be read"):
        load_or_make(tmp_path / SECRET_NAME)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SettingsError, match="not a plain file"):
        load_or_make(tmp_path / "pipe")


def test_a_secret_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be"):
        load_or_make(tmp_path / "file" / SECRET_NAME)


def test_all_that_tells_of_a_trip_carries_its_name_also_from_a_later_boot() -> None:
    name = Pseudonym(SECRET).trip_id
    first = Ledger(KEY, 1, Tail(), IDENTITY, trip_id=name)
    start = first.number("trip_start", 1, {"start_us": 1})[0]
    event = first.number("event", 2, {"event": "idling", "trip": start.seq})[0]
    loose = first.number("event", 2, {"event": "tow", "trip": None})[0]
    later = Ledger(KEY, 2, first.tail, IDENTITY, trip_id=name)
    end = later.number("trip_end", 1, {"trip": start.seq, "boot": 1})[0]
    again = later.number("trip_start", 2, {"start_us": 2})[0]
    assert start.body["trip_id"] == event.body["trip_id"] == end.body["trip_id"] == name(1, start.seq)
    assert "trip_id" not in loose.body
    assert again.body["trip_id"] == name(2, again.seq)
