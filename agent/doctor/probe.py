"""`tbox vehicle probe` and `tbox vehicle check`: listen to a bus and say which map fits; try a map on a log."""

import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.doctor.fitting import Fit, Fitter, Heard, best, on_channel
from agent.doctor.interview import Interview, Learnt
from agent.doctor.tap import WAIT_S, Tap, find_rate, progress, rates_of, tapped
from agent.errors import InputError
from agent.maps import maps
from agent.maps.compile import CATALOGUE
from agent.replay.inputs import opened, warn
from agent.settings import Can
from agent.sources.hearing import Bus, Hearing, Text
from agent.vehicle import SHIPPED
from agent.world import clock
from drivers.batch import EXTENDED
from drivers.errors import RecordingError

ASK_S = 20.0
SPEED_PID, ASKED_MAP = 0x0D, "obd2.toml"

IDS_MAX = 400
"""Identifiers that are listed; a bus of nonsense could have millions."""


@dataclass(slots=True)
class Probed:
    """A bus, as it was heard and as it answered."""

    can: Can
    bitrate: int
    seconds: float
    hearing: Hearing
    fits: dict[str, Fit]
    learnt: Learnt | None = None

    @property
    def bus(self) -> Bus:
        """What was heard of it."""
        return self.hearing.buses.get(self.can.number, Bus())

    @property
    def best(self) -> str:
        """The file of the map that fits; empty: none does. A car that tells its speed when asked fits OBD-II's."""
        fit = best(list(self.fits.values()))
        heard = next((name for name, other in self.fits.items() if other is fit), "")
        is_told = self.learnt is not None and any(SPEED_PID in pids for pids in self.learnt.pids.values())
        return heard or (ASKED_MAP if is_told else "")


# ---- probe ----------------------------------------------------------------------------------------------------------


def probe(can: Can, seconds: float, *, ask: bool, as_json: bool) -> int:
    """The command: listen, and, when somebody says that the ignition is on (`ask`), ask.

    0: a shipped map fits; 1: none does, or nothing was heard. DeviceAbsentError, SettingsError.
    """
    tell = progress()
    try:
        bitrate = find_rate(can, tell)
        probed = _listened(can, bitrate, seconds, tell)
        if ask:
            tell("asking")
            probed.learnt = _asked(probed)
    finally:
        tell("")
    if as_json:
        print(json.dumps(_as_json(probed), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(probed)))
    return 0 if probed.best else 1


def shipped(channel: int) -> dict[str, Fitter]:
    """A fitter for each map that comes with the program, as if its buses were this one."""
    files = sorted(SHIPPED.glob("*.toml"))
    return {file.name: Fitter(on_channel(maps.load(Path(file.name)), channel)) for file in files}


def _listened(can: Can, bitrate: int, seconds: float, tell: Callable[[str], None]) -> Probed:
    """The bus for so long, and what each map makes of it."""
    hearing, fitters = Hearing(), shipped(can.number)
    with tapped(can, bitrate) as tap:
        for batch in _batches(tap, seconds, tell, hearing):
            _take(batch, hearing, fitters)
    return Probed(can, bitrate, seconds, hearing, {name: fitter.fit() for name, fitter in fitters.items()})


def _batches(tap: Tap, seconds: float, tell: Callable[[str], None], hearing: Hearing) -> Iterator[bytes]:
    """What comes in that time."""
    begun_us = clock.boot_us()
    while (since_s := (clock.boot_us() - begun_us) / 1e6) < seconds:
        tell(f"listening: {since_s:.0f} of {seconds:.0f} s, {hearing.frames} frames")
        yield tap.read(min(WAIT_S, seconds - since_s))


def _take(batch: bytes, hearing: Hearing, fitters: dict[str, Fitter]) -> None:
    """One batch, to everybody who listens."""
    hearing.take(batch)
    for fitter in fitters.values():
        fitter.take(batch)


