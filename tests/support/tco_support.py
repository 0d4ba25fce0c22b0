"""Candidates, estimates, orders and fills that are good by themselves; tests change one thing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from oem_tco import (
    Candidate,
    ComplianceFacts,
    CostEstimate,
    DecisionInputs,
    FeeBook,
    FillRow,
    Liquidity,
    MarketView,
    OrderQuery,
    OrderRow,
    OrderType,
    RiskFacts,
    Side,
    StressFacts,
    estimate,
)

NOON_NS = 1_700_049_600 * 10**9
"""2023-11-15 12:00 UTC."""


def cost() -> CostEstimate:
    """An estimate of about 11 bps: 10 of fees, 1 of half spread."""
    query = OrderQuery("paper", "BTCUSDT", Side.BUY, Decimal("0.01"), at_ns=NOON_NS)
    view = MarketView(
        Decimal("99.99"),
        Decimal("100.01"),
        levels_ask=((Decimal("100.01"), Decimal(1)),),
        volatility_bps_per_sqrt_s=1.0,
    )
    return estimate(query, view, FeeBook.shipped())


def candidate(**changes: Any) -> Candidate:
    """A candidate of 40 bps of edge."""
    good = Candidate(
        candidate_id="c1",
        decision_time_ns=NOON_NS,
        strategy="trend",
        profile="balanced",
        symbol="BTCUSDT",
        venue="paper",
        side=Side.BUY,
        quantity=Decimal("0.01"),
        reference_price=Decimal(100),
        expected_edge_bps=40.0,
        edge_sigma_bps=5.0,
        probability=0.6,
    )
    return replace(good, **changes)


def inputs(made: Candidate | None = None, **changes: Any) -> DecisionInputs:
    """Inputs that every default rule accepts."""
    good = DecisionInputs(
        made or candidate(),
        cost(),
        RiskFacts(allowed=True, margins={"position": 0.4}),
        ComplianceFacts(licence_features=frozenset({"paper"})),
        StressFacts(worst_latency_ms=500.0, volatility_bps_per_sqrt_s=1.0),
    )
    return replace(good, **changes)


def order(**changes: Any) -> OrderRow:
    """An order of 10 at 100, arrived at 101, ended at 105."""
    row = OrderRow(
        order_id="o1",
        decision_id="c1",
        strategy="trend",
        profile="balanced",
        scheduler="",
        venue="paper",
        market="spot",
        symbol="BTC/USDT",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity=Decimal(10),
        currency="USDT",
        decision_time_ns=1,
        decision_price=Decimal(100),
        arrival_time_ns=2,
        arrival_price=Decimal(101),
        end_time_ns=9,
        end_price=Decimal(105),
        status="filled",
    )
    return replace(row, **changes)


def fill(**changes: Any) -> FillRow:
    """A taker's fill of 4 at 103 against a quote of 101 to 102."""
    row = FillRow(
        fill_id="f1",
        order_id="o1",
        time_ns=5,
        price=Decimal(103),
        quantity=Decimal(4),
        liquidity=Liquidity.TAKER,
        fee_amount=Decimal("0.4"),
        fee_asset="USDT",
        bid=Decimal(101),
        ask=Decimal(102),
    )
    return replace(row, **changes)
