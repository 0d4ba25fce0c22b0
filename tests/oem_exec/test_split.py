"""Splitting an order: nothing lost, nothing below a minimum, and never dearer than whole."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_exec import BookSnapshot, Instrument, InvalidOrder, Side, VenueBook, split_order

D = Decimal


def venue(
    name: str,
    asks: list[tuple[str, str]],
    lot: str = "0.001",
    least: str = "0",
    notional: str = "0",
) -> VenueBook:
    rules = Instrument(
        "BTC/USDT",
        "BTC",
        "USDT",
        D("0.01"),
        D(lot),
        min_quantity=D(least),
        min_notional=D(notional),
    )
    levels = tuple((D(price), D(size)) for price, size in asks)
    bids = tuple((D(200) - price, size) for price, size in levels)
    return VenueBook(name, rules, BookSnapshot("BTC/USDT", bids, levels, 0))


def plain(_: str, price: Decimal) -> Decimal:
    return price


def test_each_unit_goes_where_it_costs_least() -> None:
    venues = [venue("a", [("100", "1"), ("103", "5")]), venue("b", [("101", "1"), ("102", "1")])]
    found = split_order(Side.BUY, D("3.5"), venues, plain)
    assert [(s.venue, s.quantity, s.cost) for s in found] == [
        ("b", D("2.000"), D("203.000")),
        ("a", D("1.500"), D("151.500")),
    ]


def test_fees_decide_where_prices_do_not() -> None:
    venues = [venue("a", [("100", "1")]), venue("b", [("100.05", "1")])]
    fee = {"a": D("0.001"), "b": D("0.0001")}
    (only,) = split_order(Side.BUY, D("0.5"), venues, lambda v, p: p * (1 + fee[v]))
    assert only.venue == "b"
    (sold,) = split_order(Side.SELL, D("0.5"), venues, lambda v, p: p * (1 - fee[v]))
    assert sold.venue == "b"


def test_a_venue_that_would_get_too_little_gets_nothing() -> None:
    venues = [
        venue("a", [("100", "0.4")], least="0.5"),
        venue("b", [("101", "5")]),
        venue("c", [("100.5", "0.05")], notional="10"),
    ]
    (only,) = split_order(Side.BUY, D(2), venues, plain)
    assert (only.venue, only.quantity) == ("b", D("2.000"))


def test_a_lot_is_filled_from_several_steps() -> None:
    venues = [venue("a", [("100", "0.6"), ("101", "0.6")], lot="1")]
    (only,) = split_order(Side.BUY, D(1), venues, plain)
    assert (only.quantity, only.cost) == (D(1), D(101))


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "Infinity", "100", "0.0005"])
def test_what_cannot_be_split_is_refused(quantity: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        split_order(Side.BUY, D(quantity), [venue("a", [("100", "1")])], plain)
    assert refused.value.remedy


books = st.lists(
    st.tuples(st.integers(9_500, 10_500), st.integers(1, 5_000)), min_size=1, max_size=6
)


@given(
    st.lists(st.tuples(books, st.sampled_from(["0.001", "0.01"]), st.integers(0, 40)),
             min_size=1, max_size=4),
    st.integers(1, 6_000),
    st.sampled_from(list(Side)),
)  # fmt: skip
def test_it_conserves_keeps_the_rules_and_is_never_dearer(made, units: int, side: Side) -> None:
    venues = []
    for n, (levels, lot, least) in enumerate(made):
        sorted_levels = sorted(dict(levels).items())
        asks = [(str(D(p) / 100), str(D(s) / 1000)) for p, s in sorted_levels]
        venues.append(venue(f"v{n}", asks, lot, str(D(least) / 100)))
    quantity = D(units) / 1000
    try:
        found = split_order(side, quantity, venues, plain)
    except InvalidOrder:
        return
    assert sum(s.quantity for s in found) == quantity
    by_name = {v.venue: v for v in venues}
    sign = 1 if side is Side.BUY else -1
    total = sign * sum(s.cost for s in found)
    for part in found:
        rules = by_name[part.venue].instrument
        assert part.quantity % rules.lot_size == 0
        assert part.quantity >= rules.min_quantity
    for alone in venues:
        try:
            (whole,) = split_order(side, quantity, [alone], plain)
        except InvalidOrder:
            continue
        if len(found) == len(venues):
            # with every venue in use, one of them alone is never cheaper by more than a lot's step
            spread = D(10) * max(v.instrument.lot_size for v in venues) * len(venues) * 6
            assert total <= sign * whole.cost + spread
