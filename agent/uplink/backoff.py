"""How long to wait before the broker is tried again. Pure."""

from random import Random

from agent.settings import Uplink as UplinkSettings


class Backoff:
    """Waits between tries: doubling from the least to the most, each cut by up to a quarter, so a fleet spreads out."""

    def __init__(self, settings: UplinkSettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self._base_s = settings.backoff_s_min

    def next_s(self, *, is_auth: bool) -> float:
        """How long to wait now."""
        base_s = self._settings.auth_backoff_s if is_auth else self._base_s
        if not is_auth:
            self._base_s = min(self._base_s * 2, self._settings.backoff_s_max)
        return base_s * self._rng.uniform(0.75, 1.0)

    def reset(self) -> None:
        """The link proved useful: begin with the least wait again."""
        self._base_s = self._settings.backoff_s_min
