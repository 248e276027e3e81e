"""Does the account hold? Chain, completeness, seals, boots; names the record that is wrong. Pure.

What proves what. The chain shows any change, removal or exchange between two records that are there. A seal's signature
vouches for all it covers: through its digest, and through the chain, so what was forged together with its chain fails
at the next seal. A `gap` record excuses missing records only when a seal vouches for it. What no seal vouches for, yet
or for ever, is said.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import pairwise

from agent.codec import ZEROS, Record
from agent.ledger.key_chain import Chain, previous_of
from agent.ledger.ledger import SEALED_AT_ONCE, Loss, losses_of, roll
from agent.outbox.recordfile import Pile
from agent.proof.ends import check_ends
from agent.proof.finding import Problem, Report, ranges, told
from agent.proof.vouching import NOBODY, Known, chain_in, check_fleet, check_receipts, keys_told, seal_fault, strays_in


def check(piles: Sequence[Pile], known: Known = NOBODY) -> Report:
    """All there is to check of these piles as one account, with the public keys that are known already."""
    proof = _Proof(min((pile.first for pile in piles), default=0))
    proof.gather(piles)
    if proof.records:
        chain = chain_in(bytes.fromhex(proof.report.device), piles, known.device)
        proof.check_seals(chain, known.device)
        proof.check_links()
        proof.check_digests()
        proof.account_for_losses()
        proof.check_holes()
        proof.check_counts()
        proof.check_followers()
        proof.check_boots()
        check_fleet(piles, chain, known.fleet, proof.report)
        check_receipts(piles, proof.records, known.platform, proof.report)
        check_ends(piles, chain, proof.report)
        proof.sum_up()
    else:
        proof.wrong(None, "there is no whole record in it")
    return proof.report


class _Proof:
    """One run of the checks, in the order of `check`; each writes what it finds into the report."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.report = Report()
        self.records: dict[int, Record] = {}
        self.stubs: dict[int, tuple[str, bytes]] = {}
        self.seals: list[Record] = []  # with a good signature, by number
        self.losses: list[Loss] = []
        self.altered: set[int] = set()
        self.proven: set[int] = set()  # numbers of records that a seal vouches for

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
        self.records = dict(sorted(self.records.items()))
        for seq in self.records.keys() & self.stubs.keys():
            if self.stubs.pop(seq)[1] != self.records[seq].hash:
                self.wrong(self.records[seq], "is not the record whose hash stands elsewhere under its number")

    def check_seals(self, chain: Chain, known: bytes | None) -> None:
        """Each seal is by the device's key that was in force, and says of the chain what the chain is."""
        self.report.key = chain.publics[0].hex() if chain.publics else ""
        if not chain.publics or known not in (None, *chain.publics):
            self.wrong(None, f"no seal can be checked: {_keyless(known, self.records.values())}")
            return
        self.report.keys = keys_told(chain)
        self.report.problems += strays_in(chain, self.records.values())
        for seal in (record for record in self.records.values() if record.kind == "seal"):
            if fault := seal_fault(seal, chain):
                self.wrong(seal, fault)
            elif seal.body.get("head") != seal.prev or seal.body.get("upto") != seal.seq - 1:
                self.wrong(seal, "does not seal the record before it")
            else:
                self.seals.append(seal)
        if not self.seals:
            self.wrong(None, "there is no valid seal: nothing vouches for these records")

    def check_links(self) -> None:
        """Each record leads back to the one before it; who is to blame where one does not."""
        torn = {seq for seq in self.records if self._is_torn(seq)}
        sealed = {seal.seq for seal in self.seals}
        self.altered = {self._culprit(seq, torn, sealed) for seq in torn}
        for seq in sorted(self.altered):
            sides = [f"seq {side}" for side, link in ((seq - 1, seq), (seq + 1, seq + 1)) if link in torn]
            where = " and ".join(sides)
            self.wrong(self.records[seq], f"was altered or exchanged: the chain breaks between it and {where}")

    def check_digests(self) -> None:
        """Each seal's digest is that of what is here; what digests and chain vouch for is proven."""
        gaps = [record for record in self.records.values() if record.kind == "gap"]
        hashes = {loss.first + n: one for gap in gaps for loss in losses_of(gap) for n, one in enumerate(loss.hashes)}
        hashes |= {seq: digest for seq, (_, digest) in self.stubs.items()}
        hashes |= {seq: record.hash for seq, record in self.records.items()}
        for seal in self.seals:
            self.proven.add(seal.seq)
            span = _span(seal, hashes)
            if span is None:
                continue
            if reduce(roll, (hashes[seq] for seq in span), ZEROS) == seal.body.get("digest"):
                self.proven.update(seq for seq in span if seq in self.records)
            elif self.altered.isdisjoint(span):
                loose = [seq for seq in span if seq not in self.records or seq + 1 not in self.records]
                self.wrong(self.records.get(loose[0], seal) if len(loose) == 1 else seal, _unlike(seal, loose))
        for seq in reversed(self.records):
            after = self.records.get(seq + 1)
            if after and after.seq in self.proven and after.prev == self.records[seq].hash:
                self.proven.add(seq)

    def account_for_losses(self) -> None:
        """What proven gap records say was dropped."""
        gaps = [record for record in self.records.values() if record.kind == "gap" and record.seq in self.proven]
        self.losses = sorted((loss for gap in gaps for loss in losses_of(gap)), key=lambda loss: loss.first)
        for loss in self.losses:
            entry = {"first": loss.first, "last": loss.last, "kind": loss.kind or None, "reason": loss.reason}
            self.report.dropped.append(entry)
            after = self.records.get(loss.last + 1)
            if loss.hashes and after and after.prev not in (loss.hashes[-1], ZEROS):
                self.wrong(after, f"does not lead back to seq {loss.last} as it was when it was dropped")

    def check_holes(self) -> None:
        """Every number from the start on is there, is a stub, or is accounted for."""
        there = sorted(seq for seq in self.records.keys() | self.stubs.keys() if seq >= self.first)
        covered = [(seq, seq) for seq in there] + [(loss.first, loss.last) for loss in self.losses]
        last, expected = max(there, default=self.first), self.first
        for first, upto in sorted(covered):
            if min(first - 1, last) >= expected:
                self._missing(expected, min(first - 1, last))
            expected = max(expected, upto + 1)

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
                self.wrong(seal, f"counts {told(counts)} in {first}..{seal.seq - 1}, but there are {told(found)}")
            since = _count(kinds, before.seq, seal.seq - 1) if before else None
            if before and since is not None and since.get("seal") == 1 and first != before.seq:
                self.wrong(seal, f"does not go on from the seal before, seq {before.seq}")

    def check_followers(self) -> None:
        """What must be sealed at once is followed by its seal."""
        for record in self.records.values():
            after = self.records.get(record.seq + 1)
            is_due = record.kind in SEALED_AT_ONCE or previous_of(record) is not None
            if is_due and after and after.kind not in ("seal", record.kind):
                self.wrong(after, f"should be the seal of seq {record.seq} ({record.kind})")

    def check_boots(self) -> None:
        """The count of boots never falls, and rises only with a `boot` record."""
        for before, after in pairwise(self.records.values()):
            if after.boot < before.boot:
                self.wrong(after, f"is of boot {after.boot}, but seq {before.seq} before it of boot {before.boot}")
            elif after.boot > before.boot and after.seq == before.seq + 1 and after.kind != "boot":
                self.wrong(after, f"begins boot {after.boot} without a boot record")

    def sum_up(self) -> None:
        """Numbers for the reader, and what is no fault but should be known."""
        report, seqs = self.report, list(self.records)
        report.records, report.first, report.last = len(seqs), min([seqs[0], *self.stubs]), seqs[-1]
        report.boots = sorted({record.boot for record in self.records.values()})
        report.seals, report.sealed_upto = len(self.seals), max((seal.seq - 1 for seal in self.seals), default=-1)
        unproven = self.records.keys() - self.proven
        report.unsealed, report.elsewhere = len(unproven), len(self.stubs)
        if self.first > 0:
            report.notes.append(f"begins with seq {self.first}; what came before is not in it")
        if self.stubs:
            kinds = told(Counter(kind for kind, _ in self.stubs.values()))
            report.notes.append(f"{ranges(self.stubs)}: only the hash is in it ({kinds})")
        if report.duplicates:
            report.notes.append(f"{report.duplicates} records are in it more than once, byte for byte the same")
        if unproven and report.is_good:
            report.notes.append(f"{ranges(unproven)}: no seal vouches for this, not yet or not any more")
        report.problems.sort(key=lambda problem: -1 if problem.seq is None else problem.seq)

    def _culprit(self, seq: int, torn: set[int], sealed: set[int]) -> int:
        """Whose fault it is that `seq` does not lead back: its own, or the record's before it."""
        if seq in sealed and seq - 1 in self.records:
            return seq - 1
        own = seq - 1 not in self.records or seq - 1 in sealed or seq + 1 in torn
        return seq if own else seq - 1

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
        """An export is in order; what was received need not be: what is live overtakes a backlog."""
        newest: Record | None = None
        overtaken = 0
        for record in records:
            if newest is None or record.seq > newest.seq:
                newest = record
            elif pile.is_export:
                self.wrong(record, f"stands behind seq {newest.seq} ({newest.kind}): exchanged")
            else:
                overtaken += 1
        if overtaken:
            self.report.notes.append(f"{pile.name}: {overtaken} stand behind newer ones")

    def _missing(self, first: int, last: int) -> None:
        which = "is missing" if first == last else f"to {last} ({last - first + 1} records) are missing"
        excused = [record.seq for record in self.records.values() if record.kind == "gap" and _excuses(record, first)]
        text = which if not excused else f"{which}; seq {excused[0]} says it was dropped, but no seal vouches for that"
        self.report.problems.append(Problem(first, "", text))

    def _is_torn(self, seq: int) -> bool:
        """Whether the record does not lead back to the one before, as far as that one is known."""
        prev, before = self.records[seq].prev, self.records.get(seq - 1)
        if seq == 0:
            return prev != ZEROS
        if prev == ZEROS:
            gaps = (record for record in self.records.values() if record.kind == "gap")
            return not any(not loss.hashes and loss.first < seq <= loss.last + 1 for g in gaps for loss in losses_of(g))
        if before:
            return before.hash != prev
        return seq - 1 in self.stubs and self.stubs[seq - 1][1] != prev


