"""Debian's kernel for QEMU, kept in a cache folder, and the small first file system that it starts with.

    python -m hil.places.qemu_kernel            fetch it: the package linux-image-amd64 (70 MB) is unpacked, never
    installed

Kept are the kernel and the modules named here with all that they need; the rest is thrown away. Needs apt-get and dpkg.
"""

import io
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PACKAGE = "linux-image-amd64"
BUSYBOX = Path("/bin/busybox")
MODULES = (
    *("virtio_pci", "9pnet_virtio", "9p"),
    *("can-raw", "can-gw", "can-isotp", "sja1000", "kvaser_pci"),
)
"""What is loaded, in this order, each after what it needs itself."""
ORDER = "modules.order"
FETCH_S = 600.0

DIRECTORY, PROGRAM = 0o40755, 0o100755
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_RELEASE = re.compile(r"linux-image-\d[\w.+-]*")

INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /host
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in {modules}; do /bin/busybox insmod /modules/$module; done
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize={msize} root /host
/bin/busybox mount -t tmpfs tmpfs /host/run
/bin/busybox mkdir /host/run/out
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize={msize} out /host/run/out
for folder in proc sys dev; do /bin/busybox mount -o bind /$folder /host/$folder; done
/bin/busybox chroot /host /bin/sh /run/out/init.sh
/bin/busybox sync
/bin/busybox poweroff -f
"""
MSIZE_BYTES = 512_000
"""Of one message between the guest and the machine's files."""


class FetchError(Exception):
    """The kernel could not be fetched; the text says what was tried."""


def cache() -> Path:
    """Where it is kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tbox-hil" / "kernel"


def is_here(folder: Path) -> bool:
    """Whether it has been fetched, whole."""
    return all((folder / name).is_file() for name in ("vmlinuz", ORDER))


def fetch(folder: Path) -> str:
    """Download, unpack, keep what is needed; the name of the package. FetchError."""
    found = _RELEASE.search(_said("apt-cache", "depends", PACKAGE))
    if found is None:
        raise FetchError(f"apt knows no kernel under {PACKAGE}: apt-get update, on a Debian for x86-64")
    with tempfile.TemporaryDirectory(prefix="tbox-hil-") as name:
        scratch = Path(name)
        _said("apt-get", "download", found[0], here=scratch)
        (package,) = scratch.glob("*.deb")
        _said("dpkg", "-x", str(package), str(scratch / "all"))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        keep(scratch / "all", folder)
    return found[0]


def keep(unpacked: Path, folder: Path) -> None:
    """Copy kernel and modules from an unpacked package; the list of modules last, so that a torn copy does not count.

    FetchError when a module is not there.
    """
    shutil.copy(next((unpacked / "boot").glob("vmlinuz-*")), folder / "vmlinuz")
    files = {_name(path.name): path for path in unpacked.rglob("*.ko*")}
    order = in_order([_name(module) for module in MODULES], files)
    for name in order:
        (folder / f"{name}.ko").write_bytes(plain(files[name]))
    (folder / ORDER).write_text("".join(f"{name}.ko\n" for name in order))


def in_order(wanted: Sequence[str], files: Mapping[str, Path]) -> list[str]:
    """These modules and all that they need, each after what it needs. FetchError."""
    order: dict[str, None] = {}
    for name in wanted:
        if name not in files:
            raise FetchError(f"the kernel has no module {name}")
        depends = _DEPENDS.search(plain(files[name]))
        needed = depends[1].decode().split(",") if depends else []
        order |= dict.fromkeys(in_order([_name(one) for one in needed if one], files))
        order[name] = None
    return list(order)


def plain(path: Path) -> bytes:
    """A module as it is loaded; newer packages have them compressed."""
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def initramfs(folder: Path, busybox: Path = BUSYBOX) -> bytes:
    """The first file system: busybox, the modules, and an `init` that goes on in the machine's own files.

    There, /run/out/init.sh does the rest.
    """
    modules = (folder / ORDER).read_text().split()
    init = INIT.format(modules=" ".join(modules), msize=MSIZE_BYTES)
    files = [("init", init.encode()), ("bin/busybox", busybox.read_bytes())]
    files += [(f"modules/{name}", (folder / name).read_bytes()) for name in modules]
    return cpio(
        [("bin", DIRECTORY, b""), ("modules", DIRECTORY, b""), *((name, PROGRAM, data) for name, data in files)]
    )


def cpio(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Names, modes and contents as the kernel unpacks them: the "newc" format of its initramfs document."""
    out = io.BytesIO()
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
        out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + path)
        out.write(bytes(-out.tell() % 4) + data)
        out.write(bytes(-out.tell() % 4))
    return out.getvalue()


def _name(module: str) -> str:
    """As all files are called here: modprobe takes both signs for one."""
    return module.partition(".ko")[0].replace("-", "_")


def _said(*words: str, here: Path | None = None) -> str:
    """What a command of the system says. FetchError when it fails or is not there."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=FETCH_S, check=False, cwd=here)  # noqa: S603 # our own words
    except (OSError, subprocess.TimeoutExpired) as why:
        raise FetchError(f"{words[0]}: {why}: Debian or one of its children is needed") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        raise FetchError(f"{' '.join(words[:3])} failed: {said[-1]}")
    return done.stdout


def main() -> int:
    """Fetch it, unless it is here."""
    folder = cache()
    if not is_here(folder):
        print(f"fetching {PACKAGE} (70 MB, once) into {folder}", flush=True)
        try:
            print(f"{fetch(folder)}: unpacked")
        except FetchError as why:
            print(f"hil: {why}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
