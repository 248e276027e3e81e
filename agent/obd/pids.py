"""OBD-II service 01: what each PID's bytes mean (SAE J1979, ISO 15031-5). One row a value; adding a PID is one row."""

from typing import NamedTuple

PERCENT = 100 / 255
CENTRED = 100 / 128
RATIO = 2 / 65536


class Pid(NamedTuple):
    """One value of a PID: number * scale + offset, the number big-endian from byte `at` of the PID's `size` bytes."""

    pid: int
    size: int
    unit: str
    text: str
    scale: float = 1.0
    offset: float = 0.0
    at: int = 0
    bits: int = 0
    """How many from the top bit `top` of byte `at` on; 0: all bits from byte `at` to the end."""
    top: int = 7
    is_signed: bool = False
    part: str = ""
    """Tells several values of one PID apart; the first has none."""

    @property
    def width(self) -> int:
        """Bits of the number."""
        return self.bits or 8 * (self.size - self.at)

    @property
    def name(self) -> str:
        """As `tbox decode --obd` names it: "010C", "0114.trim"."""
        return f"01{self.pid:02X}" + (f".{self.part}" if self.part else "")


def _each(pids: range, *rows: Pid) -> list[Pid]:
    """The same values for several PIDs: sensors of one kind."""
    return [row._replace(pid=pid) for pid in pids for row in rows]


