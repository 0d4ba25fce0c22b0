"""What a simulated exchange asks of an order before it takes it."""

from __future__ import annotations

from decimal import Decimal

from oem_exec.errors import InvalidOrder, UnknownSymbol
from oem_exec.model.enums import InstrumentKind, OrderType, RefusalReason, Side, TimeInForce
from oem_exec.model.intent import OrderIntent
from oem_exec.simulation.account import Account
from oem_exec.simulation.market import Market, Refusal

_ZERO = Decimal(0)


def admit(
    account: Account,
    owner: str,
    market: Market,
    intent: OrderIntent,
    *,
    already: Decimal = _ZERO,
) -> None:
    """Raise `Refusal` when the exchange refuses an order.

    Args:
        account: Whose order it is.
        owner: The account's name; its own resting orders are no counterparts.
        market: Where it is placed.
        intent: What is wanted.
        already: Quantity of it that is executed, for the amendment of an open order.
    """
    try:
        market.instrument.check(intent, market.reference)
    except UnknownSymbol as error:
        raise Refusal(RefusalReason.UNKNOWN_SYMBOL, error.what) from error
    except InvalidOrder as error:
        raise Refusal(RefusalReason.INVALID, error.what) from error
    open_quantity = intent.quantity - already
    _check_reduces(account, market, intent, open_quantity)
    limit = market.ticks(intent.price) if intent.price is not None else None
    if intent.type is OrderType.POST_ONLY and limit is not None:
        best = market.book.best(intent.side.opposite)
        if best is not None and (limit >= best if intent.side is Side.BUY else limit <= best):
            raise Refusal(RefusalReason.WOULD_TAKE, "the order would take liquidity")
    if intent.type is OrderType.MARKET and market.book.best(intent.side.opposite) is None:
        raise Refusal(RefusalReason.NOT_FILLABLE, "the book is empty")
    if intent.time_in_force is TimeInForce.FOK and not intent.type.needs_stop_price:
        lots = market.lots(intent.quantity)
        got = market.book.match(owner, intent.side, lots, limit)
        if sum(part for _, part, _ in got) < lots:
            raise Refusal(RefusalReason.NOT_FILLABLE, "fill or kill cannot be filled at once")
    if not account.unlimited:
        price = intent.price if intent.price is not None else intent.stop_price
        asset, amount = needed(owner, market, intent, open_quantity, price)
        if not account.affords(asset, amount):
            raise Refusal(RefusalReason.INSUFFICIENT_FUNDS, f"insufficient balance of {asset}")


def needed(
    owner: str, market: Market, intent: OrderIntent, quantity: Decimal, price: Decimal | None
) -> tuple[str, Decimal]:
    """Return the asset and amount that a quantity may cost, fees included.

    Args:
        owner: Whose order it is.
        market: Where it is placed.
        intent: The order.
        quantity: How much of it is open.
        price: Worst price; None walks the book as it stands.
    """
    rules = market.instrument
    if rules.kind is InstrumentKind.LINEAR_PERPETUAL:
        return rules.quote, _ZERO  # margin is the risk engine's business, not the venue's
    if intent.side is Side.SELL:
        return rules.base, quantity
    if price is None:
        matched = market.book.match(owner, intent.side, market.lots(quantity), None)
        cost = sum((market.price(p) * market.quantity(q) for p, q, _ in matched), _ZERO)
    else:
        cost = price * quantity
    return rules.quote, cost * (1 + max(rules.taker_fee, rules.maker_fee, _ZERO))


def reducible(account: Account, symbol: str, side: Side) -> Decimal:
    """Return how much of a position an order of `side` can still close."""
    held, _ = account.positions.get(symbol, (_ZERO, _ZERO))
    return abs(held) if held * side.sign < 0 else _ZERO


def _check_reduces(
    account: Account, market: Market, intent: OrderIntent, open_quantity: Decimal
) -> None:
    if not intent.reduce_only or market.instrument.kind is not InstrumentKind.LINEAR_PERPETUAL:
        return
    if open_quantity > reducible(account, intent.symbol, intent.side):
        held, _ = account.positions.get(intent.symbol, (_ZERO, _ZERO))
        raise Refusal(RefusalReason.INVALID, f"reduce-only against a position of {held}")
