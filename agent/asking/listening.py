"""A terminal that asks nobody: asking.py's words, without the deciders behind them and the memory they take."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.core import Sample


class Listening:
    """Nothing is asked. What an earlier run knew is kept for one that asks again."""

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self._kept = dict(kept)

    def note(self, sample: Sample) -> None:
        """Nobody wants to know."""

    def turn(self, now_us: int, batch: bytes) -> Iterator[dict[str, Any]]:  # noqa: ARG002  (called like asking.turn)
        """Nothing was asked, nothing is answered."""
        return iter(())

    def wait_s(self, now_us: int, most_s: float) -> float:  # noqa: ARG002
        """As long as the loop likes."""
        return most_s

    def renew(self, now_us: int) -> dict[str, str]:  # noqa: ARG002
        """Nobody can be asked."""
        return {}

    def health(self, now_us: int) -> dict[str, Any]:  # noqa: ARG002
        """No lines."""
        return {}

    def is_unsaved(self) -> bool:
        """Nothing is learned that would have to be kept."""
        return False

    def state(self) -> dict[str, Any]:
        """As it was."""
        return self._kept
