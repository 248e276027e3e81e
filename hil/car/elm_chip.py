"""The chip of an ELM327 or STN1110: a line in, its reply out. No I/O, no time.

Written from the ELM327 data sheet (v1.4b: "AT Commands", "Interpreting OBD messages", "Multiline responses") and the
STN1100 family reference manual (STPX). A clone is a flavour: it says what it is not, and knows half of the commands.
"""

from dataclasses import dataclass

from hil.car.ecu import PENDING, Ecu

NEGATIVE = 0x7F
FUNCTIONAL_IDS = {"6": 0x7DF, "7": 0x18DB33F1, "8": 0x7DF, "9": 0x18DB33F1}
SWITCHES = {"E": "echo", "L": "line_feeds", "S": "spaces", "H": "headers"}
ACCEPTED = ("AT", "ST", "CRA", "AR", "CAF1", "CFC1", "CSM1", "PC", "M0", "CP")
"""Commands without an effect here."""

HEX = frozenset("0123456789ABCDEF")


@dataclass(slots=True)
class Car:
    """What is behind the adapter: control units by the identifier they answer on, their supply, and their protocol."""

    units: dict[int, Ecu]
    protocol: str = "6"
    """The ELM's number: "6" and "8" have identifiers of 11 bits at 500 and 250 kbit/s, "7" and "9" of 29 bits."""
    volts: float = 14.1
    pending: bool = False
    """Whether each unit says "response pending" (NRC 0x78) before it answers."""
    broadcast: tuple[tuple[int, bytes], ...] = ()
    """Frames a listener hears; none: the port is behind a gateway."""

    def ask(self, identifier: int, payload: bytes) -> list[tuple[int, bytes]]:
        """Answers (identifier, whole payload) of every unit that hears this identifier."""
        is_functional = identifier == FUNCTIONAL_IDS[self.protocol]
        answers = []
        for answer_id, unit in self.units.items():
            is_asked = is_functional or identifier == asked_on(answer_id)
            answer = unit.answer(payload, is_functional=is_functional) if is_asked else b""
            if answer and self.pending:
                answers.append((answer_id, bytes([NEGATIVE, payload[0], PENDING])))
            if answer:
                answers.append((answer_id, answer))
        return answers


def asked_on(answer_id: int) -> int:
    """Where a unit listens that answers here (ISO 15765-4): 7E0 for 7E8, 18DA10F1 for 18DAF110."""
    return answer_id - 8 if answer_id < 0x800 else 0x18DA00F1 | (answer_id & 0xFF) << 8


@dataclass(frozen=True, slots=True)
class Flavour:
    """What kind of adapter this is."""

    banner: str = "ELM327 v1.5"
    description: str = "OBDII to RS232 Interpreter"
    stn: str = ""
    """What STI answers; empty: this is no STN."""
    unknown: tuple[str, ...] = ()
    """Commands that are answered with "?", by how they begin."""
    deaf: tuple[str, ...] = ()
    """Commands that are not answered at all."""
    request_bytes: int = 7
    """More bytes of a request than these never reach the bus, and nobody is told."""


GENUINE = Flavour()
STN = Flavour(banner="ELM327 v1.4b", stn="STN1110 v4.2.0", description="OBDLink SX")
CLONE = Flavour(
    banner="ELM327 v2.1",
    unknown=("ATAT", "ATST", "ATCRA", "ATCAF", "AT@1", "ATS0", "ST", "ATCP", "ATDPN", "ATMA"),
    request_bytes=2,
)


@dataclass(slots=True)
class Mode:
    """Settings of the chip as they are after a reset."""

    echo: bool = True
    line_feeds: bool = False
    spaces: bool = True
    headers: bool = False
    protocol: str = "0"
    is_automatic: bool = True
    is_open: bool = False
    """Whether a car has answered by this protocol."""
    header: int = 0
    """What requests bear; 0: the protocol's own."""


@dataclass(frozen=True, slots=True)
class Said:
    """A reply: its lines, whether the car was asked, and whether the chip goes on until it is stopped."""

    lines: list[str]
    is_request: bool = False
    listens: bool = False


