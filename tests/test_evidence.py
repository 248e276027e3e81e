"""Evidence: whole in its parts, there after a power cut, and never more in a day than it may be."""

import zlib
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from agent.capture.capture import Capture
from agent.capture.ring import Entry, entries, first_us
from agent.codec import Record
from agent.evidence.daily import DAY_US, Allowance, Daily
from agent.evidence.evidence import CAPPED, LEVEL, OVER
from agent.settings import Settings
from tests.wrecks import BLOW_US, SETTINGS, TURN_US, Terminal, came_in, jolted, ring_of, struck

S = 1_000_000
LOST_US_MOST = 500_000


def bodies(records: list[Record], form: str) -> list[Mapping[str, Any]]:
    """Of the evidence records of a form."""
    return [record.body for record in records if record.kind == "evidence" and record.body["form"] == form]


def caught(records: list[Record]) -> list[Entry]:
    """All that the parts hold."""
    return [entry for body in bodies(records, "ring") for entry in entries(zlib.decompress(body["data"]))]


def with_store(**store: int) -> Settings:
    """The settings with these of the store's."""
    return msgspec.structs.replace(SETTINGS, store=msgspec.structs.replace(SETTINGS.store, **store))


def test_a_crash_leaves_every_input_from_30_s_before_to_15_s_after_in_order() -> None:
    terminal = Terminal()
    terminal.drive()
    found = caught(terminal.records)
    assert found[0].t_us <= BLOW_US - 30 * S + S // 2
    assert BLOW_US + 15 * S <= found[-1].t_us <= BLOW_US + 16 * S
    assert found == came_in(struck, found[0].t_us, found[-1].t_us)
    assert terminal.rows == {}


def test_its_parts_say_their_place_and_the_last_says_how_many_there_are() -> None:
    terminal = Terminal()
    terminal.drive()
    told = [record.body for record in terminal.records if record.kind == "evidence"]
    assert [body["part"] for body in told] == list(range(len(told)))
    assert [body["parts"] for body in told] == [None] * (len(told) - 1) + [len(told)]
    assert [body["form"] for body in told] == ["table"] + ["ring"] * (len(told) - 1)
    assert {body["event"] for body in told} == {terminal.events[0][1]}
    assert max(len(record.raw) for record in terminal.records) <= 65_536


def test_each_batch_of_evidence_is_followed_by_its_seal() -> None:
    terminal = Terminal()
    terminal.drive()
    kinds = [record.kind for record in terminal.records]
    assert all(after in ("evidence", "seal") for kind, after in pairwise(kinds) if kind == "evidence")


def test_it_refers_to_the_records_that_say_who_and_when() -> None:
    terminal = Terminal()
    terminal.keep(terminal.book.number("clock", 1, {"utc_us": 1}))
    terminal.drive()
    (table,) = bodies(terminal.records, "table")
    kinds = {record.seq: record.kind for record in terminal.records}
    assert {kinds[seq] for seq in table["refs"].values()} == {"clock"}
    assert table["not_judged"]["crash_short"] == 0


def test_what_nothing_confirms_leaves_nothing() -> None:
    terminal = Terminal(jolted)
    most = 0

    def look(_: int) -> None:
        nonlocal most
        most = max(most, len(terminal.rows))

    terminal.drive(each=look)
    assert [event.name for event, _ in terminal.events] == ["impact"]
    assert most > 30
    assert (terminal.rows, bodies(terminal.records, "ring")) == ({}, [])


@pytest.fixture(scope="module")
def cuts() -> list[tuple[int, Terminal, list[Record]]]:
    """The power goes at every 0.1 s from 1 s before the blow to 20 s after: what the next start makes of what is left."""
    terminal = Terminal()
    found: list[tuple[int, Terminal, list[Record]]] = []

    def cut(now_us: int) -> None:
        if now_us >= BLOW_US - S and (now_us - BLOW_US) % 100_000 < TURN_US:
            again = Terminal(tail=terminal.book.tail)
            again.rows = dict(terminal.left())
            again.keep(again.evidence.recover(terminal.left(), now_us))
            found.append((now_us, again, terminal.records + again.records))

    terminal.drive(BLOW_US + 20 * S, each=cut)
    assert len(found) >= 210
    return found


