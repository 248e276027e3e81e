"""What is written down of a drive: samples of a trip in which the car falls silent."""

from agent.core import Sample
from agent.settings import defaults
from agent.setup import NO_REST
from agent.trip.account import Account
from agent.trip.resume import Left
from agent.trip.trip import Trips
from drivers.batch import tick
from tests.accounts import ledger
from tests.road import core, us, value
from tests.test_resume import NOW


class Drive:
    """A minute at 10 m/s, then nothing but time: the terminal's account of it, and what a power cut would leave."""

    def __init__(self, silent_s: int) -> None:
        settings = defaults()
        trips, account = Trips(settings.trip), Account(ledger(), settings.samples, "rules")
        self.records: list[str] = []
        rows = [value(i / 10, "speed", 10.0) for i in range(600)]
        for output in core().feed(b"".join([*rows, *(tick(us(60 + second)) for second in range(silent_s))])):
            assert isinstance(output, Sample)
            moments = trips.step(output)
            records = [record for moment in moments for record in account.moment(moment, output.at_us)]
            self.records += [record.kind for record in [*records, *account.sample(output)]]
            self.left = account.left(trips.interim(output, "power_cut"), Left(1, NOW, NO_REST, is_clean=False))


def test_a_car_that_falls_silent_leaves_no_samples_of_its_silence_and_its_trip_ends() -> None:
    drive = Drive(400)
    assert drive.records.count("trip_end") == 1
    assert drive.records.count("samples") == Drive(90).records.count("samples")


def test_a_power_cut_in_that_silence_leaves_the_trip_without_open_samples() -> None:
    left = Drive(200).left
    assert left.trip_end is not None
    assert left.samples is None
