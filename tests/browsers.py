"""Chromium without a screen: what a phone or a laptop in the yard shows, looked at and walked through by keyboard."""

import base64
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import axe_core_python
import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

WAIT_S = 30.0
LOOK_S = 0.05
"""Between two looks: a browser that is asked without a pause takes the core from what is waited for."""

CHILD_S = 120.0
"""For what another command of ours does meanwhile, on a busy machine."""

PHONE, SMALL_PHONE, DESK = (390, 844), (320, 568), (1280, 900)
AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
FOUND = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: arguments[0]}).then((told) => done(told.violations.map((one) =>
  `${one.id}: ${one.nodes.map((node) => node.target + " " + node.failureSummary).join(" | ")}`)));
"""
DROP = """
const [zone, name, content] = arguments;
const carried = new DataTransfer();
carried.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name));
zone.dispatchEvent(new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true}));
"""
WIDTH = "return [Math.max(...[...document.querySelectorAll('html, main')].map((one) => one.scrollWidth)), innerWidth]"
FLAGS = ("--headless=new", "--no-sandbox", "--ignore-certificate-errors", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en",
         "--disable-background-networking", "--disable-component-update", "--no-first-run")  # fmt: skip

Told = TypeVar("Told")


class Browser:
    """One window of Chromium."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.size(PHONE)
        self.theme("light")

    def size(self, pixels: tuple[int, int]) -> None:
        """A screen of this width and height."""
        told = {"width": pixels[0], "height": pixels[1], "deviceScaleFactor": 1, "mobile": pixels[0] < 800}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", told)

    def theme(self, name: str) -> None:
        """Light or dark."""
        feature = {"name": "prefers-color-scheme", "value": name}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature, still]})

    def open(self, url: str) -> None:
        """Another page; nothing is left of the one before."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def forget(self) -> None:
        """No cookies."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def see(self, selector: str, words: str = "", wait_s: float = WAIT_S) -> WebElement:
        """The element of this selector with these words in it, once it is there."""

        def look() -> WebElement | None:
            found = self.driver.find_elements(By.CSS_SELECTOR, selector)
            return next((one for one in found if words in one.text), None)

        return self.until(look, f"{selector} with {words!r}", wait_s)

    def found(self, selector: str) -> list[WebElement]:
        """All there are."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, selector: str, words: str = "") -> None:
        """A finger on it; drawn anew meanwhile, it is looked for again."""

        def press() -> bool:
            self.see(selector, words).click()
            return True

        self.until(press, f"a click on {selector}")

    def type(self, selector: str, *keys: str) -> None:
        """Type into it; drawn anew meanwhile, it is looked for again."""

        def press() -> bool:
            self.see(selector).send_keys(*keys)
            return True

        self.until(press, f"typing into {selector}")

    def until(self, look: Callable[[], Told | None], what: str, wait_s: float = WAIT_S) -> Told:
        """Wait for it."""
        end_s = time.monotonic() + wait_s
        while True:
            try:
                if found := look():
                    return found
            except (StaleElementReferenceException, NoSuchElementException):
                pass
            assert time.monotonic() < end_s, f"waited for {what}; there is: {self.text()}"
            time.sleep(LOOK_S)

    def drop(self, zone: WebElement, name: str, content: bytes) -> None:
        """A file of this name, dragged there from a folder."""
        self.driver.execute_script(DROP, zone, name, base64.b64encode(content).decode())

    def text(self) -> str:
        """All that can be read."""
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    def focus(self) -> WebElement:
        """What the keyboard is on."""
        return self.driver.switch_to.active_element

    def is_too_wide(self) -> bool:
        """Whether one would have to scroll sideways."""
        width, seen = self.driver.execute_script(WIDTH)
        return bool(width > seen)

    def faults(self) -> list[str]:
        """What axe finds: labels, roles, contrast, order of headings ..."""
        if not self.driver.execute_script("return 'axe' in window"):
            self.driver.execute_script(AXE.read_text(encoding="utf-8"))
        return list(self.driver.execute_async_script(FOUND, TAGS))

    def complaints(self) -> list[str]:
        """What the browser itself says is wrong: scripts that failed, policies that were broken."""
        return [
            line["message"]
            for line in self.driver.get_log("browser")
            if "Failed to load resource" not in line["message"]
        ]

    def picture(self) -> bytes:
        """PNG of what is seen."""
        told: dict[str, Any] = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        return base64.b64decode(told["data"])


@contextmanager
def chromium() -> Iterator[Browser]:
    if not shutil.which("chromedriver"):
        pytest.skip("chromedriver is not installed")
    browser = Browser()
    try:
        yield browser
    finally:
        browser.driver.quit()
