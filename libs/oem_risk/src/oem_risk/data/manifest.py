"""Manifests of market data: what a folder holds, where it came from, and what it costs to trade.

A manifest stands beside the files as `manifest.json`. Each file has its hash, span, source and
quality verdict; each market its commission, liquidity and funding. What is not known is null and
is named by `unknowns`; nothing is assumed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from oem_risk.data.quality import QualityVerdict
from oem_risk.data.schema import DataKind
from oem_risk.errors import DataProblem
from oem_security.files import read_bounded, write_atomic

MANIFEST_NAME = "manifest.json"
_MAX_BYTES = 64 * 1024 * 1024


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Commission(_Part):
    """What a venue charges for trading a market.

    Attributes:
        maker_bps: For orders that rest, basis points of the notional; negative is a rebate.
        taker_bps: For orders that take.
        source: Schedule or page it was read from.
        as_of: Day it holds from, `YYYY-MM-DD`.
    """

    maker_bps: float = Field(ge=-100, le=1_000, allow_inf_nan=False)
    taker_bps: float = Field(ge=-100, le=1_000, allow_inf_nan=False)
    source: str = Field(min_length=1, max_length=200)
    as_of: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")


class Liquidity(_Part):
    """How much a market takes, measured on the recorded rows.

    Attributes:
        measured_on: Kind of data it was measured on.
        median_spread_bps: Median width of the quotes; null without quotes.
        median_top_notional: Median notional at the best bid, quote units; null without quotes.
        median_daily_notional: Median traded notional a day, quote units; null without volume.
        idle_share: Share of bars without any volume; null without bars.
    """

    measured_on: DataKind
    median_spread_bps: float | None = None
    median_top_notional: float | None = None
    median_daily_notional: float | None = None
    idle_share: float | None = None


class FundingInfo(_Part):
    """What holding a perpetual cost.

    Attributes:
        settlements: Number of rates.
        interval_hours: Intervals that occur, the most frequent first.
        mean_bps_per_day: Mean payment of longs a day, basis points of the notional.
        lowest_bps: Lowest single rate, basis points.
        highest_bps: Highest single rate.
    """

    settlements: int
    interval_hours: tuple[float, ...]
    mean_bps_per_day: float
    lowest_bps: float
    highest_bps: float


class DataFile(_Part):
    """One file of a manifest.

    Attributes:
        path: Relative to the manifest's folder, with forward slashes.
        kind: What its rows are.
        venue: Venue, as the file names it.
        symbol: Symbol such as `BTC/USDT`.
        timeframe: Length of its bars; empty for other kinds.
        rows: Number of rows.
        first: First time, RFC 3339.
        last: Last time, RFC 3339.
        sha384: Hash of the file, hex.
        synthetic: Whether it was generated.
        source: Where it came from.
        notes: What was mended on the way in.
        verdict: Of the quality checks.
        findings: The faults found, one line each.
        liquidity: Measured on this file; null where its kind tells nothing.
        funding: Of a funding file; else null.
    """

    path: str
    kind: DataKind
    venue: str
    symbol: str
    timeframe: str = ""
    rows: int = Field(ge=0)
    first: str
    last: str
    sha384: str = Field(pattern=r"^[0-9a-f]{96}$")
    synthetic: bool
    source: str
    notes: tuple[str, ...] = ()
    verdict: QualityVerdict
    findings: tuple[str, ...] = ()
    liquidity: Liquidity | None = None
    funding: FundingInfo | None = None

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        parts = path.split("/")
        if path.startswith("/") or "\\" in path or not all(parts) or ".." in parts:
            raise ValueError("a path must stay below the manifest's folder")
        return path


class DataManifest(_Part):
    """What a folder of market data holds.

    Attributes:
        version: Of this form.
        files: By path, in the order of the alphabet.
        commissions: By `venue symbol`, or by `venue` for all its symbols.
        others: Parquet files with the columns of no kind of market data, such as fee tables; they
            are not checked.
    """

    version: Literal[1] = 1
    files: tuple[DataFile, ...]
    commissions: dict[str, Commission] = {}
    others: tuple[str, ...] = ()

    @property
    def synthetic(self) -> bool:
        """Whether any of the files was generated."""
        return any(file.synthetic for file in self.files)

    @property
    def usable(self) -> bool:
        """Whether no file is unusable."""
        return all(file.verdict is not QualityVerdict.UNUSABLE for file in self.files)

    def commission(self, venue: str, symbol: str) -> Commission | None:
        """Return a market's commission, or the venue's, or None where it is not known."""
        return self.commissions.get(f"{venue} {symbol}") or self.commissions.get(venue)

    def unknowns(self) -> tuple[str, ...]:
        """Name what the manifest does not tell of the markets it holds."""
        markets = sorted({(f.venue, f.symbol) for f in self.files})
        missing = []
        for venue, symbol in markets:
            here = [f for f in self.files if (f.venue, f.symbol) == (venue, symbol)]
            if self.commission(venue, symbol) is None:
                missing.append(f"commission of {symbol} at {venue}")
            if not any(f.liquidity and f.liquidity.median_spread_bps is not None for f in here):
                missing.append(f"spread of {symbol} at {venue}")
            if ":" in symbol and not any(f.funding for f in here):
                missing.append(f"funding of {symbol} at {venue}")
        missing += [f"what {path} holds" for path in self.others]
        return tuple(missing)

    def as_bytes(self) -> bytes:
        """Return the file's content; the same manifest gives the same bytes."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True)
        return text.encode() + b"\n"


def write_manifest(manifest: DataManifest, folder: Path) -> Path:
    """Write a manifest beside the files it describes and return its path.

    Raises:
        StorageError: The disk refused.
    """
    path = folder / MANIFEST_NAME
    write_atomic(path, manifest.as_bytes())
    return path


def read_manifest(folder: Path) -> DataManifest:
    """Return the manifest of a folder.

    Raises:
        DataProblem: It is not of the form; the field is named.
        InputError: There is none.
    """
    path = folder / MANIFEST_NAME
    remedy = "make one with oem data manifest"
    data = read_bounded(path, _MAX_BYTES, what="manifest of market data", remedy=remedy)
    try:
        return DataManifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise DataProblem(
            f"the manifest is not valid: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            where=str(path),
            remedy=remedy,
        ) from None


def manifest_differences(manifest: DataManifest, folder: Path) -> tuple[str, ...]:
    """Return how the files of a folder differ from its manifest; empty when they do not.

    Args:
        manifest: What should be there.
        folder: The folder; Parquet files under it that the manifest does not name are named too.
    """
    found = []
    for file in manifest.files:
        path = folder / file.path
        if not path.is_file():
            found.append(f"{file.path}: missing")
            continue
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha384").hexdigest()
        if digest != file.sha384:
            found.append(f"{file.path}: another content ({digest[:16]}…, not {file.sha384[:16]}…)")
    named = {file.path for file in manifest.files} | set(manifest.others)
    for path in sorted(folder.rglob("*.parquet")):
        name = path.relative_to(folder).as_posix()
        if name not in named:
            found.append(f"{name}: not in the manifest")
    return tuple(found)
