"""Unmodified ccxt classes against the venue server over a real socket, with every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from exec_live_support import live, venue_of
from exec_support import D, limit, make_router, market
from oem_exec import OrderState, OrderType, Side
from oem_exec.venue_server.faults import FaultKind, FaultRule

DIALECTS = ("binance", "kraken")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_order_life_cycle(tmp_path: Path, dialect: str) -> None:
    async with live(dialect) as (server, venue):
        router, store = make_router(tmp_path, [venue])
        async with router:
            await router.submit(market("a", "0.02"))
            await router.poll()
            order = router.order("a")
            assert order.state is OrderState.FILLED
            assert order.settled
            assert order.fees[0][1] > 0
            resting = await router.submit(limit("b", "59000"))
            assert resting.state is OrderState.OPEN
            amended = await router.amend("b", price=D("59100"))
            assert (amended.state, amended.price) == (OrderState.OPEN, D("59100"))
            done = await router.cancel("b")
            assert done.state is OrderState.CANCELED
            refused = await router.submit(limit("c", "60100", order_type=OrderType.POST_ONLY))
            assert refused.state is OrderState.REJECTED
            assert (await router.reconcile()).foreign == ()
        assert all(not o.state.open for o in server.exchange.orders.values())
        store.close()


UNKNOWN_AFTER = (
    FaultKind.DROP_AFTER,
    FaultKind.LOST_MIDWAY,
    FaultKind.SERVER_ERROR_AFTER,
    FaultKind.EDGE_TIMEOUT,
    FaultKind.HTML,
    FaultKind.TRUNCATED,
)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", UNKNOWN_AFTER)
async def test_order_accepted_with_its_answer_spoilt_is_found_and_not_repeated(
    tmp_path: Path, dialect: str, kind: FaultKind
) -> None:
    path = "order" if dialect == "binance" else "AddOrder"
    rule = FaultRule(kind=kind, method="POST", path=path, times=1)
    async with live(dialect, rule) as (server, venue):
        router, store = make_router(tmp_path, [venue])
        async with router:
            order = await router.submit(limit("a", "59000"))
        assert order.state is OrderState.OPEN, order.reason
        assert len(server.exchange.orders) == 1
        store.close()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.SERVER_ERROR_BEFORE])
async def test_order_never_accepted_is_proven_absent_and_then_sent_again_once(
    tmp_path: Path, dialect: str, kind: FaultKind
) -> None:
    path = "order" if dialect == "binance" else "AddOrder"
    rule = FaultRule(kind=kind, method="POST", path=path, times=1)
    async with live(dialect, rule) as (server, venue):
        router, store = make_router(tmp_path, [venue])
        async with router:
            order = await router.submit(limit("a", "59000"))
        assert (order.state, order.attempt) == (OrderState.OPEN, 1)
        first, second = store.attempts("a")
        assert first.state is OrderState.ABSENT
        assert second.client_order_id != first.client_order_id
        assert len(server.exchange.orders) == 1
        store.close()


@pytest.mark.parametrize("kind", [FaultKind.TOO_MANY_REQUESTS, FaultKind.BANNED])
async def test_429_and_418_are_refusals_and_fall_back_to_the_next_venue(
    tmp_path: Path, kind: FaultKind
) -> None:
    rule = FaultRule(kind=kind, method="POST", path="order")
    async with live("binance", rule) as (first, busy), live("kraken") as (second, free):
        router, store = make_router(tmp_path, [busy, free])
        async with router:
            order = await router.submit(limit("a", "59000"))
        assert (order.venue, order.state) == ("kraken", OrderState.OPEN)
        assert (len(first.exchange.orders), len(second.exchange.orders)) == (0, 1)
        store.close()


async def test_unknown_outcome_never_falls_back(tmp_path: Path) -> None:
    lost = FaultRule(kind=FaultKind.DROP_AFTER, method="POST", path="order")
    blind = FaultRule(kind=FaultKind.DROP_BEFORE, method="GET", path="order")
    async with live("binance", lost, blind) as (first, bad), live("kraken") as (second, good):
        router, store = make_router(tmp_path, [bad, good])
        await bad.instruments()
        async with router:
            order = await router.submit(limit("a", "59000"))
            assert (order.venue, order.state) == ("binance", OrderState.UNKNOWN)
        assert (len(first.exchange.orders), len(second.exchange.orders)) == (1, 0)
        store.close()


async def test_restart_finds_orders_whose_answer_was_never_read(tmp_path: Path) -> None:
    lost = FaultRule(kind=FaultKind.DROP_AFTER, method="POST", path="order", times=1)
    blind = FaultRule(kind=FaultKind.DROP_BEFORE, method="GET", path="order", times=200)
    async with live("binance", lost, blind) as (server, venue):
        await venue.instruments()
        router, store = make_router(tmp_path, [venue])
        async with router:
            await router.submit(limit("a", "59000"))
        store.close()
        server.faults.__init__()  # type: ignore[misc]
        again, store = make_router(tmp_path, [venue_of(server.url)])
        report = await again.start()
        assert [o.state for o in report.resolved] == [OrderState.OPEN]
        await again.stop()
        store.close()


async def test_stale_reads_do_not_move_an_order_back(tmp_path: Path) -> None:
    stale = FaultRule(kind=FaultKind.STALE_READ, method="GET")
    async with live("binance", stale) as (_, venue):
        router, store = make_router(tmp_path, [venue])
        async with router:
            await router.submit(limit("a", "60100", "0.02"))
            await router.submit(limit("b", "59000", "0.02"))
            await router.poll()
            assert router.order("a").state is OrderState.FILLED
            assert router.order("b").state is OrderState.OPEN
        store.close()


async def test_wrong_clock_is_a_refusal(tmp_path: Path) -> None:
    skew = FaultRule(kind=FaultKind.CLOCK_SKEW, method="POST", seconds=30)
    async with live("binance", skew) as (server, venue):
        router, store = make_router(tmp_path, [venue])
        async with router:
            order = await router.submit(limit("a", "59000"))
        assert order.state is OrderState.REJECTED
        assert order.reason.startswith("not_authorised")
        assert server.exchange.orders == {}
        store.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_request_delivered_twice_is_one_order(tmp_path: Path, dialect: str) -> None:
    twice = FaultRule(kind=FaultKind.DUPLICATE, method="POST")
    async with live(dialect, twice) as (server, venue):
        router, store = make_router(tmp_path, [venue])
        async with router:
            order = await router.submit(limit("a", "59000"))
        assert order.state is OrderState.OPEN
        assert len(server.exchange.orders) == 1
        store.close()


async def test_refusals_name_the_reason(tmp_path: Path) -> None:
    poor = {"USDT": D("100"), "BTC": D("0")}
    async with live("binance", balances=poor) as (_, venue):
        router, store = make_router(tmp_path, [venue])
        async with router:
            order = await router.submit(limit("a", "59000", side=Side.SELL))
        assert order.reason.startswith("insufficient_funds")
        store.close()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.HTML])
async def test_a_cut_answer_to_a_look_up_is_no_proof_of_absence(
    tmp_path: Path, dialect: str, kind: FaultKind
) -> None:
    place = "order" if dialect == "binance" else "AddOrder"
    find = "order" if dialect == "binance" else "Orders"
    lost = FaultRule(kind=FaultKind.DROP_AFTER, method="POST", path=place, times=1)
    cut = FaultRule(kind=kind, method="GET" if dialect == "binance" else "POST", path=find, times=4)
    async with live(dialect, lost, cut) as (server, venue):
        await venue.instruments()
        router, store = make_router(tmp_path, [venue])
        async with router:
            order = await router.submit(limit("a", "59000"))
        assert (order.state, order.attempt) == (OrderState.OPEN, 0), order.reason
        assert len(server.exchange.orders) == 1
        store.close()
