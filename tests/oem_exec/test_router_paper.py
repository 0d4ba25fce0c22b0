"""The router on paper: idempotence, durability, kill switch, log failure, amendments."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from exec_support import D, ListJournal, limit, make_router, market, paper
from oem_exec import (
    IntentConflict,
    InvalidOrder,
    JournalFailed,
    KillState,
    KillSwitchEngaged,
    NotStarted,
    OrderEvent,
    OrderState,
    OrderType,
    RouterMetrics,
    Side,
    SqliteOrderStore,
    UnknownOrder,
)


async def test_market_order_walks_the_book_and_pays_taker_fees(tmp_path: Path) -> None:
    router, store = make_router(tmp_path, [paper()])
    async with router:
        order = await router.submit(market("a", "1.5"))
    assert order.state is OrderState.FILLED
    assert [(f.price, f.quantity) for f in order.fills] == [
        (D("60010"), D("1")),
        (D("60020"), D("0.5")),
    ]
    assert order.fees == (("USDT", (D("60010") + D("30010")) * D("0.001")),)
    store.close()


async def test_same_intent_twice_is_one_order_even_at_once_and_after_restart(
    tmp_path: Path,
) -> None:
    venue = paper()
    router, store = make_router(tmp_path, [venue])
    async with router:
        orders = await asyncio.gather(*(router.submit(market("a")) for _ in range(8)))
    assert len({o.client_order_id for o in orders}) == 1
    again, _ = make_router(tmp_path, [venue], store=store)
    async with again:
        assert (await again.submit(market("a"))).client_order_id == orders[0].client_order_id
        with pytest.raises(IntentConflict):
            await again.submit(market("a", "0.02"))
    assert len(venue.exchange.orders) == 1
    store.close()


async def test_everything_is_in_the_log_and_the_intent_comes_first(tmp_path: Path) -> None:
    journal = ListJournal()
    router, store = make_router(tmp_path, [paper()], journal=journal)
    async with router:
        await router.submit(market("a"))
    assert journal.kinds() == ["router.start", "order.intent", "order.outcome"]
    assert journal.entries[2][1]["fills"]
    store.close()


async def test_full_disk_on_the_log_stops_trading_before_anything_is_sent(tmp_path: Path) -> None:
    journal, venue = ListJournal(), paper()
    router, store = make_router(tmp_path, [venue], journal=journal)
    async with router:
        journal.full = True
        with pytest.raises(JournalFailed, match="No space left"):
            await router.submit(market("a"))
        journal.full = False
        with pytest.raises(JournalFailed):
            await router.submit(market("b"))
    assert venue.exchange.orders == {}
    store.close()


async def test_kill_switch_is_durable_and_cancels_pass(tmp_path: Path) -> None:
    venue = paper()
    router, store = make_router(tmp_path, [venue])
    async with router:
        await router.submit(limit("rest", "50000"))
        await router.set_kill_state(KillState.HALTED, reason="drill", operator="ann")
        with pytest.raises(KillSwitchEngaged, match="drill"):
            await router.submit(market("a"))
        assert (await router.cancel("rest")).state is OrderState.CANCELED
    store.close()
    store = SqliteOrderStore.open(tmp_path / "orders.sqlite")
    router, _ = make_router(tmp_path, [venue], store=store)
    async with router:
        assert router.kill_state is KillState.HALTED
        await router.set_kill_state(KillState.REDUCING, reason="unwind", operator="ann")
        with pytest.raises(KillSwitchEngaged):
            await router.submit(market("b"))
        closing = market("c", side=Side.SELL)
        order = await router.submit(type(closing)(**{**_fields(closing), "reduce_only": True}))
        assert order.state is OrderState.FILLED
    store.close()


def _fields(intent: object) -> dict[str, object]:
    return {name: getattr(intent, name) for name in intent.__slots__}  # type: ignore[attr-defined]


async def test_another_process_can_throw_the_switch(tmp_path: Path) -> None:
    router, store = make_router(tmp_path, [paper()])
    async with router:
        other = SqliteOrderStore.open(tmp_path / "orders.sqlite", exclusive=False)
        from oem_exec import KillSwitch

        await other.set_kill_switch(KillSwitch(KillState.HALTED, "from outside", "bob", 1))
        with pytest.raises(KillSwitchEngaged, match="from outside"):
            await router.submit(market("a"))
        other.close()
    store.close()


async def test_resting_order_fills_by_trades_after_its_queue(tmp_path: Path) -> None:
    venue = paper()
    router, store = make_router(tmp_path, [venue])
    events: list[OrderEvent] = []
    async with router:
        router.listeners.append(events.append)
        await router.submit(limit("a", "60000", "0.5"))
        venue.feed_trade("BTC/USDT", 60000, "1", Side.SELL, 2)
        assert await router.poll() == ()
        venue.feed_trade("BTC/USDT", 60000, "0.2", Side.SELL, 3)
        (order,) = await router.poll()
        assert (order.state, order.filled_quantity) == (OrderState.PARTIALLY_FILLED, D("0.2"))
        venue.feed_trade("BTC/USDT", 59999, "5", Side.SELL, 4)
        (order,) = await router.poll()
    assert order.state is OrderState.FILLED
    assert {f.liquidity for f in order.fills} == {"maker"}
    assert [e.kind for e in events if e.fill] == ["fill", "fill"]
    store.close()


async def test_amend_changes_price_and_quantity_in_place(tmp_path: Path) -> None:
    router, store = make_router(tmp_path, [paper()])
    async with router:
        first = await router.submit(limit("a", "59000"))
        order = await router.amend("a", price=D("59500"), quantity=D("0.02"))
        assert (order.price, order.quantity) == (D("59500"), D("0.02"))
        assert order.client_order_id == first.client_order_id
        with pytest.raises(InvalidOrder):
            await router.amend("a", price=D("59500.001"))
    store.close()


async def test_post_only_that_would_take_is_refused_by_the_venue(tmp_path: Path) -> None:
    router, store = make_router(tmp_path, [paper()])
    async with router:
        order = await router.submit(limit("a", "60010", order_type=OrderType.POST_ONLY))
    assert order.state is OrderState.REJECTED
    assert order.reason.startswith("would_take")
    store.close()


async def test_paper_orders_do_not_outlive_the_paper_venue(tmp_path: Path) -> None:
    router, store = make_router(tmp_path, [paper()])
    async with router:
        await router.submit(limit("a", "50000"))
    again, _ = make_router(tmp_path, [paper()], store=store)
    async with again:
        assert again.order("a").state is OrderState.EXPIRED
    store.close()


async def test_nothing_is_sent_before_start_and_after_stop(tmp_path: Path) -> None:
    router, store = make_router(tmp_path, [paper()])
    with pytest.raises(NotStarted):
        await router.submit(market("a"))
    async with router:
        with pytest.raises(UnknownOrder):
            await router.cancel("nobody")
    with pytest.raises(NotStarted):
        await router.submit(market("a"))
    store.close()


async def test_metrics_are_written_for_the_textfile_collector(tmp_path: Path) -> None:
    metrics = RouterMetrics(CollectorRegistry())
    router, store = make_router(tmp_path, [paper()], metrics=metrics)
    async with router:
        await router.submit(market("a"))
        metrics.write_textfile(tmp_path / "metrics" / "live_router.prom")
    text = (tmp_path / "metrics" / "live_router.prom").read_text()
    assert 'live_orders_total{outcome="filled",venue="paper"} 1.0' in text
    assert 'live_execution_latency_seconds_count{phase="total",venue="paper"} 1.0' in text
    assert 'live_fill_ratio{venue="paper"} 1.0' in text
    store.close()


@pytest.mark.parametrize("wrong", [{"quantity": D(0)}, {"price": D(0)}, {"quantity": D("NaN")}])
async def test_an_amendment_to_zero_or_nonsense_is_refused(
    tmp_path: Path, wrong: dict[str, Decimal]
) -> None:
    router, store = make_router(tmp_path, [paper()])
    async with router:
        before = await router.submit(limit("a", "59000"))
        with pytest.raises(InvalidOrder, match="above 0"):
            await router.amend("a", **wrong)
        assert router.order("a") == before
    store.close()
