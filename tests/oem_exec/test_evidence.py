"""Venues that lie, repeat themselves or speak late; and numbers that are no orders."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_support import BTC, D, limit, market
from oem_exec import Fill, InvalidOrder, Liquidity, Order, OrderIntent, OrderState, Side, VenueOrder
from oem_exec.evidence import apply_evidence
from oem_exec.model.states import TRANSITIONS, may_follow


def order_in(state: OrderState = OrderState.SUBMITTING) -> Order:
    intent = limit("a", "60000", "1")
    return Order(intent, "c1", "v", 0, state, D("1"), D("60000"), venue_order_id="")


def fill(trade_id: str, quantity: str) -> Fill:
    q = D(quantity)
    money = q * 60000
    maker = Liquidity.MAKER
    return Fill(
        "v", "BTC/USDT", trade_id, "c1", Side.BUY, q, D("60000"), D(0), "USDT", maker, 1, money
    )


def says(state: OrderState, *fills: Fill, filled: str = "0", order_id: str = "1") -> VenueOrder:
    return VenueOrder("c1", order_id, "BTC/USDT", state, D(filled), fills=fills)


def test_execution_beyond_the_quantity_is_quarantined_and_loses_nothing() -> None:
    applied = apply_evidence(order_in(), says(OrderState.FILLED, fill("1", "1.5")), 1)
    assert applied.order.state is OrderState.QUARANTINED
    assert "1.5 of 1" in applied.contradiction


def test_two_orders_for_one_id_are_quarantined() -> None:
    first = apply_evidence(order_in(), says(OrderState.OPEN), 1).order
    assert apply_evidence(first, says(OrderState.OPEN, order_id="2"), 2).order.state is (
        OrderState.QUARANTINED
    )


@pytest.mark.parametrize("state", [OrderState.REJECTED, OrderState.ABSENT])
def test_refused_or_absent_order_that_turns_up_is_quarantined(state: OrderState) -> None:
    applied = apply_evidence(order_in(state), says(OrderState.OPEN), 1)
    assert applied.order.state is OrderState.QUARANTINED


def test_status_going_backwards_changes_nothing_and_is_reported() -> None:
    done = apply_evidence(order_in(), says(OrderState.FILLED, fill("1", "1")), 1).order
    applied = apply_evidence(done, says(OrderState.OPEN), 2)
    assert applied.order.state is OrderState.FILLED
    assert "back" in applied.contradiction


def test_late_fill_of_a_cancelled_order_is_kept() -> None:
    ended = apply_evidence(order_in(), says(OrderState.CANCELED), 1).order
    applied = apply_evidence(ended, says(OrderState.CANCELED, fill("1", "0.4")), 2)
    assert (applied.order.state, applied.order.filled_quantity) == (OrderState.CANCELED, D("0.4"))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    OrderState.OPEN,
                    OrderState.PARTIALLY_FILLED,
                    OrderState.FILLED,
                    OrderState.CANCELED,
                    OrderState.EXPIRED,
                    OrderState.REJECTED,
                ]
            ),
            st.lists(st.tuples(st.integers(1, 6), st.integers(1, 7)), max_size=4),
            st.integers(0, 12),
        ),
        max_size=12,
    )
)
def test_prop_no_evidence_breaks_the_invariants(
    story: list[tuple[OrderState, list[tuple[int, int]], int]],
) -> None:
    order = order_in()
    for now, (state, trades, filled) in enumerate(story, start=1):
        fills = tuple(fill(str(i), str(Decimal(q) / 10)) for i, q in trades)
        seen = says(state, *fills, filled=str(Decimal(filled) / 10))
        after = apply_evidence(order, seen, now).order
        assert may_follow(order.state, after.state)
        assert after.filled_quantity <= after.quantity
        assert after.filled_quantity >= order.filled_quantity
        assert len({f.key for f in after.fills}) == len(after.fills)
        assert sum((f.quantity for f in after.fills), D(0)) <= after.filled_quantity
        assert set(order.fills) <= set(after.fills)
        order = after


def test_terminal_states_lead_nowhere_but_to_a_late_fill_or_quarantine() -> None:
    for state in OrderState:
        if state.terminal:
            assert TRANSITIONS[state] <= {OrderState.FILLED, OrderState.QUARANTINED}


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "0", "-1"])
def test_quantities_that_are_no_quantities_are_refused(bad: str) -> None:
    with pytest.raises(InvalidOrder, match="quantity"):
        OrderIntent("a", "BTC/USDT", Side.BUY, D(bad))


@pytest.mark.parametrize(
    ("quantity", "what"), [("0.000001", "finer than the lot"), ("0.00005", "minimum notional")]
)
def test_quantities_the_venue_would_refuse_are_named(quantity: str, what: str) -> None:
    with pytest.raises(InvalidOrder, match=what):
        BTC.check(market("a", quantity), D("60000"))
