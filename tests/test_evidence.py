"""Evidence: whole in its parts, and never more in a day than it may be."""

import random
import zlib

from agent.evidence import DAY_US, OVER, PART_BYTES, Evidence

RING = random.Random(1).randbytes(150_000)


def test_the_parts_together_are_the_ring() -> None:
    bodies = Evidence(10**6).bodies(7, RING, 0)
    assert [(body["part"], body["parts"], body["event"]) for body in bodies] == [(0, 3, 7), (1, 3, 7), (2, 3, 7)]
    assert max(len(body["data"]) for body in bodies) <= PART_BYTES
    assert zlib.decompress(b"".join(body["data"] for body in bodies)) == RING


def test_without_a_ring_there_is_none_and_nothing_is_lost() -> None:
    evidence = Evidence(10**6)
    assert evidence.bodies(7, b"", 0) == []
    assert evidence.losses == {}


def test_what_is_over_the_days_allowance_is_counted_and_the_next_day_is_new() -> None:
    evidence = Evidence(len(zlib.compress(RING, 6)))
    assert evidence.bodies(1, RING, 0)
    assert evidence.bodies(2, RING, DAY_US - 1) == []
    assert evidence.losses == {OVER: 1}
    assert evidence.bodies(3, RING, DAY_US)
