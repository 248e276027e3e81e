"""A small Debian of another processor in a folder, with the agent in it: made here, run here by QEMU.

debootstrap unpacks it, once; nothing in it is configured, which is enough for programs to run. What the agent and its
tests import is installed beside it from wheels; what the index has none of for 32-bit ARM is compiled from its sources by
a cross compiler, as the agent's own extensions are for every processor.

Commands run in namespaces of their own, where qemu-user-static stands for the processor: the machine's own list of such
programs stays as it is. That needs Linux 6.7, from which on a user namespace has a list of its own, and root.
"""

import compileall
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "arm"
BUILDER = OUT / "builder"
RELEASE, PYTHON = "bookworm", "3.11"
PINNED = ROOT / "config" / "debian" / "requirements.txt"
TESTING = ("pytest", "pytest-xdist", "hypothesis", "PyYAML")
BUILDING = ("setuptools>=77", "setuptools-scm", "wheel", "cffi", "Cython")
SOURCES = (
    *("pyproject.toml", "setup.py", "README.md", "CHANGELOG.md", "LICENSE", "Makefile"),
    *("agent", "drivers", "hil", "native", "config", "tests"),
)
GLIBC = ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_31", "manylinux_2_34", "linux")
"""Wheels that run with the release's C library, as their names tell it."""

ENTER = """
set -e
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
[ -z "$2" ] || printf '%s' "$2" >/proc/sys/fs/binfmt_misc/register
mount --rbind /dev "$0/dev"; mount -t tmpfs none "$0/tmp"; mount -t proc none "$0/proc"
exec chroot "$0" /bin/sh -c "cd /tbox && $1"
"""
CROSS = "host_alias={triple}\ncross_compiling=yes\n"
"""What every `configure` is told (config.site): it must not try what it has compiled."""


class MakeError(Exception):
    """It could not be made; the text says which command failed and how."""


@dataclass(frozen=True, slots=True)
class Processor:
    """Its names: here, with Debian, with the compiler, with wheels, with QEMU; and what is made otherwise for it."""

    name: str
    debian: str
    triple: str
    wheels: str
    emulator: str
    elf: str = ""
    """Class and machine at the head of its programs, as binfmt_misc is told; empty: this machine runs them."""
    compiled: tuple[str, ...] = ()
    """Packages of which the index has no wheel."""
    more: tuple[str, ...] = ()
    """Debian's packages besides."""

    @property
    def root(self) -> Path:
        """The folder."""
        return OUT / self.debian

    @property
    def tree(self) -> Path:
        """The project in there."""
        return self.root / "tbox"

    @property
    def wheel(self) -> Path:
        """The agent's."""
        (found,) = (self.root / "agent").glob("*.whl")
        return found

    @property
    def format(self) -> str:
        """The line for binfmt_misc: ELF of this class, for this machine, little-endian, whatever system it is for."""
        if not self.elf:
            return ""
        number, machine = self.elf.split()
        magic = rf"\x7fELF\x{number}\x01\x01" + r"\x00" * 9 + rf"\x02\x00\x{machine}\x00"
        mask = r"\xff" * 7 + r"\x00" + r"\xff" * 8 + r"\xfe\xff\xff\xff"
        return f":tbox:M::{magic}:{mask}:/usr/bin/qemu-{self.emulator}-static:F"


BENCH = ("iproute2", "mosquitto", "busybox-static", "linux-image-arm64")
NO_WHEELS = ("cffi", "msgpack", "msgspec", "tornado", "PyNaCl", "PyYAML")
X86 = Processor("x86-64", "amd64", "x86_64-linux-gnu", "x86_64", "x86_64")
AARCH64 = Processor("aarch64", "arm64", "aarch64-linux-gnu", "aarch64", "aarch64", "02 b7", more=BENCH)
ARMHF = Processor(
    *("armhf", "armhf", "arm-linux-gnueabihf", "armv7l", "arm", "01 28"), compiled=NO_WHEELS, more=("libffi-dev",)
)
ARMS = (AARCH64, ARMHF)


def make(processor: Processor) -> None:
    """The folder, what it imports, and the project as it is now. MakeError."""
    if not processor.root.exists():
        print(f"{processor.name}: a Debian is unpacked, once", flush=True)
        _unpack(processor)
    if not (BUILDER / "bin" / "python").exists():
        _do(sys.executable, "-m", "venv", str(BUILDER))
        _pip("install", "-c", str(PINNED), *BUILDING)
    _install(processor)
    _build(processor)


