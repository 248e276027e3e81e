"""What to ask the car next. It decides; others send, receive and read the values out of the frames.

Budget. Requests leave at least 1 / `requests_per_s` apart, and one at a time: the next waits until every unit that is
expected to answer has, or its learned answer time is over.

Whom. A value is asked of the units whose bitmaps name it, never of none; where several have it, of the first alone, on
its own identifier, so that one speed comes and not two. Everything else is asked of everybody.

When. Speed every 0.1 s, what changes slowly every 4 s (wants.py); agenda.py says who waits when the car is
slower than that. Bitmaps are read every 30 s and at every ignition, texts once an ignition, the lamp every 10 s,
trouble codes every `codes_s`, when the lamp or their number changed, and once more after a read that differs from the
one before. A new stored code brings its freeze frame along (inquiry.py).
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

from agent.asking.agenda import NEVER_US, RETRY_US, TRIES_MAX, Task
from agent.asking.flight import DATA, Flight
from agent.asking.inquiry import MONITORS, TEXTS, VALUES, Inquiry
from agent.asking.wants import Want, WantData
from agent.obd.ecu import ANSWER_US_MAX, ANSWER_US_MIN, REFUSALS_MAX, REST_US_MAX, REST_US_MIN, Ecu, name
from agent.obd.findings import BITMAP_PIDS, Finding, finding
from drivers.bus.diagnostic import FUNCTIONAL, NEGATIVE, RESPONSE_PENDING, Answer, Request, request_id

MORE_US = 1_000_000
"""What an answer of several frames takes longer at most."""

PENDING_US, PENDING_US_MAX = 5_000_000, 30_000_000
"""How long a unit that says "response pending" (0x78) is waited for: each time it says so, and in all."""

LATER_US = {0x21: 500_000, 0x22: 60_000_000}
"""When to ask again what a unit was too busy for (0x21), or could not do under these conditions (0x22)."""

PAST_MAX = 4
"""So many requests that were given up are remembered, in case an answer comes late."""

FOR_GOOD = ("kind", "identifier", "length", "segment", "service", "padding")
"""Why the guard refuses a request that it would refuse again. Any other reason passes ("bus", "busy", "rate")."""

REFUSED_US_MIN, REFUSED_US_MAX = 50_000, 1_000_000
"""How long after a passing refusal the next request is tried, doubling."""


Route = tuple[int, frozenset[int] | None]
"""Where a request goes, and who is expected to answer."""


class Poller:
    """The decider. A turn of the daemon: `heard` what came, then send what `step` says; `refused` if it did not go.

    `is_addressed`: whether units may be asked on their own identifiers; an adapter that needs a command for each change
    of identifier is quicker without.
    """

    def __init__(
        self,
        wants: Iterable[Want],
        data: Iterable[WantData] = (),
        *,
        requests_per_s: float,
        codes_s: float,
        is_addressed: bool = True,
    ) -> None:
        self._wants, self._data, self._codes_us = tuple(wants), tuple(data), round(codes_s * 1e6)
        self._gap_us = math.ceil(1e6 / requests_per_s)
        self._is_addressed = is_addressed
        self._free_us = 0
        self._may_ask = False
        self._refusals = 0
        self._counters = dict.fromkeys(("asked", "answers", "unasked", "timeouts", "negative", "pending", "refused"), 0)
        self.forget()

    def forget(self) -> None:
        """The bus was lost, or is another one: begin anew, with nothing known and nothing under way."""
        self._inquiry = Inquiry(self._wants, self._data, self._codes_us)
        self._flight: Flight | None = None
        self._past: deque[Flight] = deque(maxlen=PAST_MAX)
        self._findings: list[Finding] = []

    def renew(self, now_us: int) -> None:
        """The ignition came on: bitmaps, texts and codes are read again; values go on as they are known."""
        self._inquiry.renew(now_us)

    # ---- asking -----------------------------------------------------------------------------------------------------

    def step(self, now_us: int, *, may_ask: bool) -> Request | None:
        """The request to send now, if any. `may_ask`: what the silence decider says."""
        if self._flight is not None and now_us >= self._flight.until_us:
            self._close(self._flight, now_us, is_blamed=may_ask)
        if may_ask and not self._may_ask:
            self._inquiry.wake(now_us)
        self._may_ask = may_ask
        if not may_ask or self._flight is not None or now_us < self._free_us:
            return None
        while (task := self._inquiry.agenda.most_urgent(now_us)) is not None:
            route = self._route(task, now_us)
            if route is not None:
                return self._send(task, route, now_us)
        return None

    def wake_us(self) -> int:
        """When `step` has something to do without hearing anything, as long as asking is allowed."""
        if self._flight is not None:
            return self._flight.until_us
        return max(self._free_us, self._inquiry.agenda.due_us())

    def refused(self, now_us: int, request: Request, why: str) -> None:
        """The request of this step did not go out."""
        flight, self._flight = self._flight, None
        assert flight is not None
        assert flight.request is request
        self._counters["asked"] -= 1
        self._counters["refused"] += 1
        if why in FOR_GOOD:
            self._findings += self._inquiry.closed(now_us, flight.task)
            return
        flight.task.due_us = now_us
        self._free_us = now_us + max(self._gap_us, min(REFUSED_US_MIN << min(self._refusals, 8), REFUSED_US_MAX))
        self._refusals += 1

    def _send(self, task: Task, route: Route, now_us: int) -> Request:
        """The request is under way."""
        to, expected = route
        ecus = self._inquiry.ecus
        waited = ecus.values() if expected is None else [ecus[identifier] for identifier in expected]
        wait_us = max((ecu.timeout_us for ecu in waited), default=ANSWER_US_MAX)
        until_us = now_us + wait_us + (0 if task.service == VALUES else MORE_US)
        request = Request(task.service, task.data, to)
        self._flight = Flight(request, task, now_us, until_us, expected)
        self._free_us = now_us + self._gap_us
        self._counters["asked"] += 1
        task.sent(now_us)
        return request

    def _route(self, task: Task, now_us: int) -> Route | None:
        """Where a task's request goes; None: nobody can answer it now, and it is due when somebody may."""
        if task.service == DATA:
            return task.to, None
        able = self._inquiry.able(task)
        if not able:
            if task.pid == 0 and task.service == VALUES:
                return FUNCTIONAL, None
            task.due_us = NEVER_US
            return None
        awake = [ecu for ecu in able if ecu.rest_until_us <= now_us]
        if not awake:
            task.due_us = min(ecu.rest_until_us for ecu in able)
            return None
        to = request_id(awake[0].identifier)
        if to is not None and self._is_alone(task, able) and awake[0].is_physical:
            return to, frozenset([awake[0].identifier])
        return FUNCTIONAL, self._expected(task, awake)

    def _is_alone(self, task: Task, able: list[Ecu]) -> bool:
        """Whether one unit is asked on its own identifier: where several would answer and one is enough."""
        if not self._is_addressed:
            return False
        if task.ecu:
            return len(self._inquiry.ecus) > 1
        return task.service == VALUES and task.pid % BITMAP_PIDS > MONITORS and len(able) > 1

    def _expected(self, task: Task, awake: list[Ecu]) -> frozenset[int] | None:
        """Who will answer everybody's question; None: nobody knows."""
        if task.pid < 0:
            awake = [ecu for ecu in awake if task.service in ecu.services]
        if task.service == TEXTS:
            awake = [ecu for ecu in awake if (TEXTS, 0) in ecu.told]
        return frozenset(ecu.identifier for ecu in awake) or None

    # ---- hearing ----------------------------------------------------------------------------------------------------

    def heard(self, now_us: int, came: Iterable[Answer]) -> list[Finding]:
        """Take in the answers that came, others' too; gives back what they tell beside values."""
        for answer in came:
            if answer.payload:
                self._hear(now_us, answer)
        if self._flight is not None and self._flight.is_done:
            self._close(self._flight, now_us, is_blamed=True)
        findings, self._findings = self._findings, []
        return findings

    def _hear(self, now_us: int, answer: Answer) -> None:
        """One answer: what it tells, and whether it is the one that is waited for."""
        told = finding(answer)
        if told is not None:
            self._findings += self._inquiry.follow(now_us, told)
        self._counters["answers"] += 1
        ecu = self._inquiry.ecus.get(answer.ecu)
        if ecu is not None and ecu.rest_until_us > now_us:
            self._inquiry.agenda.hasten(now_us)
        flight = self._flight
        if flight is None or not flight.takes(answer):
            self._counters["unasked"] += 1
            if ecu is not None:
                self._late(now_us, answer, ecu)
        elif answer.payload[0] == NEGATIVE:
            self._negative(now_us, flight, answer, ecu)
        else:
            self._positive(now_us, flight, answer, ecu)

    def _late(self, now_us: int, answer: Answer, ecu: Ecu) -> None:
        """Nobody waits for it any more, or somebody else did; what is ours teaches how long to wait."""
        ecu.heard(now_us)
        if answer.payload[0] == NEGATIVE:
            return
        past = next((flight for flight in self._past if flight.takes(answer) and answer.ecu in flight.missing()), None)
        if past is not None:
            past.answered.add(answer.ecu)
            past.task.tries = 0
            ecu.learn(answer.t_us - past.sent_us)

    def _positive(self, now_us: int, flight: Flight, answer: Answer, ecu: Ecu | None) -> None:
        """It answered. Others get as long again as it took, where nobody knows who they are."""
        delay_us = 0 if answer.ecu in flight.pending else answer.t_us - flight.sent_us
        is_again = any(past.request == flight.request and answer.ecu in past.missing() for past in self._past)
        is_plain = flight.request.service == VALUES and answer.ecu not in flight.pending and not is_again
        flight.answered.add(answer.ecu)
        flight.pending.discard(answer.ecu)
        if flight.expected is None and not flight.pending:
            flight.until_us = min(flight.until_us, answer.t_us + max(delay_us, ANSWER_US_MIN))
        flight.task.refusals = 0
        if ecu is not None:
            ecu.answered(now_us, delay_us if is_plain else None, is_physical=flight.is_physical)
            ecu.accept(flight.request.service, flight.request.data)

    def _negative(self, now_us: int, flight: Flight, answer: Answer, ecu: Ecu | None) -> None:
        """It refused (ISO 14229-1, A.1): it wants time, or to be asked later, or does not do this."""
        reason = answer.payload[2] if len(answer.payload) > 2 else 0
        if ecu is not None:
            ecu.answered(now_us, None, is_physical=flight.is_physical)
        if reason == RESPONSE_PENDING:
            self._counters["pending"] += 1
            flight.pending.add(answer.ecu)
            flight.until_us = min(flight.sent_us + PENDING_US_MAX, answer.t_us + PENDING_US)
            return
        self._counters["negative"] += 1
        flight.answered.add(answer.ecu)
        flight.pending.discard(answer.ecu)
        if reason in LATER_US:
            flight.later_us = LATER_US[reason]
        elif flight.request.service == DATA:
            flight.task.refusals += 1
            if flight.task.refusals >= REFUSALS_MAX:
                self._inquiry.agenda.drop(flight.task)
        elif ecu is not None:
            ecu.refuse(flight.request.service, flight.request.data)

    def _close(self, flight: Flight, now_us: int, *, is_blamed: bool) -> None:
        """The request is over. Who did not answer is missed, unless we fell silent meanwhile."""
        self._flight = None
        task, missing = flight.task, flight.missing()
        is_whole = bool(flight.answered) and not missing
        if not is_whole:
            self._counters["timeouts"] += 1
            self._past.append(flight)
        if flight.later_us or not is_blamed:
            task.due_us = now_us + flight.later_us
            task.tries += bool(flight.later_us)
        elif is_whole:
            self._refusals = task.tries = 0
        else:
            self._miss(flight, missing, now_us)
        if not task.period_us and (task.tries >= TRIES_MAX or (is_whole and not flight.later_us)):
            self._findings += self._inquiry.closed(now_us, task)

    def _miss(self, flight: Flight, missing: frozenset[int], now_us: int) -> None:
        """Somebody did not answer. The question is to blame only if the same unit answers others."""
        ecus, task = self._inquiry.ecus, flight.task
        if task.service == VALUES:
            for identifier in missing:
                ecus[identifier].missed(now_us, is_physical=flight.is_physical)
        if not ecus:
            task.due_us = now_us + min(REST_US_MIN << min(task.tries, 8), REST_US_MAX)
            task.tries += 1
        elif any(ecus[identifier].answered_us > task.missed_us for identifier in missing or ecus):
            task.unanswered(now_us)
        elif not task.period_us:
            task.due_us = now_us + RETRY_US

    # ---- health -----------------------------------------------------------------------------------------------------

    def counters(self) -> dict[str, int]:
        """For health: totals since the start. `unasked`: answers that came late, or to others."""
        return dict(self._counters)

    def health(self, now_us: int) -> dict[str, dict[str, Any]]:
        """The units by name ("7E8"): how long they take to answer, how many PIDs they have, whether they rest."""
        return {
            name(ecu.identifier): {
                "answer_us": ecu.answer_us,
                "pids": len(ecu.values(VALUES)),
                "is_resting": ecu.rest_until_us > now_us,
            }
            for ecu in self._inquiry.ecus.values()
        }
