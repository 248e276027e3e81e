"""A camera among the rooms: what it is told of events and sleep, and what comes into the account and into health."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.camera import camera
from agent.camera.camera import Film, plan_of
from agent.core import Event
from agent.settings import Settings
from agent.sources.sources import open_film
from tests.accounts import ledger

S = 1_000_000


class Double:
    """The camera's process, as the daemon sees it."""

    def __init__(self, _plan: object) -> None:
        self.begun = self.pid = 1
        self.heard: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []

    def tend(self, _now_s: float) -> list[dict[str, Any]]:
        """What it said since."""
        heard, self.heard = self.heard, []
        return heard

    def tell(self, **message: Any) -> bool:
        """It takes all."""
        self.told.append(message)
        return True

    def counters(self) -> dict[str, int]:
        """As the driver does."""
        return {"begun": self.begun}

    def close(self) -> None:
        """Gone."""
        self.pid = 0


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> list[Double]:
    made: list[Double] = []

    def make(plan: object) -> Double:
        made.append(Double(plan))
        return made[-1]

    monkeypatch.setattr(camera, "Camera", make)
    return made


def settings(**tables: Any) -> Settings:
    return msgspec.convert({"camera": {"source": "/dev/video0", **tables.pop("camera", {})}, **tables}, Settings)


def film_of(chosen: Settings) -> Film:
    book = ledger()
    return Film(chosen, book, book.start(1, {}))


def event(name: str, start_us: int) -> Event:
    fields = dict.fromkeys(Event.__dataclass_fields__) | {"name": name, "start_us": start_us}
    return Event(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "is_on_parked", "runs"),
    [
        pytest.param("driving", False, True, id="driving"),
        pytest.param("settling", False, True, id="after the drive"),
        pytest.param("parked", False, False, id="parked"),
        pytest.param("parked", True, True, id="parked, and wanted"),
        pytest.param("asleep", True, False, id="asleep"),
    ],
)
def test_it_films_while_the_car_is_driven(double: list[Double], state: str, is_on_parked: bool, runs: bool) -> None:
    film = film_of(settings(camera={"is_on_parked": is_on_parked}))
    film.turn(S, state, 0, is_settled=True)
    assert double[0].told == [{"run": runs}]


def test_an_event_is_asked_for_and_its_clip_comes_into_the_account_under_a_seal(double: list[Double]) -> None:
    film = film_of(settings())
    film.found(event("crash", 50 * S), 9)
    film.found(event("idling", 50 * S), 10)
    assert film.turn(51 * S, "driving", 0, is_settled=True) == []
    boot = double[0].told[1]["save"][0]
    assert double[0].told[1:] == [{"save": [boot, 9, 20 * S, 65 * S]}]
    clip = {
        "boot": boot,
        "event": 9,
        "start_us": 1,
        "end_us": 2,
        "u_us": 3,
        "is_whole": False,
        "files": [],
        "why": "no picture",
    }
    double[0].heard = [
        {"state": "waiting", "why": "no such device", "counters": {"starts": 4}},
        {"clip": clip, "is_noted": False},
    ]
    told, seal = film.turn(70 * S, "driving", 0, is_settled=True)
    assert (told.kind, told.body["event"], told.body["why"], seal.kind) == ("evidence", 9, "no picture", "seal")
    film.turn(71 * S, "driving", 0, is_settled=False)
    assert double[0].told[2:] == []
    film.turn(72 * S, "driving", 0, is_settled=True)
    assert double[0].told[2:] == [{"noted": [boot, 9]}]
    told_of_it = film.health()["camera"]
    assert (told_of_it["state"], told_of_it["why"], told_of_it["starts"]) == ("waiting", "no such device", 4)


def test_an_event_that_a_power_cut_left_is_asked_of_its_own_boot(double: list[Double]) -> None:
    book = ledger()
    records = book.start(1, {})
    records += book.number("event", 1, {"event": "impact", "start_us": 90 * S, "boot": 77})
    records += book.number("event", 1, {"event": "impact", "start_us": 95 * S})
    film = Film(settings(), book, records)
    film.turn(S, "driving", 0, is_settled=True)
    assert [told["save"] for told in double[0].told if "save" in told] == [[77, records[2].seq, 60 * S, 105 * S]]


@pytest.mark.parametrize(
    ("tables", "sends"),
    [
        pytest.param({}, True, id="an open link"),
        pytest.param({"uplink": {"day_mb": 1}}, False, id="a metered link"),
        pytest.param({"privacy": {"consent": "none"}}, False, id="nobody may learn of any place"),
    ],
)
def test_clips_are_sent_where_link_and_consent_allow(double: list[Double], tables: dict[str, Any], sends: bool) -> None:
    film = film_of(settings(camera={"upload": "small"}, **tables))
    files = [{"file": "1-9.mp4", "bytes": 10, "sha256": "00" * 32}]
    clip = {"boot": 1, "event": 9, "start_us": 1, "end_us": 2, "u_us": 3, "is_whole": True, "files": files, "why": None}
    double[0].heard = [{"clip": clip, "is_noted": True}]
    for _ in range(2):
        film.turn(S, "driving", 0, is_settled=True)
    assert any("part" in told for told in double[0].told) == sends


def test_the_plan_leaves_the_account_its_room_and_lies_in_the_state_folder(tmp_path: Path) -> None:
    chosen = settings(device={"state_dir": str(tmp_path)}, store={"budget_mb": 32})
    plan = plan_of(chosen, 5)
    assert (plan.folder, plan.boot, plan.spare_bytes) == (str(tmp_path / "camera"), 5, 32_000_000)
    assert (plan.budget_bytes, plan.clip_budget_bytes, plan.keep_s) == (128_000_000, 512_000_000, 30 * 86_400)
    assert plan_of(settings(camera={"folder": "/mnt/card"}), 5).folder == "/mnt/card"


def test_without_a_source_nobody_films() -> None:
    film = open_film(Settings(), ledger(), [])
    film.found(event("crash", S), 1)
    assert (film.turn(S, "driving", 0, is_settled=True), film.kept(), film.health()) == ([], [], {})
    film.close()
