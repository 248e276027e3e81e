"""Commands from the network: heard, judged, done, written down, answered, one after the other.

A command is judged and its token remembered in the writer's thread, in one transaction, before anything is done; its
`command` record is on flash before it is answered. Refusals are written down as well, as many as a bucket allows; what
is beyond it is only counted, and the next record says how many.

An answer is JSON on the terminal's `response`, or on a topic below that (commands.py): `command, request,
correlation` as they came, `outcome` (done, failed, refused), `reason`, `words`, `answer`, `record` (seq).
"""

import json
import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from agent.codec import Record
from agent.desk.bucket import Bucket
from agent.desk.commands import Memory, Moment, Often, Order, OrderError, Verdict, decide, parse
from agent.desk.desk import Desk, DeskError, Ticket, noted
from agent.errors import TboxError
from agent.rooms import Rooms
from agent.trust.trust import Trust
from agent.uplink.exchange import Message
from agent.uplink.session import MESSAGE_BYTES_MAX

JOBS_MAX = 16
"""Commands under way at once; more are dropped and counted, as if they had been lost on their way."""

LOOKS = (60, 1.0)
REFUSALS = (20, 60.0)
"""So many commands looked at, and refusals written down, at once; then one in so many seconds."""

PREFIX = "command/"
NAME_MAX = 32
FAILED_S = 60.0
"""What is not answered by then never will be."""

_KEPT = "SELECT content FROM account WHERE name='tokens'"
_KEEP = "INSERT OR REPLACE INTO account VALUES ('tokens', ?)"

log = logging.getLogger("tbox")


@dataclass(slots=True)
class Job:
    """One command, from its message to its answer."""

    order: Order
    since_us: int
    name: str = ""
    """Under which the store was asked about it."""
    verdict: Verdict | None = None
    ticket: Ticket | None = None
    seq: int | None = None
    why_not: str = ""

    @property
    def outcome(self) -> str:
        """In one word, once it is known."""
        assert self.verdict is not None
        return "refused" if self.verdict.reason else "failed" if self.why_not else "done"


