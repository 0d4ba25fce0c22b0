"""Folders of market data: their manifests with the commission the fee schedules name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import oem_risk
import oem_tco
from oem_risk import DataManifest
from oem_security.clock import parse_rfc3339

_NOT_SPOT = {"binanceusdm": ("binance", "linear"), "binancecoinm": ("binance", "inverse")}


def describe_data(
    folder: Path, *, progress: Callable[[int, int], None] | None = None
) -> DataManifest:
    """Check every file of a folder and write the manifest beside them.

    Commissions are those of the first tier on the last day of each market's data, where a
    shipped fee schedule names them; else they are left out and named among the unknowns.

    Args:
        folder: Folder of Parquet files.
        progress: Called with (files done, files in all).

    Raises:
        DataProblem: The folder holds no Parquet file, or one cannot be read.
    """
    manifest = oem_risk.describe_folder(folder, progress=progress)
    manifest = manifest.model_copy(update={"commissions": _commissions(manifest.files)})
    oem_risk.write_manifest(manifest, folder)
    return manifest


def _commissions(files: Iterable[oem_risk.DataFile]) -> dict[str, oem_risk.Commission]:
    last: dict[tuple[str, str], str] = {}
    for file in files:
        key = (file.venue, file.symbol)
        last[key] = max(last.get(key, ""), file.last)
    book = oem_tco.FeeBook.shipped()
    found = {}
    for (venue, symbol), moment in sorted(last.items()):
        fees, market = _NOT_SPOT.get(venue, (venue, _market(symbol)))
        at = parse_rfc3339(moment)
        maker = book.commission(fees, market, "maker", at, symbol=symbol)
        taker = book.commission(fees, market, "taker", at, symbol=symbol)
        if oem_tco.Provenance.ESTIMATED in (maker.provenance, taker.provenance):
            continue
        found[f"{venue} {symbol}"] = oem_risk.Commission(
            maker_bps=float(maker.rate * 10_000),
            taker_bps=float(taker.rate * 10_000),
            source=f"{taker.schedule_version}, tier {taker.tier}",
            as_of=moment[:10],
        )
    return found


def _market(symbol: str) -> str:
    pair, _, settled = symbol.partition(":")
    if not settled:
        return "spot"
    return "linear" if settled == pair.split("/")[1] and settled != "USD" else "inverse"
