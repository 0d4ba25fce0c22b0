"""The same world over real sockets: unmodified ccxt, venue servers, real time, death and faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from exec_audit import audit
from exec_faults import BOUNDARIES
from exec_live_support import server_of, venue_of
from exec_support import FAST, D
from exec_world import World, together
from oem_exec.venue_server.faults import FaultKind, FaultPlan, FaultRule
from oem_security.clock import SystemClock

SPOILT = (
    FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.LOST_MIDWAY,
    FaultKind.SERVER_ERROR_BEFORE, FaultKind.SERVER_ERROR_AFTER, FaultKind.EDGE_TIMEOUT,
    FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.TOO_MANY_REQUESTS, FaultKind.DELAY,
)  # fmt: skip
PROCESS = [
    (where, kind)
    for where in ("insert", "save", "journal", "place", "cancel", "amend", "lookup")
    for kind in BOUNDARIES[where]
    if kind in {"crash_before", "crash_after", "full", "crash_unsent", "crash_accepted", "lost"}
]
SETTINGS = replace(FAST, request_timeout_s=1.0, resolve_patience_s=1.5, start_patience_s=3.0)


def _rules(rng: Random) -> tuple[FaultRule, ...]:
    """Return faults of the network and the venue, each for a few requests."""
    return tuple(
        FaultRule(
            kind=rng.choice(SPOILT), method=rng.choice(("", "POST", "POST", "GET")), path="rder",
            share=0.3, times=2, seconds=rng.choice((0.1, 1.2)),
        )
        for _ in range(3)
    )  # fmt: skip


def _acts(rng: Random) -> list[tuple[Any, ...]]:
    number = rng.choice((0, 0, 1, 2, 3, 5, 6, 6))
    acts: list[tuple[Any, ...]] = [("submit", number), ("submit", rng.randrange(7))]
    acts.append(rng.choice((("cancel", number), ("poll",), ("reconcile",), ("cancel", 6))))
    if rng.random() < 0.5:
        acts.append(("amend", number, rng.choice((None, D("0.02"), D("2"))), D("59500")))
    rng.shuffle(acts)
    return acts


async def _life(folder: Path, seed: int, steps: int) -> list[str]:
    rng = Random(seed)
    async with server_of("binance") as first, server_of("kraken") as second:
        servers = {"binance": first, "kraken": second}
        world = World(
            folder,
            lambda: [venue_of(server.url, name) for name, server in servers.items()],
            {name: server.exchange for name, server in servers.items()},
            SystemClock(),
            SETTINGS,
            late_s=(0.1,),
        )
        await world.start()
        for _ in range(steps):
            for server in servers.values():
                server.faults = FaultPlan(_rules(rng), rng.randrange(1 << 30))
            if world.process.dead.is_set():
                await world.kill(power_cut=rng.random() < 0.5)
            if world.router is not None and world.router.halted_by is not None:
                await world.stop()
            if world.router is None:
                await world.start(rng.sample(PROCESS, 1))
            world.process.faults[:] = rng.sample(PROCESS, rng.choice((0, 1, 2)))
            await world.during(together(world, _acts(rng)))
            if world.violations:
                break
        for server in servers.values():
            server.faults = FaultPlan()
        await world.heal(0.6)
        found = audit(world)
        await world.close()
        return found


# a campaign proves more than that lines are run: it is not slowed down by measuring them
@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(3))
async def test_no_order_twice_and_none_forgotten_over_sockets(tmp_path: Path, seed: int) -> None:
    assert await _life(tmp_path, seed, steps=4) == []


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(100, 160))
async def test_many_lives_over_sockets(tmp_path: Path, seed: int) -> None:
    assert await _life(tmp_path, seed, steps=12) == []
