"""A kernel that comes along: User-Mode Linux with vcan, where the machine's own kernel has no CAN.

An ordinary process: no root, no module, no KVM. It boots in about 2 s, sees the machine's files read-only, so the same
virtual environment runs inside, and writes into one folder. A system call costs some 50 µs in there: judge counts, not
times. Needs Debian's user-mode-linux, kmod and iproute2.

The kernel copies a task's registers by PTRACE_GETREGSET, with room for less than a processor with AMX has, and panics;
told that there is no such call it uses an older one. Programs inside must then
not use what that one does not copy.
"""

import ctypes
import errno
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

KERNEL = "linux.uml"
MODULES = (
    *("drivers/net/can/dev/can-dev", "net/can/can", "net/can/can-raw", "drivers/net/can/vcan"),
    *("net/can/can-gw", "net/can/j1939/can-j1939", "drivers/net/can/slcan/slcan", "drivers/net/can/vxcan"),
)
MODULE_ROOT = Path("/usr/lib/uml/modules")
URGENT_NICE = -5
AUTOGROUP = Path("/proc/self/autogroup")
NO_WIDE_REGISTERS = "glibc.cpu.hwcaps=" + ",".join(
    f"-{name}"
    for name in (
        *("AVX", "AVX2", "AVX512F", "AVX512VL", "AVX512BW", "AVX_Fast_Unaligned_Load"),
        *("XSAVE", "XSAVEC", "ERMS", "EVEX"),
    )
)

NO_WIDE_SUMS = "~0x1c00100000000000:0"
"""The same for OpenSSL: bits of CPUID that it must not see (OPENSSL_ia32cap(3): AVX, OSXSAVE, XSAVE, FMA; leaf 7)."""

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SYS_PTRACE, PTRACE_GETREGSET, PTRACE_SETREGSET = 101, 0x4204, 0x4205
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EIO

INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/run HOME=/run {environment}
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmpfs /run
mkdir /run/out; mount -t hostfs none /run/out -o {folder}
for module in {modules}; do insmod {root}/$module.ko; done
ip link set lo up
for link in {links}; do ip link add dev $link type vcan; ip link set $link mtu 72; ip link set $link up; done
{beating}
cd {here}
{words} >/run/out/said 2>&1 </dev/null
echo $? >/run/out/code
sync; echo o >/proc/sysrq-trigger; sleep 60
"""

BEAT, BEAT_S = "beat", 5
BEATING = f"(while :; do echo >>/run/out/{BEAT}; sleep {BEAT_S}; done) </dev/null >/dev/null 2>&1 &"
"""A line of shell: a file in the folder that grows as long as the kernel lives."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command in there ended, and all it said. `code` is None when the kernel ended before it."""

    code: int | None
    said: str


class _Step(ctypes.Structure):
    """One step of a classic BPF program (struct sock_filter)."""

    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    """What the kernel takes (struct sock_fprog)."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.POINTER(_Step)))


def is_here() -> bool:
    """Whether this machine can run it: the kernel is installed, its modules too."""
    return any(Path(folder, KERNEL).exists() for folder in os.get_exec_path()) and _modules() is not None


def run(
    words: Sequence[str],
    folder: Path,
    *,
    links: Sequence[str] = ("vcan0",),
    environment: Mapping[str, str] | None = None,
    limit_s: float = 120.0,
    is_urgent: bool = False,
) -> Done:
    """Boot, run one command there with these vcan links up, power off. `is_urgent`: before others, where it may be.

    `folder` is the one place that can be written: /run/out in there. The command's words land in its file "said".
    """
    for name in ("code", "said", BEAT):
        (folder / name).unlink(missing_ok=True)
    init = folder / "init.sh"
    init.write_text(_init(words, folder, links, environment or {}))
    init.chmod(0o755)
    options = ("mem=768M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}", "con=null", "con0=null", "quiet")
    kernel = subprocess.Popen(  # noqa: S603  (ours)
        [KERNEL, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=partial(_prepare, is_urgent=is_urgent),  # noqa: PLW1509  (one thread needs it: nothing else runs between fork and exec)
        start_new_session=True,
    )
    try:
        kernel.wait(limit_s)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _end(kernel)
    code = folder / "code"
    said = folder / "said"
    return Done(
        int(code.read_text()) if code.exists() else None,
        said.read_text(errors="replace") if said.exists() else "",
    )


def is_inside() -> bool:
    """Whether this is the kernel that came along: root in there can harm nobody."""
    return "User Mode Linux" in Path("/proc/cpuinfo").read_text()


def load(*names: str) -> None:
    """Called in there: these modules, in this order, each unless it is there."""
    root = _modules()
    assert root is not None, "nobody is in there without"
    for name in names:
        if not Path("/sys/module", Path(name).name.replace("-", "_")).exists():
            subprocess.run(["insmod", str(root / f"{name}.ko")], check=True)  # noqa: S603, S607 # ours, as PATH has it


def _init(words: Sequence[str], folder: Path, links: Sequence[str], environment: Mapping[str, str]) -> str:
    """The first process in there."""
    root = _modules()
    assert root is not None, "is_here() first"
    told = {"GLIBC_TUNABLES": NO_WIDE_REGISTERS, "OPENSSL_ia32cap": NO_WIDE_SUMS, **environment}
    return INIT.format(
        environment=" ".join(f"{name}={shlex.quote(text)}" for name, text in told.items()),
        folder=folder,
        modules=" ".join(MODULES),
        root=root,
        links=" ".join(links),
        beating=BEATING,
        here=shlex.quote(str(Path.cwd())),
        words=shlex.join(words),
    )


def _modules() -> Path | None:
    """Its modules; None: not installed."""
    return next((found / "kernel" for found in sorted(MODULE_ROOT.glob("*")) if (found / "kernel").is_dir()), None)


def _end(kernel: subprocess.Popen[bytes]) -> None:
    """Its helpers too: they are of its session."""
    if kernel.poll() is None:
        os.killpg(kernel.pid, signal.SIGKILL)
        kernel.wait()


def hurry() -> None:
    """Before others who use this machine, where that is allowed: whoever is late makes a car that nobody hears.

    A session is what the kernel shares its time between (sched(7), autogroup), so it is the session that is put first.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, min(URGENT_NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    with suppress(OSError):
        AUTOGROUP.write_text(str(URGENT_NICE))


def _prepare(*, is_urgent: bool) -> None:
    """Between fork and exec."""
    if is_urgent:
        hurry()
    _hide_wide_registers()


def _hide_wide_registers() -> None:
    """Let ptrace answer EIO to the calls that copy all registers, in this process and all it starts."""
    steps = (_Step * 7)(
        _Step(LOAD, 0, 0, 0),  # the number of the call
        _Step(JUMP_EQUAL, 0, 4, SYS_PTRACE),
        _Step(LOAD, 0, 0, 16),  # its first argument
        _Step(JUMP_EQUAL, 1, 0, PTRACE_GETREGSET),
        _Step(JUMP_EQUAL, 0, 1, PTRACE_SETREGSET),
        _Step(RETURN, 0, 0, REFUSE),
        _Step(RETURN, 0, 0, ALLOW),
    )
    program = _Program(len(steps), steps)
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
