"""On a claims page: who handled the record, what proves it, and how to check it without this software. Pure."""

from collections.abc import Iterator
from html import escape

from agent.evidence.claim import Claim

HOW = (
    "Each record is a msgpack array [v, kind, device, boot, seq, t_us, prev, body]; in the file each is a msgpack bin.",
    "prev is the SHA-256 of the exact bytes of the record before it: any change breaks the chain.",
    "A seal (kind 16) is signed by the device's key (Ed25519): “tbox seal v1”, a zero byte, and its own array.",
    "In that array the entry “signature” of the body is left out.",
    "The seal's digest is d = SHA-256(d + hash) over all records it covers, begun with 32 zeros.",
    "The device's id is the first 8 bytes of the SHA-256 of its public key.",
    "Parts of form “ring” are zlib streams of {int64 t_us, uint32 id, uint8 kind, channel, length, flags}, payload.",
)


def proof(claim: Claim, source: str, software: str) -> str:
    """Both sections."""
    handled = "".join(f"<li>{escape(words)}</li>" for words in _handled(claim, source, software))
    rows = "".join(f"<li><b>{escape(name)}</b><code>{escape(words)}</code></li>" for name, words in _proven(claim))
    how = "".join(f"<li>{escape(words)}</li>" for words in HOW)
    said = "".join(f"<li>{escape(words)}</li>" for words in _said(claim, source))
    return (
        f'<section><h2>Who handled this record</h2><ul class="facts panel">{handled}</ul></section>\n'
        f'<section><h2>Proof</h2><ul class="facts panel">{said}{rows}</ul>'
        f'<h3>How to check it without this software</h3><ul class="facts panel">{how}</ul></section>\n'
    )


def _handled(claim: Claim, source: str, software: str) -> Iterator[str]:
    """From the car to this page."""
    numbers = [part.seq for part in claim.dossier.parts]
    made = claim.identity.get("software", "unknown software")
    yield (
        f"Device {claim.proof.device} ({made}, settings {claim.identity.get('settings', 'unknown')}) caught it, boot "
        f"{claim.dossier.boot}, and numbered it: event {claim.seq}, evidence {numbers[0]} to {numbers[-1]}."
    )
    yield "It was numbered and sealed on the device before anything was sent."
    yield f"This page was made by {software} from {source}; it changes nothing in it."


def _said(claim: Claim, source: str) -> Iterator[str]:
    """What the checks said."""
    found = claim.proof
    if found.is_good:
        yield f"All {found.records} records of {source} hold: nothing is missing, altered or exchanged."
    yield from (f"Does not hold: {problem}." for problem in found.problems)
    last = claim.dossier.parts[-1].seq
    is_sealed = found.sealed_upto >= last
    yield (
        f"The device's seals vouch for everything up to record {found.sealed_upto}"
        f"{', this evidence included.' if is_sealed else ': this evidence is beyond it.'}"
    )


def _proven(claim: Claim) -> Iterator[tuple[str, str]]:
    """Hashes and keys, to compare."""
    yield "Device", claim.proof.device
    if claim.public is not None:
        yield "Public key", claim.public.hex()
    yield "Event, SHA-256", claim.dossier.event.hash.hex()
    for part in claim.dossier.parts[:1]:
        yield f"Evidence {part.seq}, SHA-256", part.hash.hex()
    if claim.seal is not None:
        yield "Sealed by", f"record {claim.seal.seq}"
        for name in ("key", "head", "digest", "signature"):
            if isinstance(told := claim.seal.body.get(name), bytes):
                yield f"Its {name}", told.hex()
