"""What the same orders would have cost had the world been worse: tier lost, wide, thin, slow.

A stress never makes an order cheaper. Each scenario changes one named part of each order, so that
the stressed parts still sum exactly; where several happen at once their additions are summed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from oem_tco.analysis.groups import Dimension, key_of
from oem_tco.analysis.volatility import Volatility, ledger_volatility
from oem_tco.errors import InputError
from oem_tco.fees.book import FeeAccount, FeeBook
from oem_tco.ledger.analysis import TcoResult
from oem_tco.ledger.rows import FillRow, OrderRow
from oem_tco.ledger.shortfall import Shortfall
from oem_tco.money import EXACT, bps, value_minor
from oem_tco.pretrade.estimate import EstimateModel
from oem_tco.terms import COMPONENTS, Component, Liquidity, Provenance

_BPS = 10_000
_HALF = Decimal("0.5")


class CostScenario(BaseModel):
    """One way in which costs may turn out worse; the defaults change nothing.

    Attributes:
        name: Name in reports.
        fee_tier_lost: Every fill pays the rate of the entry tier, without discounts.
        spread_factor: Takers pay this many times the half spread, at least 1. What makers earn
            stays as it was: a wider spread comes with fills that run against them.
        depth_divisor: Every level holds this many times less, at least 1.
        depth_exponent: How impact grows with size against depth: 1 walks a book of even depth,
            0.5 is the square-root law.
        latency_ms: Added time from decision to matching, at least 0.
        adverse_sigmas: Standard deviations the mid moves against the order in that time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=32)
    fee_tier_lost: bool = False
    spread_factor: float = Field(default=1.0, ge=1, le=1_000, allow_inf_nan=False)
    depth_divisor: float = Field(default=1.0, ge=1, le=1_000, allow_inf_nan=False)
    depth_exponent: float = Field(default=1.0, gt=0, le=2, allow_inf_nan=False)
    latency_ms: float = Field(default=0.0, ge=0, le=3_600_000, allow_inf_nan=False)
    adverse_sigmas: float = Field(default=1.0, ge=0, le=10, allow_inf_nan=False)


DEFAULT_COST_SCENARIOS: tuple[CostScenario, ...] = (
    CostScenario(name="fee_tier_lost", fee_tier_lost=True),
    CostScenario(name="spread_x3", spread_factor=3.0),
    CostScenario(name="depth_div4", depth_divisor=4.0),
    CostScenario(name="latency_1s", latency_ms=1_000.0),
    CostScenario(
        name="all_at_once",
        fee_tier_lost=True,
        spread_factor=3.0,
        depth_divisor=4.0,
        latency_ms=1_000.0,
    ),
)
"""Used where the caller names none."""


def load_scenarios(data: bytes | str, where: str) -> tuple[CostScenario, ...]:
    """Return the scenarios of a JSON list of objects with `CostScenario`'s fields.

    Args:
        data: The text.
        where: File name for errors.

    Raises:
        InputError: It is not such a list, is empty, or two scenarios have the same name.

    Example:
        >>> load_scenarios('[{"name": "wide", "spread_factor": 2}]', "here")[0].spread_factor
        2.0
    """
    try:
        scenarios = TypeAdapter(tuple[CostScenario, ...]).validate_json(data)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors()
        )
        raise InputError(wrong, where=where, remedy="mend the named fields") from None
    names = [scenario.name for scenario in scenarios]
    if not names or len(set(names)) < len(names):
        raise InputError(
            "no scenario, or two of the same name", where=where, remedy="name each scenario once"
        )
    return scenarios


@dataclass(frozen=True, slots=True)
class StressedCost:
    """What a group of orders would have cost in a scenario.

    Attributes:
        scenario: The scenario's name.
        key: Values of the dimensions asked for.
        currency: Quote currency.
        orders: Number of orders.
        notional: Minor units, what bps refer to.
        base: What they cost, minor units.
        added: Component to what the scenario adds, minor units, never negative.
        total: `base` plus everything added.
    """

    scenario: str
    key: tuple[str, ...]
    currency: str
    orders: int
    notional: int
    base: int
    added: Mapping[Component, int]
    total: int

    @property
    def base_bps(self) -> float:
        return bps(self.base, self.notional)

    @property
    def total_bps(self) -> float:
        return bps(self.total, self.notional)


