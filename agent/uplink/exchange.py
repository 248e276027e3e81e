"""What the uplink and the link say to each other, as values; and the lanes."""

from dataclasses import dataclass
from typing import NamedTuple

LANES = ("evidence", "event", "trip", "health", "samples")
"""Highest first. The last part of a record's topic."""

SUBSCRIBED = ("receipt", "command/+", "config/desired")
"""What comes down, below the terminal's topic."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Try to reach the broker; LinkUp or LinkDown will follow."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Hand this record to the broker on this lane's topic; Acked with the same seq will follow."""

    seq: int
    lane: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Confirm:
    """These records have arrived where they belong; forget them. Lowest first, a few hundred at most."""

    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reopen:
    """The platform has these no more: what of them is still here is to be delivered again."""

    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """This connection is of no use, and why; LinkDown will follow."""

    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """The platform signed this receipt: it is to be kept here."""

    receipt: bytes


Action = Connect | Publish | Confirm | Reopen | Drop | Keep


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The broker accepted us. It takes `receive_maximum` unanswered records at most (65535 where it did not say).

    `bytes_max`: its largest record; 0 where it did not say.
    """

    broker: str
    version: str
    session_present: bool
    receive_maximum: int = 65535
    bytes_max: int = 0


@dataclass(frozen=True, slots=True)
class LinkDown:
    """There is no link, and why, in one sentence that names broker and fix. `is_auth`: it refused who we are."""

    reason: str
    is_auth: bool = False


@dataclass(frozen=True, slots=True)
class Acked:
    """The broker acknowledged this record."""

    seq: int


@dataclass(frozen=True, slots=True)
class Message:
    """Something came down; `name` is the topic after tbox/v1/<id>/. What follows is MQTT 5's, empty where not told.

    `response` is the topic its answer should go to, `correlation` goes with it. `is_retained`: the broker had kept it.
    """

    name: str
    payload: bytes
    response: str = ""
    correlation: bytes = b""
    is_retained: bool = False


Answer = LinkUp | LinkDown | Acked | Message


class Want(NamedTuple):
    """Rows asked of the outbox: of this lane, above this number, at most so many, lowest first."""

    lane: str
    after_seq: int
    limit: int
