"""Venues that lie: every lie is refused, kept or quarantined, is in the log, and loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exec_support import FAST, D, ListJournal, limit, make_router
from exec_world import RemoteVenue
from oem_exec import (
    Fill,
    LiveExecutionRouter,
    OrderState,
    RefusalReason,
    Side,
    SqliteOrderStore,
    UnresolvedOrders,
    VenueOrder,
)
from oem_exec.ccxt_venue.answers import judge_error
from oem_exec.ccxt_venue.parse import order_of
from oem_exec.venue import Accepted, Found, NotFound, Refused, VenueTrade
from oem_security.clock import SystemClock

Lie = Callable[[Any], Any]


class Liar(RemoteVenue):
    """A venue whose answers pass through a lie before they are told."""

    def __init__(self) -> None:
        super().__init__("liar", SystemClock(), terse=False)
        self._capabilities = replace(
            self._capabilities, visibility_delay_s=0.0, receive_window_s=0.01
        )
        self.lies: dict[str, Lie] = {}

    def tell(self, what: str, answer: Any) -> Any:
        return self.lies[what](answer) if what in self.lies else answer

    async def place(self, order: Any) -> Any:
        return self.tell("place", await super().place(order))

    async def lookup(self, order: Any) -> Any:
        found = self.exchange.find(self.OWNER, order.client_order_id)
        truth = await super(RemoteVenue, self).lookup(order) if found else NotFound()
        return self.tell("lookup", truth)

    async def trades(self, order: Any) -> Any:
        return self.tell("trades", await super().trades(order))

    async def open_orders(self) -> Any:
        return self.tell("open_orders", await super().open_orders())

    async def account_trades(self, symbol: str, since_ns: int) -> Any:
        return self.tell("account_trades", await super().account_trades(symbol, since_ns))


def liar_router(
    folder: Path, liar: Liar
) -> tuple[LiveExecutionRouter, SqliteOrderStore, ListJournal]:
    journal = ListJournal()
    settings = replace(FAST, resolve_patience_s=0.3, start_patience_s=0.3)
    router, store = make_router(folder, [liar], journal=journal, settings=settings)
    return router, store, journal


def other(fill: Fill, **changes: Any) -> Fill:
    return replace(fill, **changes)


def accepted(change: Callable[[VenueOrder], VenueOrder]) -> Lie:
    return lambda answer: Accepted(change(answer.order)) if isinstance(answer, Accepted) else answer


def found(change: Callable[[VenueOrder], VenueOrder]) -> Lie:
    return lambda answer: Found(tuple(map(change, answer.orders)))


def _doubled(o: VenueOrder) -> VenueOrder:
    (fill,) = o.fills
    more = other(fill, trade_id="forged", quantity=fill.quantity * 2, notional=fill.notional * 2)
    return replace(o, fills=(fill, more))


IMPOSSIBLE: dict[str, tuple[Callable[[VenueOrder], VenueOrder], str]] = {
    "executed beyond the quantity": (_doubled, "executed 0.06"),
    "an order larger than asked": (lambda o: replace(o, quantity=D("5")), "asked were 0.02"),
    "executed beyond, in a larger order": (
        lambda o: replace(o, quantity=D("5"), filled_quantity=D("3")),
        "asked were 0.02",
    ),
    "a trade of the other side": (
        lambda o: replace(o, fills=tuple(other(f, side=Side.SELL) for f in o.fills)),
        "is a sell",
    ),
    "a trade of another symbol": (
        lambda o: replace(o, fills=tuple(other(f, symbol="ETH/USDT") for f in o.fills)),
        "ETH/USDT",
    ),
    "a trade of less than nothing": (
        lambda o: replace(o, fills=tuple(other(f, quantity=D("-1")) for f in o.fills)),
        "of -1 at",
    ),
}


@pytest.mark.parametrize("lie", IMPOSSIBLE)
async def test_what_cannot_be_is_quarantined_whole_and_released_by_the_truth(
    tmp_path: Path, lie: str
) -> None:
    change, words = IMPOSSIBLE[lie]
    liar = Liar()
    liar.lies = {"place": accepted(change), "lookup": found(change)}
    router, store, journal = liar_router(tmp_path, liar)
    async with router:
        order = await router.submit(limit("a", "60010", "0.02"))
        assert order.state is OrderState.QUARANTINED
        assert words in order.reason
        assert (order.filled_quantity, order.fills) == (0, ())
        await router._desk.drain()
        (kept,) = store.contradictions()
        ((told,),) = [json.loads(kept.evidence)]
        assert told["client_order_id"] == order.client_order_id
        assert len(told["fills"]) == len(change(_seen(liar)).fills)
        logged = [body for kind, body in journal.entries if kind == "order.quarantined"]
        assert [body["evidence"] for body in logged] == [kept.evidence]
        with pytest.raises(UnresolvedOrders):
            await router.release("a", operator="op")
        assert router.order("a").state is OrderState.QUARANTINED
        liar.lies.clear()
        after = await router.release("a", operator="op")
        assert (after.state, after.filled_quantity) == (OrderState.FILLED, D("0.02"))
        assert sum(fill.quantity for fill in after.fills) == D("0.02")
    store.close()


def _seen(liar: Liar) -> VenueOrder:
    (order,) = liar.exchange.orders.values()
    return VenueOrder(
        order.client_order_id, order.order_id, "BTC/USDT", order.state, order.filled,
        quantity=order.quantity, fills=tuple(order.fills),
    )  # fmt: skip


async def test_two_orders_for_one_id_are_quarantined_with_both(tmp_path: Path) -> None:
    liar = Liar()
    liar.lies["lookup"] = lambda a: Found((*a.orders, replace(a.orders[0], venue_order_id="x2")))
    router, store, _ = liar_router(tmp_path, liar)
    async with router:
        await router.submit(limit("a", "59000"))
        await router.poll()
        assert router.order("a").state is OrderState.QUARANTINED
        await router._desk.drain()
        told = json.loads(store.contradictions()[0].evidence)
        assert [o["venue_order_id"] for o in told][1] == "x2"
    store.close()


async def test_status_going_back_is_kept_and_believed_by_nobody(tmp_path: Path) -> None:
    liar = Liar()
    router, store, journal = liar_router(tmp_path, liar)
    async with router:
        await router.submit(limit("a", "60010", "1.5"))
        before = router.order("a")
        assert (before.state, before.filled_quantity) == (OrderState.PARTIALLY_FILLED, D("1"))
        young = found(lambda o: replace(o, state=OrderState.OPEN, filled_quantity=D(0), fills=()))
        liar.lies["lookup"] = young
        for _ in range(3):
            await router.poll()
        after = router.order("a")
        assert (after.state, after.filled_quantity) == (before.state, before.filled_quantity)
        await router._desk.drain()
        (kept,) = store.contradictions()
        assert "went back from 1" in kept.what
        assert journal.kinds().count("order.quarantined") == 1
    store.close()


async def test_a_trade_told_twice_with_other_numbers_keeps_the_first(tmp_path: Path) -> None:
    liar = Liar()
    router, store, _ = liar_router(tmp_path, liar)
    async with router:
        before = await router.submit(limit("a", "60010", "1.5"))
        liar.lies["lookup"] = found(
            lambda o: replace(o, fills=tuple(other(f, price=D("61000")) for f in o.fills))
        )
        await router.poll()
        assert router.order("a").fills == before.fills
        await router._desk.drain()
        assert "and is 1.00000 at 61000" in store.contradictions()[0].what
    store.close()


async def test_fills_of_unknown_orders_are_found_kept_and_told_once(tmp_path: Path) -> None:
    liar = Liar()
    router, store, journal = liar_router(tmp_path, liar)
    async with router:
        await router.submit(limit("a", "60010", "0.02"))
        (fill,) = router.order("a").fills
        orphan = VenueTrade("777", other(fill, trade_id="o1", client_order_id=""))

        def lie(trades: Any) -> Any:
            ago_s = 20 * 1_000_000_000
            early = [replace(t, fill=other(t.fill, time_ns=t.fill.time_ns)) for t in trades]
            return (*early, replace(orphan, fill=other(orphan.fill, time_ns=fill.time_ns - ago_s)))

        liar.lies["account_trades"] = lie
        # an order sent half a minute ago, so that the orphan lies inside what is compared
        old = replace(router.order("a"), sent_ns=fill.time_ns - 30_000_000_000)
        await store.save([old])
        for _ in range(2):
            assert (await router.reconcile()).foreign == ("liar:trade:o1",)
        await router._desk.drain()
        (kept,) = store.contradictions()
        assert "order 777, which nobody here sent" in kept.what
        assert json.loads(kept.evidence)[0]["fill"]["quantity"] == str(fill.quantity)
        assert journal.kinds().count("order.quarantined") == 1
    store.close()
    again, store, journal = liar_router(tmp_path, liar)
    async with again:
        assert len(store.contradictions()) == 1
        assert "order.quarantined" not in journal.kinds()
    store.close()


async def test_a_refused_order_that_turns_up_open_is_quarantined(tmp_path: Path) -> None:
    liar = Liar()
    liar.lies["place"] = lambda answer: Refused(RefusalReason.INVALID)
    router, store, _ = liar_router(tmp_path, liar)
    async with router:
        order = await router.submit(limit("a", "59000"))
        assert order.state is OrderState.REJECTED
        await router.reconcile()
        assert router.order("a").state is OrderState.QUARANTINED
        assert "rejected order turned up as open" in router.order("a").reason
    store.close()


def test_half_characters_from_a_venue_stop_neither_log_nor_store() -> None:
    raw = {"id": "7\ud800", "clientOrderId": "\udfff", "status": "open", "symbol": "BTC/USDT"}
    seen = order_of(raw, "v")
    refused = judge_error(ValueError("bad \ud800 text"), frozenset({"ValueError"}), 0)
    for text in (seen.venue_order_id, seen.client_order_id, refused.text):
        assert text.encode()
