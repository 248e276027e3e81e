"""Who may come in to the service page: a PIN that is good once, sessions, the token each change needs. Pure.

Times are seconds of any clock that only goes forward; randomness comes in as bytes or an integer.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

PIN_DIGITS = 6
PIN_COUNT = 10**PIN_DIGITS

SALT_BYTES, TOKEN_BYTES = 16, 32
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 12, 8, 1
"""4 MiB and some milliseconds a try: a box spares that, and a stolen digest costs an hour, by when the PIN is void."""

SESSIONS_MAX = 4
"""A phone and a laptop, and one of each that was mislaid; a fifth puts the oldest out."""

WAIT_S_MAX = 8.0
"""After a wrong PIN the next try waits 1 s, then 2, 4, 8."""

Refusal = Literal["", "wrong", "wait", "void"]


@dataclass(frozen=True, slots=True)
class Pin:
    """A PIN as it is kept: salted and hashed, so that nobody can read it back."""

    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, digits: str, salt: bytes) -> "Pin":
        """This PIN with this salt."""
        return cls(salt, _digest(digits, salt))

    def fits(self, digits: str) -> bool:
        """Whether it is this one; takes as long for any other."""
        return hmac.compare_digest(self.digest, _digest(digits, self.salt))


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who came in. `token` goes with every change they ask for."""

    name: str
    """SHA-256 of the cookie: what is kept here opens nothing."""
    token: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of a try: a session, or a refusal with the wait until the next one counts and the tries left."""

    refusal: Refusal
    session: Session | None = None
    wait_s: float = 0.0
    left: int = 0


class Door:
    """The door of one run of the page."""

    def __init__(self, tries: int, idle_s: float, now_s: float) -> None:
        self._tries, self._idle_s = tries, idle_s
        self._pin: Pin | None = None
        self._wrong, self._next_s = 0, now_s
        self._touched_s = now_s
        self._sessions: dict[str, Session] = {}

    @property
    def state(self) -> Literal["open", "void"]:
        """Whether a PIN waits to be used."""
        return "open" if self._pin is not None else "void"

    def renew(self, pin: Pin) -> None:
        """A new PIN was printed; tries count anew."""
        self._pin, self._wrong = pin, 0

    def enter(self, digits: str, cookie: bytes, token: bytes, now_s: float) -> Entry:
        """Try a PIN. `cookie` and `token` are fresh random bytes, TOKEN_BYTES each, for the session it may open."""
        if self._pin is None:
            return Entry("void")
        if now_s < self._next_s:
            return Entry("wait", wait_s=self._next_s - now_s, left=self._tries - self._wrong)
        if not self._pin.fits(digits):
            return self._refuse(now_s)
        self._pin = None
        self.touch(now_s)
        session = Session(name_of(cookie.hex()), token.hex())
        self._sessions[session.name] = session
        while len(self._sessions) > SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        return Entry("", session)

    def session(self, cookie: str | None) -> Session | None:
        """Whose cookie this is."""
        return self._sessions.get(name_of(cookie)) if cookie else None

    def leave(self, session: Session) -> None:
        """Close a session."""
        self._sessions.pop(session.name, None)

    def touch(self, now_s: float) -> None:
        """Somebody is there."""
        self._touched_s = now_s

    def left_s(self, now_s: float) -> float:
        """How long until the page ends by itself; 0: now."""
        return max(0.0, self._touched_s + self._idle_s - now_s)

    def _refuse(self, now_s: float) -> Entry:
        self._wrong += 1
        if self._wrong >= self._tries:
            self._pin = None
            return Entry("void")
        wait_s = min(2.0 ** (self._wrong - 1), WAIT_S_MAX)
        self._next_s = now_s + wait_s
        return Entry("wrong", wait_s=wait_s, left=self._tries - self._wrong)


def may_change(session: Session, token: str | None) -> bool:
    """Whether a change was asked for by our own page: it carries the session's token."""
    return hmac.compare_digest(session.token.encode(), (token or "").encode("utf-8", "replace"))


def name_of(cookie: str) -> str:
    """What a session is kept under."""
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


def shown(number: int) -> str:
    """A PIN as people read it: "123 456"."""
    digits = f"{number % PIN_COUNT:0{PIN_DIGITS}d}"
    return f"{digits[:3]} {digits[3:]}"


def digits_of(words: str) -> str:
    """The digits somebody typed, however they were set apart."""
    return "".join(letter for letter in words[:32] if letter.isascii() and letter.isdigit())


def _digest(digits: str, salt: bytes) -> bytes:
    return hashlib.scrypt(digits.encode(), salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P)