def test_a_power_cut_at_any_moment_leaves_all_up_to_half_a_second_before(
    cuts: list[tuple[int, Terminal, list[Record]]],
) -> None:
    whole = ring_of(struck, 0, BLOW_US + 30 * S)
    for now_us, again, records in cuts:
        parts = [zlib.decompress(body["data"]) for body in bodies(records, "ring")]
        assert again.rows == {}
        if now_us < BLOW_US + 100_000:  # nothing had begun yet, or it had only just
            continue
        last = next(reversed(list(entries(next(part for part in reversed(parts) if part)))))
        assert last.t_us >= min(now_us, BLOW_US + 15 * S) - LOST_US_MOST, (now_us - BLOW_US) / S
        assert b"".join(parts) in whole, (now_us - BLOW_US) / S
        assert first_us(parts[0]) <= BLOW_US - 30 * S + S // 2 or now_us < BLOW_US + 300_000


def test_before_it_was_judged_a_power_cut_makes_an_impact_of_it(
    cuts: list[tuple[int, Terminal, list[Record]]],
) -> None:
    for now_us, again, records in cuts:
        impacts = [record.body for record in again.records if record.kind == "event"]
        told = [record.body["event"] for record in records if record.kind == "event"]
        if bodies(records, "ring"):
            assert len(told) == 1, (now_us - BLOW_US) / S
        for impact in impacts:
            assert (impact["event"], impact["rule"], impact["boot"]) == ("impact", "power_cut", 1)
            assert impact["start_us"] == pytest.approx(BLOW_US, abs=60_000)
    early = [again.records[0].body for now_us, again, _ in cuts if BLOW_US + 200_000 <= now_us < BLOW_US + 300_000]
    assert [(body["event"], body["direction"], body["severity"]) for body in early[:1]] == [("impact", "front", "high")]


def test_after_a_power_cut_the_parts_go_on_where_they_were(cuts: list[tuple[int, Terminal, list[Record]]]) -> None:
    for now_us, _, records in cuts:
        told = [record.body for record in records if record.kind == "evidence"]
        assert [body["part"] for body in told] == list(range(len(told))), (now_us - BLOW_US) / S
        assert not told or told[-1]["parts"] == len(told)
        assert [record.seq for record in records] == list(range(len(records)))


def test_an_orderly_end_in_the_midst_of_it_numbers_what_is_there() -> None:
    terminal = Terminal()
    terminal.drive(BLOW_US + 5 * S)
    terminal.keep(terminal.evidence.finish(BLOW_US + 5 * S))
    assert caught(terminal.records)[-1].t_us >= BLOW_US + 5 * S - TURN_US
    assert bodies(terminal.records, "ring")[-1]["parts"] is not None
    assert terminal.rows == {}


def test_an_orderly_end_before_it_was_judged_leaves_nothing() -> None:
    terminal = Terminal(jolted)
    terminal.drive(BLOW_US + S)
    assert terminal.rows
    terminal.keep(terminal.evidence.finish(BLOW_US + S))
    assert (terminal.rows, bodies(terminal.records, "ring")) == ({}, [])


def test_rows_that_cannot_be_read_are_cleared_and_nothing_is_made_of_them() -> None:
    terminal = Terminal()
    terminal.rows = {0: b"\xc1", 1: b"no"}
    terminal.keep(terminal.evidence.recover(terminal.left(), 1))
    assert terminal.rows == {}
    assert bodies(terminal.records, "ring") == []


def test_a_second_event_within_the_seconds_refers_to_the_first() -> None:
    terminal = Terminal()
    terminal.drive(BLOW_US + 2 * S)
    event, first = terminal.events[0]
    terminal.found(event, BLOW_US + 2 * S)
    terminal.drive()
    (same,) = bodies(terminal.records, "same")
    assert (same["see"], same["event"], same["parts"]) == (first, terminal.events[1][1], 1)


def test_its_size_is_capped_and_what_is_next_to_the_blow_stays() -> None:
    whole = Terminal()
    whole.drive()
    full_bytes = sum(len(body["data"]) for body in bodies(whole.records, "ring"))
    terminal = Terminal()
    most_bytes = full_bytes // 2
    rule = replace(terminal.evidence._capture._rule, most_bytes=most_bytes)
    terminal.evidence._capture = Capture(rule)
    terminal.drive()
    told = bodies(terminal.records, "ring")
    found = caught(terminal.records)
    assert sum(len(body["data"]) for body in told) <= most_bytes
    assert [body["is_capped"] for body in told[-1:]] == [True]
    assert terminal.evidence.losses == {CAPPED: 1}
    assert found[0].t_us < BLOW_US - 5 * S
    assert found[-1].t_us > BLOW_US + 5 * S
    first = came_in(struck, found[0].t_us, found[-1].t_us)
    assert found == first


