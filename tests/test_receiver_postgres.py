"""The receiver with PostgreSQL: each record once, however many write, whatever is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

import msgpack
import psycopg
import pytest

from agent.codec import Record, make
from agent.ledger.fleet import Certificate
from agent.ledger.key import DeviceKey
from agent.ledger.key_chain import handover
from agent.ledger.ledger import Loss
from agent.ledger.receipt import Ranges, parse_receipt
from agent.outbox.recordfile import read_pile
from agent.proof.proof import check
from hil.postgres import Postgres
from hil.receiver.contents import rows_of
from hil.receiver.intake import Arrival
from hil.receiver.library import Library
from hil.receiver.postgres import PostgresStore, spans_in, text_of
from tests.accounts import KEY, OTHER_KEY, drive, ledger, rotated, two_boots
from tests.brokers import Mosquitto
from tests.test_receiver import CAR, ROOT, WAIT_S, Terminal

FLEET = DeviceKey(bytes(31) + b"\x21")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as postgres:
        yield postgres


@pytest.fixture
def address(server: Postgres, request: pytest.FixtureRequest) -> str:
    """A schema of this test's own: a database each would be 10 MB."""
    name = f"t{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{server.address}?options=-csearch_path%3D{name}"


def arrivals(records: list[Record], terminal: str = CAR) -> list[Arrival]:
    return [Arrival(terminal, record.lane, record.raw) for record in records]


def told(store: PostgresStore) -> dict[str, bytes]:
    """The receipts of a round."""
    found: dict[str, bytes] = {}
    store.tell(lambda receipts: found.update(receipts) is None)
    return found


