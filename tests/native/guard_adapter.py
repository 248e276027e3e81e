"""An ELM327 or STN11xx as its data sheet has it, seen from the car: what a line makes it put on the bus.

It does whatever it is told as the chip would, an identifier of the wrong width too. A command that could make it send
something of its own, change its memory or its speed raises Forbidden: nobody follows what comes of that.
"""

import re
from dataclasses import dataclass

EXTENDED = 0x80000000
ISO_15765 = {"6": 11, "7": 29, "8": 11, "9": 29, "33": 11, "34": 29, "35": 11, "36": 29}
"""Protocols that add ISO-TP's length by themselves: ELM's and STN's numbers, and how wide identifiers are."""

RESET = re.compile(r"AT(Z|WS|D)")
PROTOCOL = re.compile(r"(?:AT[ST]P([6-9])|STP(3[3-6]))")
HEADER = re.compile(r"ATSH([0-9A-F]{3}|[0-9A-F]{6}|[0-9A-F]{8})")
RECEIVE = re.compile(r"AT(?:AR|CRA([0-9A-F]{3}|[0-9A-F]{8})?)")
FILTER = re.compile(
    r"AT(CF|CM)(?:[0-9A-F]{3}|[0-9A-F]{8})|STFAP([0-9A-F]{3},[0-9A-F]{3}|[0-9A-F]{8},[0-9A-F]{8})|STFCP"
)
MONITOR = re.compile(r"ATMA|STMA?")
QUIET = re.compile(r"AT(I|@[12]|RV|IGN|DPN?|CS|[ELHS][01]|M0|AT[012]|ST[0-9A-F]{2}|CAF1|CSM1|CP18|PC|LP)|STD?I")
"""Answered by the chip alone, or only about how it answers."""

REQUEST = re.compile(r"((?:[0-9A-F]{2})+)[0-9A-F]?")
WITH_HEADER = re.compile(r"STPX(.*)")
PART = re.compile(r"H:(?P<H>[0-9A-F]{3}|[0-9A-F]{8})|D:(?P<D>(?:[0-9A-F]{2})+)|R:(?P<R>\d{1,2})|T:(?P<T>\d{1,5})")


class Forbidden(Exception):  # noqa: N818 - the line is at fault, not the chip
    """What a line does cannot be known, or is not wanted."""


@dataclass
class Adapter:
    """Begins as somebody else may have left it."""

    width: int = 11
    header: str = "244"
    is_raw: bool = True
    is_wide_open: bool = True
    has_pass_filter: bool = True

    def hear(self, line: str) -> tuple[int, bytes] | None:
        """The frame that the line puts on the bus, None when it puts none there."""
        if line == " ":
            return None  # it ends a monitor, or is the first of another line
        text = line.removesuffix("\r").replace(" ", "").upper()
        if asked := REQUEST.fullmatch(text):
            return self._send(bytes.fromhex(asked[1]), self.header)
        if asked := WITH_HEADER.fullmatch(text):
            return self._send_with_header(asked[1])
        for pattern, act in ACTS.items():
            if found := pattern.fullmatch(text):
                act(self, found)
                return None
        raise Forbidden(line)

    def reset(self, _: re.Match[str]) -> None:
        """As from its maker: the protocol is what its memory says, perhaps one that is searched for."""
        self.width, self.header = 0, ""
        self.is_raw = self.is_wide_open = self.has_pass_filter = False

    def choose(self, found: re.Match[str]) -> None:
        """One protocol, and no other is tried."""
        self.width = ISO_15765[found[1] or found[2]]

    def head(self, found: re.Match[str]) -> None:
        """Digits are kept as they are; what identifier they make depends on the protocol."""
        self.header = found[1]

    def receive(self, found: re.Match[str]) -> None:
        """Only from one, or as from its maker."""
        self.is_wide_open = found[1] is not None and not re.match(r"(7E[89A-F]|18DAF1..)$", found[1])

    def filter(self, found: re.Match[str]) -> None:
        """What else comes through."""
        if found[1]:
            self.is_wide_open = True
        else:
            self.has_pass_filter = found[2] is not None

    def monitor(self, _: re.Match[str]) -> None:
        """Listening is silent, once it is settled to what."""
        if not self.width:
            raise Forbidden("it would search")

    def rest(self, _: re.Match[str]) -> None:
        """Nothing of interest."""

    def _send_with_header(self, text: str) -> tuple[int, bytes]:
        parts: dict[str, str] = {}
        for part in text.split(","):
            found = PART.fullmatch(part)
            if not found or found.lastgroup in parts:
                raise Forbidden(text)
            parts[str(found.lastgroup)] = str(found[str(found.lastgroup)])
        if "D" not in parts:
            raise Forbidden(text)
        return self._send(bytes.fromhex(parts["D"]), parts.get("H", self.header))

    def _send(self, payload: bytes, header: str) -> tuple[int, bytes]:
        """A single frame, if flow control cannot go astray."""
        if not self.width or self.is_raw or self.is_wide_open or self.has_pass_filter or len(payload) > 7:
            raise Forbidden(f"{self}: {payload.hex()}")
        data = bytes([len(payload)]) + payload
        return self._identifier(header), data.ljust(8, b"\0")

    def _identifier(self, header: str) -> int:
        """What the chip makes of its digits: 18 stands before what is shorter than 29 bits need; else the last 11 bits."""
        if self.width == 11:
            return int(header or "7DF", 16) & 0x7FF
        number = int(header or "18DB33F1", 16)
        return EXTENDED | (number if len(header or "18DB33F1") == 8 else 0x18000000 | number)


ACTS = {
    RESET: Adapter.reset,
    PROTOCOL: Adapter.choose,
    HEADER: Adapter.head,
    RECEIVE: Adapter.receive,
    FILTER: Adapter.filter,
    MONITOR: Adapter.monitor,
    QUIET: Adapter.rest,
}
