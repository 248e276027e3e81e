"""Commands for terminals: tokens of a fleet, and the words they come in."""

import json
from typing import Any

import msgpack

from agent.desk.commands import Moment
from agent.ledger.key import DeviceKey
from agent.trust import document
from agent.trust.token import Form, Token
from tests.fleets import ANNA, NOON_US, SECOND_US, roster_form, signed_roster, trust_of

DEVICE = bytes.fromhex("0123456789abcdef")
CHALLENGE = "c0" * 16
HOUR_US = 3600 * SECOND_US


def form(number: int = 1, since_us: int = NOON_US, seconds: int = 3600, **said: Any) -> Form:
    """A token's content for `ping` on DEVICE, from `since_us` for so long."""
    told: dict[str, Any] = {
        "tbox_token": 1,
        "id": f"{number:032x}",
        "commands": ("ping",),
        "args": {},
        "devices": (DEVICE.hex(),),
        "not_before": document.told_time(since_us),
        "not_after": document.told_time(since_us + seconds * SECOND_US),
        "challenge": None,
    }
    return Form(**(told | said))


def token(*signers: DeviceKey, **said: Any) -> Token:
    """The same, signed by these; by Anna where none is named."""
    made = Token.made(form(**said))
    for key in signers or (ANNA,):
        made = made.signed(key)
    return made


def payload(told: Any, **more: Any) -> bytes:
    """A command's message."""
    return json.dumps({"token": told, **more}).encode()


TRUST = trust_of(signed_roster(roster_form(threshold=1), [ANNA]))
NOW = Moment(NOON_US + 1, CHALLENGE)
TOPIC = "tbox/v1/car1"
INDICATOR = payload(token(commands=("indicator",), args={"seconds": 5}).told(), response=f"{TOPIC}/response/a")
DESIRED = msgpack.packb({"document": "d-1", "bundle": bytes(40)})
