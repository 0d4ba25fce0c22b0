"""Recorded books as a series of snapshots, for cost tests on real markets."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

Levels = tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True)
class Snapshot:
    at_ms: int
    bids: Levels
    asks: Levels

    @property
    def mid(self) -> float:
        return float(self.bids[0][0] + self.asks[0][0]) / 2


def snapshots(path: Path, step_ms: int, depth: int = 200, *, deep_every: int = 1) -> list[Snapshot]:
    """Return the book as it stood at every multiple of `step_ms`.

    Only every `deep_every`-th has more than the best level of each side.
    """
    import pandas as pd

    table = pd.read_parquet(path)
    times = table["timestamp"].astype("int64").to_numpy()
    times = times // 1_000_000 if times[0] > 10**15 else times
    asks_row = (table["side"].astype(str) == "ask").to_numpy()
    prices, sizes = table["price"].to_numpy(), table["size"].to_numpy()
    sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
    taken: list[Snapshot] = []
    exact: dict[float, Decimal] = {}
    due = (int(times[0]) // step_ms + 2) * step_ms
    for at, is_ask, price, size in zip(
        times.tolist(), asks_row.tolist(), prices.tolist(), sizes.tolist(), strict=True
    ):
        while at >= due:
            taken.append(_snapshot(due, sides, 1 if len(taken) % deep_every else depth, exact))
            due += step_ms
        side = sides[is_ask]
        if size:
            side[price] = size
        else:
            side.pop(price, None)
    return taken


def signed_volume(path: Path, edges_ms: np.ndarray) -> np.ndarray:
    """Return bought minus sold by takers between consecutive edges."""
    import pandas as pd

    trades = pd.read_parquet(path)
    times = trades["timestamp"].astype("int64").to_numpy()
    times = times // 1_000_000 if times[0] > 10**15 else times
    sign = np.where(trades["side"].astype(str) == "buy", 1.0, -1.0)
    total, _ = np.histogram(times, bins=edges_ms, weights=sign * trades["size"].to_numpy())
    return total


def _snapshot(
    at: int, sides: tuple[dict[float, float], ...], depth: int, exact: dict[float, Decimal]
) -> Snapshot:
    def levels(prices: list[float], side: dict[float, float]) -> Levels:
        return tuple((decimal(price), decimal(side[price])) for price in prices)

    def decimal(number: float) -> Decimal:
        if number not in exact:
            exact[number] = Decimal(repr(number))
        return exact[number]

    bids, asks = sides
    if depth == 1:
        return Snapshot(at, levels([max(bids)], bids), levels([min(asks)], asks))
    best = (sorted(bids, reverse=True)[:depth], sorted(asks)[:depth])
    return Snapshot(at, levels(best[0], bids), levels(best[1], asks))
