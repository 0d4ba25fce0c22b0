"""The tier a fee has is the one the account had reached by then."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_tco import (
    CostRules,
    FeeAccount,
    FeeBook,
    FeeRules,
    InputError,
    InputTable,
    RollingVolume,
    TableCosts,
    TcoTables,
    cost_partitions,
    cost_tables,
    read_table,
    split_tables,
    traded_volume,
    with_traded_volume,
)
from oem_tco.fees.schedule import load_schedule
from oem_tco.money import MINOR_PER_UNIT
from oem_tco.tables.rolling import WINDOW_NS
from tco_support import NOON_NS, fill, order
from tco_tables import fills_of, orders_of

D = Decimal
DAY = 86_400 * 10**9
BOOK = FeeBook(
    (
        load_schedule(
            """
venue = "v"
market = "spot"
[[version]]
version = "1"
effective = 2020-01-01T00:00:00Z
source = "test"
volume_currency = "USD"
tiers = [
  { name = "a", maker = "0.01", taker = "0.01" },
  { name = "b", min_volume = "1000", maker = "0.005", taker = "0.005" },
  { name = "c", min_volume = "2000", maker = "0", taker = "0.001" },
]
""",
            "v.toml",
        ),
    )
)


def tables(days: list[float], currency: str = "USD", rate: str | None = None) -> TcoTables:
    """A buy of 5 at 100 on each of some days, by turns in two symbols, no fee told."""
    rows, done = [], []
    for n, day in enumerate(days):
        at = NOON_NS + round(day * DAY)
        symbol = f"{'AB'[n % 2]}/{currency}"
        rows.append(
            order(
                order_id=f"o{n}", venue="v", symbol=symbol, currency=currency, quantity=D(5),
                decision_time_ns=at, arrival_time_ns=at, end_time_ns=at,
                decision_price=D(100), arrival_price=D(100), end_price=D(100),
            )
        )  # fmt: skip
        done.append(
            fill(
                fill_id=f"f{n}", order_id=f"o{n}", time_ns=at, price=D(100), quantity=D(5),
                fee_asset=currency, bid=D(99), ask=D(100),
            )
        )  # fmt: skip
    fills = fills_of(done).arrow()
    at = fills.column_names.index("fee_amount")
    blank = fills.set_column(at, "fee_amount", pa.array([None] * len(done), pa.string()))
    rates: InputTable | None = None
    if rate is not None:
        rates = read_table(
            "rates",
            pa.table(
                {"asset": [currency], "currency": ["USD"], "time_ns": [NOON_NS], "rate": [rate]}
            ),
        )
    return TcoTables(orders_of(rows), read_table("fills", blank), rates=rates)


def rates_of(costs: TableCosts) -> list[float]:
    """The rate each fill was charged, by time."""
    return [r["fees_minor"] / (500 * MINOR_PER_UNIT) for r in costs.fills.to_pylist()]


def rules(account: FeeAccount | None = None) -> CostRules:
    return CostRules(fees=FeeRules(BOOK, {} if account is None else {"v": account}))


def test_each_fill_is_charged_the_tier_of_the_thirty_days_before_it() -> None:
    given = tables([0, 1, 2, 3, 4, 30.5, 60])
    found = cost_tables(given, with_traded_volume(rules(), given))
    # 0, 500, 1000, 1500, 2000 before the first five; 2000 on day 30.5; 500 on day 60
    assert rates_of(found) == [0.01, 0.01, 0.005, 0.005, 0.001, 0.001, 0.01]
    assert rates_of(cost_tables(given, rules())) == [0.01] * 7


def test_what_was_traded_elsewhere_is_added_and_a_named_tier_stays() -> None:
    given = tables([0, 1])
    more = rules(FeeAccount(volume_30d=D(1500)))
    assert rates_of(cost_tables(given, with_traded_volume(more, given))) == [0.005, 0.001]
    told = rules(FeeAccount(tier="b"))
    assert rates_of(cost_tables(given, with_traded_volume(told, given))) == [0.005, 0.005]


def test_volume_is_counted_in_the_schedules_currency() -> None:
    given = tables([0, 1, 2], "EUR", rate="2")
    assert rates_of(cost_tables(given, with_traded_volume(rules(), given))) == [0.01, 0.005, 0.001]
    with pytest.raises(InputError, match="no rate from EUR"):
        with_traded_volume(rules(), tables([0], "EUR"))


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_by_symbol_have_the_tier_of_the_whole_account(parts: int) -> None:
    given = tables([0, 1, 2, 3, 4, 30.5])
    mine = with_traded_volume(rules(), given)
    whole, cut = cost_tables(given, mine), cost_partitions(split_tables(given, parts), mine)
    assert cut.fills.equals(whole.fills)
    assert cut.orders.equals(whole.orders)


@given(
    st.lists(st.tuples(st.integers(0, 70), st.integers(0, 2**62)), max_size=8),
    st.lists(st.integers(0, 80), min_size=1, max_size=5),
)
def test_the_window_is_that_of_the_plain_sum(trades: list[tuple[int, int]], at: list[int]) -> None:
    unit = WINDOW_NS // 30
    times = np.array([t * unit for t, _ in trades], np.int64)
    volume = RollingVolume.of([(times, np.array([a for _, a in trades], np.int64))])
    plain = [(t * unit, D(a)) for t, a in trades]
    assert volume.before(np.array(at, np.int64) * unit).tolist() == [
        traded_volume(plain, one * unit) for one in at
    ]
