"""A terminal without a camera: camera.py's words, without the driver behind them and the memory it takes."""

from collections.abc import Sequence
from typing import Any

from agent.codec import Record
from agent.core import Event


class Blind:
    """Nothing is filmed."""

    def found(self, event: Event, seq: int) -> None:
        """Nobody saw it."""

    def turn(self, now_us: int, state: str, waiting: int, *, is_settled: bool) -> list[Record]:  # noqa: ARG002
        """There is nothing to tell. Called like agent.camera.camera's."""
        return []

    def resume(self, now_us: int, kept: Sequence[Sequence[int]]) -> None:
        """Nothing was sent before."""

    def kept(self) -> list[list[int]]:
        """Nothing was sent."""
        return []

    def health(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Nothing is open."""