class Remote:
    """Each turn `turn`; what it returns must be kept. `load` gives whom this terminal trusts; it may wait."""

    def __init__(self, rooms: Rooms, desk: Desk, topic: str, challenge: str, load: Callable[[], Trust]) -> None:
        """`topic` is the terminal's, without a name behind it; `challenge` as its state tells it."""
        self._rooms, self._desk, self._topic, self._challenge, self._load = rooms, desk, topic, challenge, load
        self._jobs: deque[Job] = deque()
        self._often, self._looks, self._refusals = Often(), Bucket(*LOOKS), Bucket(*REFUSALS)
        self._unrecorded = self._asked = 0
        self.dropped = 0

    def turn(self, now_us: int) -> list[Record]:
        """Go on with what is under way. The caller hands every message on `command/...` to `hear` before."""
        self._judge(now_us)
        for job in self._jobs:
            if job.ticket is not None and job.ticket.answer is not None:
                job.why_not = str(job.ticket.answer.get("error", ""))
            elif job.ticket is not None and now_us - job.since_us > FAILED_S * 1e6:
                job.ticket.answer = {"error": "it took too long"}
        records = [record for job in list(self._jobs) for record in self._note(job, now_us)]
        for job in [job for job in self._jobs if job.seq is not None]:
            if self._rooms.delivery.synced_upto >= (job.seq or 0):
                self._jobs.remove(job)
                self._answer(job)
        return records

    def hear(self, message: Message, now_us: int) -> None:
        """A command came. One that the broker had kept is none: it would come again with each connection."""
        is_welcome = not message.is_retained and len(self._jobs) < JOBS_MAX
        if not is_welcome or not self._looks.take(now_us / 1e6):
            self.dropped += 1
            return
        name = message.name.removeprefix(PREFIX)
        try:
            order = parse(name, message.payload, self._topic, message.response, message.correlation)
            self._jobs.append(Job(order, now_us))
        except OrderError as why:
            self._jobs.append(Job(Order(name, None), now_us, verdict=Verdict(why.reason, str(why))))

    def _judge(self, now_us: int) -> None:
        """Ask the store about the oldest that is not judged; do what it was asked for when it may be."""
        job = next((job for job in self._jobs if job.verdict is None), None)
        if job is None:
            return
        if job.name:
            job.verdict = self._rooms.delivery.found(job.name)
            if job.verdict is not None and not job.verdict.reason:
                self._do(job, job.verdict, now_us)
        elif self._often.may(job.order.command, now_us / 1e6):
            self._asked += 1
            job.name = f"command {self._asked}"
            self._rooms.delivery.ask(job.name, self._question(job.order, now_us))
        else:
            job.verdict = Verdict("rate", f"{_printable(job.order.command)}: too often; wait, and send it again")

    def _question(self, order: Order, now_us: int) -> Callable[[sqlite3.Connection], Verdict]:
        """What the writer does: judge, and remember the token in the same transaction."""
        moment = Moment(self._rooms.timekeeper.vouched_us(now_us), self._challenge)
        return partial(judged, order=order, device=self._rooms.device, moment=moment, load=self._load)

    def _do(self, job: Job, verdict: Verdict, now_us: int) -> None:
        """It is permitted."""
        self._often.done(job.order.command, now_us / 1e6)
        try:
            job.ticket = self._desk.ask(job.order.command, verdict.args, now_us, is_away=True)
        except DeskError as why:
            job.why_not = str(why)

    def _note(self, job: Job, now_us: int) -> list[Record]:
        """The record of one that is done, or will not be."""
        is_over = job.ticket is None or job.ticket.answer is not None
        if job.verdict is None or job.seq is not None or not is_over:
            return []
        if job.verdict.reason and not self._refusals.take(now_us / 1e6):
            self._unrecorded += 1
            self._jobs.remove(job)
            return []
        body = self._body(job)
        log.info("command %s: %s", body["command"], f"{job.outcome} {body['words']}".rstrip())
        self._unrecorded = 0
        records = self._rooms.ledger.number("command", now_us, body)
        job.seq = records[0].seq
        return records

    def _body(self, job: Job) -> dict[str, Any]:
        """What is written down: never what was answered."""
        verdict = job.verdict
        assert verdict is not None
        return noted(
            _printable(job.order.command),
            "mqtt",
            job.outcome,
            args=dict(verdict.args),
            token=verdict.token,
            signers=list(verdict.signers),
            request=job.order.request,
            reason=verdict.reason or ("failed" if job.why_not else ""),
            words=verdict.sentence or job.why_not,
            unrecorded=self._unrecorded,
        )

    def _answer(self, job: Job) -> None:
        """Send it; without a link it is lost, and the account has it."""
        told = self._body(job)
        answer = job.ticket.answer if job.ticket is not None and not job.why_not else None
        shown = {name: told[name] for name in ("command", "request", "outcome", "reason", "words")}
        shown |= {"correlation": job.order.correlation, "record": job.seq, "answer": answer}
        payload = json.dumps(shown, ensure_ascii=False).encode()
        if len(payload) > MESSAGE_BYTES_MAX:
            payload = json.dumps(shown | {"answer": None, "words": f"its answer has {len(payload)} bytes"}).encode()
        self._rooms.delivery.link.say(job.order.response, payload, job.order.property)


def judged(
    store: sqlite3.Connection, *, order: Order, device: bytes, moment: Moment, load: Callable[[], Trust]
) -> Verdict:
    """Within a transaction: what becomes of the order; a token that is taken is remembered."""
    row = store.execute(_KEPT).fetchone()
    try:
        trust = load()
    except TboxError as why:
        return Verdict("trust", str(why))
    verdict, memory = decide(order, device, trust, Memory.parse(row[0] if row else None), moment)
    if not verdict.reason:
        store.execute(_KEEP, (memory.content(),))
    return verdict


def _printable(name: str) -> str:
    """A name as it may stand in a record: what a stranger sent is cut and made harmless."""
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in name[:NAME_MAX])
