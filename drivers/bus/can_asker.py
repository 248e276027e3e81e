"""A CAN bus that can be asked: ISO-TP over whatever source has a guarded `send`, on boot time."""

from collections import deque
from collections.abc import Iterable, Mapping

from drivers.bus.diagnostic import Answer, Asker, Request
from drivers.bus.isotp import Heard, IsoTp, Send
from drivers.source import boot_us

HELD_ANSWERS = 256
"""What is kept for a loop that does not take it; the oldest is dropped then, and counted."""


class CanAsker(Asker):
    """Its user hands it the diagnostic frames it hears, and takes the answers.

    A first frame must be heard within 50 ms: a unit waits 75 ms for flow control (N_Bs, ISO 15765-4).
    """

    def __init__(
        self, send: Send, *, channel: int = 0, extended: bool = False, uds: Mapping[int, int] | None = None
    ) -> None:
        self._link = IsoTp(send, channel=channel, extended=extended, uds=uds)
        self._answers: deque[Answer] = deque(maxlen=HELD_ANSWERS)
        self._dropped = 0

    @property
    def extended(self) -> bool:
        """Whether a functional request has 29 bits; may be changed, by a search."""
        return self._link.extended

    @extended.setter
    def extended(self, is_wide: bool) -> None:
        self._link.extended = is_wide

    def hear(self, frames: Iterable[Heard]) -> None:
        """Take frames in, of any channel, oldest first."""
        heard = self._link.hear(frames)
        self._dropped += max(0, len(self._answers) + len(heard) - HELD_ANSWERS)
        self._answers.extend(heard)

    def ask(self, request: Request) -> str:
        """Send a question now. Empty when it went, "busy" while an answer comes in, else what `send` said."""
        return self._link.ask(boot_us(), request)

    def answers(self) -> list[Answer]:
        """Give what came since the last call, to anybody's question."""
        self._link.step(boot_us())
        answers = list(self._answers)
        self._answers.clear()
        return answers

    def foreign(self) -> int:
        """Count requests heard, ever: other testers'."""
        return self._link.foreign()

    def counters(self) -> dict[str, int]:
        """Totals that only grow: those of the link, and answers nobody took."""
        return self._link.counters() | {"dropped": self._dropped}
