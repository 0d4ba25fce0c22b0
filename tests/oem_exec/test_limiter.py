"""The limiter by the venue's own counters: real ccxt over a socket, one and three processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_live_support import server_of
from exec_virtual import VirtualLoop
from oem_exec import Limit, SharedBudgets

UNITS, WINDOW_S = 1000, 2.5
HEAVY = 80
"""Eight times what may go at once: it has to wait for its sum while others take one by one."""

WORKER = """
import asyncio, os, sys, time
from pathlib import Path
from exec_live_support import venue_of
from oem_exec import Limit, SharedBudgets
from oem_exec.ccxt_venue.loader import load_exchange_class
from oem_exec.venue import BookSnapshot
load_exchange_class("binance")
parent = os.getpid()
for _ in range(int(sys.argv[5]) - 1):
    if os.getpid() == parent:
        os.fork()
heavy = int(sys.argv[6])
async def main():
    limit = Limit("weight", int(sys.argv[3]), float(sys.argv[4]))
    budgets = SharedBudgets(Path(sys.argv[2]), {"binance": (limit,)})
    venue = venue_of(sys.argv[1])
    async def counted(weight, work):
        await budgets.acquire("binance", {"weight": weight})
        granted = time.monotonic()
        try:
            return await work()
        finally:
            budgets.settle("binance", {"weight": weight}, time.monotonic() - granted)
    await counted(20, venue.instruments)
    # connections are made before, as a process that runs has them
    await asyncio.gather(*(counted(1, venue._ccxt.fetch_time) for _ in range(8)))
    print("ready", flush=True)
    while not Path(sys.argv[2], "go").exists():
        await asyncio.sleep(0.01)
    began = time.monotonic()
    async def load():
        while True:
            answer = await counted(5, lambda: venue.book("BTC/USDT", 5))
            assert isinstance(answer, BookSnapshot), (time.monotonic() - began, answer)
    async def heavy_load():
        while True:
            await asyncio.sleep(0.4)
            asked = time.monotonic()
            assert isinstance(await counted(heavy, venue.open_orders), tuple)
            with Path(sys.argv[2], "heavy").open("a") as log:
                print(time.monotonic() - asked, file=log)
    more = [heavy_load()] if os.getpid() == parent else []
    await asyncio.gather(*(load() for _ in range(8)), *more)
