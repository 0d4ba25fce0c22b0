"""Budgets shared by processes: never above the venue's limit in any window, and well used."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oem_exec import BadSettings, Limit, SharedBudgets

LIMIT = Limit("weight", 600, 2.0)

WORKER = """
import asyncio, sys, time
from pathlib import Path
from oem_exec import Limit, SharedBudgets
async def main():
    budgets = SharedBudgets(Path(sys.argv[1]), {"v": (Limit("weight", 600, 2.0),)})
    end = time.monotonic() + 5.0
    stamps = []
    while time.monotonic() < end:
        await budgets.acquire("v", {"weight": 1})
        stamps.append(time.monotonic_ns())
    budgets.close()
    print(" ".join(map(str, stamps)))
asyncio.run(main())
"""


def _peak(stamps: list[int], window_s: float) -> int:
    stamps.sort()
    peak = start = 0
    for end, stamp in enumerate(stamps):
        while stamps[start] <= stamp - window_s * 1e9:
            start += 1
        peak = max(peak, end - start + 1)
    return peak


def test_three_processes_stay_below_the_limit_and_use_97_percent(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    each = [[int(x) for x in worker.communicate()[0].split()] for worker in workers]
    stamps = [stamp for found in each for stamp in found]
    assert _peak(stamps, 2.0) <= 600
    # while all three were running
    first, last = max(found[0] for found in each), min(found[-1] for found in each)
    during = [s for s in stamps if first <= s <= last]
    used = len(during) / ((last - first) / 1e9 / 2.0 * 600)
    assert used >= 0.97, used
    assert min(map(len, each)) > 0


async def test_cancels_go_before_everything_else(tmp_path: Path) -> None:
    budgets = SharedBudgets(tmp_path, {"v": (Limit("orders", 20, 1.0),)})
    order: list[str] = []

    async def one(name: str, urgent: bool) -> None:
        await budgets.acquire("v", {"orders": 1}, urgent=urgent)
        order.append(name)

    tasks = [asyncio.create_task(one(f"order{i}", False)) for i in range(6)]
    await asyncio.sleep(0.01)
    tasks.append(asyncio.create_task(one("cancel", True)))
    await asyncio.gather(*tasks)
    budgets.close()
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
