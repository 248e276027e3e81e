"""Satellites lost while driving: tunnels, canyons and jammers, told apart as far as the receiver's own word goes."""

from collections.abc import Callable

import pytest

from drivers import batch
from tests.road import Timed, Told, drive, us, value

Word = tuple[float, float]
"""HDOP and satellites."""
GOOD: Word = (0.9, 11)


def road(seconds: int, mps: float = 20.0) -> list[Timed]:
    return [(at, value(at, "speed", mps)) for at in range(seconds)]


def fixes(
    first_s: int, last_s: int, *, mps: float = 20.0, off_m: float = 0.0, word: Callable[[int], Word] = lambda _: GOOD
) -> list[Timed]:
    """A fix a second on the way at this speed, `off_m` beside it."""
    rows = []
    for at in range(first_s, last_s):
        hdop, sats = word(at)
        place = [48 + mps * at / 111_195, 11 + off_m / 74_400, mps, 0, hdop, sats]
        rows.append((at, batch.fix(us(at), place, valid=True)))
    return rows


def found(told: Told) -> list[tuple]:
    return [(e.name, e.rule) for e in told.events("gnss_loss", "gnss_jamming")]


LOSS, BY_QUALITY, BY_JUMP = ("gnss_loss", None), ("gnss_jamming", "quality"), ("gnss_jamming", "jump")


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        pytest.param([road(300), fixes(0, 60)], [LOSS], id="lost for good"),
        pytest.param([road(300), fixes(0, 60), fixes(181, 300)], [LOSS], id="over 120 s"),
        pytest.param([road(300), fixes(0, 60), fixes(179, 300)], [], id="just under"),
        pytest.param([road(300), fixes(0, 9)], [], id="a receiver that never worked"),
        pytest.param([road(300)], [], id="none at all"),
        pytest.param([road(60), road(300, 0.0)[61:], fixes(0, 60)], [], id="in a garage, standing"),
        pytest.param([road(900), *(fixes(a, a + 5) for a in range(0, 900, 60))], [], id="an urban canyon"),
        pytest.param([road(700), fixes(0, 60), fixes(200, 300), fixes(500, 700)], [LOSS, LOSS], id="two tunnels"),
        pytest.param(
            [[r for r in road(900) if not 60 < r[0] < 800], fixes(0, 60), fixes(801, 900)],
            [],
            id="a hole in everything",
        ),
    ],
)
def test_a_loss_is_two_minutes_of_driving_without_a_fix(parts: list, wanted: list[tuple]) -> None:
    assert found(drive(*parts)) == wanted


def test_a_loss_is_told_at_once_with_its_last_place() -> None:
    (event,) = drive(road(400), fixes(0, 60)).events("gnss_loss")
    assert (event.start_us, event.at_us, event.sources) == (us(59), us(180), ("gnss",))
    assert event.value == pytest.approx(121, abs=0.1)
    assert event.lat_deg == pytest.approx(48 + 20 * 59 / 111_195)


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        pytest.param((0.9, 4), [LOSS, BY_QUALITY], id="four satellites of eleven"),
        pytest.param((0.9, 5), [LOSS], id="five"),
        pytest.param((5.0, 11), [LOSS, BY_QUALITY], id="HDOP 5"),
        pytest.param((4.9, 11), [LOSS], id="just under"),
    ],
)
def test_a_loss_after_a_collapse_is_jamming(word: Word, wanted: list[tuple]) -> None:
    told = drive(road(300), fixes(0, 60, word=lambda at: GOOD if at < 55 else word))
    assert found(told) == wanted


def test_two_bad_fixes_are_no_collapse() -> None:
    assert found(drive(road(300), fixes(0, 60, word=lambda at: GOOD if at < 57 else (9.0, 3)))) == [LOSS]


def test_a_poor_receiver_is_not_jammed() -> None:
    assert found(drive(road(300), fixes(0, 60, word=lambda _: (5.5, 4)))) == [LOSS]


@pytest.mark.parametrize(
    ("off_m", "wanted"),
    [pytest.param(20_000, [BY_JUMP], id="another town"), pytest.param(900, [], id="near enough to be an error")],
)
def test_a_place_nobody_can_have_driven_to_is_jamming(off_m: float, wanted: list[tuple]) -> None:
    assert found(drive(road(300), fixes(0, 60), fixes(80, 300, off_m=off_m))) == wanted


def test_a_jump_is_told_by_three_fixes_that_agree() -> None:
    for last_s, wanted in ((82, []), (83, [BY_JUMP])):
        assert found(drive(road(200), fixes(0, 60), fixes(80, last_s, off_m=5e4), fixes(last_s, 199))) == wanted
    wild = [row for at in range(80, 84) for row in fixes(at, at + 1, off_m=5e4 + 2e3 * at)]
    assert found(drive(road(200), fixes(0, 60), wild, fixes(84, 199))) == []


def test_without_the_cars_own_speed_no_place_is_impossible() -> None:
    assert found(drive(fixes(0, 60), fixes(80, 300, off_m=20_000))) == []


def test_a_rule_that_is_off_says_nothing() -> None:
    parts = road(300), fixes(0, 60, word=lambda at: GOOD if at < 55 else (9.0, 3))
    assert found(drive(*parts, sets=["detect.gnss_loss.enabled=false"])) == [BY_QUALITY]
    assert found(drive(*parts, sets=["detect.gnss_jamming.enabled=false"])) == [LOSS]
