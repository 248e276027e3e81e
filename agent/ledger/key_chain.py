"""From key to key: how a terminal hands its account over to a new key, and which key was in force when. Pure.

A `key` record that hands over says, in this order:

    public, id      the new key, 32 bytes, and its id, the first 8 bytes of SHA-256 of it
    previous        {public, id} of the key it takes over from; the very first one is the device's name
    reason          in words
    signature       Ed25519 by the previous key, over KEY_TAG and the record packed as it is without this entry

The record behind it is a seal of the previous key; each later seal is the new one's. The chain of such records is told
again in each `boot` record and at the head of an export, as entries [boot, seq, t_us, prev, body]: every part of an
account can be checked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.codec import VERSION, CodecError, Record, kind_number, make, pack
from agent.ledger.key import KEY_BYTES, Signer, device_of, is_signed

KEY_TAG = b"tbox key v1\x00"
LINKS_MAX = 64
"""Most rotations of a terminal: the chain goes with every boot."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The keys of a device, the first to the newest: `publics[n + 1]` came with the record `links[n]`.

    `rivals` are signed as well, but hand over from a key that had handed over before.
    """

    device: bytes
    publics: tuple[bytes, ...] = ()
    links: tuple[Record, ...] = ()
    rivals: tuple[Record, ...] = ()

    def in_force(self, seq: int) -> bytes:
        """The key that signs a seal of this number; there must be one."""
        return self.publics[sum(link.seq + 1 < seq for link in self.links)]


def handed_over(boot: int, seq: int, t_us: int, prev: bytes, old: Signer, body: Mapping[str, Any]) -> Record:
    """The record with the old key's signature; `body` as `handover` made it."""
    signature = old.sign(_signed_bytes(old.device, boot, seq, t_us, prev, body))
    return make("key", old.device, boot, seq, t_us, prev, {**body, "signature": signature})


def handover(old: bytes, new: bytes, reason: str) -> dict[str, Any]:
    """What such a record says, without the signature; two public keys go in."""
    previous = {"public": old, "id": device_of(old)}
    return {"public": new, "id": device_of(new), "previous": previous, "reason": reason}


def previous_of(record: Record) -> bytes | None:
    """The public key that this record says it takes over from; None: it is no handover."""
    previous = record.body.get("previous")
    public = previous.get("public") if record.kind == "key" and isinstance(previous, Mapping) else None
    return public if isinstance(public, bytes) and len(public) == KEY_BYTES else None


def is_handed_over(record: Record) -> bool:
    """Whether the key it names as the previous one signed it, and all of it fits together."""
    old, new, body = previous_of(record), record.body.get("public"), dict(record.body)
    signature = body.pop("signature", None)
    if old is None or not isinstance(new, bytes) or len(new) != KEY_BYTES or not isinstance(signature, bytes):
        return False
    if body != handover(old, new, str(body.get("reason"))):
        return False
    message = _signed_bytes(record.device, record.boot, record.seq, record.t_us, record.prev, body)
    return is_signed(message, signature, old)


def chain_of(device: bytes, records: Iterable[Record], publics: Iterable[bytes] = ()) -> Chain:
    """The chain of this device's keys in these handovers; `publics` may hold the first. Without it no key is known."""
    links = {one.raw: one for one in records if one.device == device and is_handed_over(one)}
    ordered = sorted(links.values(), key=lambda link: (link.seq, link.raw))
    firsts = [*publics, *(link.body["previous"]["public"] for link in ordered)]
    found = [public for public in firsts if device_of(public) == device][:1]
    taken: list[Record] = []
    rivals: list[Record] = []
    for link in ordered if found else ():
        if link.body["previous"]["public"] == found[-1] and link.body["public"] not in found:
            found.append(link.body["public"])
            taken.append(link)
        else:
            rivals.append(link)
    return Chain(device, tuple(found), tuple(taken), tuple(rivals))


def told_of(links: Iterable[Record]) -> list[list[Any]]:
    """Handovers as they are told in a `boot` record and at the head of an export."""
    return [[link.boot, link.seq, link.t_us, link.prev, dict(link.body)] for link in links]


def links_in(device: bytes, told: object) -> list[Record]:
    """The handovers in the `chain` of a boot record or an export's head; what is malformed is left out."""
    entries: Sequence[object] = told if isinstance(told, list) and len(told) <= LINKS_MAX else []
    return [link for entry in entries if (link := _link(device, entry)) is not None]


def _link(device: bytes, entry: object) -> Record | None:
    match entry:
        case [int(boot), int(seq), int(t_us), bytes(prev), dict(body)]:
            try:
                return make("key", device, boot, seq, t_us, prev, body)
            except CodecError:
                return None
        case _:
            return None


def _signed_bytes(device: bytes, boot: int, seq: int, t_us: int, prev: bytes, body: Mapping[str, Any]) -> bytes:
    return KEY_TAG + pack([VERSION, kind_number("key"), device, boot, seq, t_us, prev, body])
