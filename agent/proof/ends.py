"""Does an account begin and end where a file's head, its store, and the platform say that it does? Pure.

None of them is signed but the platform's receipt: whoever alters one on purpose is not stopped, whoever cuts is shown.
"""

from collections.abc import Sequence

from agent.ledger.key_chain import Chain
from agent.outbox.recordfile import Pile
from agent.proof.finding import Problem, Report


def check_ends(piles: Sequence[Pile], chain: Chain, report: Report) -> None:
    """What does not fit goes into the report, which knows already what the platform confirmed."""
    for pile in piles:
        if pile.public is not None and pile.public not in chain.publics:
            _wrong(report, f"{pile.name}: the public key at its head is not this device's")
        there = [record.seq for record in pile.records] + list(pile.stubs)
        first, last = min(there, default=pile.first), max(there, default=-1)
        if pile.is_export and first != pile.first:
            _wrong(report, f"{pile.name}: should begin with seq {pile.first}, but the first in it is seq {first}")
        if pile.last is not None and last < pile.last:
            cut = f"should end with seq {pile.last}, but the last in it is seq {last}: its end was cut off"
            _wrong(report, f"{pile.name}: {cut}")
    if report.confirmed is not None and piles:
        _check_receipt(piles, report.confirmed["upto"], report)


def _check_receipt(piles: Sequence[Pile], upto: int, report: Report) -> None:
    """A store holds what the platform had, or its stub; an export may be a part."""
    last = max((seq for pile in piles for seq in [*(one.seq for one in pile.records), *pile.stubs]), default=-1)
    if upto <= last:
        return
    if all(pile.is_export for pile in piles):
        report.notes.append(
            f"ends with seq {last}; the platform had all up to seq {upto}, what came after is not in it"
        )
    else:
        _wrong(report, f"ends with seq {last}, but the platform had all up to seq {upto}: its end was cut off")


def _wrong(report: Report, problem: str) -> None:
    report.problems.append(Problem(None, "", problem))
