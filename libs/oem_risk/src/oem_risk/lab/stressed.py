"""A stress scenario laid over simulated paths: what strategies see, and what the book lets them do.

The scenario comes at a bar drawn for each path, so that it meets whatever the strategies happen to
hold. From then on prices carry its fall and recovery, orders arrive its latency late, and each
walks the fill model's book with the scenario's spread and depth: it slips, is filled in part, and
what is left is tried again at the next bar.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from oem_risk.paths.blocks import Floats
from oem_risk.stress.fills import FillModel, sell_each
from oem_risk.stress.scenario import StressScenario

Ints = NDArray[np.int64]
_ONSETS = 1
"""Stream of a block's seed that the beginnings of scenarios are drawn from."""
_DUST = 1e-12
"""Orders smaller than this share of equity are not sent."""


@dataclass(frozen=True, slots=True)
class StressedColumns:
    """What is kept of each stressed path, shape (paths,) each.

    Money is a share of the equity that the scenario met.

    Attributes:
        max_drawdown: Deepest loss from a peak over the whole horizon, a share of the peak.
        loss: Loss from the scenario's first bar to its last.
        market: Part of it that prices took.
        book: Part of it that spread and slippage took.
        commission: Part of it that commission took.
        exposure: Gross notional held when the scenario came.
        ordered: What was ordered during the scenario, each time it was tried.
        left: What of it a bar's book left over.
    """

    max_drawdown: Floats
    loss: Floats
    market: Floats
    book: Floats
    commission: Floats
    exposure: Floats
    ordered: Floats
    left: Floats

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))


@dataclass(frozen=True, slots=True)
class StressBooks:
    """The books that stressed orders walk.

    Attributes:
        fills: The fill model; it must be picklable to be asked in other processes.
        depths: (symbols,) usual base units on each side of the book.
        spread_bps: Usual spread.
        equity: Equity at the start, quote units.
        commission_bps: Commission on what is traded, >= 0.
    """

    fills: FillModel
    depths: Floats
    spread_bps: float
    equity: float
    commission_bps: float


