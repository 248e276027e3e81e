"""What kind of recording this is, told by its first bytes alone; names of files do not matter."""

import re

from drivers.recordings import candump, csv_table

FORMATS = ("candump", "asc", "blf", "trc", "mf4", "nmea", "csv")

ASC = re.compile(
    r"^(?:date\s+\w{3}\s+\w{3}\s+\d|base\s+(?:hex|dec)\s|begin\s+triggerblock"
    r"|\s*\d+\.\d+\s+(?:\d+\s+[0-9A-Fa-f]+x?\s+(?:Rx|Tx)\s+[dr]\b|CANFD\s+\d+\s+(?:Rx|Tx)))",
    re.IGNORECASE,
)
TRC = re.compile(r"^;\$FILEVERSION=|^\s*\d+\)\s+\d+(?:\.\d+)?\s+(?:\d\s+)?(?:[RT]x\s+)?[0-9A-Fa-f]{4,8}\s")
NMEA = re.compile(r"\$[A-Z]{2}[A-Z]{3},[^*$]*\*[0-9A-Fa-f]{2}")
WORD = re.compile(r'\s*"?[A-Za-z_][\w ./%()-]*"?\s*$')
MAGIC = {b"LOGG": "blf", b"MDF     ": "mf4", b"UnFinMF ": "mf4"}


def kind(head: bytes) -> str:
    """One of FORMATS, or nothing when this is none of them; `head` is unzipped and has no byte-order mark."""
    for magic, name in MAGIC.items():
        if head.startswith(magic):
            return name
    lines = [line.rstrip("\r") for line in head.decode("latin-1").split("\n")]
    if _is_header(next(filter(str.strip, lines), "")):
        return "csv"
    for line in lines:
        for name, shape in (("candump", candump.ANY), ("trc", TRC), ("asc", ASC)):
            if shape.match(line):
                return name
        if NMEA.search(line):
            return "nmea"
    return ""


def _is_header(line: str) -> bool:
    """Whether this is a table's first line: names between commas, one of them known or all of them words."""
    cells = line.split(",")
    if any(cell.strip(' \t"') in csv_table.COLUMNS for cell in cells):
        return True
    return len(cells) > 1 and all(WORD.match(cell) for cell in cells)
