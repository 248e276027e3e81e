"""How each source goes: inputs a second, how old the newest is, how full its bus. Pure, looked at once a second.

How full a bus is, is reckoned from the lengths of some of its newest frames (hearing.py's bits), where its bit
rate is known.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.sources.hearing import FRAME_BITS, FRAME_BITS_EXTENDED, STUFFING
from drivers.batch import ERROR, EXTENDED, FRAME, INPUT_BYTES

LOOKED_AT = 64
"""So many inputs of a batch tell how long the frames of its buses are."""

COUNTED = ("frames", "fixes", "readings", "samples", "inputs")
"""What a source counts its inputs as; the first of these it has."""

_HEAD = struct.Struct("=qIBBBB64x")


@dataclass(slots=True)
class Gauge:
    """One source, as of the last look."""

    inputs: int = 0
    rate_hz: float = 0.0
    input_us: int | None = None
    look_us: int = 0


class Gauges:
    """`hear` each batch, `note` once a second, then `told`."""

    def __init__(self) -> None:
        self._gauges: dict[str, Gauge] = {}
        self._bits: dict[int, float] = {}
        self._batch = b""

    def hear(self, batch: bytes) -> None:
        """The newest batch; it is kept until the next second is looked at."""
        self._batch = batch

    def note(self, now_us: int, counters: Mapping[str, Mapping[str, int]]) -> None:
        """A second went by; a source that was opened anew counts from 0."""
        self._measure()
        for name, told in counters.items():
            gauge = self._gauges.setdefault(name, Gauge(look_us=now_us))
            inputs = next((told[word] for word in COUNTED if word in told), 0)
            more = inputs - gauge.inputs if inputs >= gauge.inputs else inputs
            since_s = (now_us - gauge.look_us) / 1e6
            gauge.rate_hz = more / since_s if since_s > 0 else 0.0
            gauge.inputs, gauge.look_us = inputs, now_us
            gauge.input_us = now_us if more else gauge.input_us

    def told(self, name: str, now_us: int, number: int | None = None, bitrate: int = 0) -> dict[str, Any]:
        """Of this source; `number` and `bitrate` of a bus, 0: not known. Ages are good to a second."""
        gauge = self._gauges.get(name, Gauge())
        bits = self._bits.get(-1 if number is None else number)
        load_pct = None if not bitrate or bits is None else round(100 * gauge.rate_hz * bits / bitrate, 1)
        return {
            "frames": gauge.inputs,
            "frames_per_s": round(gauge.rate_hz, 1),
            "last_frame_age_s": age_s(gauge.input_us, now_us),
            "load_pct": load_pct,
        }

    def _measure(self) -> None:
        """The mean length of the newest frames, bus by bus."""
        lengths: dict[int, list[float]] = {}
        batch, self._batch = self._batch, b""
        for at in range(0, min(len(batch), LOOKED_AT * INPUT_BYTES), INPUT_BYTES):
            _, identifier, kind, number, length, flags = _HEAD.unpack_from(batch, at)
            if kind == FRAME and not flags & ERROR:
                bits = FRAME_BITS_EXTENDED if identifier & EXTENDED else FRAME_BITS
                lengths.setdefault(number, []).append((bits + 8 * length) * STUFFING)
        self._bits |= {number: sum(bits) / len(bits) for number, bits in lengths.items()}


def age_s(then_us: int | None, now_us: int) -> float | None:
    """Seconds since then; None: never."""
    return None if then_us is None else round(max(0, now_us - then_us) / 1e6, 2)
