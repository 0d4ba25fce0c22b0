"""One intent over several venues: cheapest, once, and nothing of it forgotten."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exec_live_support import live, venue_of
from exec_support import BTC, D, ListJournal, limit, make_router, market
from oem_exec import (
    Capabilities,
    IntelSettings,
    IntentConflict,
    InvalidOrder,
    KillState,
    Limit,
    LiveExecutionRouter,
    MarketIntelAggregator,
    NoRoute,
    OrderState,
    OrderType,
    PaperVenue,
    Side,
    SplitRouter,
    StaleMarketData,
    TimeInForce,
    UnknownOrder,
)
from oem_exec.venue_server.faults import FaultKind, FaultRule
from oem_security.clock import SystemClock

SYMBOL = "BTC/USDT"


def paper(name: str, ask: str, size: str, fee: str = "0.001", **more: Any) -> PaperVenue:
    venue = PaperVenue([replace(BTC, taker_fee=D(fee))], name=name, **more)
    bid = D(ask) - 10
    far = D(ask) + 100
    asks = [(ask, size), (far, "5")]
    venue.feed_book(SYMBOL, [(bid, size), (bid - 100, "5")], asks, SystemClock().now_ns())
    return venue


class Desk:
    """Two or three venues, their router and the split over them."""

    def __init__(self, router: LiveExecutionRouter, split: SplitRouter, log: ListJournal) -> None:
        self.router = router
        self.split = split
        self.log = log


@contextlib.asynccontextmanager
async def desk(folder: Path, *venues: Any, **options: Any) -> AsyncIterator[Desk]:
    log = ListJournal()
    router, store = make_router(folder, venues, journal=log, **options)
    sources = [getattr(venue, "market", venue) for venue in venues]
    intel = MarketIntelAggregator(sources, {v.name: [SYMBOL] for v in venues}, IntelSettings())
    try:
        async with router:
            yield Desk(router, SplitRouter(router, intel), log)
    finally:
        store.close()


async def test_each_part_goes_where_it_is_cheapest_all_in(tmp_path: Path) -> None:
    # b is 20 cheaper but charges 0.2 %, which is 120: all in, a comes first
    async with desk(
        tmp_path, paper("a", "60020", "0.4"), paper("b", "60000", "1", fee="0.002")
    ) as at:
        done = await at.split.submit(market("x", "0.5"))
        assert [(o.venue, o.intent_id, o.filled_quantity) for o in done.orders] == [
            ("a", "x", D("0.4")),
            ("b", "x~1", D("0.1")),
        ]
        assert (done.filled_quantity, done.unsent, done.errors) == (D("0.5"), 0, {})
        assert done.average_price == D("60016")
        sold = await at.split.submit(market("y", "0.5", Side.SELL))
        assert {o.venue: o.filled_quantity for o in sold.orders} == {"a": D("0.4"), "b": D("0.1")}
        _, plan = next(e for e in at.log.entries if e[0] == "order.split")
        assert [part["venue"] for part in plan["parts"]] == ["a", "b"]  # type: ignore[index,union-attr]
        assert done.as_json()["filled_quantity"] == str(D("0.50000"))


async def test_a_split_submitted_again_is_what_it_became(tmp_path: Path) -> None:
    async with desk(tmp_path, paper("a", "60000", "0.3"), paper("b", "60001", "1")) as at:
        both = await asyncio.gather(*(at.split.submit(market("x", "0.5")) for _ in range(5)))
        assert all(one is both[0] for one in both)
        again = await at.split.submit(market("x", "0.5"))
        assert [o.client_order_id for o in again.orders] == [
            o.client_order_id for o in both[0].orders
        ]
        assert sum(o.filled_quantity for o in at.router.orders()) == D("0.5")
        more = await at.split.submit(market("x", "0.6"))
        assert (more.unsent, more.filled_quantity) == (D("0.1"), D("0.5"))
        for other in (
            market("x", "0.5", Side.SELL),
            market("x", "0.2"),
            limit("x", "60100", "0.5"),
        ):
            with pytest.raises(IntentConflict):
                await at.split.submit(other)
        with pytest.raises(IntentConflict):
            await at.router.submit(market("x", "0.5"))
        assert at.split.order(market("nothing")) is None


async def test_a_split_that_was_cut_off_is_reported_and_never_made_anew(tmp_path: Path) -> None:
    async with desk(tmp_path, paper("a", "60000", "0.3"), paper("b", "60001", "1")) as at:
        await at.router.submit(market("x", "0.3"), venues=["a"])  # all that got out before the cut
        found = await at.split.submit(market("x", "0.5"))
        assert [o.venue for o in found.orders] == ["a"]
        assert found.unsent == D("0.2")
        assert len(at.router.orders()) == 1


class Metered(PaperVenue):
    """A paper venue whose requests must pass the budget."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, limits=(Limit("weight", 10, 1.0),))


class SlowAtA:
    """A budget that lets the first venue's requests wait."""

    async def acquire(self, venue: str, cost: Mapping[str, int], **_: bool) -> None:
        if cost:
            await asyncio.sleep(0.05)

    def block(self, venue: str, seconds: float) -> None:
        raise AssertionError

    def used_share(self, venue: str) -> Mapping[str, float]:
        return {}


