"""One line of `make bench`: what was measured, and the target it is held against."""

from typing import NamedTuple


class Figure(NamedTuple):
    """Something measured; `target` is met when the value is at most it, or at least where `is_floor`."""

    name: str
    value: float
    unit: str
    target: float | None = None
    is_floor: bool = False

    def verdict(self) -> str:
        """The target, and whether it is met."""
        if self.target is None:
            return ""
        is_met = self.value >= self.target if self.is_floor else self.value <= self.target
        return f"{'>=' if self.is_floor else '<='} {self.target:,.10g}  {'met' if is_met else 'MISSED'}"