@dataclass(frozen=True, slots=True)
class StressReport:
    """Every scenario of a stress, and each assumption that had to be made.

    Attributes:
        scenarios: What was applied.
        costs: By scenario, then key and currency.
        notes: Fallbacks that were used and how many orders or fills they concern, sorted.
    """

    scenarios: tuple[CostScenario, ...]
    costs: tuple[StressedCost, ...]
    notes: tuple[str, ...]


def stress_costs(
    result: TcoResult,
    fills: Iterable[FillRow],
    fees: FeeBook,
    *,
    scenarios: Sequence[CostScenario] = DEFAULT_COST_SCENARIOS,
    by: Sequence[Dimension | str] = (),
    fee_venues: Mapping[str, str] | None = None,
    model: EstimateModel | None = None,
) -> StressReport:
    """Return what the orders of a ledger would have cost in each scenario.

    Args:
        result: The analysis of the ledger.
        fills: Its fills, any order, each id once.
        fees: Schedules; where none applies the upper end of the estimate is charged.
        scenarios: What to apply.
        by: Dimensions to group by; none gives one line for each currency.
        fee_venues: Venue to the venue whose schedule it charges, for a paper venue.
        model: Its fallbacks stand in for a quote or a volatility that is not known.

    Returns:
        Exact sums; every assumption is named in `notes`.

    Raises:
        InputError: A dimension is not known.
    """
    model = model or EstimateModel()
    of_order: dict[str, list[FillRow]] = {s.order.order_id: [] for s in result.orders}
    for fill in fills:
        if fill.order_id in of_order:
            of_order[fill.order_id].append(fill)
    for own in of_order.values():
        own.sort(key=lambda f: (f.time_ns, f.fill_id))
    volatilities = ledger_volatility(
        [s.order for s in result.orders], (f for own in of_order.values() for f in own)
    )
    keys = [key_of(name, 1) for name in by]
    counted: dict[str, int] = {}
    costs: list[StressedCost] = []
    for scenario in scenarios:
        worlds = _World(scenario, fees, fee_venues or {}, volatilities, model, counted)
        groups: dict[tuple[tuple[str, ...], str], list[tuple[Shortfall, dict[Component, int]]]] = {}
        for found in result.orders:
            added = worlds.added(found, of_order[found.order.order_id])
            group = (tuple(of(found) for of in keys), found.order.currency)
            groups.setdefault(group, []).append((found, added))
        costs += [
            _sum(scenario.name, key, currency, members)
            for (key, currency), members in sorted(groups.items(), key=lambda item: item[0])
        ]
    notes = tuple(sorted(f"{note}: {count}" for note, count in counted.items()))
    return StressReport(tuple(scenarios), tuple(costs), notes)


