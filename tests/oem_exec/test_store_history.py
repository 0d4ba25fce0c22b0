"""Reading a store's history: light rows say what the whole orders say, and pages leave none out."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exec_support import limit, make_router, market, paper
from oem_exec import Order, OrderState, PageQuery, Side, SqliteOrderStore, StoreCorrupt

HERE = ("paper",)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteOrderStore]:
    folder = tmp_path_factory.mktemp("history")

    async def trade() -> None:
        router, store = make_router(folder, [paper()])
        async with router:
            for n in range(7):
                side = Side.SELL if n % 3 == 0 else Side.BUY
                await router.submit(market(f"m{n}", f"0.0{n + 1}", side))
                await router.submit(limit(f"r{n}", "50000"))
            await router.cancel("r3")
        store.close()

    asyncio.run(trade())
    found = SqliteOrderStore.open(folder / "orders.sqlite", exclusive=False)
    yield found
    found.close()


def test_booked_fills_are_the_fills_of_the_orders_in_time_order(store: SqliteOrderStore) -> None:
    booked = list(store.booked_fills(HERE))
    whole = [(fill, order.intent) for order in store.orders() for fill in order.fills]
    assert len(booked) == len(whole) == 7
    by_id = {(f.client_order_id, f.trade_id): (f, intent) for f, intent in whole}
    for light in booked:
        fill, intent = by_id[light.fill.client_order_id, light.fill.trade_id]
        assert light.fill == fill
        assert light.strategy == intent.strategy
    times = [light.fill.time_ns for light in booked]
    assert times == sorted(times)
    assert times[-1] == store.newest_fill_ns("paper")
    assert list(store.booked_fills(("elsewhere",))) == []
    assert store.newest_fill_ns("elsewhere") == 0


def test_an_intent_stands_as_its_newest_order(store: SqliteOrderStore) -> None:
    stands = {outcome.intent_id: outcome for outcome in store.outcomes(HERE)}
    assert len(stands) == 14
    for name, outcome in stands.items():
        newest = store.attempts(name)[-1]
        assert (outcome.client_order_id, outcome.state) == (newest.client_order_id, newest.state)


@settings(max_examples=25)
@given(
    limit=st.integers(1, 20),
    unfinished=st.booleans(),
    intent=st.sampled_from(["", "m1", "r3", "none"]),
)
def test_pages_leave_no_order_out_and_show_none_twice(
    store: SqliteOrderStore, limit: int, unfinished: bool, intent: str
) -> None:
    paged: list[Order] = []
    before = None
    while True:
        page = store.page(PageQuery(HERE, "", intent, unfinished, before), limit)
        paged += page
        if len(page) < limit:
            break
        before = (page[-1].sent_ns, page[-1].client_order_id)
    wanted = [
        order
        for order in store.orders()
        if intent in ("", order.intent_id) and not (unfinished and order.state.terminal)
    ]
    assert sorted(paged, key=_place) == sorted(wanted, key=_place)
    assert [order.sent_ns for order in paged] == [order.sent_ns for order in wanted]


def _place(order: Order) -> str:
    return order.client_order_id


def test_a_row_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    async def trade() -> None:
        router, store = make_router(tmp_path, [paper()])
        async with router:
            await router.submit(market("a", "0.01"))
        store.close()

    asyncio.run(trade())
    path = tmp_path / "orders.sqlite"
    for change, what in (
        ("UPDATE fills SET price = 'x'", "fill"),
        ("UPDATE orders SET state = 'x'", "order"),
    ):
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(change)
        connection.close()
        with (
            SqliteOrderStore.open(path, exclusive=False) as store,
            pytest.raises(StoreCorrupt, match=what) as caught,
        ):
            list(store.booked_fills(HERE) if what == "fill" else store.outcomes(HERE))
        assert "oem exec repair" in caught.value.remedy


async def test_what_a_start_finds_is_in_the_store_when_it_returns(tmp_path: Path) -> None:
    venue = paper()
    router, store = make_router(tmp_path, [venue])
    async with router:
        await router.submit(limit("a", "50000"))
    await venue.cancel(store.attempts("a")[0])  # while nobody watched
    store.close()
    router, store = make_router(tmp_path, [venue])
    await router.start()
    (outcome,) = store.outcomes(HERE)
    assert outcome.state is router.order("a").state is OrderState.CANCELED
    await router.stop()
    store.close()
