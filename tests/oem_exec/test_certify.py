"""The certification list holds for both imitated venues, and its settings are checked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from exec_support import D, paper
from oem_exec import Order, OrderType, PaperVenue, RefusalReason, Refused
from oem_exec.certify import Outcome, certify
from oem_exec.certify_cases import CASES
from oem_exec.errors import BadSettings
from oem_exec.sandbox import certify_venue, serve_for_ever, server_settings
from oem_exec.venue import LookupAnswer, NotFound, PlaceAnswer

SYMBOL = "BTC/USDT"


@pytest.mark.parametrize("exchange", ["binance", "kraken"])
async def test_every_case_holds_against_the_imitation(exchange: str) -> None:
    report = await certify_venue(exchange, SYMBOL)
    assert {c.case: c.seen for c in report.results if c.outcome is not Outcome.HELD} == {}
    assert [case.case for case in report.results] == list(CASES)
    assert report.as_json()["passed"] is True


async def test_a_case_that_cannot_be_brought_about_is_named_and_not_called_held(
    tmp_path: Path,
) -> None:
    report = await certify(paper(), SYMBOL, tmp_path, largest_notional=D(100))
    assert report.not_run == ("partial fill, then cancel", "rate limit")
    assert report.passed
    assert report.as_json()["not_run"] == list(report.not_run)


class Liar(PaperVenue):
    """A venue that lies in one way."""

    lie = ""

    async def place(self, order: Order) -> PlaceAnswer:
        if self.lie == "takes post-only orders" and order.intent.type == "post_only":
            order = replace(order, intent=replace(order.intent, type=OrderType.LIMIT))
        if self.lie == "refuses far orders" and order.price and order.price < 59_500:
            return Refused(RefusalReason.OTHER, "no")
        return await super().place(order)

    async def lookup(self, order: Order) -> LookupAnswer:
        if self.lie == "never finds what it took" and not order.venue_order_id:
            return NotFound()
        return await super().lookup(order)


LIES = {
    "takes post-only orders": "post-only refused when it would take",
    "refuses far orders": "accept",
    "never finds what it took": "unknown then found",
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_venue_that_lies_does_not_pass(tmp_path: Path, lie: str) -> None:
    honest = paper()
    venue = Liar([market.instrument for market in honest.exchange.markets.values()])
    venue.feed_book(SYMBOL, [("60000", "1"), ("59990", "2")], [("60010", "1"), ("60020", "2")], 1)
    venue.lie = lie
    report = await certify(venue, SYMBOL, tmp_path)
    assert not report.passed
    assert LIES[lie] in {c.case for c in report.results if c.outcome is Outcome.FAILED}


async def test_a_venue_without_imitation_needs_an_address() -> None:
    with pytest.raises(BadSettings, match="base-url"):
        await certify_venue("okx", "BTC/USDT")


def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="not a number"):
        server_settings(dialect="binance", price="dear")
    rules = tmp_path / "faults.json"
    rules.write_text('[{"kind": "gremlin"}]')
    with pytest.raises(BadSettings, match="fault rule"):
        server_settings(dialect="binance", faults=rules)


async def test_the_sandbox_serves_until_it_is_cancelled() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve_for_ever(server_settings(dialect="kraken"), ready.set_result))
    assert (await asyncio.wait_for(ready, 10)).startswith("http://127.0.0.1:")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_feed_is_named_by_its_files(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('[{"at_s": 0, "do": "reprice", "price": "100"}]')
    settings = server_settings(dialect="binance", script=script, speed=2.0, loop=True)
    assert settings.feed is not None
    assert (settings.feed.speed, settings.feed.loop, len(settings.feed.script)) == (2.0, True, 1)
    with pytest.raises(BadSettings, match="cannot be read"):
        server_settings(dialect="binance", recorded={"trades": tmp_path / "none"})
