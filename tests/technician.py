"""From a bare box to a proven installation, as a technician would: by command line, then in Chromium; each step timed.

    python -m tests.technician [--shipped] [--shots FOLDER] [cli] [browser]

A running agent on a recorded car, a fleet that signs, a platform that binds. `--shipped` takes the shipped times of a
trial (the car listened to for 20 s, 60 s until a configuration has proved itself) in place of short ones.
"""

import argparse
import base64
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from agent import pairing
from agent.binding import Binding, hash_of
from tests.browsers import Browser, chromium
from tests.fleets import ANNA, BEN, NOON_US
from tests.service_pages import Shown, shown
from tests.supervised import Supervised
from tests.yards import VIN, Yard, daemon, until, van

WAYS = ("cli", "browser")
PATIENT_S = 240.0
"""A shipped trial on a busy machine."""

SHORT, LONG = "check_s = 1.0\nhealthy_s = 2.5", "check_s = 20.0\nhealthy_s = 60.0"


class Steps:
    """What each step took, in order."""

    def __init__(self, way: str) -> None:
        self._way = way
        self._taken_s: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one."""
        begin_s = time.monotonic()
        yield
        self._taken_s[name] = time.monotonic() - begin_s
        print(f"  {name:40} {self._taken_s[name]:6.1f} s", flush=True)

    def told(self) -> str:
        """The whole, and what took longest."""
        longest = max(self._taken_s, key=lambda name: self._taken_s[name])
        whole_s = sum(self._taken_s.values())
        return f"{self._way}: {whole_s:.1f} s; longest: {longest}, {self._taken_s[longest]:.1f} s"


def bound(yard: Yard) -> Path:
    """The platform answers to the code that is open: its signed binding, as a stick brings it."""
    device, code = pairing.device_in(yard.state_dir), pairing.open_code(yard.state_dir)
    made = Binding.new(
        binding="b-1", state="bound", device=device.hex(), vin=VIN, owner="Ann", code=hash_of(code, device), not_before_us=NOON_US
    )  # fmt: skip
    path = yard.folder / "binding.json"
    path.write_bytes(made.signed(ANNA).signed(BEN).text())
    return path


def by_command(yard: Yard) -> str:
    """The same box and car, at a prompt."""
    steps = Steps("command line")
    with steps.step("is the car heard (tbox read)"):
        until(lambda: VIN in yard.run("read", "--json").stdout, "the car")
    with steps.step("flash, trial and proof"):
        flashed = yard.flash(yard.bundle("van.tbx", van(12)))
        assert flashed.outcome.get("state") == "running", flashed.words
    with steps.step("doctor (10 s of listening)"):
        checks = yard.folder / "checks.json"
        checks.write_text(yard.run("doctor", "--json").stdout)
        assert any(check["verdict"] == "PASS" for check in json.loads(checks.read_text())["checks"])
    with steps.step("pairing: code, answer"):
        assert yard.run("pair", "code", "--json").returncode == 0
        assert yard.run("pair", "accept", bound(yard)).returncode == 0
    with steps.step("install certificate"):
        done = yard.run("install", "record", "--technician", "Wang Fang", "--plate", "M-TB 1", "--checks", checks)
        assert done.returncode == 0, done.stderr
    with steps.step("certificate as a page"):
        page = yard.folder / "certificate.html"
        done = yard.run("install", "certificate", "-o", page)
        assert VIN in page.read_text(), done.stderr
    return steps.told()


def by_browser(yard: Yard, browser: Browser, shots: Path | None) -> str:
    """The same in the browser of a phone."""
    steps = Steps("browser")

    def shot(name: str) -> None:
        if shots is not None:
            (shots / f"{name}.png").write_bytes(browser.picture())

    with shown(yard.state_dir, config=yard.config) as page:
        with steps.step("scan the QR, come in"):
            browser.open(qr_of(page))
            browser.see("#places a")
        with steps.step("is the car heard"):
            browser.see(".facts", VIN)
            browser.see(".way .done", "Car heard")
            shot("1-heard")
        with steps.step("bring the bundle, see the difference"):
            browser.click("#places a", "Flash")
            browser.see(".drop")
            browser.driver.find_element("id", "bundle").send_keys(str(yard.bundle("van.tbx", van(12))))
            browser.see("#difference", "trip.end_s", PATIENT_S)
            browser.see("#go", "", PATIENT_S)
            shot("2-difference")
        with steps.step("flash, trial and proof"):
            browser.click("#go")
            browser.see(".state", "Installed and proved", PATIENT_S)
            shot("3-installed")
        with steps.step("doctor (10 s of listening)"):
            browser.click("#places a", "Check")
            browser.click("#examine")
            browser.see("#doctor .state", "good,", PATIENT_S)
            shot("4-checked")
        with steps.step("pairing: code, answer"):
            browser.click("#places a", "Papers")
            browser.click("#pair")
            browser.see(".figures", "", PATIENT_S)
            shot("5-pairing")
            assert yard.run("pair", "accept", bound(yard)).returncode == 0
        with steps.step("install certificate"):
            browser.see("#technician").send_keys("Wang Fang")
            browser.see("#plate").send_keys("M-TB 1", Keys.ENTER)
            browser.see(".state.good", "Certified", PATIENT_S)
            shot("6-certified")
        with steps.step("certificate as a page"):
            browser.driver.get(browser.see("a.go", "Show and print").get_attribute("href"))
            browser.until(lambda: VIN in browser.text(), "the certificate")
            shot("7-certificate")
        browser.open(f"{page.url}#live")
        browser.see(".way .done", "Paired")
        shot("8-proven")
    return steps.told()


def qr_of(page: Shown) -> str:
    """What the QR says."""
    digest = base64.urlsafe_b64encode(bytes.fromhex(page.fingerprint)).rstrip(b"=").decode()
    return f"{page.url}#sha256={digest}&pin={page.pin.replace(' ', '')}"


def main() -> None:
    """Both ways, each from a bare box."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", metavar="cli|browser", help="default: both")
    parser.add_argument("--shipped", action="store_true", help="the shipped times of a trial")
    parser.add_argument("--shots", type=Path, metavar="FOLDER", help="pictures of each step")
    asked = parser.parse_args()
    told = []
    for way in asked.ways or WAYS:
        print(f"{way}:", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            yard = Yard(Path(folder), seconds=600)
            yard.config.write_text(yard.config.read_text().replace(SHORT, LONG if asked.shipped else SHORT))
            with Supervised(Path(folder), list(daemon(yard))):
                until((yard.state_dir / "desk.sock").exists, "the agent")
                if way == "cli":
                    told.append(by_command(yard))
                else:
                    with chromium() as browser:
                        told.append(by_browser(yard, browser, asked.shots))
    print("\n".join(told))


if __name__ == "__main__":
    main()
