"""A record has one sequence of bytes, and no bytes surprise the decoder."""

import math
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.codec import (
    COUNT_MAX,
    KINDS,
    LANE_OF,
    LANES,
    RECORD_BYTES_MAX,
    ZEROS,
    CodecError,
    decode,
    encode,
    kind_name,
    kind_number,
    lane_of,
    make,
)

DEVICE = bytes(8)

contents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.text(max_size=8), contents, max_size=5)
counts = st.integers(0, COUNT_MAX)


@given(
    kind=st.sampled_from(KINDS),
    boot=counts,
    seq=counts,
    t_us=counts,
    prev=st.binary(min_size=32, max_size=32),
    body=bodies,
)
def test_what_is_encoded_comes_back_and_gives_the_same_bytes_again(
    kind: str, boot: int, seq: int, t_us: int, prev: bytes, body: dict[str, Any]
) -> None:
    raw = encode(kind, DEVICE, boot, seq, t_us, prev, body)
    record = decode(raw)
    assert (record.kind, record.boot, record.seq, record.t_us, record.prev, record.body) == (
        kind,
        boot,
        seq,
        t_us,
        prev,
        body,
    )
    assert encode(record.kind, record.device, record.boot, record.seq, record.t_us, record.prev, record.body) == raw


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_codec_error(raw: bytes) -> None:
    with pytest.raises(CodecError):
        decode(raw)


@given(content=contents)
def test_no_msgpack_raises_anything_but_a_codec_error(content: Any) -> None:
    with pytest.raises(CodecError):
        decode(msgpack.packb(content))


@given(st.data())
def test_a_changed_byte_is_refused_or_gives_another_record(data: st.DataObject) -> None:
    raw = encode("event", DEVICE, 1, 300, 5, ZEROS, {"event": "idling", "speed": 1.5, "list": [1, None, "x"]})
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:at] + bytes([data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))]) + raw[at + 1 :]
    try:
        record = decode(changed)
    except CodecError:
        return
    assert record.raw == changed
    assert record.hash != decode(raw).hash


def test_the_bytes_are_these_on_every_machine() -> None:
    raw = encode("trip_start", b"ABCDEFGH", 2, 258, 1_000_000, ZEROS, {"start_us": 7})
    told = "980102c4084142434445464748 02cd0102ce000f4240c420" + "00" * 32 + "81a873746172745f757307"
    assert raw == bytes.fromhex(told)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param([2, 4, DEVICE, 1, 0, 0, ZEROS, {}], "version 2", id="a version of the future"),
        pytest.param([True, 4, DEVICE, 1, 0, 0, ZEROS, {}], "version True", id="a version that only looks like 1"),
        pytest.param([1, -1, DEVICE, 1, 0, 0, ZEROS, {}], "kind -1", id="a negative kind"),
        pytest.param([1, 4, DEVICE[1:], 1, 0, 0, ZEROS, {}], "device is not 8 bytes", id="a short device"),
        pytest.param([1, 4, "ABCDEFGH", 1, 0, 0, ZEROS, {}], "device is not 8 bytes", id="a device of text"),
        pytest.param([1, 4, DEVICE, None, 0, 0, ZEROS, {}], "boot None", id="no boot"),
        pytest.param([1, 4, DEVICE, 1, 2**63, 0, ZEROS, {}], "seq 9223372036854775808", id="a seq beyond 63 bits"),
        pytest.param([1, 4, DEVICE, 1, 0, 0.5, ZEROS, {}], "t_us 0.5", id="a time with a fraction"),
        pytest.param([1, 4, DEVICE, 1, 0, 0, ZEROS + b"\0", {}], "prev is not 32 bytes", id="a long prev"),
        pytest.param([1, 4, DEVICE, 1, 0, 0, ZEROS, []], "body is not a map", id="a body that is a list"),
        pytest.param([1, 4, DEVICE, 1, 0, 0, ZEROS, {"a": {b"k": 1}}], "body.a has the key b'k'", id="a key of bytes"),
        pytest.param([1, 4, DEVICE, 1, 0, 0, ZEROS, {"a": math.nan}], "body.a is nan", id="not a number"),
        pytest.param([1, 4, DEVICE, 1, 0, 0, ZEROS, {"a": [-math.inf]}], "body.a[] is -inf", id="infinity"),
        pytest.param([1, 4, DEVICE, 1, 0, 0, ZEROS, {"a": msgpack.ExtType(5, b"")}], "ExtType", id="an extension type"),
        pytest.param([1, 4, DEVICE, 1, 0, 0, ZEROS], "array of 8", id="seven fields"),
    ],
)
def test_the_error_names_what_is_wrong(fields: list[Any], says: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode(msgpack.packb(fields))
    assert says in str(caught.value)


def test_another_spelling_of_the_same_content_is_refused() -> None:
    raw = encode("event", DEVICE, 1, 5, 0, ZEROS, {})
    longer = raw.replace(b"\x01\x05\x00\xc4\x20", b"\x01\xcc\x05\x00\xc4\x20")
    assert msgpack.unpackb(longer) == msgpack.unpackb(raw)
    with pytest.raises(CodecError, match="canonical"):
        decode(longer)


def test_a_map_with_the_same_key_twice_is_refused() -> None:
    raw = encode("event", DEVICE, 1, 5, 0, ZEROS, {"a": 1})
    with pytest.raises(CodecError, match="canonical"):
        decode(raw[:-4] + b"\x82\xa1a\x01\xa1a\x01")


def test_bytes_behind_a_record_are_refused() -> None:
    with pytest.raises(CodecError, match="msgpack"):
        decode(encode("event", DEVICE, 1, 5, 0, ZEROS, {}) + b"\x00")


def test_an_unknown_kind_is_kept_with_its_number() -> None:
    raw = msgpack.packb([1, 99, DEVICE, 1, 0, 0, ZEROS, {"new": 1}])
    record = decode(raw)
    assert (record.kind, record.lane, record.body) == ("kind-99", "event", {"new": 1})
    assert encode(record.kind, DEVICE, 1, 0, 0, ZEROS, record.body) == raw


def test_a_body_nested_too_deep_is_refused() -> None:
    body: dict[str, Any] = {}
    for _ in range(20):
        body = {"a": body}
    with pytest.raises(CodecError, match="nested"):
        make("event", DEVICE, 1, 0, 0, ZEROS, body)


def test_a_record_larger_than_allowed_is_refused_both_ways() -> None:
    with pytest.raises(CodecError, match="more than"):
        make("evidence", DEVICE, 1, 0, 0, ZEROS, {"data": bytes(RECORD_BYTES_MAX)})
    with pytest.raises(CodecError, match="larger"):
        decode(bytes(RECORD_BYTES_MAX + 1))


def test_kinds_have_the_numbers_of_the_design() -> None:
    assert [kind_number(kind) for kind in ("boot", "samples", "trip_end", "seal")] == [0, 3, 6, 16]
    assert [kind_name(number) for number in (4, 15, 17)] == ["event", "gap", "kind-17"]
    with pytest.raises(CodecError, match="is no kind"):
        kind_number("kind-3")


def test_every_kind_has_a_lane() -> None:
    assert {lane_of(kind) for kind in KINDS} == set(LANES)
    assert {kind for kind in KINDS if LANE_OF[kind] != "event"} == {
        "evidence",
        "trip_start",
        "trip_end",
        "health",
        "samples",
    }