def _unpack(processor: Processor) -> None:
    """Every package unpacked, none configured."""
    unfinished = processor.root.with_name(f"{processor.debian}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {RELEASE}"]
    mirrors = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    if not mirrors:
        raise MakeError(f"apt knows no mirror of {RELEASE} here")
    packages = ",".join(("python3", "python3-dev", "ca-certificates", *processor.more))
    options = ["--foreign", "--variant=minbase", f"--arch={processor.debian}", f"--include={packages}"]
    _do("debootstrap", *options, RELEASE, str(unfinished), mirrors[0])
    for package in sorted((unfinished / "var" / "cache" / "apt" / "archives").glob("*.deb")):
        _do("dpkg-deb", "-x", str(package), str(unfinished))
        package.unlink()
    for name in ("passwd", "group"):
        shutil.copy(unfinished / "usr" / "share" / "base-passwd" / f"{name}.master", unfinished / "etc" / name)
    (unfinished / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    unfinished.rename(processor.root)


def _install(processor: Processor) -> None:
    """What the Debian package carries, in the same versions, and what tests need besides."""
    wanted = f"{PINNED.read_text()}{TESTING}"
    site, made = processor.root / "site", processor.root / "site.made"
    if made.exists() and made.read_text() == wanted:
        return
    shutil.rmtree(site, ignore_errors=True)
    own = processor.root / "wheels"
    if processor.compiled:
        print(f"{processor.name}: compiled, since the index has no wheel: {', '.join(processor.compiled)}", flush=True)
        pins = {line.partition("==")[0]: line for line in PINNED.read_text().splitlines()}
        lines = [pins.get(name, name) for name in processor.compiled]
        _pip(
            "wheel",
            "-w",
            str(own),
            "--no-binary",
            ":all:",
            "--no-cache-dir",
            *UNTOUCHED,
            *lines,
            environment=_cross(processor),
        )
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    options += [word for abi in ("cp311", "abi3", "none") for word in ("--abi", abi)]
    options += [word for name in GLIBC for word in ("--platform", f"{name}_{processor.wheels}")]
    _pip("install", "--find-links", str(own), *options, "--target", str(site), "-r", str(PINNED), *TESTING)
    made.write_text(wanted)


UNTOUCHED = ("--no-deps", "--no-build-isolation")


def _build(processor: Processor) -> None:
    """The project's files as they are now, its extensions compiled for the processor, its wheel."""
    tree, wheels = processor.tree, processor.root / "agent"
    for folder in (tree, wheels):
        shutil.rmtree(folder, ignore_errors=True)
    tree.mkdir()
    ours = shutil.ignore_patterns("__pycache__", "*.so", "_*.c", "*.egg-info")
    for name in SOURCES:
        path = ROOT / name
        _ = shutil.copytree(path, tree / name, ignore=ours) if path.is_dir() else shutil.copy(path, tree / name)
    _pip("wheel", "-w", str(wheels), *UNTOUCHED, str(tree), environment=_cross(processor))
    with zipfile.ZipFile(processor.wheel) as wheel:
        wheel.extractall(tree, [name for name in wheel.namelist() if name.endswith(".so")])
    compileall.compile_dir(tree, quiet=2)


def _cross(processor: Processor) -> dict[str, str]:
    """What makes the builder's Python compile for the processor, with its Debian's headers and libraries."""
    root, known = processor.root, BUILDER / processor.debian
    known.mkdir(exist_ok=True)
    data = f"_sysconfigdata__{processor.triple}"
    shutil.copy(root / "usr" / "lib" / f"python{PYTHON}" / f"{data}.py", known)
    (known / "config.site").write_text(CROSS.format(triple=processor.triple))
    compiler = f"{processor.triple}-gcc --sysroot={root} -I{root}/usr/include/python{PYTHON}"
    return {
        "PYTHONPATH": str(known),
        "_PYTHON_SYSCONFIGDATA_NAME": data,
        "_PYTHON_HOST_PLATFORM": f"linux-{processor.wheels}",
        "CC": compiler,
        "LDSHARED": f"{compiler} -shared",
        "CONFIG_SITE": str(known / "config.site"),
        "LIBSODIUM_MAKE_ARGS": "TESTS= check_PROGRAMS=",  # PyNaCl tries what it has compiled
    }


def _pip(verb: str, *words: str, environment: dict[str, str] | None = None) -> None:
    _do(str(BUILDER / "bin" / "python"), "-m", "pip", verb, "-q", *words, environment=environment)


def _do(*words: str, environment: dict[str, str] | None = None) -> None:
    """Run it; what it says is shown only when it fails. MakeError."""
    done = subprocess.run(words, env=os.environ | (environment or {}), capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-1500:]
        raise MakeError(f"{' '.join(words[:4])} ... exits {done.returncode}: {said}")


def inside(processor: Processor, words: Sequence[str]) -> int:
    """Run a command in there, in /tbox; its exit code. Its /tmp is empty and its own."""
    alone = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"]
    enter = ["sh", "-c", ENTER, str(processor.root), shlex.join(words), processor.format]
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/tmp"}
    return subprocess.run([*alone, *enter], env=path | {"PYTHONPATH": "/site:/tbox"}, check=False).returncode
