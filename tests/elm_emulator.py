"""The ELM327 driver against an adapter somebody else wrote: the ELM327-emulator package, as `python -m tests.elm_emulator`.

Its licence is non-commercial, so it is never a dependency: it is installed into an environment of its own, which is
removed afterwards. Says what it tried, exit code 1 when something did not hold.
"""

import re
import select
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drivers.bus.diagnostic import Answer, Request
from drivers.elm.elm import Elm, open_elm
from drivers.errors import DeviceError

PACKAGE = "ELM327-emulator>=4,<5"
WAIT_S = 60.0
"""Its supply is a random number: a running engine may take a while."""

ASKED: dict[str, tuple[Request, str]] = {
    "speed": (Request(0x01, b"\x0d"), "410d.."),
    "engine speed": (Request(0x01, b"\x0c"), "410c...."),
    "coolant": (Request(0x01, b"\x05"), "4105.."),
    "supported PIDs": (Request(0x01, b"\0"), "4100.{8}"),
    "VIN": (Request(0x09, b"\x02"), "490201(3[0-9]|[45][0-9a-f]){17}"),
    "calibration ids": (Request(0x09, b"\x04"), "490402.{64}"),
    "stored codes": (Request(0x03), "43.*"),
    "pending codes": (Request(0x07), "47.*"),
    "engine alone": (Request(0x01, b"\x0d", to=0x7E0), "410d.."),
}
"""What is asked, and what the answer looks like in hexadecimal."""


@contextmanager
def emulator(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The emulator's port, and its process."""
    venv.create(folder / "venv", with_pip=True)
    pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check", PACKAGE]
    subprocess.run(pip, check=True)
    told = folder / "port"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(folder / "venv/bin/elm"), "-b", str(told), "-s", "car"], stdout=log, stderr=log, cwd=folder
        )
    try:
        late_s = time.monotonic() + WAIT_S
        while not (told.exists() and told.read_text().startswith("/dev/")):
            assert process.poll() is None, "the emulator does not start"
            assert time.monotonic() < late_s
            select.select([], [], [], 0.1)
        yield told.read_text().split("\n")[0], process
    finally:
        process.kill()
        process.wait()


def until(elm: Elm, is_done: Callable[[], bool]) -> bool:
    """Read until it is so, or too long."""
    late_s = time.monotonic() + WAIT_S
    while not is_done() and time.monotonic() < late_s:
        select.select([elm], [], [], 0.05)
        elm.read()
    return is_done()


def answer(elm: Elm, request: Request) -> Answer | None:
    """The first answer to this request."""
    answers: list[Answer] = []

    def is_answered() -> bool:
        answers.extend(elm.answers())
        if not answers:
            elm.ask(request)
        return bool(answers)

    elm.answers()
    until(elm, lambda: elm.ask(request) == "")
    return answers[0] if until(elm, is_answered) else None


def trials(port: str, process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bool]]:
    """What is tried, and whether it holds."""
    elm = open_elm(port, number=0)
    yield "a car is found", until(elm, lambda: elm.state == "car")
    print(elm.about)
    for name, (request, pattern) in ASKED.items():
        told = answer(elm, request)
        is_right = told is not None and told.ecu == 0x7E8 and re.fullmatch(pattern, told.payload.hex()) is not None
        yield f"{name}: {told.payload.hex() if told else 'no answer'}", is_right
    yield f"what went wrong: {elm.counters()}", elm.counters().get("refused", 0) == 0
    process.kill()
    try:
        until(elm, lambda: False)
        yield "its end is noticed", False
    except DeviceError as why:
        yield f"its end is noticed: {why}", True
    elm.close()


def main() -> int:
    """Try it all."""
    is_right = True
    with tempfile.TemporaryDirectory() as folder, emulator(Path(folder)) as (port, process):
        for name, holds in trials(port, process):
            print(f"{'PASS' if holds else 'FAIL'} {name}")
            is_right &= holds
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
