"""The request under way: who is expected to answer, who did, and until when it is waited for. Pure."""

from dataclasses import dataclass, field

from agent.asking.agenda import Task
from agent.obd.findings import answers
from drivers.bus.diagnostic import FUNCTIONAL, NEGATIVE, Answer, Request

DATA = 0x22
"""The service that reads data by identifier."""


@dataclass(slots=True)
class Flight:
    """The request under way. `expected`: who will answer; None: nobody knows, so whoever answers in time."""

    request: Request
    task: Task
    sent_us: int
    until_us: int
    expected: frozenset[int] | None
    answered: set[int] = field(default_factory=set)
    pending: set[int] = field(default_factory=set)
    later_us: int = 0
    """A unit wants to be asked again after this."""

    @property
    def is_physical(self) -> bool:
        """Whether it went to one unit's own identifier."""
        return self.request.to != FUNCTIONAL

    @property
    def is_done(self) -> bool:
        """Whether all who were expected have answered; a data identifier is one unit's, whoever that is."""
        if self.pending or not self.answered:
            return False
        return self.request.service == DATA or (self.expected is not None and self.expected <= self.answered)

    def takes(self, answer: Answer) -> bool:
        """Whether this answers it. A refusal names no PID, so it counts only from who was expected to answer."""
        is_stray = answer.payload[0] == NEGATIVE and self.expected is not None and answer.ecu not in self.expected
        return answer.t_us >= self.sent_us and not is_stray and answers(self.request, answer.payload)

    def missing(self) -> frozenset[int]:
        """Who was expected and has not answered."""
        return (self.expected or frozenset()) - self.answered
