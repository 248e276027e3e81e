"""`tbox doctor`: is this box well installed? Listens and tries for a while; one line a check, with the fix."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.desk import asking_desk
from agent.doctor import beside, checkup, checkup_terminal
from agent.doctor.beside import Held
from agent.doctor.certificate import CertificateError, ends_in
from agent.doctor.checkup import Check
from agent.doctor.fitting import best
from agent.doctor.gathering import Gathered, gather
from agent.doctor.tap import progress, step_lines
from agent.errors import TboxError
from agent.ledger.key import KEY_NAME, device_of
from agent.ledger.key_chain import Chain, chain_of
from agent.maps import maps
from agent.outbox.key_files import handovers_in, place_of
from agent.outbox.store import STORE_NAME, DamagedError, read_reserve
from agent.rights import spool
from agent.run import has_source
from agent.settings import Settings
from agent.uplink.roundtrip import send
from agent.vehicle import Table
from agent.world import clock

PROBE_BYTES = 4096
NOTHING_S, LOOK_S = 0.1, 0.5
"""Where there is nothing to listen to; how often the running agent is asked."""

MOVES_MPS = 0.5


def doctor(settings: Settings, seconds: float, *, as_json: bool, as_steps: bool = False) -> int:
    """The command. 0: nothing fails; 1: something does, a device or a broker that is not there too. SettingsError.

    `as_steps`: JSON Lines while it goes on, {"step": words} and {"check": ...} each as it is known.
    """
    tell = step_lines() if as_steps else progress()
    checks: list[Check] = []
    try:
        for check in examine(settings, seconds, tell):
            checks.append(check)
            if as_steps:
                told = asdict(check) | {"decides": not checkup.waits(check.name, check.words)}
                print(json.dumps({"check": told}, ensure_ascii=False), flush=True)
    finally:
        tell("")
    failures = sum(check.verdict == "FAIL" for check in checks)
    if as_json and not as_steps:
        print(json.dumps({"checks": [asdict(check) for check in checks], "failed": failures}, ensure_ascii=False))
    elif not as_steps:
        print("\n".join(lines(checks)))
    return 1 if failures else 0


def lines(checks: list[Check]) -> Iterator[str]:
    """One a check, names below each other."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        fix = f"; fix: {check.fix}" if check.fix else ""
        yield f"{check.verdict}  {check.name:{width}}  {check.words}{fix}"


# ---- verdicts -------------------------------------------------------------------------------------------------------


def examine(settings: Settings, seconds: float, tell: Callable[[str], None]) -> Iterator[Check]:
    """All of them, the car's first. SettingsError.

    Where `tbox run` runs, what only one process can have is its own: it is asked what it hears. Nothing is asked of the
    car then.
    """
    table, state_dir = maps.load(Path(settings.vehicle.map)), Path(settings.device.state_dir)
    if spool.is_running(state_dir):
        before = asking_desk.answered(state_dir, "read")
        left, held = beside.leave(settings, before)
        gathered = gather(left, table, seconds, tell) if has_source(left) else gather(left, table, NOTHING_S, _unsaid)
        yield from beside.merged(list(car(left, gathered)), _told(settings, table, held, before, seconds, tell), held)
    else:
        gathered = gather(settings, table, seconds, tell)
        yield from car(settings, gathered)
    tell("calling the broker, looking at the terminal")
    yield from terminal(settings, has_gnss=bool(gathered.hearing.fixes))


def _told(
    settings: Settings, table: Table, held: Held, before: Mapping[str, Any], seconds: float, tell: Callable[[str], None]
) -> list[Check]:
    """What the agent knows, once it knows all or `seconds` have gone."""
    state_dir, until_s, read = Path(settings.device.state_dir), time.monotonic() + seconds, before
    while not (read and beside.is_enough(read, held)) and time.monotonic() < until_s:
        tell("asking tbox run what it hears")
        time.sleep(LOOK_S)
        read = asking_desk.answered(state_dir, "read")
    if not read:
        return beside.mute(held)
    found = beside.checks(held, before, read, table, floor_v=settings.power.floor_v, may_ask=_may_ask(settings))
    return list(found)


def _unsaid(_words: str) -> None:
    """Nothing goes on that anybody waits for."""


def _may_ask(settings: Settings) -> bool:
    is_allowed = any(not can.listen_only for can in settings.can) or bool(settings.elm)
    return is_allowed and settings.obd.ask != "never"


def car(settings: Settings, gathered: Gathered) -> Iterator[Check]:
    """What the car says and the sensors feel."""
    hearing, seconds = gathered.hearing, gathered.seconds
    for line in gathered.lines:
        bus = hearing.buses.get(line.can.number)
        yield checkup.check_bus(line.can.channel, bus, seconds, bitrate=line.can.bitrate, missing=line.missing)
    if settings.recording.paths:
        bus = hearing.buses.get(0)
        yield checkup.check_bus("recording", bus, seconds)
    elif not gathered.lines and not settings.elm:
        yield checkup.skipped("bus", "no [[can]] is set")
    yield checkup.check_map(gathered.fitter.fit(), hearing.frames, _better(gathered))
    for port, state in gathered.adapters.items():
        yield checkup.check_adapter(port, state)
    yield checkup.check_vin(list(hearing.texts), may_ask=_may_ask(settings))
    yield checkup.check_speed(gathered.samples)
    moves = any((sample.value("speed") or 0.0) > MOVES_MPS for sample in gathered.samples)
    yield checkup.check_imu(list(hearing.forces), is_fitted=bool(settings.imu.device), moves=moves)
    has_receiver = bool(settings.gnss.gpsd or settings.gnss.port)
    yield checkup.check_gnss(list(hearing.fixes), gathered.now_us, is_fitted=has_receiver)
    volts = [volt for sample in gathered.samples if (volt := sample.value("battery")) is not None]
    yield checkup.check_voltage(volts, settings.power.floor_v)
    for name in gathered.missing:
        if name not in ("imu", "gnss", *gathered.adapters):
            yield checkup.failed(name, "the device is not there", "plug it in; tbox run says more in its log")


