"""The transmit guard (native/guard.h): whether a frame may go to the car, or a line to an adapter, and why not.

Whoever writes to a bus or an adapter asks it at the last step; it cannot be told to let more pass than its list.
"""

from collections.abc import Sequence

from drivers._guard import ffi, lib
from drivers.errors import DriverError

REQUESTS_PER_S = 20.0
"""Requests a second where nothing else is said: what a car of 2008 answers without delay."""

REQUESTS_PER_S_MAX = lib.TBOX_GUARD_MILLIREQUESTS_MOST / 1000
UDS_IDS_MAX = lib.TBOX_GUARD_UDS_MOST
FRAME_BYTES_MAX = 64

REASONS = tuple(ffi.string(lib.tbox_guard_word(reason)).decode() for reason in range(lib.TBOX_GUARD_REASONS))
"""What `frame` and `line` answer; the first, empty, is for what passes."""


class Guard:
    """One guard, for one bus or one adapter: allow-list, budget, and what the adapter was told.

    `uds_ids`: identifiers (with EXTENDED of drivers.batch for 29 bits) that a trusted vehicle map names for service 22.
    DriverError when one of them can be none, or the rate is not above 0 and at most REQUESTS_PER_S_MAX.
    """

    __slots__ = ("_memory", "_self")

    def __init__(self, uds_ids: Sequence[int] = (), requests_per_s: float = REQUESTS_PER_S) -> None:
        self._memory = ffi.new("uint8_t[]", lib.tbox_guard_size())
        self._self = ffi.cast("tbox_guard_t *", self._memory)
        are_numbers = all(0 <= identifier < 1 << 32 for identifier in uds_ids)
        millis = round(requests_per_s * 1000) if 0 < requests_per_s <= REQUESTS_PER_S_MAX else 0
        ids = ffi.new("uint32_t[]", list(uds_ids)) if are_numbers else None
        if ids is None or not lib.tbox_guard_init(self._self, ids, len(uds_ids), millis):
            named = " ".join(f"{identifier:X}" for identifier in uds_ids) or "none"
            raise DriverError(
                f"no guard for {requests_per_s} requests/s (0 to {REQUESTS_PER_S_MAX:.0f}) and service 22 to {named}"
                f" (at most {UDS_IDS_MAX}, none that OBD answers come with)"
            )

    @property
    def address(self) -> int:
        """Where the guard lies, for the C of drivers.bus.socketcan; whoever keeps it keeps the Guard."""
        return int(ffi.cast("uintptr_t", self._memory))

    def frame(self, t_us: int, identifier: int, data: bytes, flags: int = 0) -> str:
        """Ask for a frame that is sent now, at `t_us` of boot time. Empty: send it; else why not, one of REASONS."""
        if not 0 <= identifier < 1 << 32 or len(data) > FRAME_BYTES_MAX or not 0 <= flags <= 255:
            return "kind"
        return REASONS[lib.tbox_guard_send(self._self, t_us, identifier, data, len(data), flags)]

    def line(self, t_us: int, text: str) -> str:
        """Ask for a line that is written to an ELM327 or STN adapter now, with one carriage return at its end.

        Empty: write it; else why not, one of REASONS. An empty line is refused: it repeats the one before. One space
        alone, written without carriage return, ends a monitor.
        """
        line = text.encode("utf-8", "replace")
        return REASONS[lib.tbox_guard_say(self._self, t_us, line, len(line))]

    def forget(self) -> None:
        """The adapter did not confirm a command: no request passes until it is reset (ATZ, ATWS, ATD)."""
        lib.tbox_guard_forget(self._self)

    def counters(self) -> dict[str, int]:
        """Totals passed (requests, flow control, commands) and refused, by reason."""
        totals = ffi.new("tbox_guard_counters_t *")
        lib.tbox_guard_counters(self._self, totals)
        passed = {name: getattr(totals, name) for name in ("requests", "flows", "commands")}
        return passed | {f"refused_{word}": totals.refused[at] for at, word in enumerate(REASONS) if word}
