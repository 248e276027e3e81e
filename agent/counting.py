"""What every room of a running terminal counted: for a seal, for a health record, for who asks."""

from typing import TYPE_CHECKING

from agent.core import Core
from agent.evidence.evidence import Evidence
from agent.health import Vitals, process
from agent.power.upkeep import Upkeep
from agent.slots.trial import Signs
from agent.uplink.delivery import Delivery
from drivers.rack import Rack

if TYPE_CHECKING:
    from agent.asking.asking import Asking
    from agent.asking.listening import Listening


class Counting:
    """Looks into the rooms; changes nothing."""

    def __init__(
        self,
        core: Core,
        rack: Rack,
        delivery: Delivery,
        asking: "Asking | Listening",
        upkeep: Upkeep,
        evidence: Evidence,
    ) -> None:
        self._core, self._rack, self._delivery, self._asking, self._upkeep = core, rack, delivery, asking, upkeep
        self._evidence = evidence

    def frames(self) -> dict[str, int]:
        """The conserved frame counters a seal states."""
        core = self._core.counters()
        dropped = sum(counters.get("dropped", 0) for counters in self._rack.counters().values())
        frames = {"in": core["frames_in"] + dropped, "decoded": core["decoded"], "unmapped": core["unmapped"]}
        return frames | {"rejected": sum(core["rejected"].values()), "dropped": dropped}

    def heard(self) -> int:
        """Frames of all buses, ever."""
        return sum(counters.get("frames", 0) for counters in self._rack.counters().values())

    def signs(self) -> Signs:
        """What a configuration on trial is judged by."""
        core = self._core.counters()
        return Signs(core["frames_in"], core["decoded"], process().resident_bytes, self._delivery.uplink.state == "up")

    def vitals(self, now_us: int) -> Vitals:
        """What a health record tells."""
        writer, uplink = self._delivery.writer, self._delivery.uplink
        return Vitals(
            core=self._core.counters(),
            sources=self._rack.counters(),
            queued=writer.depth,
            store_bytes=writer.used_bytes,
            flash={"written_bytes": writer.written_bytes, "driven_us": self._core.snapshot(now_us).moving_us},
            link=uplink.state,
            uplink=uplink.counters(),
            process=process(),
            asking=self._asking.health(now_us),
            upkeep=self._upkeep.health(),
            evidence=self._evidence.counters,
        )
