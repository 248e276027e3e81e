"""Settings of the technician's page (`tbox service`)."""

from typing import Annotated

from msgspec import Meta, Struct

from agent.settings.ranges import span, text


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the page is shown, and for how long."""

    interface: Annotated[
        str,
        text("network interface the page is shown on; empty: the command names it", "^[A-Za-z0-9._-]{0,15}$(?!\\n)",
             "the name of an interface such as wlan0"),
    ] = ""  # fmt: skip
    port: Annotated[int, span(0, 65535, "", "TCP port; 0: any free one")] = 8443
    idle_s: Annotated[float, span(60, 86_400, "s", "it ends by itself when nobody touched it for so long")] = 900.0
    pin_tries: Annotated[int, span(3, 20, "", "wrong PINs until the PIN is void")] = 5
    show: Annotated[
        tuple[str, ...], Meta(description="command that shows address and PIN on the box, for a start without a screen")
    ] = ()
    show_timeout_s: Annotated[float, span(0.1, 120, "s", "it is ended after this long")] = 10.0
