"""A bundle (.tbx): what a fleet wants a terminal to be, in one signed file. Read within bounds; nothing is unpacked.

    manifest.json     canonical: tbox_bundle 1, id, version, compatible, not_before, not_after, files {name: SHA-256}
    signatures.json   canonical: {"signatures": [...]} over BUNDLE_TAG and the bytes of manifest.json
    tbox.toml         settings            maps/*.toml, .dbc, .kcd, .sym, .arxml     vehicle maps
    certs/*.pem       certificates        rules/score.toml, rules/candidate.toml    score, candidate rules
    trust/*.json      trust documents     README.txt                                for people

`tbox.toml` and the others are each optional. The container is archive.py's. A bundle carries no secret: it is
signed, not encrypted. `reason` of a BundleError: unreadable damaged too_big path link duplicate compressed name missing
extra hash.
"""

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta, Struct

from agent.errors import BundleError
from agent.ledger.key import Signer
from agent.trust import archive, document
from agent.trust.compatible import ANYTHING, Compatible, parts_of
from agent.trust.document import Signature

BUNDLE_TAG = b"tbox bundle v1\x00"
MANIFEST, SIGNATURES = "manifest.json", "signatures.json"
SETTINGS, CANDIDATE, SCORE = "tbox.toml", "rules/candidate.toml", "rules/score.toml"
VERSION_MAX = 2**31 - 1
ID = r"[a-z0-9][a-z0-9._-]{0,63}"

_CONTENT = re.compile(
    rf"{re.escape(SETTINGS)}|README\.txt|{re.escape(CANDIDATE)}|{re.escape(SCORE)}"
    r"|maps/[^/]+\.(?:toml|dbc|kcd|sym|arxml)|certs/[^/]+\.pem|trust/[^/]+\.json"
)
_CONTENT_WORDS = "tbox.toml, maps/, certs/, trust/, rules/score.toml, rules/candidate.toml, README.txt"


