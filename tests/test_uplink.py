"""What may go when: order, window, backlog and live, waits, receipts; in tables, and over a week of lost links."""

import json
from collections import Counter
from random import Random

import pytest

from agent.settings import Uplink as Settings
from agent.uplink.aside import AGAIN_S
from agent.uplink.exchange import LANES, Acked, Confirm, Connect, Drop, LinkDown, LinkUp, Message, Publish, Reopen
from agent.uplink.pace import BACKLOG_BYTES
from agent.uplink.uplink import LIVE_S, Uplink
from tests.world import World

UP = LinkUp("broker:8883", "5", session_present=True)
DAY_S = 86_400.0


class Bench:
    """An uplink with a hand-made outbox; says what was published, by number."""

    def __init__(
        self,
        rows: dict[int, str],
        *,
        stored_upto: int | None = None,
        size: int = 10,
        delivered_upto: int = -1,
        **settings: object,
    ) -> None:
        self.rows = {seq: (lane, bytes(size)) for seq, lane in rows.items()}
        upto = max(rows, default=-1) if stored_upto is None else stored_upto
        self.uplink = Uplink(Settings(**settings), stored_upto=upto, delivered_upto=delivered_upto, rng=Random(1))
        self.confirmed: list[int] = []
        self.connects = self.drops = 0
        self.spans: list[tuple[int, int]] = []
        self.said: list[str] = []

    def turn(self, now_s: float, *answers: object) -> list[int]:
        """Once round; the numbers published, in order."""
        self.said = self.uplink.hear(now_s, answers)
        for want in self.uplink.wants():
            rows = [(seq, raw) for seq, (lane, raw) in sorted(self.rows.items()) if lane == want.lane]
            self.uplink.offer(want, [row for row in rows if row[0] > want.after_seq][: want.limit])
        published = []
        for action in self.uplink.step(now_s):
            match action:
                case Connect():
                    self.connects += 1
                case Publish(seq):
                    published.append(seq)
                case Confirm(seqs):
                    self.confirmed += seqs
                case Reopen(spans):
                    self.spans += spans
                    self.uplink.reopened()
                case Drop():
                    self.drops += 1
        return published

    def up(self, now_s: float = 0.0, link: LinkUp = UP) -> list[int]:
        """Connect; what is published at once."""
        assert self.turn(now_s) == []
        return self.turn(now_s, link)

    def make(self, seq: int, lane: str, size: int = 10) -> None:
        """A record, synced at once."""
        self.rows[seq] = (lane, bytes(size))
        self.uplink.synced([(seq, lane)])


def fresh(rows: dict[int, str], **settings: object) -> Bench:
    """One whose rows were made since its start."""
    bench = Bench({}, **settings)
    for seq, lane in rows.items():
        bench.make(seq, lane)
    return bench


def receipt(upto: int, *also: tuple[int, int], epoch: int = 1) -> Message:
    return Message("receipt", json.dumps({"upto": upto, "also": also, "epoch": epoch}).encode())


def acks(*seqs: int) -> list[Acked]:
    return [Acked(seq) for seq in seqs]


# Order, lanes, window


def test_the_highest_lane_goes_first_and_each_lane_in_order() -> None:
    bench = Bench({0: "samples", 1: "event", 2: "health", 3: "trip", 4: "event", 5: "evidence", 6: "trip"})
    assert bench.up() == [5, 1, 4, 3, 6, 2, 0]


def test_nothing_goes_before_its_row_is_on_flash() -> None:
    bench = Bench({0: "event", 1: "event"}, stored_upto=0)
    assert bench.up() == [0]
    assert bench.turn(1, *acks(0)) == []
    bench.uplink.synced([(1, "event")])
    assert bench.turn(2) == [1]