def rows(address: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(address) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.mark.parametrize("account", [two_boots, rotated], ids=["two boots", "three keys"])
def test_in_any_order_again_and_in_any_batches_all_is_stored_once(
    address: str, account: Callable[[], tuple[Record, ...]]
) -> None:
    random = Random(len(account()))
    left = arrivals([*account(), *account()])
    random.shuffle(left)
    if account is rotated:  # a seal by a key whose handover has not come yet is refused, and sent again
        left.sort(key=lambda one: one.lane == "event")
    again = 0
    with PostgresStore(address) as store:
        while left:
            size = random.randrange(1, 9)
            judged = store.take(left[:size])
            left, again = left[size:], again + judged.again
            assert judged.refused == []
        count = len(account())
        assert (again, store.counts()) == (count, {"records": count, "devices": 1, "refused": 0})
        assert f'"upto": {count - 1}, "also": []'.encode() in told(store)[CAR]
        assert told(store) == {}


def test_who_sends_again_is_told_again(address: str) -> None:
    with PostgresStore(address) as store:
        store.take(arrivals(list(two_boots())))
        first = told(store)
        assert told(store) == {}
        store.take(arrivals([two_boots()[3]]))
        assert told(store) == first


def test_a_receipt_that_the_broker_did_not_take_is_told_later(address: str) -> None:
    with PostgresStore(address) as store:
        store.take(arrivals(list(two_boots())))
        assert store.tell(lambda _: False) == 0
        assert list(told(store)) == [CAR]


def test_trips_events_clocks_and_gaps_have_rows_of_their_own(address: str) -> None:
    records = list(two_boots())
    tail = ledger().tail
    for record in records:
        tail = tail.after(record)
    records += ledger(2, tail).gaps(9, [Loss(3, 4, "samples", "over budget", (records[3].hash, records[4].hash))])
    with PostgresStore(address) as store:
        store.take(arrivals(records[:3] + records[5:]))
        assert b'"upto": 19, "also": []' in told(store)[CAR]
    assert rows(address, "SELECT trip, start_us, end_us, end_reason, distance_m FROM trips ORDER BY trip") == [
        (2, 5_000_000, 130_000_000, "stopped", 1234.5),
        (11, 15_000_000, 140_000_000, "stopped", 1234.5),
    ]
    assert rows(address, "SELECT seq, kind, trip FROM events") == [(13, "harsh_braking", 11)]
    assert rows(address, "SELECT first, last, kind, reason FROM gaps") == [(3, 4, "samples", "over budget")]
    assert rows(address, "SELECT seq, trip FROM samples ORDER BY seq") == [(6, 2), (12, 11), (15, 11)]
    assert len(rows(address, "SELECT * FROM clocks")) == sum(record.kind == "clock" for record in records)


@pytest.mark.parametrize("body", [{}, {"trip": "x", "boot": -1}, {"event": {"a": b"\0"}, "lat_deg": "north\0"}])
@pytest.mark.parametrize("kind", ["event", "trip_start", "trip_end", "clock", "gap", "samples", "evidence", "kind-77"])
def test_a_body_that_is_not_as_it_should_be_is_kept_all_the_same(
    address: str, kind: str, body: dict[str, object]
) -> None:
    odd = make(kind, KEY.device, 1, 0, 5, bytes(32), body)
    assert all(row.device == KEY.device for row in rows_of(odd))
    with PostgresStore(address) as store:
        assert store.take(arrivals([odd])).refused == []
        assert store.counts()["records"] == 1


def test_what_one_terminal_makes_up_stops_neither_receivers_nor_pages(address: str) -> None:
    far = 2**63 - 1
    end = {"distance_m": 1.7e308, "start_us": -5, "end_us": far}
    clock = {"boot_us": -far, "utc_us": far, "u_us": 1}
    bodies: list[tuple[str, Mapping[str, object]]] = [
        ("event", {"event": "a\0", "told": "\\u0000", "start_us": far}),
        ("gap", {"ranges": [[0, far, [], "x", []], [0, 2**64 - 1, [], "x", []], [1, 2, ["a\0"], "b\0", []]]}),
        ("trip_end", {"trip": 7, **end}),
        ("trip_end", {"trip": 8, **end}),
        ("clock", {"boot": 1, **clock}),
        ("key", handover(KEY.public, OTHER_KEY.public, Random(1).randbytes(3000).hex())),
    ]
    odd = [make(kind, KEY.device, 1, 10 * n, 5, bytes(32), body) for n, (kind, body) in enumerate(bodies)]
    last = make("health", KEY.device, far, far, far, bytes(32), {})
    junk = msgpack.packb([1, 4, KEY.device, 1, 5, 5, bytes(32), {"a\0": float("nan")}])
    with PostgresStore(address) as store:
        judged = store.take([*arrivals([*odd, last]), Arrival(CAR, "event", junk)])
        assert [one.reason.split(":")[0] for one in judged.refused] == [
            "a number after which there is none",
            "no record",
        ]
        assert told(store)
    with Library(address) as library:
        assert [row["terminal"] for row in library.devices()] == [CAR]
        assert [row["start_utc"] for row in [*library.trips(), *library.events()]] == [None] * 3


def test_what_is_refused_lies_among_the_dead_letters_once_with_the_reason(address: str) -> None:
    record = two_boots()[4]
    forged = make("event", record.device, record.boot, record.seq, 7, record.prev, dict(record.body))
    with PostgresStore(address) as store:
        store.take(arrivals(list(two_boots())))
        for _ in range(3):
            assert len(store.take([*arrivals([forged]), Arrival(CAR, "event", b"junk")]).refused) == 2
        assert store.counts() == {"records": 18, "devices": 1, "refused": 2}
    letters = rows(address, "SELECT split_part(reason, ':', 1), times FROM dead_letters ORDER BY reason")
    assert letters == [("no record", 3), ("other bytes under a number that is taken", 3)]


@pytest.mark.parametrize(
    ("signer", "device", "words"),
    [
        pytest.param(FLEET, KEY, "", id="the fleet's"),
        pytest.param(OTHER_KEY, KEY, "another's certificate", id="another fleet's"),
        pytest.param(FLEET, OTHER_KEY, "another's certificate", id="for another device"),
        pytest.param(None, KEY, "no certificate", id="none"),
    ],
)
def test_where_a_fleet_is_named_only_its_devices_may_come(
    address: str, signer: DeviceKey | None, device: DeviceKey, words: str
) -> None:
    key: dict[str, object] = {"public": KEY.public}
    if signer is not None:
        key["certificate"] = Certificate.signed(signer, device.device, device.public, "van 7", 5).told()
    boot = make("boot", KEY.device, 1, 0, 5, bytes(32), {"key": key})
    with PostgresStore(address, fleet=FLEET.public) as store:
        assert [words in one.reason for one in store.take(arrivals([boot])).refused] == [True] * bool(words)


def test_a_terminal_with_a_new_name_goes_on_with_its_account(address: str) -> None:
    with PostgresStore(address) as store:
        store.take(arrivals(list(two_boots()[:9])))
        told(store)
        judged = store.take(arrivals(list(two_boots()[7:]), "van-7"))
        assert (judged.refused, judged.again) == ([], 2)
        receipts = told(store)
        assert set(receipts) == {CAR, "van-7"}
        assert parse_receipt(receipts["van-7"], upto_max=17).upto == 17


def test_a_receiver_that_starts_waits_for_nobody_who_writes(address: str) -> None:
    PostgresStore(address).close()
    with psycopg.connect(address) as writing:
        writing.execute("LOCK TABLE records, devices, links IN ROW EXCLUSIVE MODE")
        PostgresStore(f"{address}%20-clock_timeout%3D500").close()


def test_many_receivers_at_once_store_each_record_once(address: str) -> None:
    """Four writers, each with the whole of forty accounts in another order, cut elsewhere; receipts only grow."""
    books = [ledger(key=DeviceKey(bytes(30) + bytes([1, n]))) for n in range(40)]
    accounts = [
        arrivals([*book.start(0, {}), *drive(book, 0), *drive(book, 9**10)], f"t{n}") for n, book in enumerate(books)
    ]
    everything = [one for account in accounts for one in account]
    PostgresStore(address).close()

    def write(seed: int) -> tuple[int, list[int]]:
        random, sizes = Random(seed), list[int]()
        mine = sorted(everything, key=lambda _: random.random())
        with PostgresStore(address) as store:
            stored = 0
            while mine:
                size = random.randrange(20, 90)
                judged, mine = store.take(mine[:size]), mine[size:]
                stored += len(judged.kept)
                assert judged.refused == []
            sizes = [len(parse_receipt(text, upto_max=99).stored) for text in told(store).values()]
        return stored, sizes

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(write, range(4)))
    assert rows(address, "SELECT count(*), count(DISTINCT (device, seq)) FROM records") == [(len(everything),) * 2]
    assert sum(stored for stored, _ in done) >= len(everything)
    settled = rows(address, "SELECT settled::text FROM devices")
    assert {text for (text,) in settled} == {text_of(Ranges([(0, len(accounts[0]) - 1)]))}