def test_evidence_that_is_switched_off_catches_nothing() -> None:
    terminal = Terminal(settings=with_store(evidence_mb=0))
    terminal.drive()
    assert [event.name for event, _ in terminal.events] == ["crash"]
    assert (terminal.rows, [record for record in terminal.records if record.kind == "evidence"]) == ({}, [])


def test_what_is_over_the_days_allowance_is_counted_and_goes() -> None:
    terminal = Terminal()
    terminal.evidence.allowance = Daily(35_000, 0)
    terminal.drive()
    assert terminal.evidence.losses == {OVER: 1}
    assert terminal.rows == {}
    assert 0 < sum(len(record.raw) for record in terminal.records if record.kind == "evidence") < 72_000


def test_a_crash_that_locks_is_whole_though_others_took_all_of_the_day() -> None:
    terminal = Terminal()
    terminal.evidence.allowance.events.count(10**12, BLOW_US)
    terminal.drive()
    found = caught(terminal.records)
    assert [event.locked for event, _ in terminal.events] == [True]
    assert terminal.evidence.losses == {}
    assert found == came_in(struck, found[0].t_us, found[-1].t_us)
    assert found[0].t_us <= BLOW_US - 30 * S + S // 2


@pytest.mark.parametrize(
    ("is_locked", "sizes"),
    [
        pytest.param(False, [60, 40], id="of small ones there is so much a day"),
        pytest.param(True, [60, 40, 60, 40], id="of those that lock twice as much"),
    ],
)
def test_what_locks_has_an_allowance_of_its_own(is_locked: bool, sizes: list[int]) -> None:
    daily = Daily(100, 0)
    assert [daily.takes(size, 0, is_locked=is_locked) for size in sizes] == [True] * len(sizes)
    assert not daily.takes(1, 0, is_locked=is_locked)


def test_a_restart_gives_none_of_the_allowances_again() -> None:
    before, after = Daily(100, 50), Daily(100, 50)
    assert before.takes(100, 5 * S, is_locked=False)
    assert before.takes(70, 5 * S, is_locked=True)
    before.alarms.count(50, 6 * S)
    after.resume(20 * S, [*before.kept(15 * S), [0, 9, 7]], 1 * S)
    assert after.kept(20 * S) == [[11 * S, 100, 0], [11 * S, 70, 1], [10 * S, 50, 2]]
    assert not after.alarms.has(1, 20 * S)


def test_the_allowance_is_that_of_any_24_hours() -> None:
    allowance = Allowance(100)
    assert allowance.takes(100, 0)
    assert not allowance.takes(1, DAY_US - 1)
    assert allowance.takes(100, DAY_US)


@pytest.mark.parametrize(
    ("gone_us", "fits"),
    [
        pytest.param(DAY_US - 10 * S, True, id="a day after it was taken"),
        pytest.param(DAY_US - 10 * S - 1, False, id="not quite a day after"),
        pytest.param(None, False, id="nobody knows how long it was off"),
    ],
)
def test_a_restart_does_not_give_the_allowance_again(gone_us: int | None, fits: bool) -> None:
    before, after = Allowance(100), Allowance(100)
    assert before.takes(100, 5 * S)
    after.resume(20 * S, before.kept(15 * S), gone_us)
    assert after.takes(1, 20 * S) is fits


def test_what_is_caught_never_fills_more_than_a_quarter_of_the_store() -> None:
    settings = with_store(budget_mb=4, evidence_mb=1000, evidence_mb_per_day=4)
    assert Terminal(settings=settings).evidence._rule.most_bytes == 1_000_000


def test_a_mounting_that_is_solved_after_the_blow_is_not_what_the_evidence_refers_to() -> None:
    terminal = Terminal(struck)
    terminal.drive(BLOW_US + 100_000)
    at_us = BLOW_US + 120_000
    terminal.keep(terminal.book.number("calibration", at_us, {"rotation": list(LEVEL), "gravity": [0, 0, 1]}))
    terminal.keep(terminal.evidence.turn(at_us, terminal.records[-1:]))
    terminal.drive()
    table = next(one.body for one in terminal.records if one.kind == "evidence" and one.body["form"] == "table")
    assert "calibration" not in table["refs"]