def _asked(probed: Probed) -> Learnt:
    """Open the bus again so that it may send, and ask; what is heard meanwhile counts too.

    A silent one is asked at each rate it may have, one question on each width.
    """
    learnt = Learnt()
    for bitrate in (probed.bitrate,) if probed.bus.frames else rates_of(probed.can):
        with tapped(probed.can, bitrate, may_send=True) as tap:
            learnt = _interviewed(probed, tap)
        if learnt.pids:
            probed.bitrate = bitrate
            break
    return learnt


def _interviewed(probed: Probed, tap: Tap) -> Learnt:
    """What the car tells through this tap."""
    assert tap.asker is not None
    bus = probed.hearing.buses.setdefault(probed.can.number, Bus())

    def read(wait_s: float) -> bytes:
        batch = tap.read(wait_s)
        probed.hearing.take(batch)
        return batch

    return Interview(tap.asker, bus, read, signs=lambda: {"ignition_line": True}).run(ASK_S)


def _lines(probed: Probed) -> Iterator[str]:
    """For a person."""
    bus, can = probed.bus, probed.can
    speed = f"{probed.bitrate} bit/s" if probed.bitrate else "bit rate as it is set up"
    yield f"bus    {can.channel} ({can.interface}), {speed}"
    if not bus.frames:
        yield f"       nothing in {probed.seconds:.0f} s, {bus.errors} error frames: is the ignition on?"
    else:
        rate = f"{bus.frames / probed.seconds:.0f} frames/s"
        yield f"       {rate}, {len(bus.ids)} identifiers, {bus.errors} error frames"
    for name, fit in sorted(probed.fits.items(), key=lambda item: item[1].share, reverse=True):
        yield f"map    {name} {_how(probed, name, fit)}"
    yield f"VIN    {_vin(probed) or _why_no_vin(probed)}"
    for ecu, pids in sorted(probed.learnt.pids.items()) if probed.learnt else ():
        yield f"PIDs   {_name(ecu)}: {' '.join(f'{pid:02X}' for pid in sorted(pids))}"
    for key, ident in sorted(bus.ids.items())[:IDS_MAX]:
        rate = f"{ident.rate_hz:8.1f} Hz" if ident.rate_hz else "     once   "
        yield f"id     {_name(key):>8} {rate} {ident.bytes_max:3d} bytes"


def _how(probed: Probed, name: str, fit: Fit) -> str:
    """How well this map fits."""
    if name == probed.best:
        return f"fits, {100 * fit.share:.0f} %" if fit.is_good else "fits: the car tells its speed when it is asked"
    doubt = f": {fit.speed_doubt}" if fit.speed_doubt else ""
    return f"{'fits less' if fit.is_good else 'does not fit'}, {100 * fit.share:.0f} %{doubt}"


def _vin(probed: Probed) -> str:
    """The car's own word, whoever asked for it."""
    heard = next((text.words for text in probed.hearing.texts if text.what == "0902"), "")
    return heard or (probed.learnt.vin if probed.learnt else "")


def _why_no_vin(probed: Probed) -> str:
    """Why there is none."""
    if probed.learnt is None:
        return "not asked for (--ask, with the ignition on)"
    return f"not told{f': silent because of {probed.learnt.silence}' if probed.learnt.silence else ''}"


def _name(identifier: int) -> str:
    """7E8, or 18DAF110."""
    return f"{identifier & ~EXTENDED:08X}" if identifier & EXTENDED else f"{identifier:03X}"


