"""Settings of how a bundle is put into force."""

from typing import Annotated

from msgspec import Struct

from agent.settings.ranges import span


class Flash(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a new configuration is tried, and how it has to prove itself. Only the machine's file sets it."""

    check_s: Annotated[float, span(1, 60, "s", "the car is listened to before the commit")] = 20.0
    healthy_s: Annotated[float, span(1, 3600, "s", "run like this, it has proved itself")] = 60.0
    window_s: Annotated[float, span(2, 7200, "s", "from a start until it has to have proved itself")] = 120.0
    boots: Annotated[int, span(1, 10, "starts", "on trial that may end in a crash or a power cut")] = 3
    memory_mb: Annotated[int, span(40, 4096, "MB", "memory at most while on trial")] = 128
