"""`tbox pair`: a box, a car and its owner are brought together, and parted."""

import hashlib
import json as json_text
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from agent.cli.bundle_command import signer, write
from agent.codec import DEVICE_BYTES
from agent.doctor.checkup import is_vin
from agent.errors import BundleError, InputError, UsageError
from agent.page import qr
from agent.settings import Settings
from agent.trust import trust
from agent.trust.document import DOCUMENT_BYTES_MAX
from agent.yard import pairing
from agent.yard.binding import Binding, Bond, hash_of, told_code, uri_of

DAYS = pairing.CODE_US // 86_400_000_000


def code(settings: Settings, output: Path | None, *, is_new: bool, json: bool) -> int:
    """Show the one-time code; one that is open is shown again, unless another one is wanted."""
    state = Path(settings.device.state_dir)
    device = pairing.device_in(state)
    told = (not is_new and pairing.open_code(state)) or pairing.new_code(state)
    uri = uri_of(device, told)
    if output is not None:
        write(output, qr.svg(uri).encode())
    if json:
        print(json_text.dumps({"device": device.hex(), "code": told_code(told), "uri": uri}))
        return 0
    if sys.stdout.isatty():
        print(qr.text(uri))
    print(f"device  {device.hex()}\ncode    {told_code(told)}   (once, within {DAYS} days)")
    print("Give both to the platform, or scan. Its answer comes over the network, or by `tbox pair accept FILE`.")
    return 0


def show(settings: Settings, *, json: bool) -> int:
    """What this box is bound to."""
    bond = pairing.bond_in(Path(settings.device.state_dir))
    if json:
        told = {"state": bond.state, "binding": bond.binding, "vin": bond.vin, "owner": bond.owner, "by": list(bond.by)}
        print(json_text.dumps(told, ensure_ascii=False))
    else:
        print(_words(bond))
    return 0


def accept(settings: Settings, file: Path) -> int:
    """Take the platform's signed binding. BundleError: why not."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(DOCUMENT_BYTES_MAX + 1)
        bond = pairing.accept(settings, raw, trust.now_us())
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except BundleError as why:
        raise BundleError(why.reason, f"{file}: {why}") from None
    print(_words(bond))
    return 0


def remove(settings: Settings, *, is_sure: bool) -> int:
    """Part the box from car and owner, here at the box. 1: not confirmed. InputError: it is not bound."""
    state = Path(settings.device.state_dir)
    bond = pairing.bond_in(state)
    if not bond.is_bound:
        raise InputError("this box is not bound; `tbox pair show` says what it is")
    if not is_sure:
        print(f'{_words(bond)}\nType "yes" to end that: ', end="", flush=True)
        if sys.stdin.readline().strip() != "yes":
            print("nothing was changed")
            return 1
    content = hashlib.sha256(b"removed at the box" + bond.content.encode()).hexdigest()
    gone = Bond(state="removed", binding=bond.binding, vin=bond.vin, by=("at the box",), content=content)
    pairing.keep(state, gone)
    print(_words(gone))
    return 0


def sign(told: dict[str, str], fleets: Sequence[Path], output: Path) -> int:
    """Write the signed binding, where the platform's key is kept. UsageError: the device's id is not hex."""
    words = dict(told)
    code_, device = words.pop("code"), _device(words["device"])
    hashed = hash_of(code_, device) if code_ else ""
    if not code_ and words["state"] == "bound":
        raise UsageError("a binding needs --code, as the box shows it with `tbox pair code`; --remove needs none")
    if words["vin"] and not is_vin(words["vin"]):
        raise UsageError(f"--vin {words['vin']}: a VIN has 17 letters and digits without I, O and Q; read it once more")
    made = Binding.new(**words, code=hashed, not_before_us=time.time_ns() // 1000)
    for fleet in fleets:
        made = made.signed(signer(fleet))
    write(output, made.text())
    print(f"{output}: {made.form.binding}, {made.form.state}; on the terminal: tbox pair accept {output.name}")
    return 0


def _words(bond: Bond) -> str:
    """A binding in a line."""
    car = f", car {bond.vin}" if bond.vin else ""
    match bond.state:
        case "bound":
            return f"bound: {bond.binding}{car}{f', {bond.owner}' if bond.owner else ''} (by {', '.join(bond.by)})"
        case "removed":
            return f"not bound; {bond.binding} was removed (by {', '.join(bond.by)})"
    return "not bound; `tbox pair code` begins"


def _device(told: str) -> bytes:
    try:
        found = bytes.fromhex(told)
    except ValueError:
        found = b""
    if len(found) != DEVICE_BYTES:
        raise UsageError(f"a device's id has {2 * DEVICE_BYTES} hex digits, as `tbox pair code` shows it")
    return found
