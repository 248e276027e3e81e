"""When a question is due again: after it was asked, left unanswered, wanted anew; rows at each edge."""

import pytest

from agent.asking.agenda import NEVER_US, PATIENCE, RETRY_US, STRETCHED_US_MAX, Agenda, Task
from tests.garage import MS, RPM, SPEED, WANTS, S


def task(period_us: int = 100, due_us: int = 100) -> Task:
    return Task(1, b"\x2f", period_us, due_us)


@pytest.mark.parametrize(
    ("late", "first"),
    [
        pytest.param({SPEED: 50, RPM: 124}, SPEED, id="half a period against just under half"),
        pytest.param({SPEED: 50, RPM: 126}, RPM, id="just over half a period"),
        pytest.param({0x05: 999, SPEED: 99}, 0x05, id="patience ends at one second, however long the period"),
        pytest.param({0x05: 980, SPEED: 99}, SPEED, id="a second is the patience then"),
        pytest.param({SPEED: 0, RPM: 0}, SPEED, id="all just due: the one that was wanted first"),
    ],
)
def test_the_most_overdue_by_its_own_patience_goes_first(late: dict[int, int], first: int) -> None:
    agenda = Agenda()
    periods = {want.pid: want.period_us for want in WANTS}
    for pid, late_ms in late.items():
        agenda.add(Task(1, bytes([pid]), periods[pid], 10 * S - late_ms * MS))
    urgent = agenda.most_urgent(10 * S)
    assert urgent is not None
    assert urgent.pid == first


def test_what_is_not_due_is_not_asked() -> None:
    agenda = Agenda()
    agenda.add(task(due_us=1000))
    assert agenda.due_us() == 1000
    assert agenda.most_urgent(999) is None
    assert agenda.most_urgent(1000) is not None


@pytest.mark.parametrize(
    ("now_us", "due_us"),
    [
        pytest.param(100, 200, id="asked when it was due: a period later"),
        pytest.param(149, 200, id="a little late: the grid holds"),
        pytest.param(150, 200, id="half a period late: it still holds"),
        pytest.param(152, 202, id="later: half a period from now"),
        pytest.param(1000, 1050, id="much later: nothing is made up for"),
    ],
)
def test_after_it_was_asked_it_is_due_in_a_period(now_us: int, due_us: int) -> None:
    asked = task()
    asked.sent(now_us)
    assert asked.due_us == due_us


def test_what_is_wanted_once_is_not_due_while_it_is_under_way() -> None:
    asked = task(period_us=0)
    asked.sent(100)
    assert asked.due_us == NEVER_US


@pytest.mark.parametrize(
    ("tries", "due_us"),
    [
        pytest.param(PATIENCE - 1, 100, id="three times: nothing changes"),
        pytest.param(PATIENCE, 1000 + 200, id="four times: half as often"),
        pytest.param(PATIENCE + 1, 1000 + 400, id="five times"),
        pytest.param(PATIENCE + 40, 1000 + (100 << 16), id="at most so seldom"),
    ],
)
def test_a_question_that_stays_unanswered_four_times_is_asked_more_seldom(tries: int, due_us: int) -> None:
    asked = task()
    for _ in range(tries):
        asked.unanswered(1000)
    assert asked.due_us == due_us


@pytest.mark.parametrize(
    ("period_us", "least_us"), [(S, STRETCHED_US_MAX), (300 * S, 300 * S)], ids=["a minute", "its own period"]
)
def test_no_period_is_stretched_beyond_a_minute_or_itself(period_us: int, least_us: int) -> None:
    asked = task(period_us)
    for _ in range(30):
        asked.unanswered(0)
    assert asked.due_us == least_us


def test_what_is_wanted_once_is_tried_again_with_growing_pauses() -> None:
    asked = task(period_us=0)
    pauses = []
    for _ in range(3):
        asked.unanswered(1000)
        pauses.append(asked.due_us - 1000)
    assert pauses == [RETRY_US, 2 * RETRY_US, 3 * RETRY_US]


@pytest.mark.parametrize(("due_us", "then_us"), [(500, 500), (2000, 1000)], ids=["sooner already", "hastened"])
def test_what_is_wanted_again_is_asked_as_soon_as_it_would_be_anew(due_us: int, then_us: int) -> None:
    agenda, there = Agenda(), task(due_us=due_us)
    there.tries = 2
    agenda.add(there)
    agenda.add(task(due_us=1000))
    assert list(agenda) == [there]
    assert (there.due_us, there.tries) == (then_us, 0)


def test_the_same_question_to_another_unit_is_another_one() -> None:
    agenda = Agenda()
    for ecu in (0x7E8, 0x7E9):
        agenda.add(Task(2, b"\x02\0", 0, 0, ecu=ecu))
    assert len(list(agenda)) == 2


@pytest.mark.parametrize(
    ("period_us", "due_us", "hastened_us"),
    [
        pytest.param(100, 5000, 1100, id="waited too long"),
        pytest.param(100, 1050, 1050, id="sooner already"),
        pytest.param(100, NEVER_US, NEVER_US, id="nobody can answer it"),
        pytest.param(0, 5000, 5000, id="wanted once: its pauses stay"),
    ],
)
def test_hastened_nothing_waits_longer_than_its_period(period_us: int, due_us: int, hastened_us: int) -> None:
    agenda, there = Agenda(), task(period_us, due_us)
    agenda.add(there)
    agenda.hasten(1000)
    assert there.due_us == hastened_us


@pytest.mark.parametrize(
    ("period_us", "due_us", "then_us"), [(100, NEVER_US, 1000), (0, NEVER_US, NEVER_US), (100, 5000, 5000)]
)
def test_what_nobody_could_answer_is_due_when_somebody_may(period_us: int, due_us: int, then_us: int) -> None:
    agenda, there = Agenda(), task(period_us, due_us)
    agenda.add(there)
    agenda.unpark(1000)
    assert there.due_us == then_us
