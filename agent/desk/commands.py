"""Whether a command that came over the network is done: signature, scope, time, once only, not too often. Pure.

What came is an Order; `decide` says what becomes of it, and why not. Nothing is done that no token permits: the numbers
of a command stand in its token (agent/trust/token.py). In order:

    malformed, response   it cannot be read, or wants its answer sent where nothing of this terminal is
    untrusted, unsigned, key, threshold, altered, revoked, trust, damaged, too_big, life   (agent/trust)
    command, scope        the token is for other commands, or for other terminals
    early, expired        by a clock that somebody vouches for, or by the newest time that has passed for sure
    no_clock              nobody vouches for the clock, and the token answers no challenge of this run
    challenge             it answers another one
    replayed, full        it was taken before; or so many that still hold were, that no other can be remembered
    rate                  too often; the token is not used up

Every token that is taken is remembered, also over restarts, until it has expired.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from agent.codec import CodecError, pack, unpack
from agent.desk.bucket import Bucket
from agent.desk.desk import DeskError, checked
from agent.errors import BundleError
from agent.trust import document
from agent.trust.token import TOKEN_TAG, Token
from agent.trust.trust import Trust

PAYLOAD_BYTES_MAX = 16_384
TEXT_MAX = 128
"""Characters of a request's name, or of its correlation, in the payload."""

CORRELATION_BYTES_MAX = 128
TOPIC_MAX = 200
REMEMBERED_MAX = 1024

OFTEN: Mapping[str, tuple[int, float]] = {
    "ping": (10, 5),
    "read": (20, 5),
    "diag": (3, 300),
    "trips": (5, 60),
    "send": (4, 300),
    "indicator": (5, 60),
    "stay_awake": (5, 60),
    "reprobe": (3, 300),
}
"""So many of each at once, then one in so many seconds; and of all:"""

ALL_OFTEN = (30, 20)


class OrderError(Exception):
    """It is no order; `reason` as above."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Order:
    """A command as it came: its name from the topic, its answer's way from MQTT 5's properties or from the payload."""

    command: str
    token: object
    request: str | None = None
    response: str = "response"
    """The topic below the terminal's own."""

    correlation: str | None = None
    property: bytes = b""
    """Correlation data as MQTT 5 has it, given back as they are."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an order. `reason`: empty where it is done with `args`; `token`: its id in hex, if it has one."""

    reason: str
    sentence: str = ""
    token: str | None = None
    args: Mapping[str, int] = field(default_factory=dict)
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """What counts for time. `now_us`: UTC that somebody vouches for, else None. `challenge`: of this run, hex."""

    now_us: int | None
    challenge: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Tokens that were taken: until when each holds, and the challenge it answered."""

    taken: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes | None) -> Self:
        """As it was kept; what makes no sense is nothing."""
        try:
            rows = msgspec.convert(unpack(content) if content else [], list[tuple[bytes, int, str]])
        except (CodecError, msgspec.ValidationError):
            return cls()
        return cls({one.hex(): (until_us, answered) for one, until_us, answered in rows})

    def content(self) -> bytes:
        """To be kept."""
        return pack([[bytes.fromhex(one), *row] for one, row in self.taken.items()])

    def kept(self, moment: Moment, passed_us: int) -> Self:
        """Without those that can never be taken again: expired, or answers to a challenge of an earlier run."""
        latest_us = passed_us if moment.now_us is None else max(moment.now_us, passed_us)
        return type(self)(
            {
                one: (until_us, answered)
                for one, (until_us, answered) in self.taken.items()
                if until_us >= latest_us and answered in ("", moment.challenge)
            }
        )

    def with_(self, token: Token) -> Self:
        """And this one."""
        return type(self)({**self.taken, token.form.id: (token.not_after_us, token.form.challenge or "")})


def parse(name: str, payload: bytes, device_topic: str, topic: str = "", correlation: bytes = b"") -> Order:
    """The order in a message on `command/<name>`; `topic` and `correlation` are MQTT 5's. OrderError: it is none."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise OrderError("malformed", f"it has {len(payload)} bytes, more than {PAYLOAD_BYTES_MAX}")
    if len(correlation) > CORRELATION_BYTES_MAX:
        raise OrderError("malformed", f"its correlation data are longer than {CORRELATION_BYTES_MAX} bytes")
    try:
        told = document.parse(payload, "it")
    except BundleError as why:
        raise OrderError("malformed", str(why)) from None
    if unknown := told.keys() - {"token", "request", "response", "correlation"}:
        raise OrderError("malformed", f"{min(unknown):.40} is no part of a command")
    request, answered = _text(told, "request"), _text(told, "correlation")
    response = _below(topic or told.get("response"), device_topic)
    return Order(name, told.get("token"), request, response, answered, correlation)