asyncio.run(main())
"""


def _counters(url: str) -> Any:
    with urllib.request.urlopen(f"{url}/oem/counters") as answer:
        return json.load(answer)["limits"]["weight"]


@dataclass(frozen=True)
class Counted:
    processes: int
    peak: int
    refused: int
    used: float
    late: float
    waits_s: tuple[float, ...]


async def _load(folder: Path, processes: int) -> Counted:
    """Let processes ask for more than a venue allows; return what the venue counted."""
    limits = {"weight_limit": UNITS, "weight_window_s": WINDOW_S, "order_limit": 1000}
    async with server_of(limits=limits) as server:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER,
            server.url, str(folder), str(UNITS), str(WINDOW_S), str(processes), str(HEAVY),
            stdout=asyncio.subprocess.PIPE, start_new_session=True,
            env={"PYTHONPATH": str(Path(__file__).parents[1] / "support")},
        )  # fmt: skip
        try:
            assert worker.stdout is not None
            async with asyncio.timeout(60):
                for _ in range(processes):
                    assert await worker.stdout.readline() == b"ready\n"
            (folder / "go").touch()
            await asyncio.sleep(0.5)
            booked = _booked(folder)
            began, before = time.monotonic(), await asyncio.to_thread(_counters, server.url)
            await asyncio.sleep(1.1 * WINDOW_S)
            ended, after = time.monotonic(), await asyncio.to_thread(_counters, server.url)
            booked = _booked(folder) - booked
            assert worker.returncode is None
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            await worker.communicate()
    counted, allowed = after["total"] - before["total"], (ended - began) / WINDOW_S * UNITS
    waits = tuple(float(line) for line in (folder / "heavy").read_text().split())
    return Counted(
        processes,
        after["peak"],
        after["refused"],
        counted / allowed,
        max(booked - counted, 0) / allowed,
        waits,
    )


def _booked(folder: Path) -> int:
    """Return the units that were ever booked; what came late was booked twice."""
    budgets = SharedBudgets(folder, {"binance": (Limit("weight", UNITS, WINDOW_S),)})
    total = budgets._buckets["binance"]["weight"].total
    budgets.close()
    return total


ATTEMPTS = 5
"""A busy machine asks too late and wastes what flowed meanwhile; the bound holds always."""


@pytest.mark.no_cover
@pytest.mark.parametrize("processes", [1, 3])
async def test_the_venue_counts_97_percent_and_never_more_than_its_limit(
    tmp_path: Path, processes: int
) -> None:
    seen: list[Counted] = []
    while len(seen) < ATTEMPTS:
        counted = await _load(tmp_path / str(len(seen)), processes)
        seen.append(counted)
        assert counted.refused == 0, counted
        assert counted.peak <= UNITS
        # on a machine that stalls, late answers are paid twice, which keeps the bound
        if counted.used + counted.late >= 0.97 and _served_in_turn(counted):
            return
    raise AssertionError(seen)


def _served_in_turn(counted: Counted) -> bool:
    """Whether a heavy request got its own sum after one request of each process before it."""
    fair_s = (HEAVY + 5 * (counted.processes + 1)) / UNITS * WINDOW_S
    return len(counted.waits_s) >= 2 and min(counted.waits_s) <= 2 * fair_s


@pytest.mark.no_cover
@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("heavy", [0, HEAVY])
def test_97_percent_flow_when_no_machine_stands_in_the_way(
    tmp_path: Path, processes: int, heavy: int
) -> None:
    """In virtual time: what the limiter itself costs, whatever else the processors do."""
    windows = 6

    async def run() -> int:
        loop = asyncio.get_running_loop()
        limit = Limit("weight", UNITS, WINDOW_S)
        site = [
            SharedBudgets(
                tmp_path,
                {"v": (limit,)},
                monotonic_ns=lambda: 10**15 + int(loop.time() * 1e9),
                sleep=asyncio.sleep,
            )
            for _ in range(processes)
        ]
        flowed = 0

        async def ask(budgets: SharedBudgets, units: int, pause_s: float) -> None:
            nonlocal flowed
            while True:
                await asyncio.sleep(pause_s)
                await budgets.acquire("v", {"weight": units})
                flowed += units

        tasks = [asyncio.create_task(ask(b, 5, 0.003)) for b in site for _ in range(8)]
        if heavy:
            tasks.append(asyncio.create_task(ask(site[0], heavy, 0.4)))
        await asyncio.sleep(WINDOW_S)
        before = flowed
        await asyncio.sleep(windows * WINDOW_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for budgets in site:
            budgets.close()
        return flowed - before

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        flowed = runner.run(run())
    assert 0.97 * windows * UNITS <= flowed <= windows * UNITS


@given(
    units=st.integers(1, 300),
    window_ms=st.integers(100, 60_000),
    asks=st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 300), st.booleans())),
)
def test_prop_no_window_ever_holds_more_than_the_limit(
    tmp_path_factory: pytest.TempPathFactory,
    units: int,
    window_ms: int,
    asks: list[tuple[int, int, bool]],
) -> None:
    now = 10**15
    limit = Limit("w", units, window_ms / 1000)
    budgets = SharedBudgets(tmp_path_factory.mktemp("b"), {"v": (limit,)}, monotonic_ns=lambda: now)
    granted: list[tuple[int, int]] = []
    for pause_us, weight, urgent in asks * 3:
        now += pause_us * 1000
        weight = min(weight, units)
        for _ in range(3):
            if (wait := budgets._try("v", {"w": weight}, urgent=urgent)) == 0:
                granted.append((now, weight))
                break
            now += wait
    budgets.close()
    for index, (end, _) in enumerate(granted):
        window = [w for at, w in granted[: index + 1] if at > end - window_ms * 1_000_000]
        assert sum(window) <= units
