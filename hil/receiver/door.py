"""How records come in and receipts go out, whatever the wire: what the loop needs of a transport."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.errors import SettingsError


class RefusedError(SettingsError):
    """The broker and what we were told of it do not fit: its certificate, our login. Another try changes nothing."""


NOT_TRUSTED = "its certificate is not good here: {}; --ca names who signed it, --broker or --queue its host as it does"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its topic with "/", its bytes, when it came (monotonic s), and how the transport knows it."""

    topic: str
    payload: bytes
    came_s: float
    mark: tuple[int, int]


class Door(Protocol):
    """What is not acknowledged comes again, to this receiver or to another."""

    def take(self, most: int, wait_s: float) -> list[Message]:
        """Messages in their order, `most` at most; waits so long for the first.

        ConnectionError: there is no wire. RefusedError: and there will be none.
        """

    def done(self, messages: Sequence[Message]) -> None:
        """Their content is stored: the broker may forget them."""

    def send(self, receipts: Sequence[tuple[str, bytes]]) -> bool:
        """Publish (terminal, receipt), retained; whether the broker has them all."""

    def close(self) -> None:
        """Let go of the broker."""
