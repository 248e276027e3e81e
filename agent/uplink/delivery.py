"""From flash to the broker: writer, uplink and link in one turn. Nothing is told before it is synced."""

import logging
import select
from collections import deque
from collections.abc import Iterable
from typing import Any

from agent.ledger.ledger import Loss
from agent.outbox.recordfile import keeping
from agent.outbox.writer import Question, Writer
from agent.uplink.exchange import Action, Answer, Confirm, Connect, Drop, Keep, LinkUp, Message, Publish, Reopen, Want
from agent.uplink.mqtt import Link
from agent.uplink.uplink import Uplink

MESSAGES_MAX = 32
"""Messages for others than the uplink, such as commands, that wait to be looked at; more are dropped and counted."""

log = logging.getLogger("tbox")


class Delivery:
    """The writer's news to the uplink, the uplink's decisions to the link, and back."""

    def __init__(self, writer: Writer, uplink: Uplink, link: Link) -> None:
        self.writer, self.uplink, self.link = writer, uplink, link
        self.said = "not connected yet"
        """What the link said last, in one sentence."""
        self.synced_upto = -1
        """All that was numbered by this start up to here is on flash."""
        self._asked: dict[tuple[str, int], Want] = {}
        self.messages: deque[Message] = deque()
        """What came down and is no receipt; whoever handles it takes it away."""
        self.links = self.messages_dropped = 0
        self._answers: dict[str, Any] = {}

    @property
    def filenos(self) -> tuple[int, int]:
        """Readable when there is something to tend."""
        return self.link.fileno(), self.writer.fileno()

    @property
    def waiting(self) -> int:
        """Records that are not delivered yet."""
        return sum(self.writer.depth.values())

    @property
    def is_done(self) -> bool:
        """Whether all is on flash, and told as far as there is anybody to tell."""
        return self.writer.is_settled and (self.uplink.state != "up" or not self.waiting)

    def wait(self, most_s: float) -> None:
        """Until link or writer calls, or so long."""
        select.select(self.filenos, [], [], most_s)

    def news(self) -> list[Loss]:
        """What the writer did since the last turn, handed to the uplink; what it had to drop. Raises its failure."""
        news = self.writer.take()
        for request, rows in news.fetched:
            want = self._asked.pop(request[:2], None)
            if want == request and any(now[:2] == request[:2] for now in self.uplink.wants()):
                self.uplink.offer(want, rows)
        if news.is_reopened:
            self.uplink.reopened()
        self._answers |= {name: told for name, told in news.answered if name}
        self.synced_upto = max([self.synced_upto, *(seq for seq, _ in news.synced)])
        self.uplink.synced(news.synced)
        return news.losses

    def ask(self, name: str, do: Question) -> None:
        """Have the writer do this; `found` has what came of it, unless its name is empty."""
        self.writer.ask(name, do)

    def found(self, name: str) -> Any:
        """What came of what was asked under this name, once; None: nothing yet."""
        return self._answers.pop(name, None)

    def tell(self, now_s: float) -> None:
        """Hear the link, do what the uplink decides."""
        answers = self.link.answers()
        self._sort(answers)
        for sentence in self.uplink.hear(now_s, answers):
            log.info("%s", sentence)
            self.said = sentence
        for want in self.uplink.wants():
            if want[:2] not in self._asked:
                self._asked[want[:2]] = want
                self.writer.fetch(*want)
        for action in self.uplink.step(now_s):
            self._do(action)

    def close(self) -> None:
        """Write what waits, leave the broker."""
        self.writer.close()
        self.link.close()

    def _sort(self, answers: Iterable[Answer]) -> None:
        """Put aside what is not the uplink's; count connections."""
        for answer in answers:
            match answer:
                case LinkUp():
                    self.links += 1
                case Message(name) if name != "receipt":
                    if len(self.messages) < MESSAGES_MAX:
                        self.messages.append(answer)
                    else:
                        self.messages_dropped += 1

    def _do(self, action: Action) -> None:
        """One thing that the uplink decided."""
        match action:
            case Connect():
                self.link.connect()
            case Publish():
                self.link.publish(action)
            case Confirm(seqs):
                self.writer.confirm(seqs)
            case Reopen(spans):
                self.writer.reopen(spans)
            case Drop(reason):
                self.link.drop(reason)
            case Keep(receipt):
                self.writer.ask("", keeping(receipt))
