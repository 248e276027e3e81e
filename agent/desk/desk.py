"""What may be asked of a running terminal, and what it answers; who may ask, others decide.

    ping                    who this is, which software and boot, since when
    read                    what is known now: signals, receiver, sensor, supply, buses, link
    diag                    its last words, counters and settings, cut to DIAG_BYTES_MAX; no secret
    trips                   the newest trips that are here
    send trip=N | event=N   deliver what is still here of a trip, or of an event with its evidence, once more
    indicator seconds=N     blink, so that the box is found
    stay_awake seconds=N    do not sleep for so long; 0 ends it
    reprobe                 ask the car again who it is and what it has, as far as it may be asked

An answer is a map that JSON can say. What looks into the store is asked of the writer and answered later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.desk import history, reading
from agent.desk.reading import Known
from agent.outbox.writer import Question

AWAKE_S_MAX = 86_400
FIND_S_MAX = 120
WAITING_MAX = 8
"""So many questions to the store may be open at once."""


class DeskError(Exception):
    """It is not done; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Word:
    """A command: its whole numbers by name with their ranges, and whether it does something beside telling."""

    numbers: Mapping[str, tuple[int, int]]
    is_deed: bool = False
    is_choice: bool = False
    """Exactly one of the numbers is given, else each of them."""


SEQ = (0, 2**63 - 1)
WORDS: Mapping[str, Word] = {
    "ping": Word({}),
    "read": Word({}),
    "diag": Word({}),
    "trips": Word({}),
    "send": Word({"trip": SEQ, "event": SEQ}, is_deed=True, is_choice=True),
    "indicator": Word({"seconds": (1, FIND_S_MAX)}, is_deed=True),
    "stay_awake": Word({"seconds": (0, AWAKE_S_MAX)}, is_deed=True),
    "reprobe": Word({}, is_deed=True),
}


@dataclass(slots=True)
class Ticket:
    """What was asked; `answer` is None until there is one. `is_away`: it leaves the terminal, so consent decides."""

    command: str
    args: Mapping[str, int]
    is_away: bool
    answer: dict[str, Any] | None = None
    name: str = ""


def checked(command: object, args: Mapping[str, Any]) -> tuple[str, dict[str, int]]:
    """The command and its numbers. DeskError: there is none of this name, or they do not fit."""
    word = WORDS.get(command) if isinstance(command, str) else None
    if word is None or not isinstance(command, str):
        raise DeskError(f"there is no command {command!r:.40}; known are {' '.join(WORDS)}")
    wanted = " or ".join(word.numbers) if word.is_choice else " and ".join(word.numbers)
    if unknown := [name for name in args if name not in word.numbers]:
        raise DeskError(f"{command} takes {wanted or 'nothing more'}, not {unknown[0]!r:.40}")
    if len(args) != (1 if word.is_choice else len(word.numbers)):
        raise DeskError(f"{command} takes {wanted}")
    for name, number in args.items():
        low, high = word.numbers[name]
        if type(number) is not int or not low <= number <= high:
            raise DeskError(f"{command}: {name} must be a whole number from {low} to {high}, not {number!r:.40}")
    return command, dict(args)


def noted(command: str, by: str, outcome: str, **more: Any) -> dict[str, Any]:
    """The body of a `command` record. `by`: desk or mqtt; `outcome`: done, failed or refused; `reason`: one word."""
    blank: dict[str, Any] = {
        "args": {},
        "token": None,
        "signers": [],
        "request": None,
        "reason": "",
        "words": "",
        "unrecorded": 0,
    }
    return {"command": command, "by": by, "outcome": outcome, **blank, **more}


class Desk:
    """`ask` gives a ticket; `turn` brings the answers that the store had to be asked for."""

    def __init__(self, known: Known) -> None:
        self._known, self._rooms = known, known.rooms
        self._waiting: list[Ticket] = []
        self._count = 0

    def ask(self, command: str, args: Mapping[str, int], now_us: int, *, is_away: bool = False) -> Ticket:
        """Begin it; `command` and `args` are as `checked` gave them. DeskError: not now, and why."""
        ticket = Ticket(command, args, is_away)
        do: Mapping[str, Callable[[Ticket, int], None]] = {
            "ping": self._ping,
            "read": self._read,
            "diag": self._diag,
            "trips": self._trips,
            "send": self._send,
            "indicator": self._indicator,
            "stay_awake": self._stay_awake,
            "reprobe": self._reprobe,
        }
        do[command](ticket, now_us)
        return ticket

    def turn(self) -> None:
        """Take what the store answered."""
        for ticket in list(self._waiting):
            found = self._rooms.delivery.found(ticket.name)
            if found is not None:
                self._waiting.remove(ticket)
                ticket.answer = self._requeued(found) if ticket.command == "send" else found

    def _ping(self, ticket: Ticket, now_us: int) -> None:
        ticket.answer = reading.identity(self._known, now_us)

    def _read(self, ticket: Ticket, now_us: int) -> None:
        ticket.answer = self._agreed(ticket, reading.live(self._known, now_us))

    def _diag(self, ticket: Ticket, now_us: int) -> None:
        ticket.answer = reading.diagnosis(self._known, now_us)

    def _trips(self, ticket: Ticket, _now_us: int) -> None:
        self._look_up(ticket, history.listed)

    def _send(self, ticket: Ticket, _now_us: int) -> None:
        (what, number), = ticket.args.items()  # fmt: skip
        of = history.of_trip if what == "trip" else history.of_event
        self._look_up(ticket, lambda store: of(store, number))

    def _indicator(self, ticket: Ticket, _now_us: int) -> None:
        seconds = ticket.args["seconds"]
        if not self._rooms.upkeep.find(seconds):
            raise DeskError("this terminal has no light, buzzer or command to show itself (indicator.lights)")
        ticket.answer = {"seconds": seconds}

    def _stay_awake(self, ticket: Ticket, now_us: int) -> None:
        seconds = ticket.args["seconds"]
        if why_not := self._rooms.upkeep.stay(now_us, float(seconds)):
            raise DeskError(why_not)
        self._look_up(ticket, self._rooms.upkeep.staying(seconds))

    def _reprobe(self, ticket: Ticket, now_us: int) -> None:
        """It is asked within its budget, when silence ends; what it answers stands in `read`, under identity."""
        lines = self._rooms.asking.renew(now_us)
        if not lines:
            raise DeskError("nothing of this terminal may be asked (listen_only, obd.ask)")
        ticket.answer = {"asked": [name for name, why in lines.items() if not why],
                         "silent": {name: why for name, why in lines.items() if why}}  # fmt: skip

    def _look_up(self, ticket: Ticket, question: Question) -> None:
        if len(self._waiting) >= WAITING_MAX:
            raise DeskError("too much is asked of the store at once; ask again in a moment")
        self._count += 1
        ticket.name = f"desk {self._count}"
        self._waiting.append(ticket)
        self._rooms.delivery.ask(ticket.name, question)

    def _requeued(self, found: dict[str, Any]) -> dict[str, Any]:
        """What is still here is delivered again; lanes begin anew, since it stands before what was sent last."""
        again = found.pop("again", [])
        if again:
            self._rooms.delivery.writer.reopen(again)
            self._rooms.delivery.uplink.reread()
        return found

    def _agreed(self, ticket: Ticket, told: dict[str, Any]) -> dict[str, Any]:
        """Places no finer than the driver agreed to, where it leaves the terminal."""
        return dict(self._rooms.ledger.blur.body("command", told)) if ticket.is_away else told
