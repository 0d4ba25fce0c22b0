"""The line before the buckets: whoever came first is served first, however much he wants."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exec_virtual import VirtualLoop
from oem_exec import Limit, SharedBudgets
from oem_exec.line import LINE_BYTES

UNITS, WINDOW_S = 100, 1.0
RATE = UNITS / WINDOW_S
_START_S = 1_000_000.0


def _processes(folder: Path, count: int, limit: Limit) -> list[SharedBudgets]:
    """Return the budgets of several processes of a site in the running loop's time."""
    loop = asyncio.get_running_loop()

    def now_ns() -> int:
        return int((loop.time() + _START_S) * 1e9)

    return [
        SharedBudgets(folder, {"v": (limit,)}, monotonic_ns=now_ns, sleep=asyncio.sleep)
        for _ in range(count)
    ]


@settings(max_examples=8)
@given(
    heavy=st.integers(3, UNITS),
    small=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    after_s=st.floats(0.0, 1.5),
)
def test_prop_a_heavy_request_waits_for_no_more_than_what_came_before_it(
    tmp_path_factory: pytest.TempPathFactory, heavy: int, small: list[int], after_s: float
) -> None:
    """Every other process asks for all it can get; the heavy one is served in its turn."""
    granted: list[tuple[float, int]] = []

    async def run() -> float:
        loop = asyncio.get_running_loop()
        site = _processes(tmp_path_factory.mktemp("b"), len(small) + 1, Limit("w", UNITS, WINDOW_S))

        async def greedy(budgets: SharedBudgets, units: int) -> None:
            while True:
                await budgets.acquire("v", {"w": units})
                granted.append((loop.time(), units))

        tasks = [
            asyncio.create_task(greedy(budgets, units))
            for budgets, units in zip(site[1:], small, strict=True)
            for _ in range(2)
        ]
        await asyncio.sleep(after_s)
        asked = loop.time()
        async with asyncio.timeout(10):
            await site[0].acquire("v", {"w": heavy})
        waited = loop.time() - asked
        granted.append((loop.time(), heavy))
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for budgets in site:
            budgets.close()
        return waited

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        waited = runner.run(run())
    # one request of each process stands before it, and a process may have had its next one booked
    ahead = sum(small) + max(small)
    assert waited <= 1.1 * (ahead + heavy) / RATE + 0.1, (waited, ahead)
    granted.sort()
    for index, (end, _) in enumerate(granted):
        assert sum(units for at, units in granted[: index + 1] if at > end - WINDOW_S) <= UNITS


@settings(max_examples=8)
@given(weights=st.lists(st.integers(1, 30), min_size=2, max_size=6))
def test_prop_requests_are_served_in_the_order_they_were_made(
    tmp_path_factory: pytest.TempPathFactory, weights: list[int]
) -> None:
    order: list[int] = []

    async def run() -> None:
        site = _processes(tmp_path_factory.mktemp("b"), len(weights), Limit("w", UNITS, WINDOW_S))
        await site[0].acquire("v", {"w": 90})  # nobody is served at once any more

        async def one(number: int) -> None:
            await asyncio.sleep(0.001 * number)
            await site[number].acquire("v", {"w": weights[number]})
            order.append(number)

        await asyncio.gather(*(one(number) for number in range(len(weights))))
        for budgets in site:
            budgets.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())
    assert order == sorted(order)


def test_a_process_that_died_in_the_line_is_passed_over(tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def run() -> float:
            loop = asyncio.get_running_loop()
            dead, living = _processes(tmp_path, 2, Limit("w", UNITS, WINDOW_S))
            dead._lines["v"].join(int((loop.time() + _START_S) * 1e9))
            await living.acquire("v", {"w": 1})
            waited = loop.time()
            dead.close()
            living.close()
            return waited

        waited = runner.run(run())
    assert 0.2 < waited < 0.4


@pytest.mark.no_cover
def test_more_processes_than_places_are_all_served(tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def run() -> int:
            site = _processes(tmp_path, 40, Limit("w", UNITS, WINDOW_S))
            await site[0].acquire("v", {"w": 90})
            served = await asyncio.gather(*(b.acquire("v", {"w": 1}) for b in site))
            for budgets in site:
                budgets.close()
            return len(served)

        assert runner.run(run()) == 40


def test_a_cancelled_wait_leaves_the_line(tmp_path: Path) -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        first, second = _processes(tmp_path, 2, Limit("w", UNITS, WINDOW_S))
        await first.acquire("v", {"w": 20})
        given_up = asyncio.create_task(first.acquire("v", {"w": 90}))
        await asyncio.sleep(0.01)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        before = loop.time()
        await second.acquire("v", {"w": 1})
        assert not any(second._files[0][1][16:LINE_BYTES]), "nobody stands in the line any more"
        first.close()
        second.close()
        return loop.time() - before

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(run()) < 0.25
