"""Thousands of terminals as the bench makes them: their packets, their accounts, and a small fleet against the real thing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.ledger.receipt import Ranges, Receipt
from agent.outbox.recordfile import frame, read_pile
from agent.proof.proof import check
from hil import ROOT
from hil.fleet import packets
from hil.fleet.account import VirtualAccount, pool
from hil.fleet.terminal import AGAIN_S, WINDOW, VirtualTerminal, share

WAYS = pool(3, 1)
CONNACK = b"\x20\x02\x00\x00"


def terminal() -> VirtualTerminal:
    made = VirtualTerminal("v1", VirtualAccount(1, 1, WAYS))
    made.hello()
    made.heard(CONNACK, 0.0)
    return made


def published(data: bytes) -> list[tuple[str, bytes, int]]:
    return [packets.message_of(packet) for packet in packets.Reader().feed(data) if packet.kind == packets.PUBLISH]


def receipt(upto: int) -> bytes:
    payload = Receipt(Ranges([(0, upto)]), "e").text()
    return packets.publish(3, packets.topic_bytes("tbox/v1/v1/receipt"), payload)


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 70_000])
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_a_packet_of_any_size_comes_whole_in_any_pieces(size: int, piece: int) -> None:
    if piece == 1 and size > 200:
        piece = 997
    data = packets.publish(7, packets.topic_bytes("a/b"), b"\xaa" * size) + packets.puback(9)
    reader = packets.Reader()
    found = [packet for at in range(0, len(data), piece) for packet in reader.feed(data[at : at + piece])]
    assert [packet.kind for packet in found] == [packets.PUBLISH, packets.PUBACK]
    assert packets.message_of(found[0]) == ("a/b", b"\xaa" * size, 7)
    assert packets.mid_of(found[1]) == 9


def test_the_account_of_a_virtual_terminal_is_whole_and_sealed(tmp_path: Path) -> None:
    account = VirtualAccount(1, 1, WAYS)
    records = [account.next() for _ in range(200)]
    while records[-1].kind != "seal":
        records.append(account.next())
    (tmp_path / "records").write_bytes(b"".join(frame(record.raw) for record in records))
    report = check([read_pile(tmp_path / "records")])
    assert (report.problems, report.records) == ([], len(records))
    assert (account.made, account.head) == (len(records), records[-1].hash)
    again = VirtualAccount(1, 1, WAYS)
    assert [again.next().raw for _ in records] == [record.raw for record in records]


def test_a_window_of_records_is_under_way_and_an_acknowledgement_lets_the_next_go() -> None:
    one = terminal()
    for _ in range(WINDOW + 5):
        one.make(0.0)
    first = published(one.due(0.0))
    assert len(first) == WINDOW
    assert one.due(0.0) == b""
    one.heard(packets.puback(first[0][2]), 0.1)
    assert len(published(one.due(0.1))) == 1
    assert one.waiting == WINDOW + 5


def test_what_was_under_way_when_the_link_fell_goes_again_first_and_in_order() -> None:
    one = terminal()
    records = [one.make(0.0) for _ in range(5)]
    one.due(0.0)
    records.append(one.make(0.5))
    one.hello()
    assert one.due(1.0) == b""
    one.heard(CONNACK, 1.0)
    assert [payload for _, payload, _ in published(one.due(1.0))] == [record.raw for record in records]
    assert one.sent_again == 5


def test_a_receipt_settles_what_it_covers_and_what_has_none_goes_again() -> None:
    one = terminal()
    records = [one.make(0.0) for _ in range(6)]
    for _, _, mid in published(one.due(0.0)):
        one.heard(packets.puback(mid), 0.0)
    assert packets.Reader().feed(one.heard(receipt(3), 2.0)).__next__().kind == packets.PUBACK
    assert (one.waiting, one.latencies_s) == (2, [2.0] * 4)
    assert one.due(2.0 + AGAIN_S) == b""
    assert [payload for _, payload, _ in published(one.due(2.1 + AGAIN_S))] == [one.raw for one in records[4:]]


@pytest.mark.parametrize(("part", "value"), [(0.0, 1.0), (0.5, 3.0), (0.99, 4.0), (1.0, 4.0)])
def test_the_share_of_times_below(part: float, value: float) -> None:
    assert share([1.0, 2.0, 3.0, 4.0], part) == value


def fleet(tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "hil", "fleet", "--json", str(tmp_path / "fleet.json"), *more]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)


def test_a_fleet_loses_nothing_while_links_fall_and_a_receiver_is_killed(tmp_path: Path) -> None:
    more = ("--flaps", "10", "--outage", "1", "--kill", "1@2", "--forge", "7")
    done = fleet(tmp_path, "--terminals", "40", "--minutes", "0.1", "--rate", "150", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "fleet.json").read_text())
    assert told["stored"] == told["made"] > 500
    assert (told["lost"], told["duplicated"], told["wrong"], told["killed"]) == (0, 0, [], ["1"])
    assert told["refused"] == told["forged"] == 7
    assert told["flaps"] > 0
    assert done.stdout.rstrip().endswith("PASS")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--kill", "broker"), "write WHO@SECONDS, as in broker@20"),
        (("--kill", "3@5"), "3 is neither broker nor a receiver's number, 1 to 2"),
        (("--terminals", "0"), "--terminals 0: must be a number from 1 on"),
        (("--minutes", "nan"), "--minutes nan: must be a number from 0.01 on"),
    ],
)
def test_what_makes_no_trial_is_said_in_one_line(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = fleet(tmp_path, *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert says in done.stderr
