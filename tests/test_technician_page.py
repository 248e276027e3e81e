"""A technician in the yard, in the browser: a bare box on a real bus becomes a proven installation. Prints how long each step takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import can
import pytest
from selenium.webdriver.common.keys import Keys

from agent.codec import pack
from agent.service.card import qr_words
from agent.service.run import Shown as Place
from agent.yard.binding import Binding, hash_of
from hil.car.ecu import ENGINE_PIDS, VIN
from hil.car.gnss import Receiver
from hil.car.road import Moment
from hil.drive import State
from hil.subscriber import Subscriber
from tests.brokers import Mosquitto
from tests.brokers import Subscriber as Platform
from tests.browsers import CHILD_S, Browser, chromium
from tests.fleets import ANNA, BEN, NOON_US
from tests.service_pages import Shown, inside, shown
from tests.supervised import Supervised
from tests.test_run import listening
from tests.test_run_asking import TICK_S, Car, Wire, bus
from tests.test_technician import Day, good
from tests.yards import OTHER_VIN, Yard, daemon, until, van

MOTION, ENGINE, RPM4 = 0x100, 0x101, 3_400
"""Of the van's DBC, tests/yards.py; its engine idles at 850 a minute."""

KM10 = 482_113
ODOMETER_PID = 0xA6
VALUE = "return document.getElementById(arguments[0]).value"


