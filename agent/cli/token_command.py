"""`tbox key token`: a signed command for terminals, made where the fleet's `command` key is kept."""

import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.cli.bundle_command import signer
from agent.codec import DEVICE_BYTES
from agent.desk.desk import DeskError, checked
from agent.errors import StorageError, UsageError
from agent.trust import document
from agent.trust.token import ID_BYTES, Form, Token

EARLIER_S = 30
"""So long before now it holds already: clocks differ."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the token shall permit. `devices` empty: every terminal that trusts the fleet."""

    commands: Sequence[str]
    numbers: Sequence[str]
    devices: Sequence[str]
    seconds: float
    challenge: str | None


def token(wanted: Wanted, fleet: Sequence[Path], output: Path | None) -> int:
    """Make and sign it, to a file or to stdout. UsageError, SettingsError (a key), BundleError."""
    keys = [signer(path) for path in fleet]
    made = Token.made(form(wanted, round(time.time()), os.urandom(ID_BYTES)))
    for key in keys:
        made = made.signed(key)
    if output is None:
        sys.stdout.write(made.text().decode())
        return 0
    try:
        output.write_bytes(made.text())
    except OSError as why:
        raise StorageError(f"{output}: cannot be written: {why.strerror}") from None
    print(f"{output}: token {made.form.id}, until {made.form.not_after}; send it on command/{made.form.commands[0]}")
    return 0


def form(wanted: Wanted, now_s: int, id_: bytes) -> Form:
    """The token's content. UsageError: no terminal would take it."""
    _check_hex("--device", wanted.devices, 2 * DEVICE_BYTES)
    _check_hex("--challenge", [wanted.challenge] if wanted.challenge is not None else [], 2 * ID_BYTES)
    args = dict(_number(word) for word in wanted.numbers)
    for command in wanted.commands:
        try:
            checked(command, args)
        except DeskError as why:
            raise UsageError(str(why)) from None
    since_us = (now_s - EARLIER_S) * 1_000_000
    told = {
        "tbox_token": 1,
        "id": id_.hex(),
        "commands": tuple(wanted.commands),
        "args": args,
        "devices": tuple(wanted.devices) or None,
        "not_before": document.told_time(since_us),
        "not_after": document.told_time(since_us + round((wanted.seconds + EARLIER_S) * 1e6)),
        "challenge": wanted.challenge,
    }
    try:
        return msgspec.convert(told, Form)
    except msgspec.ValidationError as why:
        raise UsageError(f"no terminal would take that: {why}") from None


def _check_hex(option: str, words: Sequence[str], digits: int) -> None:
    """UsageError: one of them is not so many hexadecimal digits."""
    for word in words:
        if not re.fullmatch(f"[0-9a-f]{{{digits}}}", word):
            raise UsageError(f"{option} {word}: must be {digits} hex digits in small letters, as the terminal tells it")


def _number(word: str) -> tuple[str, int]:
    name, _, number = word.partition("=")
    if not number.isascii() or not number.isdecimal():
        raise UsageError(f"{word}: must be NAME=NUMBER, such as seconds=10")
    return name, int(number)
