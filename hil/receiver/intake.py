"""Is what arrived a record of the terminal whose topic it came on, and does it fit what is stored? Pure."""

from dataclasses import dataclass

from agent.codec import ZEROS, CodecError, Record, decode
from agent.ledger import is_sealed_by, losses_of
from agent.receipt import Ranges

TOPIC_PARTS = 4


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message of a lane: the id in its topic, the lane, the bytes."""

    terminal: str
    lane: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored around a record, as far as it is known.

    Its own bytes, the hash of the one before, what the one after says of it; the device of this topic, and its key.
    """

    same: bytes | None = None
    hash_before: bytes | None = None
    prev_after: bytes | None = None
    device: bytes | None = None
    public: bytes | None = None


def arrival(topic: str, payload: bytes) -> Arrival | None:
    """What a message is; None: nothing for a receiver."""
    parts = topic.split("/")
    if len(parts) != TOPIC_PARTS or parts[:2] != ["tbox", "v1"]:
        return None
    return Arrival(parts[2], parts[3], payload)


def read(arrived: Arrival) -> Record | str:
    """The record in it, or why it is none."""
    try:
        record = decode(arrived.payload)
    except CodecError as error:
        return f"no record: {error}"
    return record if record.lane == arrived.lane else f"a {record.kind} on the lane {arrived.lane}"


def fault(record: Record, known: Known) -> str:
    """Why this record cannot be stored beside what is; empty: it can. The same bytes again are no fault."""
    if known.device not in (None, record.device):
        return f"of device {record.device.hex()}, but this topic is {known.device.hex() if known.device else ''}'s"
    if known.same is not None:
        return "" if known.same == record.raw else "other bytes under a number that is taken"
    if known.hash_before not in (None, record.prev):
        return "does not lead back to the record before it"
    if known.prev_after not in (None, ZEROS, record.hash):
        return "is not the one that the record after it leads back to"
    if record.kind == "seal" and known.public is not None and not is_sealed_by(record, known.public):
        return "a seal with another's signature"
    return ""


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
