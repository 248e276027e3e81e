"""What comes down and is no receipt: commands and the desired configuration, handed to the rooms that see to them.

Those rooms are loaded when the first message for them comes. What runs is told again with each connection, and whenever
it changes (`config/reported`, retained).
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.codec import Record
from agent.desk.desk import Desk
from agent.rooms import Rooms
from agent.uplink.exchange import Message

if TYPE_CHECKING:
    from agent.desk.desired import Desired
    from agent.desk.remote import Remote

REPORTED = "config/reported"
CHALLENGE_BYTES = 16
LOOK_US = 1_000_000


def new_challenge() -> str:
    """A word of this run that nobody can know before: the tokens that answer it are not older than it."""
    return os.urandom(CHALLENGE_BYTES).hex()


class Mailbox:
    """Each turn `turn`; what it returns must be kept. `running`: SlotWatch.reported; `words`: --config, --set."""

    def __init__(
        self, rooms: Rooms, desk: Desk, challenge: str, running: Callable[[], Mapping[str, Any]], words: Sequence[str]
    ) -> None:
        self._rooms, self._desk, self._challenge = rooms, desk, challenge
        self._running, self._words = running, words
        self._remote: Remote | None = None
        self._desired: Desired | None = None
        self._reported: tuple[int, bytes] = (0, b"")
        self._look_us = 0

    def turn(self, now_us: int) -> list[Record]:
        """Hand over what came, go on with what is under way."""
        records: list[Record] = []
        messages = self._rooms.delivery.messages
        while messages:
            records += self._hear(messages.popleft(), now_us)
        if self._remote is not None:
            records += self._remote.turn(now_us)
        if self._desired is not None:
            records += self._desired.turn(now_us)
        if records or now_us - self._look_us >= LOOK_US:
            self._look_us = now_us
            self._report()
        return records

    def close(self) -> None:
        """The agent ends."""
        if self._desired is not None:
            self._desired.close()

    def _hear(self, message: Message, now_us: int) -> list[Record]:
        if message.name == "config/desired":
            return self._room_of_desired().hear(message.payload, now_us)
        if message.name.startswith("command/"):
            self._room_of_commands().hear(message, now_us)
        return []

    def _report(self) -> None:
        """What runs, to a broker that was not told it on this connection."""
        delivery = self._rooms.delivery
        if delivery.uplink.state != "up":
            return
        told = dict(self._running()) | {"desired": None if self._desired is None else self._desired.last}
        reported = delivery.links, json.dumps(told).encode()
        if reported != self._reported and delivery.link.say(REPORTED, reported[1], retain=True):
            self._reported = reported

    def _room_of_commands(self) -> "Remote":
        if self._remote is None:
            from agent.desk.remote import Remote  # noqa: PLC0415
            from agent.trust import trust  # noqa: PLC0415  (signed documents are loaded where somebody sends one)

            settings = self._rooms.settings
            topic = f"tbox/v1/{settings.device.name or self._rooms.device.hex()}"
            self._remote = Remote(self._rooms, self._desk, topic, self._challenge, partial(trust.load, settings))
        return self._remote

    def _room_of_desired(self) -> "Desired":
        if self._desired is None:
            from agent.desk.desired import Desired  # noqa: PLC0415

            self._desired = Desired(self._rooms, self._running, self._words)
        return self._desired
