"""The parts of the service page, read into memory once: what does not lie in its folder cannot be asked for."""

from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).with_name("page")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
}


def files() -> Mapping[str, tuple[str, bytes]]:
    """Content type and bytes of each part, by its name."""
    return {path.name: (TYPES[path.suffix], path.read_bytes()) for path in FOLDER.iterdir() if path.suffix in TYPES}
