"""Everybody who asks something of a running terminal: at its socket (reception), over the network (mailbox)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.codec import Record
from agent.desk.desk import Desk
from agent.desk.desk_socket import DeskSocket
from agent.desk.mailbox import Mailbox
from agent.desk.reading import Known
from agent.desk.reception import Reception
from agent.rooms import Rooms
from agent.sources.gauges import Gauges


class Enquiries:
    """Each turn `turn`; what it returns must be kept. `known` is what can be told; others write into it what is new."""

    def __init__(
        self,
        door: DeskSocket,
        rooms: Rooms,
        challenge: str,
        running: Callable[[], Mapping[str, Any]],
        words: Sequence[str],
    ) -> None:
        """`challenge` as the terminal's state tells it; `running`: SlotWatch.reported; `words`: --config, --set."""
        self.known = Known(rooms, running)
        self.known.logbook.open()
        desk = Desk(self.known)
        self._reception = Reception(desk, door, rooms.ledger, rooms.delivery)
        self._mailbox = Mailbox(rooms, desk, challenge, running, words)

    @property
    def gauges(self) -> Gauges:
        """How the sources go."""
        return self.known.gauges

    def turn(self, now_us: int) -> list[Record]:
        """Hear who asks, answer who may be answered; the records of what was done for them."""
        return self._reception.turn(now_us) + self._mailbox.turn(now_us)

    def close(self) -> None:
        """The agent ends: nobody is answered any more."""
        self._reception.close()
        self._mailbox.close()
        self.known.logbook.close()