@pytest.mark.parametrize("text", ["{}", "{[0,1)}", "{[0,5),[7,8),[100,9223372036854775807)}"])
def test_a_multirange_is_read_and_written_alike(text: str) -> None:
    assert text_of(spans_in(text)) == text


# End to end


@contextmanager
def receiver(address: str, port: int, name: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "hil.receiver", "--store", address, "--broker", f"127.0.0.1:{port}", "--name", name]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)


def test_two_receivers_share_the_work_while_one_and_the_database_are_killed(tmp_path: Path) -> None:
    lines = ("allow_anonymous true", "max_inflight_messages 0", "max_queued_messages 0")
    with Postgres() as database, Mosquitto(tmp_path, lines) as broker:
        terminal = Terminal(tmp_path / "state", broker.port)
        for trip in range(60):
            terminal.put(drive(terminal.book, trip * 1_000_000_000))
        with receiver(database.address, broker.port, "1"):
            with receiver(database.address, broker.port, "2") as second:
                terminal.turn_until(lambda: _count(database) > 80)
                second.kill()
            database.stop("immediate")
            database.start()
            with receiver(database.address, broker.port, "2"):
                terminal.turn_until(terminal.is_empty)
        terminal.delivery.close()
        exported = _exported(database.address, tmp_path)
    report = check([read_pile(exported)])
    assert (report.problems, report.records, report.dropped) == ([], 422, [])


def _count(database: Postgres) -> int:
    try:
        return int(str(rows(database.address, "SELECT count(*) FROM records")[0][0]))
    except psycopg.Error:
        return 0


def _exported(address: str, folder: Path) -> Path:
    words = [sys.executable, "-m", "hil.receiver", "--store", address, "--export", CAR]
    (folder / "records").write_bytes(subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout)
    return folder / "records"


def test_a_database_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "hil.receiver", "--store", "postgresql://127.0.0.1:1/x", "--broker", "localhost:1"]
    done = subprocess.run(
        words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (74, 1)
    assert "is it running, and may this user make tables in it?" in done.stderr
