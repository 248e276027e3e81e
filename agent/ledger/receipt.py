"""What the platform says it has stored: sets of record numbers, and the receipt that carries one.

A receipt may be signed: then it is the platform's word for what it had and when, which it cannot take back. Signed are
RECEIPT_TAG and, packed as an array: the id of the device, what is stored as spans [first, last], epoch, time_us, head.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from agent.codec import COUNT_MAX, HASH_BYTES, CodecError, pack
from agent.ledger.key import KEY_BYTES, Signer, is_signed

RECEIPT_BYTES_MAX = 65536
"""A longer receipt is not read."""

ISLANDS_MAX = 4096
"""Most islands that a receipt may name above `upto`."""

SPANS_TOLD = 1024
"""A receipt with so many spans tells nothing above the last: 30 days of backlog have 7,500, which are 110 KB."""

RECEIPT_TAG = b"tbox receipt v1\x00"
SIGNATURE_BYTES = 64


class ReceiptError(ValueError):
    """The platform sent something that is no receipt; the text says what is wrong with it."""


class Ranges:
    """A set of record numbers, kept as the fewest closed spans (first, last), in order."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._spans: list[tuple[int, int]] = []
        for first, last in spans:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The spans, lowest first."""
        return iter(self._spans)

    def __bool__(self) -> bool:
        return bool(self._spans)

    def __len__(self) -> int:
        """How many numbers, not how many spans."""
        return sum(last - first + 1 for first, last in self._spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._spans == other._spans

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Ranges({self._spans})"

    def __contains__(self, seq: int) -> bool:
        index = bisect_left(self._spans, (seq + 1,)) - 1
        return index >= 0 and seq <= self._spans[index][1]

    def add(self, first: int, last: int | None = None) -> None:
        """Put in one number, or all of first to last (both included)."""
        last = first if last is None else last
        low = bisect_left(self._spans, (first,))
        if low and self._spans[low - 1][1] >= first - 1:
            low -= 1
        high = bisect_left(self._spans, (last + 2,))
        if low < high:
            first = min(first, self._spans[low][0])
            last = max(last, self._spans[high - 1][1])
        self._spans[low:high] = [(first, last)]

    def split(self, by: Self) -> tuple["Ranges", "Ranges"]:
        """Those that are in `by` too, and those that are not."""
        shared, alone = Ranges(), Ranges()
        for first, last in self._spans:
            at = first
            for low, high in by.within(first, last):
                if at < low:
                    alone.add(at, low - 1)
                shared.add(low, high)
                at = high + 1
            if at <= last:
                alone.add(at, last)
        return shared, alone

    def within(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The parts of the spans that lie in first to last."""
        index = max(bisect_left(self._spans, (first,)) - 1, 0)
        while index < len(self._spans) and self._spans[index][0] <= last:
            low, high = max(self._spans[index][0], first), min(self._spans[index][1], last)
            if low <= high:
                yield low, high
            index += 1

    def take(self, limit: int) -> tuple[int, ...]:
        """Take out the lowest numbers, at most `limit` of them."""
        taken: list[int] = []
        while self._spans and len(taken) < limit:
            first, last = self._spans[0]
            upto = min(last, first + limit - len(taken) - 1)
            taken += range(first, upto + 1)
            self._spans[:1] = [(upto + 1, last)] if upto < last else []
        return tuple(taken)


@dataclass(frozen=True, slots=True)
class Countersign:
    """The platform's word: when (UTC, its clock), the hash of the highest record from 0 on (empty: not known), who."""

    time_us: int
    head: bytes
    key: bytes
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one receiver has stored; a new `epoch` means that it was restored from a backup."""

    stored: Ranges
    epoch: int | str
    word: Countersign | None = None

    @property
    def upto(self) -> int:
        """All up to this number is stored; -1: not even the first."""
        first, last = next(iter(self.stored), (1, 1))
        return last if first == 0 else -1

    @property
    def told_upto(self) -> int:
        """Of numbers above this one it says nothing."""
        spans = list(self.stored)
        return spans[-1][1] if len(spans) >= SPANS_TOLD else COUNT_MAX

    def is_by(self, platform: bytes, device: bytes) -> bool:
        """Whether the holder of this key signed it, for this device."""
        if self.word is None or self.word.key != platform:
            return False
        try:
            message = _signed_bytes(self, self.word, device)
        except CodecError:  # an epoch that no record could hold
            return False
        return is_signed(message, self.word.signature, platform)

    def text(self) -> bytes:
        """As it is published."""
        spans = [list(span) for span in self.stored]
        also = spans[1:] if self.upto >= 0 else spans
        told: dict[str, Any] = {"upto": self.upto, "also": also, "epoch": self.epoch}
        if self.word:
            told["time_us"] = self.word.time_us
            told |= {name: getattr(self.word, name).hex() for name in ("head", "key", "signature")}
        return json.dumps(told).encode()


def signed(receipt: Receipt, key: Signer, device: bytes, time_us: int, head: bytes) -> Receipt:
    """The receipt with the platform's word for it."""
    word = Countersign(time_us, head, key.public)
    signature = key.sign(_signed_bytes(receipt, word, device))
    return Receipt(receipt.stored, receipt.epoch, Countersign(time_us, head, key.public, signature))


