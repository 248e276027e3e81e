"""Satellites lost while driving: tunnels, canyons and jammers, told apart as far as the receiver's own word goes."""

import math
from collections.abc import Callable

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
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


@pytest.mark.parametrize(
    ("usual", "bad", "wanted"),
    [
        pytest.param((0.9, 8.1), (0.9, 4), [LOSS, BY_QUALITY], id="under half of the satellites"),
        pytest.param((0.9, 8), (0.9, 4), [LOSS], id="half of them"),
        pytest.param((0.9, 11), (0.9, 4.4), [LOSS, BY_QUALITY], id="under 4.5"),
        pytest.param((0.9, 11), (0.9, 4.5), [LOSS], id="4.5"),
        pytest.param((1.65, 11), (5.0, 11), [LOSS, BY_QUALITY], id="HDOP over three times the usual"),
        pytest.param((1.7, 11), (5.0, 11), [LOSS], id="under three times"),
        pytest.param((2.0, 11), (6.0, 11), [LOSS], id="three times"),
    ],
)
def test_a_collapse_is_against_the_usual(usual: Word, bad: Word, wanted: list[tuple]) -> None:
    assert found(drive(road(300), fixes(0, 60, word=lambda at: usual if at < 55 else bad))) == wanted


@pytest.mark.parametrize(
    ("bad_s", "wanted"),
    [
        pytest.param({57, 58, 59}, [LOSS, BY_QUALITY], id="three bad fixes"),
        pytest.param({58, 59}, [LOSS], id="two"),
        pytest.param({54, 55, 56, 58, 59}, [LOSS], id="it recovered in between"),
    ],
)
def test_a_collapse_is_three_bad_fixes_in_a_row(bad_s: set[int], wanted: list[tuple]) -> None:
    assert found(drive(road(300), fixes(0, 60, word=lambda at: (9.0, 3) if at in bad_s else GOOD))) == wanted


@pytest.mark.parametrize(("count", "wanted"), [(9, []), (10, [LOSS])])
def test_a_receiver_that_works_has_had_ten_fixes(count: int, wanted: list[tuple]) -> None:
    assert found(drive(road(300), fixes(0, count))) == wanted


@pytest.mark.parametrize(
    ("again_s", "wanted"), [pytest.param(69, [BY_JUMP], id="10 s"), pytest.param(68, [], id="less")]
)
def test_a_jump_needs_ten_seconds_without_a_fix(again_s: int, wanted: list[tuple]) -> None:
    assert found(drive(road(200), fixes(0, 60), fixes(again_s, 199, off_m=20_000))) == wanted


@pytest.mark.parametrize(("off_m", "wanted"), [(1005, [BY_JUMP]), (995, [])])
def test_a_jump_is_a_kilometre_farther_than_it_drove(off_m: float, wanted: list[tuple]) -> None:
    told = drive(road(200, 0.0), fixes(0, 60, mps=0), fixes(80, 199, off_m=off_m, mps=0))
    assert found(told) == wanted


@pytest.mark.parametrize(("apart_m", "wanted"), [(490, [BY_JUMP]), (510, [])])
def test_fixes_agree_within_half_a_kilometre(apart_m: float, wanted: list[tuple]) -> None:
    three = [row for i in range(3) for row in fixes(80 + i, 81 + i, off_m=2e4 + apart_m * (i % 2))]
    assert found(drive(road(200, 0.0), fixes(0, 60, mps=0), three, fixes(83, 199, mps=0))) == wanted


@pytest.mark.parametrize(
    ("from_deg", "to_deg", "degrees"),
    [
        pytest.param(11.0, 12.0, 1.0, id="a degree"),
        pytest.param(179.5, -179.5, 1.0, id="eastward over the date line"),
        pytest.param(-179.5, 179.5, 1.0, id="westward over it"),
        pytest.param(-95.0, 95.0, 170.0, id="the shorter way round is westward"),
        pytest.param(95.0, -95.0, 170.0, id="and eastward"),
    ],
)
def test_a_way_is_the_shorter_one_round_the_globe(from_deg: float, to_deg: float, degrees: float) -> None:
    def at_place(start: int, end: int, lon_deg: float) -> list[Timed]:
        return [(at, batch.fix(us(at), [0.0, lon_deg, 0.0, 0.0, 0.9, 11], valid=True)) for at in range(start, end)]

    (event,) = drive(road(200, 0.0), at_place(0, 60, from_deg), at_place(80, 199, to_deg)).events("gnss_jamming")
    assert event.value == pytest.approx(degrees * 111_194.92664, rel=1e-7)


