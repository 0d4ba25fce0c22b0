"""What the caller wants, before any venue has heard of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from oem_exec.errors import InvalidOrder
from oem_exec.model.copies import with_changes
from oem_exec.model.enums import OrderType, Side, TimeInForce

_MAX_ID = 64


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """One order wanted by a caller.

    Attributes:
        intent_id: The caller's idempotency key, 1 to 64 printable characters: the same id never
            leads to a second order.
        symbol: Unified symbol, such as `BTC/USDT`.
        side: Buy or sell.
        quantity: Base units (contracts for derivatives), finite and > 0.
        type: What the order does at the venue.
        price: Limit price in quote units; needed by limit, post-only and stop-limit orders.
        stop_price: Trigger price; needed by stop and stop-limit orders.
        time_in_force: How long the order lives.
        expires_ns: UTC nanoseconds at which a GTD order ends.
        reduce_only: The order may only make a position smaller. Derivative venues enforce it; on
            spot it is the caller's word that a sell closes a holding. The kill switch in state
            REDUCING lets such orders pass.
        profile: Risk profile, used by routes.
        strategy: Name of the strategy that wants it; carried into logs and fills.
        created_ns: When the caller made the intent, UTC nanoseconds; 0 lets the router stamp it.
        arrival_price: The mid when it was handed over, > 0, where the caller knows it: what its
            cost is measured from (Perold's paper portfolio). No venue hears of it, and `same_order`
            leaves it out.

    Raises:
        InvalidOrder: A number is not finite, not positive, missing or not wanted.

    Example:
        >>> OrderIntent("a-1", "BTC/USDT", Side.BUY, Decimal("NaN"))
        Traceback (most recent call last):
        oem_exec.errors.InvalidOrder: quantity is NaN (a-1); give a finite number above 0
    """

    intent_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    expires_ns: int | None = None
    reduce_only: bool = False
    profile: str = "balanced"
    strategy: str = ""
    created_ns: int = 0
    arrival_price: Decimal | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.intent_id) <= _MAX_ID or not self.intent_id.isprintable():
            raise InvalidOrder(
                "the intent id is empty, too long or not printable",
                where=repr(self.intent_id[: _MAX_ID + 1]),
                remedy=f"use 1 to {_MAX_ID} printable characters",
            )
        if not self.symbol:
            raise InvalidOrder("the symbol is empty", where=self.intent_id, remedy="name a symbol")
        self._positive("quantity", self.quantity)
        self._matching("price", self.price, self.type.needs_price)
        self._matching("stop price", self.stop_price, self.type.needs_stop_price)
        if self.arrival_price is not None:
            self._positive("arrival price", self.arrival_price)
        if (self.time_in_force is TimeInForce.GTD) is not (self.expires_ns is not None):
            raise InvalidOrder(
                "good-till-date and its date belong together",
                where=self.intent_id,
                remedy="set time_in_force GTD and expires_ns, or neither",
            )
        if self.type is OrderType.POST_ONLY and self.time_in_force in {
            TimeInForce.IOC,
            TimeInForce.FOK,
        }:
            raise InvalidOrder(
                f"a post-only order cannot be {self.time_in_force}",
                where=self.intent_id,
                remedy="use GTC or GTD",
            )

    def _matching(self, name: str, value: Decimal | None, needed: bool) -> None:
        if value is None:
            if needed:
                raise InvalidOrder(
                    f"a {self.type} order needs a {name}", where=self.intent_id, remedy="give one"
                )
            return
        if not needed:
            raise InvalidOrder(
                f"a {self.type} order has no {name}", where=self.intent_id, remedy="leave it out"
            )
        self._positive(name, value)

    def _positive(self, name: str, value: Decimal) -> None:
        if not isinstance(value, Decimal):
            raise InvalidOrder(
                f"{name} is {type(value).__name__}",
                where=self.intent_id,
                remedy="pass a decimal.Decimal, made from text",
            )
        if not value.is_finite() or value <= 0:
            raise InvalidOrder(
                f"{name} is {value}", where=self.intent_id, remedy="give a finite number above 0"
            )

    def client_order_id(self, attempt: int) -> str:
        """Return the id the venue sees: 32 hex digits derived from the intent id and the attempt.

        Being derived, it is the same after a crash. 32 hex digits is the one form that Binance
        (36 characters), Kraken (UUID without dashes), OKX (32 alphanumerics), Bybit (36) and
        Coinbase all take.
        """
        text = f"{attempt}\x00{self.intent_id}".encode()
        return hashlib.blake2b(text, digest_size=16, person=b"oem-exec-order").hexdigest()

    def stamped(self, created_ns: int) -> OrderIntent:
        """Return the intent with the time it was made; its numbers were checked when it was."""
        return with_changes(self, {"created_ns": created_ns})

    def same_order(self, other: OrderIntent) -> bool:
        """Return whether both ask for the same thing, whenever they were made."""
        return _wanted(self) == _wanted(other)

    def as_json(self) -> dict[str, object]:
        """Return the intent in JSON's types, numbers as text."""
        return {
            "intent_id": self.intent_id,
            "symbol": self.symbol,
            "side": self.side.value,
            "quantity": str(self.quantity),
            "type": self.type.value,
            "price": _text(self.price),
            "stop_price": _text(self.stop_price),
            "time_in_force": self.time_in_force.value,
            "expires_ns": self.expires_ns,
            "reduce_only": self.reduce_only,
            "profile": self.profile,
            "strategy": self.strategy,
            "created_ns": self.created_ns,
            "arrival_price": _text(self.arrival_price),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> OrderIntent:
        """Return the intent that `as_json` wrote; raises `InvalidOrder` for anything else."""
        try:
            price, stop = body.get("price"), body.get("stop_price")
            expires, arrival = body.get("expires_ns"), body.get("arrival_price")
            return cls(
                intent_id=str(body["intent_id"]),
                symbol=str(body["symbol"]),
                side=Side(str(body["side"])),
                quantity=Decimal(str(body["quantity"])),
                type=OrderType(str(body.get("type", "market"))),
                price=None if price is None else Decimal(str(price)),
                stop_price=None if stop is None else Decimal(str(stop)),
                time_in_force=TimeInForce(str(body.get("time_in_force", "GTC"))),
                expires_ns=None if expires is None else int(str(expires)),
                reduce_only=bool(body.get("reduce_only", False)),
                profile=str(body.get("profile", "balanced")),
                strategy=str(body.get("strategy", "")),
                created_ns=int(str(body.get("created_ns", 0))),
                arrival_price=None if arrival is None else Decimal(str(arrival)),
            )
        except (KeyError, ValueError, ArithmeticError) as error:
            raise InvalidOrder(
                f"not an order: {error!r}",
                where=str(body.get("intent_id", "")),
                remedy="give intent_id, symbol, side and quantity",
            ) from error


def _wanted(intent: OrderIntent) -> tuple[object, ...]:
    return (
        intent.symbol,
        intent.side,
        intent.quantity,
        intent.type,
        intent.price,
        intent.stop_price,
        intent.time_in_force,
        intent.expires_ns,
        intent.reduce_only,
        intent.profile,
        intent.strategy,
    )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
