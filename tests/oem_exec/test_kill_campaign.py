"""SIGKILL at random moments under faults: no duplicate, nothing lost, nothing wrongly closed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from exec_campaign import Verdict, campaign


def _clean(verdict: Verdict) -> bool:
    return verdict.duplicates == verdict.lost == verdict.wrongly_closed == verdict.unresolved == 0


def _keep(repository: Path, name: str, verdict: Verdict) -> None:
    target = repository / "var" / "faults"
    target.mkdir(parents=True, exist_ok=True)
    (target / name).write_text(json.dumps(asdict(verdict), indent=2) + "\n")


@pytest.mark.faults  # CI kills the whole daemon instead: tests/e2e/test_kill_campaign.py
async def test_campaign_of_2000_orders_and_25_kills(tmp_path: Path, repository: Path) -> None:
    verdict = await campaign(tmp_path, orders=2000, kills=25)
    _keep(repository, "exec_kill_campaign_2000.json", verdict)
    assert _clean(verdict), verdict
    assert verdict.server_orders >= 2000
    assert verdict.kills >= 25


# a campaign proves more than that lines are run: it is not slowed down by measuring them
@pytest.mark.no_cover
async def test_campaign_against_a_venue_that_takes_one_request_at_a_time(tmp_path: Path) -> None:
    verdict = await campaign(tmp_path, dialect="kraken", orders=60, kills=3)
    assert _clean(verdict), verdict
    assert verdict.kills >= 3


@pytest.mark.faults
async def test_campaign_of_100000_orders_and_1000_kills(tmp_path: Path, repository: Path) -> None:
    verdict = await campaign(tmp_path, orders=100_000, kills=1000)
    _keep(repository, "exec_kill_campaign.json", verdict)
    assert _clean(verdict), verdict
    assert verdict.server_orders >= 100_000
    assert verdict.kills >= 1000
