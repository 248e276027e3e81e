"""What a scenario says of a recording that takes the place of its drive, and the recording's times."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from hil import ROOT


class ColumnTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cell of a foreign table a column of the contract is, and what makes its unit the contract's."""

    cell: Annotated[str, Meta(min_length=1)]
    scale: float = 1.0


class RecordingTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frames as candump logs them, or, with `columns`, rows of a table; gzip too. `path` starts from the project.

    Only what lies between `from_s` and `to_s` after the first of its inputs is taken (left out: all to the end).
    Several parts of one scenario stand on one axis; its zero is where the first of them begins.

    `columns`: by the contract's names, `time_s` among them (seconds, or a date and time). `header` names the cells
    where the file does not, `where` takes only rows with these cells.
    """

    path: Annotated[str, Meta(min_length=1)]
    from_s: Annotated[float, Meta(ge=0)] = 0.0
    to_s: Annotated[float, Meta(gt=0)] | None = None
    channel: str = ""
    """Only frames of this bus, as the log names it."""
    ids: tuple[str, ...] = ()
    """Only these frames, in hex as the log has them; none named: all."""
    columns: dict[str, ColumnTable] = {}
    header: tuple[str, ...] = ()
    where: dict[str, str] = {}

    @property
    def file(self) -> Path:
        """Where it lies."""
        return ROOT / self.path

    @property
    def is_rows(self) -> bool:
        """Rows of decoded values; else frames."""
        return bool(self.columns)

    def faults(self) -> list[str]:
        """What no type can say."""
        found = []
        if self.columns and "time_s" not in self.columns:
            found.append("columns: time_s is missing; say which cell is the time")
        if self.to_s is not None and self.to_s <= self.from_s:
            found.append(f"to_s = {self.to_s:g} lies before from_s = {self.from_s:g}")
        if self.columns and (self.channel or self.ids):
            found.append("channel and ids are for frames; leave them out")
        if not self.columns and (self.header or self.where):
            found.append("header and where are for rows; give columns too")
        return found
