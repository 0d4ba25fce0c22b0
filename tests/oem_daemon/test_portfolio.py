"""Cash, positions and profit follow from fills and marks alone."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from oem_daemon.portfolio import NS_PER_DAY, Portfolio

D = Decimal
FILLS = st.lists(
    st.tuples(
        st.sampled_from([-3, -2, -1, 1, 2, 3]),
        st.integers(50, 150),
        st.integers(0, 2),
    ),
    max_size=30,
)


@given(fills=FILLS, mark=st.integers(50, 150))
def test_equity_is_cash_flow_plus_holdings(fills: list[tuple[int, int, int]], mark: int) -> None:
    portfolio = Portfolio(D(10_000))
    for quantity, price, fee in fills:
        portfolio.apply_fill("X/Q", D(quantity), D(price), D(fee))
    portfolio.mark({"X/Q": D(mark)}, 0)
    held = sum(q for q, _, _ in fills)
    paid = sum(q * p + f for q, p, f in fills)
    assert portfolio.equity == 10_000 - paid + held * mark
    position = portfolio.position("X/Q")
    gained = portfolio.equity - 10_000 + portfolio.fees_paid
    assert abs(position.realized + position.unrealized - gained) < D("1e-20")


def test_turning_over_a_position_realises_the_closed_part() -> None:
    portfolio = Portfolio(D(1_000))
    portfolio.apply_fill("X/Q", D(2), D(100), D(0))
    portfolio.apply_fill("X/Q", D(-3), D(110), D(0))
    position = portfolio.position("X/Q")
    assert (position.quantity, position.average_price, position.realized) == (-1, 110, 20)


def test_drawdown_is_from_the_peak_and_daily_loss_from_the_utc_day() -> None:
    portfolio = Portfolio(D(1_000))
    portfolio.apply_fill("X/Q", D(1), D(100), D(0))
    portfolio.mark({"X/Q": D(200)}, 0)
    portfolio.mark({"X/Q": D(90)}, 1)
    assert portfolio.drawdown == D(110) / D(1_100)
    assert portfolio.daily_pnl == -110
    portfolio.mark({"X/Q": D(90)}, NS_PER_DAY)
    assert portfolio.daily_pnl == 0
    assert portfolio.open_positions == 1


def test_a_clock_set_back_does_not_give_the_days_loss_back() -> None:
    portfolio = Portfolio(D(1_000))
    portfolio.mark({}, 5 * NS_PER_DAY)
    portfolio.cash -= 30
    portfolio.mark({}, 4 * NS_PER_DAY)
    portfolio.mark({}, 5 * NS_PER_DAY + 1)
    assert portfolio.daily_pnl == -30
    portfolio.mark({}, 6 * NS_PER_DAY)
    assert portfolio.daily_pnl == 0


def test_a_fee_taken_from_what_was_bought_leaves_less_of_it() -> None:
    portfolio = Portfolio(D(1_000))
    portfolio.apply_fill("X/Q", D(2), D(100), D("0.2"), D("0.002"))
    portfolio.mark({"X/Q": D(110)}, 0)
    assert portfolio.position("X/Q").quantity == D("1.998")
    assert portfolio.cash == 800
    assert portfolio.fees_paid == D("0.2")
    assert portfolio.equity == 800 + D("1.998") * 110
