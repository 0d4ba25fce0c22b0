"""Budgets shared by processes: never above the venue's limit in any window, and well used."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from exec_virtual import VirtualLoop
from oem_exec import BadSettings, Limit, SharedBudgets

LIMIT = Limit("weight", 600, 2.0)


def test_cancels_go_before_everything_else(tmp_path: Path) -> None:
    order: list[str] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        budgets = SharedBudgets(
            tmp_path,
            {"v": (Limit("orders", 20, 1.0),)},
            monotonic_ns=lambda: 10**15 + int(loop.time() * 1e9),
        )

        async def one(name: str, urgent: bool) -> None:
            await budgets.acquire("v", {"orders": 1}, urgent=urgent)
            order.append(name)

        tasks = [asyncio.create_task(one(f"order{i}", False)) for i in range(6)]
        await asyncio.sleep(0.01)
        tasks.append(asyncio.create_task(one("cancel", True)))
        await asyncio.gather(*tasks)
        budgets.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())
    assert order.index("cancel") <= 2, order


async def test_retry_after_blocks_every_process(tmp_path: Path) -> None:
    here = SharedBudgets(tmp_path, {"v": (LIMIT,)})
    there = SharedBudgets(tmp_path, {"v": (LIMIT,)})
    here.block("v", 0.2)
    started = time.monotonic()
    await there.acquire("v", {"weight": 1})
    assert time.monotonic() - started >= 0.19
    here.close()
    there.close()


async def test_a_request_heavier_than_the_limit_is_a_typed_error(tmp_path: Path) -> None:
    budgets = SharedBudgets(tmp_path, {"v": (LIMIT,)})
    with pytest.raises(BadSettings, match="can never pass"):
        await budgets.acquire("v", {"weight": 601})
    budgets.close()