class Often:
    """How often commands are done."""

    def __init__(self) -> None:
        self._each = {command: Bucket(*how) for command, how in OFTEN.items()}
        self._all = Bucket(*ALL_OFTEN)

    def may(self, command: str, now_s: float) -> bool:
        """Whether one may be done now."""
        return self._all.has(now_s) and (command not in self._each or self._each[command].has(now_s))

    def done(self, command: str, now_s: float) -> None:
        """One was."""
        self._all.take(now_s)
        self._each[command].take(now_s)


def decide(order: Order, device: bytes, trust: Trust, memory: Memory, moment: Moment) -> tuple[Verdict, Memory]:
    """What becomes of it, and what is remembered from then on; keep that before anything is done."""
    memory = memory.kept(moment, trust.passed_us)
    token = None
    try:
        token = _token_of(order)
        signers = trust.check_signed("command", TOKEN_TAG + token.content, token.signatures, "the token")
        args = _permitted(order, token, device)
        _check_time(token, trust, moment)
        _check_once(token, memory)
    except BundleError as why:
        told = None if token is None else token.form.id
        return Verdict(why.reason, str(why), told), memory
    return Verdict("", "", token.form.id, args, tuple(signers)), memory.with_(token)


def _token_of(order: Order) -> Token:
    """BundleError: it has none, or none that is one."""
    if order.token is None:
        raise BundleError("unsigned", "it has no token")
    return Token.read(order.token)


def _permitted(order: Order, token: Token, device: bytes) -> dict[str, int]:
    """The command's numbers. BundleError: the token is not for them, or not for this terminal."""
    if not token.permits(order.command):
        raise BundleError("command", f"its token is for {', '.join(token.form.commands)}, not for {order.command:.40}")
    if not token.is_for(device):
        raise BundleError("scope", f"its token is for other terminals than {device.hex()}")
    try:
        return checked(order.command, token.form.args)[1]
    except DeskError as why:
        raise BundleError("command", str(why)) from None


def _check_time(token: Token, trust: Trust, moment: Moment) -> None:
    """BundleError: it does not hold now, or that cannot be known."""
    trust.check_time("the token", token.not_before_us, token.not_after_us, moment.now_us)
    if token.form.challenge is not None and token.form.challenge != moment.challenge:
        raise BundleError("challenge", "its token answers another challenge than that in this terminal's state")
    if moment.now_us is None and token.form.challenge is None:
        raise BundleError(
            "no_clock", "nobody vouches for this terminal's clock; have a token made with the challenge in its state"
        )


def _check_once(token: Token, memory: Memory) -> None:
    """BundleError: it was taken before, or could not be remembered."""
    if token.form.id in memory.taken:
        raise BundleError("replayed", "its token was used already; each is good for once")
    if len(memory.taken) >= REMEMBERED_MAX:
        raise BundleError("full", f"{REMEMBERED_MAX} tokens that still hold were used; no other is taken until then")


def _text(told: Mapping[str, Any], name: str) -> str | None:
    """A short text, or none."""
    text = told.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > TEXT_MAX or not text.isprintable():
        raise OrderError("malformed", f"{name} is no text of at most {TEXT_MAX} characters")
    return text


def _below(topic: object, device_topic: str) -> str:
    """Where the answer goes: the terminal's `response`, or a topic below that."""
    if topic is None:
        return "response"
    base = f"{device_topic}/response"
    is_topic = isinstance(topic, str) and len(topic) <= TOPIC_MAX and topic.isprintable()
    if not is_topic or not isinstance(topic, str) or not (topic == base or topic.startswith(f"{base}/")):
        raise OrderError("response", f"its answer should go to {topic!r:.60}, which is not {base} or below it")
    if any(sign in topic for sign in "+#") or "//" in topic:
        raise OrderError("response", f"its answer should go to {topic!r:.60}, which is no topic")
    return topic.removeprefix(f"{device_topic}/")