@pytest.mark.parametrize(("window", "receive_maximum", "fits"), [(20, 65535, 20), (20, 3, 3), (1, 65535, 1), (5, 5, 5)])
def test_in_flight_is_at_most_the_window_and_what_the_broker_takes(
    window: int, receive_maximum: int, fits: int
) -> None:
    bench = fresh(dict.fromkeys(range(50), "evidence"), window=window)
    up = LinkUp("b:1", "5", session_present=True, receive_maximum=receive_maximum)
    assert bench.up(0, up) == list(range(fits))
    assert bench.turn(1) == []
    assert bench.turn(2, Acked(0)) == [fits]


def test_no_more_is_read_from_the_outbox_than_the_window_can_take_twice() -> None:
    bench = Bench(dict.fromkeys(range(10), "event"), window=4)
    bench.turn(0)
    bench.uplink.hear(0, [UP])
    assert [want for want in bench.uplink.wants() if want.lane == "event"] == [("event", 9, 4), ("event", -1, 4)]
    assert bench.turn(1) == [0, 1]
    assert [want for want in bench.uplink.wants() if want.lane == "event"] == [("event", 3, 2)]


def test_acknowledged_is_confirmed_once_and_strangers_are_passed_over() -> None:
    bench = Bench({0: "event", 1: "event"})
    bench.up()
    bench.turn(1, Acked(1), Acked(1), Acked(77))
    bench.turn(2, Acked(0))
    assert bench.confirmed == [1, 0]


def test_a_lost_link_sends_again_what_was_not_answered_in_the_same_order_and_ahead_of_the_rest() -> None:
    bench = fresh(dict.fromkeys(range(6), "evidence") | {6: "trip"}, window=4)
    assert bench.up() == [0, 1, 2, 3]
    assert bench.turn(1, Acked(1), LinkDown("lost")) == []
    assert bench.up(9) == [0, 2, 3, 4]


def test_an_answer_of_the_outbox_that_comes_too_late_is_passed_over() -> None:
    bench = Bench({})
    bench.up()
    bench.make(0, "event")
    want = bench.uplink.wants()[0]
    bench.uplink.offer(want, [(0, b"x")])
    bench.uplink.offer(want, [(0, b"x")])
    assert bench.turn(1) == [0]


# Live and backlog


def test_a_live_record_overtakes_the_backlog_of_higher_lanes() -> None:
    bench = Bench(dict.fromkeys(range(50), "event"), window=8)
    assert bench.up() == [0, 1, 2, 3]
    bench.make(50, "samples")
    assert bench.turn(1) == [50]
    assert bench.turn(2, *acks(0, 50)) == [4]


def test_a_live_record_overtakes_the_backlog_of_its_own_lane_and_both_stay_in_order() -> None:
    bench = Bench(dict.fromkeys(range(6), "event"), window=4)
    assert bench.up() == [0, 1]
    bench.make(6, "event")
    bench.make(7, "event")
    assert bench.turn(1) == [6, 7]
    assert bench.turn(2, *acks(0, 6)) == [2]
    bench.make(8, "event")
    assert bench.turn(3, *acks(7, 1)) == [8, 3]


@pytest.mark.parametrize("confirm", ["puback", "receipt"])
def test_what_went_live_and_then_grew_old_is_not_sent_again_with_the_backlog(confirm: str) -> None:
    bench = Bench({0: "health"}, window=4, confirm=confirm, ack_s=1000)
    assert bench.up() == [0]
    for seq in (1, 2, 3, 4, 5):
        bench.make(seq, "health")
    assert bench.turn(1) == [1, 2, 3]
    for eighth in range(1, 11):
        bench.turn(1 + LIVE_S * eighth / 8)  # 4 and 5 wait and grow old
    for seq in (0, 1):
        bench.rows.pop(seq) if confirm == "puback" else None
    assert bench.turn(90, *acks(0, 1)) == [4, 5]
    assert bench.turn(91, *acks(2, 3, 4, 5)) == []
    assert bench.uplink.counters()["published"] == 6


