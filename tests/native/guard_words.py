"""What may be sent to a car, in the words of the design: every frame of the list made one by one, nothing judged.

The guard (native/guard_frame.c) reads a frame and decides; this writes down the frames that are allowed. Both must meet.
"""

import itertools
from functools import lru_cache

EXTENDED = 0x80000000
FUNCTIONAL = (0x7DF, EXTENDED | 0x18DB33F1)
PHYSICAL = (
    *range(0x7E0, 0x7E8),
    *(EXTENDED | int(f"18DA{unit:02X}F1", 16) for unit in range(256)),
)
OBD = frozenset((*FUNCTIONAL, *PHYSICAL))

FOLLOWING = {
    "01": (1, 2, 3, 4, 5, 6),
    "02": (2, 4, 6),
    "03": (0,),
    "07": (0,),
    "09": (1,),
    "0A": (0,),
}
"""Services of SAE J1979 that only read, and how many bytes may follow: PIDs, PIDs with frame numbers, an InfoType."""

Message = tuple[bytes, int]
"""What a frame must begin with, and how many free bytes follow that."""

UDS = {"22": (2,)}
FLOW = (b"\x30\x00\x00", 0)
FILLINGS = (0x00, 0x55, 0xAA, 0xCC)


@lru_cache(maxsize=4096)
def messages(identifier: int, uds_ids: frozenset[int]) -> tuple[Message, ...]:
    """Everything that may go to this identifier, before padding: what is fixed, and how much is free."""
    services = (FOLLOWING if identifier in OBD else {}) | (UDS if identifier in uds_ids else {})
    found = [
        (bytes([1 + following]) + bytes.fromhex(service), following)
        for service, followings in services.items()
        for following in followings
    ]
    return (*found, *([FLOW] if identifier in PHYSICAL else []))


def is_among(listed: tuple[Message, ...], data: bytes) -> bool:
    """Whether these bytes are one of these messages, alone or padded to 8 bytes."""
    for fixed, free in listed:
        used = len(fixed) + free
        endings = [b""] if len(data) == used else [bytes([filling]) * (8 - used) for filling in FILLINGS]
        if len(data) in (used, 8) and data.startswith(fixed) and data[used:] in endings:
            return True
    return False


def is_allowed(identifier: int, data: bytes, uds_ids: frozenset[int]) -> bool:
    """Whether these bytes are one of the frames that may go there."""
    return is_among(messages(identifier, uds_ids), data)


@lru_cache(maxsize=256)
def heads(listed: tuple[Message, ...], length: int, rest: bytes) -> frozenset[int]:
    """First three bytes, as one number, of those frames of this length that end with these bytes.

    Of a shorter frame the bytes that it does not have are any.
    """
    found: set[int] = set()
    for fixed, free in listed:
        used = len(fixed) + free
        for middle in itertools.product(range(256), repeat=max(0, min(free, 3 - len(fixed)))):
            for filling in FILLINGS if used < 3 else FILLINGS[:1]:
                head = ((fixed + bytes(middle))[:3] + bytes([filling]) * 3)[:3]
                if is_among(listed, (head + rest)[:length]):
                    found.update(range(int.from_bytes(head[:length].ljust(3, b"\0"), "big"), _after(head, length)))
    return frozenset(found)


def _after(head: bytes, length: int) -> int:
    """One more than the last number that begins with these bytes."""
    return int.from_bytes(head[:length].ljust(3, b"\xff"), "big") + 1
