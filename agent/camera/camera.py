"""A camera in the terminal: events go to it, what it saved comes into the account. Loaded only where there is one."""

import base64
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from agent.camera.clips import Clips
from agent.codec import Record
from agent.core import Event
from agent.ledger.ledger import Ledger
from agent.settings import Settings
from drivers.camera.camera import Camera
from drivers.camera.plan import Plan

AWAKE = ("driving", "settling")
LATE_S = 120.0
"""An event is told this long after it began at most, as a rule; what was filmed earlier nobody asks for."""

log = logging.getLogger("tbox")


def plan_of(settings: Settings, boot: int) -> Plan:
    """What the camera's process must know."""
    rule = settings.camera
    return Plan(
        folder=rule.folder or str(Path(settings.device.state_dir) / "camera"),
        boot=boot,
        source=rule.source,
        input_format=rule.input_format,
        login_file=rule.login_file,
        width_px=rule.width_px,
        height_px=rule.height_px,
        rate_hz=rule.rate_hz,
        encoder=rule.encoder,
        bitrate_kbps=rule.bitrate_kbps,
        segment_s=rule.segment_s,
        stall_s=rule.stall_s,
        ring_s=rule.before_s + LATE_S,
        budget_bytes=rule.budget_mb * 1_000_000,
        clip_budget_bytes=rule.clip_budget_mb * 1_000_000,
        keep_s=rule.keep_days * 86_400.0,
        spare_bytes=settings.store.budget_mb * 1_000_000,
    )


class Film:
    """The camera's process, and what of it is told in the account."""

    def __init__(self, settings: Settings, ledger: Ledger, records: Sequence[Record]) -> None:
        """`records`: the first of this run, which tell its boot, and perhaps of events of an earlier one."""
        boot = records[0].boot
        self._is_on_parked = settings.camera.is_on_parked
        self._ledger = ledger
        self._camera = Camera(plan_of(settings, boot))
        self.clips = Clips(settings.camera, boot, may_send=_may_send(settings))
        self._recover(records)
        self._standing: dict[str, Any] = {"state": "starting", "why": ""}

    def found(self, event: Event, seq: int) -> None:
        """An event was numbered."""
        self.clips.found(event.name, seq, event.start_us)

    def turn(self, now_us: int, state: str, waiting: int, *, is_settled: bool) -> list[Record]:
        """Hear and tell the camera's process; the records of what it saved.

        `state`: the power decider's; `waiting`: records that are not delivered; `is_settled`: all others are on flash.
        """
        for message in self._camera.tend(now_us / 1e6):
            if "state" in message:
                self._stand(message)
            else:
                self.clips.hear(message, base64.b64decode)
        step = self.clips.step(
            now_us,
            begun=self._camera.begun if self._camera.pid else 0,
            is_run=state in AWAKE or (self._is_on_parked and state == "parked"),
            is_settled=is_settled,
            is_idle=not waiting,
        )
        for told in step.tells:
            self._camera.tell(**told)
        return self._ledger.numbers("evidence", now_us, step.bodies)

    def kept(self) -> list[list[int]]:
        """What must outlive a start: what was sent of the day's allowance."""
        return self.clips.kept()

    def resume(self, now_us: int, kept: Sequence[Sequence[int]]) -> None:
        """Go on from an earlier run."""
        self.clips.resume(now_us, kept)

    def health(self) -> dict[str, Any]:
        """How the camera is, and what was counted."""
        counters = self._standing.get("counters", {})
        told = {"state": self._standing["state"], "why": self._standing["why"]}
        return {"camera": {**told, **counters, **self._camera.counters(), **self.clips.counters()}}

    def close(self) -> None:
        """End the camera's process."""
        self._camera.close()

    def _stand(self, message: dict[str, Any]) -> None:
        why = str(message.get("why", ""))
        if why != self._standing["why"]:
            log.warning("camera: %s", why or "it films again")
        self._standing = {**message, "why": why}

    def _recover(self, records: Iterable[Record]) -> None:
        """Events of an earlier boot that were found only now."""
        for record in records:
            body = record.body
            if record.kind == "event" and isinstance(body.get("boot"), int):
                self.clips.found(body["event"], record.seq, body["start_us"], body["boot"])


def _may_send(settings: Settings) -> bool:
    """Clips may go where the link is not metered; and as they show places, only where evidence may tell these."""
    return not settings.uplink.day_mb and settings.privacy.places.evidence == "exact"