def _signed_bytes(receipt: Receipt, word: Countersign, device: bytes) -> bytes:
    spans = [list(span) for span in receipt.stored]
    return RECEIPT_TAG + pack([device, spans, receipt.epoch, word.time_us, word.head])


def parse_receipt(payload: bytes, *, upto_max: int) -> Receipt:
    """Read a receipt, UTF-8 JSON `{"upto": 41, "also": [[50, 60]], "epoch": 3}`; `upto` -1 means nothing yet.

    Where it has a `signature`, then also `time_us`, and in hex `head` and `key`; `is_by` checks it.
    A receipt that claims a record above `upto_max`, one never made, belongs to another terminal. Raises ReceiptError.
    """
    fields = _fields(payload)
    upto, also, epoch = fields.get("upto"), fields.get("also", []), fields.get("epoch")
    if isinstance(upto, bool) or not isinstance(upto, int) or upto < -1:
        raise ReceiptError(f"upto is {upto!r:.40}, not a whole number from -1")
    if isinstance(epoch, bool) or not isinstance(epoch, int | str):
        raise ReceiptError(f"epoch is {epoch!r:.40}, not a text or a whole number")
    if not isinstance(also, list) or len(also) > ISLANDS_MAX or not all(map(_is_span, also)):
        raise ReceiptError(f"also is {also!r:.40}, not a list of up to {ISLANDS_MAX} pairs [first, last]")
    stored = Ranges(((0, upto),) if upto >= 0 else ())
    for first, last in also:
        stored.add(first, last)
    highest = max((last for _, last in stored), default=-1)
    if highest > upto_max:
        raise ReceiptError(f"it claims record {highest}, but the last one made here is {upto_max}")
    return Receipt(stored, epoch, _word(fields) if "signature" in fields else None)


def _word(fields: dict[str, Any]) -> Countersign:
    """The platform's word in a receipt; a ReceiptError names what is no such thing."""
    time_us = fields.get("time_us")
    if type(time_us) is not int or not 0 <= time_us <= COUNT_MAX:
        raise ReceiptError(f"time_us is {time_us!r:.40}, not a whole number from 0")
    found: dict[str, bytes] = {}
    for name, sizes in (("head", (0, HASH_BYTES)), ("key", (KEY_BYTES,)), ("signature", (SIGNATURE_BYTES,))):
        try:
            found[name] = bytes.fromhex(fields[name])
        except (KeyError, TypeError, ValueError):
            raise ReceiptError(f"{name} is {fields.get(name)!r:.40}, not hex") from None
        if len(found[name]) not in sizes:
            raise ReceiptError(f"{name} has {len(found[name])} bytes")
    return Countersign(time_us, **found)


def _fields(payload: bytes) -> dict[str, Any]:
    """The JSON object in a payload."""
    if len(payload) > RECEIPT_BYTES_MAX:
        raise ReceiptError(f"{len(payload)} bytes, more than {RECEIPT_BYTES_MAX}")
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        raise ReceiptError("it is not JSON") from None
    if not isinstance(fields, dict):
        raise ReceiptError("it is not a JSON object")
    return fields


def _is_seq(seq: object) -> bool:
    """Whether this is a record number; true and false are none."""
    return isinstance(seq, int) and not isinstance(seq, bool) and seq >= 0


def _is_span(span: object) -> bool:
    """Whether this is a pair [first, last] of record numbers in order."""
    return isinstance(span, list) and len(span) == 2 and all(map(_is_seq, span)) and span[0] <= span[1]
