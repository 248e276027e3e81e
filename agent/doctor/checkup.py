"""Is this box well installed? Each check is a function of what was gathered: a verdict, words with the value, the fix.

SKIP says that something was not asked for, or could not be judged now, and what would make it so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from agent.core import Sample
from agent.doctor.fitting import Fit
from agent.sources.hearing import Bus, Fix, Text

Verdict = Literal["PASS", "FAIL", "SKIP"]

LOAD_SHARE_MAX = 0.95
ERROR_SHARE_MAX = 0.01

GRAVITY_MPS2, GRAVITY_TOLERANCE_MPS2 = 9.80665, 0.5
"""Sensors of this class are right to 2 or 3 %, a wrong scale is off by half or double."""

NOISE_MPS2_MAX = 0.5
"""Root mean square about the mean, of a car at rest with a running engine; more is a box that hangs loose."""

FORCES_MIN = 20

SATELLITES_MIN, HDOP_MAX, FIX_AGE_S_MAX = 4, 5.0, 3.0

SPEED_DIFFERENCE_MPS, SPEED_DIFFERENCE_SHARE = 1.5, 0.10
"""Speedometers read up to 10 % + 4 km/h high (UNECE R39), buses less."""

MOVING_MPS = 4.0
"""Slower, a receiver's speed is mostly noise and delay."""

MOVING_S_MIN = 5

SUPPLY_V = ((11.8, 15.5), (23.6, 31.0))
"""Sound voltages of a 12 V and of a 24 V system."""


LATER = ("receipt", "clock")
OUT_OF_REACH = ("has no address", "refuses the connection", "does not answer", "is out of reach")
"""What agent/uplink/broker.py says of a broker that is not reached; one that is and refuses is another matter."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict; `fix` stands where it fails."""

    name: str
    verdict: Verdict
    words: str
    fix: str = ""


def passed(name: str, words: str) -> Check:
    """All is well."""
    return Check(name, "PASS", words)


def failed(name: str, words: str, fix: str) -> Check:
    """Something is wrong, and what helps."""
    return Check(name, "FAIL", words, fix)


def skipped(name: str, words: str) -> Check:
    """Not judged, and why."""
    return Check(name, "SKIP", words)


def waits(name: str, words: str) -> bool:
    """Whether a failure of this check is only that there is no signal here: told, but not against the installation."""
    return name in LATER or (name == "broker" and any(part in words for part in OUT_OF_REACH))


# ---- the car --------------------------------------------------------------------------------------------------------


def check_bus(channel: str, bus: Bus | None, seconds: float, *, bitrate: int = 0, missing: str = "") -> Check:
    """Whether a bus is heard, and cleanly."""
    name = f"bus {channel}"
    if missing:
        return failed(name, missing, "plug the adapter in, check channel and interface in [[can]]")
    if bus is None or bus.frames + bus.errors == 0:
        fix = "switch the ignition on; check plug and CAN wires; a gateway's port may carry only what is asked for"
        return failed(name, f"no frame in {seconds:.0f} s", fix)
    if bus.errors > ERROR_SHARE_MAX * (bus.frames + bus.errors):
        words = f"{bus.errors} error frames beside {bus.frames} good ones"
        return failed(name, words, "the bit rate is wrong, CAN high and low are swapped, or a terminator is missing")
    words = f"{bus.frames / seconds:.0f} frames/s, {len(bus.ids)} identifiers"
    if not bitrate:
        return passed(name, words)
    load = bus.bits / (seconds * bitrate)
    if load > LOAD_SHARE_MAX:
        return failed(name, f"{words}, {100 * load:.0f} % of {bitrate} bit/s", "the bit rate in [[can]] is too low")
    return passed(name, f"{words}, {100 * load:.0f} % of {bitrate} bit/s")


ADAPTER_SAYS = {
    "": ("it is not there", "plug it in; check elm.port, and that this user is in the group dialout"),
    "mute": ("nobody answers at the port", "check elm.port and elm.baudrate; pair a Bluetooth adapter again"),
    "silent": ("no car answered it", "switch the ignition on, start tbox again; is the plug all the way in?"),
}
"""What an adapter's states mean that are no good, and the fix."""


def check_adapter(port: str, state: str) -> Check:
    """Whether an ELM327 or STN adapter has found a car; `state` as drivers.elm.elm tells it, empty: no adapter."""
    name = f"adapter {port}"
    if state in ADAPTER_SAYS:
        return failed(name, *ADAPTER_SAYS[state])
    if state == "car":
        return passed(name, "a car answers")
    return skipped(name, "it waits for a running engine" if state == "waiting" else f"it is not ready yet ({state})")


def check_map(fit: Fit, frames: int, better: str) -> Check:
    """Whether the vehicle map fits what is heard; `better`: a shipped one that does."""
    heard = [signal.name for signal in fit.signals if signal.valid]
    words = f"{fit.name}: {len(heard)} of {len(fit.signals)} signals"
    if not frames:
        return skipped("vehicle map", f"{fit.name}: nothing was heard to hold it against")
    if not fit.is_good:
        why = fit.speed_doubt or f"only {100 * fit.share:.0f} % of it fits"
        fix = f'set vehicle.map = "{better}", which fits' if better else "try tbox vehicle probe, or another map"
        return failed("vehicle map", f"{words}, {why}", fix)
    rejected = sum(fit.rejected.values())
    return passed("vehicle map", words + (f", {rejected} frames rejected" if rejected else ""))


