"""An intent that makes no sense cannot be made, and the error says what to do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from oem_exec import InvalidOrder, OrderIntent, OrderType, Side, TimeInForce

D = Decimal
GOOD: dict[str, Any] = {
    "intent_id": "a-1",
    "symbol": "BTC/USDT",
    "side": Side.BUY,
    "quantity": D("0.01"),
}
CASES: list[tuple[dict[str, Any], str]] = [
    ({"quantity": D("NaN")}, "quantity is NaN"),
    ({"quantity": D("Infinity")}, "quantity is Inf"),
    ({"quantity": D(0)}, "quantity is 0"),
    ({"quantity": D(-1)}, "quantity is -1"),
    ({"quantity": 0.01}, "quantity is float"),
    ({"intent_id": ""}, "intent id"),
    ({"intent_id": "x" * 65}, "intent id"),
    ({"intent_id": "line\nbreak"}, "intent id"),
    ({"symbol": ""}, "symbol is empty"),
    ({"type": OrderType.LIMIT}, "needs a price"),
    ({"price": D(1)}, "has no price"),
    ({"type": OrderType.STOP}, "needs a stop price"),
    ({"stop_price": D(1)}, "has no stop price"),
    ({"type": OrderType.LIMIT, "price": D(-1)}, "price is -1"),
    ({"time_in_force": TimeInForce.GTD}, "belong together"),
    ({"expires_ns": 1}, "belong together"),
    (
        {"type": OrderType.POST_ONLY, "price": D(1), "time_in_force": TimeInForce.IOC},
        "post-only order cannot be",
    ),
]


@pytest.mark.parametrize(("change", "what"), CASES, ids=[what for _, what in CASES])
def test_a_senseless_intent_is_refused_with_a_remedy(change: dict[str, Any], what: str) -> None:
    with pytest.raises(InvalidOrder, match=what) as caught:
        OrderIntent(**{**GOOD, **change})
    assert caught.value.remedy
