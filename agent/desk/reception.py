"""Who asks at the terminal itself, at its socket: answered, and what is done for them is written down.

Nothing but the state folder's rights decides who may. A deed (desk.py) becomes a `command` record before it is
answered; as many as the buckets allow, so that nobody fills the account.
"""

from collections import deque
from dataclasses import dataclass

from agent.codec import Record
from agent.desk.bucket import Bucket
from agent.desk.desk import WORDS, Desk, DeskError, Ticket, noted
from agent.desk.desk_socket import DeskSocket, Question
from agent.ledger.ledger import Ledger
from agent.uplink.delivery import Delivery

DEEDS, DEED_EVERY_S = 10, 10.0
"""So many deeds at once, then one in so many seconds."""


@dataclass(slots=True)
class Deed:
    """A deed that was begun; it is answered once its record, `seq`, is on flash."""

    question: Question
    ticket: Ticket
    seq: int | None = None


class Reception:
    """Each turn `turn`; what it returns must be kept."""

    def __init__(self, desk: Desk, door: DeskSocket, ledger: Ledger, delivery: Delivery) -> None:
        self._desk, self._door, self._ledger, self._delivery = desk, door, ledger, delivery
        self._deeds: deque[Deed] = deque()
        self._bucket = Bucket(DEEDS, DEED_EVERY_S)

    def turn(self, now_us: int) -> list[Record]:
        """Hear questions, bring answers; the records of deeds."""
        for question in self._door.questions(now_us):
            self._hear(question, now_us)
        self._desk.turn()
        records = [record for deed in self._deeds for record in self._note(deed, now_us)]
        self._hand_over()
        self._door.answer(now_us)
        return records

    def close(self) -> None:
        """Nobody is answered any more."""
        self._door.close()

    def _hear(self, question: Question, now_us: int) -> None:
        """Begin it, or say why not."""
        is_deed = WORDS[question.command].is_deed
        if is_deed and not self._bucket.take(now_us / 1e6):
            self._door.refuse(question, f"too often: one every {DEED_EVERY_S:.0f} s", now_us)
            return
        try:
            ticket = self._desk.ask(question.command, question.args, now_us)
        except DeskError as why:
            self._door.refuse(question, str(why), now_us)
            return
        if is_deed:
            self._deeds.append(Deed(question, ticket))
        else:
            self._door.take(question, ticket)

    def _note(self, deed: Deed, now_us: int) -> list[Record]:
        """The record of a deed that is done."""
        if deed.seq is not None or deed.ticket.answer is None:
            return []
        why_not, how = deed.ticket.answer.get("error", ""), {"args": dict(deed.ticket.args)}
        if why_not:
            body = noted(deed.ticket.command, "desk", "failed", reason="failed", words=why_not, **how)
        else:
            body = noted(deed.ticket.command, "desk", "done", **how)
        records = self._ledger.number("command", now_us, body)
        deed.seq = records[0].seq
        return records

    def _hand_over(self) -> None:
        """Answers of deeds whose records are on flash."""
        for deed in [deed for deed in self._deeds if deed.seq is not None]:
            if self._delivery.synced_upto >= (deed.seq or 0):
                self._deeds.remove(deed)
                self._door.take(deed.question, deed.ticket)
