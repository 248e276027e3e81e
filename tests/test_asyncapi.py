"""config/asyncapi.yaml says what the code does: topics, lanes, kinds, versions, and the body of every kind that is written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from agent import app, codec
from agent.core import EVENTS, Calibration, Sample
from agent.desk.desk import WORDS, noted
from agent.desk.mailbox import REPORTED
from agent.ledger.ledger import BUDGET, Loss
from agent.ledger.receipt import ISLANDS_MAX, parse_receipt
from agent.maps.maps import load
from agent.obd.findings import Codes, Freeze, Monitors
from agent.obd.trouble import Trouble
from agent.outbox.outbox import Outbox
from agent.replay.inputs import opened
from agent.replay.replay import replay
from agent.settings import Settings, Shadow, defaults
from agent.trip.account import Account
from agent.trip.contrast import Differed, Difference
from agent.trip.trip import EventFound, TripEnded, TripStarted
from agent.uplink.exchange import LANES, SUBSCRIBED
from agent.uplink.mqtt import Link
from agent.uplink.session import MESSAGE_BYTES_MAX, Identity
from agent.world import clock
from agent.yard import pairing
from agent.yard.binding import Bond
from agent.yard.bound import Bound
from agent.yard.install import Facts, Install, body_of
from tests.accounts import ledger
from tests.wrecks import BLOW_US, Terminal

INSTALLED = Install(technician="A. Ng", checks=(("can0", "PASS", "900 frames/s"),), photos=(("a.jpg", "00" * 32),))
PATH = Path(__file__).parent.parent / "config" / "asyncapi.yaml"
API = yaml.safe_load(PATH.read_text(encoding="utf-8"))
MESSAGES = API["components"]["messages"]
SCHEMAS = API["components"]["schemas"]
TYPES: dict[str, Any] = {
    "object": dict,
    "array": (list, tuple),
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def faults(schema: dict[str, Any], told: Any, where: str) -> Iterator[str]:
    """Where something told is not as the schema has it; a key that the schema does not name is a fault too."""
    if not schema:  # it allows anything
        return
    if "$ref" in schema:
        yield from faults(find(schema["$ref"]), told, where)
        return
    if "const" in schema and told != schema["const"]:
        yield f"{where}: {told!r} is not {schema['const']!r}"
    if "enum" in schema and told not in schema["enum"]:
        yield f"{where}: {told!r} is not in {schema['enum']}"
    if "type" in schema and not has_type(schema, told):
        yield f"{where}: {told!r:.60} is no {schema['type']}"
    elif isinstance(told, dict):
        yield from object_faults(schema, told, where)
    elif isinstance(told, list | tuple):
        yield from array_faults(schema, told, where)
    elif isinstance(told, bytes) and not schema.get("minLength", 0) <= len(told) <= schema.get("maxLength", 2**20):
        yield f"{where}: {len(told)} bytes"


def has_type(schema: dict[str, Any], told: Any) -> bool:
    """Whether one of the schema's types fits; bytes are a string of the format binary."""
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if schema.get("format") == "binary":
        return isinstance(told, bytes)
    return any(isinstance(told, TYPES[name]) and (name == "boolean" or not isinstance(told, bool)) for name in names)


def object_faults(schema: dict[str, Any], told: dict[str, Any], where: str) -> Iterator[str]:
    """Missing keys, unknown keys, and what is wrong inside."""
    known = schema.get("properties", {})
    yield from (f"{where}: {key} is missing" for key in schema.get("required", []) if key not in told)
    for key, inner in told.items():
        if key in known or "additionalProperties" in schema:
            yield from faults(known.get(key, schema.get("additionalProperties", {})), inner, f"{where}.{key}")
        else:
            yield f"{where}: {key} is not described"


def array_faults(schema: dict[str, Any], told: list[Any], where: str) -> Iterator[str]:
    """Wrong length, and what is wrong inside; a list of schemas goes place by place."""
    if not schema.get("minItems", 0) <= len(told) <= schema.get("maxItems", 2**20):
        yield f"{where}: {len(told)} items"
    items = schema.get("items", {})
    places = items if isinstance(items, list) else [items] * len(told)
    for place, (inner_schema, inner) in enumerate(zip(places, told, strict=False)):
        yield from faults(inner_schema, inner, f"{where}[{place}]")


def find(reference: str) -> dict[str, Any]:
    """What a reference inside the file points to."""
    found = API
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def references(part: Any) -> Iterator[str]:
    """Every $ref below."""
    if isinstance(part, dict):
        yield from (target for key, target in part.items() if key == "$ref")
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from references(inner)


