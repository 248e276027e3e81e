"""The technician's page in real Chromium: in by PIN, live values, situations of the yard, flashing, both languages and themes."""

import base64
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.keys import Keys

from agent.trust.compatible import Compatible
from tests.browsers import CHILD_S, DESK, PHONE, SMALL_PHONE, Browser, chromium
from tests.desks import VIN, FakeDesk
from tests.fleets import ANNA, EVE
from tests.service_pages import Shown, shown
from tests.yards import OTHER_VIN, Yard, van

PLACES = ("live", "check", "flash", "trips", "papers", "logs")
SMALL = """
return [...document.querySelectorAll("a, button, summary, input:not([type=file]):not([type=checkbox])")]
  .filter((one) => one.offsetParent && one.id !== "skip" && one.getBoundingClientRect().height < 44)
  .map((one) => one.outerHTML.slice(0, 90));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as window:
        yield window


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    """A terminal that trusts the fleet, without a car to listen to: the desk makes one up."""
    return Yard(tmp_path_factory.mktemp("yard"), seconds=0)


@pytest.fixture(scope="module")
def desk(yard: Yard) -> Iterator[FakeDesk]:
    made = FakeDesk(yard.state_dir)
    yield made
    made.close()


@pytest.fixture(scope="module")
def page(yard: Yard, desk: FakeDesk) -> Iterator[Shown]:
    with shown(yard.state_dir, config=yard.config) as there:
        yield there


@pytest.fixture
def inside(browser: Browser, page: Shown, desk: FakeDesk) -> Browser:
    """Somebody who came in; the car is well."""
    desk.well()
    browser.size(PHONE)
    browser.theme("light")
    pin = page.new_pin()
    browser.open(page.url)
    browser.see("#pin, #places a")
    if browser.driver.find_elements("id", "pin"):
        browser.type("#pin", pin, Keys.ENTER)
        browser.see("#places a")
    speak(browser, page, "en")
    return browser


def come_in(browser: Browser, page: Shown, pin: str) -> None:
    browser.open(page.url)
    browser.type("#pin", pin, Keys.ENTER)
    browser.see("#places a")


def go(browser: Browser, place: str) -> None:
    browser.driver.execute_script("location.hash = arguments[0]", f"#{place}")
    browser.see(f"#places a[href='#{place.partition('/')[0]}'][aria-current]")
    browser.see("main h1")


def speak(browser: Browser, page: Shown, language: str) -> None:
    browser.driver.execute_script("localStorage.setItem('language', arguments[0])", language)
    browser.open(f"{page.url}#live")
    browser.see("#places a")


# ---- the door -------------------------------------------------------------------------------------------------------


def test_too_many_wrong_pins_shut_the_door_and_a_new_one_opens_it(browser: Browser, tmp_path: Path) -> None:
    with shown(tmp_path, "--set", "service.pin_tries=3") as page:
        browser.open(page.url)
        wrong = f"{(int(page.pin.replace(' ', '')) + 1) % 1_000_000:06d}"
        for words in ("2 tries left", "1 tries left", "This PIN is void"):
            _try_until(browser, wrong, words)
        assert "tbox service --new-pin" in browser.text()
        pin = page.new_pin()
        browser.click("button", "I have a new PIN")
        browser.type("#pin", pin, Keys.ENTER)
        browser.see("#places a")
        assert pin not in page.close()


def _try_until(browser: Browser, pin: str, words: str) -> None:
    """Tries until the page says this; one that came too soon is said, costs nothing, and is tried again."""
    while words not in _answer(browser, pin):
        assert "Too fast" in browser.text()


def _answer(browser: Browser, pin: str) -> str:
    """What the page says to this PIN: the door is drawn anew with each answer."""
    before = browser.see("#pin")
    before.send_keys(pin, Keys.ENTER)

    def is_gone() -> bool:
        try:
            return not before.is_enabled()
        except StaleElementReferenceException:
            return True

    browser.until(is_gone, "an answer")
    return browser.text()


def test_the_qr_logs_in_and_leaves_no_pin_in_the_address(browser: Browser, page: Shown) -> None:
    digest = base64.urlsafe_b64encode(bytes.fromhex(page.fingerprint)).rstrip(b"=").decode()
    browser.forget()
    browser.open(f"{page.url}#sha256={digest}&pin={page.new_pin().replace(' ', '')}")
    browser.see("#places a")
    browser.until(lambda: browser.driver.current_url == f"{page.url}#live", "the address")
    told = browser.driver.execute_script("return sessionStorage.getItem('sha256')")
    assert told.replace(":", "").lower() == page.fingerprint
    assert browser.driver.execute_script("return document.cookie") == ""


# ---- live -----------------------------------------------------------------------------------------------------------


def test_live_values_move_and_are_drawn(inside: Browser) -> None:
    before = inside.see("#signal-rpm .figure", "1/min").text
    inside.until(lambda: inside.see("#signal-rpm .figure", "1/min").text != before, "another figure")
    inside.see("#signal-coolant", "88 °C")
    inside.until(lambda: len(inside.see("#signal-rpm polyline").get_attribute("points").split()) > 2, "a plot")
    assert inside.see("[role=meter]").get_attribute("aria-valuenow") == "46.3"
    inside.see(".bus", "1,987 per second")
    inside.see(".facts", VIN)


@pytest.mark.parametrize(
    ("car", "title", "what", "onward"),
    [
        pytest.param({"set": False}, "This box does not know its bus", "Get the bundle", "#flash", id="bare box"),
        pytest.param({"there": False}, "The CAN adapter is not there", "Push the adapter's plug", "#check", id="no adapter"),
        pytest.param({"errors": True}, "The wrong cable, or the wrong bit rate", "CAN high is pin 6", "#check", id="wrong cable"),
        pytest.param({"frames": False}, "The car is not heard", "Switch the ignition on", "#check", id="no bus"),
        pytest.param({"engine": False}, "The engine is off", "Start the engine", "#check", id="engine off"),
        pytest.param({"vin": ""}, "The car does not tell its VIN", "Read the VIN off the windscreen", "#papers", id="no VIN"),
        pytest.param({"link": "down"}, "The platform is out of reach", "Go on:", "#check", id="no phone signal"),
    ],
)  # fmt: skip
def test_each_trouble_of_the_yard_has_its_own_screen(
    inside: Browser, desk: FakeDesk, car: dict[str, object], title: str, what: str, onward: str
) -> None:
    desk.car.update(car)
    inside.driver.refresh()
    inside.see(".state h2", title)
    inside.click(".state .button", "What to do")
    inside.see(".state h1", title)
    inside.see(".steps", what)
    assert inside.see(".hands a.go").get_attribute("href").endswith(onward)
    inside.see(".chip svg")


def test_a_trouble_that_is_over_says_so_by_itself(inside: Browser, desk: FakeDesk) -> None:
    desk.car["engine"] = False
    go(inside, "live/engine_off")
    inside.see(".state.note h1", "The engine is off")
    desk.car["engine"] = True
    inside.see(".state.good h1", "Solved")


def test_a_box_whose_agent_does_not_answer_says_so(browser: Browser, tmp_path: Path) -> None:
    with shown(tmp_path) as page:
        come_in(browser, page, page.pin)
        browser.see(".state h2", "The agent does not answer")
        assert browser.complaints() == []


# ---- flash ----------------------------------------------------------------------------------------------------------


CHANGES = """return [...document.querySelectorAll("#difference li")].filter(row => row.textContent.includes(arguments[0]))
.map(row => ["del", "ins"].map(tag => row.querySelector(tag).textContent));"""
"""At once: the page draws the list anew while progress comes."""


def test_a_good_bundle_shows_what_it_changes_and_goes_in_when_agreed(inside: Browser, page: Shown, yard: Yard) -> None:
    go(inside, "flash")
    inside.see("#bundle")
    inside.driver.find_element("id", "bundle").send_keys(str(yard.bundle("good.tbx", van(12))))
    inside.see("#difference", "trip.end_s", CHILD_S)
    assert inside.driver.execute_script(CHANGES, "trip.end_s") == [["was 300.0", "becomes 200.0"]]
    assert yard.state.active == ""
    inside.see(".state.good", "It fits this vehicle", CHILD_S)
    inside.click("#go")
    inside.see(".state", "Installed, on trial", CHILD_S)
    assert (yard.state.content.id, yard.state.content.how) == ("acme-vans", "service")
    yard.run("rollback")


BAD = [
    pytest.param(lambda: van(13, signers=()).raw(), "Nobody this box trusts has signed it", id="unsigned"),
    pytest.param(lambda: van(13, signers=(EVE,)).raw(), "a key this box does not know", id="another fleet's"),
    pytest.param(lambda: van(13, signers=(ANNA,)).raw(), "Too few have signed it", id="too few"),
    pytest.param(lambda: van(13).raw()[:-40], "It is damaged or cut off", id="cut off"),
    pytest.param(
        lambda: van(13, compatible=Compatible(vin=(OTHER_VIN,))).raw(),
        "It is made for another vehicle",
        id="another car's",
    ),
]


@pytest.mark.parametrize(("make", "words"), BAD)
def test_a_bad_bundle_is_refused_with_the_reason(
    inside: Browser, page: Shown, yard: Yard, make: Callable[[], bytes], words: str
) -> None:
    go(inside, "flash")
    zone = inside.see(".drop")
    raw = make()
    inside.drop(zone, "bad.tbx", raw)
    inside.see(".state.bad", words, CHILD_S)
    inside.see(".state.bad", "Refused: nothing was changed")
    assert [words for words in ("To mend later", "brought.tbx") if words in inside.text()] == []
    assert yard.state.active == ""
    inside.click("#again")
    inside.see(".drop")


def test_what_is_too_big_is_refused_before_it_is_sent(inside: Browser, page: Shown, tmp_path: Path) -> None:
    go(inside, "flash")
    with (tmp_path / "big.tbx").open("wb") as file:
        file.truncate(1 << 30)
    inside.see(".drop")
    inside.driver.find_element("id", "bundle").send_keys(str(tmp_path / "big.tbx"))
    inside.see(".state.bad", "Too big for a bundle")


# ---- papers ---------------------------------------------------------------------------------------------------------


def test_a_vin_typed_by_hand_is_marked_so_and_checked(inside: Browser, page: Shown, desk: FakeDesk) -> None:
    desk.car["vin"] = ""
    inside.see(".state h2", "The car does not tell its VIN")
    inside.driver.execute_script("location.hash = '#papers'")
    assert inside.see("#by_hand").is_selected()
    inside.see("#technician").send_keys("Wang Fang")
    inside.see("#plate").send_keys("京A·12345")
    inside.see("#vin").send_keys("WVWZZZ1KZIOQ00001")
    inside.click("#install button[type=submit]")
    inside.see("#install-problem", "17 letters and digits, without I, O and Q")
    assert inside.focus().get_attribute("id") == "vin"
    assert inside.focus().get_attribute("aria-invalid") == "true"


def test_a_place_loaded_directly_knows_what_the_car_tells(inside: Browser, page: Shown) -> None:
    inside.open(f"{page.url}#papers")
    assert inside.see("#vin").get_attribute("value") == VIN
    inside.open(f"{page.url}#flash")
    inside.see(".drop")
    assert inside.driver.find_elements("id", "typed-vin") == []


def test_a_photo_stays_here_and_its_hash_goes(inside: Browser, page: Shown, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"abc")
    go(inside, "papers")
    inside.see("#install")
    inside.driver.find_element("id", "photo").send_keys(str(tmp_path / "photo.jpg"))
    inside.see("#photo-name", "photo.jpg · ba7816bf")  # SHA-256 of "abc" (FIPS 180-2, appendix B.1)


# ---- how it looks, and for whom -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "language"), [(PHONE, "en"), (PHONE, "zh"), (SMALL_PHONE, "en"), (DESK, "zh")])
def test_nothing_has_to_be_scrolled_sideways_or_is_too_small_for_a_glove(
    inside: Browser, page: Shown, size: tuple[int, int], language: str
) -> None:
    inside.size(size)
    speak(inside, page, language)
    for place in PLACES:
        go(inside, place)
        assert not inside.is_too_wide(), place
        assert inside.driver.execute_script(SMALL) == [], place
    width, height = struct.unpack(">II", inside.picture()[16:24])
    assert (width, height) == size


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_everybody_can_use_it(inside: Browser, page: Shown, desk: FakeDesk, theme: str, language: str) -> None:
    inside.theme(theme)
    desk.car.update({"link": "down", "vin": ""})
    speak(inside, page, language)
    for place in (*PLACES, "live/no_bus", "live/no_signal"):
        go(inside, place)
        assert inside.faults() == [], (place, theme)
    assert inside.driver.execute_script("return document.documentElement.lang") == (
        "zh-CN" if language == "zh" else "en"
    )
    assert inside.complaints() == []


def test_everybody_can_come_in(browser: Browser, tmp_path: Path) -> None:
    with shown(tmp_path) as page:
        browser.open(page.url)
        browser.type("#pin", "1", Keys.ENTER)
        browser.see(".state.bad", "Wrong PIN")
        for theme in ("light", "dark"):
            browser.theme(theme)
            assert browser.faults() == [], theme


def test_a_keyboard_is_enough(inside: Browser) -> None:
    inside.driver.execute_script("document.getElementById('skip').focus()")
    seen = ["skip"]
    while seen[-1] != "flash" and len(seen) < 9:
        inside.focus().send_keys(Keys.TAB)
        focus = inside.focus()
        seen.append(focus.get_attribute("id") or focus.get_attribute("href").rpartition("#")[2])
        assert float(focus.value_of_css_property("outline-width").removesuffix("px")) >= 2, seen
    assert seen == ["skip", "language", "live", "check", "flash"]
    inside.focus().send_keys(Keys.ENTER)
    inside.see("main h1", "Flash a configuration")
    inside.until(lambda: inside.focus().text == "Flash a configuration", "the heading's focus")
    inside.focus().send_keys(Keys.TAB)
    assert inside.focus().get_attribute("id") == "bundle"
    inside.driver.execute_script("document.getElementById('skip').focus()")
    inside.focus().send_keys(Keys.ENTER)
    assert inside.focus().text == "Flash a configuration"


def test_the_other_language_is_one_touch_away_and_stays(inside: Browser, page: Shown) -> None:
    inside.click("#language")
    inside.see("main h1", "当前车辆")
    inside.see(".chip", "一切正常")
    go(inside, "check")
    inside.see("main h1", "安装是否合格")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param("12, the highest that proved itself here is none", "12，本终端已验证的最高版本为 无", id="not the shorter"),  # noqa: RUF001  (as Chinese has it)
        pytest.param("KZ is none", "KZ 不是有效的车架号", id="the shorter"),
        pytest.param("97 frames/s, 2 % of 500000 bit/s, as tbox run hears it", "97 帧/秒，占 500000 bit/s 的 2 %，由 tbox run 收到", id="parts"),  # noqa: RUF001  (the same)
        pytest.param("nobody translated this", "nobody translated this", id="unknown"),
    ],
)  # fmt: skip
def test_of_two_sentences_that_fit_the_one_that_says_more_is_taken(
    inside: Browser, page: Shown, words: str, said: str
) -> None:
    speak(inside, page, "zh")
    script = "const [words, done] = arguments; import('/static/words.js').then((room) => done(room.phrase(words)));"
    assert inside.driver.execute_async_script(script, words) == said


def test_a_page_loaded_anew_is_still_in_and_keeps_no_secret(inside: Browser, page: Shown) -> None:
    inside.driver.refresh()
    inside.see("#signal-speed")
    kept = inside.driver.execute_script("return Object.keys(localStorage).sort()")
    assert set(kept) <= {"language", "technician"}
