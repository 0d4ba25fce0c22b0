"""The one place where values of one library become values of another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

import oem_exec
import oem_tco
from oem_daemon.market import Bar
from oem_daemon.scheduler import SCHEDULER_NAME, Proposal
from oem_daemon.strategies.signal import FloatArray
from oem_exec import BookSnapshot, Fill, Instrument, Order, OrderIntent
from oem_exec.split import CostOf
from oem_exec.split_router import CostModel
from oem_risk import annualised_volatility
from oem_security.clock import Clock

NS_PER_SECOND = 1_000_000_000
VOLATILITY_BARS = 48
"""Bars behind the volatility of the next hours: that of costs and stress, not that of sizes."""
SIZING_BARS = 17_520
"""Most bars behind the volatility that holdings are sized by: the history of Paper Labs."""


def volatility_per_sqrt_s(closes: FloatArray, interval_ns: int) -> float | None:
    """Return the standard deviation of log returns in basis points per square root of a second.

    Args:
        closes: Closing prices, shape (bars,).
        interval_ns: Length of a bar.

    Returns:
        None for fewer than 3 prices.
    """
    if len(closes) < 3:
        return None
    per_bar = 1e4 * float(np.diff(np.log(closes)).std(ddof=1))
    return per_bar / math.sqrt(interval_ns / NS_PER_SECOND)


def sizing_volatility(closes: FloatArray, interval_ns: int) -> float:
    """Return the annualised volatility that holdings are sized by, as Paper Labs measures it.

    Args:
        closes: Closing prices, shape (bars,), as many as there are up to `SIZING_BARS`.
        interval_ns: Length of a bar.

    Returns:
        nan for fewer than 3 prices: then nothing may be added.
    """
    if len(closes) < 3:
        return math.nan
    bars_per_year = 365 * 86_400 * NS_PER_SECOND / interval_ns
    return float(annualised_volatility(np.diff(np.log(closes)), bars_per_year))


def market_view(
    book: BookSnapshot, bar: Bar | None, volatility_bps_per_sqrt_s: float | None, interval_ns: int
) -> oem_tco.MarketView:
    """Return what the cost estimate may know of the market: the book, volatility, daily volume.

    The estimate falls back on what it states where bar or volatility are not known yet.
    """
    bars_per_day = Decimal(86_400 * NS_PER_SECOND) / interval_ns
    return oem_tco.MarketView(
        bid=book.bids[0][0] if book.bids else None,
        ask=book.asks[0][0] if book.asks else None,
        levels_bid=tuple(book.bids),
        levels_ask=tuple(book.asks),
        volatility_bps_per_sqrt_s=volatility_bps_per_sqrt_s,
        adv=bar.volume * bars_per_day if bar and bar.volume else None,
        last_price=bar.close if bar else None,
    )


def mid(book: BookSnapshot) -> Decimal:
    """Return the middle of the best bid and ask."""
    return (book.bids[0][0] + book.asks[0][0]) / 2


def order_query(made: oem_tco.Candidate, fee_venue: str, latency_ms: float) -> oem_tco.OrderQuery:
    """Return the question to the cost model; the fees are those of the venue that is imitated."""
    return oem_tco.OrderQuery(
        venue=fee_venue,
        symbol=made.symbol,
        side=made.side,
        quantity=made.quantity,
        at_ns=made.decision_time_ns,
        latency_ms=latency_ms,
    )


def intent_query(
    intent: OrderIntent, fee_venue: str, at_ns: int, latency_ms: float
) -> oem_tco.OrderQuery:
    """Return the question what an operator's order costs when it executes at once: the most."""
    return oem_tco.OrderQuery(
        venue=fee_venue,
        symbol=intent.symbol,
        side=oem_tco.Side(intent.side.value),
        quantity=intent.quantity,
        at_ns=at_ns,
        latency_ms=latency_ms,
    )


