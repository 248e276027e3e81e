"""Who vouches for an account: the keys of its device one after the other, the fleet, the platform. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.codec import Record
from agent.ledger.fleet import Certificate
from agent.ledger.key import KEY_BYTES, device_of
from agent.ledger.key_chain import Chain, chain_of, links_in, previous_of
from agent.ledger.ledger import is_sealed_by
from agent.ledger.receipt import Receipt, ReceiptError, parse_receipt
from agent.outbox.recordfile import RECEIPT, Pile
from agent.proof.finding import Problem, Report


@dataclass(frozen=True, slots=True)
class Known:
    """Public keys that are known from elsewhere: the device's (any of its keys), the fleet's, the platform's."""

    device: bytes | None = None
    fleet: bytes | None = None
    platform: bytes | None = None


NOBODY = Known()


def chain_in(device: bytes, piles: Sequence[Pile], known: bytes | None) -> Chain:
    """The keys of this device, as the files and the key that is known tell them."""
    records = [record for pile in piles for record in pile.records if record.kind in ("key", "boot")]
    links = [record for record in records if previous_of(record) is not None]
    for told in _told(piles, records):
        links += links_in(device, told.get("chain"))
    return chain_of(device, links, [public for public in [known, *_publics(piles, records)] if public])


def keys_told(chain: Chain) -> list[dict[str, Any]]:
    """The keys for the report, each with the first number it may seal."""
    begins = [0, *(link.seq + 2 for link in chain.links)]
    return [
        {"key": public.hex(), "id": device_of(public).hex(), "from": begin}
        for public, begin in zip(chain.publics, begins, strict=True)
    ]


def strays_in(chain: Chain, records: Iterable[Record]) -> Iterator[Problem]:
    """Handovers that do not belong to the chain."""
    for record in records:
        if previous_of(record) is not None and record not in (*chain.links, *chain.rivals):
            fault = "hands over to another key without the signature of the one before: forged"
            yield Problem(record.seq, record.kind, fault)
    for rival in chain.rivals:
        old = previous_of(rival)
        assert old is not None
        if old in chain.publics:
            seq = next((link.seq for link in chain.links if previous_of(link) == old), rival.seq)
            fault = f"hands over from key {_id(old)}, which had handed over at seq {seq}"
        else:
            fault = f"hands over from an unknown key, {_id(old)}"
        yield Problem(rival.seq, rival.kind, fault)


def seal_fault(seal: Record, chain: Chain) -> str:
    """Why this seal's signature does not count; empty: it does. The chain has at least one key."""
    due = chain.in_force(seal.seq)
    if is_sealed_by(seal, due):
        return ""
    if other := next((public for public in chain.publics if is_sealed_by(seal, public)), None):
        order = chain.publics.index(other) - chain.publics.index(due)
        link = chain.links[chain.publics.index(other) - (order > 0)]
        when = "came only with" if order > 0 else "was replaced at"
        return f"is signed by key {_id(other)}, which {when} seq {link.seq}"
    told = seal.body.get("key")
    if isinstance(told, bytes) and told not in [device_of(public) for public in chain.publics]:
        return f"is signed by an unknown key, {told.hex():.40}"
    return "its signature is not this device's: it was altered or forged"


def check_fleet(piles: Sequence[Pile], chain: Chain, fleet: bytes | None, report: Report) -> None:
    """Whether the fleet vouches for a key of this device; `fleet` is its public key, where it is known."""
    records = [record for pile in piles for record in pile.records if record.kind == "boot"]
    found = [one for told in _told(piles, records) if (one := Certificate.read(told.get("certificate")))]
    fitting = [one for one in found if one.device == chain.device and one.public in chain.publics]
    if fleet is None:
        unknown = sorted({one.fleet.hex() for one in fitting})
        report.notes += [f"has a certificate of fleet key {name}; --fleet checks it" for name in unknown]
        return
    by_us = [one for one in fitting if one.is_by(fleet)]
    if by_us:
        newest = max(by_us, key=lambda one: one.not_before_us)
        report.fleet = {"key": fleet.hex(), "name": newest.name, "not_before_us": newest.not_before_us}
        return
    others = sorted({one.fleet.hex() for one in found if one.fleet != device_of(fleet)})
    fault = "no certificate of this fleet is in it"
    if others:
        fault = f"the fleet does not vouch for it; its certificate is by an unknown key, {', '.join(others)}"
    elif found:
        fault = "its certificate was altered, or is another device's"
    report.problems.append(Problem(None, "", fault))


def check_receipts(
    piles: Sequence[Pile], records: Mapping[int, Record], platform: bytes | None, report: Report
) -> None:
    """What the platform signed to have stored; `platform` is its public key, where it is known."""
    device = bytes.fromhex(report.device)
    for pile in piles:
        if (payload := pile.vouched.get(RECEIPT)) is None:
            continue
        receipt = _receipt(payload)
        fault = receipt if isinstance(receipt, str) else _receipt_fault(receipt, device, platform, records)
        if fault or isinstance(receipt, str):
            report.problems.append(Problem(None, "", f"{pile.name}: the platform's receipt {fault}"))
            continue
        assert receipt.word is not None
        told = {"upto": receipt.upto, "also": [list(span) for span in receipt.stored], "epoch": receipt.epoch}
        told |= {"time_us": receipt.word.time_us, "key": receipt.word.key.hex(), "is_known": platform is not None}
        if report.confirmed is None or told["time_us"] > report.confirmed["time_us"]:
            report.confirmed = told


def _receipt(payload: object) -> Receipt | str:
    """The receipt in it, or what is wrong; one part of an account does not bound what was stored."""
    try:
        return parse_receipt(payload if isinstance(payload, bytes) else b"", upto_max=2**63 - 1)
    except ReceiptError as error:
        return f"is none: {error}"


def _receipt_fault(receipt: Receipt, device: bytes, platform: bytes | None, records: Mapping[int, Record]) -> str:
    """Why it does not count; empty: it does."""
    if receipt.word is None or not receipt.is_by(receipt.word.key, device):
        return "is not signed for this device: it was altered or forged"
    if platform is not None and receipt.word.key != platform:
        return f"is signed by an unknown key, {receipt.word.key.hex()}"
    record = records.get(receipt.upto)
    if record is not None and receipt.word.head not in (b"", record.hash):
        return f"is for another record {receipt.upto} than this one"
    return ""


def _told(piles: Iterable[Pile], records: Iterable[Record]) -> Iterator[Mapping[str, Any]]:
    """Whatever stands where certificates and chains are told."""
    yield from (pile.vouched for pile in piles)
    for record in records:
        told = record.body.get("key")
        if record.kind == "boot" and isinstance(told, Mapping):
            yield told


def _publics(piles: Sequence[Pile], records: Sequence[Record]) -> list[bytes]:
    """The public keys that the files bring along."""
    found = {pile.public: None for pile in piles if pile.public is not None}
    for record in records:
        inner = record.body.get("key", record.body)
        key = inner.get("public") if isinstance(inner, dict) else None
        if isinstance(key, bytes) and len(key) == KEY_BYTES:
            found[key] = None
    return list(found)


def _id(public: bytes) -> str:
    return device_of(public).hex()
