"""What a running terminal knows of itself, for an install certificate."""

from typing import TYPE_CHECKING

from agent.desk.reading import identity
from agent.yard.bound import Bound, vins_in
from agent.yard.install import Facts

if TYPE_CHECKING:
    from agent.desk.reading import Known


def facts(known: "Known", bound: Bound, now_us: int) -> Facts:
    """As of now: what runs, never what was asked for."""
    told, bond = identity(known, now_us), bound.tie.bond
    return Facts(
        software=told["software"],
        settings=told["settings"],
        vehicle=told["vehicle"],
        bundle=told["reported"],
        calibrated=known.is_mounted,
        binding=bond.binding if bond.is_bound else None,
        vins=vins_in(known.rooms.asking.health(now_us)),
        odometer_m=known.rooms.core.snapshot(now_us).value("odometer"),
    )