def test_a_lost_link_sends_again_live_ones_that_grew_old_with_the_backlog_in_order() -> None:
    bench = Bench(dict.fromkeys(range(4), "health"), window=4, ack_s=1000)
    assert bench.up() == [0, 1]
    bench.make(4, "health")
    bench.make(5, "health")
    assert bench.turn(1) == [4, 5]
    bench.make(6, "health")
    for eighth in range(1, 11):
        bench.turn(1 + LIVE_S * eighth / 8)
    assert bench.turn(90, *acks(0, 1)) == [2, 3]  # 4 and 5 are passed over, 6 is read
    bench.turn(91, Acked(5), LinkDown("lost"))
    bench.rows.pop(5)
    assert bench.up(100) == [2, 3]
    assert bench.turn(101, *acks(2, 3)) == [4, 6]


def test_who_starts_here_goes_first_however_long_it_waited() -> None:
    """A `boot` record tells of keys that changed hands: without it nobody could check a seal that overtakes it."""
    bench = Bench(dict.fromkeys(range(50), "event"), window=8)
    for seq in (50, 51):
        bench.make(seq, "event")
    for eighth in range(1, 11):
        bench.uplink.step(LIVE_S * eighth / 8)
    assert bench.turn(90, UP) == [50, 0, 1, 2, 3]


def test_a_window_of_one_carries_backlog_too() -> None:
    bench = Bench({0: "samples"}, window=1)
    assert bench.up() == [0]


def test_evidence_of_this_start_is_never_backlog() -> None:
    bench = Bench(dict.fromkeys(range(10), "evidence"), window=4)
    for seq in range(10, 20):
        bench.make(seq, "evidence")
    for eighth in range(1, 11):
        bench.uplink.step(LIVE_S * eighth / 8)
    assert bench.turn(90, UP) == [10, 11, 12, 13]


