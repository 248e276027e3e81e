"""Under any consent: a crash's ring is thinned out, and what the daemon writes is as it is described."""

import struct
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent import app
from agent.capture.ring import entries
from agent.capture.ring_places import Thinned
from agent.codec import Record
from agent.ledger.privacy import Blur
from agent.maps.maps import load
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.proof.proof import check
from agent.settings import defaults
from agent.settings.privacy import Privacy, Tier
from agent.trip.trip import EventFound, TripStarted
from agent.vehicle import PGN, PLAIN, Cut, Message, Table, pgn_id
from agent.world import clock
from drivers.batch import EXTENDED, SIGNAL_INDEX
from tests.test_asyncapi import MESSAGES, faults
from tests.test_privacy import LAT, LON, book, event, rule


def ring_of(*parts: tuple[int, int, int, int, bytes]) -> bytes:
    """Records of the ring: kind, id, length, flags, payload."""
    return b"".join(
        struct.pack("<qIBBBB", 7, id_, kind, 0, length, flags) + payload + bytes(-len(payload) % 8)
        for kind, id_, length, flags, payload in parts
    )


FIX_AT = (3, 0, 1, 0x3F, struct.pack("<6d", LAT, LON, 13.0, 90.0, 1.0, 8.0))
VALUES = [(1, SIGNAL_INDEX[name], 0, 0, struct.pack("<d", 1.0)) for name in ("speed", "lat", "lon", "course")]
GPS_FRAME = (0, 0x123, 8, 0, b"gpsgpsgp")
PGN_FRAME = (0, EXTENDED | 0x18FEF342, 8, 0, b"vehicpos")
OTHER_FRAME = (0, 0x124, 5, 0, b"wheel")
IMU = (2, 0, 0, 0x3F, struct.pack("<6d", *range(6)))
RING = ring_of(FIX_AT, *VALUES, GPS_FRAME, PGN_FRAME, OTHER_FRAME, IMU)


def message(id_: int, kind: int, signal: str) -> Message:
    cut = Cut(name="x", unit="", start_bit=0, bits=8, signal=SIGNAL_INDEX[signal])
    return Message(name="m", id=id_, channel=0, length=8, kind=kind, cuts=(cut,))


TABLE = Table(
    name="t", powertrain="combustion", vehicle_class="car",
    messages=(message(0x123, PLAIN, "lat"), message(pgn_id(0x18FEF342), PGN, "lon"), message(0x124, PLAIN, "speed")),
)  # fmt: skip


def evidence(tier: Tier, **more: Any) -> Record:
    blur = Blur(rule(tier).rule, Thinned.of(TABLE))
    body = {"form": "ring", "packed": "deflate", "data": zlib.compress(RING), **more}
    return book(blur).number("evidence", 1, body)[0]


@pytest.mark.parametrize(("tier", "kinds"), [
    pytest.param("exact", [3, 1, 1, 1, 1, 0, 0, 0, 2], id="exact: all"),
    pytest.param("coarse", [3, 1, 0, 2], id="coarse: the fix, and what tells no place"),
    pytest.param("none", [1, 0, 2], id="none: what tells no place"),
])  # fmt: skip
def test_a_ring_is_thinned_out_record_by_record(tier: Tier, kinds: list[int]) -> None:
    told = list(entries(zlib.decompress(evidence(tier).body["data"])))
    assert [one.kind for one in told] == kinds
    assert [one.payload for one in told if one.kind == 0][-1] == b"wheel"
    if tier == "coarse":
        assert told[0].numbers == (48.132954, 11.582293, 13.0, None, 1.0, 8.0)


@pytest.mark.parametrize("more", [
    {"data": zlib.compress(RING)[:70]}, {"data": zlib.compress(RING[:-3], 0)}, {"packed": "none"}, {"form": "video"},
    {"other": bytes(65)}, {"table": {"raw": RING}},
])  # fmt: skip
def test_evidence_that_cannot_be_read_is_withheld(more: dict[str, Any]) -> None:
    told = evidence("none", **more)
    name = next(iter(more)) if "other" in more or "table" in more else "data"
    assert told.body[name] == ({"raw": b""} if "table" in more else b"")
    assert evidence("exact", **more).body[name] == more.get(name, zlib.compress(RING))


# ---- the daemon -----------------------------------------------------------------------------------------------------


def terminal(folder: Path, consent: str) -> app.Agent:
    shipped = defaults()
    chosen = msgspec.structs.replace(
        shipped,
        device=msgspec.structs.replace(shipped.device, state_dir=str(folder)),
        mqtt=msgspec.structs.replace(shipped.mqtt, tls=False),
        privacy=msgspec.convert({"consent": consent}, Privacy),
    )
    return app.Agent(chosen, load(Path("obd2.toml")), Outbox.open(folder / "outbox.db", 2**26))


@pytest.mark.parametrize("consent", ["full", "trips", "none"])
def test_what_the_daemon_writes_fits_its_description_whatever_was_agreed_to(tmp_path: Path, consent: str) -> None:
    agent = terminal(tmp_path, consent)
    try:
        records = [*agent.held, *agent.ledger.number("health", 1, agent.health.body(2, agent.counting.vitals(2)))]
        records += agent.ledger.number("clock", 1, clock.read_clocks().body(agent.boot))
        records += agent._moment(TripStarted(0, 1), 1)
        records += agent._moment(EventFound(event(1), 0), 1)
        for record in records:
            (body,) = (part["items"][7] for part in MESSAGES[record.kind]["payload"]["allOf"] if "items" in part)
            assert list(faults(body, record.body, record.kind)) == []
        place = {"full": LAT, "trips": 48.132954, "none": None}[consent]
        assert records[-1].body["lat_deg"] == place
        assert records[-1].body["trip_id"] == records[-2].body["trip_id"]
        kept = agent.ledger.blur.kept({"lat_deg": LAT, "lon_deg": LON, "odometer_m": 5.0})
        assert kept == {"lat_deg": LAT if consent == "full" else None, "lon_deg": LON if consent == "full" else None,
                        "odometer_m": 5.0}  # fmt: skip
    finally:
        agent.held += records[2:]
        agent.stop()
        agent.run()
    assert check([read_pile(tmp_path / "outbox.db")]).problems == []