def _as_json(probed: Probed) -> dict[str, Any]:
    """For scripts."""
    bus = probed.bus
    return {
        "channel": probed.can.channel,
        "interface": probed.can.interface,
        "bitrate": probed.bitrate or None,
        "seconds": probed.seconds,
        "frames": bus.frames,
        "errors": bus.errors,
        "ids": [
            {"id": _name(key), "frames": ident.frames, "rate_hz": _rounded(ident.rate_hz), "bytes": ident.bytes_max}
            for key, ident in sorted(bus.ids.items())[:IDS_MAX]
        ],
        "map": probed.best or None,
        "maps": {name: _fit_as_json(fit) for name, fit in probed.fits.items()},
        "vin": _vin(probed) or None,
        "silence": (probed.learnt.silence or None) if probed.learnt else "not_asked",
        "pids": {
            _name(ecu): [f"{pid:02X}" for pid in sorted(pids)]
            for ecu, pids in sorted(probed.learnt.pids.items() if probed.learnt else ())
        },
    }


# ---- check ----------------------------------------------------------------------------------------------------------


def check(file: Path, log: Path, *, form: str | None, as_json: bool) -> int:
    """The command: every signal of a map on a log. 1: the speed is missing or is no car's."""
    fitter, recording = Fitter(maps.load(file)), opened([log], form)
    hearing = Hearing()
    try:
        for batch in recording.batches():
            _take(batch, hearing, {"": fitter})
    except RecordingError as why:
        raise InputError(str(why)) from None
    if not hearing.frames:
        raise InputError(f"{log}: holds no CAN frame to try a map on")
    fit = fitter.fit()
    if as_json:
        print(json.dumps(_fit_as_json(fit), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_check_lines(fit, list(hearing.texts))))
    warn(recording)
    return 1 if fit.speed_doubt else 0


def _check_lines(fit: Fit, texts: Sequence[Text]) -> Iterator[str]:
    """A row a signal, then the verdict."""
    units = _units()
    yield f"{fit.name}: {fit.messages_seen} of {fit.messages} messages seen"
    columns = (("values", 8), ("in range", 8), ("rate", 9), ("changes", 9), ("least", 10), ("most", 10), ("last", 10))
    yield " ".join([f"{'signal':12}", *(f"{word:>{width}}" for word, width in columns)])
    for heard in fit.signals:
        yield f"{heard.name:12} {heard.values:8d} {_row(heard)} {units[heard.name]}".rstrip()
    for text in texts:
        yield f"{text.what:12} {text.words}"
    if fit.rejected:
        yield "rejected: " + ", ".join(f"{count} {reason}" for reason, count in fit.rejected.items())
    yield f"FAIL  speed: {fit.speed_doubt}" if fit.speed_doubt else "PASS  speed"


def _row(heard: Heard) -> str:
    """What is known of a signal, in columns."""
    if heard.last is None:
        share = f"{0:7d} %" if heard.values else f"{'-':>8}"
        return " ".join([share, *(f"{'-':>{width}}" for width in (9, 9, 10, 10, 10))])
    rate = f"{heard.rate_hz:6.1f} Hz" if heard.rate_hz else f"{'once':>9}"
    refresh = f"{heard.refresh_s:7.2f} s" if heard.refresh_s is not None else f"{'never':>9}"
    numbers = " ".join(f"{number:10.2f}" for number in (heard.least, heard.most, heard.last))
    return f"{100 * heard.in_range:6.1f} % {rate} {refresh} {numbers}"


def _fit_as_json(fit: Fit) -> dict[str, Any]:
    """For scripts; a number that is not known is null."""
    return {
        "name": fit.name,
        "messages_seen": fit.messages_seen,
        "messages": fit.messages,
        "share": round(fit.share, 4),
        "rejected": fit.rejected,
        "speed_doubt": fit.speed_doubt or None,
        "signals": {
            heard.name: {
                "values": heard.values,
                "in_range": round(heard.in_range, 4),
                "rate_hz": _rounded(heard.rate_hz),
                "refresh_s": _rounded(heard.refresh_s),
                "least": _rounded(heard.least) if heard.valid else None,
                "most": _rounded(heard.most) if heard.valid else None,
                "last": _rounded(heard.last),
            }
            for heard in fit.signals
        },
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


def _units() -> dict[str, str]:
    """The catalogue's unit of each signal."""
    rows = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    return {name: row["unit"] for name, row in rows.items()}