def test_backlog_in_flight_is_bounded_in_bytes_too() -> None:
    bench = Bench(dict.fromkeys(range(20), "samples"), size=BACKLOG_BYTES // 2)
    assert bench.up() == [0, 1]
    bench = Bench(dict.fromkeys(range(20), "samples"), size=3 * BACKLOG_BYTES)
    assert bench.up() == [0]


@pytest.mark.parametrize(("waited_s", "published"), [(LIVE_S * 0.99, 4), (LIVE_S * 1.2, 2)])
def test_what_waited_long_for_a_link_is_backlog(waited_s: float, published: int) -> None:
    bench = Bench({}, window=4)
    bench.uplink.step(0)
    for seq in range(1, 11):
        bench.make(seq, "health")
    for eighth in range(1, 9):
        bench.uplink.step(waited_s * eighth / 8)
    assert len(bench.turn(waited_s, UP) + bench.turn(waited_s)) == published


def test_a_week_of_backlog_does_not_delay_live_records() -> None:
    """The bound: the bytes of backlog that may be ahead, a live record of each lane, and the way there and back."""
    world = World(3, Settings(), latency_s=0.2, rate_bps=20_000)
    world.store(["samples", "samples", "samples", "trip", "health", "health"] * 1120, 600)  # 7 days of 8 h
    live = []
    for second in range(10, 200, 5):
        world.later(second, lambda: live.append(world.make("event", 250)))
    world.run(200)
    waited_s = [world.acked_s[seq] - world.made[seq][1] for seq in live]
    assert max(waited_s) < (BACKLOG_BYTES + 600 + 250) / 20_000 + 0.2 + 0.02
    assert len(world.sent) > 200 * 20_000 / 600 * 0.9  # and the link is hardly ever idle
    world.run(400)
    assert set(world.confirmed) == set(world.made)


def test_on_a_very_slow_link_a_live_record_soon_waits_for_little_backlog() -> None:
    world = World(3, Settings(), latency_s=0.5, rate_bps=300)
    world.store(["samples"] * 2000, 1200)  # ten of them take 40 s
    live = []
    for second in range(60, 600, 20):
        world.later(second, lambda: live.append(world.make("event", 250)))
    world.run(620)
    assert max(world.acked_s[seq] - world.made[seq][1] for seq in live) < 10
    assert len(world.sent) > 0.8 * 620 * 300 / 1200


# A metered link, and one that takes nothing


def test_what_a_metered_link_holds_back_lets_others_pass_and_goes_another_day() -> None:
    bench = Bench({0: "samples", 1: "samples", 2: "health"}, size=500_000, day_mb=1, window=4)
    assert bench.up() == [2]  # half a megabyte: two of them are more than samples may have
    bench.make(3, "event", 700_000)
    assert bench.turn(1, *acks(2)) == [3]
    assert bench.said == ["samples held back: 0.5 of 1 MB of 24 hours are spent (uplink.day_mb)"]
    assert bench.uplink.counters()["lanes_held"] == 1
    assert bench.turn(25 * 3600 - 1, *acks(3)) == []
    assert bench.turn(25 * 3600) == [0]
    assert bench.turn(25 * 3600 + 1, *acks(0)) == []
    assert bench.turn(50 * 3600 + 1) == [1]


@pytest.mark.parametrize(("waited_s", "drops"), [(59.9, 0), (60.0, 1)])
def test_a_link_that_acknowledges_nothing_is_given_up(waited_s: float, drops: int) -> None:
    bench = Bench({0: "event", 1: "event"}, window=4)
    bench.up()
    bench.turn(100, Acked(0))
    bench.turn(100 + waited_s)
    assert bench.drops == drops
    bench.turn(200, LinkDown("given up"))
    assert bench.up(300) == [1]
    assert bench.uplink.counters()["losses"] == 1


def test_a_link_that_has_nothing_to_carry_is_left_alone() -> None:
    bench = Bench({0: "event"})
    bench.up()
    bench.turn(1, Acked(0))
    assert bench.turn(10_000) == []
    bench.make(1, "event")
    assert bench.turn(20_000) == [1]
    bench.turn(20_059)
    assert bench.drops == 0


# What the broker does not take


def test_a_record_larger_than_the_broker_takes_lets_others_pass_and_goes_once_it_may() -> None:
    bench = Bench({0: "event", 1: "event", 2: "trip"})
    bench.rows[0] = ("event", bytes(1001))
    small, large = (LinkUp("b:1", "5", session_present=True, bytes_max=most) for most in (1000, 1001))
    assert bench.up(0, small) == [1, 2]
    assert bench.turn(1, *acks(1, 2)) == []
    assert bench.said == [
        "record 0 has 1001 bytes, and this broker takes 1000: what is larger waits until that limit is raised"
    ]
    assert bench.uplink.counters()["too_large"] == 1
    bench.turn(2, LinkDown("lost"))
    bench.rows = {0: bench.rows[0]}
    assert bench.up(9, large) == [0]
    assert bench.uplink.counters()["too_large"] == 0


def test_a_record_at_which_three_links_ended_waits_and_is_tried_alone_later() -> None:
    bench = Bench(dict.fromkeys(range(3), "event"), window=2)
    for at_s in (0, 100, 200):
        assert bench.up(at_s) == [0]
        bench.turn(at_s + 1, LinkDown("lost"))
    assert "record 0 (event, 10 bytes) was under way when 3 links ended" in bench.said[-1]
    assert bench.up(205) == [1]
    assert bench.turn(206, *acks(1)) == [2]
    assert bench.turn(207, *acks(2)) == []
    assert bench.uplink.counters()["aside"] == 1
    assert bench.turn(201 + AGAIN_S) == [0]
    bench.turn(300, LinkDown("lost"))
    assert bench.up(302) == []
    assert bench.turn(299 + 2 * AGAIN_S) == []
    assert bench.turn(300 + 2 * AGAIN_S) == [0]
    bench.turn(301 + 2 * AGAIN_S, *acks(0))
    assert bench.confirmed == [1, 2, 0]


def test_a_broker_that_refuses_who_we_are_says_nothing_of_the_record() -> None:
    bench = Bench({0: "event"})
    for at_s in range(0, 5000, 1000):
        assert bench.up(at_s) == [0]
        bench.turn(at_s + 1, LinkDown("not you", is_auth=True))


# Waits


def test_waits_double_to_the_longest_and_are_spread() -> None:
    bench = Bench({}, backoff_s_min=1, backoff_s_max=8)
    now_s, waits_s = 0.0, []
    for _ in range(6):
        bench.turn(now_s)
        bench.turn(now_s, LinkDown("refused"))
        waits_s.append(bench.uplink.wake_s() - now_s)
        now_s += waits_s[-1]
    assert bench.connects == 6
    for wait_s, base_s in zip(waits_s, [1, 2, 4, 8, 8, 8], strict=True):
        assert 0.75 * base_s <= wait_s <= base_s
    assert len(set(waits_s)) == 6


def test_an_authentication_failure_slows_down_and_says_so() -> None:
    bench = Bench({}, auth_backoff_s=300)
    bench.turn(0)
    bench.turn(0, LinkDown("broker:8883 refused the password", is_auth=True))
    assert bench.said[0].startswith("broker:8883 refused the password; trying only every 2")
    assert 225 <= bench.uplink.wake_s() <= 300
    assert bench.uplink.counters()["auth_failures"] == 1
    bench.turn(400)
    bench.turn(400, LinkDown("lost"))
    assert bench.uplink.wake_s() - 400 <= 1  # which is the least wait still


def test_the_same_reason_is_said_once_until_the_link_was_up() -> None:
    bench = Bench({}, backoff_s_max=1)
    said = []
    for now_s, answers in enumerate([[], [LinkDown("x")], [], [LinkDown("x")], [], [UP], [LinkDown("x")]]):
        bench.turn(now_s * 2.0, *answers)
        said += bench.said
    assert said == ["x; trying again in 1 s", "connected to broker:8883 with MQTT 5", "x; trying again in 1 s"]


@pytest.mark.parametrize(
    ("useful", "longest_s"),
    [
        pytest.param([Acked(0)], 1.0, id="it carried a record"),
        pytest.param([], 4.0, id="it was up for a moment and carried nothing"),
    ],
)
def test_a_link_that_proved_useful_makes_the_next_wait_short(useful: list[Acked], longest_s: float) -> None:
    bench = Bench({0: "event"}, backoff_s_min=1, backoff_s_max=60)
    for now_s in (0.0, 10.0):
        bench.turn(now_s)
        bench.turn(now_s, LinkDown("refused"))
    bench.up(20)
    bench.turn(21, *useful, LinkDown("lost"))
    assert 0.75 * longest_s <= bench.uplink.wake_s() - 21 <= longest_s


def test_a_link_that_held_long_makes_the_next_wait_short() -> None:
    bench = Bench({}, backoff_s_min=1, backoff_s_max=60)
    for now_s in (0.0, 10.0):
        bench.turn(now_s)
        bench.turn(now_s, LinkDown("refused"))
    bench.up(20)
    bench.turn(80, LinkDown("lost"))
    assert bench.uplink.wake_s() - 80 <= 1


# Receipts


def test_with_receipts_an_acknowledgement_is_not_enough() -> None:
    bench = Bench(dict.fromkeys(range(6), "evidence"), confirm="receipt")
    bench.up()
    bench.turn(1, *acks(0, 1, 2, 3, 4))
    assert bench.confirmed == []
    assert bench.uplink.counters()["unreceipted"] == 5
    bench.turn(2, receipt(1, (3, 3)))
    assert bench.confirmed == [0, 1, 3]
    bench.turn(3, receipt(3, (5, 5)))
    assert bench.confirmed == [0, 1, 3, 2]
    bench.turn(4, Acked(5))  # the receipt was faster
    assert bench.confirmed == [0, 1, 3, 2, 5]


def test_with_puback_receipts_change_nothing() -> None:
    bench = Bench({0: "event", 1: "event"})
    bench.up()
    bench.turn(1, receipt(1), receipt(0, epoch=2))
    assert bench.confirmed == []
    bench.turn(2, *acks(0, 1))
    assert bench.confirmed == [0, 1]
    assert bench.uplink.counters()["rewinds"] == 0


@pytest.mark.parametrize(
    ("upto", "epoch"), [(2, 1), (3, 2)], ids=["a receipt that goes backwards", "another epoch, and no less stored"]
)
def test_a_restored_platform_gets_again_all_that_is_still_here(upto: int, epoch: int) -> None:
    bench = fresh(dict.fromkeys(range(8), "evidence"), confirm="receipt", window=6)
    bench.up()
    bench.turn(1, *acks(0, 1, 2, 3, 4), receipt(3))
    assert bench.confirmed == [0, 1, 2, 3]
    for seq in bench.confirmed:
        bench.rows.pop(seq)
    assert bench.turn(2, receipt(upto, epoch=epoch)) == []  # not before 5, 6 and 7 are answered: order
    assert "restored" in bench.said[0]
    assert bench.turn(3, *acks(5, 6, 7)) == [4, 5, 6, 7]
    bench.turn(4, *acks(4, 5, 6, 7), receipt(7, epoch=epoch))
    assert set(bench.confirmed) == set(range(8))


def test_what_a_restored_platform_has_no_more_is_not_confirmed_after_all() -> None:
    bench = Bench(dict.fromkeys(range(6), "evidence"), confirm="receipt")
    bench.up()
    bench.turn(1, *acks(0, 1, 2, 3, 4), receipt(4), receipt(1, epoch=2))  # 5 is on its way still
    assert (bench.confirmed, bench.spans) == ([0, 1], [(2, 4)])


@pytest.mark.parametrize(
    ("upto", "spans"),
    [
        pytest.param(9, [], id="it has all that was delivered"),
        pytest.param(4, [(5, 9)], id="it was restored while the terminal was off"),
        pytest.param(-1, [(0, 9)], id="it has nothing"),
    ],
)
def test_a_platform_that_was_restored_before_this_start_is_noticed(upto: int, spans: list[tuple[int, int]]) -> None:
    bench = Bench({10: "event"}, confirm="receipt", delivered_upto=9)
    bench.up()
    bench.turn(1, receipt(upto))
    assert bench.spans == spans


def test_what_is_opened_again_goes_again_though_every_lane_was_read_to_its_end() -> None:
    bench = Bench({10: "event"}, confirm="receipt", delivered_upto=9)
    bench.up()
    bench.turn(1, Acked(10), receipt(4))
    assert bench.spans == [(5, 9)]
    bench.rows |= dict.fromkeys(range(5, 10), ("event", b"opened"))
    assert bench.turn(2) == [5, 6, 7, 8, 9, 10]


def test_what_no_receipt_covers_goes_again_after_a_while_and_after_twice_as_long() -> None:
    bench = Bench(dict.fromkeys(range(3), "event"), confirm="receipt", receipt_s=100)
    bench.up()
    bench.turn(0, *acks(0, 1, 2))
    assert [bench.turn(at_s) for at_s in (99, 100)] == [[], [0, 1, 2]]
    bench.turn(110, *acks(0, 1, 2))
    assert [bench.turn(at_s) for at_s in (299, 300)] == [[], [0, 1, 2]]
    bench.turn(320, *acks(0, 1, 2), receipt(0))
    bench.rows.pop(0)
    assert [bench.turn(at_s) for at_s in (419, 420)] == [[], [1, 2]]  # one was stored: the short wait again
    assert bench.confirmed == [0]


def test_nothing_is_published_until_the_outbox_has_opened_again_what_was_lost() -> None:
    bench = Bench({10: "event"}, confirm="receipt", delivered_upto=9)
    bench.uplink.step(0)
    bench.uplink.hear(0, [UP, receipt(4)])
    assert [type(action) for action in bench.uplink.step(0)] == [Reopen]
    bench.uplink.hear(1, [])
    assert bench.uplink.step(1) == []
    bench.rows |= dict.fromkeys(range(5, 10), ("event", b"x"))
    bench.uplink.reopened()
    assert bench.turn(2) == [5, 6, 7, 8, 9, 10]


def test_a_broker_that_forgot_us_gets_again_what_the_platform_has_not() -> None:
    bench = Bench(dict.fromkeys(range(4), "evidence"), confirm="receipt")
    bench.up()
    bench.turn(1, *acks(0, 1, 2, 3), receipt(0))
    bench.rows.pop(0)
    bench.turn(2, LinkDown("lost"))
    forgetful = LinkUp("b:1", "5", session_present=False)
    assert bench.up(9, forgetful) == [1, 2, 3]
    bench.turn(10, *acks(1, 2, 3), LinkDown("lost"))
    assert bench.up(19, forgetful) == []  # one that always forgets would get the same for ever, and nothing else
    bench.turn(20, LinkDown("lost"))
    assert bench.up(9 + 900, forgetful) == [1, 2, 3]


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b'{"upto": 99, "epoch": 1}'], ids=["empty", "torn", "list", "ahead"]
)
def test_a_bad_receipt_is_counted_and_said_and_confirms_nothing(payload: bytes) -> None:
    bench = Bench({0: "event"}, confirm="receipt")
    bench.up()
    bench.turn(1, Acked(0), Message("receipt", payload))
    assert bench.said[0].startswith("receipt ignored: ")
    assert bench.confirmed == []
    assert bench.uplink.counters()["receipts_bad"] == 1