def _better(gathered: Gathered) -> str:
    """The file of a shipped map that fits; empty: none does."""
    fits = {name: fitter.fit() for name, fitter in gathered.others.items()}
    fit = best(list(fits.values()))
    return next((name for name, other in fits.items() if other is fit), "")


def terminal(settings: Settings, *, has_gnss: bool) -> Iterator[Check]:
    """Broker, flash, clock, certificates."""
    folder = Path(settings.device.state_dir)
    yield from _broker(settings, folder)
    yield _store(folder)
    yield checkup_terminal.check_clock(clock.read_clocks(), has_gnss=has_gnss)
    yield _disk(folder, settings.store.budget_mb * 1_000_000)
    if settings.camera.source:
        from agent.camera.camera import plan_of  # noqa: PLC0415  (few have one)
        from drivers.camera.picture import why_no_picture  # noqa: PLC0415

        yield checkup_terminal.check_camera(settings.camera.source, why_no_picture(plan_of(settings, 0)))
    if settings.mqtt.tls:
        for name in ("cert_file", "ca_file"):
            path = getattr(settings.mqtt, name)
            yield _certificate(name, path) if path else checkup.skipped(f"mqtt.{name}", "none is set")


def _broker(settings: Settings, folder: Path) -> Iterator[Check]:
    """The key that gives the name; there and back under it, and what the platform says."""
    found, told = _key(settings, folder)
    yield told
    device = settings.device.name or found
    if not device:
        yield from (checkup.skipped(name, "without a key this terminal has no name") for name in ("broker", "receipt"))
        return
    confirm = settings.uplink.confirm
    trip = send(settings.mqtt, device, wants_receipt=confirm == "receipt", memory=folder / "broker.json")
    yield checkup_terminal.check_broker(trip)
    if trip.failure:
        yield checkup.skipped("receipt", "the broker is out of reach")
        return
    made = 0
    with suppress(DamagedError, OSError):
        made = read_reserve(folder / STORE_NAME).seq
    yield checkup_terminal.check_receipt(trip.receipt, confirm=confirm, made=made)


def _key(settings: Settings, folder: Path) -> tuple[str, Check]:
    """The id of the device whose key is in force, empty: not known; and what is to be said of the key.

    A key is not made here: it would belong to whoever types this.
    """
    name = "device key"
    try:
        is_none = not settings.device.key and not (folder / KEY_NAME).exists()
        place, links = place_of(settings.device.key, folder), handovers_in(folder)
        chain = chain_of(links[0].device, links) if links else Chain(b"")
        key = None if is_none else place.find(device_of(chain.publics[-1]) if links else b"", chain.device)
    except OSError as why:
        return "", checkup.skipped(name, f"{folder}: {why.strerror}: only the user who runs tbox may look")
    except TboxError as fault:
        words, _, fix = str(fault).partition("; ")
        return "", checkup.failed(name, words, fix)
    if key is None and links:
        fix = "put it back, or move the whole folder away to start as a new device"
        return "", checkup.failed(name, f"that of device {chain.device.hex()} is not in {place}", fix)
    if key is None:
        return "", checkup.skipped(name, f"there is none in {place} yet: tbox run makes it")
    return key.device.hex(), checkup.passed(name, f"device {key.device.hex()}, key in {place}")


def _store(folder: Path) -> Check:
    """Write, sync, and take away again."""
    path = folder / f".doctor-{os.getpid()}"
    begun_s = time.monotonic()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, bytes(PROBE_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
            path.unlink()
    except OSError as why:
        return checkup_terminal.check_store(str(folder), None, f"cannot be written: {why.strerror}")
    return checkup_terminal.check_store(str(folder), (time.monotonic() - begun_s) * 1000, "")


def _disk(folder: Path, budget_bytes: int) -> Check:
    """Room for the store, as it is and as it may become."""
    try:
        disk = os.statvfs(folder)
        used_bytes = sum(path.stat().st_size for path in folder.glob(f"{STORE_NAME}*"))
    except OSError as why:
        return checkup.failed("disk", f"{folder}: {why.strerror}", "make the folder: start tbox run once")
    return checkup_terminal.check_disk(disk.f_bavail * disk.f_frsize, used_bytes, budget_bytes)


def _certificate(name: str, path: str) -> Check:
    """One file of certificates."""
    now, what = datetime.now(UTC), f"mqtt.{name}"
    try:
        return checkup_terminal.check_certificate(what, ends_in(Path(path)), now)
    except OSError as why:
        return checkup_terminal.check_certificate(what, (), now, f"{path}: cannot be read: {why.strerror}")
    except CertificateError as why:
        return checkup_terminal.check_certificate(what, (), now, f"{path}: {why}")
