"""Which importer reads a file, and reading it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from oem_risk.data.importers.candles import BinanceVision, CandleJson, CryptoDataDownload
from oem_risk.data.importers.events import BybitBook, HftBacktest
from oem_risk.data.importers.freqtrade import FreqtradeFeather, FreqtradeTrades, KrakenTrades
from oem_risk.data.importers.lean import Lean
from oem_risk.data.importers.rows import ImportHints
from oem_risk.data.store import Series
from oem_risk.errors import DataProblem


class Importer(Protocol):
    """Reads one foreign format; give your own to `import_file` to read another."""

    @property
    def name(self) -> str:
        """Name on the command line."""
        ...

    def fits(self, path: Path) -> bool:
        """Whether a file looks like this format, by its name, folders and first bytes."""
        ...

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        """Return what the file holds, oldest first, with notes on everything that was mended."""
        ...


def shipped_importers() -> tuple[Importer, ...]:
    """Return the importers that come with the library, in the order they are asked."""
    return (
        Lean(), BinanceVision(), CryptoDataDownload(), BybitBook(), FreqtradeTrades(),
        FreqtradeFeather(), CandleJson(), KrakenTrades(), HftBacktest(),
    )  # fmt: skip


def import_file(
    path: Path,
    hints: ImportHints | None = None,
    *,
    form: str = "auto",
    importers: tuple[Importer, ...] | None = None,
) -> tuple[Series, ...]:
    """Read a file of a foreign format.

    Args:
        path: The file, where its name and folders are as the source gives them.
        hints: What the file does not say: venue, symbol, timeframe.
        form: Name of the format; `auto` asks each importer.
        importers: Who is asked; None asks the shipped ones.

    Returns:
        One series, or several where the file holds trades, quotes and books.

    Raises:
        DataProblem: No such file, no such format, nobody reads it, or a row is wrong; the row is
            named.
    """
    asked = importers or shipped_importers()
    if not path.is_file():
        raise DataProblem("there is no such file", where=str(path), remedy="check the path")
    if form != "auto":
        asked = tuple(importer for importer in asked if importer.name == form)
        if not asked:
            raise DataProblem(
                f"no format is named {form!r}",
                where="format",
                remedy="use auto, " + ", ".join(i.name for i in importers or shipped_importers()),
            )
        return asked[0].read(path, hints or ImportHints())
    reader = next((importer for importer in asked if importer.fits(path)), None)
    if reader is None:
        raise DataProblem(
            "no importer knows a file of this name and beginning",
            where=str(path),
            remedy="keep the name the source gave it, or name the format with --format: "
            + ", ".join(importer.name for importer in asked),
        )
    return reader.read(path, hints or ImportHints())
