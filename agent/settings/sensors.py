"""Settings of what is measured on board, and of what the driver is shown."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.settings.ranges import span, text


class Gnss(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receiver: through gpsd, or straight at its serial port."""

    gpsd: Annotated[str, text("gpsd's host:port, or its socket's path; empty: not asked")] = ""
    device: Annotated[str, text("which of gpsd's receivers; empty: the first that reports")] = ""
    port: Annotated[str, text("a receiver's serial port, used when gpsd does not answer; empty: none")] = ""
    baudrate: Annotated[int, span(0, 921_600, "baud", "of the serial port; 0: found out")] = 0
    rate_hz: Annotated[int, span(0, 25, "1/s", "fixes asked of a u-blox at the port; 0: as it is")] = 0
    dead_reckoning: Annotated[bool, Meta(description="ask a u-blox at the port to go on in tunnels")] = False


class Imu(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The acceleration sensor: which, and how it sits in the car."""

    device: Annotated[str, text("IIO device: auto, name, label or folder; empty: none")] = ""
    gyro: Annotated[str, text("gyroscope, where it is a device of its own: as device; empty: none")] = "auto"
    rate_hz: Annotated[float, span(1, 1600, "1/s", "samples asked for; the nearest the sensor has")] = 104.0
    latency_s: Annotated[float, span(0.002, 0.03, "s", "samples are handed over this often")] = 0.02
    accel_range_g: Annotated[float, span(2, 400, "g", "range asked for, where the sensor has a choice")] = 16.0
    gyro_range_dps: Annotated[float, span(50, 4000, "°/s", "the same of the gyroscope")] = 500.0
    trigger: Annotated[str, text("IIO trigger; auto: the sensor's own; empty: none")] = "auto"
    mounting: Annotated[
        Literal["auto", "vehicle"],
        Meta(description="auto: any way up, solved while driving; vehicle: its axes are the car's"),
    ] = "auto"


class Supply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the supply voltage is measured, beside what adapter and car tell."""

    kind: Annotated[
        Literal["", "iio", "hwmon", "power_supply"], Meta(description="folder of sysfs; empty: not measured")
    ] = ""
    device: Annotated[str, text("name or folder of the device")] = ""
    channel: Annotated[str, text("which of its voltages; empty: the first")] = ""
    ratio: Annotated[float, span(0.01, 1000, "", "of the divider before it")] = 1.0
    period_s: Annotated[float, span(0.1, 60, "s", "between two readings")] = 1.0


class Indicator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lights and buzzers that speak to the driver."""

    lights: Annotated[tuple[str, ...], Meta(description="names under /sys/class/leds")] = ()
    pwm: Annotated[str, text("buzzer: a PWM channel such as pwmchip0/pwm0; empty: none")] = ""
    tone_hz: Annotated[float, span(50, 20_000, "Hz", "its tone")] = 2700.0
    command: Annotated[
        tuple[str, ...], Meta(description="run for each, {kind} and {severity} filled in; empty: none")
    ] = ()
    command_timeout_s: Annotated[float, span(0.1, 120, "s", "it is ended after this long")] = 10.0
