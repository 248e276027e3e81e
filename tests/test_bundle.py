"""A bundle is one file with one spelling; whatever else comes is refused with its own reason."""

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import BundleError
from agent.trust import archive, document
from agent.trust.bundle import Bundle, Manifest
from agent.trust.compatible import Compatible
from tests.fleets import ANNA, BEN, NOON_US, SETTINGS, bundle_of

FILES = {"tbox.toml": SETTINGS, "maps/van.toml": b"x", "README.txt": b"for people\n"}


def refused(told: bytes | Path) -> tuple[str, str]:
    with pytest.raises(BundleError) as caught:
        Bundle.read(told)
    return caught.value.reason, str(caught.value)


def test_what_was_made_is_read_again_whole() -> None:
    wanted = Compatible(hardware=("rpi-4",), agent=">=0.1,<2", vehicle_class=("car",), vin=("WDB*",))
    made = bundle_of(FILES, compatible=wanted, not_before_us=NOON_US, not_after_us=NOON_US + 86_400_000_000)
    read = Bundle.read(made.raw())
    assert read == made
    assert (read.files, read.manifest.compatible, read.manifest.not_before_us) == (FILES, wanted, NOON_US)
    assert [one.key for one in read.signatures] == sorted([ANNA.device, BEN.device])


def test_any_unzip_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(bundle_of(FILES).raw())) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == sorted([*FILES, "manifest.json", "signatures.json"])
        assert opened.read("tbox.toml") == SETTINGS


def test_the_same_files_give_the_same_bytes_in_any_order() -> None:
    turned = dict(reversed(FILES.items()))
    assert bundle_of(FILES).raw() == bundle_of(turned, signers=(BEN, ANNA)).raw()
    assert bundle_of(FILES).content == bundle_of(turned, signers=()).content


def test_it_is_read_from_where_it_lies_unpacked(tmp_path: Path) -> None:
    made = bundle_of(FILES)
    for name, content in made.entries().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert Bundle.read_folder(tmp_path) == made
    (tmp_path / "maps/more.toml").write_bytes(b"")
    with pytest.raises(BundleError, match=r"maps/more\.toml is in it, but not in the manifest"):
        Bundle.read_folder(tmp_path)


def test_signing_twice_changes_nothing() -> None:
    once = bundle_of(FILES, signers=(ANNA,))
    assert once.signed(ANNA) == once


