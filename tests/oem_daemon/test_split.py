"""Two venues over real sockets: an order is split by all-in cost, and the ledger still adds up."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

import oem_tco
from daemon_campaign import PASSPHRASE, sandbox_site
from exec_live_support import KEY, SECRETS, server_of
from oem_daemon.bootstrap import Parts, check_site, compose
from oem_daemon.config.reader import read_config
from oem_daemon.cost_book import whole_id
from oem_daemon.errors import ConfigError
from oem_daemon.recall import recall
from oem_exec import Candle, OrderState
from oem_exec.venue_server.server import VenueServer
from oem_security import Keyring, Vault, read_journal
from site_support import MadeSite, edit_config

D = Decimal
MINUTE_NS = 60_000_000_000
KRAKEN = """\
      - exchange: kraken
        base_url: {url}
        credentials: kraken
        timeout_seconds: 2.0
        visibility_delay_seconds: 0.05
        limits: [{{bucket: counter, units: 100000, window_seconds: 60}}]
    split: {split}
    poll_seconds: 1.0
"""


EAGER = """\
  profiles: {}
  defaults:
    {min_net_edge_bps: -10000, min_stressed_net_edge_bps: -10000, min_probability: 0,
     max_cost_bps: 1000}
  rank_by: amount """


@asynccontextmanager
async def two_servers() -> AsyncIterator[tuple[VenueServer, VenueServer]]:
    """Binance 15 bps dearer, Kraken with 16 bps more in fees; neither book is deep."""
    async with (
        server_of("binance", depth=D("0.6"), prices={"BTC/USDT": D(60_090)}) as one,
        server_of("kraken", depth=D("0.6")) as two,
    ):
        rising_minutes(one)
        rising_minutes(two)
        yield one, two


def rising_minutes(server: VenueServer) -> None:
    """Let the last hour and more have risen at the venue, steeply, to the price of its book."""
    tape = server.exchange.markets["BTC/USDT"].tape
    now = time.time_ns() // MINUTE_NS
    for back in range(70, 0, -1):
        price = D(round(60_000 * math.exp(-0.002 * back + 0.003 * (back % 2))))
        tape.bar(Candle((now - back) * MINUTE_NS, price, price + 5, price - 5, price, D(2)))


def two_venues(folder: Path, one: str, two: str, *, split: bool) -> MadeSite:
    made = sandbox_site(folder, one, "binance")
    vault = Vault.open(made.site.vault, PASSPHRASE)
    vault.put_all({"kraken/key": KEY, "kraken/secret": SECRETS["kraken"]})
    kraken = KRAKEN.format(url=two, split=str(split).lower())
    edit_config(made.site, "    poll_seconds: 1.0\n", kraken, sign=False)
    edit_config(made.site, "timeout_seconds: 1.0", "timeout_seconds: 2.0", sign=False)
    edit_config(made.site, "risk_profile: balanced", "risk_profile: aggressive", sign=False)
    # Kraken's fees are above the shipped thresholds: here only the way of an order counts
    edit_config(made.site, "  rank_by: amount ", EAGER)
    return made


@asynccontextmanager
async def trading(made: MadeSite) -> AsyncIterator[Parts]:
    parts = compose(made.site, check_site(made.site), lambda _: None)
    with parts.resources:
        await parts.router.start()
        parts.pipeline.restore()
        yield parts
        await parts.place.market.stop()
        await parts.place.intel.stop()
        await parts.router.stop()


@pytest.mark.parametrize("split", [True, False])
async def test_an_order_goes_where_it_costs_least_all_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: bool
) -> None:
    monkeypatch.setenv("OEM_VAULT_PASSPHRASE", PASSPHRASE)
    async with two_servers() as (one, two):
        made = two_venues(tmp_path, one.url, two.url, split=split)
        async with trading(made) as parts:
            assert await parts.pipeline.run_cycle()
            await parts.router.poll()
            decided = list(parts.pipeline.decisions)
            orders = parts.router.orders()
            held = parts.pipeline.portfolio.position("BTC/USDT").quantity
            rows = parts.ledger.rows()
        venues = {d.inputs.candidate.venue for d in decided}
        assert venues == {"binance", "kraken"}  # each venue was a candidate of its own
        taken = [d for d in decided if d.decision.accepted]
        assert len(taken) == 1, [d.decision for d in decided]
        best = max(decided, key=lambda d: d.decision.score)
        assert taken[0] is best
        wanted = taken[0].inputs.candidate.quantity
        assert all(order.state is OrderState.FILLED for order in orders)
        assert sum(order.filled_quantity for order in orders) == held == wanted
        sold = {s: sum(o.filled for o in s.exchange.orders.values()) for s in (one, two)}
        assert sum(sold.values()) == wanted
        if split:
            assert {order.venue for order in orders} == {"binance", "kraken"}
        else:
            assert [order.venue for order in orders] == [taken[0].inputs.candidate.venue]
    # one row for each part, under the decision's id, and fees by the venue's own schedule
    assert {row.order_id for row in rows.orders} == {order.intent_id for order in orders}
    assert {row.decision_id for row in rows.orders} == {taken[0].order_id}
    assert sum(row.quantity for row in rows.orders) == wanted
    assert {row.venue for row in rows.orders} == {order.venue for order in orders}
    assert sum(fill.quantity for fill in rows.fills) == wanted
    result = oem_tco.analyze(rows)
    assert sum(result.total.parts.values()) == result.total.total
    records = list(read_journal(made.site.decision_log("demo"), Keyring.open(made.site.keys)))
    assert sum(r.kind == "order.split" for r in records) == int(split)
    replayed = oem_tco.replay((str(r.seq), r.kind, r.body) for r in records)
    assert (replayed.differences, replayed.choices) == ((), 1)


async def test_parts_whose_rows_a_kill_lost_are_written_by_the_terms_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OEM_VAULT_PASSPHRASE", PASSPHRASE)
    async with two_servers() as (one, two):
        made = two_venues(tmp_path, one.url, two.url, split=True)
        async with trading(made) as parts:
            await parts.pipeline.run_cycle()
            await parts.router.poll()
            before = parts.ledger.rows()
        assert len(before.orders) == 2
        for file in made.site.cost_ledger.iterdir():
            file.unlink()  # as if nothing had got that far
        parts = compose(made.site, check_site(made.site), lambda _: None)
        with parts.resources:
            await parts.router.start()
            log = made.site.decision_log("demo")
            parts.pipeline.restore(partial(recall, log, parts.checked.keyring))
            after = parts.ledger.rows()
            await parts.router.stop()

    def told(rows: oem_tco.LedgerRows) -> set[tuple[object, ...]]:
        return {
            (r.order_id, r.decision_id, r.venue, r.quantity, r.decision_price, r.status)
            for r in rows.orders
        }

    assert told(after) == told(before)
    assert {f.fill_id for f in after.fills} == {f.fill_id for f in before.fills}


def test_one_venue_is_nothing_to_split_over(tmp_path: Path) -> None:
    made = sandbox_site(tmp_path, "http://127.0.0.1:1", "binance")
    edit_config(made.site, "    poll_seconds: 1.0\n", "    split: true\n", sign=False)
    with pytest.raises(ConfigError, match="nothing to split"):
        read_config(made.site.config)


def test_a_part_names_its_whole() -> None:
    assert [whole_id(name) for name in ("x-1~2", "x-1", "a~b", "~1")] == ["x-1", "x-1", "a~b", ""]
