"""A motion sensor as Linux shows it: a folder of attributes, and a pipe in the place of its character device."""

import gzip
import os
import select
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from drivers.source import Source
from tests.packed import told

WAIT_S = 30.0
ROOT = Path(__file__).resolve().parents[1]
RECORDING = ROOT.parent / "shared" / "data" / "comma2k19" / "imu_gnss_speed.csv.gz"
AXES = ("accel_x", "accel_y", "accel_z", "anglvel_x", "anglvel_y", "anglvel_z")
STAMP = "le:s64/64>>0"

Sample = tuple[int, list[float | None]]
"""Boot time in microseconds, six numbers."""


class Chip:
    """iio:deviceN in `root`/sys, with its node in `root`/dev. `types`: element → its type, in the order of their indices."""

    def __init__(self, root: Path, types: Mapping[str, str], *, number: int = 0, **attributes: str) -> None:
        self.types = dict(types)
        self.folder = root / "sys" / f"iio:device{number}"
        self.node = root / "dev" / self.folder.name
        for index, (name, kind) in enumerate(self.types.items()):
            self.tell(**{f"scan_elements/in_{name}_en": "0", f"scan_elements/in_{name}_type": kind})
            self.tell(**{f"scan_elements/in_{name}_index": str(index)})
        self.tell(**{"buffer/enable": "0", "buffer/length": "2", "buffer/watermark": "1"})
        self.tell(**({"name": "chip", "current_timestamp_clock": "realtime"} | attributes))
        self.node.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(self.node)
        self._pipe = os.open(self.node, os.O_RDWR | os.O_NONBLOCK)

    def tell(self, **attributes: str) -> None:
        """Set attributes, as the kernel would."""
        for name, words in attributes.items():
            place = self.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(words + "\n")

    def said(self, name: str) -> str:
        """What an attribute says now."""
        return (self.folder / name).read_text().strip()

    def send(self, rows: Sequence[Sequence[int]], stamps_ns: Sequence[int] = ()) -> None:
        """Records into the stream: the numbers of the axes in AXES' order, those that are switched on."""
        on = [name for name in self.types if self.said(f"scan_elements/in_{name}_en") == "1"]
        axes = [name for name in AXES if name in self.types]
        for i, row in enumerate(rows):
            numbers = dict(zip(axes, row, strict=True)) | ({"timestamp": stamps_ns[i]} if stamps_ns else {})
            self.write(_record([(self.types[name], numbers[name]) for name in on]))

    def write(self, raw: bytes) -> None:
        """Any bytes into the stream."""
        assert os.write(self._pipe, raw) == len(raw)

    def end(self) -> None:
        """The stream ends; the folder stays."""
        os.close(self._pipe)
        self._pipe = -1

    def pull(self) -> None:
        """Unplugged. The pipe stays open, as a descriptor that never becomes readable."""
        shutil.rmtree(self.folder)
        self.node.unlink()

    def close(self) -> None:
        """Let the pipe go."""
        if self._pipe >= 0:
            os.close(self._pipe)


def _record(elements: Sequence[tuple[str, int]]) -> bytes:
    """A record, put together bit by bit; the bits that mean nothing are ones."""
    made = bytearray()
    largest = 1
    for kind, number in elements:
        order, rest = kind.split(":")
        bits, rest = rest[1:].split("/")
        stored, shift = rest.split(">>")
        size = int(stored) // 8
        made += b"\xaa" * (-len(made) % size)
        field = (number & ((1 << int(bits)) - 1)) << int(shift)
        noise = ((1 << int(stored)) - 1) ^ (((1 << int(bits)) - 1) << int(shift))
        made += (field | noise).to_bytes(size, "little" if order == "le" else "big")
        largest = max(largest, size)
    return bytes(made + b"\xaa" * (-len(made) % largest))


def heard(source: Source, count: int) -> list[Sample]:
    """Samples as they come, until there are so many."""
    found: list[Sample] = []
    while len(found) < count:
        assert select.select([source.fileno()], [], [], WAIT_S)[0], f"{len(found)} of {count} samples, then silence"
        found += [(t_us, numbers) for t_us, _, numbers in told(source.read())]
    return found


def recorded(count: int) -> Iterator[tuple[float, list[float]]]:
    """The first samples of a real drive: seconds, specific force in m/s², angular rate in rad/s."""
    force: list[float] = []
    with gzip.open(RECORDING, "rt") as lines:
        for line in lines:
            t, kind, *numbers = line.strip().split(",")
            if kind == "acc_mps2":
                force = [float(number) for number in numbers]
            elif kind == "gyro_radps" and count:
                count -= 1
                yield float(t), force + [float(number) for number in numbers]
