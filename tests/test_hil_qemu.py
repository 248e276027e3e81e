"""Place `qemu` as far as it is pure: the kernel that is kept, the first file system, how QEMU is called, what it lacks."""

import lzma
from pathlib import Path

import pytest

from hil.places import qemu, qemu_kernel
from hil.places.qemu import Guest
from hil.places.qemu_kernel import FetchError, cpio, in_order, initramfs, keep
from hil.wires import controller

CHAIN = {
    "kvaser_pci": "sja1000",
    "sja1000": "can-dev",
    "9p": "9pnet,netfs",
    "9pnet_virtio": "9pnet,virtio",
    "virtio_pci": "virtio",
}
LEAVES = ("can-raw", "can-gw", "can-isotp", "can-dev", "9pnet", "netfs", "virtio")


def unpacked(folder: Path, *, without: str = "", suffix: str = ".ko") -> Path:
    """A kernel's package, unpacked."""
    modules = folder / "lib" / "modules" / "6.1.0" / "kernel"
    modules.mkdir(parents=True)
    (folder / "boot").mkdir()
    (folder / "boot" / "vmlinuz-6.1.0").write_bytes(b"kernel")
    for name, needs in {**dict.fromkeys(LEAVES, ""), **CHAIN}.items():
        if name != without:
            data = b"\x7fELF\0depends=" + needs.encode() + b"\0name=" + name.encode() + b"\0"
            (modules / f"{name}{suffix}").write_bytes(lzma.compress(data) if suffix.endswith("xz") else data)
    return folder


