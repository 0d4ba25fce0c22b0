"""The multi-strategy scheduler: asks every strategy about every symbol, once a cycle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from oem_daemon.market import Bar, Closes
from oem_daemon.strategies.signal import Signal, Strategy
from oem_exec import Instrument, Side

SCHEDULER_NAME = "every_bar"


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
        reduces: Whether the strategy's own holding becomes smaller.
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
        rebalance_fraction: A change smaller than this fraction of the symbol's share is left
            alone; it keeps the strategies from paying costs for noise.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        instruments: Mapping[str, Instrument],
        *,
        rebalance_fraction: float = 0.1,
    ) -> None:
        self._slots = tuple(slots)
        self._instruments = dict(instruments)
        self._rebalance = Decimal(str(rebalance_fraction))
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
        self, market: Closes, bars: Mapping[str, Bar], equity: Decimal
    ) -> Iterator[Proposal]:
        """Yield what the strategies want after the newest bars.

        Args:
            market: For the closes the strategies look back on.
            bars: The newest closed bar of every symbol.
            equity: Current equity in quote units; shares are taken of it.
        """
        for slot in self._slots:
            for symbol, bar in bars.items():
                closes = market.closes(symbol, slot.strategy.warmup)
                signal = slot.strategy.signal(closes)
                budget = equity * Decimal(str(slot.capital_share)) / len(bars)
                proposal = self._change(slot.strategy.name, symbol, bar, signal, budget)
                if proposal is not None:
                    yield proposal

    def _change(
        self, strategy: str, symbol: str, bar: Bar, signal: Signal, budget: Decimal
    ) -> Proposal | None:
        instrument = self._instruments[symbol]
        held = self.held(strategy, symbol)
        wanted = Decimal(str(round(signal.target, 6))) * budget / bar.close
        if signal.target == 0.0:
            wanted = Decimal(0)
        change = wanted - held
        quantity = instrument.round_quantity(abs(change))
        closes_out = wanted == 0 and held != 0
        notional = quantity * bar.close
        if quantity == 0 or notional < instrument.min_notional:
            return None
        if not closes_out and notional < self._rebalance * budget:
            return None
        return Proposal(
            strategy=strategy,
            symbol=symbol,
            side=Side.BUY if change > 0 else Side.SELL,
            quantity=quantity,
            reduces=abs(wanted) < abs(held) and wanted * held >= 0,
            signal=signal,
        )
