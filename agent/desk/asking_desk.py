"""`tbox ask` and `tbox read`: one question to the running daemon over its desk, answered for people or for scripts."""

import json as json_text
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.desk.desk_place import DESK_NAME, address_of
from agent.errors import DeviceAbsentError, InputError, TboxError, UsageError

ANSWER_S, GLANCE_S = 15.0, 2.0
ANSWER_BYTES_MAX = 1 << 20


def ask(state_dir: Path, command: str, args: Mapping[str, int], wait_s: float = ANSWER_S) -> dict[str, Any]:
    """What the daemon of this state folder answers. DeviceAbsentError: it does not; InputError: it will not."""
    line = json_text.dumps({**args, "command": command}).encode() + b"\n"
    try:
        with address_of(state_dir) as address, socket.socket(socket.AF_UNIX) as desk:
            desk.settimeout(wait_s)
            desk.connect(address)
            desk.sendall(line)
            answer = _line(desk)
        told = json_text.loads(answer)
    except PermissionError:
        raise DeviceAbsentError(f"{state_dir / DESK_NAME}: only its owner may ask; run this as who runs tbox") from None
    except TimeoutError:
        raise DeviceAbsentError(
            f"{state_dir / DESK_NAME}: no answer within {wait_s:.0f} s; does tbox run hang?"
        ) from None
    except (OSError, ValueError):
        raise DeviceAbsentError(f"{state_dir / DESK_NAME}: nobody answers; is the daemon running? (tbox run)") from None
    if set(told) == {"error"}:
        raise InputError(str(told["error"]))
    return dict(told)


def answered(state_dir: Path, command: str) -> dict[str, Any]:
    """What the running agent answers, for whoever goes on without it: nothing where none runs, or it is late."""
    try:
        return ask(state_dir, command, {}, wait_s=GLANCE_S)
    except TboxError:
        return {}


def run(state_dir: Path, command: str, words: Sequence[str], *, json: bool) -> int:
    """The command; `words` are key=value. UsageError: one is not."""
    told = ask(state_dir, command, dict(map(_number, words)))
    if json:
        print(json_text.dumps(told, ensure_ascii=False))
        return 0
    for line in told_lines(told):
        print(line)
    return 0


def read(state_dir: Path, *, json: bool) -> int:
    """What is known now, one line a signal."""
    told = ask(state_dir, "read", {})
    if json:
        print(json_text.dumps(told, ensure_ascii=False))
        return 0
    print(f"{'signal':<14} {'value':>12} {'unit':<6} {'age s':>7}  VSS")
    for name, row in told["signals"].items():
        value, age = (_word(row[part]) for part in ("value", "age_s"))
        print(f"{name:<14} {value:>12} {row['unit']:<6} {age:>7}  {row['vss'] or ''}".rstrip())
    for line in told_lines({name: part for name, part in told.items() if name not in ("signals", "health")}):
        print(line)
    return 0


def told_lines(told: object, name: str = "") -> list[str]:
    """A map as lines, `name.inner  value`; a list one line each."""
    if isinstance(told, dict) and told:
        return [line for inner, part in told.items() for line in told_lines(part, f"{name}.{inner}".lstrip("."))]
    if isinstance(told, list) and told:
        return [line for at, part in enumerate(told) for line in told_lines(part, f"{name}[{at}]")]
    return [f"{name:<28} {_word(told)}"]


def _word(told: object) -> str:
    return "-" if told is None or told in ({}, []) else "yes" if told is True else "no" if told is False else str(told)


def _number(word: str) -> tuple[str, int]:
    name, is_pair, number = word.partition("=")
    try:
        return name, int(number)
    except ValueError:
        hint = "" if is_pair else ", such as seconds=10"
        raise UsageError(f"{word}: must be NAME=NUMBER{hint}") from None


def _line(desk: socket.socket) -> bytes:
    """Up to the end of the line. OSError: it broke off."""
    told = bytearray()
    while not told.endswith(b"\n"):
        part = desk.recv(65536)
        if not part or len(told) > ANSWER_BYTES_MAX:
            raise OSError("it hung up")
        told += part
    return bytes(told)
