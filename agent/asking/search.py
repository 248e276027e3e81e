"""Which bit rate the bus has, and whether its units answer on 11 or 29 bits: by listening first. Pure.

At each bit rate the bus is heard for a while, without sending even an acknowledge bit. Frames decide; error frames and
no frame say that this is not the rate, and nothing is ever sent at it. On a bus that carries frames, one 0100 on 11 and
one on 29 bits tell which is answered; a lost answer costs a pause, not the drive: they are asked again. A bus on which
nothing is heard (many ports carry no broadcast) is asked the same at each rate that is not known to be wrong, one sweep
for each time the car wakes, and only when the caller allows it: at 13.2 V or with the ignition on. A result that was
remembered is tried before anything else.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from drivers.bus.diagnostic import Request

BITRATES = (500_000, 250_000)
"""ISO 15765-4 knows these two."""

LISTEN_US = 3_000_000
"""How long each bit rate is heard."""

ANSWER_US = 1_000_000
"""How long an answer to the one question is waited for."""

AGAIN_US_MIN, AGAIN_US_MAX = 10_000_000, 300_000_000
"""Between two rounds of questions on a bus that carries frames, where nobody answered: doubling."""

FRAMES_MIN = 3
"""So many good frames (each with its checksum) are traffic."""

ERRORS_MIN = 3
"""So many error frames and no good one: another bit rate."""

QUESTION = Request(0x01, b"\0")
"""What is asked: which PIDs are supported, of everybody."""


@dataclass(frozen=True, slots=True)
class Way:
    """How units are reached. `bitrate` 0: as the interface is set up; `is_extended` None: nobody answered yet."""

    bitrate: int
    is_extended: bool | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What came since the last action was carried out. `answers`: to QUESTION."""

    frames_11: int = 0
    frames_29: int = 0
    errors: int = 0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Listen:
    """Open the bus at this rate, listen-only."""

    bitrate: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Open the bus at this rate so that it may send, and send QUESTION with identifiers of this width."""

    way: Way


@dataclass(frozen=True, slots=True)
class Found:
    """The bus is this. It comes once with frames heard, and once more with the width that is answered."""

    way: Way


Action = Listen | Ask | Found


class Search:
    """The decider. A turn: do what `step` says, until `result` has a width; `restart` when the bus was lost.

    `bitrates`: those the interface can be set to, the likeliest first; (0,) when it cannot be set. `remembered`: the
    result of an earlier start.
    """

    def __init__(self, bitrates: Iterable[int] = BITRATES, remembered: Way | None = None) -> None:
        rates = list(bitrates)
        self._remembered = remembered if remembered is not None and remembered.bitrate in rates else None
        first = self._remembered.bitrate if self._remembered is not None else rates[0]
        self._bitrates = sorted(rates, key=lambda rate: rate != first)
        self._asked: set[Way] = set()
        self._may_probe = False
        self.restart()

    def restart(self) -> None:
        """The bus was lost, or is another one: listen again. What was asked since the car woke stays asked."""
        self.result: Way | None = None
        """What was found; its width is None while nobody answered."""
        self._silent: dict[int, bool] = {}
        self._is_wide_first = False
        self._at = 0
        self._until_us: int | None = None
        self._asking: Way | None = None
        self._again_us: int | None = None
        self._pause_us = AGAIN_US_MIN

    def step(self, now_us: int, heard: Heard, *, may_probe: bool) -> Action | None:
        """What to do now; None: wait. `may_probe` (Silence.may_probe) turning true: the car woke, a new sweep."""
        if may_probe and not self._may_probe:
            self._asked.clear()
        self._may_probe = may_probe
        if self._asking is not None:
            return self._asked_way(now_us, heard, self._asking)
        if self.result is None:
            return self._listen(now_us, heard)
        return self._ask_width(now_us) if self.result.is_extended is None else None

    def _listen(self, now_us: int, heard: Heard) -> Action | None:
        """One rate after the other."""
        bitrate, frames = self._bitrates[self._at], heard.frames_11 + heard.frames_29
        if self._until_us is None:
            self._until_us = now_us + LISTEN_US
            return Listen(bitrate)
        if frames >= FRAMES_MIN and frames > heard.errors:
            self._is_wide_first = heard.frames_29 > heard.frames_11
            self.result = Way(bitrate)
            return Found(self.result)
        if now_us < self._until_us and heard.errors < ERRORS_MIN:
            return None
        self._silent[bitrate] = not heard.errors
        self._at, self._until_us = (self._at + 1) % len(self._bitrates), None
        return self._ask(now_us) or self._listen(now_us, Heard())

    def _ask_width(self, now_us: int) -> Action | None:
        """On a bus that carries frames: one question after the other, and all again after a pause."""
        if self._again_us is not None and now_us >= self._again_us:
            self._again_us = None
            self._asked.clear()
        action = self._ask(now_us)
        if action is None and self._may_probe and self._again_us is None:
            self._again_us = now_us + self._pause_us
            self._pause_us = min(self._pause_us * 2, AGAIN_US_MAX)
        return action

    def _ask(self, now_us: int) -> Action | None:
        """The next question of the sweep, if it is allowed; None: there is none."""
        way = next((way for way in self._ways() if way not in self._asked), None)
        if way is None or not self._may_probe:
            return None
        self._asked.add(way)
        self._asking, self._until_us = way, now_us + ANSWER_US
        return Ask(way)

    def _ways(self) -> list[Way]:
        """What may be asked now: where frames were heard, or else all that was silent, once every rate was heard."""
        if self.result is not None:
            rates = [self.result.bitrate]
        elif len(self._silent) == len(self._bitrates):
            rates = [rate for rate in self._bitrates if self._silent[rate]]
        else:
            rates = []
        ways = [Way(rate, is_wide) for rate in rates for is_wide in (self._is_wide_first, not self._is_wide_first)]
        known = self._remembered
        if known is not None and known.is_extended is not None:
            if self.result is None and self._silent.get(known.bitrate) and known not in ways:
                ways.append(known)
            ways.sort(key=lambda way: way != known)
        return ways

    def _asked_way(self, now_us: int, heard: Heard, way: Way) -> Action | None:
        """Whether the question was answered; errors say that this is not the rate."""
        assert self._until_us is not None
        if heard.answers and heard.errors < ERRORS_MIN:
            self.result, self._asking = way, None
            return Found(way)
        if now_us < self._until_us and heard.errors < ERRORS_MIN:
            return None
        if heard.errors >= ERRORS_MIN:
            self._asked |= {Way(way.bitrate, False), Way(way.bitrate, True)}
        self._asking = self._until_us = None
        return (
            self._ask_width(now_us) if self.result is not None else self._ask(now_us) or self._listen(now_us, Heard())
        )
