"""Any bytes in any pieces: the sentences with a right checksum, and no others."""

from contextlib import suppress
from functools import reduce
from operator import xor
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.gnss.nmea import Moments
from drivers.gnss.stream import SENTENCE_BYTES, Stream
from tests.packed import told
from tests.receivers import SIRF, UBX, burst, sentence

HERE = [pytest.approx(-37.8608333, abs=1e-6), pytest.approx(145.1226667, abs=1e-6)]


def scanned(text: bytes) -> list[list[str]]:
    """Sound sentences, found another way: from each $ to the next *."""
    found = []
    for piece in text.split(b"$")[1:]:
        body, star, rest = piece.partition(b"*")
        name = body.partition(b",")[0]
        is_name = (
            b"," in body
            and 2 <= len(name) <= 12
            and all(chr(c).isascii() and (chr(c).isdigit() or chr(c).isupper()) for c in name)
        )
        is_text = all(32 <= c < 127 for c in body) and len(body) - len(name) - 1 <= 250
        digits = rest[:2].decode("latin-1")
        is_hex = len(digits) == 2 and all(c in "0123456789abcdefABCDEF" for c in digits)
        if star and is_name and is_text and is_hex and reduce(xor, body) == int(digits, 16):
            found.append(body.decode().split(","))
    return found


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([burst("081836.00"), burst("081837.00"), UBX, SIRF, b"$", b"*", b"$GPRMC,", b"*00", b"\r\n"]),
    st.text("$*,AGPRMCV0123456789.NSEW", max_size=60).map(str.encode),
    st.lists(st.text("ANSEW0123456789.-", max_size=9), max_size=18).flatmap(
        lambda cells: st.sampled_from(
            ["GPRMC", "GNGGA", "GNGNS", "GPGLL", "GPZDA", "GPVTG", "GPGSA", "GPGSV", "GP"]
        ).map(lambda name: sentence(",".join([name, *cells])))
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12), st.randoms(use_true_random=False))
def test_any_bytes_in_any_pieces_give_the_sound_sentences_and_no_others(pieces: list[bytes], luck: Random) -> None:
    text = b"".join(pieces)
    cuts = sorted(luck.randrange(len(text) + 1) for _ in range(luck.randrange(6)))
    stream, moments, heard, start = Stream(), Moments(), [], 0
    for turn, end in enumerate([*cuts, len(text)]):
        heard += stream.feed(text[start:end], turn)
        start = end
        assert len(stream._tail) <= SENTENCE_BYTES
    assert [fields for fields, _ in heard] == scanned(text)
    done = []
    for fields, heard_us in heard:
        with suppress(ValueError):
            done.append(moments.hear(fields, heard_us))
    for epoch in filter(None, [*done, moments.close()]):
        ((_, _, valid, numbers),) = told(epoch.packed(0))
        assert valid == (numbers[0] is not None and numbers[1] is not None)
        assert not valid or (abs(numbers[0]) <= 90 and abs(numbers[1]) <= 180)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(burst("081836.00")) - 1), st.integers(1, 255))
def test_one_wrong_byte_never_makes_another_fix(place: int, flip: int) -> None:
    text = bytearray(burst("081836.00"))
    text[place] ^= flip
    moments = Moments()
    for fields, _ in Stream().feed(bytes(text), 0):
        with suppress(ValueError):
            moments.hear(fields)
    epoch = moments.close()
    assert epoch is None or epoch.position in ((None, None), (HERE[0], HERE[1]))


def test_a_stream_remembers_when_a_sentence_began() -> None:
    stream, text = Stream(), burst("081836.00")
    assert stream.feed(b"waste" + text[:10], 100) == []
    assert stream.feed(text[10:20], 200) == []
    assert [one.heard_us for one in stream.feed(text[20:], 300)] == [100, 300, 300, 300]
    assert stream.skipped == 5
    assert stream.feed(text[:10], 400) == []
    assert [one.heard_us for one in stream.feed(text[10:], 500)] == [400, 500, 500, 500]
