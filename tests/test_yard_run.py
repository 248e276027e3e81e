"""In the yard, with real processes: a box that was bound to one car drives in another, and says so within one trip."""

from pathlib import Path

from agent.codec import pack
from agent.settings import Device, Settings
from agent.trust import trust
from agent.yard import pairing
from agent.yard.binding import Binding, hash_of
from hil.car.ecu import VIN
from hil.drive import Leg
from tests.brokers import Mosquitto, Subscriber
from tests.fleets import ANNA, NOON_US, roster_form, signed_roster
from tests.test_run import listening, running, until
from tests.test_run_asking import RUNNING, Box, Car, bus

LEGS = (Leg("off", 6, 2.0), Leg("along", 4), Leg("to the kerb", 5, -2.4), Leg("parked", 2, engine=False))
OTHER_VIN = "WDB9066331S123456"


def bind(box: Box, vin: str, port: int) -> None:
    """Show a code, have the platform sign for it; what it signed comes by the broker, after a letter that is none."""
    settings = Settings(device=Device(state_dir=str(box.folder / "state")))
    trust.pin(settings, signed_roster(roster_form(holders={"Anna": ANNA}, threshold=1), [ANNA]))
    code = pairing.new_code(box.folder / "state")
    told = {"device": box.device.hex(), "state": "bound", "binding": "b-1", "vin": vin, "owner": "Ann"}
    made = Binding.new(**told, code=hash_of(code, box.device), not_before_us=NOON_US).signed(ANNA)
    with Subscriber(port, "none") as platform:
        for name, letter in (("d-1", b"no binding"), ("d-2", made.text())):
            desired = pack({"document": name, "binding": letter})
            platform.publish(f"tbox/v1/{box.device.hex()}/config/desired", desired)


def test_a_box_in_another_car_says_so_within_one_trip(tmp_path: Path) -> None:
    link = str(tmp_path / "can")
    with Mosquitto(tmp_path) as broker, listening(broker.port) as there, Car() as car:
        car.plug(Path(link))
        with running(Box(tmp_path / "a", broker.port, there, bus(link, 0, listen_only=False), RUNNING)) as box:
            assert isinstance(box, Box)
            until(lambda: bool(box.device), "the start")
            bind(box, OTHER_VIN, broker.port)
            until(lambda: len(box.bodies("binding")) > 0, "the binding")
            car.follow(LEGS)
            until(lambda: len(box.bodies("binding")) > 1, "the wrong car")
            until(lambda: len(box.bodies("trip_start")) > 0, "a trip")
            assert box.stop() == 0
            until(lambda: len(box.bodies("trip_end")) > 0, "its end")
            bound, wrong = (record.body for record in box.bodies("binding"))
            (start,), (end,) = box.bodies("trip_start"), box.bodies("trip_end")
    assert (bound["state"], bound["binding"], bound["by"]) == ("bound", "b-1", ["Anna"])
    assert (wrong["state"], wrong["vin"], wrong["found"]) == ("wrong_vin", OTHER_VIN, VIN)
    assert start.body["binding"] == "b-1"
    assert (end.body["binding"], end.body["vin_match"]) == ("b-1", "wrong")
