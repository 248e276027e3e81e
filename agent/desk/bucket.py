"""How often something may happen: a bucket of tokens that fills again slowly. Pure: time is an argument."""


class Bucket:
    """`most` at once, then one every `every_s` seconds."""

    def __init__(self, most: int, every_s: float) -> None:
        self._most, self._every_s = most, every_s
        self._left = float(most)
        self._at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Whether it may happen now; then it has."""
        self._fill(now_s)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def has(self, now_s: float) -> bool:
        """Whether it might happen now."""
        self._fill(now_s)
        return self._left >= 1.0

    def _fill(self, now_s: float) -> None:
        if self._at_s is not None:
            self._left = min(float(self._most), self._left + max(0.0, now_s - self._at_s) / self._every_s)
        self._at_s = now_s
