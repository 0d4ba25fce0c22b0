"""Whether an 80 % interval covers about 80 %: simulated orders walk recorded books."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from oem_tco import CoverageTracker, EstimateModel, FeeBook, MarketView, OrderQuery, Side, estimate
from oem_tco.pretrade.coverage import rank_venues, realised_cost_bps
from oem_tco.pretrade.estimate import walk
from tco_books import Snapshot, snapshots

STEP_MS = 500
LATENCY = 1
"""Snapshots between decision and matching: half a second."""
WARM_UP = 120


@pytest.fixture(scope="module")
def book(shared_data: Path) -> list[Snapshot]:
    return snapshots(shared_data / "books" / "binance_ETHUSDT.parquet", STEP_MS, depth=250)


def trade(book: list[Snapshot], tracker: CoverageTracker, *, follow: bool) -> CoverageTracker:
    """Estimate, wait, walk the book that is there then, and remember both."""
    rng = np.random.default_rng(1)
    plain = EstimateModel()
    fees = FeeBook.shipped()
    mids = np.array([one.mid for one in book])
    moves = np.diff(np.log(mids)) * 1e4
    for at in range(WARM_UP, len(book) - LATENCY):
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        quantity = Decimal(f"{math.exp(rng.uniform(math.log(0.5), math.log(120))):.4f}")
        seen, met = book[at], book[at + LATENCY]
        volatility = float(np.std(moves[at - WARM_UP : at])) / math.sqrt(STEP_MS / 1_000)
        view = MarketView(
            seen.bids[0][0], seen.asks[0][0], seen.bids, seen.asks, volatility,
            adv=Decimal(300_000),
        )  # fmt: skip
        query = OrderQuery(
            "binance", "ETHUSDT", side, quantity, at_ns=seen.at_ms * 10**6,
            latency_ms=LATENCY * STEP_MS,
        )  # fmt: skip
        model = tracker.calibrated(plain) if follow else plain
        expected = estimate(query, view, fees, model=model)
        levels = met.asks if side is Side.BUY else met.bids
        price, left = walk(levels, float(quantity))
        assert left == 0
        paid = Decimal(repr(price))
        fee = paid * quantity * Decimal("0.001")
        cost = realised_cost_bps(side, expected.reference_price, [(paid, quantity, fee)])
        tracker.observe(expected, cost, at_ns=query.at_ns)
    return tracker


@pytest.mark.no_cover
def test_intervals_that_follow_their_misses_cover_what_they_promise_on_a_real_book(
    book: list[Snapshot],
) -> None:
    fixed = trade(book, CoverageTracker(), follow=False).coverage()
    followed = trade(book, CoverageTracker(), follow=True).coverage()
    assert followed.count == fixed.count > 900
    assert followed.share == pytest.approx(0.8, abs=0.03)
    assert followed.consistent
    # the uncalibrated interval is what the feedback is for
    assert abs(followed.share - 0.8) < abs(fixed.share - 0.8)


def test_a_venue_that_turns_out_dearer_than_estimated_loses_its_place(book: list[Snapshot]) -> None:
    tracker = CoverageTracker()
    seen = book[WARM_UP]
    view = MarketView(seen.bids[0][0], seen.asks[0][0], seen.bids, seen.asks, 1.0)
    quotes = {
        venue: estimate(OrderQuery(venue, "ETHUSDT", Side.BUY, Decimal(1)), view, FeeBook.shipped())
        for venue in ("binance", "kraken")
    }
    assert rank_venues(quotes.values(), tracker)[0][0] == "binance"
    gap = quotes["kraken"].expected_bps - quotes["binance"].expected_bps
    for _ in range(200):
        tracker.observe(quotes["binance"], quotes["binance"].expected_bps + 1.3 * gap)
    assert rank_venues(quotes.values(), tracker)[0][0] == "kraken"
