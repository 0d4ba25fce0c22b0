"""Ledgers of many orders, and the records of signed logs, as reports are made from them."""

from __future__ import annotations

import random
from decimal import Decimal

from oem_tco import FillRow, LedgerRows, Liquidity, LogRecord, OrderRow, OrderType, Side
from oem_tco.analysis.groups import HOUR_NS
from tco_support import NOON_NS, fill, order

D = Decimal
HOSTILE = "<img src='/etc/passwd'/>&amp;=HYPERLINK(\"x\") Zażółć $x^2$ \x00"
"""A name that is markup, a formula, mathematics and a control character."""


def history(count: int, seed: int = 1) -> LedgerRows:
    """Orders of several strategies, venues, hours and currencies, some without any fill."""
    draw = random.Random(seed)
    orders: list[OrderRow] = []
    fills: list[FillRow] = []
    for number in range(count):
        base = D(draw.randint(9_000, 11_000)) / 100
        symbol, currency = draw.choice([("BTC/USDT", "USDT"), ("ETH/EUR", "EUR")])
        row = order(
            order_id=f"o{number:03}",
            strategy=draw.choice(["trend", "reversion"]),
            profile=draw.choice(["balanced", "aggressive"]),
            scheduler=draw.choice(["", "every_bar"]),
            venue=draw.choice(["kraken", "binance"]),
            symbol=symbol,
            currency=currency,
            side=draw.choice(list(Side)),
            order_type=draw.choice(list(OrderType)),
            quantity=D(draw.randint(1, 50)),
            decision_time_ns=NOON_NS + number * 7 * HOUR_NS,
            decision_price=base,
            arrival_time_ns=NOON_NS + number * 7 * HOUR_NS + 10**6,
            arrival_price=base + D(draw.randint(-20, 20)) / 100,
            end_time_ns=NOON_NS + number * 7 * HOUR_NS + 10**9,
            end_price=base + D(draw.randint(-50, 50)) / 100,
            est_low_bps=5.0,
            est_expected_bps=10.0 + number % 7,
            est_high_bps=25.0,
        )
        orders.append(row)
        for part in range(draw.randint(0, 3)):
            price = base + D(draw.randint(0, 30)) / 100
            fills.append(
                fill(
                    fill_id=f"f{number}-{part}",
                    order_id=row.order_id,
                    time_ns=row.arrival_time_ns + part,
                    price=price,
                    quantity=row.quantity / 4,
                    liquidity=draw.choice(list(Liquidity)),
                    fee_amount=D(draw.randint(-5, 50)) / 100,
                    fee_asset=currency,
                    bid=price - D("0.1"),
                    ask=price,
                )
            )
    return LedgerRows(tuple(orders), tuple(fills))


def log_records() -> list[LogRecord]:
    """A log in which nearly everything goes wrong once."""
    bodies: list[tuple[str, dict[str, object]]] = [
        ("journal.opened", {"subject": "decisions"}),
        ("router.start", {"checked": 2, "unresolved": [], "quarantined": [], "foreign": ["x1"]}),
        ("order.intent", {"client_order_id": "a", "state": "submitting"}),
        ("order.outcome", {"client_order_id": "a", "state": "unknown", "reason": "timeout"}),
        ("order.reconciled", {"client_order_id": "a", "state": "unknown"}),
        ("order.reconciled", {"client_order_id": "a", "state": "filled"}),
        ("order.outcome", {"client_order_id": "b", "state": "unknown", "reason": "503"}),
        ("order.quarantined", {"client_order_id": "b", "contradiction": "two fills of one id"}),
        ("order.outcome", {"client_order_id": "c", "state": "rejected", "reason": "min notional"}),
        ("order.refused", {"decision_id": "d9", "why": "no book"}),
        ("risk.check", {"decision_id": "d1", "allowed": False, "reasons": ["drawdown"]}),
        ("risk.check", {"decision_id": "d2", "allowed": True, "reasons": []}),
        ("router.kill_state", {"state": "halted", "reason": "drill", "operator": "anna"}),
        ("router.kill_state", {"state": "reducing", "reason": "drill", "operator": "anna"}),
        ("router.kill_state", {"state": "active", "operator": "anna"}),
        ("journal.recovered", {"bytes": 12}),
        ("rbac.denied", {"scope": "trade:control", "why": HOSTILE}),
        ("decision.verdict", {"decision_id": "d3", "reasons": ["not_a_number"]}),
        ("operator.order", {"client_order_id": "e", "risk": {"allowed": False, "reasons": ["x"]}}),
    ]
    return [
        LogRecord("paper.jsonl", seq, NOON_NS + seq * 10**9, kind, body)
        for seq, (kind, body) in enumerate(bodies)
    ]
