"""Talk with an ELM327: a line, its reply, what went wrong with it by kind; and how to come into step with it again."""

import re
from collections import Counter
from dataclasses import dataclass, field

from drivers.elm.serial import ANSWERED_MOST, PROMPT, GuardedPort
from drivers.source import boot_us

WORDS = (
    ("UNABLE TO CONNECT", "unable_to_connect"),
    ("BUS INIT", "bus_init"),
    ("BUFFER FULL", "buffer_full"),
    ("CAN ERROR", "can_error"),
    ("BUS ERROR", "can_error"),
    ("BUS BUSY", "bus_busy"),
    ("FB ERROR", "can_error"),
    ("DATA ERROR", "data_error"),
    ("RX ERROR", "data_error"),
    ("STOPPED", "stopped"),
    ("NO DATA", "no_data"),
    ("ACT ALERT", "alert"),
    ("LP ALERT", "alert"),
    ("LV RESET", "reset"),
    ("ELM32", "reset"),
    ("ERR", "chip_error"),
    ("?", "unknown"),
)
"""What the chip says besides answers (ELM327 data sheet, "Error messages and alerts"), and what it is counted as."""

OUT_OF_STEP = frozenset(
    {"no_prompt", "silent", "stopped", "garbage", "late", "reset", "alert", "chip_error", "buffer_full"}
)
"""After these nobody knows what the chip says next."""

QUIET_S = 0.1
PINGS = 4
HEX = re.compile(r"[0-9A-F]+\Z")


@dataclass(slots=True)
class Reply:
    """What came back: lines of hexadecimal with the boot time (µs) each was whole, and everything else by kind."""

    frames: list[tuple[int, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    has_prompt: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether a command was confirmed."""
        return self.has_prompt and self.words == ["OK"] and not self.frames

    @property
    def text(self) -> str:
        """All it said in words."""
        return " ".join(self.words)

    @property
    def is_out_of_step(self) -> bool:
        """Whether the chip must be found again before it is spoken to."""
        return not OUT_OF_STEP.isdisjoint(self.kinds)


def say(port: GuardedPort, line: str) -> Reply:
    """Send a line and take its reply, up to the prompt or until nothing more comes."""
    port.reset_input_buffer()
    port.write(line.encode() + b"\r")
    return hear(port, line)


def hear(port: GuardedPort, line: str, bytes_most: int = ANSWERED_MOST) -> Reply:
    """Take the reply to a line that was sent, or so much of it."""
    reply, rest, taken = Reply(), bytearray(), 0
    while not reply.has_prompt and taken < bytes_most:
        data = port.read(4096)
        if not data:
            break
        taken += len(data)
        rest += data
        reply.has_prompt = PROMPT in data
        *lines, tail = re.split(rb"[\r\n>]", bytes(rest))
        rest = bytearray(tail)
        for text in lines:
            _sort(reply, text, line, boot_us())
    _sort(reply, bytes(rest), line, boot_us())
    if not reply.has_prompt:
        reply.kinds["no_prompt" if taken else "silent"] += 1
    return reply


def recall(port: GuardedPort) -> Reply:
    """The reply to what was said last by somebody else through this port, sorted as if it had come now."""
    reply = Reply(has_prompt=PROMPT in port.answered)
    for text in re.split(rb"[\r\n>]", bytes(port.answered)):
        _sort(reply, text, port.sent, boot_us())
    if not reply.has_prompt:
        reply.kinds["no_prompt" if port.answered else "silent"] += 1
    return reply


def find(port: GuardedPort, pings: int = PINGS) -> str:
    """Come into step with the chip: empty its line, ask who it is, until it says so and then nothing more.

    Gives what it says it is; empty when it does not answer as one.
    """
    for _ in range(pings):
        port.drain(QUIET_S)
        reply = say(port, "ATI")
        banner = next((word for word in reply.words if "ELM" in word or "OBD" in word), "")
        if banner and reply.has_prompt and not port.waits(QUIET_S):
            return banner
    return ""


def _sort(reply: Reply, text: bytes, line: str, t_us: int) -> None:
    """One line of a reply, to where it belongs."""
    clean = text.replace(b"\0", b"").strip()
    if clean != text.strip():
        reply.kinds["nulls"] += 1
    if not clean:
        return
    if any(byte < 0x20 or byte > 0x7E for byte in clean):
        reply.kinds["garbage"] += 1
        return
    words = clean.decode("ascii").removeprefix("SEARCHING...").strip()
    tight = words.replace(" ", "").upper()
    if not tight:
        return
    if tight == line.replace(" ", "").upper():
        reply.kinds["echo"] += 1
    elif HEX.match(tight):
        reply.frames.append((t_us, tight))
    else:
        reply.words.append(words)
        kind = next((kind for word, kind in WORDS if word in words), "")
        if kind and not (kind == "reset" and line.startswith(("ATZ", "ATWS", "ATI", "ATD", "STI"))):
            reply.kinds[kind] += 1
