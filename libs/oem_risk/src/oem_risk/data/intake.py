"""From foreign files to a folder of checked series."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from oem_risk.data.importers.registry import Importer, import_file
from oem_risk.data.importers.rows import ImportHints
from oem_risk.data.join import join_series, without_conflicts
from oem_risk.data.quality import QualityReport
from oem_risk.data.quality_ticks import check_series
from oem_risk.data.schema import COLUMNS
from oem_risk.data.store import Series, read_series, series_path, write_series
from oem_risk.errors import DataProblem


@dataclass(frozen=True, slots=True)
class TakenIn:
    """One series that was written.

    Attributes:
        path: Its file.
        series: What stands in it, with the file's hash and the notes on what was mended.
        report: Its quality report; an unusable series is written too, so that it can be looked
            at, and every gate refuses it.
    """

    path: Path
    series: Series
    report: QualityReport


def import_files(
    paths: Sequence[Path],
    folder: Path,
    *,
    hints: ImportHints | None = None,
    form: str = "auto",
    keep: Literal["first", "last"] | None = None,
    importers: tuple[Importer, ...] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[TakenIn, ...]:
    """Import files into a folder; parts of one market become one series.

    What the folder already holds of a market is kept and joined; where old and new say different
    things of one time nothing is written.

    Args:
        paths: Files as their sources give them.
        folder: Where `bars/`, `trades/`, ... are made.
        hints: What the files do not say.
        form: Name of the format; `auto` asks each importer.
        keep: Which of differing rows of one time within a file stays; None keeps all, and the
            quality check calls the series unusable.
        importers: Who is asked; None asks the shipped ones.
        progress: Called with (files read, files in all).

    Raises:
        DataProblem: A file cannot be read, or parts contradict each other; nothing was written.
        StorageError: The disk refused.
    """
    if not paths:
        raise DataProblem("no file to import", where="files", remedy="name at least one")
    parts: dict[Path, list[Series]] = {}
    for number, path in enumerate(paths, 1):
        origin = ""
        for series in import_file(path, hints, form=form, importers=importers):
            origin = origin or f"{path.name}, sha384 {_digest(path)[:32]}"
            series = replace(series, source=origin)
            if keep:
                series = without_conflicts(series, keep)
            parts.setdefault(series_path(folder, series), []).append(series)
        if progress:
            progress(number, len(paths))
    joined = {path: _joined(path, found) for path, found in parts.items()}
    return tuple(_written(path, series) for path, series in sorted(joined.items()))


def take_in(series: Series, folder: Path) -> TakenIn:
    """Write one series into a folder, joined with what is there, and check it.

    Raises:
        DataProblem: It contradicts what is there; nothing was written.
        StorageError: The disk refused.
    """
    path = series_path(folder, series)
    return _written(path, _joined(path, [series]))


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha384").hexdigest()


def _joined(path: Path, parts: list[Series]) -> Series:
    if len(parts) == 1 and not path.exists():
        # alone, a series keeps its faults for the check to find
        return parts[0]
    there = [read_series(path)] if path.exists() else []
    if there and len(parts) == 1 and _same(there[0], parts[0]):
        return parts[0]
    return join_series([*there, *parts])


def _same(old: Series, new: Series) -> bool:
    """Whether a file holds exactly this already, so that importing it again changes nothing."""
    if len(old) != len(new) or not np.array_equal(old.time_ns, new.time_ns):
        return False
    names = COLUMNS[old.kind]
    return all(
        np.array_equal(
            getattr(old, n), getattr(new, n), equal_nan=getattr(old, n).dtype == np.float64
        )
        for n in names
    )


def _written(path: Path, series: Series) -> TakenIn:
    written = write_series(series, path)
    report = check_series(written)
    named = QualityReport(path.name, report.rows, report.findings, report.synthetic)
    return TakenIn(path, written, named)
