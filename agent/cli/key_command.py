"""`tbox key`: what the keys of a terminal are, a new one, and the fleet's word for them. No secret is ever printed."""

import json as json_text
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from agent import __version__
from agent.codec import DEVICE_BYTES, Record, decode
from agent.errors import InputError, SettingsError, StorageError, UsageError
from agent.files import replace_file
from agent.ledger.fleet import CERTIFICATE_NAME, FILE_BYTES_MAX, Certificate
from agent.ledger.key import KEY_BYTES, device_of, load, load_or_make
from agent.ledger.key_chain import LINKS_MAX, Chain, chain_of, links_in
from agent.maps import maps
from agent.outbox.key_files import certificate_of, handovers_in, open_key, place_of
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import vouched_of
from agent.outbox.store import STORE_NAME, guarded, open_readable
from agent.rights.trips import public_of
from agent.settings import Settings
from agent.trip.resume import left_by
from agent.uplink.opening import ledger_of
from agent.world import clock


def show(settings: Settings, *, json: bool) -> int:
    """The keys so far, newest last, and the certificate; also beside the running daemon. InputError: no account yet."""
    state = Path(settings.device.state_dir)
    chain, certificate = _stored(state), certificate_of(state)
    keys = [{"key": public.hex(), "id": device_of(public).hex()} for public in chain.publics]
    told = {
        "device": chain.device.hex(),
        "key": chain.publics[-1].hex(),
        "keys": keys,
        "in": settings.device.key or str(place_of("", state)),
        "certificate": json_text.loads(certificate.text()) if certificate else None,
    }
    if json:
        print(json_text.dumps(told))
        return 0
    print(f"device      {told['device']}\nkey         {told['key']}\nin          {told['in']}")
    for number, link in enumerate(chain.links, 1):
        print(f"rotation {number}  at seq {link.seq}: {device_of(link.body['public']).hex()} ({link.body['reason']})")
    print(f"certificate {f'{certificate.name}, by fleet key {certificate.fleet.hex()}' if certificate else 'none'}")
    return 0


def rotate(settings: Settings, reason: str) -> int:
    """Hand over to a new key. The daemon must not run: StorageError says who holds the store."""
    state = Path(settings.device.state_dir)
    if not (state / STORE_NAME).is_file():
        raise InputError(f"{state}: there is no account here whose key could be replaced; start tbox run once")
    table = maps.load(Path(settings.vehicle.map))
    with closing(Outbox.open(state / STORE_NAME, settings.store.budget_mb * 1_000_000)) as outbox:
        place = place_of(settings.device.key, state)
        old, chain = open_key(place, state, outbox)
        if outbox.tail().next_seq == 0:
            raise InputError(f"{state}: there is no account here whose key could be replaced; start tbox run once")
        if len(chain.links) >= LINKS_MAX:
            raise SettingsError(f"{state}: the key was replaced {LINKS_MAX} times, which is as often as it can be")
        ledger = ledger_of(settings, table, outbox, old, chain)
        now_us = clock.boot_us()
        records: list[Record] = []
        if outbox.boot != outbox.tail().boot:
            left = left_by(outbox.recovered())
            body = {"software": f"tbox {__version__}", "vehicle": table.name, "recorded": False}
            records += ledger.start(now_us, body | {"is_clean": left is None or left.is_clean})
        new = place.make(old.device)
        outbox.append(records + ledger.rotate(now_us, new, reason))
        open_key(place, state, outbox)
    print(f"device {old.device.hex()} has a new key from seq {outbox.tail().next_seq} on\nkey {new.public.hex()}")
    return 0


def accept(settings: Settings, file: Path) -> int:
    """Put a certificate into the state folder, when it is one for this device. InputError: it is not."""
    state = Path(settings.device.state_dir)
    certificate, chain = _read(file), _stored(state)
    if certificate.device != chain.device or certificate.public not in chain.publics:
        raise InputError(f"{file}: is for device {certificate.device.hex()}, this one is {chain.device.hex()}")
    with guarded(state):
        replace_file(state / CERTIFICATE_NAME, certificate.text())
    print(f"{certificate.name}: certified by fleet key {certificate.fleet.hex()}; the next start of tbox run tells it")
    return 0


def fleet(file: Path) -> int:
    """The fleet's key in this file, made when it is not there; its public half is printed."""
    print(load_or_make(file).public.hex())
    return 0


def certify(public: str, fleet_file: Path, name: str, device: str | None, output: Path) -> int:
    """Sign for a device's key. UsageError: what should be hex is not."""
    key = _hex(public, KEY_BYTES, "a public key")
    id_ = device_of(key) if device is None else _hex(device, DEVICE_BYTES, "a device's id")
    fleet_key = load(fleet_file)
    if fleet_key is None:
        raise InputError(f"{fleet_file}: there is no fleet key; `tbox key fleet` makes one")
    certificate = Certificate.signed(fleet_key, id_, key, name, time.time_ns() // 1000)
    try:
        output.write_bytes(certificate.text())
    except OSError as error:
        raise StorageError(f"{output}: cannot be written: {error.strerror}") from error
    print(f"{output}: device {id_.hex()} is {name}; on the terminal: tbox key accept {output.name}")
    return 0


def _stored(state: Path) -> Chain:
    """The keys as store and files tell them. InputError: there is no account yet."""
    path = state / STORE_NAME
    with closing(open_readable(path)) as connection, guarded(path):
        public, told = public_of(connection), vouched_of(connection, state)
        device = _device(connection)
    chain = chain_of(device, [*handovers_in(state), *links_in(device, told.get("chain"))], [public] if public else [])
    if not chain.publics:
        raise InputError(f"{path}: there is no account here yet; start tbox run once")
    return chain


def _device(connection: sqlite3.Connection) -> bytes:
    """Whose account it is; empty: nobody's yet."""
    for (raw,) in connection.execute("SELECT raw FROM records WHERE raw IS NOT NULL ORDER BY seq DESC LIMIT 1"):
        return decode(raw).device
    return b""


def _read(file: Path) -> Certificate:
    try:
        with file.open("rb") as opened:
            return Certificate.parse(opened.read(FILE_BYTES_MAX))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _hex(told: str, size: int, what: str) -> bytes:
    try:
        found = bytes.fromhex(told)
    except ValueError:
        found = b""
    if len(found) != size:
        raise UsageError(f"{what} has {2 * size} hex digits, as `tbox key show` prints it")
    return found
