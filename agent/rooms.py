"""The rooms of a running terminal in one hand, for those who gather something from many of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core import Core
from agent.counting import Counting
from agent.evidence.evidence import Evidence
from agent.ledger.ledger import Ledger
from agent.power.upkeep import Upkeep
from agent.settings import Settings
from agent.trip.account import Account
from agent.trip.trip import Trips
from agent.uplink.delivery import Delivery
from agent.world.timekeeping import Timekeeper
from drivers.rack import Rack

if TYPE_CHECKING:
    from agent.asking.asking import Asking
    from agent.asking.listening import Listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """`device` is the id in records, `vehicle` the map's name, `start_us` when this run began."""

    settings: Settings
    boot: int
    device: bytes
    vehicle: str
    start_us: int
    core: Core
    rack: Rack
    asking: "Asking | Listening"
    trips: Trips
    account: Account
    ledger: Ledger
    evidence: Evidence
    delivery: Delivery
    upkeep: Upkeep
    counting: Counting
    timekeeper: Timekeeper
