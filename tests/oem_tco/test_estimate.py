"""The estimate before the trade: components, interval, provenance, and whether it holds."""

from __future__ import annotations

import json
import math
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_tco import (
    Component,
    CostEstimate,
    CoverageTracker,
    EstimateModel,
    FeeBook,
    InputError,
    Liquidity,
    MarketView,
    OrderQuery,
    OrderType,
    Provenance,
    Side,
    estimate,
)
from oem_tco.pretrade.coverage import rank_venues, realised_cost_bps
from oem_tco.pretrade.estimate import with_confidence

D = Decimal
FEES = FeeBook.shipped()
ASKS = ((D("100.01"), D(1)), (D("100.11"), D(1)), (D("100.21"), D(2)))
BIDS = ((D("99.99"), D(1)), (D("99.89"), D(1)), (D("99.79"), D(2)))
VIEW = MarketView(D("99.99"), D("100.01"), BIDS, ASKS, volatility_bps_per_sqrt_s=1.0, adv=D(1000))


def query(quantity: str = "1", **changes: object) -> OrderQuery:
    fields = {
        "venue": "binance",
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "at_ns": 1735776000 * 10**9,
    }
    return OrderQuery(**{**fields, "quantity": D(quantity), **changes})


def test_parts_sum_to_the_expectation_inside_the_interval() -> None:
    found = estimate(query("2"), VIEW, FEES)
    total = 0.0
    for part in found.components:
        total += part.expected_bps
    assert total == found.expected_bps
    assert found.low_bps < found.expected_bps < found.high_bps
    assert found.part_bps(Component.SPREAD) == pytest.approx(1.0)
    assert found.part_bps(Component.FEES) == pytest.approx(10.0)
    assert found.schedule_version.startswith("binance/spot/")


def test_the_walk_of_the_book_is_measured() -> None:
    found = estimate(query("2"), VIEW, FEES)
    # half at the touch, half 0.10 above it
    expected = 0.05 / 100 * 1e4
    assert found.part_bps(Component.IMPACT_TEMPORARY) == pytest.approx(expected)


@pytest.mark.parametrize("side", list(Side))
def test_spread_and_impact_add_up_to_the_average_price_however_wide_the_spread(side: Side) -> None:
    asks = ((D(101), D("0.5")), (D(103), D(5)))
    bids = ((D(99), D("0.5")), (D(97), D(5)))
    found = estimate(query(side=side), MarketView(D(99), D(101), bids, asks), FEES)
    paid = found.part_bps(Component.SPREAD) + found.part_bps(Component.IMPACT_TEMPORARY)
    assert paid == pytest.approx(200.0)


def test_levels_without_size_are_no_book() -> None:
    empty = MarketView(D("99.99"), D("100.01"), (), ((D("100.01"), D(0)),))
    assert "neither book nor volume" in " ".join(estimate(query(), empty, FEES).notes)
    holed = MarketView(D("99.99"), D("100.01"), (), ((D("100.01"), D(0)), *ASKS))
    full = MarketView(D("99.99"), D("100.01"), (), ASKS)
    assert estimate(query("2"), holed, FEES) == estimate(query("2"), full, FEES)


@pytest.mark.parametrize(
    "levels",
    [
        ((D("nan"), D(1)),),
        ((D(100), D("nan")),),
        ((D(100), D(-1)),),
        ((D(0), D(1)),),
        ((D(102), D(1)), (D(101), D(1))),
    ],
)
def test_a_book_that_is_none_is_refused_and_not_walked(levels: tuple[tuple[D, D], ...]) -> None:
    with pytest.raises(InputError, match="levels_ask"):
        MarketView(D(99), D(101), (), levels)
    flipped = tuple((-p + 200 if p.is_finite() and p > 0 else p, s) for p, s in levels)
    with pytest.raises(InputError, match="levels_bid"):
        MarketView(D(99), D(101), flipped)


@given(side=st.sampled_from(Side), sizes=st.lists(st.integers(1, 40), min_size=2, max_size=2))
def test_a_larger_order_never_costs_less(side: Side, sizes: list[int]) -> None:
    small, large = (
        estimate(query(str(D(n) / 10), side=side), VIEW, FEES).expected_bps for n in sorted(sizes)
    )
    assert small <= large + 1e-9


def test_a_book_that_is_too_thin_is_extrapolated_and_says_so() -> None:
    found = estimate(query("8"), VIEW, FEES)
    assert any("visible book fills only 50%" in note for note in found.notes)
    assert found.provenance is Provenance.ESTIMATED
    assert found.part_bps(Component.IMPACT_TEMPORARY) > 20.0


def test_every_missing_piece_falls_back_says_so_and_widens_the_interval() -> None:
    blind = estimate(query(venue="nowhere"), MarketView(None, None, last_price=D(100)), FEES)
    seen = estimate(query(), VIEW, FEES)
    assert blind.provenance is Provenance.ESTIMATED
    assert len(blind.notes) >= 5
    assert blind.high_bps - blind.low_bps > seen.high_bps - seen.low_bps
    assert blind.expected_bps > 0
    assert blind.schedule_version == ""


def test_a_crossed_quote_is_not_used() -> None:
    view = MarketView(D(101), D(100), last_price=D(100))
    assert "crossed quote: not used" in estimate(query(), view, FEES).notes


def test_without_any_price_there_is_no_estimate() -> None:
    with pytest.raises(InputError, match="neither a valid quote nor a last price"):
        estimate(query(), MarketView(None, None), FEES)