def draw_onsets(
    seed: int, block: int, paths: int, *, steps: int, length: int, bars_per_day: int
) -> Ints:
    """Return the bar at which the scenario comes, for each path.

    Uniform between the second day, when there is something to lose, and the last bar from which the
    scenario is over before the horizon ends; where the horizon is too short for that, it comes no
    later than in its middle and is cut off by the end.
    """
    stream = np.random.SeedSequence(seed, spawn_key=(block, _ONSETS))
    rng = np.random.Generator(np.random.PCG64(stream))
    latest = max(steps - length, steps // 2)
    earliest = min(bars_per_day, latest)
    return rng.integers(earliest, latest, endpoint=True, size=paths)


def stressed_prices(prices: Floats, onsets: Ints, factors: Floats, warmup: int) -> Floats:
    """Return prices with a scenario laid over them.

    Args:
        prices: (symbols, paths, warm-up + steps) closes.
        onsets: (paths,) bar of the horizon whose close is the first that falls.
        factors: (bars,) price relative to the undisturbed one; the last holds from then on.
        warmup: Closes before the first bar of the horizon.
    """
    bars = np.arange(prices.shape[2])[None, :] - warmup - onsets[:, None]
    stretch = np.where(bars < 0, 1.0, factors[np.clip(bars, 0, len(factors) - 1)])
    return np.asarray(prices * stretch)


def delayed(wanted: Floats, onsets: Ints, length: int, latency: int) -> Floats:
    """Return the exposure wanted as it reaches the market, `latency` bars late in the scenario.

    Args:
        wanted: (symbols, paths, steps) exposure wanted at the start of each bar.
        onsets: (paths,) first bar of the scenario.
        length: Its bars.
        latency: Bars an order needs; what was ordered before the scenario had arrived.
    """
    if latency == 0:
        return wanted
    bars = np.broadcast_to(np.arange(wanted.shape[2]), wanted.shape[1:])
    since = bars - onsets[:, None]
    late = np.maximum(bars - latency, np.maximum(onsets - 1, 0)[:, None])
    source = np.where((since >= 0) & (since < length), late, bars)
    return np.take_along_axis(wanted, source[None], axis=2)


class StressedExecution:
    """Carries orders out in the scenario's book, and keeps count of what it cost.

    Args:
        scenario: Spread, depth and duration.
        books: The usual books.
        prices: (symbols, paths, steps) stressed mid at the start of each bar.
        onsets: (paths,) first bar of the scenario.
        length: Its bars.
    """

    def __init__(
        self,
        scenario: StressScenario,
        books: StressBooks,
        prices: Floats,
        onsets: Ints,
        length: int,
    ) -> None:
        self._books = books
        self._spread_bps = books.spread_bps * scenario.spread_multiplier
        self._depths = books.depths / scenario.depth_divisor
        self._prices = np.ascontiguousarray(prices.transpose(2, 0, 1))
        self._first, self._last = onsets, onsets + length
        paths = len(onsets)
        self._start, self._end = np.ones(paths), np.full(paths, np.nan)
        self._book, self._commission, self._exposure, self._ordered, self._left = (
            np.zeros(paths) for _ in range(5)
        )

    def __call__(
        self, bar: int, held: Floats, orders: Floats, equity: Floats
    ) -> tuple[Floats, Floats]:
        """Return (what was executed, what it cost), shares of equity.

        Args:
            bar: Bar of the horizon.
            held: (symbols, paths) exposure before.
            orders: (symbols, paths) signed orders.
            equity: (paths,) equity, 1 at the start of the horizon.
        """
        come = self._first == bar
        if come.any():
            self._start[come] = equity[come]
            self._exposure[come] = np.abs(held[:, come]).sum(axis=0)
        gone = self._last == bar
        self._end[gone] = equity[gone]
        inside = (self._first <= bar) & (bar < self._last)
        executed = np.where(np.abs(orders) > _DUST, orders, 0.0)
        book = np.abs(executed).sum(axis=0) * (self._books.spread_bps / 2 * 1e-4)
        if inside.any():
            self._walk(bar, executed, book, equity, inside)
        commission = np.abs(executed).sum(axis=0) * (self._books.commission_bps * 1e-4)
        scale = np.where(inside, equity, 0.0)
        self._book += book * scale
        self._commission += commission * scale
        return executed, book + commission

    def _walk(
        self,
        bar: int,
        executed: Floats,
        book: Floats,
        equity: Floats,
        inside: NDArray[np.bool_],
    ) -> None:
        """Fill the orders of paths inside the scenario; `executed` and `book` are changed."""
        book[inside] = 0.0
        symbols, paths = np.nonzero(executed * inside)
        if not len(paths):
            return
        mids = self._prices[bar, symbols, paths]
        sizes = np.abs(executed[symbols, paths])
        quantity = sizes * equity[paths] * self._books.equity / mids
        # equity may be gone, and its last holdings too small to be an order
        sent = quantity > 0
        filled, price = np.zeros_like(mids), mids.copy()
        filled[sent], price[sent] = sell_each(
            self._books.fills,
            quantity[sent],
            mid=mids[sent],
            spread_bps=np.full(int(sent.sum()), self._spread_bps),
            depth=self._depths[symbols[sent]],
        )
        share = np.divide(filled, quantity, out=np.zeros_like(filled), where=sent)
        np.clip(share, 0.0, 1.0, out=share)
        executed[symbols, paths] *= share
        # a buy pays above the middle what a sale gets below it
        np.add.at(book, paths, sizes * share * (1 - price / mids))
        np.add.at(self._ordered, paths, sizes)
        np.add.at(self._left, paths, sizes * (1 - share))

    def columns(self, max_drawdown: Floats, equity: Floats) -> StressedColumns:
        """Return what became of each path.

        Args:
            max_drawdown: (paths,) over the horizon.
            equity: (paths,) at its end.
        """
        start = np.maximum(self._start, _DUST)
        loss = 1 - np.where(np.isnan(self._end), equity, self._end) / start
        book, commission = self._book / start, self._commission / start
        return StressedColumns(
            max_drawdown,
            loss,
            loss - book - commission,
            book,
            commission,
            self._exposure,
            self._ordered,
            self._left,
        )
