"""The rooms of a running terminal in one hand, for those who gather something from many of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.account import Account
from agent.core import Core
from agent.counting import Counting
from agent.delivery import Delivery
from agent.evidence import Evidence
from agent.ledger import Ledger
from agent.settings import Settings
from agent.timekeeping import Timekeeper
from agent.trip import Trips
from agent.upkeep import Upkeep
from drivers.rack import Rack

if TYPE_CHECKING:
    from agent.asking import Asking
    from agent.listening import Listening


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