def _keyless(known: bytes | None, records: Iterable[Record]) -> str:
    """Why there is no key to check with."""
    is_any = known is not None or any(record.kind in ("key", "boot") for record in records)
    return "the key is not this device's" if is_any else "no public key is in it; give the device's with --key"


def _excuses(gap: Record, seq: int) -> bool:
    return any(loss.first <= seq <= loss.last for loss in losses_of(gap))


def _count(kinds: Mapping[int, str], first: int, last: int) -> dict[str, int] | None:
    """Records of each kind from..to; None when that is not known of all of them."""
    if not 0 <= last - first < len(kinds):
        return None
    found = [kinds.get(seq, "") for seq in range(first, last + 1)]
    return dict(Counter(found)) if "" not in found else None


def _span(seal: Record, hashes: Mapping[int, bytes]) -> range | None:
    """The numbers a seal covers; None when not all their hashes are known."""
    first = seal.body.get("from")
    if not isinstance(first, int) or not 0 < seal.seq - first <= len(hashes):
        return None
    span = range(first, seal.seq)
    return span if all(seq in hashes for seq in span) else None


def _unlike(seal: Record, loose: list[int]) -> str:
    """What to say when a seal's digest does not fit; `loose` are those whose change the chain cannot show."""
    if len(loose) == 1:
        return f"was altered: it is not what seq {seal.seq} sealed"
    return f"what it sealed is not what is here: one of {ranges(loose)} was altered"
