"""What the lab's simulated engine lets a strategy trade, bar by bar, against a plain reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_risk import RiskProfile, profile_from, shipped_profile
from oem_risk.lab.trade import trade


def profile(**changes: object) -> RiskProfile:
    return profile_from({**shipped_profile("balanced").model_dump(), **changes})


def run(
    wanted: np.ndarray, moves: np.ndarray, limits: RiskProfile, cost: float = 0.0, day: int = 4
):
    grid = np.arange(wanted.shape[2] + 1)
    return trade(
        wanted, moves, limits, cost_bps=cost, bars_per_day=day, bars_per_year=365.0 * day, grid=grid
    )


def one(*rows: list[float]) -> np.ndarray:
    return np.array([[row] for row in rows])


def test_an_order_larger_than_the_largest_is_sent_in_parts() -> None:
    columns, equity = run(one([0.5] * 4), one([0.1] * 4), profile(max_order=0.2, max_position=0.5))
    # 20 %, 20 % more on top of what the first have become, then all of the 50 %
    second = 0.22 / 1.02 + 0.2
    third = second * 1.1 / (1 + 0.1 * second)
    assert equity[0] == pytest.approx(np.cumprod([1, 1.02, 1 + 0.1 * second, 1.05, 1.05]))
    assert columns.order[0] == pytest.approx(0.2)
    # the last bar sells what the rise made of the half
    assert columns.turnover[0] == pytest.approx(0.4 + (0.5 - third) + (0.55 / 1.05 - 0.5))


def test_a_holding_left_alone_moves_with_its_price_and_costs_nothing() -> None:
    limits = profile(max_daily_loss=0.03, max_position=0.5, max_order=0.5)
    wanted = one([0.1, 0.5, 0.5, 0.5])
    columns, equity = run(wanted, one([-0.3, -0.5, 1.0, 1.0]), limits, cost=100.0)
    # the limit is reached in the first bar: from then on the 7 % only fall and rise
    assert equity[0] == pytest.approx([1, 0.969, 0.934, 0.969, 1.039])
    assert columns.turnover[0] == pytest.approx(0.1)


def test_leaving_is_never_held_up_by_the_largest_order() -> None:
    limits = profile(max_order=0.1, max_position=0.5)
    columns, equity = run(one([0.1, 0.2, 0.3, 0.0]), one([0, 0, 0, -0.5]), limits)
    assert equity[0, -1] == 1.0
    assert columns.turnover[0] == pytest.approx(0.6)


def test_turning_over_leaves_at_once_and_enters_in_parts() -> None:
    limits = profile(max_order=0.1, max_position=0.3)
    _, equity = run(one([0.1, -0.3, -0.3]), one([0.0, 0.1, 0.1]), limits)
    # the short 10 % have become 11 of 99 before the next 10 are added
    assert equity[0] == pytest.approx([1, 1, 0.99, 0.99 * (1 - 0.1 * (0.11 / 0.99 + 0.1))])


def test_the_daily_loss_limit_stops_new_exposure_until_the_next_day() -> None:
    limits = profile(max_daily_loss=0.03, max_position=0.5, max_order=0.5)
    wanted = one([0.1, 0.3, 0.3, 0.2, 0.3, 0.3])
    columns, equity = run(wanted, one([-0.3, 0.1, 0.1, 0.1, 0.1, 0.1]), limits)
    # 3 % lost in the first bar: what is left of the 10 % is held for the day of four bars
    last = 0.9 + 0.07 * 1.1**3
    assert equity[0] == pytest.approx(
        [1, 0.97, 0.977, 0.9 + 0.07 * 1.1**2, last, last * 1.03, last * 1.03**2]
    )
    assert columns.stopped_days[0] == 1
    assert columns.worst_day[0] == pytest.approx(0.03)


def test_the_drawdown_limit_lets_only_out() -> None:
    limits = profile(max_drawdown=0.05, max_daily_loss=0.05, max_position=0.5, max_order=0.5,
                     volatility_target=0.2)  # fmt: skip
    _, equity = run(one([0.5, 0.5, 0.1, 0.5, 0.5]), one([-0.1, 0, 0, 0, 0.1]), limits, day=1)
    # after the fall of 5 % it goes down to a tenth and not up again
    assert equity[0] == pytest.approx([1, 0.95, 0.95, 0.95, 0.95, 0.95 * 1.01])


def test_no_more_symbols_are_opened_than_may_be_open() -> None:
    limits = profile(max_open_positions=2)
    wanted = one([0.1, 0.1, 0.0, 0.0], [0.1] * 4, [0.1] * 4)
    columns, _ = run(wanted, np.zeros((3, 1, 4)), limits)
    assert columns.open_positions[0] == 2
    # the third is opened when the first is left
    assert columns.turnover[0] == pytest.approx(0.1 * 4)


def test_cost_is_taken_of_what_is_traded() -> None:
    columns, equity = run(one([0.2, 0.0]), np.zeros((1, 1, 2)), profile(), cost=100.0)
    # the same 20 of 100 are sold as were bought, of an equity that has paid once
    assert equity[0] == pytest.approx([1, 0.998, 0.996])
    assert columns.turnover[0] == pytest.approx(0.2 + 0.2 / 0.998)


def test_a_path_that_loses_everything_ends_at_zero_without_nan() -> None:
    limits = profile(max_leverage=20.0, max_position=20.0, max_order=20.0)
    columns, equity = run(one([15.0] * 9), one([-0.2] + [0.1] * 8), limits)
    assert equity[0, -1] == 0.0
    assert columns.max_drawdown[0] == columns.worst_day[0] == 1.0
    assert all(np.isfinite(getattr(columns, name)).all() for name in columns.names())


def plain(wanted: np.ndarray, moves: np.ndarray, limits: RiskProfile, cost: float, day: int):
    """The same rules for one path, written as a person would."""
    held = [0.0] * len(wanted)
    equity = peak = start = 1.0
    deepest, stopped = 0.0, False
    for t in range(wanted.shape[1]):
        if t % day == 0:
            start, stopped = equity, False
        if start > 0 and 1 - equity / start >= limits.max_daily_loss:
            stopped = True
        frozen = stopped or 1 - equity / peak >= limits.max_drawdown
        new = []
        for have, want in zip(held, wanted[:, t], strict=True):
            kept = min(have, max(want, 0.0)) if have >= 0 else max(have, min(want, 0.0))
            add = 0.0 if frozen else max(-limits.max_order, min(limits.max_order, want - kept))
            new.append((kept, add))
        count = sum(kept != 0 for kept, _ in new)
        final = []
        for kept, add in new:
            if kept == 0 and add != 0:
                if count >= limits.max_open_positions:
                    add = 0.0
                else:
                    count += 1
            final.append(kept + add)
        paid = sum(abs(a - b) for a, b in zip(final, held, strict=True)) * cost * 1e-4
        net = sum(w * m for w, m in zip(final, moves[:, t], strict=True)) - paid
        equity *= 1 + max(net, -1.0)
        peak = max(peak, equity)
        deepest = max(deepest, 1 - equity / peak)
        held = [w * (1 + m) / (1 + net) if net > -1 else 0.0
                for w, m in zip(final, moves[:, t], strict=True)]  # fmt: skip
    return equity, deepest


@given(
    seed=st.integers(0, 10_000),
    symbols=st.integers(1, 4),
    steps=st.integers(1, 30),
    day=st.integers(1, 7),
    most=st.integers(1, 4),
)
def test_prop_the_fast_kernel_is_the_plain_one(
    seed: int, symbols: int, steps: int, day: int, most: int
) -> None:
    rng = np.random.default_rng(seed)
    wanted = rng.uniform(-0.35, 0.35, (symbols, 5, steps)) * (rng.random((symbols, 5, steps)) < 0.6)
    moves = rng.normal(0, 0.05, (symbols, 5, steps))
    limits = profile(max_order=0.15, max_open_positions=most, max_drawdown=0.1)
    columns, equity = run(wanted, moves, limits, 11.0, day)
    for path in range(5):
        value, deepest = plain(wanted[:, path], moves[:, path], limits, 11.0, day)
        assert equity[path, -1] == pytest.approx(value, rel=1e-12)
        assert columns.max_drawdown[path] == pytest.approx(deepest, rel=1e-9, abs=1e-12)
