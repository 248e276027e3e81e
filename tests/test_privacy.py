"""No place leaves the ledger finer than the consent allows, in whatever body and however deep."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.codec import KINDS, Record, decode
from agent.columns import decode_columns, encode_columns
from agent.core import Event, Sample
from agent.ledger.ledger import Ledger, Tail, is_sealed_by
from agent.ledger.privacy import Blur
from agent.outbox.recordfile import read_pile
from agent.proof.proof import check
from agent.settings import defaults
from agent.settings.privacy import NoPlaces, Places, Privacy, Tier, TripsPlaces
from agent.setup import NO_REST
from agent.trip.account import Account
from agent.trip.resume import Left
from agent.trip.trip import EventFound, TripEnded, TripStarted
from agent.world.clock import Stamp
from agent.world.ground import metres
from drivers.batch import SIGNALS
from tests.accounts import IDENTITY, KEY, framed

LAT, LON = 48.1371541, 11.5761243
TIERS: tuple[Tier, ...] = ("exact", "coarse", "none")
OTHERS = (*(kind for kind in KINDS if kind not in ("samples", "seal")), "kind-42")


def rule(tier: Tier, coarse_m: float = 1000.0) -> Blur:
    places = TripsPlaces(event=tier, samples=tier, evidence=tier, other=tier)
    return Blur(Privacy(consent="trips", coarse_m=coarse_m, trips=places))


def book(blur: Blur, tail: Tail | None = None) -> Ledger:
    return Ledger(KEY, 1, tail or Tail(), IDENTITY, blur=blur)


def numbers(told: Any) -> list[float]:
    """Every float in it, however deep."""
    if isinstance(told, dict):
        return [one for inner in told.values() for one in numbers(inner)]
    if isinstance(told, list | tuple):
        return [one for inner in told for one in numbers(inner)]
    return [told] if isinstance(told, float) else []


# ---- cells ----------------------------------------------------------------------------------------------------------


@given(st.floats(-90, 90), st.floats(-180, 180), st.sampled_from([100.0, 1000.0, 7321.5, 100_000.0]))
def test_a_coarse_place_is_the_middle_of_its_cell_and_stays_it(lat: float, lon: float, side_m: float) -> None:
    blur = rule("coarse", side_m)
    middle = blur.cell(lat, lon)
    assert blur.cell(*middle) == middle
    assert middle[0] is not None
    assert middle[1] is not None
    if abs(lat) < 85:
        assert metres((lat, lon), (middle[0], middle[1])) < side_m


@pytest.mark.parametrize(("place", "middle"), [
    pytest.param((LAT, LON), (48.132954, 11.582293), id="a city"),
    pytest.param((48.1290, 11.5880), (48.132954, 11.582293), id="its neighbour in the same cell"),
    pytest.param((48.1290, 11.5755), (48.132954, 11.568833), id="just over its western side"),
    pytest.param((90.0, 0.0), (89.995508, 0.0), id="the pole"),
    pytest.param((LAT, 180.0), (48.132954, 179.99327), id="where days meet"),
    pytest.param((LAT, None), (48.132954, None), id="no longitude"),
    pytest.param((None, LON), (None, None), id="no latitude"),
    pytest.param((float("nan"), LON), (None, None), id="no number"),
    pytest.param((481371541, 115761243), (None, None), id="in another unit"),
    pytest.param((True, LON), (None, None), id="a truth"),
])  # fmt: skip
def test_cells_are_where_they_were(place: tuple[Any, Any], middle: tuple[float | None, float | None]) -> None:
    assert rule("coarse").cell(*place) == middle


# ---- bodies ---------------------------------------------------------------------------------------------------------

EXACT_PLACES = [
    {"lat_deg": LAT, "lon_deg": LON}, {"start_lat": LAT, "start_lon": LON}, {"latitude": LAT, "longitude": LON},
    {"lat_deg": [LAT, None], "lon_deg": [LON, None]}, {"lng": LON, "lat": LAT}, {"LAT": LAT, "LON": LON},
    {"position": [LAT, LON]}, {"track": [[LAT, LON], [LAT, LON]]}, {"gps_place": f"{LAT},{LON}"},
    {"lat_e7": int(LAT * 1e7), "lon_e7": int(LON * 1e7)}, {"course_deg": LAT}, {"lon_deg": LON},
    {"table": {"rows": [{"lat_deg": LAT, "lon_deg": LON}]}}, {"blob": bytes(65)}, {"place": {"lat": LAT, "lon": LON}},
]  # fmt: skip
leaves = st.sampled_from(EXACT_PLACES) | st.dictionaries(st.sampled_from("abc"), st.integers(0, 9))
bodies = st.recursive(
    leaves,
    lambda inner: st.dictionaries(st.sampled_from(["x", "pricing", "list"]), inner | st.lists(inner), min_size=1),
)


def told_places(told: Any) -> set[Any]:
    """All that may be a place: floats, long integers, texts with a comma, long bytes."""
    if isinstance(told, dict):
        return {one for inner in told.values() for one in told_places(inner)}
    if isinstance(told, list):
        return {one for inner in told for one in told_places(inner)}
    is_one = (
        isinstance(told, float) or (isinstance(told, int) and told > 1000) or (isinstance(told, str) and "," in told)
    )
    return {told} if is_one or (isinstance(told, bytes) and len(told) > 64) else set()


@pytest.mark.parametrize("tier", ["coarse", "none"])
@given(kind=st.sampled_from(OTHERS), body=bodies)
@settings(max_examples=150)
def test_no_body_of_any_kind_has_a_place_finer_than_its_tier(tier: Tier, kind: str, body: dict[str, Any]) -> None:
    blur = rule(tier)
    (record, *_) = book(blur).number(kind, 1, body)
    allowed = {*blur.cell(LAT, LON), blur.cell(LAT, None)[0]} if tier == "coarse" else set()
    assert told_places(decode(record.raw).body) <= allowed
    assert decode(record.raw).body.keys() == body.keys()
    assert blur.body(kind, record.body) == record.body


@given(kind=st.sampled_from(OTHERS), body=bodies)
def test_where_all_was_agreed_to_bodies_stay_as_they_are(kind: str, body: dict[str, Any]) -> None:
    assert book(rule("exact")).number(kind, 1, body)[0].body == body


def test_each_kind_has_its_own_tier() -> None:
    places = TripsPlaces(event="exact", samples="none", evidence="coarse", other="none")
    blur = Blur(Privacy(consent="trips", trips=places))
    told = {kind: blur.body(kind, {"lat_deg": LAT, "lon_deg": LON}) for kind in ("event", "evidence", "dtc", "kind-9")}
    assert told["event"] == {"lat_deg": LAT, "lon_deg": LON}
    assert told["evidence"] == {"lat_deg": 48.132954, "lon_deg": 11.582293}
    assert told["dtc"] == told["kind-9"] == {"lat_deg": None, "lon_deg": None}


@pytest.mark.parametrize(("consent", "table"), [("full", Places()), ("trips", TripsPlaces()), ("none", NoPlaces())])
def test_the_consent_says_which_table_holds(consent: str, table: Places) -> None:
    assert msgspec.convert({"consent": consent}, Privacy).places == table


def test_a_seal_of_a_counter_that_sounds_like_a_place_is_still_the_devices() -> None:
    ledger = book(rule("none"))
    ledger.count({"in": 1}, {"gps": 5})
    seal = ledger.seal(1)
    assert seal.body["losses"] == {"gps": None}
    assert is_sealed_by(seal, KEY.public)


# ---- samples --------------------------------------------------------------------------------------------------------

COLUMNS: dict[str, list[float | None]] = {
    "speed": [10.0, 11.0],
    "course": [90.0, 91.0],
    "lat": [LAT, LAT + 0.1],
    "lon": [LON, None],
}
STEPS = {"speed": 0.01, "course": 0.1, "lat": 1e-6, "lon": 1e-6}


def packed(columns: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    return {"trip": 2, **encode_columns(0, 1_000_000, columns, STEPS)}


@pytest.mark.parametrize(("tier", "names"), [
    pytest.param("exact", ["course", "lat", "lon", "speed"], id="exact"),
    pytest.param("coarse", ["lat", "lon", "speed"], id="coarse: no direction"),
    pytest.param("none", ["speed"], id="none"),
])  # fmt: skip
def test_columns_are_thinned_out(tier: Tier, names: list[str]) -> None:
    blur = rule(tier)
    thin = blur.columns(COLUMNS)
    assert sorted(thin) == names
    told = decode_columns(book(blur).number("samples", 1, packed(thin))[0].body).columns
    if tier == "coarse":
        assert told["lat"] == pytest.approx([48.132954, 48.240755], abs=1e-6)
        assert told["lon"] == [pytest.approx(11.582293, abs=1e-6), None]


@pytest.mark.parametrize("tier", ["coarse", "none"])
@pytest.mark.parametrize("left_out", [(), ("course",), ("lat", "lon"), ("speed",)])
def test_the_entry_refuses_columns_that_were_not_thinned_out(tier: Tier, left_out: tuple[str, ...]) -> None:
    body = packed({name: cells for name, cells in COLUMNS.items() if name not in left_out})
    with pytest.raises(AssertionError, match="samples that tell more"):
        book(rule(tier)).number("samples", 1, body)


def sample(at_s: int) -> Sample:
    told = {"speed": 10.0 + at_s % 3, "lat": LAT + at_s * 1e-4, "lon": LON, "course": 359.0}
    values = tuple(told.get(name) for name in SIGNALS)
    return Sample(
        at_s * 1_000_000, values, None, None, 0.0, 0.0, 0, 0, 0, 0, 0, None, None, 20.0, "running", 0, NO_REST
    )


def event(at_us: int) -> Event:
    nothing = dict.fromkeys(("peak_mps2", "entry_mps", "exit_mps", "delta_v_mps", "delta_v_s", "direction", "value"))
    return Event(
        at_us=at_us, name="harsh_braking", start_us=at_us, end_us=at_us, severity="low", confidence=1.0,
        sources=("speed",), lat_deg=LAT, lon_deg=LON, dv_clipped=False, locked=False, rule=None, **nothing,
    )  # fmt: skip


def driven(blur: Blur, bounds: bool = False) -> tuple[list[Record], Left]:
    """Three minutes of samples, an event, and what a power cut in the fourth would leave."""
    shipped = defaults()
    account = Account(book(blur), shipped.samples, "rules", shipped.samples.bounds if bounds else None)
    records = account.moment(TripStarted(0, 1), 1)
    for at_s in range(1, 200):
        records += account.sample(sample(at_s))
    records += account.moment(EventFound(event(5), 0), 2)
    left = account.left({"start_us": 1, "end_lat_deg": LAT}, Left(1, Stamp("k", 1, None), NO_REST, is_clean=False))
    return records + account.moment(TripEnded(0, {"start_us": 1, "end_lat_deg": LAT, "end_lon_deg": LON}), 3), left


@pytest.mark.parametrize("bounds", [False, True])
@pytest.mark.parametrize("tier", ["coarse", "none"])
def test_a_drive_is_told_without_places_and_so_is_its_journal(tier: Tier, bounds: bool) -> None:
    blur = rule(tier)
    records, left = driven(blur, bounds)
    allowed = {blur.cell(LAT + at_s * 1e-4, LON) for at_s in range(200)} if tier == "coarse" else set()
    assert left.samples is not None
    for body in [*(one.body for one in records if one.kind == "samples"), left.samples]:
        chunk = decode_columns(body).columns
        assert ("lat" in chunk, "course" in chunk) == (tier == "coarse", False)
        for lat in chunk.get("lat", ()):
            assert any(lat == pytest.approx(cell[0], abs=1e-6) for cell in allowed)
    (found,) = (one for one in records if one.kind == "event")
    assert (found.body["lat_deg"], found.body["lon_deg"]) == (blur.cell(LAT, LON) if tier == "coarse" else (None, None))
    assert LAT not in numbers(records[-2].body)


@pytest.mark.parametrize(("tier", "names"), [
    pytest.param("exact", {"speed", "lat", "lon", "course"}, id="exact"),
    pytest.param("coarse", {"speed", "lat", "lon"}, id="coarse"),
    pytest.param("none", {"speed"}, id="none"),
])  # fmt: skip
def test_what_an_earlier_consent_left_is_brought_to_the_present_one(tier: Tier, names: set[str]) -> None:
    _, left = driven(rule("exact"))
    account = Account(book(rule(tier)), defaults().samples, "rules")
    records = {one.kind: one for one in account.recover(left, Stamp("k", 9, None), 9)}
    assert decode_columns(records["samples"].body).columns.keys() == names
    assert (LAT in numbers(records["trip_end"].body)) == (tier == "exact")


def test_samples_of_which_nothing_may_be_told_are_left_out() -> None:
    only_places = packed({name: COLUMNS[name] for name in ("lat", "lon")})
    assert rule("none").resampled(only_places) is None
    assert rule("none").resampled({"trip": 1, "columns": b"damaged"}) is None
    assert rule("exact").resampled(only_places) == only_places


def test_an_account_under_any_consent_verifies(tmp_path: Path) -> None:
    for tier in TIERS:
        ledger = book(rule(tier))
        first = ledger.start(0, {"software": "tbox"})
        tail = ledger.tail
        account = Account(book(rule(tier), tail), defaults().samples, "rules")
        records = first + account.moment(TripStarted(0, 1), 1)
        for at_s in range(1, 100):
            records += account.sample(sample(at_s))
        records += account.moment(TripEnded(0, {"start_us": 1}), 3)
        (tmp_path / tier).write_bytes(framed(records))
        assert check([read_pile(tmp_path / tier)]).problems == []