def test_many_confirmed_at_once_are_handed_out_in_portions() -> None:
    bench = Bench({}, confirm="receipt", window=1000)
    for seq in range(600):
        bench.make(seq, "event")
    bench.up()
    bench.turn(1, *acks(*range(600)), receipt(599))
    assert len(bench.confirmed) == 256
    assert bench.uplink.wake_s() < 0
    bench.turn(1)
    bench.turn(1)
    assert bench.confirmed == list(range(600))
    assert bench.uplink.wake_s() is None


# A week


@pytest.mark.parametrize("seed", range(2))
def test_a_week_of_lost_links_and_restarts_loses_nothing_and_keeps_live_and_backlog_in_order(seed: int) -> None:
    world = World(seed, Settings(backoff_s_max=300))
    for _ in range(7):
        world.live(DAY_S, every_s=400)
        world.restart()
    world.run(world.now_s + 3600)
    assert len(world.made) > 2_000
    assert world.confirmed == Counter(world.made.keys())  # each exactly once
    assert {seq for seq, _ in world.sent} == world.made.keys()
    assert world.most_in_flight <= 20
    for lane in LANES[1:]:  # evidence is always live
        for is_live in (True, False):
            found = world.first_published(lane, is_live=is_live)
            assert found == sorted(found)
            assert len(found) > 20


@pytest.mark.parametrize("seed", range(2))
def test_a_platform_that_loses_what_the_broker_promised_has_all_of_it_in_the_end(seed: int) -> None:
    """The broker forgets what it holds; the platform tells what it stored now and then."""
    world = World(seed, Settings(confirm="receipt", backoff_s_max=300))
    for _ in range(20):
        world.live(3600, every_s=120)
        if world.rng.random() < 0.5:
            world.receipt()
            world.run(world.now_s + 1)
        else:
            for seq in world.rng.sample(sorted(world.made), 5):  # lost on the way from broker to platform
                if world.confirmed[seq] == 0:
                    _, world.stored = world.stored.split(type(world.stored)([(seq, seq)]))
            world.keeps_session = False
            world.drop()
    world.run(world.now_s + 600)
    world.receipt()
    world.run(world.now_s + 600)
    assert all(seq in world.stored for seq in world.made)
    assert world.confirmed.keys() == world.made.keys()
    assert world.uplink.counters()["rewinds"] > 0
    assert world.most_in_flight <= 20
