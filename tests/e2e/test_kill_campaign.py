"""The daemon is killed while it trades on a faulty venue; nothing is doubled, nothing is lost."""

from __future__ import annotations

import json
from dataclasses import asdict
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
async def test_100000_orders_and_1000_kills(tmp_path: Path, repository: Path) -> None:
    found = await daemon_campaign(tmp_path, orders=160_000, kills=1_000, verify_every=100)
    target = repository / "var" / "faults" / "daemon_kill_campaign.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(asdict(found), indent=2))
    assert _holds(found), found
    assert found.orders.server_orders >= 100_000