class _Form(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """manifest.json."""

    tbox_bundle: Literal[1]
    id: Annotated[str, Meta(pattern=rf"^{ID}\Z")]
    version: Annotated[int, Meta(ge=1, le=VERSION_MAX)]
    compatible: Compatible
    not_before: str | None
    not_after: str | None
    files: dict[str, Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says of itself. Times are UTC microseconds, whole seconds; None: no such bound."""

    id: str
    version: int
    compatible: Compatible = ANYTHING
    not_before_us: int | None = None
    not_after_us: int | None = None
    files: Mapping[str, str]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The manifest in these bytes. BundleError: there is none, or it has another spelling."""
        form = document.fitted(document.canonical(document.parse(raw, MANIFEST)), _Form, MANIFEST)
        before, after = (document.time_us(told, MANIFEST) for told in (form.not_before, form.not_after))
        made = cls(
            id=form.id, version=form.version, compatible=form.compatible,
            not_before_us=before, not_after_us=after, files=form.files,
        )  # fmt: skip
        made.check()
        if made.bytes() != raw:
            raise BundleError("damaged", f"{MANIFEST}: not in canonical form; make it with `tbox bundle new`")
        return made

    def bytes(self) -> bytes:
        """What is signed, behind the tag."""
        before, after = (
            None if bound is None else document.told_time(bound) for bound in (self.not_before_us, self.not_after_us)
        )
        form = _Form(
            tbox_bundle=1, id=self.id, version=self.version, compatible=self.compatible,
            not_before=before, not_after=after, files=dict(self.files),
        )  # fmt: skip
        return document.canonical(msgspec.to_builtins(form))

    def check(self) -> None:
        """BundleError: it says what cannot be."""
        try:
            parts_of(self.compatible.agent)
        except ValueError as why:
            raise BundleError("damaged", f"{MANIFEST}: compatible.agent: {why}") from None
        since_us, until_us = self.not_before_us or 0, self.not_after_us
        if until_us is not None and until_us <= since_us:
            raise BundleError("damaged", f"{MANIFEST}: not_after is not later than not_before")
        for name in self.files:
            if not _CONTENT.fullmatch(name):
                raise BundleError("name", f'"{name:.64}" has no place in a bundle, which holds {_CONTENT_WORDS}')

    def __str__(self) -> str:
        return f"{self.id} {self.version}"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A whole bundle: its files are those its manifest names. Who signed it is trust.py's to say."""

    manifest: Manifest
    files: Mapping[str, bytes]
    signatures: tuple[Signature, ...] = ()

    @classmethod
    def read(cls, told: Path | bytes) -> Self:
        """The bundle in a file or in bytes. BundleError says in one sentence what is wrong with it."""
        if isinstance(told, bytes):
            return cls.made_of(archive.read(told))
        try:
            return cls.made_of(archive.read(_read(told)))
        except BundleError as why:
            raise BundleError(why.reason, f"{told}: {why}") from None

    @classmethod
    def read_folder(cls, folder: Path) -> Self:
        """The bundle whose `entries` were written into this folder; anything else in it shows. BundleError as above."""
        found: dict[str, bytes] = {}
        try:
            for path in sorted(folder.rglob("*")):
                if path.is_symlink() or not path.is_dir():
                    found[path.relative_to(folder).as_posix()] = _read(path)
                archive.check_size(sum(map(len, found.values())))
            return cls.made_of(found)
        except BundleError as why:
            raise BundleError(why.reason, f"{folder}: {why}") from None

    @classmethod
    def new(cls, manifest: Manifest, files: Mapping[str, bytes]) -> Self:
        """Unsigned; the hashes of the files go into the manifest. BundleError: what would not be read again."""
        hashes = {name: _sha256(files[name]) for name in sorted(files)}
        return cls.read(cls(replace(manifest, files=hashes), files).raw())

    @classmethod
    def made_of(cls, entries: Mapping[str, bytes]) -> Self:
        """The bundle of these entries, manifest and signatures among them."""
        for name in (MANIFEST, SIGNATURES):
            if name not in entries:
                raise BundleError("missing", f"{name} is missing in it; it is no bundle")
        manifest = Manifest.parse(entries[MANIFEST])
        content, signatures = document.split(entries[SIGNATURES], SIGNATURES)
        files = {name: entries[name] for name in entries if name not in (MANIFEST, SIGNATURES)}
        made = cls(manifest, files, signatures)
        if content != b"{}" or made.entries()[SIGNATURES] != entries[SIGNATURES]:
            raise BundleError("damaged", f"{SIGNATURES}: not in canonical form; sign it with `tbox bundle sign`")
        _check_files(manifest, files)
        return made

    @property
    def content(self) -> str:
        """SHA-256 of the manifest's bytes, in hex: names everything the bundle holds, whoever signed it."""
        return _sha256(self.manifest.bytes())

    def entries(self) -> dict[str, bytes]:
        """Everything that is in the archive, by name."""
        told = document.canonical({"signatures": document.told_signatures(self.signatures)})
        return {MANIFEST: self.manifest.bytes(), SIGNATURES: told, **self.files}

    def raw(self) -> bytes:
        """The bytes of the file."""
        return archive.compose(self.entries())

    def signed(self, key: Signer) -> Self:
        """The same with this key's signature."""
        return replace(self, signatures=document.signed(BUNDLE_TAG, self.manifest.bytes(), key, self.signatures))

    def trust_documents(self) -> list[bytes]:
        """The trust documents it carries."""
        return [self.files[name] for name in sorted(self.files) if name.startswith("trust/")]


def _check_files(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Exactly the files the manifest names, with exactly the content it names."""
    for name in sorted(manifest.files.keys() | files.keys()):
        if name not in files:
            raise BundleError("missing", f"{name} is missing in it, though the manifest names it; fetch it again")
        if name not in manifest.files:
            raise BundleError("extra", f"{name} is in it, but not in the manifest: somebody added it; fetch it again")
        if _sha256(files[name]) != manifest.files[name]:
            raise BundleError("hash", f"{name} is not what the manifest says: somebody changed it; fetch it again")


def _read(path: Path) -> bytes:
    """A plain file whose size was looked at before it is read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError("damaged", "not a bundle: it is no plain file")
            archive.check_size(status.st_size)
            return file.read(archive.ARCHIVE_BYTES_MAX + 1)
    except OSError as error:
        raise BundleError("unreadable", f"cannot be read: {error.strerror}; name a file that can be") from None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
