"""The account: every record gets the next number, the hash of the one before, and soon a seal. Pure; no I/O, no clock.

A seal's body, in this order:

    from, upto      the records it vouches for; the seal before (itself not yet vouched for) is the first of them
    head            SHA-256 of record `upto`, 32 bytes: the same as the seal's own `prev`
    digest          d = SHA-256(d + hash) over the hashes of from..upto, begun with 32 zeros: proves each of them, also
                    beside records of which only the hash is left
    counts          records in from..upto by kind
    frames          the core's conserved counters, since the agent started
    losses          what was lost and why: reasons to counts; records dropped in from..upto are `records: <reason>`
    software        version of the program
    settings        identity of the settings (text)
    key             id of the signing key, 8 bytes
    signature       Ed25519, 64 bytes, over SEAL_TAG followed by the seal record packed as it is without this entry

So the signature covers the tag, the chain head (`prev`), the body, and the seal's own number, boot and time. The public
key travels in the `key` record (the first of all) and in every `boot` record; its SHA-256 begins with the device's id.
After a rotation (key_chain.py) the newest key signs, and its id is the seal's.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from agent.codec import VERSION, ZEROS, Record, kind_number, make, pack
from agent.errors import StorageError
from agent.ledger.key import Signer, device_of, is_signed
from agent.ledger.key_chain import handed_over, handover
from agent.ledger.privacy import Blur

SEAL_TAG = b"tbox seal v1\x00"
SEALED_AT_ONCE = frozenset({"trip_end", "evidence", "gap"})
SEAL_EVERY_US = 600_000_000
GAP_HASHES_MAX = 1024

DAMAGED = "store damaged"
BUDGET = "over budget"
GONE = "delivered before, not kept"
ERASED = "erased"

ALL_PLACES = Blur()


@dataclass(frozen=True, slots=True)
class Loss:
    """Records in a row, of one kind, that were dropped; `hashes` keep the chain checkable (empty: not even known)."""

    first: int
    last: int
    kind: str
    reason: str
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the account stands: all that is needed to go on with it."""

    device: bytes = b""
    boot: int = 0
    next_seq: int = 0
    head: bytes = ZEROS
    sealed_upto: int = -1
    digest: bytes = ZEROS
    counts: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    open_boot: int = 0
    open_us: int = 0

    def after(self, record: Record) -> "Tail":
        """Where the account stands once this record is in it."""
        fresh = Tail(sealed_upto=record.seq - 1) if record.kind == "seal" else self
        counts = dict(fresh.counts)
        counts[record.kind] = counts.get(record.kind, 0) + 1
        starts = not fresh.counts or fresh.open_boot != record.boot
        return replace(
            fresh,
            device=record.device,
            boot=record.boot,
            next_seq=record.seq + 1,
            head=record.hash,
            digest=roll(fresh.digest, record.hash),
            counts=counts,
            dropped=_dropped(fresh.dropped, record),
            open_boot=record.boot,
            open_us=record.t_us if starts else fresh.open_us,
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """Which program and which settings made the account.

    `vouched` speaks for the key, and is told beside it in each `boot` record: earlier keys, the fleet's certificate.
    """

    software: str
    settings: str
    vouched: Mapping[str, Any] = field(default_factory=dict)


class Ledger:
    """Numbers records. The one place where seq, prev and seals are made."""

    def __init__(
        self,
        key: Signer,
        boot: int,
        tail: Tail,
        identity: Identity,
        *,
        blur: Blur = ALL_PLACES,
        trip_id: Callable[[int, int], str] | None = None,
    ) -> None:
        """Go on from the tail. StorageError when the store belongs to another key.

        `blur`: how closely places may be told; `trip_id` names a trip by boot and number of its start, None: no names.
        """
        if tail.device not in (b"", key.device):
            raise StorageError(
                f"the store belongs to device {tail.device.hex()} but the key is that of {key.device.hex()}; "
                "put the right device key back, or move the store away to start a new account"
            )
        self._key = key
        self._boot = boot
        self._identity = identity
        self._trip_id = trip_id
        self.blur = blur
        self._frames: Mapping[str, int] = {}
        self._losses: Mapping[str, int] = {}
        self.tail = tail

    def start(self, t_us: int, body: Mapping[str, Any]) -> list[Record]:
        """The first records after the agent started: the key on the very first start, then `boot` with this body."""
        public = {"public": self._key.public, "id": device_of(self._key.public)}
        first = [self._number("key", t_us, public | {"reason": "first start"})] if self.tail.next_seq == 0 else []
        return [*first, self._number("boot", t_us, {**body, "key": public | dict(self._identity.vouched)})]

    def rotate(self, t_us: int, new: Signer, reason: str) -> list[Record]:
        """Hand over to another key of the same device: its record, and the last seal of the one before."""
        tail = self.tail
        body = self.blur.body("key", handover(self._key.public, new.public, reason))
        record = handed_over(self._boot, tail.next_seq, t_us, tail.head, self._key, body)
        self.tail = tail.after(record)
        records = [record, self.seal(t_us)]
        self._key = new
        return records

    def number(self, kind: str, t_us: int, body: Mapping[str, Any]) -> list[Record]:
        """The record, and the seal where one must follow; give the whole list to the outbox in one go."""
        return self.numbers(kind, t_us, [body])

    def numbers(self, kind: str, t_us: int, bodies: Iterable[Mapping[str, Any]]) -> list[Record]:
        """The same for several of a kind, with one seal after the last."""
        records = [self._number(kind, t_us, body) for body in bodies]
        return [*records, self.seal(t_us)] if records and kind in SEALED_AT_ONCE else records

    def gaps(self, t_us: int, losses: Sequence[Loss]) -> list[Record]:
        """What was dropped, said: `gap` records of at most GAP_HASHES_MAX hashes, then one seal. No losses: []."""
        ranges = [
            [loss.first, loss.last, [loss.kind] if loss.kind else [], loss.reason, list(loss.hashes)] for loss in losses
        ]
        chunks = _chunks(ranges)
        records = [self._number("gap", t_us, {"ranges": chunk}) for chunk in chunks]
        return [*records, self.seal(t_us)] if records else []

    def count(self, frames: Mapping[str, int], losses: Mapping[str, int]) -> None:
        """The conserved frame counters, and losses by reason, that the next seals state."""
        self._frames = dict(frames)
        self._losses = dict(losses)

    def due(self, t_us: int, *, is_parked: bool = False) -> bool:
        """Whether something numbered in this boot has waited SEAL_EVERY_US for its seal; of a parked car an event."""
        tail = self.tail
        is_open = "event" in tail.counts if is_parked else any(kind != "seal" for kind in tail.counts)
        return is_open and tail.open_boot == self._boot and t_us - tail.open_us >= SEAL_EVERY_US

    def seal(self, t_us: int) -> Record:
        """Vouch for everything since the last seal."""
        tail = self.tail
        losses = dict(self._losses)
        for reason, count in tail.dropped.items():
            losses[f"records: {reason}"] = count
        told: dict[str, Any] = {
            "from": tail.sealed_upto + 1,
            "upto": tail.next_seq - 1,
            "head": tail.head,
            "digest": tail.digest,
            "counts": dict(sorted(tail.counts.items())),
            "frames": dict(self._frames),
            "losses": losses,
            "software": self._identity.software,
            "settings": self._identity.settings,
            "key": device_of(self._key.public),
        }
        body = self.blur.body("seal", told)
        message = signed_bytes(tail.next_seq, self._boot, t_us, self._key.device, tail.head, body)
        return self._number("seal", t_us, {**body, "signature": self._key.sign(message)})

    def _number(self, kind: str, t_us: int, body: Mapping[str, Any]) -> Record:
        """The next number, the hash of the record before: nothing else makes records, or lets a place out."""
        tail = self.tail
        told = self._named(kind, self.blur.body(kind, body))
        record = make(kind, self._key.device, self._boot, tail.next_seq, t_us, tail.head, told)
        self.tail = tail.after(record)
        return record

    def _named(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body of a trip's start, and of all that tells of a trip, with the trip's name."""
        start = self.tail.next_seq if kind == "trip_start" else body.get("trip")
        if self._trip_id is None or start is None:
            return body
        return {**body, "trip_id": self._trip_id(body.get("boot", self._boot), start)}


def roll(digest: bytes, hash_: bytes) -> bytes:
    """The digest over one hash more; it begins with ZEROS."""
    return hashlib.sha256(digest + hash_).digest()


def signed_bytes(seq: int, boot: int, t_us: int, device: bytes, prev: bytes, body: Mapping[str, Any]) -> bytes:
    """What a seal signs: the tag, then the record as it is but for the signature."""
    return SEAL_TAG + pack([VERSION, kind_number("seal"), device, boot, seq, t_us, prev, body])


def is_sealed_by(seal: Record, public: bytes) -> bool:
    """Whether the seal's signature is the key's. Checks nothing else."""
    body = dict(seal.body)
    signature = body.pop("signature", None)
    if not isinstance(signature, bytes):
        return False
    return is_signed(signed_bytes(seal.seq, seal.boot, seal.t_us, seal.device, seal.prev, body), signature, public)


def losses_of(gap: Record) -> list[Loss]:
    """The ranges a gap record covers, all before itself; what is malformed covers nothing and is left out."""
    ranges = gap.body.get("ranges")
    found = [_loss(entry) for entry in ranges] if isinstance(ranges, list) else []
    return [loss for loss in found if loss is not None and loss.last < gap.seq]


def _loss(entry: object) -> Loss | None:
    match entry:
        case [int(first), int(last), list(kinds), str(reason), list(hashes)]:
            kind = str(kinds[0]) if kinds else ""
            whole = len(hashes) in (0, last - first + 1) and all(isinstance(one, bytes) for one in hashes)
            return Loss(first, last, kind, reason, tuple(hashes)) if 0 <= first <= last and whole else None
        case _:
            return None


def _dropped(before: Mapping[str, int], record: Record) -> Mapping[str, int]:
    """Records dropped since the last seal, by reason, with those this record tells of."""
    if record.kind != "gap":
        return before
    after = dict(before)
    for loss in losses_of(record):
        after[loss.reason] = after.get(loss.reason, 0) + loss.last - loss.first + 1
    return after


def _chunks(ranges: list[list[Any]]) -> Iterator[list[list[Any]]]:
    """Ranges in groups of at most GAP_HASHES_MAX records or ranges; a range longer than that is cut."""
    pieces = (piece for entry in ranges for piece in _cut(entry))
    group: list[list[Any]] = []
    weight = 0
    for piece in pieces:
        cost = max(1, len(piece[4]))
        if group and weight + cost > GAP_HASHES_MAX:
            yield group
            group, weight = [], 0
        group.append(piece)
        weight += cost
    if group:
        yield group


def _cut(entry: list[Any]) -> Iterator[list[Any]]:
    first, last, kinds, reason, hashes = entry
    if len(hashes) <= GAP_HASHES_MAX:
        yield entry
        return
    rest = iter(hashes)
    while part := list(islice(rest, GAP_HASHES_MAX)):
        yield [first, min(last, first + len(part) - 1), kinds, reason, part]
        first += len(part)
