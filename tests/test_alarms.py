"""Alarms of a box that is shaken: what they may take of flash and of a turn of the loop, and that they keep no crash out."""

import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from agent.capture.capture import PART_BYTES, SLICES_AT_ONCE
from agent.capture.ring import entries
from agent.settings.file import load
from drivers import batch
from tests.road import G
from tests.wrecks import BLOW_US, Terminal, came_in, inputs_of, jolted, struck

S = 1_000_000
ALARMS = 200
EVERY_S = 7
"""A knock is judged within 5 s, and so long is the next none of it."""

SHAKEN_US = ALARMS * EVERY_S * S
CALLS_AT_ONCE = 15_000
"""Of Python's functions in one turn: three or four for each record in a part of the ring, and as many again."""


@dataclass(frozen=True)
class Shaken:
    """Knocks of 3 g for 30 ms that nothing confirms, one every few seconds; then a crash."""

    def inputs(self) -> Iterator[tuple[int, bytes]]:
        """In order: the sensor at 100 Hz, then all that a wreck tells."""
        for n in range(SHAKEN_US // 10_000):
            at_us = 10_000 * n
            is_knocked = 2 * S <= at_us % (EVERY_S * S) < 2 * S + 30_000
            yield at_us, batch.imu(at_us, [-3 * G if is_knocked else 0.25, n % 7 / 10, G, 0.0, 0.0, 0.0])
        first_us = inputs_of(struck)[0][0]
        for t_us, put in inputs_of(struck):
            at_us = t_us - first_us + SHAKEN_US
            yield at_us, at_us.to_bytes(8, "little") + put[8:]


class Busy:
    """The last seconds before a blow and some after it, with ten times as many frames."""

    def inputs(self) -> Iterator[tuple[int, bytes]]:
        """In order."""
        for t_us, put in inputs_of(struck):
            if BLOW_US - 9 * S <= t_us <= BLOW_US + 3 * S:
                yield t_us, put
                if put[12] == batch.FRAME:
                    yield from ((t_us, batch.frame(t_us, n % 2, 0x200 + n, bytes(8))) for n in range(9))


def test_200_false_alarms_in_a_day_take_little_flash_and_the_crash_after_them_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["imu.mounting=vehicle", "ring.frames_per_s=600", "ring.before_s=5", "store.alarms_mb_per_day=1"]
    terminal, blow_us = Terminal(Shaken, load(None, words)), BLOW_US - inputs_of(struck)[0][0] + SHAKEN_US
    put: dict[str, int] = {"false": 0, "true": 0}
    keep = terminal.keep

    def kept(records: Any) -> None:
        size = sum(len(content) for changes in terminal.evidence.pending for _, content in changes.rows)
        put["true" if terminal.events and terminal.events[-1][0].name == "crash" else "false"] += size
        keep(records)

    monkeypatch.setattr(terminal, "keep", kept)
    terminal.drive(SHAKEN_US, turn_us=S // 10)
    terminal.drive(blow_us + 20 * S)
    told: list[Mapping[str, Any]] = [one.body for one in terminal.records if one.kind == "evidence"]
    found = [one for body in told if body["form"] == "ring" for one in entries(zlib.decompress(body["data"]))]
    counters = terminal.evidence.counters
    assert counters["alarms"] == ALARMS + 1
    assert counters["alarms_rejected"] == ALARMS
    assert 100 < counters["alarms_not_written"] <= ALARMS + 1
    assert 900_000 < put["false"] < 1_200_000
    assert put["true"] > 50_000
    assert terminal.evidence.losses == {}
    assert found == came_in(Shaken, found[0].t_us, found[-1].t_us)
    assert found[0].t_us <= blow_us - 5 * S + S // 2
    assert found[-1].t_us >= blow_us + 15 * S
    assert terminal.rows == {}


def test_an_alarm_that_is_held_back_is_on_flash_once_it_is_sure() -> None:
    terminal = Terminal()
    terminal.evidence.allowance.alarms.count(10**12, BLOW_US - 60 * S)
    rows: list[tuple[bool, int]] = []
    terminal.drive(BLOW_US + 2 * S, each=lambda _: rows.append((bool(terminal.events), len(terminal.rows))))
    assert {count for is_sure, count in rows if not is_sure} == {0}
    assert rows[-1][1] > 10
    again = Terminal(tail=terminal.book.tail)
    again.rows = dict(terminal.left())
    again.keep(again.evidence.recover(terminal.left(), BLOW_US + 2 * S))
    told = [one.body for one in terminal.records + again.records if one.kind == "evidence"]
    found = [one for body in told if body["form"] == "ring" for one in entries(zlib.decompress(body["data"]))]
    assert found == came_in(struck, found[0].t_us, found[-1].t_us)
    assert found[-1].t_us >= BLOW_US + 2 * S - 500_000


def test_a_rejected_alarm_that_was_held_back_touches_no_flash() -> None:
    terminal = Terminal(jolted)
    terminal.evidence.allowance.alarms.count(10**12, BLOW_US - 60 * S)
    touched: list[Any] = []
    terminal.drive(each=lambda _: touched.extend(terminal.rows))
    assert touched == []
    assert terminal.evidence.counters == {"alarms": 1, "alarms_rejected": 1, "alarms_not_written": 1}


def test_no_turn_does_more_than_a_part_s_worth_of_work_while_a_crash_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal(Busy, load(None, ["imu.mounting=vehicle", "ring.frames_per_s=2000"]))
    calls, deflated = [0], [0]
    most = [0, 0]
    compress = zlib.compress

    def count(_frame: object, event: str, _argument: object) -> None:
        calls[0] += event in ("call", "c_call")

    def counted(raw: bytes, level: int) -> bytes:
        deflated[0] += len(raw)
        return compress(raw, level)

    monkeypatch.setattr("agent.capture.capture.zlib.compress", counted)
    turn = terminal.evidence.turn

    def profiled(*arguments: Any) -> Any:
        calls[0] = deflated[0] = 0
        sys.setprofile(count)
        try:
            return turn(*arguments)
        finally:
            sys.setprofile(None)
            most[:] = max(most[0], calls[0]), max(most[1], deflated[0])

    monkeypatch.setattr(terminal.evidence, "turn", profiled)
    terminal.drive(BLOW_US + 3 * S)
    assert [one.body["form"] for one in terminal.records if one.kind == "evidence"][:2] == ["table", "ring"]
    assert 1000 < most[0] <= CALLS_AT_ONCE
    assert PART_BYTES < most[1] <= (SLICES_AT_ONCE + 1) * PART_BYTES
