"""Bars and books of a venue over a real socket, as the daemon of stage demo sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from daemon_campaign import PASSPHRASE, sandbox_site
from exec_live_support import server_of, venue_of
from oem_daemon.bootstrap import check_site, compose
from oem_daemon.config.reader import read_config
from oem_daemon.errors import ConfigError, NotReady
from oem_daemon.live_market import MINUTE_NS, LiveMarket
from oem_exec import Candle, IntelField, IntelSettings, MarketIntelAggregator, StaleMarketData
from oem_exec.budget import Unlimited
from oem_exec.venue_server.server import VenueServer
from site_support import edit_config

D = Decimal
START_NS = 1_700_000_040 * 1_000_000_000


@dataclass
class Clock:
    time_ns: int = START_NS

    def now_ns(self) -> int:
        return self.time_ns


@asynccontextmanager
async def market(clock: Clock, warmup: int = 5) -> AsyncIterator[tuple[LiveMarket, VenueServer]]:
    async with server_of() as server:
        venue = venue_of(server.url)
        settings = IntelSettings(max_age_s=dict.fromkeys(IntelField, 0.3))
        intel = MarketIntelAggregator([venue.market], {"binance": ["BTC/USDT"]}, settings)
        found = LiveMarket(
            [venue.market],
            ["BTC/USDT"],
            intel=intel,
            budgets=Unlimited(),
            clock=clock,
            warmup=warmup,
            retry_s=0.02,
        )
        try:
            yield found, server
        finally:
            await found.stop()
            await intel.stop()
            await venue.close()


def minutes(server: VenueServer, first: int, count: int) -> None:
    """Let minutes have traded at the venue."""
    tape = server.exchange.markets["BTC/USDT"].tape
    for minute in range(first, first + count):
        price = D(60_000 + minute)
        tape.bar(
            Candle(START_NS + minute * MINUTE_NS, price, price + 5, price - 5, price + 1, D(2))
        )


async def test_cycles_begin_with_enough_closed_minutes_and_go_on_with_each(tmp_path: Path) -> None:
    clock = Clock()
    async with market(clock) as (live, server):
        minutes(server, 0, 4)
        clock.time_ns += 4 * MINUTE_NS
        waiting = asyncio.create_task(live.advance())
        async with asyncio.timeout(10):
            while not live.problem:  # noqa: ASYNC110 - it is a text, set by the market
                await asyncio.sleep(0.01)
        assert not waiting.done()
        assert "shows 4 closed minutes of BTC/USDT, and the strategies need 5" in live.problem
        minutes(server, 4, 2)
        clock.time_ns += 2 * MINUTE_NS
        bars = await asyncio.wait_for(waiting, 10)
        assert bars is not None
        assert bars["BTC/USDT"].close_ns == START_NS + 6 * MINUTE_NS
        assert bars["BTC/USDT"].close == D(60_006)
        assert live.problem == ""
        assert list(live.closes("BTC/USDT", 3)) == [60_004.0, 60_005.0, 60_006.0]
        # a minute that has not closed yet is no bar
        minutes(server, 6, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(live.advance(), 0.5)
        clock.time_ns += MINUTE_NS
        bars = await asyncio.wait_for(live.advance(), 10)
        assert bars is not None
        assert bars["BTC/USDT"].close == D(60_007)


async def test_a_stopped_market_ends_what_waits_for_it(tmp_path: Path) -> None:
    async with market(Clock()) as (live, _):
        waiting = asyncio.create_task(live.advance())
        await asyncio.sleep(0.05)
        await live.stop()
        assert await asyncio.wait_for(waiting, 10) is None


async def test_no_book_is_an_error_and_never_an_old_one(tmp_path: Path) -> None:
    async with market(Clock()) as (live, server):
        assert (await live.book("BTC/USDT")).bids
        await server.stop()
        await asyncio.sleep(0.4)
        with pytest.raises(StaleMarketData):
            await live.book("BTC/USDT")


async def test_a_sandbox_is_not_the_exchange_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sandbox_site(tmp_path, "http://127.0.0.1:1", "binance")
    checked = check_site(made.site)
    with pytest.raises(NotReady, match="passphrase"):
        compose(made.site, checked, lambda _: None)
    monkeypatch.setenv("OEM_VAULT_PASSPHRASE", PASSPHRASE)
    with compose(made.site, checked, lambda _: None).resources:
        pass
    edit_config(made.site, "http://127.0.0.1:1", "https://api.binance.com")
    with pytest.raises(ConfigError, match="not a sandbox"):
        compose(made.site, check_site(made.site), lambda _: None)


SECOND = "{exchange: binance, base_url: 'http://127.0.0.1:2'}"
ROUTE = "poll_seconds: 1.0\n    routes: [{venues: [kraken]}]"
TYPO = "poll_seconds: 1.0\n    routes: [{{{}, venues: [binance]}}]"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stage: demo", "stage: paper", "belongs to stage demo"),
        ("    venues:\n", f"    venues:\n      - {SECOND}\n", "twice"),
        ("poll_seconds: 1.0", ROUTE, "no access to kraken"),
        ("poll_seconds: 1.0", TYPO.format("profile: balancd"), "no risk profile's name"),
        ("poll_seconds: 1.0", TYPO.format("symbol: BTC/EUR"), "matches no symbol"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    made = sandbox_site(tmp_path, "http://127.0.0.1:1", "binance")
    edit_config(made.site, old, new, sign=False)
    with pytest.raises(ConfigError) as caught:
        read_config(made.site.config)
    assert message in " ".join(map(str, caught.value.problems)) + caught.value.what
