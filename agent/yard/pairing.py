"""The files of a pairing in the state folder: the code that is open, and what the box is bound to.

    pairing.json   {code, kernel, boot_us, utc_us}: the one-time code and when it was made; gone once it was used
    binding.json   binding.py's Bond; the daemon looks at it once a second

A binding is written before the code goes. When the power goes between the two the same document is taken again.
"""

import json
import secrets
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import msgspec

from agent.errors import InputError, SettingsError, StorageError
from agent.files import give, replace_file, sync_folder
from agent.outbox.store import STORE_NAME, read_reserve
from agent.settings import Settings
from agent.trust import trust
from agent.world import clock
from agent.world.clock import Stamp
from agent.yard.binding import CODE_LENGTH, CODE_LETTERS, FREE, Binding, Bond, accepted, hash_of, parse_bond

CODE_NAME, BOND_NAME = "pairing.json", "binding.json"
FILE_BYTES_MAX = 1 << 16
CODE_US = 7 * 86_400_000_000
"""So long a code is good; where no clock tells, until it is used or there is a newer one."""


def device_in(state: Path) -> bytes:
    """Whose account is in the state folder. InputError: there is none yet."""
    device = bytes.fromhex(read_reserve(state / STORE_NAME).device)
    if not device:
        raise InputError(f"{state}: there is no account here yet; start tbox run once")
    return device


def open_code(state: Path) -> str:
    """The code that is open; empty: none is, or it is too old."""
    try:
        told = json.loads((state / CODE_NAME).read_bytes())
        made, code = Stamp(told["kernel"], told["boot_us"], told["utc_us"]), str(told["code"])
        gone_us = made.gone_us(clock.stamp())
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    return code if gone_us is None or gone_us <= CODE_US else ""


def new_code(state: Path) -> str:
    """Another one; the one before is good for nothing from now on. StorageError."""
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    _write(state / CODE_NAME, json.dumps({"code": code} | asdict(clock.stamp())).encode())
    return code


def bond_in(state: Path) -> Bond:
    """What the box is bound to. SettingsError: the file is damaged; StorageError: it cannot be read."""
    path = state / BOND_NAME
    try:
        with path.open("rb") as file:
            return parse_bond(file.read(FILE_BYTES_MAX))
    except FileNotFoundError:
        return FREE
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}; run this as the user who runs tbox") from None
    except ValueError as why:
        raise SettingsError(f"{path}: damaged ({why}); remove it, and give the box its binding again") from None


def accept(settings: Settings, raw: bytes, now_us: int | None) -> Bond:
    """Take a binding, whichever way it came, and keep it. BundleError: why not; StorageError: it cannot be kept.

    `now_us`: UTC that somebody vouches for. Taking the same one again changes nothing.
    """
    state = Path(settings.device.state_dir)
    before, device, code = bond_in(state), device_in(state), open_code(state)
    after = accepted(raw, device, code, before, trust.load(settings), now_us)
    if after != before:
        keep(state, after)
    elif code and Binding.parse(raw).form.code == hash_of(code, device):
        _spend(state)  # the power went before it could be
    return after


def keep(state: Path, bond: Bond) -> None:
    """From now on the box is bound so, and the code is used. StorageError."""
    _write(state / BOND_NAME, msgspec.json.encode(bond))
    _spend(state)


def _spend(state: Path) -> None:
    """The code is used."""
    with suppress(OSError):
        (state / CODE_NAME).unlink(missing_ok=True)
        sync_folder(state)


def stamp_of(state: Path) -> tuple[int, int, int]:
    """Changes when the binding does."""
    try:
        status = (state / BOND_NAME).stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_ino, status.st_size)


def _write(path: Path, content: bytes) -> None:
    try:
        replace_file(path, content)
        give(path, path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}; run this as the user who runs tbox") from None