def candidate(
    proposal: Proposal,
    *,
    candidate_id: str,
    at_ns: int,
    profile: str,
    venue: str,
    mid: Decimal,
    quantity: Decimal,
    group: str = "",
) -> oem_tco.Candidate:
    """Return a variant of a proposal as the orchestrator wants it."""
    sign = 1 if proposal.side is oem_exec.Side.BUY else -1
    return oem_tco.Candidate(
        candidate_id=candidate_id,
        decision_time_ns=at_ns,
        strategy=proposal.strategy,
        profile=profile,
        symbol=proposal.symbol,
        venue=venue,
        side=oem_tco.Side(proposal.side.value),
        quantity=quantity,
        reference_price=mid,
        expected_edge_bps=proposal.signal.edge_bps(sign),
        edge_sigma_bps=proposal.signal.drift_sigma_bps,
        probability=proposal.signal.gains(sign),
        kind=oem_tco.CandidateKind.EXIT if proposal.reduces else oem_tco.CandidateKind.ENTRY,
        scheduler=SCHEDULER_NAME,
        group=group,
    )


def all_in_cost(
    fees: oem_tco.FeeBook, schedule_of: Callable[[str], str], clock: Clock
) -> CostModel:
    """Return the cost model of a split: each venue's price with the fee the ledger will charge.

    Args:
        fees: The fee schedules.
        schedule_of: Venue to the venue whose schedule it charges.
        clock: For the schedule of the day.
    """

    def model(side: oem_exec.Side, rules: Sequence[tuple[str, Instrument]]) -> CostOf:
        now, taker = clock.now_ns(), oem_tco.Liquidity.TAKER
        rates = {
            venue: fees.commission(
                schedule_of(venue), "spot", taker, now, symbol=instrument.symbol
            ).rate
            for venue, instrument in rules
        }
        return lambda venue, price: price * (1 + side.sign * rates[venue])

    return model


def part_terms(row: oem_tco.OrderRow, order: Order) -> oem_tco.OrderRow:
    """Return the terms of a part of an order: the whole's but for its own id, size and venue.

    The decision's id stays: by it the parts belong together.
    """
    return replace(
        row,
        order_id=order.intent_id,
        quantity=order.intent.quantity,
        venue=order.venue or row.venue,
    )


def order_intent(made: oem_tco.Candidate, *, created_ns: int) -> OrderIntent:
    """Return the accepted candidate as an order intent; its id is the candidate's."""
    return OrderIntent(
        intent_id=made.candidate_id,
        symbol=made.symbol,
        side=oem_exec.Side(made.side.value),
        quantity=made.quantity,
        profile=made.profile,
        strategy=made.strategy,
        created_ns=created_ns,
    )


def order_terms(
    intent: OrderIntent,
    *,
    venue: str,
    quote: str,
    scheduler: str,
    decision_time_ns: int,
    decision_price: Decimal,
    arrival_time_ns: int,
    arrival_price: Decimal,
    estimate: oem_tco.CostEstimate | None,
) -> oem_tco.OrderRow:
    """Return an order that is about to be sent as a row of the cost ledger."""
    return oem_tco.OrderRow(
        order_id=intent.intent_id,
        decision_id=intent.intent_id,
        strategy=intent.strategy,
        profile=intent.profile,
        scheduler=scheduler,
        venue=venue,
        market="spot",
        symbol=intent.symbol,
        side=oem_tco.Side(intent.side.value),
        order_type=oem_tco.OrderType("limit" if intent.price is not None else "market"),
        quantity=intent.quantity,
        currency=quote,
        decision_time_ns=decision_time_ns,
        decision_price=decision_price,
        arrival_time_ns=arrival_time_ns,
        arrival_price=arrival_price,
        est_low_bps=estimate.low_bps if estimate else None,
        est_expected_bps=estimate.expected_bps if estimate else None,
        est_high_bps=estimate.high_bps if estimate else None,
    )


def fill_id(fill: Fill) -> str:
    """Return the id of a fill in the cost ledger."""
    return f"{fill.venue}:{fill.symbol}:{fill.trade_id}"


def fill_row(fill: Fill, order: Order, book: BookSnapshot | None) -> oem_tco.FillRow:
    """Return a fill as a row of the cost ledger, with the book it met where somebody looked."""
    base = fill.symbol.split("/")[0]
    return oem_tco.FillRow(
        fill_id=fill_id(fill),
        order_id=order.intent_id,
        time_ns=fill.time_ns,
        price=fill.price,
        quantity=fill.quantity,
        liquidity=oem_tco.Liquidity(fill.liquidity.value),
        fee_amount=fill.fee,
        fee_asset=fill.fee_asset,
        bid=book.bids[0][0] if book and book.bids else None,
        ask=book.asks[0][0] if book and book.asks else None,
        fee_rate_to_quote=fill.price if fill.fee_asset == base else None,
    )