def check_vin(texts: Sequence[Text], *, may_ask: bool) -> Check:
    """Whether the car said who it is."""
    vins = list(dict.fromkeys(text.words for text in texts if text.what == "0902"))
    if len(vins) > 1:
        return failed("VIN", " and ".join(vins), "two cars answer, or a unit was swapped: ask the workshop")
    if vins and not is_vin(vins[0]):
        return failed("VIN", f"{vins[0]} is none", "a unit was swapped or never coded: ask the workshop")
    if vins:
        return passed("VIN", vins[0])
    if not may_ask:
        return skipped("VIN", "not asked for: listen-only")
    return skipped("VIN", "the car does not tell; cars before 2005 and many electric ones do not")


def is_vin(text: str) -> bool:
    """Seventeen letters and digits without I, O and Q (ISO 3779)."""
    return len(text) == 17 and text.isascii() and text.isalnum() and text.isupper() and not set(text) & set("IOQ")


def check_speed(samples: Sequence[Sample]) -> Check:
    """The car's speed, and the receiver's beside it."""
    own = [speed for sample in samples if (speed := sample.value("speed")) is not None]
    if not own:
        return failed("speed", "the car's speed was not heard", "another vehicle map; or let it ask (listen_only)")
    pairs = [
        (speed, gnss)
        for sample in samples
        if (speed := sample.value("speed")) is not None and (gnss := sample.value("gnss_speed")) is not None
    ]
    told = f"{own[-1] * 3.6:.0f} km/h"
    if not pairs:
        return passed("speed", f"{told}; no receiver to hold it against")
    moving = [pair for pair in pairs if max(pair) >= MOVING_MPS]
    if len(moving) < MOVING_S_MIN:
        return passed("speed", f"{told}, the receiver {pairs[-1][1] * 3.6:.0f} km/h; drive to compare them")
    off_mps = median(speed - gnss for speed, gnss in moving)
    most_mps = SPEED_DIFFERENCE_MPS + SPEED_DIFFERENCE_SHARE * fmean(gnss for _, gnss in moving)
    words = f"{off_mps * 3.6:+.1f} km/h against the receiver over {len(moving)} s"
    if abs(off_mps) > most_mps:
        return failed("speed", words, "a scale in the vehicle map is wrong, miles for kilometres perhaps")
    return passed("speed", words)


# ---- sensors --------------------------------------------------------------------------------------------------------


def check_imu(forces: Sequence[tuple[int, tuple[float, float, float]]], *, is_fitted: bool, moves: bool) -> Check:
    """Gravity's size and the noise about it."""
    if not is_fitted and not forces:
        return skipped("motion sensor", "none is set")
    if len(forces) < FORCES_MIN:
        return failed("motion sensor", f"{len(forces)} readings", "is the device there, and its driver loaded?")
    seconds = (forces[-1][0] - forces[0][0]) / 1e6
    rate = f"{(len(forces) - 1) / seconds:.0f} Hz" if seconds > 0 else "no rate"
    if moves:
        return skipped("motion sensor", f"{rate}; stand still to judge gravity and noise")
    means = [fmean(force[axis] for _, force in forces) for axis in range(3)]
    gravity = sum(mean * mean for mean in means) ** 0.5
    noise = (
        fmean(sum((told - mean) ** 2 for told, mean in zip(force, means, strict=True)) for _, force in forces) ** 0.5
    )
    words = f"gravity {gravity:.2f} m/s2, noise {noise:.3f} m/s2, {rate}"
    if abs(gravity - GRAVITY_MPS2) > GRAVITY_TOLERANCE_MPS2:
        return failed("motion sensor", words, "its scale or unit is wrong (g for m/s2?), or an axis is dead")
    if noise > NOISE_MPS2_MAX:
        return failed("motion sensor", words, "fasten the box; switch the engine off and look again")
    return passed("motion sensor", words)


def check_gnss(fixes: Sequence[Fix], now_us: int, *, is_fitted: bool) -> Check:
    """Whether the receiver knows where it is."""
    if not is_fitted and not fixes:
        return skipped("GNSS", "no receiver is set")
    if not fixes:
        return failed("GNSS", "no word from the receiver", "check its port and speed, or that gpsd runs")
    valid = [fix for fix in fixes if fix.is_valid]
    sky = "put the antenna where it sees the sky; a first fix takes minutes"
    if not valid:
        return failed("GNSS", f"no fix in {len(fixes)} messages", sky)
    last = valid[-1]
    age_s = max(0.0, (now_us - last.t_us) / 1e6)
    words = f"fix {age_s:.1f} s old"
    words += "" if last.sats is None else f", {last.sats:.0f} satellites"
    words += "" if last.hdop is None else f", HDOP {last.hdop:.1f}"
    is_weak = (last.sats or SATELLITES_MIN) < SATELLITES_MIN or (last.hdop or 0.0) > HDOP_MAX
    if age_s > FIX_AGE_S_MAX or is_weak:
        return failed("GNSS", words, sky)
    return passed("GNSS", words)


def check_voltage(volts: Sequence[float], floor_v: float) -> Check:
    """The supply, by whatever tells it."""
    if not volts:
        return skipped("voltage", "nothing tells it: no ADC, no PID 42, not in the vehicle map")
    volt = median(volts)
    words = f"{volt:.1f} V"
    if not any(low <= volt <= high for low, high in SUPPLY_V):
        return failed("voltage", words, "charge or replace the battery; if a meter shows another value, set the scale")
    if volt < (floor_v * 2 if volt > SUPPLY_V[0][1] else floor_v):
        return failed("voltage", f"{words}, under the floor of {floor_v:.1f} V", "charge the battery, or replace it")
    return passed("voltage", words)
