"""Is what arrived a record of the terminal whose topic it came on, and does it fit what is stored? Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.codec import COUNT_MAX, ZEROS, CodecError, Record, decode
from agent.ledger.key_chain import chain_of, links_in, previous_of
from agent.ledger.ledger import losses_of
from agent.ledger.receipt import Ranges
from agent.proof.vouching import seal_fault

TOPIC_PARTS = 4
NAME = r"[\w.:@ -]{1,64}"
"""What a terminal may be called in topics."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message of a lane: the id in its topic, the lane, the bytes."""

    terminal: str
    lane: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored around a record, as far as it is known.

    The hash under its number, the hash of the one before, what the one after says of it; the device of this topic, its
    first key, and the handovers to later ones.
    """

    same: bytes | None = None
    hash_before: bytes | None = None
    prev_after: bytes | None = None
    device: bytes | None = None
    public: bytes | None = None
    links: tuple[Record, ...] = ()


def arrival(topic: str, payload: bytes) -> Arrival | None:
    """What a message is; None: nothing for a receiver."""
    parts = topic.split("/")
    if len(parts) != TOPIC_PARTS or parts[:2] != ["tbox", "v1"] or not re.fullmatch(NAME, parts[2]):
        return None
    return Arrival(parts[2], parts[3], payload)


def read(arrived: Arrival) -> Record | str:
    """The record in it, or why it is none."""
    try:
        record = decode(arrived.payload)
    except CodecError as error:
        return f"no record: {error}"
    if record.seq == COUNT_MAX:
        return "a number after which there is none: no account comes that far"
    return record if record.lane == arrived.lane else f"a {record.kind} on the lane {arrived.lane}"


def fault(record: Record, known: Known) -> str:
    """Why this record cannot be stored beside what is; empty: it can. The same bytes again are no fault."""
    if known.device not in (None, record.device):
        return f"of device {record.device.hex()}, but this topic is {known.device.hex() if known.device else ''}'s"
    if known.same is not None:
        return "" if known.same == record.hash else "other bytes under a number that is taken"
    if known.hash_before not in (None, record.prev):
        return "does not lead back to the record before it"
    if known.prev_after not in (None, ZEROS, record.hash):
        return "is not the one that the record after it leads back to"
    return _signature_fault(record, known.links, known.public) if known.public is not None else ""


def _signature_fault(record: Record, links: Sequence[Record], public: bytes) -> str:
    """Why a seal, or a handover to another key, is not signed as it must be; empty: it is."""
    if previous_of(record) is not None:
        is_next = record in chain_of(record.device, [*links, record], [public]).links
        return "" if is_next else "a handover that the key before it did not sign"
    wrong = seal_fault(record, chain_of(record.device, links, [public])) if record.kind == "seal" else ""
    return f"a seal with another's signature: it {wrong}" if wrong else ""


def covered(record: Record) -> Ranges:
    """The numbers that are settled once this record is stored: its own, and those a gap says are gone."""
    spans = Ranges([(record.seq, record.seq)])
    if record.kind == "gap":
        for loss in losses_of(record):
            spans.add(loss.first, loss.last)
    return spans


def public_of(record: Record) -> bytes | None:
    """The device's public key, where this record carries it."""
    told = record.body.get("public") if record.kind == "key" else None
    if record.kind == "boot" and isinstance(record.body.get("key"), dict):
        told = record.body["key"].get("public")
    return told if isinstance(told, bytes) else None


def links_of(record: Record) -> list[Record]:
    """The handovers from key to key that this record is, or tells again."""
    if previous_of(record) is not None:
        return [record]
    told = record.body.get("key") if record.kind == "boot" else None
    return links_in(record.device, told.get("chain")) if isinstance(told, dict) else []
