"""Two more chapters of a store's story: a driver has a trip erased, and a platform says with receipts what it has."""

from random import Random

from agent.ledger.receipt import Ranges, Receipt
from agent.outbox.erasure import of_trip
from agent.outbox.writer import News
from agent.settings import Uplink as UplinkSettings
from agent.uplink.exchange import Acked, Action, Answer, Confirm, Connect, LinkUp, Message, Publish, Reopen
from agent.uplink.uplink import Uplink
from tests.powercut_story import Author

SAMPLES = 6
ROUNDS = 24
RECEIPT_EVERY = 3
LOST_IN_ROUND = 12
"""Then the platform is restored from a backup, and begins a new epoch."""
LOST_SHARE = 0.1
"""Of what a broker takes, so much never reaches the platform."""
UP = LinkUp("broker", "5", session_present=True)


def erase(author: Author) -> None:
    """A trip is driven and erased: the gap record goes in, and all that tells of the trip goes out, in one go."""
    (start,) = author.book.number("trip_start", 1, {"start_us": 0})
    author.put([start])
    for _ in range(SAMPLES):
        author.put(author.book.number("samples", 1, {"trip": start.seq, **author.data()}))
    author.put(author.book.number("event", 1, {"event": "idling", "trip": start.seq}))
    author.put(author.book.number("trip_end", 1, {"trip": start.seq, "end_reason": "stopped"}))
    author.settle()
    answers: dict[str, object] = {}

    def is_found(news: News) -> bool:
        answers.update(news.answered)
        return bool(answers)

    author.writer.ask("erase", lambda store: of_trip(store, start.seq))
    author.wait(is_found)
    losses = answers["erase"]
    assert isinstance(losses, list), losses
    author.tell("erase", *(seq for loss in losses for seq in range(loss.first, loss.last + 1)))
    author.put(author.book.gaps(1, losses))
    author.drive(4)


def by_receipt(author: Author) -> None:
    """Records are delivered to a platform whose receipts say what it has; it loses half of that, and says so."""
    author.drive(30)
    author.settle()
    platform = Platform(author)
    for number in range(ROUNDS):
        if number == LOST_IN_ROUND:
            platform.lose_half()
        if number % RECEIPT_EVERY == 0:
            platform.tell()
        platform.turn(float(number))
        author.settle()
    assert platform.is_asked_again, "nobody noticed that the platform was restored"


class Platform:
    """The uplink in receipt mode, and the other end of its link."""

    def __init__(self, author: Author) -> None:
        self._author, self._luck, self._stored, self._epoch = author, Random(author.luck.random()), Ranges(), 1
        self._said = Ranges()
        settings = UplinkSettings(confirm="receipt", window=200)
        self._upto = author.book.tail.next_seq - 1
        self._uplink = Uplink(settings, stored_upto=self._upto, delivered_upto=-1, rng=self._luck)
        self._answers: list[Answer] = []

    @property
    def is_asked_again(self) -> bool:
        """Whether the terminal began again after the loss."""
        return self._uplink.counters()["rewinds"] > 0

    def lose_half(self) -> None:
        """It is restored from a backup."""
        half = self._upto // 2
        self._stored, _ = self._stored.split(Ranges([(0, half)]))
        self._epoch += 1

    def tell(self) -> None:
        """A receipt."""
        self._said = Ranges(self._stored)
        self._answers.append(Message("receipt", Receipt(self._stored, self._epoch).text()))

    def turn(self, now_s: float) -> None:
        """Once round; what is read is waited for, so that the same seed makes the same calls."""
        answers, self._answers = self._answers, []
        self._uplink.hear(now_s, answers)
        for want in self._uplink.wants():
            found: list[tuple[int, bytes]] = []

            def is_read(news: News, found: list[tuple[int, bytes]] = found) -> bool:
                for _, rows in news.fetched:
                    found += rows
                return bool(news.fetched)

            self._author.writer.fetch(*want)
            self._author.wait(is_read)
            self._uplink.offer(want, found)
        for action in self._uplink.step(now_s):
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Connect():
                self._answers.append(UP)
            case Publish(seq):
                self._answers.append(Acked(seq))
                if self._luck.random() >= LOST_SHARE:
                    self._stored.add(seq)
            case Confirm(seqs):
                there, elsewhere = Ranges((seq, seq) for seq in seqs).split(self._said)
                for first, last in there:
                    self._author.deliver(first, last)
                self._author.writer.confirm(seq for first, last in elsewhere for seq in range(first, last + 1))
            case Reopen(spans):
                self._author.ask_again(spans)
                self._uplink.reopened()