@pytest.mark.parametrize("suffix", [".ko", ".ko.xz"], ids=["plain", "compressed, as newer kernels have them"])
def test_each_module_is_kept_plain_and_stands_after_what_it_needs(suffix: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    assert not qemu_kernel.is_here(kept)
    keep(unpacked(tmp_path / "all", suffix=suffix), kept)
    assert qemu_kernel.is_here(kept)
    order = (kept / "modules.order").read_text().split()
    assert sorted(order) == sorted(path.name for path in kept.glob("*.ko"))
    for name, needs in CHAIN.items():
        before = order[: order.index(f"{name}.ko")]
        assert {f"{one.replace('-', '_')}.ko" for one in needs.split(",")} <= set(before)
    assert (kept / "sja1000.ko").read_bytes().startswith(b"\x7fELF")
    assert (kept / "vmlinuz").read_bytes() == b"kernel"


def test_a_kernel_without_the_controllers_driver_is_refused_and_does_not_count(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with pytest.raises(FetchError, match="no module sja1000"):
        keep(unpacked(tmp_path / "all", without="sja1000"), kept)
    assert not qemu_kernel.is_here(kept)


def test_modules_that_are_not_there_are_named() -> None:
    assert in_order([], {}) == []
    with pytest.raises(FetchError, match="no module vcan"):
        in_order(["vcan"], {})


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Names, modes and contents of a cpio archive, read as the kernel does: every part begins at a multiple of four."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, named = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + named - 1].decode()
        data = at + 110 + named + (-(at + 110 + named) % 4)
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, archive[data : data + size])
        at = data + size + (-(data + size) % 4)


def test_an_archive_keeps_names_modes_and_contents_of_any_length() -> None:
    wanted = {f"{'n' * length}": (0o100755, bytes(length)) for length in range(1, 9)}
    assert entries(cpio((name, mode, data) for name, (mode, data) in wanted.items())) == wanted


def test_the_first_file_system_loads_the_modules_in_order_and_goes_on_in_the_machines_files(tmp_path: Path) -> None:
    keep(unpacked(tmp_path / "all"), tmp_path)
    (tmp_path / "busybox").write_bytes(b"busybox")
    files = entries(initramfs(tmp_path, tmp_path / "busybox"))
    init = files["init"][1].decode()
    order = (tmp_path / "modules.order").read_text().split()
    assert f"for module in {' '.join(order)}; do" in init
    assert files["bin/busybox"] == (0o100755, b"busybox")
    assert files["modules/kvaser_pci.ko"][1] == (tmp_path / "kvaser_pci.ko").read_bytes()
    assert init.startswith("#!/bin/busybox sh\n")
    assert "ro,cache=loose" in init
    assert init.index("root /host") < init.index("chroot /host")


@pytest.mark.parametrize(
    ("guest", "program", "files", "console"),
    [
        pytest.param(
            Guest(Path("/kernel"), Path("/here")), "qemu-system-x86_64", "/", "ttyS0", id="a machine like this"
        ),
        pytest.param(
            Guest(
                *(Path("/kernel"), Path("/tbox"), "qemu-system-aarch64"),
                board=("-M", "virt", "-cpu", "cortex-a72"),
                console="ttyAMA0",
                files=Path("/arm64"),
            ),
            *("qemu-system-aarch64", "/arm64", "ttyAMA0"),
            id="another one",
        ),
    ],
)
def test_qemu_gets_two_controllers_on_one_wire_and_no_way_to_write_but_one(
    guest: Guest, program: str, files: str, console: str, tmp_path: Path
) -> None:
    words = qemu.command(guest, tmp_path)
    assert words[: 1 + len(guest.board)] == [program, *guest.board]
    assert words.count("kvaser_pci,canbus=wire") == 2
    (root, out) = [word for word in words if word.startswith("local,")]
    assert f"path={files},readonly=on" in root
    assert words[words.index("-kernel") + 1] == "/kernel/vmlinuz"
    assert words[-1].startswith(f"console={console} ")
    assert f"path={tmp_path}," in out


@pytest.mark.parametrize(
    ("machine", "here", "fetched", "said"),
    [
        pytest.param("aarch64", True, True, "must be x86_64: this is aarch64", id="another processor"),
        pytest.param("x86_64", False, True, "install qemu-system-x86 and busybox-static", id="not installed"),
        pytest.param("x86_64", True, False, "python -m hil.places.qemu_kernel", id="no kernel yet"),
        pytest.param("x86_64", True, True, "", id="all is here"),
    ],
)
def test_what_is_missing_is_said_in_one_line_with_what_helps(
    machine: str, here: bool, fetched: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu.platform, "machine", lambda: machine)
    monkeypatch.setattr(qemu.shutil, "which", lambda _: "/usr/bin/qemu" if here else None)
    monkeypatch.setattr(qemu_kernel, "BUSYBOX", tmp_path / "busybox")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if here:
        (tmp_path / "busybox").touch()
    if fetched:
        folder = qemu_kernel.cache()
        folder.mkdir(parents=True)
        keep(unpacked(tmp_path / "all"), folder)
    why = qemu.why_not()
    assert said in why
    assert bool(why) == bool(said)
    assert "\n" not in why


def test_a_link_is_read_as_ip_tells_it() -> None:
    told = {
        "flags": ["NOARP", "UP", "LOWER_UP"],
        "linkinfo": {
            "info_kind": "can",
            "info_data": {
                "state": "ERROR-PASSIVE",
                "ctrlmode": ["LISTEN-ONLY", "ONE-SHOT"],
                "bittiming": {"bitrate": 250000},
                "berr_counter": {"tx": 128, "rx": 3},
            },
            "info_xstats": {"bus_off": 2},
        },
        "stats64": {"rx": {"over_errors": 7}},
    }
    link = controller.parse("can0", told)
    assert link.words == "250000 bit/s, listen-only, one-shot, ERROR-PASSIVE"
    assert (link.tx_errors, link.rx_errors, link.bus_off, link.overruns) == (128, 3, 2, 7)
    assert link.listens_only
    assert controller.parse("vcan0", {"flags": ["UP"], "linkinfo": {"info_kind": "vcan"}}).words == "vcan"
    assert controller.parse("can0", {"flags": [], "linkinfo": {"info_kind": "can"}}).words == "down"
