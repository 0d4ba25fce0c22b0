"""Balances and positions of one account of a simulated exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from oem_exec.model.enums import InstrumentKind, Side
from oem_exec.model.instrument import Instrument

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """One funding settlement of one position; a positive amount was paid, a negative received."""

    symbol: str
    position: Decimal
    mark: Decimal
    rate: Decimal
    amount: Decimal
    asset: str
    time_ns: int


@dataclass(slots=True)
class Account:
    """What an account owns.

    Attributes:
        totals: Asset to amount, reserved part included.
        reserved: Order id to asset and amount held for it.
        positions: Derivative symbol to signed quantity and average entry price.
        unlimited: Balances are kept but never refuse an order.
    """

    totals: dict[str, Decimal] = field(default_factory=dict)
    reserved: dict[str, tuple[str, Decimal]] = field(default_factory=dict)
    positions: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    unlimited: bool = False

    def available(self, asset: str) -> Decimal:
        """Return what is not reserved for open orders."""
        held = sum((amount for name, amount in self.reserved.values() if name == asset), _ZERO)
        return self.totals.get(asset, _ZERO) - held

    def affords(self, asset: str, amount: Decimal) -> bool:
        """Return whether `amount` is available."""
        return self.unlimited or self.available(asset) >= amount

    def reserve(self, order_id: str, asset: str, amount: Decimal) -> None:
        """Hold an amount for an order, replacing what was held for it."""
        if self.unlimited:
            return
        if amount > 0:
            self.reserved[order_id] = (asset, amount)
        else:
            self.reserved.pop(order_id, None)

    def release(self, order_id: str) -> None:
        """Free what is held for an order."""
        self.reserved.pop(order_id, None)

    def change(self, asset: str, amount: Decimal) -> None:
        """Add a signed amount to an asset."""
        self.totals[asset] = self.totals.get(asset, _ZERO) + amount

    def trade(self, instrument: Instrument, side: Side, quantity: Decimal, price: Decimal) -> None:
        """Book one execution, without its fee."""
        if instrument.kind is InstrumentKind.SPOT:
            self.change(instrument.base, side.sign * quantity)
            self.change(instrument.quote, -side.sign * price * quantity)
            return
        held, entry = self.positions.get(instrument.symbol, (_ZERO, _ZERO))
        signed = side.sign * quantity
        after = held + signed
        if held * signed < 0:  # the reducing part realises profit or loss
            closed = min(abs(held), quantity)
            direction = 1 if held > 0 else -1
            self.change(
                instrument.quote, direction * closed * (price - entry) * instrument.contract_size
            )
            if after * held < 0:
                entry = price
        elif after:
            entry = (abs(held) * entry + quantity * price) / abs(after)
        self.positions[instrument.symbol] = (after, entry if after else _ZERO)

    def settle_funding(
        self, instrument: Instrument, rate: Decimal, mark: Decimal, time_ns: int
    ) -> FundingPayment:
        """Pay position × mark × rate; longs pay a positive rate, shorts receive it."""
        held, _ = self.positions.get(instrument.symbol, (_ZERO, _ZERO))
        amount = held * instrument.contract_size * mark * rate
        self.change(instrument.quote, -amount)
        return FundingPayment(
            instrument.symbol, held, mark, rate, amount, instrument.quote, time_ns
        )


def balances_of(account: Account) -> Mapping[str, tuple[Decimal, Decimal]]:
    """Return asset to free and reserved amount."""
    return {
        asset: (account.available(asset), total - account.available(asset))
        for asset, total in sorted(account.totals.items())
    }
