"""Reading the freeze frame of a control unit, PID by PID (service 02, frame 0): which are still open. Pure."""

from agent.obd.answers import trouble_code
from agent.obd.findings import BITMAP_PIDS, FramePart, Freeze, bitmap
from agent.obd.pids import PIDS, Pid

CODE_PID = 0x02
"""Holds the code that stored the frame; 0: there is none."""

BASE_MAX = 0x40
"""Bitmaps of a freeze frame that are read: PIDs up to 0x60 hold the driving state."""

ROWS: dict[int, list[Pid]] = {}
for _row in PIDS:
    if _row.pid % BITMAP_PIDS and _row.pid > CODE_PID:
        ROWS.setdefault(_row.pid, []).append(_row)


class FreezeReader:
    """The freeze frame of one unit while it is read. Each PID of `open` is asked once; what stays away is left out."""

    def __init__(self, ecu: int) -> None:
        self.open = {CODE_PID}
        self._ecu = ecu
        self._code = ""
        self._parts: dict[int, bytes] = {}
        self._at_us = 0

    def take(self, part: FramePart) -> list[int]:
        """A PID was answered; the PIDs to ask on top of those that are open."""
        if part.pid not in self.open:
            return []
        self.open.discard(part.pid)
        self._at_us = part.t_us
        more: list[int] = []
        if part.pid == CODE_PID:
            self._code = trouble_code(part.data) if any(part.data[:2]) and len(part.data) >= 2 else ""
            more = [0] if self._code else []
        elif part.pid % BITMAP_PIDS == 0:
            named = bitmap(part.pid, part.data[:4]) if len(part.data) >= 4 else ()
            more = [pid for pid in named if pid in ROWS or (pid % BITMAP_PIDS == 0 and pid <= BASE_MAX)]
        else:
            self._parts[part.pid] = part.data
        self.open.update(more)
        return more

    def leave(self, pid: int) -> None:
        """A PID that was not answered."""
        self.open.discard(pid)

    def frame(self) -> Freeze | None:
        """The frame, when nothing is open any more; None: not yet, or it holds nothing."""
        if self.open or not self._parts:
            return None
        return Freeze(self._at_us, self._ecu, self._code, tuple(sorted(self._parts.items())))


def values(parts: tuple[tuple[int, bytes], ...]) -> dict[str, float]:
    """A freeze frame's numbers in SAE J1979's units, named as `tbox decode --obd` names PIDs ("010C")."""
    return {
        row.name: round(_number(row, data) * row.scale + row.offset, 4)
        for pid, data in parts
        for row in ROWS.get(pid, ())
        if len(data) >= row.size
    }


def _number(row: Pid, data: bytes) -> int:
    """The bits of one value."""
    whole = int.from_bytes(data[row.at : row.size], "big")
    below = 8 * (row.size - row.at) - (7 - row.top) - row.width
    number = whole >> below & ((1 << row.width) - 1)
    return number - (1 << row.width) if row.is_signed and number >> (row.width - 1) else number