PIDS = (
    *(Pid(pid, 4, "", "supported PIDs, bit by bit") for pid in (0x00, 0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0)),
    Pid(0x01, 4, "", "monitor status, bit by bit"),
    Pid(0x01, 4, "", "malfunction indicator lamp", bits=1, part="lamp"),
    Pid(0x01, 4, "", "emission-related trouble codes", bits=7, top=6, part="codes"),
    Pid(0x02, 2, "", "trouble code that stored the freeze frame"),
    Pid(0x03, 2, "", "fuel system 1 status", bits=8),
    Pid(0x03, 2, "", "fuel system 2 status", at=1, part="system2"),
    Pid(0x04, 1, "%", "calculated engine load", PERCENT),
    Pid(0x05, 1, "degC", "engine coolant temperature", offset=-40),
    Pid(0x06, 1, "%", "short term fuel trim, bank 1", CENTRED, -100),
    Pid(0x07, 1, "%", "long term fuel trim, bank 1", CENTRED, -100),
    Pid(0x08, 1, "%", "short term fuel trim, bank 2", CENTRED, -100),
    Pid(0x09, 1, "%", "long term fuel trim, bank 2", CENTRED, -100),
    Pid(0x0A, 1, "kPa", "fuel pressure, gauge", 3),
    Pid(0x0B, 1, "kPa", "intake manifold absolute pressure"),
    Pid(0x0C, 2, "1/min", "engine speed", 0.25),
    Pid(0x0D, 1, "km/h", "vehicle speed"),
    Pid(0x0E, 1, "deg", "timing advance of cylinder 1", 0.5, -64),
    Pid(0x0F, 1, "degC", "intake air temperature", offset=-40),
    Pid(0x10, 2, "g/s", "air flow rate", 0.01),
    Pid(0x11, 1, "%", "absolute throttle position", PERCENT),
    Pid(0x12, 1, "", "commanded secondary air status"),
    Pid(0x13, 1, "", "oxygen sensors present, bit by bit"),
    *_each(
        range(0x14, 0x1C),
        Pid(0, 2, "V", "oxygen sensor voltage", 0.005, bits=8),
        Pid(0, 2, "%", "oxygen sensor short term fuel trim", CENTRED, -100, at=1, part="trim"),
    ),
    Pid(0x1C, 1, "", "OBD requirements the vehicle is designed to"),
    Pid(0x1D, 1, "", "oxygen sensors present in four banks, bit by bit"),
    Pid(0x1E, 1, "", "auxiliary input status"),
    Pid(0x1F, 2, "s", "time since engine start"),
    Pid(0x21, 2, "km", "distance with the indicator lamp on"),
    Pid(0x22, 2, "kPa", "fuel rail pressure relative to manifold", 0.079),
    Pid(0x23, 2, "kPa", "fuel rail pressure", 10),
    *_each(
        range(0x24, 0x2C),
        Pid(0, 4, "", "oxygen sensor equivalence ratio", RATIO, bits=16),
        Pid(0, 4, "V", "oxygen sensor voltage", 8 / 65536, at=2, part="voltage"),
    ),
    Pid(0x2C, 1, "%", "commanded exhaust gas recirculation", PERCENT),
    Pid(0x2D, 1, "%", "exhaust gas recirculation error", CENTRED, -100),
    Pid(0x2E, 1, "%", "commanded evaporative purge", PERCENT),
    Pid(0x2F, 1, "%", "fuel level", PERCENT),
    Pid(0x30, 1, "", "warm-ups since codes were cleared"),
    Pid(0x31, 2, "km", "distance since codes were cleared"),
    Pid(0x32, 2, "Pa", "evaporative system vapour pressure", 0.25, is_signed=True),
    Pid(0x33, 1, "kPa", "barometric pressure"),
    *_each(
        range(0x34, 0x3C),
        Pid(0, 4, "", "oxygen sensor equivalence ratio", RATIO, bits=16),
        Pid(0, 4, "mA", "oxygen sensor current", 1 / 256, -128, at=2, part="current"),
    ),
    Pid(0x3C, 2, "degC", "catalyst temperature, bank 1 sensor 1", 0.1, -40),
    Pid(0x3D, 2, "degC", "catalyst temperature, bank 2 sensor 1", 0.1, -40),
    Pid(0x3E, 2, "degC", "catalyst temperature, bank 1 sensor 2", 0.1, -40),
    Pid(0x3F, 2, "degC", "catalyst temperature, bank 2 sensor 2", 0.1, -40),
    Pid(0x41, 4, "", "monitor status this driving cycle, bit by bit"),
    Pid(0x42, 2, "V", "control module voltage", 0.001),
    Pid(0x43, 2, "%", "absolute load", PERCENT),
    Pid(0x44, 2, "", "commanded equivalence ratio", RATIO),
    Pid(0x45, 1, "%", "relative throttle position", PERCENT),
    Pid(0x46, 1, "degC", "ambient air temperature", offset=-40),
    Pid(0x47, 1, "%", "absolute throttle position B", PERCENT),
    Pid(0x48, 1, "%", "absolute throttle position C", PERCENT),
    Pid(0x49, 1, "%", "accelerator pedal position D", PERCENT),
    Pid(0x4A, 1, "%", "accelerator pedal position E", PERCENT),
    Pid(0x4B, 1, "%", "accelerator pedal position F", PERCENT),
    Pid(0x4C, 1, "%", "commanded throttle actuator", PERCENT),
    Pid(0x4D, 2, "min", "time with the indicator lamp on"),
    Pid(0x4E, 2, "min", "time since codes were cleared"),
    Pid(0x4F, 4, "", "greatest equivalence ratio", bits=8),
    Pid(0x4F, 4, "V", "greatest oxygen sensor voltage", at=1, bits=8, part="voltage"),
    Pid(0x4F, 4, "mA", "greatest oxygen sensor current", at=2, bits=8, part="current"),
    Pid(0x4F, 4, "kPa", "greatest intake manifold pressure", 10, at=3, part="pressure"),
    Pid(0x50, 4, "g/s", "greatest air flow rate", 10, bits=8),
    Pid(0x51, 1, "", "fuel type"),
    Pid(0x52, 1, "%", "ethanol in the fuel", PERCENT),
    Pid(0x53, 2, "kPa", "evaporative system vapour pressure, absolute", 0.005),
    Pid(0x54, 2, "Pa", "evaporative system vapour pressure", is_signed=True),
    *_each(
        range(0x55, 0x59),
        Pid(0, 2, "%", "secondary oxygen sensor fuel trim, bank 1 or 2", CENTRED, -100, bits=8),
        Pid(0, 2, "%", "secondary oxygen sensor fuel trim, bank 3 or 4", CENTRED, -100, at=1, part="bank3or4"),
    ),
    Pid(0x59, 2, "kPa", "fuel rail pressure, absolute", 10),
    Pid(0x5A, 1, "%", "relative accelerator pedal position", PERCENT),
    Pid(0x5B, 1, "%", "hybrid or electric battery's remaining charge", PERCENT),
    Pid(0x5C, 1, "degC", "engine oil temperature", offset=-40),
    Pid(0x5D, 2, "deg", "fuel injection timing", 1 / 128, -210),
    Pid(0x5E, 2, "L/h", "engine fuel rate", 0.05),
    Pid(0x5F, 1, "", "emission requirements the vehicle is designed to"),
    Pid(0x61, 1, "%", "driver's demanded engine torque", offset=-125),
    Pid(0x62, 1, "%", "actual engine torque", offset=-125),
    Pid(0x63, 2, "Nm", "engine reference torque"),
    Pid(0x64, 5, "%", "engine torque at idle", offset=-125, bits=8),
    Pid(0x64, 5, "%", "engine torque at point 2", offset=-125, at=1, bits=8, part="point2"),
    Pid(0x64, 5, "%", "engine torque at point 3", offset=-125, at=2, bits=8, part="point3"),
    Pid(0x64, 5, "%", "engine torque at point 4", offset=-125, at=3, bits=8, part="point4"),
    Pid(0x64, 5, "%", "engine torque at point 5", offset=-125, at=4, part="point5"),
    Pid(0x8E, 1, "%", "engine friction torque", offset=-125),
    Pid(0x9D, 4, "g/s", "engine fuel rate", 0.02, bits=16),
    Pid(0x9D, 4, "g/s", "vehicle fuel rate", 0.02, at=2, part="vehicle"),
    Pid(0x9E, 2, "kg/h", "exhaust flow rate", 0.2),
    Pid(0xA2, 2, "mg", "fuel per cylinder and stroke", 1 / 32),
    Pid(0xA4, 4, "", "transmission gear ratio", 0.001, at=2),
    Pid(0xA6, 4, "km", "odometer", 0.1),
)
"""Every value known; the values of one PID lie together."""
