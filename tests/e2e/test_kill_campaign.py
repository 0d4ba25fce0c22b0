"""The daemon is killed while it trades on a faulty venue; nothing is doubled, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import pytest

from daemon_campaign import DaemonVerdict, daemon_campaign


def _holds(found: DaemonVerdict) -> bool:
    orders = found.orders
    return not any(
        (orders.duplicates, orders.lost, orders.wrongly_closed, orders.unresolved,
         found.forgotten, found.unlogged, found.uncosted)
    )  # fmt: skip


@pytest.mark.e2e
async def test_2000_orders_and_25_kills(tmp_path: Path) -> None:
    found = await daemon_campaign(tmp_path, orders=2_900, kills=25, verify_every=5)
    assert _holds(found), found
    assert found.orders.server_orders >= 2_000
    assert found.orders.kills == 25


@pytest.mark.faults
def test_100000_orders_and_1000_kills(tmp_path: Path, repository: Path) -> None:
    """Eight sites, as many at once as there are cores; the counts are written for each."""
    target = repository / "var" / "faults" / "daemon_kill_campaign.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    found: list[DaemonVerdict] = []
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        sites = [pool.submit(_site, tmp_path / f"site{seed}", seed) for seed in range(1, 9)]
        for site in as_completed(sites):
            found.append(site.result())
            target.write_text(json.dumps([asdict(one) for one in found], indent=2))
    assert all(map(_holds, found)), found
    assert sum(one.orders.server_orders for one in found) >= 100_000
    assert sum(one.orders.kills for one in found) == 1_000


def _site(folder: Path, seed: int) -> DaemonVerdict:
    folder.mkdir()
    return asyncio.run(
        daemon_campaign(folder, orders=18_000, kills=125, seed=seed, verify_every=25)
    )
