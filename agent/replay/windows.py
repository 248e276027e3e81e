"""The seconds around each event, kept while a replay runs through. Pure."""

from collections import deque
from typing import Any

AROUND_S = {"crash": (1.5, 3.0), "impact": (1.5, 3.0)}
"""Shown before the start and after the end of these events; of others:"""
AROUND_S_ELSE = (3.0, 3.0)
KEPT_S = 90.0
"""An event is told at most this long after its window began: a crash is confirmed within 60 s."""
LONG_S = 60.0
"""What lasts longer, as idling does, is seen well enough second by second."""

Row = dict[str, Any]


def span(event: Row) -> tuple[float, float]:
    """First and last second to look at."""
    before_s, after_s = AROUND_S.get(event["event"], AROUND_S_ELSE)
    return float(event["start_s"]) - before_s, float(event["end_s"]) + after_s


class Windows:
    """Rows go through it in order; an event gets those around it, the later ones as they come."""

    def __init__(self) -> None:
        self._recent: deque[Row] = deque()
        self._open: list[tuple[float, list[Row]]] = []

    def row(self, row: Row) -> None:
        """The next row."""
        at_s = row["time_s"]
        self._recent.append(row)
        while self._recent[0]["time_s"] < at_s - KEPT_S:
            self._recent.popleft()
        self._open = [(end_s, rows) for end_s, rows in self._open if at_s <= end_s]
        for _, rows in self._open:
            rows.append(row)

    def around(self, event: Row) -> list[Row]:
        """The rows around an event, a list that still grows; empty for a long one."""
        start_s, end_s = span(event)
        if end_s - start_s > LONG_S:
            return []
        rows = [row for row in self._recent if start_s <= row["time_s"] <= end_s]
        self._open.append((end_s, rows))
        return rows
