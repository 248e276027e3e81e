"""What stands beside a crash in the account: the camera's clip, by its hash, and what the driver contested.

A clip is not part of the records, unless it was sent in parts: the account holds the SHA-256 of each of its files. A
file at hand is hashed (`hashes_of`, the one function here that reads any) and held against that. The rest is pure.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from agent.codec import HASH_BYTES, Record
from agent.errors import InputError
from agent.world.dating import Dating, Moment

BLOCK_BYTES = 1 << 20
BLOCKS_MAX = 1 << 14
"""16 GiB: a clip lasts a minute."""

DEPTH_MAX = 2
"""A clip is a file, or a folder of segments where they could not be joined."""

HOLDS = "its SHA-256 is the one in the account: it was not changed since it was filmed"
DIFFERS = "its SHA-256 is another one than in the account: it was changed, or is another file"
ABSENT = "not among the files at hand"
UNCHECKED = "not checked: tbox report --clips FOLDER holds the file against its hash"
SENT = "its parts are among these records, and put together have this SHA-256"
SENT_WRONG = "its parts are among these records, but put together have another SHA-256"


@dataclass(frozen=True, slots=True)
class AtHand:
    """SHA-256 (hex) of files at hand, by name. `is_one`: a single file was given, whatever its name."""

    hashes: Mapping[str, str]
    is_one: bool = False


@dataclass(frozen=True, slots=True)
class Film:
    """One file of a clip, or `why` there is none. Times in seconds from the blow on; `seq` of the record that tells."""

    seq: int
    start_s: float
    end_s: float
    u_s: float
    is_whole: bool
    file: str = ""
    bytes: int = 0
    sha256: str = ""
    verdict: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """What the driver put beside the event; None: not dated."""

    seq: int
    text: str
    moment: Moment | None


def notes_on(event: int, records: Iterable[Record], dating: Dating) -> Iterator[Note]:
    """Notes of contest on the event of this number."""
    for record in records:
        body = record.body
        if record.kind == "command" and body.get("command") == "contest" and body.get("event") == event:
            yield Note(record.seq, str(body.get("text", "")), dating.moment(record.boot, record.t_us))


def films_of(
    event: Record, boot: int, blow_us: int, records: Sequence[Record], at_hand: AtHand | None
) -> Iterator[Film]:
    """The files of its clips; what a record says that is no clip is left out."""
    own = [one for one in records if one.kind == "evidence" and _is_of(one, event, boot)]
    for record in own:
        body = record.body
        if body.get("form") != "clip" or any(
            type(body.get(name)) is not int for name in ("start_us", "end_us", "u_us")
        ):
            continue
        times = ((body["start_us"] - blow_us) / 1e6, (body["end_us"] - blow_us) / 1e6, body["u_us"] / 1e6)
        told = [one for one in _list(body.get("files")) if _is_file(one)]
        for one in told:
            digest = one["sha256"].hex()
            verdict = _sent(one["file"], digest, own) or _held(one["file"], digest, at_hand, is_only=len(told) == 1)
            about = {"file": one["file"], "bytes": one["bytes"], "sha256": digest, "verdict": verdict}
            yield Film(record.seq, *times, body.get("is_whole") is True, **about)
        if not told:
            yield Film(record.seq, *times, is_whole=False, why=str(body.get("why") or "nobody says why"))


def names_of(records: Iterable[Record]) -> list[str]:
    """Files of clips that the account tells of; whoever wrote it, only such as lie in the folder or one below."""
    clips = (one for one in records if one.kind == "evidence" and one.body.get("form") == "clip")
    files = (file["file"] for clip in clips for file in _list(clip.body.get("files")) if _is_file(file))
    return sorted({name for name in files if _is_inside(PurePosixPath(name))})


def hashes_of(path: Path, names: Iterable[str]) -> AtHand:
    """Of a file, or of those of a folder that have such a name. InputError: it is not there, or cannot be read."""
    try:
        if not path.is_dir():
            return AtHand({path.name: _hash(path)}, is_one=True)
        return AtHand({name: _hash(path / name) for name in names if (path / name).is_file()})
    except OSError as why:
        raise InputError(f"{path}: cannot be read: {why.strerror}; name the clip's file, or its folder") from None


def _is_inside(path: PurePosixPath) -> bool:
    return not path.is_absolute() and 1 <= len(path.parts) <= DEPTH_MAX and ".." not in path.parts


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for _ in range(BLOCKS_MAX):
            digest.update(block := file.read(BLOCK_BYTES))
            if not block:
                return digest.hexdigest()
    raise InputError(f"{path}: has no end, or is no clip")


def _is_of(record: Record, event: Record, boot: int) -> bool:
    """Whether this evidence is of the event: its number, and the boot it happened in."""
    return record.body.get("event") == event.seq and record.body.get("boot", record.boot) in (boot, event.boot)


def _held(name: str, digest: str, at_hand: AtHand | None, *, is_only: bool) -> str:
    """What the files at hand say of this one."""
    if at_hand is None:
        return UNCHECKED
    if digest in at_hand.hashes.values():
        return HOLDS
    is_there = name in at_hand.hashes or (at_hand.is_one and is_only)
    return DIFFERS if is_there else ABSENT


def _sent(name: str, digest: str, own: Iterable[Record]) -> str:
    """What its parts say, when all of them are here; empty: they are not."""
    parts = [one.body for one in own if one.body.get("form") == "video" and one.body.get("file") == name]
    chunks = {part.get("chunk"): part["data"] for part in parts if isinstance(part.get("data"), bytes)}
    total = next((part["chunks"] for part in parts if type(part.get("chunks")) is int), 0)
    if not total or any(number not in chunks for number in range(min(total, len(chunks) + 1))):
        return ""
    whole = hashlib.sha256()
    for number in range(total):
        whole.update(chunks[number])
    return SENT if whole.hexdigest() == digest else SENT_WRONG


def _list(told: object) -> list[Any]:
    return told if isinstance(told, list) else []


def _is_file(told: object) -> bool:
    """Whether it tells of a file: its name, its length, its hash."""
    match told:
        case {"file": str(), "bytes": int(), "sha256": bytes(digest)}:
            return len(digest) == HASH_BYTES
    return False
