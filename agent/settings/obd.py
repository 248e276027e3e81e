"""Settings of what the car is asked."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.settings.ranges import span, text


class Obd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Questions to the car (SAE J1979): on buses with can.listen_only = false, and through adapters."""

    ask: Annotated[
        Literal["auto", "never"], Meta(description="auto: when it does no harm; never: only listen, adapters too")
    ] = "auto"
    requests_per_s: Annotated[float, span(1, 50, "1/s", "at most so many questions, on each bus")] = 20.0
    codes_s: Annotated[float, span(10, 86_400, "s", "between two readings of trouble codes")] = 300.0
    engine_off_s: Annotated[float, span(10, 3600, "s", "nothing is asked so long after the car last ran")] = 300.0
    floor_v: Annotated[float, span(6, 30, "V", "nothing is asked with less")] = 11.8
    charging_v: Annotated[float, span(12, 32, "V", "from here on the engine charges, so it runs")] = 13.2


class Elm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ELM327 or STN adapter at a serial port: USB, or a Bluetooth tty."""

    port: Annotated[str, text("serial port", ".", "at least one character")] = "/dev/ttyUSB0"
    baudrate: Annotated[int, span(0, 4_000_000, "baud", "0: found out")] = 0
    protocol: Annotated[
        Literal["", "6", "7", "8", "9"],
        Meta(description="ISO 15765-4: 6, 8: 11 bits at 500, 250 kbit/s; 7, 9: 29 bits; empty: found out"),
    ] = ""
    number: Annotated[int, span(0, 255, "", "channel number in vehicle maps")] = 0
