"""Are the power cuts awake? Each of these, planted in a copy of the agent, must turn them red.

python -m tests.powercut_defects [NAME...]
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tests.defects import spoilt, try_all

COPIED = ("agent", "drivers", "hil", "config", "native", "tests")
CUTS = {"store": 1500, "agent": 60}


@dataclass(frozen=True)
class Defect:
    """What is done wrong, in which file, and the part that must see it."""

    words: str
    part: str
    file: str
    right: str
    wrong: str
    scene: str = ""
    """Of the store's, where only one can show it."""


DEFECTS = {
    "journal_first": Defect(
        "the journal is cleared before the trip's end is committed", "store", "agent/outbox/outbox.py",
        "        self._reserve_upto(tail)\n",
        '        self._reserve_upto(tail)\n        if journal == b"":\n'
        '            with self._transaction():\n                self._save("journal", b"")\n',
    ),
    "reserve_after": Defect(
        "numbers are reserved after they were used, not before", "store", "agent/outbox/outbox.py",
        "        self._reserve_upto(tail)\n", "        self._reserve_upto(self._tail)\n",
    ),
    "synced_early": Defect(
        "records are said to be safe before they are committed", "store", "agent/outbox/writer.py",
        "        losses = self._outbox.append(records,",
        "        with self._turn:\n            self._news.synced += [(record.seq, record.lane) for record in records]\n"
        "            self._ring()\n        losses = self._outbox.append(records,",
    ),
    "key_in_place": Defect(
        "the key is written into its own file", "store", "agent/ledger/key.py",
        "        replace_file(path, text)\n", "        path.touch(0o600)\n        path.write_bytes(text)\n", "first start",
    ),
    "tail_apart": Defect(
        "where the account ends is written down after its records", "store", "agent/outbox/outbox.py",
        '            if records:\n                self._save("tail", pack(asdict(tail)))\n',
        '        if records:\n            with self._transaction():\n                self._save("tail", pack(asdict(tail)))\n',
    ),
    "gone_forgotten": Defect(
        "what was asked for again and is gone is said now or never", "store", "agent/outbox/recovery.py",
        "    _owe(connection, Ranges([*_owed(connection), *((loss.first, loss.last) for loss in gone)]))\n", "", "asked again",
    ),
    "no_receipt": Defect(
        "what a broker took is forgotten before the platform's receipt came", "store", "agent/uplink/confirming.py",
        "        is_done = not self._needs_receipt or seq in self._stored_there\n", "        is_done = True\n", "receipts",
    ),
    "erased_first": Defect(
        "a trip is erased before the gap record that says so is there", "store", "agent/outbox/outbox.py",
        "        self._reserve_upto(tail)\n",
        "        self._reserve_upto(tail)\n        with self._transaction():\n            cover(self._connection, records)\n",
        "erased",
    ),
    "left_in_log": Defect(
        "what is erased stays in the log", "store", "agent/outbox/erasure.py",
        '        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()\n', "", "erased",
    ),
    "aside_again": Defect(
        "a new store whose making was cut off is set aside too, and pushes out what was to be saved", "store",
        "agent/outbox/store.py",
        "        write_reserve(path, replace(read_reserve(path), is_open=False))\n", "        read_reserve(path)\n", "half made",
    ),
    "trip_left_open": Defect(
        "an open trip is left open after a power cut", "agent", "agent/trip/account.py",
        "if left is None or left.is_clean:", "if left is None or left.journal:",
    ),
    "reserve_in_place": Defect(
        "small files are written in place", "agent", "agent/files.py",
        '    new = path.with_name(path.name + ".new")\n',
        '    new = path.with_name(path.name + ".new")\n    path.touch(0o600)\n    path.write_bytes(content)\n    return\n',
    ),
}  # fmt: skip


def try_one(defect: Defect, cuts: int) -> str:
    """What the cuts say of the spoilt agent, the first that is wrong; empty: they saw nothing."""
    with spoilt(defect, COPIED) as (copy, environment):
        words = [sys.executable, "-m", f"tests.powercut_{defect.part}", f"--cuts={cuts}", "--bad=1"]
        words += [f"--scene={defect.scene}"] if defect.scene else []
        done = subprocess.run(words, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert '"bad"' in done.stdout, done.stdout + done.stderr
    wrong = [line for line in done.stdout.splitlines() if not line.startswith(("{", f"{defect.part}: "))]
    return wrong[0] if done.returncode == 1 else ""


def main(names: Sequence[str]) -> int:
    """Those named, or all."""
    return try_all(DEFECTS, names, lambda defect: try_one(defect, CUTS[defect.part]), lambda defect: defect.part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