@pytest.mark.parametrize("wrong", [{"quantity": D(0)}, {"quantity": D("NaN")}, {"latency_ms": -1}])
def test_an_order_without_sense_is_refused(wrong: dict[str, object]) -> None:
    fields = {"venue": "v", "symbol": "s", "side": Side.BUY, "quantity": D(1)}
    with pytest.raises(InputError):
        OrderQuery(**{**fields, **wrong})


def test_a_resting_order_earns_the_spread_and_may_miss() -> None:
    resting = query(order_type=OrderType.LIMIT, liquidity=Liquidity.MAKER, horizon_s=60.0)
    found = estimate(resting, VIEW, FEES)
    assert found.part_bps(Component.SPREAD) == pytest.approx(-1.0)
    assert found.part_bps(Component.IMPACT_TEMPORARY) == 0.0
    assert found.part_bps(Component.OPPORTUNITY) > 0.0


def test_a_worked_order_uses_the_square_root_law_and_moves_the_market() -> None:
    worked = estimate(query("10", horizon_s=3600.0), VIEW, FEES)
    assert "impact from the square-root model" in worked.notes
    sigma_day = math.sqrt(86_400)
    expected = sigma_day * math.sqrt(10 / 1000)
    assert worked.part_bps(Component.IMPACT_TEMPORARY) == pytest.approx(expected)
    assert worked.part_bps(Component.IMPACT_PERMANENT) == pytest.approx(
        0.314 * sigma_day * 0.01 / 2
    )


def test_funding_is_part_of_a_perpetual_and_unknown_funding_is_noted() -> None:
    rate = MarketView(D("99.99"), D("100.01"), BIDS, ASKS, 1.0, funding_rate=D("0.0001"))
    held = query(market="linear", hold_s=28_800.0 * 3)
    long, short = (
        estimate(query(market="linear", hold_s=28_800.0 * 3, side=s), rate, FEES).part_bps(
            Component.FUNDING
        )
        for s in (Side.BUY, Side.SELL)
    )
    assert long == pytest.approx(-short)
    assert long > 0
    assert any("funding" in note for note in estimate(held, VIEW, FEES).notes)


def test_an_estimate_survives_json_exactly() -> None:
    found = estimate(query("2"), VIEW, FEES)
    assert CostEstimate.from_record(json.loads(json.dumps(found.to_record()))) == found


def test_more_confidence_is_a_wider_interval() -> None:
    found = estimate(query(), VIEW, FEES)
    wider = with_confidence(found, EstimateModel(), 0.95)
    assert wider.low_bps < found.low_bps
    assert wider.high_bps > found.high_bps


def test_calibration_brings_the_coverage_to_what_was_wanted() -> None:
    rng = random.Random(5)
    model, tracker = EstimateModel(), CoverageTracker()
    for _ in range(400):
        found = estimate(query(), VIEW, FEES, model=model)
        tracker.observe(found, found.expected_bps + 3 * found.sigma_bps * rng.gauss(0.3, 1.0))
    assert not tracker.coverage().consistent
    calibrated, second = tracker.calibrated(model), CoverageTracker()
    for _ in range(1000):
        found = estimate(query(), VIEW, FEES, model=calibrated)
        second.observe(found, found.expected_bps + 3 * found.sigma_bps * rng.gauss(0.3, 1.0))
    assert second.coverage("binance").share == pytest.approx(0.8, abs=0.05)
    again = CoverageTracker.from_record(json.loads(json.dumps(second.to_record())))
    assert again.observations == second.observations


def test_few_observations_change_nothing() -> None:
    tracker = CoverageTracker()
    assert tracker.calibrated(EstimateModel()) == EstimateModel()
    assert tracker.coverage().count == 0
    assert tracker.venue_bias_bps("binance") == 0.0


def test_a_venue_that_cost_more_than_it_promised_falls_back_in_the_ranking() -> None:
    tracker = CoverageTracker()
    one, other = (estimate(query(venue=v), VIEW, FEES) for v in ("binance", "nowhere"))
    assert rank_venues([one, other], tracker)[0][0] == "binance"
    for _ in range(200):
        tracker.observe(one, one.expected_bps + 500.0)
    assert rank_venues([one, other], tracker)[0][0] == "nowhere"


def test_observations_that_do_not_fit_are_refused() -> None:
    found = estimate(query(), VIEW, FEES)
    with pytest.raises(InputError, match="not a number"):
        CoverageTracker().observe(found, math.nan)
    with pytest.raises(InputError, match="confidence"):
        CoverageTracker(confidence=0.9).observe(found, 1.0)
    with pytest.raises(InputError, match="no fill"):
        realised_cost_bps(Side.BUY, D(100), [])


@given(price=st.integers(1, 10**6), fee=st.integers(-1000, 1000))
def test_a_fill_at_the_reference_costs_its_fee_on_either_side(price: int, fee: int) -> None:
    amount = D(fee) / 1000
    for side in Side:
        cost = realised_cost_bps(side, D(price), [(D(price), D(1), amount)])
        assert cost == pytest.approx(float(amount) / price * 1e4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"funding_interval_s": 0.0},
        {"volatility_bps_per_sqrt_s": math.nan},
        {"volatility_bps_per_sqrt_s": -1.0},
        {"quote_age_ms": -1.0},
        {"adv": Decimal("NaN")},
        {"funding_rate": Decimal("Infinity")},
    ],
)
def test_a_market_view_that_cannot_be_is_refused_with_a_remedy(
    wrong: dict[str, Decimal | float],
) -> None:
    with pytest.raises(InputError) as refused:
        MarketView(Decimal(99), Decimal(101), **wrong)
    assert refused.value.remedy
    with pytest.raises(InputError):
        OrderQuery("v", "X", Side.BUY, Decimal(1), horizon_s=math.nan)