class _World:
    """One scenario and what is known of the market; counts each assumption it has to make."""

    def __init__(
        self,
        scenario: CostScenario,
        fees: FeeBook,
        fee_venues: Mapping[str, str],
        volatilities: Mapping[tuple[str, str], Volatility],
        model: EstimateModel,
        counted: dict[str, int],
    ) -> None:
        self._scenario = scenario
        self._fees = fees
        self._fee_venues = fee_venues
        self._volatilities = volatilities
        self._model = model
        self._counted = counted

    def added(self, found: Shortfall, fills: Sequence[FillRow]) -> dict[Component, int]:
        scenario = self._scenario
        added = dict.fromkeys(COMPONENTS, 0)
        if scenario.fee_tier_lost:
            added[Component.FEES] = self._fees_added(found, fills)
        takers = [fill for fill in fills if fill.liquidity is Liquidity.TAKER]
        if scenario.spread_factor > 1:
            factor = EXACT.subtract(Decimal(scenario.spread_factor), Decimal(1))
            halves = [self._half(found, fill) for fill in takers]
            added[Component.SPREAD] = sum(value_minor(half, factor) for half in halves)
        if scenario.depth_divisor > 1:
            added[Component.IMPACT_TEMPORARY] = sum(self._thinner(found, f) for f in takers)
        if scenario.latency_ms > 0:
            added[Component.DELAY] = self._delay_added(found)
        return added

    def _fees_added(self, found: Shortfall, fills: Sequence[FillRow]) -> int:
        order = found.order
        venue = self._fee_venues.get(order.venue, order.venue)
        entry = 0
        for fill in fills:
            rate = self._fees.commission(
                venue, order.market, fill.liquidity, fill.time_ns, FeeAccount(), order.symbol
            )
            if rate.provenance is Provenance.ESTIMATED:
                self._count(f"fills charged the upper end of an estimate, {rate.note}")
            highest = max(rate.rate, rate.high_rate)
            entry += value_minor(_worth(order, fill.price, fill.quantity), highest)
        return max(0, entry - found.parts[Component.FEES])

    def _half(self, found: Shortfall, fill: FillRow) -> Decimal:
        """Return the half spread a taker's fill paid, units of the order's currency."""
        order = found.order
        if fill.bid is None or fill.ask is None or not 0 < fill.bid <= fill.ask:
            half = self._model.fallback_half_spread_bps
            self._count(f"fills without a valid quote, half spread of {half:g} bps assumed")
            value = _worth(order, fill.price, fill.quantity)
            return EXACT.multiply(value, Decimal(half).scaleb(-4, EXACT))
        if order.inverse:
            mid, touch = (fill.bid + fill.ask) / 2, fill.ask if order.side.sign > 0 else fill.bid
            at_mid, at_touch = (_worth(order, price, fill.quantity) for price in (mid, touch))
            return abs(EXACT.subtract(at_touch, at_mid))
        spread = EXACT.subtract(fill.ask, fill.bid)
        return EXACT.multiply(EXACT.multiply(spread, _HALF), fill.quantity)

    def _thinner(self, found: Shortfall, fill: FillRow) -> int:
        """Return what a fill would pay more beyond the touch, minor units."""
        scenario = self._scenario
        divisor = scenario.depth_divisor
        quoted = fill.bid is not None and fill.ask is not None and 0 < fill.bid <= fill.ask
        if quoted and fill.bid is not None and fill.ask is not None:
            sign = found.order.side.sign
            touch = fill.ask if sign > 0 else fill.bid
            beyond = EXACT.multiply(EXACT.subtract(fill.price, touch), fill.quantity)
            if found.order.inverse:
                sign = found.order.cost_sign
                at_price, at_touch = (
                    _worth(found.order, price, fill.quantity) for price in (fill.price, touch)
                )
                beyond = EXACT.subtract(at_price, at_touch)
            if sign * beyond > 0:
                more = EXACT.subtract(Decimal(divisor**scenario.depth_exponent), Decimal(1))
                return sign * value_minor(beyond, more)
            self._count(
                "fills at the touch, taken to have emptied it, each next level a half spread away"
            )
        # a fill of n levels that are a half spread apart pays (n - 1) / 2 of them on average
        return value_minor(self._half(found, fill), Decimal((divisor - 1) / 2))

    def _delay_added(self, found: Shortfall) -> int:
        order, scenario = found.order, self._scenario
        known = self._volatilities.get((order.venue, order.symbol))
        if known is None:
            sigma = self._model.fallback_volatility_bps_per_sqrt_s
            self._count(f"orders of unknown volatility, {sigma:g} bps per sqrt(s) assumed")
        else:
            sigma = known.bps_per_sqrt_s
        move = scenario.adverse_sigmas * sigma * math.sqrt(scenario.latency_ms / 1_000)
        return round(Fraction(found.notional) * Fraction(move) / _BPS)

    def _count(self, note: str) -> None:
        name = f"{self._scenario.name}, {note}"
        self._counted[name] = self._counted.get(name, 0) + 1


_QUOTIENT = Context(prec=60)  # of an inverse contract's value, far finer than a minor unit


def _worth(order: OrderRow, price: Decimal, quantity: Decimal) -> Decimal:
    """Return what a quantity is worth at a price, units of the order's currency."""
    if order.inverse:
        return _QUOTIENT.divide(quantity, price)
    return EXACT.multiply(price, quantity)


def _sum(
    scenario: str,
    key: tuple[str, ...],
    currency: str,
    members: Sequence[tuple[Shortfall, Mapping[Component, int]]],
) -> StressedCost:
    added = {c: sum(more[c] for _, more in members) for c in COMPONENTS}
    base = sum(found.total for found, _ in members)
    return StressedCost(
        scenario,
        key,
        currency,
        len(members),
        sum(found.notional for found, _ in members),
        base,
        added,
        base + sum(added.values()),
    )
