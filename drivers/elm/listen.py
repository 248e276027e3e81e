"""Listen before asking: at which bit rate others talk, so that nothing is sent at another (ISO 15765-4, 5)."""

from collections.abc import Sequence

from drivers.elm.line import hear, say
from drivers.elm.serial import STOP, GuardedPort

RATES = ("67", "89")
"""Protocols at 500 and at 250 kbit/s, by the ELM's number: 11 bits, 29 bits."""
LISTEN_BYTES = 512
"""Some twenty frames, then it is clear that the bus is live."""
ENOUGH = 3
"""Frames without an error: two nodes at least agree about the rate."""


def choose(port: GuardedPort, numbers: Sequence[str]) -> list[str]:
    """Of these protocols those at the rate at which frames are heard; all of them when the bus is silent."""
    for rate in RATES:
        there = [number for number in numbers if number in rate]
        if there and _is_heard(port, there[0]):
            return there
    return list(numbers)


def _is_heard(port: GuardedPort, number: str) -> bool:
    """Whether frames come in at this protocol's rate, nothing sent, not even an acknowledge bit (ATCSM1)."""
    if not all(say(port, command).is_ok for command in (f"ATTP{number}", "ATCSM1", "ATH1")):
        return False
    port.write(b"ATMA\r")
    heard = hear(port, "ATMA", LISTEN_BYTES)
    if not heard.has_prompt:
        port.write(STOP)
        hear(port, "")
    return len(heard.frames) >= ENOUGH and "data_error" not in heard.kinds and "can_error" not in heard.kinds
