"""Out of the platform's database: files for other programs, and the fleet's pages."""

import csv
import json
import subprocess
import sys
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from agent.outbox.recordfile import read_pile
from agent.proof.proof import check
from hil.fleet.account import DRIVE_MIN, VirtualAccount, pool
from hil.postgres import Postgres
from hil.receiver import exports
from hil.receiver.intake import Arrival
from hil.receiver.library import Chosen, Library
from hil.receiver.postgres import PostgresStore
from tests.browsers import DESK, PHONE, Browser, chromium
from tests.test_page_evidence import crashed

TRIPS = 2
WAYS = pool(3, 1)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A database with two virtual cars of two trips each, and one that crashed."""
    with Postgres() as server, PostgresStore(server.address) as store:
        for number in range(2):
            account, ends = VirtualAccount(number, 1, WAYS), 0
            while ends < TRIPS:
                record = account.next()
                ends += record.kind == "trip_end"
                store.take([Arrival(f"van-{number}", record.lane, record.raw)])
        assert store.take([Arrival("wreck", record.lane, record.raw) for record in crashed()]).refused == []
        yield server.address


def exported(address: str, path: Path, *words: str) -> Path:
    assert exports.main([*words, "--store", address, "-o", str(path)]) == 0
    return path


def test_trips_as_csv_and_parquet_say_the_same(address: str, tmp_path: Path) -> None:
    with exported(address, tmp_path / "trips.csv", "trips").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = parquet.read_table(exported(address, tmp_path / "trips.parquet", "trips")).to_pydict()
    assert [float(row["distance_m"]) for row in rows] == columns["distance_m"]
    vans = [row for row in rows if row["lasts_s"].startswith(str(60 * DRIVE_MIN))]
    assert len(vans) == 2 * TRIPS
    assert all(row["start_utc"].startswith("2027-01-15T") and row["end_reason"] == "stopped" for row in vans)


def test_events_as_geojson_lie_where_they_happened(address: str, tmp_path: Path) -> None:
    told = json.loads(exported(address, tmp_path / "e.geojson", "events", "--terminal", "van-0").read_text())
    with Library(address) as library:
        device = library.device_of("van-0")
        events = [row for row in library.events() if row["device"] == (device or b"").hex()]
    assert len(told["features"]) == len(events) > 0
    places = [feature["geometry"]["coordinates"] for feature in told["features"]]
    assert places == [[row["lon_deg"], row["lat_deg"]] for row in events]


def test_a_way_as_gpx_has_every_second_that_has_a_place(address: str, tmp_path: Path) -> None:
    path = exported(address, tmp_path / "way.gpx", "way", "--terminal", "van-1", "--trip", "2")
    points = ET.parse(path).getroot().findall(".//{*}trkpt")
    assert len(points) == 60 * DRIVE_MIN
    assert 30 <= float(points[0].get("lat") or 0) <= 51


def test_a_map_gives_somebody_elses_columns(address: str, tmp_path: Path) -> None:
    words = ("trips", "--terminal", "van-0", "--map", "iac27.toml#overview")
    with exported(address, tmp_path / "overview.csv", *words).open(newline="") as file:
        first, *_ = csv.DictReader(file)
    assert list(first)[:4] == ["terminal_id", "trip_id", "start_time", "end_time"]
    assert first["start_time"].startswith("20270115")
    with exported(address, tmp_path / "t.csv", "trips", "--terminal", "van-0").open(newline="") as file:
        plain, *_ = csv.DictReader(file)
    assert float(first["mileage_km"]) == round(float(plain["distance_m"]) / 1000, 2)
    events = exported(address, tmp_path / "e.csv", "events", "--map", "iac27.toml#emergency").read_text()
    assert "collision" in events


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("trips", "-o", "x.txt"), 66, "what format?"),
        (("way", "-o", "x.gpx"), 66, "a way needs --terminal and --trip"),
        (("trips", "-o", "x.csv", "--terminal", "nobody"), 66, "nothing of it is stored"),
        (("trips", "-o", "x.csv", "--map", "no.toml#x"), 66, "see iac27.toml for how it is written"),
        (("trips", "-o", "x.csv", "--map", "iac27.toml#nothing"), 66, "see iac27.toml for how it is written"),
        (("trips", "-o", "x.gpx"), 66, "gpx: no row has a place"),
        (("trips", "-o", "no/such/x.csv"), 74, "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(
    address: str, tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    command = [sys.executable, "-m", "hil.receiver.exports", *words, "--store", address]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_all_records_of_a_vehicle_verify(address: str, tmp_path: Path) -> None:
    with Library(address) as library:
        device = library.device_of("wreck")
        assert device is not None
        (tmp_path / "records").write_bytes(b"".join(library.records(device)))
    assert check([read_pile(tmp_path / "records")]).problems == []


@pytest.fixture(scope="module")
def pages(address: str) -> Iterator[str]:
    words = [sys.executable, "-m", "hil.receiver.pages", "--store", address, "--port", "0"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield server.stdout.readline().strip()
    server.terminate()
    server.wait(30)


def got(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        return str(answer.read().decode())


def test_the_fleets_pages_lead_from_the_list_to_the_report_and_the_evidence(pages: str) -> None:
    fleet = got(pages)
    assert fleet.count("/vehicle/") == 3
    assert fleet.count('class="good">whole') == 3
    vehicle = got(f"{pages}vehicle/van-1")
    assert 'href="/vehicle/van-1/trip/2"' in vehicle
    report = got(f"{pages}vehicle/van-1/trip/2")
    assert "Driving report" in report
    assert 'class="map"' in report
    wreck = got(f"{pages}vehicle/wreck")
    (link,) = {part.partition('"')[0] for part in wreck.split('href="') if "/evidence/" in part.partition('"')[0]}
    assert "chain" in got(f"{pages}{link[1:]}").lower()


@pytest.mark.parametrize("path", ["vehicle/nobody", "vehicle/van-1/trip/7777", "vehicle/..%2f..%2fetc", "vehicle/a<b"])
def test_what_is_not_there_is_a_404_in_words(pages: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        got(pages + path)
    assert caught.value.code == 404
    body = caught.value.read().decode()
    assert "Traceback" not in body
    assert "<b>" not in body


# As somebody sees them


FINGER_PX = 44
SMALL = "return [...document.querySelectorAll('a')].filter((one) => one.getBoundingClientRect().height < arguments[0]).length"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as window:
        yield window


def count(browser: Browser, selector: str) -> int:
    return len(browser.driver.find_elements(By.CSS_SELECTOR, selector))


def test_a_finger_leads_from_the_fleet_to_a_trip_with_its_events_on_its_way_and_back(
    browser: Browser, pages: str, address: str
) -> None:
    with Library(address) as library:
        (first, *_) = library.trips(Chosen(library.device_of("van-1")))
        events = library.events(Chosen(library.device_of("van-1"), first["trip"]))
    browser.size(PHONE)
    browser.open(pages)
    browser.click("td a", "van-1")
    browser.see("h1", "van-1")
    browser.click("td a", f"{first['start_utc']:%Y-%m-%d %H:%M} UTC")
    browser.see("h1", "Driving report, van-1")
    assert count(browser, ".map .badge") == len(events) > 0
    (way,) = browser.driver.find_elements(By.CSS_SELECTOR, ".map polyline")
    assert len((way.get_attribute("points") or "").split()) > DRIVE_MIN
    browser.click(".where a", "van-1")
    browser.click(".where a", "Fleet")
    browser.see("h1", "Fleet")
    assert browser.complaints() == []


def test_a_crash_is_open_with_its_proof_two_steps_from_the_fleet(browser: Browser, pages: str) -> None:
    browser.size(PHONE)
    browser.open(pages)
    browser.click("td a", "wreck")
    browser.see("td.row", "2026-09-21 14:15 UTC")
    browser.click("td a", "open")
    browser.see("h1", "Crash, 21 September 2026")
    browser.see("section", "All 23 records of wreck hold: nothing is missing, altered or exchanged.")
    assert browser.complaints() == []


@pytest.mark.parametrize(("size", "theme"), [(PHONE, "light"), (DESK, "dark")])
def test_everybody_can_use_every_page(browser: Browser, pages: str, size: tuple[int, int], theme: str) -> None:
    browser.size(size)
    browser.theme(theme)
    for path in ("", "vehicle/van-1", "vehicle/nobody", "vehicle/van-1/trip/2", "vehicle/wreck", ""):
        browser.open(pages + path)
        assert not browser.is_too_wide(), path
        assert browser.faults() == [], path
        if size == PHONE and "trip" not in path:
            assert browser.driver.execute_script(SMALL, FINGER_PX) == 0, path
    browser.click("td a", "wreck")
    browser.click("td a", "open")
    browser.see("h1", "Crash")
    assert (browser.is_too_wide(), browser.faults(), browser.complaints()) == (False, [], [])


def test_a_keyboard_leads_through_the_pages(browser: Browser, pages: str) -> None:
    browser.size(DESK)
    browser.open(pages)
    seen: list[str] = []
    while not seen or seen[-1] != "van-0":
        assert len(seen) < 4, seen
        browser.focus().send_keys(Keys.TAB)
        seen.append(browser.focus().get_attribute("aria-label") or browser.focus().text)
        assert float(browser.focus().value_of_css_property("outline-width").removesuffix("px")) >= 2, seen
    browser.focus().send_keys(Keys.ENTER)
    browser.see("h1", "van-0")