def zipped(
    change: Callable[[zipfile.ZipInfo], None] = lambda _: None, files: dict[str, bytes] | None = None, more: str = ""
) -> bytes:
    """The entries of a good bundle as another program would pack them, each changed by `change`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        for name, content in sorted((bundle_of(FILES).entries() | (files or {})).items()):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            change(info)
            out.writestr(info, content)
        if more:
            with pytest.warns(UserWarning, match="Duplicate name"):
                out.writestr(more, b"again")
    return packed.getvalue()


def named(name: str) -> Callable[[zipfile.ZipInfo], None]:
    def change(info: zipfile.ZipInfo) -> None:
        if info.filename == "tbox.toml":
            info.filename = name

    return change


def link(info: zipfile.ZipInfo) -> None:
    if info.filename == "README.txt":
        info.external_attr = 0o120777 << 16


def deflated(info: zipfile.ZipInfo) -> None:
    info.compress_type = zipfile.ZIP_DEFLATED


def repacked(entries: dict[str, bytes]) -> bytes:
    return archive.compose(entries)


def edited(name: str, old: bytes, new: bytes) -> bytes:
    """A good bundle in which one entry says another thing."""
    entries = bundle_of(FILES).entries()
    assert old in entries[name]
    return repacked(entries | {name: entries[name].replace(old, new)})


def sized(size: int) -> bytes:
    """A good bundle whose list says that the first file has so many bytes."""
    raw = bytearray(bundle_of(FILES).raw())
    at = raw.index(b"PK\1\2")
    struct.pack_into("<2I", raw, at + 20, size, size)
    return bytes(raw)


GOOD = bundle_of(FILES)
BAD = [
    pytest.param(b"", "damaged", "does not begin like one", id="empty"),
    pytest.param(b"[trip]\nend_s = 1\n", "damaged", "does not begin like one", id="settings, no bundle"),
    pytest.param(GOOD.raw() + b"x", "damaged", "cut off", id="a byte more"),
    pytest.param(zipped(), "damaged", "not written by `tbox bundle`", id="another program's archive"),
    pytest.param(zipped(deflated), "compressed", "make the bundle with `tbox bundle new`", id="compressed"),
    pytest.param(
        zipped(deflated, {"bomb": bytes(64 << 20)}), "compressed", "is compressed or encrypted", id="a zip bomb"
    ),
    pytest.param(sized(1 << 30), "too_big", "would have 1073741824 bytes", id="a file that says 1 GB"),
    pytest.param(sized(0xFFFFFFFF), "too_big", "would have 4294967295 bytes", id="a size of more than 4 GB"),
    pytest.param(sized(1 << 20), "too_big", "says that it holds more than it can", id="a file that says 1 MiB"),
    pytest.param(zipped(named("../tbox.toml")), "path", '"../tbox.toml" is no name', id="a path that climbs"),
    pytest.param(zipped(named("maps/../../x")), "path", "is no name", id="a path that climbs inside"),
    pytest.param(zipped(named("/etc/passwd")), "path", '"/etc/passwd" is no name', id="an absolute name"),
    pytest.param(zipped(named("C:\\x")), "path", "is no name", id="a name of another system"),
    pytest.param(zipped(named("a/b/c.toml")), "path", "one folder at most", id="two folders"),
    pytest.param(zipped(named("maps/")), "path", "is no name", id="a folder of its own"),
    pytest.param(zipped(named("m\u00e9.toml")), "path", "is no name", id="a name that is not ASCII"),
    pytest.param(zipped(named("a" * 65)), "path", "is no name", id="a name of 65 characters"),
    pytest.param(zipped(link), "link", "README.txt is a link or a device", id="a link"),
    pytest.param(zipped(more="tbox.toml"), "duplicate", "holds tbox.toml twice", id="a name twice"),
    pytest.param(repacked(FILES), "missing", "manifest.json is missing", id="no manifest"),
    pytest.param(repacked(GOOD.entries() | {"maps/b.toml": b""}), "extra", "somebody added it", id="one file more"),
    pytest.param(
        repacked({name: raw for name, raw in GOOD.entries().items() if name != "README.txt"}),
        "missing", "README.txt is missing in it, though the manifest names it", id="one file fewer",
    ),
    pytest.param(edited("tbox.toml", b"200", b"900"), "hash", "tbox.toml is not what the manifest says", id="changed"),
    pytest.param(edited("manifest.json", b'"version":12', b'"version":0'), "damaged", ">= 1", id="version 0"),
    pytest.param(
        edited("manifest.json", b'"version":12', b'"version":12.0'), "damaged", "Expected `int`", id="a version with a point"
    ),
    pytest.param(edited("manifest.json", b"acme-vans", b"Acme vans"), "damaged", "regex", id="a bad id"),
    pytest.param(edited("manifest.json", b'{"com', b'{ "com'), "damaged", "not in canonical form", id="a space more"),
    pytest.param(edited("manifest.json", b'"id"', b'"i":1,"id"'), "damaged", "unknown field `i`", id="a field more"),
    pytest.param(edited("manifest.json", b'"agent":""', b'"agent":"1.0"'), "damaged", "no range", id="a bad range"),
    pytest.param(edited("manifest.json", b'"not_after":null', b'"not_after":"soon"'), "damaged", "no time", id="a bad time"),
    pytest.param(
        edited("manifest.json", b'"not_after":null,"not_before":null',
               b'"not_after":"2026-01-01T00:00:00Z","not_before":"2026-01-01T00:00:00Z"'),
        "damaged", "not later", id="it ends when it begins",
    ),
    pytest.param(edited("signatures.json", b'"key"', b'"kez"'), "damaged", "not a list of", id="no signature"),
    pytest.param(edited("signatures.json", b'"signatures"', b'"more":1,"signatures"'), "damaged", "canonical", id="more"),
    pytest.param(
        repacked(GOOD.entries() | {"signatures.json": b'{"signatures":[' + b"[" * 40_000}),
        "damaged", "not JSON", id="nested without an end",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "reason", "words"), BAD)
def test_what_is_no_bundle_is_refused_with_its_reason(raw: bytes, reason: str, words: str) -> None:
    told = refused(raw)
    assert told[0] == reason
    assert words in told[1]


def test_a_bundle_cut_off_anywhere_is_refused() -> None:
    raw = GOOD.raw()
    for length in range(len(raw)):
        assert refused(raw[:length])[0] == "damaged"


def test_one_changed_bit_anywhere_is_refused() -> None:
    raw = GOOD.raw()
    for at in range(0, len(raw), 3):
        spoilt = bytearray(raw)
        spoilt[at] ^= 1 << (at % 8)
        refused(bytes(spoilt))


def test_a_file_of_a_gigabyte_is_told_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "big.tbx"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    reason, words = refused(path)
    assert reason == "too_big"
    assert words == f"{path}: 1073741824 bytes are more than the 4 MiB a bundle may have"


@pytest.mark.parametrize(
    ("size", "is_taken"), [(archive.ARCHIVE_BYTES_MAX, True), (archive.ARCHIVE_BYTES_MAX + 1, False)]
)
def test_the_whole_may_have_so_many_bytes(size: int, is_taken: bool) -> None:
    overhead = len(archive.compose({"a": b""}))
    raw = b""
    if is_taken:
        raw = archive.compose({"a": bytes(size - overhead)})
        assert archive.read(raw) == {"a": bytes(size - overhead)}
    else:
        with pytest.raises(BundleError, match="more than the 4 MiB"):
            archive.compose({"a": bytes(size - overhead)})


@pytest.mark.parametrize(("count", "is_taken"), [(archive.ENTRIES_MAX, True), (archive.ENTRIES_MAX + 1, False)])
def test_it_may_hold_so_many_files(count: int, is_taken: bool) -> None:
    files = {f"maps/{number}.toml": b"" for number in range(count)}
    if is_taken:
        assert archive.read(archive.compose(files)) == files
    else:
        with pytest.raises(BundleError, match="65 files are more than the 64"):
            archive.compose(files)


@pytest.mark.parametrize("kind", ["pipe", "folder", "nothing"])
def test_what_is_no_plain_file_is_no_bundle(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tbx"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    assert refused(path)[0] in {"damaged", "unreadable"}
    assert str(path) in refused(path)[1]


@pytest.mark.parametrize(
    "name", ["rules/other.toml", "tbox.sh", "maps/van.so", "hooks/run", "certs/ca.key", "slot/x.toml"]
)
def test_a_file_that_has_no_place_in_a_bundle_is_named(name: str) -> None:
    with pytest.raises(BundleError, match=f'"{name}" has no place in a bundle') as caught:
        bundle_of({name: b"x"})
    assert caught.value.reason == "name"


def test_a_manifest_stands_in_one_spelling() -> None:
    raw = bundle_of(FILES).manifest.bytes()
    assert Manifest.parse(raw).bytes() == raw
    with pytest.raises(BundleError, match="not in canonical form"):
        Manifest.parse(json.dumps(json.loads(raw)).encode())


@pytest.mark.parametrize(
    ("told", "utc_us"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("2026-09-21T14:13:20Z", NOON_US),
        ("9999-12-31T23:59:59Z", 253402300799000000),
    ],
)
def test_times_go_there_and_back(told: str, utc_us: int) -> None:
    assert document.time_us(told, "it") == utc_us
    assert document.told_time(utc_us) == told


@pytest.mark.parametrize(
    "told", ["", "1970-01-01T00:00:00Z", "2026-1-1T00:00:00Z", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z"]
)
def test_what_is_no_time_is_refused(told: str) -> None:
    with pytest.raises(BundleError, match="is no time such as"):
        document.time_us(told, "it")
