"""The breaker opens, lets one try, and closes; the sequencer lets one at a time through."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oem_exec.breaker import BreakerSettings, BreakerState, CircuitBreaker
from oem_exec.sequencer import Sequencer

SECOND = 1_000_000_000


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_trial_through() -> None:
    breaker = CircuitBreaker(BreakerSettings(failures=3, open_s=10))
    breaker.failed(0)
    breaker.failed(0)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(0)
    assert breaker.allow(0)
    breaker.failed(0)
    assert breaker.state(SECOND) is BreakerState.OPEN
    assert not breaker.allow(9 * SECOND)
    assert breaker.state(10 * SECOND) is BreakerState.HALF_OPEN
    assert breaker.allow(10 * SECOND)
    assert not breaker.allow(11 * SECOND)
    breaker.failed(11 * SECOND)
    assert not breaker.allow(12 * SECOND)
    assert breaker.allow(21 * SECOND)
    breaker.succeeded()
    assert breaker.state(21 * SECOND) is BreakerState.CLOSED


@pytest.mark.parametrize("shared", [False, True])
async def test_turns_never_overlap_even_between_sequencers_of_one_file(
    tmp_path: Path, shared: bool
) -> None:
    path = tmp_path / "locks" / "venue" if shared else None
    first = Sequencer(path)
    second = Sequencer(path) if shared else first
    inside = 0
    most = 0

    async def work(sequencer: Sequencer) -> None:
        nonlocal inside, most
        async with sequencer.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.002)
            inside -= 1

    await asyncio.gather(*(work(s) for s in (first, second) * 8))
    assert most == 1
