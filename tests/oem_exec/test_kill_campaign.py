"""SIGKILL at random moments under faults: no duplicate, nothing lost, nothing wrongly closed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from exec_campaign import Verdict, campaign


def _clean(verdict: Verdict) -> bool:
    return verdict.duplicates == verdict.lost == verdict.wrongly_closed == verdict.unresolved == 0


@pytest.mark.parametrize("dialect", ["binance", "kraken"])
async def test_small_campaign(tmp_path: Path, dialect: str) -> None:
    verdict = await campaign(tmp_path, dialect=dialect, intents=120, kills=2)
    assert _clean(verdict), verdict
    assert verdict.server_orders > 40


@pytest.mark.faults
async def test_campaign_of_2000_orders_and_25_kills(tmp_path: Path, repository: Path) -> None:
    verdict = await campaign(tmp_path, intents=4600, kills=25)
    target = repository / "var" / "faults"
    target.mkdir(parents=True, exist_ok=True)
    (target / "exec_kill_campaign_2000.json").write_text(json.dumps(asdict(verdict), indent=2))
    assert _clean(verdict), verdict
    assert verdict.server_orders >= 2000
    assert verdict.kills == 25


@pytest.mark.faults
async def test_campaign_of_100000_orders_and_1000_kills(tmp_path: Path, repository: Path) -> None:
    verdict = await campaign(tmp_path, intents=230_000, kills=1000)
    target = repository / "var" / "faults"
    target.mkdir(parents=True, exist_ok=True)
    (target / "exec_kill_campaign.json").write_text(json.dumps(asdict(verdict), indent=2))
    assert _clean(verdict), verdict