class Van(Car):
    """A car in the yard: it tells motion and engine by itself, and its units answer who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.readings.rpm, self.readings.battery_v = RPM4 / 4, 14.1

    def park(self, link: Path) -> None:
        """A CAN adapter on its bus, at this link; it talks from now on."""
        adapter, _ = self.plug(link)
        self._start(lambda: self._see(Receiver(link.with_name("gnss"), ())))
        said = {MOTION: bytes(2) + KM10.to_bytes(4, "little") + bytes(2), ENGINE: RPM4.to_bytes(2, "little") + bytes(6)}
        frames = [can.Message(arbitration_id=number, is_extended_id=False, data=data) for number, data in said.items()]
        self._start(lambda: self._talk(adapter, frames))

    def _see(self, receiver: Receiver) -> None:
        """The box's own receiver sees the sky."""
        begin_s = time.monotonic()
        while not self.is_over.wait(TICK_S):
            receiver.step(Moment(State(time_s=time.monotonic() - begin_s)), time.time_ns() // 1000)
        receiver.close()

    def _talk(self, adapter: Wire, frames: list[can.Message]) -> None:
        while not self.is_over.wait(TICK_S):
            adapter.says.extend(frames)


@dataclass
class Bench:
    """A bare terminal on the van's bus, its page, and a browser in a technician's hand."""

    yard: Yard
    page: Shown
    browser: Browser
    day: Day

    def go(self, place: str) -> None:
        """A finger on a place."""
        self.browser.click(f"#places a[href='#{place}']")
        self.browser.see(f"#places a[href='#{place}'][aria-current]")

    def come_in(self) -> None:
        """By the QR on the box."""
        self.browser.open(qr_words(Place(self.page.url, self.page.fingerprint), self.page.pin))
        self.browser.see("#places a")

    def certify(self, **typed: str) -> None:
        """Fill in the form and send it."""
        self.go("papers")
        self.browser.see("#install")
        for name, words in typed.items():
            self.browser.type(f"#{name}", words)
        self.browser.type("#plate", Keys.ENTER)
        self.browser.see(".state.good", "Certified", CHILD_S)

    def printed(self) -> str:
        """The certificate as the page for the printer."""
        self.browser.driver.get(self.browser.see("a.go", "Show and print").get_attribute("href"))
        self.browser.see("h1", "Installation")
        return self.browser.text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as window:
        yield window


@contextmanager
def bench(folder: Path, van_: Van, browser: Browser, port: int = 1, buses: str = "") -> Iterator[Bench]:
    """It knows whom to trust, its broker, and these buses: no more. `port` 1: there is no signal."""
    day = Day()
    van_.park(folder / "can")
    yard = Yard(folder, seconds=0)
    told = (
        yard.config.read_text().replace("port = 1\n", f"port = {port}\n").replace("healthy_s = 2.5", "healthy_s = 1.0")
    )
    yard.config.write_text(f'{told}{buses}[gnss]\nport = "{folder / "gnss"}"\nbaudrate = 9600\n')
    with Supervised(folder, list(daemon(yard))) as manager:
        with day.step("start the agent"):
            until((yard.state_dir / "desk.sock").exists, "the agent")
        with day.step("start the page"):
            page = Shown(yard.state_dir, config=yard.config)
        try:
            yield Bench(yard, page, browser, day)
        finally:
            page.close()
        assert "lost: " not in manager.said(), "nobody took its bus away"


def bus_of(folder: Path) -> str:
    """Settings of the van's bus."""
    return bus(str(folder / "can"), 0, listen_only=False)


def bind(box: Bench, code: str, there: Subscriber, port: int) -> None:
    """The platform's answer to the code: signed, and sent by the broker."""
    device = next(iter(there.inbox.records))[0]
    told = {"device": device.hex(), "state": "bound", "binding": "b-1", "vin": VIN, "owner": "Ann"}
    made = Binding.new(**told, code=hash_of(code, device), not_before_us=NOON_US).signed(ANNA).signed(BEN)
    with Platform(port, "none") as platform:
        platform.publish(f"tbox/v1/{device.hex()}/config/desired", pack({"document": "d-1", "binding": made.text()}))


def installs(there: Subscriber) -> list[dict[str, Any]]:
    with there.lock:
        return [record.body for record in there.inbox.bodies("install")]


def test_a_bare_box_becomes_a_proven_installation(
    tmp_path: Path, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    with Mosquitto(tmp_path) as broker, listening(broker.port) as there, Van() as van_:
        with bench(tmp_path, van_, browser, broker.port) as box:
            day = box.day
            with day.step("scan the QR, come in"):
                box.come_in()
            browser.see(".state h2", "This box does not know its bus")
            flash(box)
            with day.step("is the car heard, and which is it"):
                box.go("live")
                browser.see(".way .done", "Car heard")
                browser.see(".facts", VIN)
            with day.step("doctor"):
                examine(box)
            with day.step("pair: code, the platform's answer"):
                box.go("papers")
                browser.click("#pair")
                bind(box, browser.see(".figures", "", CHILD_S).text, there, broker.port)
                box.go("live")
                browser.see(".way .done", "Paired")
            certify(box)
            browser.open(f"{box.page.url}#live")
            browser.until(lambda: len(browser.found(".way .done")) == 5, "all five steps")
            until(lambda: len(installs(there)) == 1, "the record at the platform")
            assert_another_run_of_the_page_knows_it(box)
        with day.step("verify the account"):
            assert "GOOD" in good(box.yard.run_plain("verify", box.yard.state_dir))
        (made,) = installs(there)
    assert (made["vin"], made["vin_source"], made["technician"]) == (VIN, "read", "Wang Fang")
    assert (made["odometer_m"], made["odometer_source"], made["binding"]) == (48_211_300, "read", "b-1")
    told = [made["bundle"][name] for name in ("bundle", "version", "state")]
    assert told == ["acme-vans", 12, "running"]
    passed = {name for name, verdict, _ in made["checks"] if verdict == "PASS"}
    assert {"VIN", "vehicle map", "GNSS", f"bus {tmp_path / 'can'}"} <= passed
    with capsys.disabled():
        print(f"\n{day.lines()}")


def certify(box: Bench) -> None:
    """What is filled in, what stands in the account, what comes out of the printer."""
    browser = box.browser
    with box.day.step("certificate"):
        box.certify(technician="Wang Fang", plate="M-TB 1")
        assert "by hand" not in browser.see("#view .facts", VIN).text
        browser.see("#view .facts", "48,211.3 km")
    with box.day.step("certificate as a page"):
        told = box.printed()
    for words in ("proven", f"{VIN} (read from the car)", "acme-vans 12, running", "b-1"):
        assert words in told


def examine(box: Bench) -> None:
    """The doctor, live, beside the agent."""
    browser = box.browser
    box.go("check")
    browser.click("#examine")
    browser.see("#doctor .busy + p")
    browser.until(lambda: "Well installed" in browser.see("#doctor .state", "", CHILD_S).text, "a good end", CHILD_S)
    browser.see("#doctor li.verdict-PASS", VIN)


def assert_another_run_of_the_page_knows_it(box: Bench) -> None:
    """It is read from the account, not remembered."""
    box.page.close()
    with shown(box.yard.state_dir, config=box.yard.config) as again:
        live = inside(again).ask("GET", "/api/tell/live")[1]
    assert [step["name"] for step in live["way"] if step["done"]] == ["heard", "configured", "paired", "certified"]
    assert (live["certificate"]["plate"], live["certificate"]["vin_source"]) == ("M-TB 1", "read")


def flash(box: Bench) -> None:
    """Dropped, its difference read, agreed to, tried, in force."""
    browser, raw = (
        box.browser,
        box.yard.bundle("van.tbx", van(12, f"[trip]\nend_s = 200\n{bus_of(box.yard.folder)}")).read_bytes(),
    )
    with box.day.step("bring the bundle, see the difference"):
        box.go("flash")
        browser.drop(browser.see(".drop"), "van.tbx", raw)
        browser.see("#difference", "trip.end_s", CHILD_S)
    with box.day.step("try it"):
        browser.see(".state.good", "It fits this vehicle", CHILD_S)
        told = {one.text.splitlines()[1]: one.text for one in browser.found("li.verdict-PASS")}
        assert told.keys() >= {"Identifiers of the map", "Vehicle map", "Speed", "Odometer", "VIN"}
        assert VIN in told["VIN"]
    with box.day.step("commit, trial and proof"):
        browser.click("#go")
        browser.see(".state.good", "Installed and proved", CHILD_S)
        browser.see("#force", "acme-vans 12 · runs, proved")


def test_a_vin_that_no_unit_tells_is_typed_and_marked_so_without_any_signal(
    tmp_path: Path, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    with Van() as van_:
        van_.engine.vin = ""
        van_.engine.pids = tuple(pid for pid in ENGINE_PIDS if pid != ODOMETER_PID)
        with bench(tmp_path, van_, browser, buses=bus_of(tmp_path)) as box:
            with box.day.step("come in, is the car heard"):
                box.come_in()
                browser.see(".way .done", "Car heard")
            with box.day.step("certificate, VIN by hand, with the doctor in it"):
                box.certify(technician="Wang Fang", plate="M-TB 2", vin=OTHER_VIN.lower(), odometer_km="48 211,5")
            assert browser.see("#view .facts").text.count("by hand") == 2
            assert f"{OTHER_VIN} (entered by hand)" in box.printed()
            live = inside(box.page).ask("GET", "/api/tell/live")[1]
        assert "GOOD" in good(box.yard.run_plain("verify", box.yard.state_dir))
    made = live["certificate"]
    assert (made["vin"], made["vin_source"]) == (OTHER_VIN, "by_hand")
    assert (made["odometer_m"], made["odometer_source"]) == (48_211_500, "by_hand")
    with capsys.disabled():
        print(f"\n{box.day.lines()}")
