"""Rows as files: CSV, Parquet, GeoJSON (RFC 7946), GPX 1.1."""

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from agent.errors import InputError, StorageError
from hil.receiver.library import Row

FORMATS = ("csv", "parquet", "geojson", "gpx")
GPX = "http://www.topografix.com/GPX/1/1"
PLACE = ("lat", "lon", "lat_deg", "lon_deg")


def write(rows: Sequence[Row], form: str, path: Path) -> None:
    """The file. InputError: the rows do not fit the format; StorageError: it cannot be written."""
    try:
        if form == "parquet":
            _parquet(rows, path)
        elif form == "gpx":
            _gpx(rows, path)
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                {"csv": _csv, "geojson": _geojson}[form](rows, file)
    except OSError as why:
        raise StorageError(f"{path}: cannot be written: {why.strerror}") from None


def _csv(rows: Sequence[Row], file: TextIO) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)


def _parquet(rows: Sequence[Row], path: Path) -> None:
    try:
        import pyarrow as pa  # noqa: PLC0415  (50 MB that only this format needs)
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise InputError("parquet needs pyarrow: pip install pyarrow, or take csv") from None
    parquet.write_table(pa.Table.from_pylist(list(rows)), path)


def _geojson(rows: Sequence[Row], file: TextIO) -> None:
    """Points where a row has a place (RFC 7946: longitude first)."""
    told = []
    for row in rows:
        lat, lon = _place(row)
        geometry = None if lat is None else {"type": "Point", "coordinates": [lon, lat]}
        rest = {name: _text(value) for name, value in row.items() if name not in PLACE}
        told.append({"type": "Feature", "geometry": geometry, "properties": rest})
    json.dump({"type": "FeatureCollection", "features": told}, file, indent=1)


def _gpx(rows: Sequence[Row], path: Path) -> None:
    """A track (GPX 1.1) of the rows that have a place."""
    ET.register_namespace("", GPX)
    root = ET.Element(f"{{{GPX}}}gpx", version="1.1", creator="tbox")
    segment = ET.SubElement(ET.SubElement(root, f"{{{GPX}}}trk"), f"{{{GPX}}}trkseg")
    for row in rows:
        lat, lon = _place(row)
        if lat is not None:
            point = ET.SubElement(segment, f"{{{GPX}}}trkpt", lat=f"{lat:.7f}", lon=f"{lon:.7f}")
            if row.get("time_utc"):
                ET.SubElement(point, f"{{{GPX}}}time").text = _text(row["time_utc"])
    if not len(segment):
        raise InputError("gpx: no row has a place; is position told by these terminals?")
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _place(row: Row) -> tuple[Any, Any]:
    lat, lon = row.get("lat_deg", row.get("lat")), row.get("lon_deg", row.get("lon"))
    return (lat, lon) if lat is not None and lon is not None else (None, None)


def _text(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if isinstance(value, datetime) else value
