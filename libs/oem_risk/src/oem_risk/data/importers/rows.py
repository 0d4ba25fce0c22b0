"""What all importers share: opening archives, cells that say where they are wrong, time units."""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.schema import UNIT_NS, unit_of
from oem_risk.errors import DataProblem, TimeUnitMistake

MAX_BYTES = 2 * 1024**3
_ARCHIVE_ERRORS = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError)


@dataclass(frozen=True, slots=True)
class ImportHints:
    """What the caller knows of a file that the file does not say; empty means ask the file.

    Attributes:
        venue: Venue such as `binance`.
        symbol: Symbol such as `BTC/USDT`.
        timeframe: Length of the bars, such as `1h`.
    """

    venue: str = ""
    symbol: str = ""
    timeframe: str = ""


@dataclass(slots=True)
class Notes:
    """Everything an importer mended, for the file's own description."""

    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Add a line once."""
        if line not in self.lines:
            self.lines.append(line)


def text_of(path: Path) -> str:
    """Return the text of a plain, gzip or one-member zip file.

    Raises:
        DataProblem: No such file, a damaged archive, several members, not UTF-8, or too large.
    """
    try:
        if path.suffix == ".zip":
            data = _member(path)
        elif path.suffix == ".gz":
            with gzip.open(path) as stream:
                data = stream.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as plain:
                data = plain.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataProblem(
            "there is no such file", where=str(path), remedy="check the path"
        ) from None
    except _ARCHIVE_ERRORS as error:
        raise DataProblem(
            f"the archive is damaged: {error}", where=str(path), remedy="download it again"
        ) from None
    if len(data) > MAX_BYTES:
        raise DataProblem(
            "the file unpacks to more than 2 GiB", where=str(path), remedy="import it in parts"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataProblem(
            f"the file is not text: {error.reason} at byte {error.start}",
            where=str(path),
            remedy="name a file of one of the formats of oem data import",
        ) from None


def _member(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        if len(members) != 1:
            raise DataProblem(
                f"the archive holds {len(members)} files",
                where=str(path),
                remedy="unpack it and import the files one by one",
            )
        with archive.open(members[0]) as stream:
            return stream.read(MAX_BYTES + 1)


def number(cell: object, *, where: str) -> float:
    """Return a finite number.

    Raises:
        DataProblem: The cell is empty, not a number, or not finite.
    """
    try:
        value = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataProblem(
            f"{cell!r} is not a finite number",
            where=where,
            remedy="mend the row or download the file again; no row is left out silently",
        )
    return value


def cells(lines: Iterable[str], *, least: int, where: str, first: int = 1) -> list[list[str]]:
    """Return the cells of comma-separated lines, empty lines left out.

    Args:
        lines: The lines.
        least: Fewest cells of a line.
        where: The file.
        first: Number of the first line, for errors.

    Raises:
        DataProblem: A line has fewer cells.
    """
    rows = []
    for line_number, line in enumerate(lines, first):
        if not line.strip():
            continue
        row = line.strip().split(",")
        if len(row) < least:
            raise DataProblem(
                f"the line has {len(row)} cells, {least} are needed",
                where=f"{where}, line {line_number}",
                remedy="download the file again: it was cut, or has another format",
            )
        rows.append(row)
    return rows


def column(rows: Sequence[Sequence[object]], index: int, *, where: str) -> NDArray[np.float64]:
    """Return a column of finite numbers; errors name the row."""
    try:
        values = np.array([row[index] for row in rows], dtype=np.float64)
    except (TypeError, ValueError, IndexError):
        values = np.array([math.nan])
    if np.isfinite(values).all():
        return values
    for place, row in enumerate(rows, 1):
        cell = row[index] if len(row) > index else None
        number(cell, where=f"{where}, row {place}, column {index + 1}")
    return values


def unix_times(raw: NDArray[np.float64], notes: Notes, *, where: str) -> NDArray[np.int64]:
    """Return UTC nanoseconds of Unix times whose unit may change from row to row.

    Args:
        raw: Seconds, milli-, micro- or nanoseconds.
        notes: Told which units occur, where it is more than milliseconds.
        where: The file.

    Raises:
        TimeUnitMistake: A time lies outside 2009 to 2100 in every unit.
    """
    whole = raw.astype(np.int64)
    units = unit_of(whole)
    if (units == 0).any():
        reading = "they lie outside 2009 to 2100 in every unit"
        raise TimeUnitMistake(int((units == 0).sum()), len(raw), reading, where=where)
    names = {ns: name for name, ns in UNIT_NS.items()}
    present = {names[int(step)]: int((units == step).sum()) for step in np.unique(units)}
    if len(present) > 1:
        parts = ", ".join(f"{count} in {name}" for name, count in sorted(present.items()))
        notes.add(f"time units were mixed ({parts}), each row was read in its own")
    times: NDArray[np.int64] = whole * units
    fraction = np.where(units == UNIT_NS["s"], (raw - whole) * UNIT_NS["s"], 0.0)
    return times + np.round(fraction).astype(np.int64)
