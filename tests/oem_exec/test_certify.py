"""The certification list holds for both imitated venues, and its settings are checked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oem_exec.errors import BadSettings
from oem_exec.sandbox import certify_venue, serve_for_ever, server_settings


@pytest.mark.parametrize("exchange", ["binance", "kraken"])
async def test_every_case_holds_against_the_imitation(exchange: str) -> None:
    report = await certify_venue(exchange, "BTC/USDT")
    assert [case.case for case in report.results if not case.passed] == []
    assert len(report.results) >= 12
    assert report.as_json()["passed"] is True


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
