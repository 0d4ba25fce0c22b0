"""The tape of a simulated market: minutes of trades, bars in their place."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from oem_exec import Candle
from oem_exec.simulation.tape import DAY_NS, MINUTE_NS, Tape

D = Decimal
TRADES = st.lists(
    st.tuples(st.integers(1, 200), st.integers(1, 50), st.integers(0, 3 * MINUTE_NS)), min_size=1
)


@given(TRADES)
def test_prop_no_trade_is_lost_and_candles_hold_their_prices(
    trades: list[tuple[int, int, int]],
) -> None:
    tape, now = Tape(), DAY_NS
    for price, size, later in trades:
        now += later
        tape.trade(D(price), D(size), now)
    whole = tape.candles(10_000, now + MINUTE_NS)
    assert sum(c.volume for c in whole) == sum(size for _, size, _ in trades)
    assert [c.open_ns for c in whole] == sorted({c.open_ns for c in whole})
    assert all(c.low <= min(c.open, c.close) <= max(c.open, c.close) <= c.high for c in whole)
    assert (whole[0].open, whole[-1].close) == (trades[0][0], trades[-1][0])
    assert max(c.high for c in whole) == max(price for price, _, _ in trades)
    assert tape.volume(now, 10**18) == sum(size for _, size, _ in trades)
    span = tape.span(now, 10**18)
    assert span is not None
    assert (span.open, span.low) == (trades[0][0], min(price for price, _, _ in trades))


def test_a_bar_takes_the_place_of_what_traded_inside_it_and_old_bars_are_left_out() -> None:
    tape = Tape()
    hour = 60 * MINUTE_NS
    tape.bar(Candle(0, D(1), D(1), D(1), D(1), D(5), hour))
    tape.trade(D(9), D(1), hour + 7)
    tape.trade(D(8), D(1), hour + 3)  # late: it goes to the newest candle
    bar = Candle(hour, D(2), D(9), D(2), D(3), D(7), hour)
    tape.bar(bar)
    tape.bar(Candle(0, D(4), D(4), D(4), D(4), D(4), MINUTE_NS))
    assert tape.candles(9, 2 * hour) == (Candle(0, D(1), D(1), D(1), D(1), D(5), hour), bar)
    assert tape.candles(9, 2 * hour - 1)[-1].open_ns == 0
    assert tape.volume(2 * hour, hour) == 7
    assert tape.quote_volume(2 * hour, hour) == 21
    assert Tape().span(5) is None
