"""The multi-strategy scheduler: asks every strategy about every symbol, once a cycle.

What the strategies want together becomes a holding by the rule that Paper Labs judged them by
(`oem_risk.sized_exposure`, `oem_risk.order_parts`): each strategy's target times its share of the
capital, summed by symbol, scaled to the profile's volatility target and cut to its limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from oem_daemon.market import Bar, Closes
from oem_daemon.strategies.signal import FloatArray, Signal, Strategy
from oem_exec import Instrument, Side
from oem_risk import RiskProfile, order_parts, sized_exposure

SCHEDULER_NAME = "every_bar"
OPERATOR = "operator"
"""Strategy and scheduler of an order that an operator wrote."""
_MARGIN = 0.002
"""Share of what is added that is left for spread, fees and rounding between sizing and check: an
order sized to a limit must not fail it by a basis point."""
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Slot:
    """A strategy and its share of the equity, in (0, 1]."""

    strategy: Strategy
    capital_share: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of holding that a strategy wants.

    Attributes:
        strategy: Name of the strategy.
        symbol: Symbol to trade.
        side: Which way.
        quantity: Base units, already at the venue's lot size, positive.
        reduces: Whether the symbol's holding becomes smaller without turning over.
        signal: What the strategy said.
    """

    strategy: str
    symbol: str
    side: Side
    quantity: Decimal
    reduces: bool
    signal: Signal


class MultiStrategyScheduler:
    """Turns signals into proposals, and remembers what each strategy holds.

    Args:
        slots: The strategies and their shares.
        instruments: Precision and smallest sizes by symbol.
        profile: Risk profile that sizes the holdings.
        band: A change smaller than this share of the symbol's holding is left alone; it keeps the
            strategies from paying costs for noise.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        instruments: Mapping[str, Instrument],
        profile: RiskProfile,
        *,
        band: float = 0.1,
    ) -> None:
        self._slots = tuple(slots)
        self._instruments = dict(instruments)
        self._profile = profile
        self._band = band
        self._held: dict[tuple[str, str], Decimal] = {}

    @property
    def warmup(self) -> int:
        """Bars every strategy needs before its first signal."""
        return max(slot.strategy.warmup for slot in self._slots)

    def held(self, strategy: str, symbol: str) -> Decimal:
        """Return the signed quantity that a strategy holds of a symbol."""
        return self._held.get((strategy, symbol), Decimal(0))

    def book_fill(self, strategy: str, symbol: str, signed_quantity: Decimal) -> None:
        """Attribute a fill to the strategy that wanted it."""
        self._held[strategy, symbol] = self.held(strategy, symbol) + signed_quantity

    def propose(
        self,
        market: Closes,
        bars: Mapping[str, Bar],
        equity: Decimal,
        volatility: Mapping[str, float],
    ) -> Iterator[Proposal]:
        """Yield what the strategies want after the newest bars; at most the profile allows.

        Where two strategies want opposite things of a symbol, only the difference is traded: what
        one gives up the other takes over, without an order.

        Args:
            market: For the closes the strategies look back on.
            bars: The newest closed bar of every symbol.
            equity: Current equity in quote units; without any, everything held is given up.
            volatility: Annualised volatility by symbol.
        """
        symbols, prices = tuple(bars), [float(bar.close) for bar in bars.values()]
        signals = [
            [slot.strategy.signal(market.closes(name, slot.strategy.warmup)) for name in symbols]
            for slot in self._slots
        ]
        unit = float(equity) if equity > 0 else 1.0
        targets = np.array(
            [
                [slot.capital_share * signal.target for signal in row]
                for slot, row in zip(self._slots, signals, strict=True)
            ]
        ) * float(equity > 0)
        own = np.array(
            [
                [float(self.held(slot.strategy.name, symbol)) for symbol in symbols]
                for slot in self._slots
            ]
        ) * (np.array(prices) / unit)
        changes = self._changes(targets, own, np.array([volatility[name] for name in symbols]))
        for slot, row, moves in zip(self._slots, signals, changes, strict=True):
            for number, symbol in enumerate(symbols):
                quantity = float(moves[number]) * unit / prices[number]
                proposal = self._proposal(
                    slot.strategy.name, symbol, bars[symbol], row[number], quantity
                )
                if proposal is not None:
                    yield proposal

    def _changes(self, targets: FloatArray, own: FloatArray, volatility: FloatArray) -> FloatArray:
        """Return what each strategy is to trade of each symbol, as a share of equity.

        Args:
            targets: (strategies, symbols) targets times shares of capital.
            own: The same shape, what each holds.
            volatility: (symbols,) annualised.
        """
        total, held = targets.sum(axis=0), own.sum(axis=0)
        wanted = sized_exposure(total, volatility, self._profile)
        reduced, added = order_parts(wanted, held, self._profile, band=self._band)
        order = reduced + added * (1 - _MARGIN) - held
        # each strategy's part of the holding is its part of the target
        scale = np.divide(wanted, total, out=np.zeros_like(total), where=np.abs(total) > _SAME)
        open_ = targets * scale - own
        pushing = np.where(open_ * order > 0, open_, 0.0)
        pushed = pushing.sum(axis=0)
        part = np.divide(order, pushed, out=np.zeros_like(order), where=np.abs(pushed) > _SAME)
        return np.asarray(pushing * part)

    def _proposal(
        self, strategy: str, symbol: str, bar: Bar, signal: Signal, change: float
    ) -> Proposal | None:
        """Return a change in base units as the venue takes it; None when it is too small."""
        instrument = self._instruments[symbol]
        held = sum((q for (_, name), q in self._held.items() if name == symbol), Decimal(0))
        size = abs(Decimal(repr(change)))
        if held and abs(size - abs(held)) < instrument.lot_size:
            size = abs(held)  # floats must not leave a lot behind
        quantity = instrument.round_quantity(size)
        if quantity == 0 or quantity * bar.close < instrument.min_notional:
            return None
        return Proposal(
            strategy=strategy,
            symbol=symbol,
            side=Side.BUY if change > 0 else Side.SELL,
            quantity=quantity,
            reduces=change * float(held) < 0 and quantity <= abs(held),
            signal=signal,
        )