class Chip:
    """One chip. `mode` is what it was told."""

    def __init__(self, car: Car, flavour: Flavour) -> None:
        self.car = car
        self.flavour = flavour
        self.mode = Mode()

    def hear(self, line: str) -> Said:
        """Obey a line, in capitals and without spaces."""
        if line.startswith(self.flavour.unknown):
            return Said(["?"])
        if line.startswith("AT"):
            return self._monitor() if line == "ATMA" else Said(self._obey(line[2:]))
        if line.startswith("STPX") and self.flavour.stn:
            return self._ask_stpx(line[4:])
        if line == "STI" and self.flavour.stn:
            return Said([self.flavour.stn])
        if len(line) >= 2 and HEX.issuperset(line):
            return self._ask_hex(line)
        return Said(["?"])

    def _obey(self, command: str) -> list[str]:
        """An AT command."""
        if command in ("Z", "WS"):
            self.mode = Mode()
            return ["", "", self.flavour.banner]
        told = {
            "I": self.flavour.banner,
            "@1": self.flavour.description,
            "RV": f"{self.car.volts:.1f}V",
            "DPN": ("A" if self.mode.is_automatic else "") + self.mode.protocol,
        }
        if command in told:
            return [told[command]]
        return ["OK"] if self._set(command) else ["?"]

    def _set(self, command: str) -> bool:
        """A command that sets something: whether it is known."""
        mode = self.mode
        if command[:-1] in SWITCHES and command[-1] in "01":
            setattr(mode, SWITCHES[command[0]], command[-1] == "1")
        elif command[:2] in ("SP", "TP") and command[2:].lstrip("A"):
            mode.protocol, mode.is_automatic = command[-1], command[2] in "0A"
            mode.is_open, mode.header = False, 0
        elif command[:2] == "SH" and len(command) in (5, 8, 10) and HEX.issuperset(command[2:]):
            mode.header = int("18" * (len(command) == 8) + command[2:], 16)
        else:
            return command.startswith(ACCEPTED)
        return True

    def _monitor(self) -> Said:
        """Everything on the bus, until a byte comes."""
        is_heard = self.mode.protocol in {"0", self.car.protocol, {"6": "7", "8": "9"}.get(self.car.protocol, "")}
        frames = [self._printed(ident, data) for ident, data in self.car.broadcast]
        return Said(frames if is_heard else [f"{line[:-2]}<RX ERROR" for line in frames], listens=True)

    def _ask_hex(self, line: str) -> Said:
        """A request in hexadecimal; an odd digit at its end says how many lines are waited for."""
        count = int(line[-1], 16) if len(line) % 2 else 0
        everybody = FUNCTIONAL_IDS.get(self.mode.protocol, FUNCTIONAL_IDS[self.car.protocol])
        return self._ask(self.mode.header or everybody, bytes.fromhex(line[: len(line) & ~1]), count)

    def _ask_stpx(self, parameters: str) -> Said:
        """H:7E0,D:010D,R:1 - header, data and number of answers in one line."""
        given = dict(part.split(":", 1) for part in parameters.split(",") if ":" in part)
        if not self.mode.is_open or "D" not in given:
            return Said(["?"])
        return self._ask(int(given.get("H", "7DF"), 16), bytes.fromhex(given["D"]), int(given.get("R", "0")))

    def _ask(self, header: int, payload: bytes, count: int) -> Said:
        """Onto the bus, once the protocol is found."""
        mode = self.mode
        lines = ["SEARCHING..."] if mode.is_automatic and not mode.is_open else []
        if mode.protocol not in ("0", self.car.protocol):
            return Said([*lines, "UNABLE TO CONNECT"], is_request=True)
        answers = self.car.ask(header, payload[: self.flavour.request_bytes])
        if answers:
            mode.is_open, mode.protocol = True, self.car.protocol
        told = [self._printed(ecu, frame) for ecu, answer in answers for frame in cut(answer)]
        silence = "NO DATA" if mode.is_open else "UNABLE TO CONNECT"
        return Said(lines + (told[: count or None] or [silence]), is_request=True)

    def _printed(self, identifier: int, data: bytes) -> str:
        """A frame as the chip prints it."""
        head = f"{identifier:08X}" if identifier > 0x7FF else f"{identifier:03X}"
        gap = " " if self.mode.spaces else ""
        if not self.mode.headers:
            return data[1 : 1 + data[0]].hex(gap or "").upper() if gap else data[1 : 1 + data[0]].hex().upper()
        parts = [head] if len(head) == 3 else [head[at : at + 2] for at in range(0, 8, 2)]
        return gap.join([*parts, *(f"{byte:02X}" for byte in data)])


def cut(payload: bytes) -> list[bytes]:
    """An answer in frames (ISO 15765-2)."""
    if len(payload) <= 7:
        return [(bytes([len(payload)]) + payload).ljust(8, b"\0")]
    first = bytes([0x10 | len(payload) >> 8, len(payload) & 0xFF]) + payload[:6]
    rest = [payload[at : at + 7] for at in range(6, len(payload), 7)]
    return [first, *((bytes([0x20 | number & 0xF]) + part).ljust(8, b"\0") for number, part in enumerate(rest, 1))]
