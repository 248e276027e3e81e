"""Before a bundle is tried: who signed it, may this version be taken, is it for this box and this car."""

from collections.abc import Callable, Iterator
from pathlib import Path

from agent import __version__
from agent.desk import asking_desk
from agent.doctor.checkup import Check, failed, passed, skipped
from agent.errors import BundleError, TboxError
from agent.flash import contents
from agent.flash.flash_check import DECIDING, Known
from agent.outbox.store import STORE_NAME, read_reserve
from agent.settings import Settings
from agent.settings.file import Loaded
from agent.slots.slots import Content, How, State
from agent.sources import hardware
from agent.trust import compatible, permit, trust
from agent.trust.bundle import Bundle
from agent.trust.compatible import Box

UNATTENDED = ("usb", "mqtt")
"""Ways in at which nobody stands: what failed here once is not tried again and again."""

REASONS = {"identifiers": "map", "vehicle map": "map", "speed": "map", "odometer": "map", "VIN": "vin"}
"""The short word for a check that fails, where it is not its name."""

ALONE = ("signature", "version", "history", "content")
"""Checks of the bundle alone."""

DEMANDS = ("hardware", "agent", "class", "vin")


class RefusedError(TboxError):
    """It is not put into force; `reason` is one short word."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


def content_of(bundle: Bundle, how: How, document: str) -> Content:
    """What the slot will hold."""
    return Content(bundle.manifest.id, bundle.manifest.version, bundle.content, how, document)


def decides(name: str) -> bool:
    """Whether a check of this name stands for the configuration, not for the installation."""
    return name in DECIDING or name in DEMANDS or name in ALONE


def reason_of(name: str) -> str:
    """The short word for a check that fails."""
    return REASONS.get(name, name)


def known(typed: str, state_dir: Path) -> Known:
    """The VIN by whoever types it, and by the running agent."""
    told = asking_desk.answered(state_dir, "read").get("identity", {})
    vins = dict.fromkeys(str(text) for what, text in told.items() if what.startswith("0902"))
    return Known(typed, next(iter(vins)) if len(vins) == 1 else "")


def is_linked(state_dir: Path) -> bool:
    """Whether the running agent reaches its broker now."""
    return bool(asking_desk.answered(state_dir, "read").get("link", {}).get("state") == "up")


def box(alone: Loaded, vin: str) -> Box:
    """This terminal and its car, as far as they are known."""
    return Box(hardware.name(alone.settings), __version__, vehicle_class(alone), vin or None)


def vehicle_class(alone: Loaded) -> str:
    """By the map that the machine's own file names; empty: it names none."""
    from agent.maps import maps  # noqa: PLC0415

    if alone.origin(("vehicle", "map")) == "default":
        return ""
    try:
        return maps.load(Path(alone.settings.vehicle.map), in_child=True).vehicle_class
    except TboxError:
        return ""


def suits(bundle: Bundle, alone: Loaded, vin: str) -> Iterator[Check]:
    """What the manifest demands beside the VIN, each; what cannot be known is said."""
    faults = {fault.reason: fault for fault in compatible.faults(bundle.manifest.compatible, box(alone, vin))}
    for reason in ("hardware", "agent", "class"):
        fault = faults.get(reason)
        if fault is None:
            continue
        words, _, fix = fault.words.partition("; ")
        if reason == "class" and not vehicle_class(alone):
            yield skipped("class", f"{words}: nobody says here what it is")
        else:
            yield failed(reason, words, fix)
    if not faults.keys() - {"vin"}:
        yield passed("compatible", f"made for this terminal, tbox {__version__}")
    if vin:
        yield from is_for(bundle, alone, vin)


def is_for(bundle: Bundle, alone: Loaded, vin: str) -> Iterator[Check]:
    """Whether this car's VIN is one of those the bundle is for; nothing where it is for any."""
    if not bundle.manifest.compatible.vin:
        return
    fault = next(
        (one for one in compatible.faults(bundle.manifest.compatible, box(alone, vin)) if one.reason == "vin"), None
    )
    if fault is None:
        yield passed("vin", f"the bundle is for {vin}")
    else:
        words, _, fix = fault.words.partition("; ")
        yield failed("vin", words, fix)


class Verified:
    """Checks of the bundle alone, in order: a name, and what says words or raises BundleError."""

    def __init__(self, bundle: Bundle, settings: Settings, state: State, raw_permit: bytes) -> None:
        self._bundle, self._settings, self._state = bundle, settings, state
        self._raw_permit = raw_permit
        self._now_us = trust.now_us()
        self._trust = trust.load(settings)

    def tries(self, how: How) -> Iterator[tuple[str, Callable[[], str]]]:
        """One after the other."""
        yield "signature", self._signature
        yield "version", self._version
        if how in UNATTENDED:
            yield "history", self._history
        yield "content", self._content

    def learn(self) -> None:
        """The trust documents it carries hold from now on. StorageError."""
        trust.learn(self._settings, self._trust, self._bundle)

    def _signature(self) -> str:
        return f"signed by {', '.join(self._trust.check(self._bundle, self._now_us))}"

    def _version(self) -> str:
        manifest = self._bundle.manifest
        highest = self._state.newest.get(manifest.id, 0)
        device = read_reserve(Path(self._settings.device.state_dir) / STORE_NAME).device
        allowed = permit.Permit.parse(self._raw_permit, "the permission") if self._raw_permit else None
        permit.check_version(self._bundle, highest, bytes.fromhex(device), allowed, self._trust, self._now_us)
        return f"{manifest.version}, the highest that proved itself here is {highest or 'none'}"

    def _history(self) -> str:
        why = self._state.failed.get(self._bundle.content)
        if why is not None:
            told = f"bundle {self._bundle.manifest} was taken back here: {why}"
            raise BundleError("failed_before", f"{told}; send another version, or flash it by hand")
        return "it never failed here"

    def _content(self) -> str:
        contents.check(self._bundle)
        return f"{len(self._bundle.files)} files: " + ", ".join(sorted(self._bundle.files))