def test_a_loss_that_was_jamming_is_not_told_again_by_a_jump() -> None:
    collapse = fixes(0, 60, word=lambda at: GOOD if at < 55 else (9.0, 3))
    assert found(drive(road(400), collapse, fixes(200, 399, off_m=2e4))) == [LOSS, BY_QUALITY]
    far_again = fixes(300, 399)
    told = drive(road(400), collapse, fixes(200, 230, off_m=2e4), far_again)
    assert found(told) == [LOSS, BY_QUALITY, BY_JUMP]


def test_a_jump_says_nothing_where_the_rule_is_off() -> None:
    parts = road(200), fixes(0, 60), fixes(80, 199, off_m=20_000)
    assert found(drive(*parts)) == [BY_JUMP]
    assert not found(drive(*parts, sets=["detect.gnss_jamming.enabled=false"]))


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


def test_a_jump_is_farther_than_the_setting_and_no_less() -> None:
    parts = road(200, 0.0), fixes(0, 60, mps=0), fixes(80, 199, off_m=1500, mps=0)
    (event,) = drive(*parts).events("gnss_jamming")
    far_m = event.value or 0.0
    for least_m, wanted in ((far_m, []), (math.nextafter(far_m, 0), [BY_JUMP])):
        assert found(drive(*parts, sets=[f"detect.gnss_jamming.jump_m={least_m!r}"])) == wanted


def test_only_the_way_since_the_last_fix_was_driven() -> None:
    assert found(drive(road(200), fixes(0, 60), fixes(80, 199, off_m=2000))) == [BY_JUMP]


@pytest.mark.parametrize(("count", "wanted"), [(3, [BY_JUMP]), (2, [])])
def test_fixes_that_agree_are_counted_anew_after_a_good_one(count: int, wanted: list[tuple]) -> None:
    wild, good, again = fixes(80, 82, off_m=5e4), fixes(82, 83), fixes(95, 95 + count, off_m=5e4)
    assert found(drive(road(200), fixes(0, 60), wild, good, again, fixes(95 + count, 199))) == wanted


@pytest.mark.parametrize(("count", "wanted"), [(3, [BY_JUMP]), (2, [])])
def test_a_fix_that_does_not_agree_is_the_first_of_three(count: int, wanted: list[tuple]) -> None:
    wild, agreed = fixes(80, 81, off_m=5e4), fixes(81, 81 + count, off_m=9e4)
    assert found(drive(road(200), fixes(0, 60), wild, agreed, fixes(81 + count, 199))) == wanted


@pytest.mark.parametrize(
    ("hole_s", "wanted"), [pytest.param(6, [BY_JUMP], id="54 s of 60"), pytest.param(7, [], id="less")]
)
def test_a_way_is_known_where_nine_tenths_of_it_are_told(hole_s: int, wanted: list[tuple]) -> None:
    told = [row for row in road(300) if not 65 < row[0] < 65 + hole_s]
    assert found(drive(told, fixes(0, 60), fixes(119, 299, off_m=30_000))) == wanted


def test_without_the_cars_own_speed_no_place_is_impossible() -> None:
    assert found(drive(fixes(0, 60), fixes(80, 300, off_m=20_000))) == []


def test_a_rule_that_is_off_says_nothing() -> None:
    parts = road(300), fixes(0, 60, word=lambda at: GOOD if at < 55 else (9.0, 3))
    assert found(drive(*parts, sets=["detect.gnss_loss.enabled=false"])) == [BY_QUALITY]
    assert found(drive(*parts, sets=["detect.gnss_jamming.enabled=false"])) == [LOSS]


@pytest.mark.parametrize(
    ("cn0_dbhz", "wanted"),
    [(32.0, [LOSS, BY_QUALITY]), (32.1, [LOSS]), (None, [LOSS])],
    ids=["8 dB", "just under", "untold"],
)
def test_a_loss_after_the_carriers_faded_is_jamming(cn0_dbhz: float | None, wanted: list[tuple]) -> None:
    rows = []
    for at in range(60):
        place = [48 + 20 * at / 111_195, 11, 20, 0, 0.9, 11, 40.0 if at < 55 else cn0_dbhz]
        rows.append((at, batch.fix(us(at), place, valid=True)))
    assert found(drive(road(300), rows)) == wanted
