"""What is a desired configuration, and what becomes of a binding that is none; tests/test_remote.py tries the rest."""

from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest

from agent.desk.desired import BYTES_MAX, DOCUMENT_MAX, DesiredError, Document, bound, parse
from agent.settings import defaults


@pytest.mark.parametrize(("told", "document"), [
    ({"document": "d", "bundle": b"x"}, Document("d", b"x")),
    ({"document": "d", "binding": b"y"}, Document("d", b"", b"y")),
    ({"document": "d", "bundle": b"x", "binding": b"y"}, Document("d", b"x", b"y")),
    ({"document": "x" * DOCUMENT_MAX, "bundle": b"x"}, Document("x" * DOCUMENT_MAX, b"x")),
    ({"document": "d", "binding": bytes(BYTES_MAX["binding"])}, Document("d", b"", bytes(BYTES_MAX["binding"]))),
])  # fmt: skip
def test_a_desired_configuration_is_a_bundle_a_binding_or_both(told: dict[str, Any], document: Document) -> None:
    assert parse(msgpack.packb(told)) == document


@pytest.mark.parametrize("told", [
    {"document": "d"}, {"bundle": b"x"}, {"document": "", "bundle": b"x"}, {"document": 5, "bundle": b"x"},
    {"document": "x" * (DOCUMENT_MAX + 1), "bundle": b"x"}, {"document": "a\nb", "bundle": b"x"},
    {"document": "--yes", "bundle": b"x"}, {"document": "d", "bundle": "x"}, {"document": "d", "bundle": b""},
    {"document": "d", "bundle": b"x", "more": 1}, {"document": "d", "binding": bytes(BYTES_MAX["binding"] + 1)},
    {"document": "d", "bundle": bytes(BYTES_MAX["bundle"] + 1)}, [], None, 5, b"x",
])  # fmt: skip
def test_anything_else_is_none(told: Any) -> None:
    with pytest.raises(DesiredError):
        parse(msgpack.packb(told))


@pytest.mark.parametrize("payload", [b"\xc1", b"{}", b"\x81", b"\x80\x80"])
def test_what_is_no_msgpack_is_none(payload: bytes) -> None:
    with pytest.raises(DesiredError):
        parse(payload)


def test_a_binding_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    shipped = defaults()
    settings = msgspec.structs.replace(shipped, device=msgspec.structs.replace(shipped.device, state_dir=str(tmp_path)))
    told = bound(settings, b"nonsense", None)
    assert told["state"] == "refused"
    assert told["words"]