def drive() -> str:
    """A CSV: off at 3 m/s² to 15 m/s, a brake of 5 m/s², a blow of 150 m/s² from the front, and a stand."""
    lines, speed_mps = ["time_s,speed_mps,rpm,accel_x_mps2,accel_y_mps2,accel_z_mps2,odometer_m"], 0.0
    for hundredth in range(2500):
        at_s = hundredth / 100
        forward = 3.0 if 1 <= at_s < 6 else -5.0 if 10 <= at_s < 12 else -150.0 if 15 <= at_s < 15.02 else 0.0
        speed_mps = 0.0 if at_s >= 15.02 else max(0.0, speed_mps + forward / 100)
        lines.append(f"{at_s:.2f},{speed_mps:.3f},1500,{forward:.2f},0,9.81,{1000 + hundredth / 10:.1f}")
    return "\n".join(lines)


def settings(folder: Path) -> Settings:
    """Those of a terminal whose state is in this folder."""
    shipped = defaults()
    return msgspec.structs.replace(
        shipped,
        device=msgspec.structs.replace(shipped.device, state_dir=str(folder)),
        imu=msgspec.structs.replace(shipped.imu, mounting="vehicle"),
        mqtt=msgspec.structs.replace(shipped.mqtt, tls=False),
    )


def troubles() -> list[dict[str, Any]]:
    """Bodies of every shape of a `dtc` record: a lamp, codes with and without their freeze frame, a code that went."""
    room, made = Trouble(), []
    for at_us in range(6):
        codes = ("P0133",) if at_us < 4 else ()
        made += room.step([Codes(at_us, 0x7E8, "03", codes), Monitors(at_us, 0x7E8, at_us < 4, len(codes), bytes(4))])
        if at_us == 2:
            made += room.step([Freeze(at_us, 0x7E8, "P0133", ((0x0C, b"\x1a\xf8"),))])
    assert {body["dtc"] for body in made} == {"appeared", "cleared", "freeze", "lamp"}
    return made


