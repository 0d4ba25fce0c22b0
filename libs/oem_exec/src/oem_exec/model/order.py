"""An order as far as evidence goes, and the only way it can change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from oem_exec.errors import IllegalTransition
from oem_exec.model.copies import with_changes
from oem_exec.model.fill import Fill
from oem_exec.model.intent import OrderIntent
from oem_exec.model.states import OrderState, may_follow

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt to have one intent executed at one venue.

    Attributes:
        intent: What the caller wants.
        client_order_id: The id the venue sees.
        venue: Venue of this attempt.
        attempt: 0 for the first venue of the route, 1 for the first fallback, and so on.
        state: Where the order stands.
        quantity: What the venue was asked for; an amendment changes it, the intent stays.
        price: Limit price at the venue, after amendments.
        venue_order_id: The venue's id, empty until known.
        filled_quantity: Executed so far; at least the sum of `fills`.
        filled_notional: Executed so far in quote units.
        fills: The trades known by id, in order of arrival.
        reason: Why it was refused, is unknown or quarantined; empty otherwise.
        cancel_requested: Whether a cancel was ever sent.
        sent_ns: When the request began, UTC nanoseconds.
        valid_until_ns: The venue can no longer accept the request after this moment.
        answered_ns: When the first answer came, 0 before.
        updated_ns: When this value was last changed.
    """

    intent: OrderIntent
    client_order_id: str
    venue: str
    attempt: int
    state: OrderState
    quantity: Decimal
    price: Decimal | None
    venue_order_id: str = ""
    filled_quantity: Decimal = _ZERO
    filled_notional: Decimal = _ZERO
    fills: tuple[Fill, ...] = ()
    reason: str = ""
    cancel_requested: bool = False
    sent_ns: int = 0
    valid_until_ns: int = 0
    answered_ns: int = 0
    updated_ns: int = 0
    settled: bool = field(default=False, kw_only=True)
    """Terminal, and every executed unit is explained by a trade with its fee."""
    asked_quantity: Decimal | None = field(default=None, kw_only=True)
    """Largest quantity an amendment in place ever asked for; None before the first."""

    @property
    def intent_id(self) -> str:
        return self.intent.intent_id

    @property
    def remaining(self) -> Decimal:
        """Return the quantity not executed."""
        return self.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal | None:
        """Return the volume-weighted price of what was executed; None when nothing was."""
        quantity = sum((f.quantity for f in self.fills), _ZERO)
        if quantity:
            return sum((f.price * f.quantity for f in self.fills), _ZERO) / quantity
        return self.filled_notional / self.filled_quantity if self.filled_quantity else None

    @property
    def fees(self) -> tuple[tuple[str, Decimal], ...]:
        """Return the fees paid by asset, in alphabetical order."""
        total: dict[str, Decimal] = {}
        for fill in self.fills:
            total[fill.fee_asset] = total.get(fill.fee_asset, _ZERO) + fill.fee
        return tuple(sorted(total.items()))

    @property
    def latency_ns(self) -> int:
        """Return the time from sending to the first answer; 0 before it."""
        return self.answered_ns - self.sent_ns if self.answered_ns else 0

    def moved(self, state: OrderState, now_ns: int, *, reason: str = "") -> Order:
        """Return the order in another state; raises `IllegalTransition` if the table has none."""
        if not may_follow(self.state, state):
            raise IllegalTransition(
                f"{self.state} cannot become {state}",
                where=self.client_order_id,
                remedy="reconcile the order; evidence against it belongs in quarantine",
            )
        return self.changed(
            state=state,
            reason=reason or self.reason,
            updated_ns=now_ns,
            answered_ns=self.answered_ns or (0 if state is OrderState.UNKNOWN else now_ns),
        )

    def changed(self, **values: Any) -> Order:
        """Return the order with other values: `dataclasses.replace`, in a tenth of its time."""
        return with_changes(self, values)

    def new_fills(self, fills: Iterable[Fill]) -> tuple[Fill, ...]:
        """Return the fills not seen before, each once, by the venue's trade id."""
        seen = {fill.key for fill in self.fills}
        fresh: list[Fill] = []
        for fill in fills:
            if fill.key not in seen:
                seen.add(fill.key)
                fresh.append(fill)
        return tuple(fresh)

    def as_json(self) -> dict[str, object]:
        """Return the order in JSON's types, numbers as text."""
        average = self.average_price
        return {
            "intent": self.intent.as_json(),
            "client_order_id": self.client_order_id,
            "venue": self.venue,
            "attempt": self.attempt,
            "state": self.state.value,
            "quantity": str(self.quantity),
            "price": None if self.price is None else str(self.price),
            "venue_order_id": self.venue_order_id,
            "filled_quantity": str(self.filled_quantity),
            "filled_notional": str(self.filled_notional),
            "average_price": None if average is None else str(average),
            "fees": {asset: str(fee) for asset, fee in self.fees},
            "fills": [fill.as_json() for fill in self.fills],
            "reason": self.reason,
            "cancel_requested": self.cancel_requested,
            "sent_ns": self.sent_ns,
            "answered_ns": self.answered_ns,
            "updated_ns": self.updated_ns,
        }
