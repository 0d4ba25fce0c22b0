"""Fee schedules: which version and tier applies, and that nothing missing costs nothing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_tco import FeeAccount, FeeBook, InputError, Provenance, traded_volume
from oem_tco.errors import ScheduleError
from oem_tco.fees.schedule import load_schedule

HEAD = 'venue = "v"\nmarket = "spot"\n'
TIERS = """
[[version.tiers]]
name = "base"
maker = "-0.0001"
taker = "0.002"
[[version.tiers]]
name = "high"
min_volume = "1000"
min_holdings = "50"
maker = "-0.0002"
taker = "0.001"
[[version.discounts]]
asset = "TOK"
factor = "0.75"
"""


def version(name: str, effective: str, until: str = "", extra: str = "") -> str:
    ends = f"until = {until}T00:00:00Z\n" if until else ""
    return (
        f'[[version]]\nversion = "{name}"\neffective = {effective}T00:00:00Z\n{ends}'
        f'source = "test"\nvolume_currency = "USD"\nholdings_asset = "TOK"\n{extra}{TIERS}'
    )


def book(*versions: str, head: str = HEAD) -> FeeBook:
    return FeeBook((load_schedule(head + "".join(versions), "test.toml"),))


def version_at(fees: FeeBook, day: str, symbol: str = "") -> str:
    at = dt.date.fromisoformat(day)
    return fees.commission("v", "spot", "taker", at, symbol=symbol).schedule_version


def test_a_version_that_ended_leaves_a_gap_and_does_not_revive_the_one_before() -> None:
    fees = book(version("a", "2022-01-01"), version("b", "2023-01-01", "2023-06-01"))
    assert version_at(fees, "2022-12-31") == "v/spot/a"
    assert version_at(fees, "2023-05-31") == "v/spot/b"
    found = fees.commission("v", "spot", "taker", dt.date(2023, 7, 1))
    assert found.provenance is Provenance.ESTIMATED
    assert found.note == "no v/spot schedule at that time"
    assert found.rate == Decimal("0.002")
    assert found.low_rate < found.rate < found.high_rate


def test_a_promotion_for_a_symbol_gives_way_to_the_general_version_when_it_ends() -> None:
    promo = version("p", "2022-03-01", "2022-04-01", 'symbols = ["X/USD"]\n')
    fees = book(version("a", "2022-01-01"), promo)
    assert version_at(fees, "2022-03-15", "X/USD") == "v/spot/p"
    assert version_at(fees, "2022-03-15", "Y/USD") == "v/spot/a"
    assert version_at(fees, "2022-04-01", "X/USD") == "v/spot/a"


@pytest.mark.parametrize(
    "second", [version("b", "2022-01-01"), version("b", "2022-02-01", "2022-05-01")]
)
def test_versions_that_claim_the_same_instant_are_refused(second: str) -> None:
    with pytest.raises(ScheduleError, match="runs into"):
        book(version("a", "2022-01-01", "2022-03-01"), second)


def test_two_open_versions_that_begin_together_are_refused() -> None:
    with pytest.raises(ScheduleError, match="a runs into b"):
        book(version("a", "2022-01-01"), version("b", "2022-01-01"))


@pytest.mark.parametrize(
    ("requires", "volume", "held", "tier"),
    [
        ("both", "1000", "50", "high"),
        ("both", "999.99", "50", "base"),
        ("both", "1000", "49.99", "base"),
        ("either", "1000", "0", "high"),
        ("either", "0", "50", "high"),
        ("either", "0", "0", "base"),
    ],
)
def test_a_tier_is_reached_by_volume_and_holdings(
    requires: str, volume: str, held: str, tier: str
) -> None:
    fees = book(version("a", "2022-01-01", extra=f'requires = "{requires}"\n'))
    account = FeeAccount(volume_30d=Decimal(volume), holdings={"TOK": Decimal(held)})
    assert fees.commission("v", "spot", "taker", dt.date(2022, 2, 1), account).tier == tier


def test_a_discount_lowers_a_cost_and_leaves_a_rebate_alone() -> None:
    fees, day = book(version("a", "2022-01-01")), dt.date(2022, 2, 1)
    account = FeeAccount(pay_fees_in="TOK")
    assert fees.commission("v", "spot", "taker", day, account).rate == Decimal("0.0015")
    assert fees.commission("v", "spot", "maker", day, account).rate == Decimal("-0.0001")


def test_a_reported_fee_takes_the_sign_of_its_venue() -> None:
    flipped = book(version("a", "2022-01-01"), head=HEAD + 'sign = "negative_is_cost"\n')
    assert flipped.fee_cost("v", "spot", Decimal(-2)) == 2
    assert book(version("a", "2022-01-01")).fee_cost("v", "spot", Decimal(-2)) == -2


@given(
    venue=st.sampled_from(["v", "unknown"]),
    tier=st.sampled_from(["", "nameless"]),
    liquidity=st.sampled_from(["maker", "taker"]),
    day=st.dates(dt.date(2020, 1, 1), dt.date(2026, 1, 1)),
)
def test_what_is_missing_is_an_estimate_with_a_range_and_never_nothing(
    venue: str, tier: str, liquidity: str, day: dt.date
) -> None:
    fees = book(version("a", "2022-01-01", "2023-01-01"))
    found = fees.commission(venue, "spot", liquidity, day, FeeAccount(tier=tier))
    covered = venue == "v" and not tier and day.year == 2022
    assert (found.provenance is Provenance.SCHEDULE) == covered
    assert found.rate != 0
    if not covered:
        assert found.note
        assert found.low_rate < found.high_rate


def test_a_rebate_that_no_schedule_vouches_for_is_not_assumed() -> None:
    rebate, cost = (
        FeeBook.shipped().commission("bitmex", "inverse", kind, dt.date(2020, 1, 1))
        for kind in ("maker", "taker")
    )
    assert rebate.low_rate < Decimal("-0.00025") < 0 < rebate.rate < rebate.high_rate
    assert cost.low_rate < cost.rate == Decimal("0.00075") < cost.high_rate


@given(
    st.lists(st.tuples(st.integers(0, 70), st.integers(0, 10**6)), max_size=20), st.integers(0, 70)
)
def test_the_traded_volume_rolls_over_thirty_days(trades: list[tuple[int, int]], at: int) -> None:
    day = 86_400 * 10**9
    found = traded_volume(((t * day, Decimal(n)) for t, n in trades), at * day)
    assert found == sum(n for t, n in trades if at - 30 < t < at)


def test_a_volume_that_cannot_be_is_refused() -> None:
    for trades, days in (([(1, Decimal(-1))], 30), ([(1, Decimal("NaN"))], 30), ([], 0)):
        with pytest.raises(InputError):
            traded_volume(trades, 5, days=days)


def test_a_tier_by_volume_comes_before_the_discount_of_the_fee_asset() -> None:
    shipped = FeeBook.shipped()
    at = dt.date(2022, 6, 1)
    traded = traded_volume([(1, Decimal(20_000_000))], 2)
    account = FeeAccount(volume_30d=traded, holdings={"BNB": Decimal(500)}, pay_fees_in="BNB")
    found = shipped.commission("binance", "spot", "maker", at, account)
    # VIP 3 is 0.07 %, and 25 % off it
    assert (found.tier, found.rate, found.discount) == (
        "VIP 3", Decimal("0.0007") * Decimal("0.75"), Decimal("0.75"),
    )  # fmt: skip