async def test_the_first_part_is_durable_before_any_other_is_sent(tmp_path: Path) -> None:
    slow = Metered([BTC], name="a")
    slow.feed_book(SYMBOL, [("59990", "9")], [("60000", "3")], SystemClock().now_ns())
    others = [paper("b", "60001", "1"), paper("c", "60002", "1")]
    async with desk(tmp_path, slow, *others, budgets=SlowAtA()) as at:
        await at.split.submit(market("x", "5"))
        intents: list[Any] = [body for kind, body in at.log.entries if kind == "order.intent"]
        assert [body["venue"] for body in intents] == ["a", "b", "c"]
        assert intents[0]["intent"]["intent_id"] == "x"


async def test_a_stale_or_foreign_book_gets_nothing_and_says_why(tmp_path: Path) -> None:
    old = paper("old", "50000", "9")
    old.feed_book(SYMBOL, [("49990", "9")], [("50000", "9")], 1)
    other = PaperVenue([replace(BTC, symbol="ETH/USDT")], name="other")
    async with desk(tmp_path, old, paper("b", "60001", "1"), other) as at:
        done = await at.split.submit(market("x", "0.5"))
        assert [o.venue for o in done.orders] == ["b"]
        assert "s old" in done.left_out["old"]
        assert "other" in done.left_out
    async with desk(tmp_path / "2", old) as at:
        with pytest.raises(StaleMarketData, match="no venue of the route"):
            await at.split.submit(market("x", "0.5"))
        assert at.router.orders() == ()


async def test_a_part_refused_definitely_goes_on_to_the_others(tmp_path: Path) -> None:
    poor = paper("poor", "60000", "0.3", balances={"USDT": D(100)})
    async with desk(tmp_path, poor, paper("b", "60001", "1")) as at:
        done = await at.split.submit(market("x", "0.5"))
        assert sum(o.filled_quantity for o in done.orders) == D("0.5")
        assert {o.venue for o in done.orders} == {"b"}
        assert done.unsent == 0


async def test_the_kill_switch_stops_the_split_before_anything_is_sent(tmp_path: Path) -> None:
    async with desk(tmp_path, paper("a", "60000", "0.3"), paper("b", "60001", "1")) as at:
        await at.router.set_kill_state(KillState.HALTED, reason="test", operator="ann")
        with pytest.raises(Exception, match="kill switch"):
            await at.split.submit(market("x", "0.5"))
        assert at.router.orders() == ()


async def test_what_cannot_be_split_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    async with desk(tmp_path, paper("a", "60000", "0.3"), paper("b", "60001", "1")) as at:
        for wrong in (
            limit("p", "59000", order_type=OrderType.POST_ONLY),
            limit("f", "60500", time_in_force=TimeInForce.FOK),
            market("i" * 61),
            market("deep", "100"),
            limit("far", "59000", "0.5"),
        ):
            with pytest.raises(InvalidOrder):
                await at.split.submit(wrong)
        assert at.router.orders() == ()
        with pytest.raises(UnknownOrder):
            await at.split.cancel("nothing")
        with pytest.raises(NoRoute, match="nowhere"):
            await at.router.submit(market("n"), venues=["nowhere"])


async def test_a_limit_split_takes_no_worse_price_and_its_rests_are_cancelled(
    tmp_path: Path,
) -> None:
    a, b = paper("a", "60000", "0.3"), paper("b", "60001", "0.3")
    async with desk(tmp_path, a, b) as at:
        with pytest.raises(InvalidOrder, match="do not hold"):
            await at.split.submit(limit("x", "60005", "1"))
        done = await at.split.submit(limit("y", "60005", "0.6"))
        assert done.filled_quantity == D("0.6")
        assert max(f.price for o in done.orders for f in o.fills) == D("60001")
        a.feed_book(SYMBOL, [("59990", "1")], [("60000", "0.2")], SystemClock().now_ns())
        late = await at.split.submit(limit("z", "60000", "0.2"))
        assert [o.state for o in await at.split.cancel("z")] == [OrderState.FILLED]
        assert late.orders[0].venue == "a"


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE])
async def test_over_sockets_a_lost_answer_of_one_part_is_found_and_not_repeated(
    tmp_path: Path, kind: FaultKind
) -> None:
    rule = FaultRule(kind=kind, method="POST", times=1)
    async with (
        live("binance", rule, depth=D(1)) as (one, _),
        live("kraken", depth=D(1)) as (two, _),
    ):
        async with desk(tmp_path, venue_of(one.url), venue_of(two.url, "kraken")) as at:
            done = await at.split.submit(market("x", "0.5"))
            await at.router.poll()
            now = at.split.order(market("x", "0.5"))
            assert now is not None
            assert (now.filled_quantity, now.unsent) == (D("0.5"), 0)
            assert len(done.orders) == 2
        sold = [order for s in (one, two) for order in s.exchange.orders.values()]
        assert sum(order.filled for order in sold) == D("0.5")
        assert len(sold) == 2
