"""`tbox service`: shows the technician's page until nobody is there any more, or Ctrl-C."""

import argparse
import asyncio
import json
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from agent.errors import StorageError
from agent.files import replace_file
from agent.ledger.key import KEY_NAME, load
from agent.service.address import Place, choose, listen
from agent.service.card import card
from agent.service.certificate import Certificate, open_certificate
from agent.service.door import Door
from agent.service.files import files
from agent.service.house import House
from agent.service.jobs import Jobs
from agent.service.run import Run, Shown, renew_pin, shown_now
from agent.service.web import server
from agent.settings import Settings
from drivers.hook import Hook

LOOK_S = 0.5

log = logging.getLogger("tbox.service")


def run(asked: argparse.Namespace, settings: Settings) -> int:
    """The command. UsageError, SettingsError, StorageError, DeviceAbsentError."""
    folder = Path(settings.device.state_dir)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if asked.new_pin:
        show(asked, settings, shown_now(folder), renew_pin(folder))
        return 0
    interface = asked.interface or ("" if asked.address else settings.service.interface)
    place = choose(interface, asked.address or "", asked.open_to_all)
    with closing(Run(folder)) as held:
        certificate = open_certificate(folder, _name(settings))
        port = settings.service.port if asked.port is None else asked.port
        with listen(place, port) as listening:
            page = Shown(f"https://{place.host}:{listening.getsockname()[1]}/", certificate.fingerprint)
            held.tell(page)
            if asked.open_to_all:
                log.warning("%s is open to all: %s", page.url, asked.open_to_all)
            house = _house(asked, settings, place, page)
            opened = partial(_open, asked, settings, page)
            try:
                asyncio.run(_serve(house, certificate, listening, opened))
            finally:
                if asked.card:
                    Path(asked.card).unlink(missing_ok=True)
    print("the service page is closed", file=sys.stderr)
    return 0


def _open(asked: argparse.Namespace, settings: Settings, page: Shown) -> None:
    """It listens: print where, and the first PIN."""
    show(asked, settings, page, renew_pin(Path(settings.device.state_dir)))


def show(asked: argparse.Namespace, settings: Settings, page: Shown, pin: str) -> None:
    """Tell whoever called where the page is: on the terminal, as JSON, in a file; and on the box. StorageError."""
    name, minutes = _name(settings), _idle_s(asked, settings) / 60
    if asked.card:
        told = card(name, page, pin, minutes=minutes)
        try:
            replace_file(Path(asked.card), told.encode() + b"\n")
        except OSError as why:
            raise StorageError(f"{asked.card}: cannot be written: {why.strerror}") from None
    elif asked.json:
        print(json.dumps({"url": page.url, "pin": pin, "fingerprint": page.fingerprint}), flush=True)
    else:
        print(card(name, page, pin, minutes=minutes), flush=True)
    _display(settings, {"url": page.url, "fingerprint": page.fingerprint, "pin": pin, "card": asked.card or ""})


def _display(settings: Settings, words: Mapping[str, str]) -> None:
    """Run the command that shows it on the box, if there is one, and wait for it."""
    hook = Hook(settings.service.show, timeout_s=settings.service.show_timeout_s)
    hook.start(words)
    while hook.is_running:
        hook.tend(time.monotonic())
        time.sleep(LOOK_S / 10)


def _house(asked: argparse.Namespace, settings: Settings, place: Place, page: Shown) -> House:
    """All that the page stands on."""
    door = Door(settings.service.pin_tries, _idle_s(asked, settings), time.monotonic())
    options = [*(["--config", str(asked.config.absolute())] if asked.config else [])]
    options += [word for told in asked.sets for word in ("--set", told)]
    jobs = Jobs([sys.executable, "-m", "agent.cli"], options)
    port = page.url.rstrip("/").rpartition(":")[2]
    hosts = frozenset(f"{name}:{port}" for name in (place.host, *asked.name))
    return House(Path(settings.device.state_dir), door, jobs, hosts, files())


async def _serve(house: House, certificate: Certificate, listening: socket.socket, opened: Callable[[], None]) -> None:
    """Until a signal, or until nobody was there for long enough."""
    serving = server(house, certificate.context())
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    serving.add_socket(listening)
    opened()
    try:
        while not over.is_set() and house.door.left_s(time.monotonic()) > 0:
            if house.jobs.running is not None:
                house.touch()
            await asyncio.wait({asyncio.create_task(over.wait())}, timeout=LOOK_S)
    finally:
        serving.stop()
        await house.close()
        await serving.close_all_connections()


def _idle_s(asked: argparse.Namespace, settings: Settings) -> float:
    return settings.service.idle_s if asked.minutes is None else float(asked.minutes) * 60


def _name(settings: Settings) -> str:
    """What people call this box: its name, else its device id once it has one."""
    key = None if settings.device.name or settings.device.key else load(Path(settings.device.state_dir) / KEY_NAME)
    return settings.device.name or (key.device.hex() if key else "this box")
