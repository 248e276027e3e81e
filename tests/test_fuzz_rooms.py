"""The rooms that read what strangers wrote, a seeded sample each (`make fuzz-rooms` does a million), and that it bites."""

from pathlib import Path

import pytest

from agent.proof import proof
from tests.fuzz_rooms import Rooms, fuzz

COUNT = 400


@pytest.mark.parametrize(
    "name", ["verify", "rotated", "receipt", "journal", "salvage", "receiver", "bundle", "trust", "command", "desired"]
)
def test_spoilt_bytes_are_refused_or_true(tmp_path: Path, name: str) -> None:
    fuzz(name, getattr(Rooms(tmp_path), name), COUNT)


def test_a_verify_that_looks_at_no_chain_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for check in ("check_links", "check_digests", "check_holes", "check_counts"):
        monkeypatch.setattr(proof._Proof, check, lambda _: None)
    with pytest.raises(AssertionError, match="called good"):
        fuzz("verify", Rooms(tmp_path).verify, 5 * COUNT)


def test_a_salvage_that_trusts_any_bytes_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = Rooms(tmp_path)
    monkeypatch.setattr("agent.outbox.salvage.is_as_written", lambda *_: True)
    with pytest.raises(AssertionError, match="never made"):
        fuzz("salvage", rooms.salvage, 5 * COUNT)


def test_a_trust_that_verifies_no_signature_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.trust.roster.is_signed", lambda *_: True)
    with pytest.raises(AssertionError, match="nobody signed that"):
        fuzz("trust", Rooms(tmp_path).trust, 5 * COUNT)


def test_commands_that_nobody_signed_would_be_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.trust.roster.is_signed", lambda *_: True)
    with pytest.raises(AssertionError, match="nobody signed that"):
        fuzz("command", Rooms(tmp_path).command, 5 * COUNT)


def test_a_receiver_that_looks_at_no_neighbour_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz_rooms.fault", lambda *_: "")
    with pytest.raises(AssertionError, match="was taken"):
        fuzz("receiver", Rooms(tmp_path).receiver, 5 * COUNT)
