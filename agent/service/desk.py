"""The running daemon, asked over its desk: an owner-only Unix socket, a JSON line there, a JSON line back."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.desk.desk_place import DESK_NAME, address_of

ANSWER_BYTES_MAX = 4 << 20
ANSWER_S = 10.0


class DeskError(Exception):
    """The daemon does not answer."""


class Desk:
    """The daemon whose state folder this is."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / DESK_NAME

    async def ask(self, command: str, **words: Any) -> dict[str, Any]:
        """What it answers. DeskError: it does not run, is late, or says what cannot be understood."""
        line = json.dumps({"command": command, **words}).encode() + b"\n"
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = json.loads(await self._exchange(line))
        except (OSError, ValueError, TimeoutError) as why:
            raise DeskError(f"{self._path}: {why or 'no answer'}") from None
        if not isinstance(answer, dict) or "error" in answer:
            raise DeskError(str(answer["error"]) if isinstance(answer, dict) else f"{self._path}: no object")
        return answer

    async def _exchange(self, line: bytes) -> bytes:
        with address_of(self._path.parent) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=ANSWER_BYTES_MAX)
        try:
            writer.write(line)
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