def evidence_of_crashes() -> list[codec.Record]:
    """Of one with a second event in its seconds, and of one in which the power went."""
    whole, cut = Terminal(), Terminal()
    whole.drive(BLOW_US + 2_000_000)
    whole.found(whole.events[0][0], BLOW_US + 2_000_000)
    whole.drive()
    cut.drive(BLOW_US + 200_000)
    again = Terminal(tail=cut.book.tail)
    again.keep(again.evidence.recover(cut.left(), 1))
    return [record for record in whole.records + again.records if record.kind == "evidence"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[codec.Record]:
    """Records of every kind that is written, as the rooms make them: of a drive, and of a start."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "drive.csv").write_text(drive())
    (folder / "candidate.toml").write_text("[detect.harsh_braking]\nthreshold_mps2 = 20.0\nhigh_mps2 = 30.0\n")
    chosen, book = msgspec.structs.replace(settings(folder), shadow=Shadow(rules=f"{folder}/candidate.toml")), ledger()
    table, account = load(Path(chosen.vehicle.map)), Account(book, chosen.samples, "rules")
    records: list[codec.Record] = []
    for thing in replay(chosen, table, opened([folder / "drive.csv"], None)):
        match thing:
            case TripStarted() | EventFound() | TripEnded():
                records += account.moment(thing, 1)
                if isinstance(thing, EventFound):
                    differences = (Difference(thing.event, None), Difference(None, thing.event))
                    records += account.moment(Differed(thing.trip, "rules", "rules", differences), 1)
            case Sample():
                records += account.sample(thing)
    records += account.calibration(Calibration(1, (0.0, 0.0, 1.0), (1.0,) * 9, 0.9), 1)
    records += evidence_of_crashes()
    records += book.gaps(1, [Loss(3, 4, "samples", BUDGET, (bytes(32), bytes(32)))])
    records += book.number("command", 1, {"command": "contest", "event": 1, "text": "no", "request": "1-1"})
    records += book.number("command", 1, noted("send", "mqtt", "done", args={"trip": 3}, token="0" * 32))
    records += book.number("install", 1, body_of(INSTALLED, Facts("tbox 0.1.0", "5e77", "van"), "1-1"))
    bond = Bond(state="bound", binding="b-1", vin="1HGCM82633A004352", content="00")
    pairing.keep(folder, bond)
    bound = Bound(folder, ({}, ""))
    records += bound.turn(book, 1, {"can0": {"identity": {"0902 7E8": "WDB9066331S123456"}}}, 3)
    for moment in (TripStarted(0, 1), TripEnded(0, next(r.body for r in records if r.kind == "trip_end"))):
        records += Account(book, chosen.samples, "rules", tie=bound.tie).moment(moment, 1)
    for body in troubles():
        records += book.number("dtc", 1, {"trip": None, **body})
    records += book.number("clock", 1, clock.read_clocks().body(1))
    agent = app.Agent(chosen, table, Outbox.open(folder / "outbox.db", 2**26))
    try:
        records += agent.held
        records += book.number("health", 1, agent.health.body(2, agent.counting.vitals(2)) | bound.health())
    finally:
        agent.stop()
        agent.run()
    return records


def test_every_reference_points_somewhere() -> None:
    assert all(find(reference) for reference in references(API))


def test_kinds_have_their_numbers() -> None:
    kinds = {name: message["x-kind"] for name, message in MESSAGES.items() if "x-kind" in message}
    assert kinds == {kind: number for number, kind in enumerate(codec.KINDS)}
    for name, number in kinds.items():
        record, parts = MESSAGES[name]["payload"]["allOf"]
        assert record == {"$ref": "#/components/schemas/record"}
        assert parts["items"][1] == {"const": number}
        is_reserved = MESSAGES[name]["summary"].startswith("Reserved: ")
        assert parts["items"][7] == {"$ref": f"#/components/schemas/{'reserved' if is_reserved else name}"}


def test_lanes_carry_their_kinds_highest_first() -> None:
    assert codec.LANES == LANES
    assert [name for name in API["channels"] if name in LANES] == list(LANES)
    for lane in LANES:
        carried = {kind for kind in codec.KINDS if codec.lane_of(kind) == lane}
        assert API["channels"][lane]["messages"].keys() == carried


def test_topics_are_those_of_the_code() -> None:
    topic = Identity("{id}", b"", b"").topic
    wanted = {
        "send": {topic(name) for name in (*LANES, "state", "response", REPORTED)},
        "receive": {topic(name).replace("+", "{name}") for name in SUBSCRIBED},
    }
    addresses = {name: channel["address"] for name, channel in API["channels"].items()}
    assert set(addresses.values()) == wanted["send"] | wanted["receive"]
    told: dict[str, set[str]] = {"send": set(), "receive": set()}
    for operation in API["operations"].values():
        told[operation["action"]].add(addresses[operation["channel"]["$ref"].rpartition("/")[2]])
    assert told == wanted
    assert tuple(API["channels"]["command"]["parameters"]["name"]["enum"]) == tuple(WORDS)


def test_the_array_is_the_codecs() -> None:
    places = {place["title"]: place for place in SCHEMAS["record"]["items"]}
    assert list(places) == ["v", "kind", "device", "boot", "seq", "t_us", "prev", "body"]
    assert places["v"]["const"] == codec.VERSION
    assert places["device"]["minLength"] == places["device"]["maxLength"] == codec.DEVICE_BYTES
    assert places["prev"]["minLength"] == places["prev"]["maxLength"] == codec.HASH_BYTES


def test_events_are_those_of_the_core() -> None:
    assert tuple(SCHEMAS["event"]["properties"]["event"]["enum"]) == EVENTS


def test_every_kind_is_written_or_said_to_be_reserved(written: list[codec.Record]) -> None:
    reserved = {name for name, message in MESSAGES.items() if message["summary"].startswith("Reserved: ")}
    assert {record.kind for record in written} == set(codec.KINDS) - reserved


def test_every_body_is_as_described(written: list[codec.Record]) -> None:
    for record in written:
        parts = codec.unpack(record.raw)
        for schema in MESSAGES[record.kind]["payload"]["allOf"]:
            assert list(faults(schema, parts, record.kind)) == []


def test_the_state_is_as_described(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    agent = app.Agent(chosen, load(Path(chosen.vehicle.map)), Outbox.open(tmp_path / "outbox.db", 2**26))
    try:
        state = agent.delivery.link._state
    finally:
        agent.stop()
        agent.run()
    link = Link(chosen.mqtt, "car1", state)
    link._connects = 1
    identity = link._make_session("5")._identity
    link.close()
    told = [json.loads(payload) for payload in (identity.online, identity.offline)]
    for state in told:
        assert list(faults(SCHEMAS["state"], state, "state")) == []
    assert [state["online"] for state in told] == [True, False]


def test_the_examples_are_as_described() -> None:
    for name in ("state", "receipt"):
        for example in MESSAGES[name]["examples"]:
            assert list(faults(SCHEMAS[name], example["payload"], name)) == []


def test_the_example_of_a_receipt_is_one() -> None:
    receipt = parse_receipt(json.dumps(MESSAGES["receipt"]["examples"][0]["payload"]).encode(), upto_max=100)
    assert (list(receipt.stored), receipt.epoch) == ([(0, 41), (50, 60), (62, 62)], 3)
    assert SCHEMAS["receipt"]["properties"]["also"]["maxItems"] == ISLANDS_MAX
    assert SCHEMAS["evidence"]["properties"]["data"]["maxLength"] <= MESSAGE_BYTES_MAX


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"start_us": "1"}, "trip_start.start_us: '1' is no integer"),
        ({"start_us": True}, "trip_start.start_us: True is no integer"),
        ({}, "trip_start: start_us is missing"),
        ({"start_us": 1, "more": 2}, "trip_start: more is not described"),
    ],
)
def test_the_check_itself_finds_what_is_wrong(told: dict[str, Any], fault: str) -> None:
    assert list(faults(SCHEMAS["trip_start"], told, "trip_start")) == [fault]
