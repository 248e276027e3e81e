"""A machine with real CAN controllers that comes along: QEMU with two emulated Kvaser cards (SJA1000) on one wire.

Debian's kernel and its own drivers run in there: can0 and can1 have bit rates, modes and error counters, and the kernel
has can-isotp. It sees the machine's files read-only, so the same virtual environment runs inside, and writes into one
folder. Emulated instruction by instruction (no KVM: where /dev/kvm can be opened it may still not run), it is some ten
times slower than the machine: judge counts, not times.

What QEMU's controller does not have: bit rates that differ (every frame arrives at any), acknowledgement (a sender
alone on the wire succeeds), error counters, error-passive, bus-off, arbitration. It does have the receive buffer of 64
bytes, which runs over: from about 1,000 frames/s on, and whenever the machine is late, frames are lost there, each time
with an error frame "receive buffer overflow"; the kernel's counter rx_over_errors says how often.

Needs Debian's qemu-system-x86 and busybox-static, and a kernel fetched once (qemu_kernel.py).
"""

import os
import platform
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hil.kernel import BEAT, BEATING, Done, hurry
from hil.places import qemu_kernel

QEMU = "qemu-system-x86_64"
MEMORY_MIB = 768
PROCESSORS_MAX = 2
CONSOLE_CHARACTERS = 2000
END_S = 5.0

GO = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/run HOME=/run {environment}
ip link set lo up
{beating}
cd {here}
{words} >/run/out/said 2>&1 </dev/null
echo $? >/run/out/code
"""


@dataclass(frozen=True, slots=True)
class Guest:
    """What is booted: QEMU for its processor, how it is called there, kernel and busybox, the files that it sees.

    `kernel` is a folder as qemu_kernel.py keeps it, `here` the folder in which commands run, named as seen inside.
    """

    kernel: Path
    here: Path
    program: str = QEMU
    board: tuple[str, ...] = ("-cpu", "max")
    console: str = "ttyS0"
    busybox: Path = qemu_kernel.BUSYBOX
    files: Path = Path("/")


def own() -> Guest:
    """A machine like this one, with its files."""
    return Guest(qemu_kernel.cache(), Path.cwd())


def why_not() -> str:
    """Why this machine cannot run it; empty: it can."""
    if platform.machine() != "x86_64":
        return f"what runs inside is this machine's own Python, so it must be x86_64: this is {platform.machine()}"
    absent = [QEMU] if shutil.which(QEMU) is None else []
    absent += [] if qemu_kernel.BUSYBOX.exists() else ["busybox"]
    if absent:
        return f"no {' and no '.join(absent)} here: install qemu-system-x86 and busybox-static (Debian's packages)"
    if not qemu_kernel.is_here(qemu_kernel.cache()):
        return "no kernel for QEMU yet: python -m hil.places.qemu_kernel (fetches 70 MB, once)"
    return ""


def run(
    words: Sequence[str],
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    limit_s: float = 300.0,
    guest: Guest | None = None,
) -> Done:
    """Boot, run one command there, power off. can0 and can1 are there, and down. `guest`: None, a machine like this.

    `folder` is the one place that can be written: /run/out in there. The command's words land in its file "said".
    """
    for name in ("code", "said", "console", BEAT):
        (folder / name).unlink(missing_ok=True)
    guest = guest or own()
    told = " ".join(f"{name}={shlex.quote(text)}" for name, text in (environment or {}).items())
    here = shlex.quote(str(guest.here))
    (folder / "init.sh").write_text(GO.format(environment=told, here=here, words=shlex.join(words), beating=BEATING))
    (folder / "initramfs").write_bytes(qemu_kernel.initramfs(guest.kernel, guest.busybox))
    machine = subprocess.Popen(  # noqa: S603 # our own words
        command(guest, folder),
        stdin=subprocess.DEVNULL,
        stdout=(folder / "console").open("wb"),
        stderr=subprocess.STDOUT,
        preexec_fn=hurry,  # noqa: PLW1509  (one thread needs it: nothing else runs between fork and exec)
        start_new_session=True,
    )
    try:
        machine.wait(limit_s)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _end(machine)
    return _done(folder)


def command(guest: Guest, folder: Path) -> list[str]:
    """How QEMU is called: two controllers on one bus, the guest's files to read, one folder to write."""
    root = f"local,id=root,path={guest.files},readonly=on,security_model=none,multidevs=remap"
    processors = min(PROCESSORS_MAX, os.cpu_count() or 1)
    return [
        *(guest.program, *guest.board, "-accel", "tcg,thread=multi", "-smp", str(processors), "-m", str(MEMORY_MIB)),
        *("-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-object", "can-bus,id=wire", "-device", "kvaser_pci,canbus=wire", "-device", "kvaser_pci,canbus=wire"),
        *("-fsdev", root, "-device", "virtio-9p-pci,fsdev=root,mount_tag=root"),
        *("-fsdev", f"local,id=out,path={folder.resolve()},security_model=none"),
        *("-device", "virtio-9p-pci,fsdev=out,mount_tag=out"),
        *("-kernel", str(guest.kernel / "vmlinuz"), "-initrd", str(folder / "initramfs")),
        *("-append", f"console={guest.console} quiet panic=-1 mitigations=off"),
    ]


def _done(folder: Path) -> Done:
    """What the command left; where it left nothing, what stood on the console."""
    code, said = folder / "code", folder / "said"
    words = said.read_text(errors="replace") if said.exists() else ""
    if not code.exists():
        words += (folder / "console").read_text(errors="replace")[-CONSOLE_CHARACTERS:]
    return Done(int(code.read_text()) if code.exists() else None, words)


def _end(machine: subprocess.Popen[bytes]) -> None:
    if machine.poll() is None:
        os.killpg(machine.pid, signal.SIGKILL)
        machine.wait(END_S)
