"""No bytes surprise the decoder of columns: what is damaged, cut off or of another program is refused in one line."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import columns
from agent.codec import CodecError
from agent.columns import COUNT_MAX, FORM, Columns, decode_columns, encode_columns
from agent.columns.column import Along, Column, write
from agent.columns.rice import Writer
from agent.columns.steps import usual_step
from drivers.batch import SIGNALS
from tests import fuzz_codec

SECOND_US = 1_000_000
WHOLE: bytes = encode_columns(0, SECOND_US, {"x": [1.0, 2.0]}, {"x": 1.0})["columns"]

busy = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be."""


def told(body: bytes) -> Columns:
    return decode_columns({"columns": body})


def crafted(names: list[str], columns: list[Column], mask: int | None = None, count: int = 2) -> bytes:
    """A chunk as this program would not write it."""
    out = Writer()
    out.put(FORM, 8)
    out.put(1, 1)
    for number in (0, count - 1, sum(1 << SIGNALS.index(name) for name in names) if mask is None else mask, 0):
        out.put_number(number)
    for column, name in zip(columns, names, strict=True):
        write(out, column, usual_step(name))
    return out.whole()


def test_a_signal_of_a_later_catalogue_has_a_number_for_a_name() -> None:
    back = told(crafted(["other"], [Column(Fraction(1, 2), [2], [4, 7])], mask=1 << 40))
    assert back.columns == {"signal-40": [2.0, 3.5]}


def test_a_position_that_follows_what_is_not_there_is_refused() -> None:
    lat = Column(Fraction(1, 10**6), [2], [5, 6], along=Along(2302, east=False))
    with pytest.raises(CodecError, match="which are not there"):
        told(crafted(["lat"], [lat]))
    with pytest.raises(CodecError, match="which are not there"):
        told(crafted(["speed", "course"], [Column(Fraction(1), [2], [5, 6]), lat]))


def test_kept_points_outside_runs_too_long_and_steps_of_nothing_are_refused() -> None:
    with pytest.raises(CodecError, match="lie outside"):
        told(crafted(["rpm"], [Column(Fraction(1), [3], [5, 6], kept=[0, 3])], count=3))
    with pytest.raises(CodecError, match="longer than the chunk"):
        told(crafted(["rpm"], [Column(Fraction(1), [1, 1, 2], [5, 6, 7])], count=3))
    with pytest.raises(CodecError, match="step of 0"):
        told(crafted(["rpm"], [Column(Fraction(0), [2], [5, 6])]))
    with pytest.raises(CodecError, match="empty run"):
        told(crafted(["rpm"], [Column(Fraction(1), [1, 0, 2], [5, 6, 7])], count=3))


def test_a_chunk_of_too_many_cells_is_refused_before_it_is_read() -> None:
    with pytest.raises(CodecError, match="cells"):
        told(crafted([], [], mask=(1 << 17) - 1, count=COUNT_MAX))
    with pytest.raises(CodecError, match="cells"):
        told(crafted([], [], mask=1, count=COUNT_MAX + 1))


def test_damaged_bodies_and_records_end_as_they_should() -> None:
    """`python -m tests.fuzz_codec` does it for long."""
    ends = fuzz_codec.fuzz(600, 7)
    assert ends.total() == 600
    assert min(ends[end] for end in ("records read", "records refused", "samples read", "samples refused")) > 10


def test_the_fuzzer_finds_a_decoder_that_trusts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "unzigzag", lambda _: None)
    with pytest.raises(AssertionError, match="samples of"):
        fuzz_codec.fuzz(600, 7)


@busy
@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_codec_error(data: bytes) -> None:
    try:
        back = told(bytes([FORM]) + data)
    except CodecError:
        return
    assert 1 <= len({len(cells) for cells in back.columns.values()} | {0}) <= 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param({}, "without columns", id="nothing"),
        pytest.param({"columns": {"speed": b"\x00"}}, "a map of columns", id="the form of a program before"),
        pytest.param({"columns": b""}, "without columns", id="no bytes"),
        pytest.param({"columns": b"\x03" + bytes(20)}, "form 3", id="a form of the future"),
        pytest.param({"columns": b"\x02"}, "cut off", id="cut off at once"),
        pytest.param({"columns": WHOLE[:-1]}, "cut off", id="cut off at the end"),
        pytest.param({"columns": WHOLE + b"\x00"}, "left over", id="a byte left over"),
        pytest.param({"columns": WHOLE[:-1] + bytes([WHOLE[-1] | 1])}, "left over", id="a one behind the last bit"),
    ],
)
def test_what_is_no_chunk_is_refused(body: dict[str, Any], says: str) -> None:
    with pytest.raises(CodecError, match=says):
        decode_columns(body)
