"""The pre-trade estimate: expected cost by component, with an interval and provenance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import NormalDist

from oem_tco.errors import InputError
from oem_tco.fees.book import FeeAccount, FeeBook
from oem_tco.pretrade.cost_estimate import CostEstimate, CostPart
from oem_tco.pretrade.market import Level, MarketView, OrderQuery
from oem_tco.terms import Component, Liquidity, OrderType, Provenance

_SECONDS_PER_DAY = 86_400.0
_BPS = 10_000.0


@dataclass(frozen=True, slots=True)
class EstimateModel:
    """The numbers behind an estimate; those of missing data are stated here, not hidden in code.

    Attributes:
        impact_coefficient: Y of `Y sigma_day (Q/ADV)^exponent`, used beyond the visible book.
        impact_exponent: Exponent of the participation, 0.5 for the square-root law.
        permanent_coefficient: gamma of the linear permanent impact (Almgren et al. 2005: 0.314).
        fallback_half_spread_bps: Used without a valid quote.
        fallback_impact_bps: Used without book, volatility or volume.
        fallback_volatility_bps_per_sqrt_s: About 70 % a year.
        fill_probability: Of a resting order within its horizon.
        relative_error: Standard deviation of a modelled component, as a share of it.
        z_low: Standardised residual at the lower end; None for the normal's.
        z_high: Standardised residual at the upper end; None for the normal's.
        z_confidence: Confidence the two belong to.
    """

    impact_coefficient: float = 1.0
    impact_exponent: float = 0.5
    permanent_coefficient: float = 0.314
    fallback_half_spread_bps: float = 5.0
    fallback_impact_bps: float = 10.0
    fallback_volatility_bps_per_sqrt_s: float = 1.25
    fill_probability: float = 0.6
    relative_error: float = 0.5
    z_low: float | None = None
    z_high: float | None = None
    z_confidence: float = 0.0


def estimate(
    query: OrderQuery,
    view: MarketView,
    fees: FeeBook,
    *,
    account: FeeAccount | None = None,
    model: EstimateModel | None = None,
    confidence: float = 0.8,
) -> CostEstimate:
    """Estimate what an order will cost against the mid at the decision.

    Args:
        query: The order.
        view: The market; whatever is None is replaced by a fallback of `model`, named in `notes`.
        fees: Fee schedules.
        account: Tier and fee asset.
        model: Coefficients; calibrate them with `CoverageTracker.calibrated`.
        confidence: Share of orders whose cost should fall inside the interval, in (0, 1).

    Returns:
        Components, expectation and interval in bps of the reference notional.

    Raises:
        InputError: There is neither a valid quote nor a last price to measure from.

    Example:
        >>> from oem_tco.terms import Side
        >>> q = OrderQuery("paper", "BTCUSDT", Side.BUY, Decimal("0.01"))
        >>> v = MarketView(Decimal("99.99"), Decimal("100.01"), volatility_bps_per_sqrt_s=1.0)
        >>> e = estimate(q, v, FeeBook.shipped())
        >>> round(e.part_bps(Component.SPREAD), 6), round(e.part_bps(Component.FEES), 6)
        (1.0, 10.0)
        >>> e.low_bps < e.expected_bps < e.high_bps
        True
    """
    model = model or EstimateModel()
    notes: list[str] = []
    reference = _reference(query, view, notes)
    volatility = view.volatility_bps_per_sqrt_s
    if volatility is None:
        volatility = model.fallback_volatility_bps_per_sqrt_s
        notes.append(f"volatility unknown: {volatility} bps per sqrt(s) assumed")
    wait_s = (query.latency_ms + view.quote_age_ms) / 1_000.0
    parts = [
        CostPart(
            Component.DELAY,
            0.0,
            volatility * math.sqrt(wait_s),
            Provenance.MEASURED
            if view.volatility_bps_per_sqrt_s is not None
            else Provenance.ESTIMATED,
        ),
        _spread(query, view, model, float(reference), notes),
        _temporary(query, view, model, volatility, float(reference), notes),
        _permanent(query, view, model, volatility),
    ]
    commission = fees.commission(
        query.venue, query.market, query.liquidity, query.at_ns, account, query.symbol
    )
    if commission.note:
        notes.append(f"fees estimated: {commission.note}")
    width = float(commission.high_rate - commission.low_rate) * _BPS
    parts.append(
        CostPart(Component.FEES, float(commission.rate) * _BPS, width / 4.0, commission.provenance)
    )
    if query.market != "spot":
        parts.append(_funding(query, view, notes))
    if query.order_type is OrderType.LIMIT and query.liquidity is Liquidity.MAKER:
        parts.append(_opportunity(query, model, volatility))
    expected = 0.0
    variance = 0.0
    for part in parts:
        expected += part.expected_bps
        variance += part.sigma_bps * part.sigma_bps
    sigma = math.sqrt(variance)
    z_low, z_high = _quantiles(model, confidence)
    return CostEstimate(
        venue=query.venue,
        symbol=query.symbol,
        side=query.side.value,
        quantity=query.quantity,
        components=tuple(parts),
        expected_bps=expected,
        sigma_bps=sigma,
        low_bps=expected + z_low * sigma,
        high_bps=expected + z_high * sigma,
        confidence=confidence,
        reference_price=reference,
        notional=query.quantity / reference
        if query.market == "inverse"
        else query.quantity * reference,
        schedule_version=commission.schedule_version,
        notes=tuple(notes),
    )


def with_confidence(
    estimate: CostEstimate, model: EstimateModel, confidence: float
) -> CostEstimate:
    """Return the same estimate with the interval of another confidence."""
    z_low, z_high = _quantiles(model, confidence)
    return replace(
        estimate,
        low_bps=estimate.expected_bps + z_low * estimate.sigma_bps,
        high_bps=estimate.expected_bps + z_high * estimate.sigma_bps,
        confidence=confidence,
    )


def walk(levels: Sequence[Level], quantity: float) -> tuple[float, float]:
    """Return the average price of taking `quantity` from levels and what could not be taken.

    Example:
        >>> walk(((Decimal(10), Decimal(1)), (Decimal(11), Decimal(1))), 1.5)
        (10.333333333333334, 0.0)
    """
    left = quantity
    paid = 0.0
    for price, size in levels:
        take = min(left, float(size))
        paid += take * float(price)
        left -= take
        if left <= 0.0:
            return paid / quantity, 0.0
    done = quantity - left
    return (paid / done if done > 0.0 else math.nan), left


def _reference(query: OrderQuery, view: MarketView, notes: list[str]) -> Decimal:
    if view.has_quote and view.bid is not None and view.ask is not None:
        return (view.bid + view.ask) / 2
    crossed = view.bid is not None and view.ask is not None
    notes.append("crossed quote: not used" if crossed else "no quote")
    if view.last_price is not None and view.last_price > 0:
        notes.append("measured from the last price")
        return view.last_price
    raise InputError(
        "neither a valid quote nor a last price",
        where=f"{query.venue} {query.symbol}",
        remedy="wait for a quote or give last_price",
    )


def _spread(
    query: OrderQuery, view: MarketView, model: EstimateModel, reference: float, notes: list[str]
) -> CostPart:
    sign = 1.0 if query.liquidity is Liquidity.TAKER else -1.0
    if view.has_quote and view.bid is not None and view.ask is not None:
        half = float(view.ask - view.bid) / 2.0 / reference * _BPS
        return CostPart(Component.SPREAD, sign * half, half / 2.0, Provenance.MEASURED)
    half = model.fallback_half_spread_bps
    notes.append(f"half spread unknown: {half} bps assumed")
    return CostPart(Component.SPREAD, sign * half, half, Provenance.ESTIMATED)


def _temporary(
    query: OrderQuery,
    view: MarketView,
    model: EstimateModel,
    volatility: float,
    reference: float,
    notes: list[str],
) -> CostPart:
    if query.liquidity is Liquidity.MAKER:
        return CostPart(Component.IMPACT_TEMPORARY, 0.0, 0.0, Provenance.MEASURED)
    quantity = float(query.quantity)
    side = view.levels_ask if query.side.sign > 0 else view.levels_bid
    levels = [level for level in side if level[1] > 0]
    if levels and query.horizon_s == 0.0:
        touch = float(levels[0][0])
        average, left = walk(levels, quantity)
        # of the reference price, as every part is: only so do the parts add up
        beyond = query.side.sign * (average - touch) / reference * _BPS
        if left <= 0.0:
            return CostPart(
                Component.IMPACT_TEMPORARY,
                beyond,
                model.relative_error * beyond,
                Provenance.MEASURED,
            )
        deepest = query.side.sign * (float(levels[-1][0]) - touch) / reference * _BPS
        # what the visible book cannot fill is priced as if depth went on falling as it did
        share = left / quantity
        cost = (1 - share) * beyond + share * deepest * (1 + left / (quantity - left))
        notes.append(f"the visible book fills only {1 - share:.0%}: impact extrapolated")
        return CostPart(Component.IMPACT_TEMPORARY, cost, cost, Provenance.ESTIMATED)
    if view.adv is not None and view.adv > 0:
        sigma_day = volatility * math.sqrt(_SECONDS_PER_DAY)
        share = quantity / float(view.adv)
        cost = model.impact_coefficient * sigma_day * share**model.impact_exponent
        notes.append("impact from the square-root model")
        return CostPart(
            Component.IMPACT_TEMPORARY, cost, model.relative_error * cost, Provenance.ESTIMATED
        )
    cost = model.fallback_impact_bps
    notes.append(f"neither book nor volume: impact of {cost} bps assumed")
    return CostPart(Component.IMPACT_TEMPORARY, cost, cost, Provenance.ESTIMATED)


def _permanent(
    query: OrderQuery, view: MarketView, model: EstimateModel, volatility: float
) -> CostPart:
    # an order sent at once meets the mid it saw; one worked over a horizon moves half of its
    # own permanent impact and the market drifts over it (variance of an average: sigma^2 T / 3)
    expected = 0.0
    if query.horizon_s > 0.0 and view.adv is not None and view.adv > 0:
        sigma_day = volatility * math.sqrt(_SECONDS_PER_DAY)
        share = float(query.quantity) / float(view.adv)
        expected = model.permanent_coefficient * sigma_day * share / 2.0
    drift = volatility * math.sqrt(query.horizon_s / 3.0)
    sigma = math.hypot(drift, model.relative_error * expected)
    return CostPart(Component.IMPACT_PERMANENT, expected, sigma, Provenance.ESTIMATED)


def _funding(query: OrderQuery, view: MarketView, notes: list[str]) -> CostPart:
    settlements = query.hold_s / view.funding_interval_s
    if view.funding_rate is None:
        notes.append("funding rate unknown: 1 bp per settlement assumed as its deviation")
        return CostPart(Component.FUNDING, 0.0, max(settlements, 1.0), Provenance.ESTIMATED)
    each = query.side.sign * float(view.funding_rate) * _BPS
    expected = each * settlements
    return CostPart(Component.FUNDING, expected, abs(each) / 2.0, Provenance.MEASURED)


def _opportunity(query: OrderQuery, model: EstimateModel, volatility: float) -> CostPart:
    # an unfilled resting order is one the market ran away from: mean of the half-normal move
    move = volatility * math.sqrt(max(query.horizon_s, 1.0))
    expected = (1.0 - model.fill_probability) * move * math.sqrt(2.0 / math.pi)
    return CostPart(Component.OPPORTUNITY, expected, move / 2.0, Provenance.ESTIMATED)


def _quantiles(model: EstimateModel, confidence: float) -> tuple[float, float]:
    if not 0.0 < confidence < 1.0:
        raise InputError(
            f"confidence {confidence} is not between 0 and 1",
            where="confidence",
            remedy="give a share such as 0.8",
        )
    if model.z_low is not None and model.z_high is not None and model.z_confidence == confidence:
        return model.z_low, model.z_high
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    return -z, z
