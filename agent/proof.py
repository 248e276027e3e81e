"""Does the account hold? Chain, completeness, seals, boots; names the record that is wrong. Pure.

What proves what. The chain shows any change, removal or exchange between two records that are there. A seal's signature
vouches for all it covers: through its digest, and through the chain, so what was forged together with its chain fails
at the next seal. A `gap` record excuses missing records only when a seal vouches for it. What no seal vouches for, yet
or for ever, is said.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from agent.codec import ZEROS, Record
from agent.finding import Problem, Report
from agent.key import KEY_BYTES, device_of
from agent.ledger import Loss, is_sealed_by, losses_of
from agent.recordfile import Pile

RANGES_MAX = 10


def check(piles: Sequence[Pile], public: bytes | None = None) -> Report:
    """All there is to check of these piles as one account; `public` is the device's key, where it is known already."""
    proof = _Proof(min((pile.first for pile in piles), default=0))
    proof.gather(piles)
    if proof.records:
        proof.check_seals(_keys(piles, public))
        proof.check_links()
        proof.check_digests()
        proof.account_for_losses()
        proof.check_holes()
        proof.check_counts()
        proof.check_boots()
        proof.sum_up()
    else:
        proof.wrong(None, "there is no whole record in it")
    return proof.report


class _Proof:
    """One run of the checks, in the order of `check`; each writes what it finds into the report."""

    def __init__(self) -> None:
        self.report = Report()
        self.records: dict[int, Record] = {}
        self.stubs: dict[int, tuple[str, bytes]] = {}
        self.seals: list[Record] = []  # with a good signature, by number
        self.losses: list[Loss] = []
        self.anchors: dict[int, bytes] = {}
        self.sealed_upto = -1

    def wrong(self, record: Record | None, problem: str) -> None:
        """Write down what does not hold."""
        seq, kind = (None, "") if record is None else (record.seq, record.kind)
        self.report.problems.append(Problem(seq, kind, problem))

    def gather(self, piles: Sequence[Pile]) -> None:
        """One record for each number; what is unreadable, foreign, double or out of its lane's order is said."""
        counts = Counter(record.device for pile in piles for record in pile.records)
        device = counts.most_common(1)[0][0] if counts else b""
        self.report.device = device.hex()
        for pile in piles:
            for fault in pile.faults:
                self.wrong(None, f"{pile.name}: {fault}")
            foreign = [record for record in pile.records if record.device != device]
            for record in foreign:
                self.wrong(record, f"is of device {record.device.hex()}, most are of {device.hex()}")
            self._check_order(pile, [one for one in pile.records if one.device == device and self._is_new(one)])
            self.stubs |= pile.stubs
            self._check_head(pile)
        self.records = dict(sorted(self.records.items()))
        for seq in self.records.keys() & self.stubs.keys():
            if self.stubs.pop(seq)[1] != self.records[seq].hash:
                self.wrong(self.records[seq], "is not the record whose hash stands elsewhere under its number")

    def check_seals(self, keys: Sequence[bytes]) -> None:
        """Each seal is the device's, and says of the chain what the chain is."""
        device = bytes.fromhex(self.report.device)
        fitting = [key for key in keys if device_of(key) == device]
        self.report.key = fitting[0].hex() if fitting else ""
        if not fitting:
            fault = "the key is not this device's" if keys else "no public key is in it; give the device's with --key"
            self.wrong(None, f"no seal can be checked: {fault}")
        for seal in (record for record in self.records.values() if record.kind == "seal"):
            if not any(is_sealed_by(seal, key) for key in fitting):
                self.wrong(seal, "its signature is not this device's: it was altered or forged")
            elif seal.body.get("head") != seal.prev or seal.body.get("upto") != seal.seq - 1:
                self.wrong(seal, "does not seal the record before it")
            else:
                self.seals.append(seal)
        if self.seals:
            self.sealed_upto = self.seals[-1].seq - 1
        else:
            self.wrong(None, "there is no valid seal: nothing vouches for these records")

    def account_for_losses(self) -> None:
        """What sealed gap records say was dropped."""
        gaps = [record for record in self.records.values() if record.kind == "gap"]
        for gap in gaps:
            if gap.seq <= self.sealed_upto:
                self.losses += losses_of(gap)
        self.losses.sort(key=lambda loss: loss.first)
        for loss in self.losses:
            entry = {"first": loss.first, "last": loss.last, "kind": loss.kind or None, "reason": loss.reason}
            self.report.dropped.append(entry)

    def check_holes(self, start: int) -> None:
        """Every number from the start on is there, is a stub, or is accounted for."""
        there = sorted(seq for seq in self.records.keys() | self.stubs.keys() if seq >= start)
        covered = [(seq, seq) for seq in there] + [(loss.first, loss.last) for loss in self.losses]
        last, expected = max(there, default=start), start
        for first, upto in sorted(covered):
            if first > min(expected, last):
                self._missing(expected, min(first - 1, last))
            expected = max(expected, upto + 1)

    def check_links(self) -> None:
        """Each record leads back to the one before it; who is to blame where one does not."""
        hashes = self._hashes()
        torn = {seq for seq in self.records if self._is_torn(seq, hashes)}
        sealed = {seal.seq for seal in self.seals}
        for seq in sorted({self._culprit(seq, torn, sealed) for seq in torn}):
            sides = [f"seq {side}" for side, link in ((seq - 1, seq), (seq + 1, seq + 1)) if link in torn]
            self.wrong(
                self.records[seq], f"was altered or exchanged: the chain breaks between it and {' and '.join(sides)}"
            )

    def _culprit(self, seq: int, torn: set[int], sealed: set[int]) -> int:
        """Whose fault it is that `seq` does not lead back: its own, or the record's before it."""
        if seq in sealed and seq - 1 in self.records:
            return seq - 1
        own = seq - 1 not in self.records or seq - 1 in sealed or seq + 1 in torn
        return seq if own else seq - 1

    def check_counts(self) -> None:
        """Seals follow one another, and count the kinds of record that are there."""
        kinds = {loss.first + n: loss.kind for loss in self.losses for n in range(len(loss.hashes))}
        kinds |= {seq: kind for seq, (kind, _) in self.stubs.items()}
        kinds |= {seq: record.kind for seq, record in self.records.items()}
        for before, seal in pairwise([None, *self.seals]):
            assert seal is not None
            first, counts = seal.body.get("from"), seal.body.get("counts")
            if not isinstance(first, int) or not isinstance(counts, dict):
                self.wrong(seal, "does not say what it seals")
                continue
            found = _count(kinds, first, seal.seq - 1)
            if found is not None and found != counts:
                self.wrong(seal, f"counts {_told(counts)} in {first}..{seal.seq - 1}, but there are {_told(found)}")
            since = _count(kinds, before.seq, seal.seq - 1) if before else None
            if before and since is not None and since.get("seal") == 1 and first != before.seq:
                self.wrong(seal, f"does not go on from the seal before, seq {before.seq}")

    def check_boots(self) -> None:
        """The count of boots never falls, and rises only with a `boot` record."""
        for before, after in pairwise(self.records.values()):
            if after.boot < before.boot:
                self.wrong(after, f"is of boot {after.boot}, but seq {before.seq} before it of boot {before.boot}")
            elif after.boot > before.boot and after.seq == before.seq + 1 and after.kind != "boot":
                self.wrong(after, f"begins boot {after.boot} without a boot record")

    def sum_up(self, start: int) -> None:
        """Numbers for the reader, and what is no fault but should be known."""
        report, seqs = self.report, list(self.records)
        report.records, report.first, report.last = len(seqs), seqs[0], seqs[-1]
        report.boots = sorted({record.boot for record in self.records.values()})
        report.seals, report.sealed_upto = len(self.seals), self.sealed_upto
        report.unsealed = sum(seq > self.sealed_upto + 1 for seq in seqs)
        report.elsewhere = len(self.stubs)
        if start > 0:
            report.notes.append(f"begins after seq {start - 1}; what came before is not in it")
        if self.stubs:
            report.notes.append(f"{_ranges(self.stubs)}: only the hash is in it, which fits the chain")
        if report.duplicates:
            report.notes.append(f"{report.duplicates} records are in it more than once, byte for byte the same")
        if report.unsealed and self.seals:
            report.notes.append(
                f"{report.unsealed} records after seq {self.sealed_upto + 1} are not sealed yet: nothing vouches for them"
            )

    def _is_new(self, record: Record) -> bool:
        """Take the record in, unless its number is taken: a copy is counted, another content is wrong."""
        other = self.records.setdefault(record.seq, record)
        if other is record:
            return True
        if other.raw == record.raw:
            self.report.duplicates += 1
        else:
            self.wrong(record, "is in it twice, with different content")
        return False

    def _check_order(self, pile: Pile, records: Sequence[Record]) -> None:
        """An export is in order; of what was received each lane is."""
        newest: dict[str, Record] = {}
        overtaken = 0
        for record in records:
            lane = "" if pile.is_export else record.lane
            before = newest.get(lane)
            if before and record.seq < before.seq:
                self.wrong(record, f"stands behind seq {before.seq} ({before.kind}): exchanged")
            else:
                newest[lane] = record
            overtaken += any(record.seq < other.seq for other in newest.values())
        if overtaken and not pile.is_export:
            self.report.notes.append(
                f"{pile.name}: {overtaken} stand behind newer ones of other lanes, as lanes may"
            )

    def _check_head(self, pile: Pile) -> None:
        """What an export says of itself fits what is in it."""
        if pile.public is not None and device_of(pile.public).hex() != self.report.device:
            self.wrong(None, f"{pile.name}: the public key at its head is not this device's")
        if not pile.is_export:
            return
        begin = pile.after[0] + 1 if pile.after else 0
        first = min([record.seq for record in pile.records] + list(pile.stubs))
        if first != begin:
            self.wrong(None, f"{pile.name}: should begin with seq {begin}, but the first in it is seq {first}")
        if pile.after and pile.after[1]:
            self.anchors[pile.after[0]] = pile.after[1]

    def _missing(self, first: int, last: int) -> None:
        which = "is missing" if first == last else f"to {last} ({last - first + 1} records) are missing"
        excused = [record.seq for record in self.records.values() if record.kind == "gap" and _excuses(record, first)]
        text = which if not excused else f"{which}; seq {excused[0]} says it was dropped, but no seal vouches for that"
        self.report.problems.append(Problem(first, "", text))

    def _hashes(self) -> dict[int, bytes]:
        """Every hash that is known, by number."""
        told = {loss.first + n: digest for loss in self.losses for n, digest in enumerate(loss.hashes)}
        told |= self.anchors
        told |= {seq: digest for seq, (_, digest) in self.stubs.items()}
        return told | {seq: record.hash for seq, record in self.records.items()}

    def _is_torn(self, seq: int, hashes: dict[int, bytes]) -> bool:
        """Whether the record does not lead back to the one before, as far as that one is known."""
        prev = self.records[seq].prev
        if seq == 0:
            return prev != ZEROS
        if prev == ZEROS:
            return not any(not loss.hashes and loss.first <= seq - 1 <= loss.last for loss in self.losses)
        return seq - 1 in hashes and hashes[seq - 1] != prev


def _keys(piles: Sequence[Pile], public: bytes | None) -> list[bytes]:
    """The key given; else those the files bring along."""
    if public is not None:
        return [public]
    found = {pile.public: None for pile in piles if pile.public is not None}
    for record in (record for pile in piles for record in pile.records if record.kind in ("key", "boot")):
        inner = record.body.get("key", record.body)
        told = inner.get("public") if isinstance(inner, dict) else None
        if isinstance(told, bytes) and len(told) == KEY_BYTES:
            found[told] = None
    return list(found)


def _start(piles: Sequence[Pile]) -> int:
    """The first number that must be there: 0, unless every file says that it begins later."""
    return min((pile.after[0] + 1 if pile.after else 0 for pile in piles), default=0)


def _excuses(gap: Record, seq: int) -> bool:
    return any(loss.first <= seq <= loss.last for loss in losses_of(gap))


def _count(kinds: Mapping[int, str], first: int, last: int) -> dict[str, int] | None:
    """Records of each kind from..to; None when that is not known of all of them."""
    if not 0 <= last - first < len(kinds):
        return None
    found = [kinds.get(seq, "") for seq in range(first, last + 1)]
    return dict(Counter(found)) if "" not in found else None


def _told(counts: Mapping[Any, Any]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items(), key=str)) or "nothing"


def _ranges(seqs: Iterable[int]) -> str:
    """Numbers in words: "seq 3, 7..9"."""
    runs: list[list[int]] = []
    for seq in sorted(seqs):
        if runs and runs[-1][1] == seq - 1:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    shown = [f"{first}" if first == last else f"{first}..{last}" for first, last in runs[:RANGES_MAX]]
    return f"seq {', '.join(shown)}" + (f" and {len(runs) - RANGES_MAX} more" if len(runs) > RANGES_MAX else "")
