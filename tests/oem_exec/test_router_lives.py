"""Whole lives of an order, once for every fault at every step: cancelled, replaced, fallen back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from exec_audit import audit
from exec_faults import BOUNDARIES
from exec_support import D
from exec_virtual import LoopClock, VirtualLoop
from exec_world import BOOK, FAST_VIRTUAL, RemoteVenue, World, act
from oem_exec import OrderState, Side

pytestmark = pytest.mark.no_cover

Fault = tuple[str, str]
ENDS = ("lives on", "killed", "power cut")


class Life:
    """One trading process after the other, with two venues, in virtual time."""

    def __init__(self, folder: Path) -> None:
        clock = LoopClock(asyncio.get_running_loop())
        self.remote = tuple(RemoteVenue(n, clock, terse=n == "terse") for n in ("plain", "terse"))
        exchanges = {venue.name: venue.exchange for venue in self.remote}
        self._clock = clock
        self.world = World(folder, lambda: self.remote, exchanges, clock, FAST_VIRTUAL)

    async def do(self, *action: object, wrong: Iterable[Fault] = ()) -> None:
        """Do one thing, with what goes wrong meanwhile, in a process that lives."""
        await self.revive()
        self.world.process.faults[:] = wrong
        await self.world.during(act(self.world, action))
        assert not self.world.violations, self.world.violations

    async def revive(self, wrong: Iterable[Fault] = ()) -> None:
        """Start a process where the last one died or stopped trading."""
        world = self.world
        for _ in range(3):
            if world.process.dead.is_set():
                await world.kill()
            elif world.router is not None and world.router.halted_by is not None:
                await world.stop()
            if world.router is not None:
                return
            await world.start(wrong)
            wrong = ()

    async def end(self, how: str, wrong: Iterable[Fault] = ()) -> None:
        """Let the process end in some way, and the next one begin."""
        if how != "lives on" and self.world.router is not None:
            await self.world.kill(power_cut=how == "power cut")
        await self.revive(wrong)

    def trade(self, venue: int, size: str) -> None:
        """Let somebody sell below every bid of ours."""
        now = self._clock.now_ns()
        self.remote[venue].feed_trade("BTC/USDT", "58990", size, Side.SELL, now)
        self.remote[venue].feed_book("BTC/USDT", *BOOK, 1)

    async def check(self) -> None:
        """Let every venue answer again and compare its book with store and journal."""
        await self.world.heal(30.0)
        found = audit(self.world)
        assert not found, found

    async def close(self) -> None:
        await self.world.stop()


def _one_by_one(*boundaries: str) -> Iterator[list[Fault]]:
    yield []
    for boundary in boundaries:
        for kind in BOUNDARIES[boundary]:
            yield [(boundary, kind)]


def _live(folder: Path, story: object, *told: object) -> None:
    async def run() -> None:
        life = Life(folder)
        await life.world.start()
        try:
            await story(life, *told)  # type: ignore[operator]
            await life.check()
        finally:
            await life.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        try:
            runner.run(run())
        except AssertionError as error:
            raise AssertionError(f"{told}: {error}") from error


async def _replaced_twice(life: Life, wrong: list[Fault], end: str, start: list[Fault]) -> None:
    """A part-filled order is replaced under a fault, the process ends, and again it is replaced."""
    await life.do("submit", 0)
    life.trade(0, "0.004")
    await life.do("poll")
    await life.do("amend", 0, D("0.03"), None, wrong=wrong)
    await life.end(end, start)
    life.trade(0, "0.003")
    await life.do("amend", 0, D("0.04"), None)
    before = life.world.exposure("i0")
    await life.do("amend", 0, None, D("59100"))
    await _same_total(life, before)


async def _same_total(life: Life, before: Decimal) -> None:
    router = life.world.router
    if router is not None and router.order("i0").state in {
        OrderState.OPEN,
        OrderState.PARTIALLY_FILLED,
    }:
        after = life.world.exposure("i0")
        assert after == before, f"a new price changed the quantity from {before} to {after}"


async def _amended_in_place(life: Life, wrong: list[Fault], end: str) -> None:
    """The second venue has the order and changes it in place while something goes wrong."""
    await life.do("submit", 0, wrong=[("place", "refused")])
    life.trade(1, "0.004")
    await life.do("amend", 0, D("0.03"), None, wrong=wrong)
    await life.end(end)
    await life.do("amend", 0, D("0.04"), None)


async def _cancelled(life: Life, wrong: list[Fault], end: str) -> None:
    """A cancel that was wished is done in the end, whoever has to do it."""
    await life.do("submit", 0)
    life.trade(0, "0.004")
    await life.do("cancel", 0, wrong=wrong)
    await life.end(end)


async def _submitted(life: Life, wrong: list[Fault], end: str) -> None:
    """A second intent carries what was learnt of the first; then the process ends."""
    await life.do("submit", 2)
    await life.do("submit", 6, wrong=wrong)
    await life.end(end)
    await life.do("submit", 6)


@pytest.fixture(autouse=True)
def _commits_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oem_exec.store.writer._SLOW_S", float("inf"))


@pytest.mark.parametrize("end", ENDS)
def test_a_part_filled_order_is_replaced_whatever_fails(tmp_path: Path, end: str) -> None:
    # the process that comes after cannot ask about the first attempt at once
    start: list[Fault] = [] if end == "lives on" else [("lookup", "unsent")]
    more = ("lookup", "trades") if end == "lives on" else ()
    for number, wrong in enumerate(_one_by_one("cancel", "place", "save", "insert", *more)):
        _live(tmp_path / str(number), _replaced_twice, wrong, end, start)


@pytest.mark.parametrize("end", ENDS)
def test_an_order_is_amended_in_place_whatever_fails(tmp_path: Path, end: str) -> None:
    for number, wrong in enumerate(_one_by_one("amend", "save", "journal")):
        _live(tmp_path / str(number), _amended_in_place, wrong, end)


@pytest.mark.parametrize("end", ENDS)
def test_a_wished_cancel_is_done_whatever_fails(tmp_path: Path, end: str) -> None:
    for number, wrong in enumerate(_one_by_one("cancel", "save", "journal", "lookup")):
        _live(tmp_path / str(number), _cancelled, wrong, end)


@pytest.mark.parametrize("end", ENDS)
def test_an_order_is_submitted_once_whatever_fails(tmp_path: Path, end: str) -> None:
    lost = [[("place", "lost"), ("lookup", "down")], [("place", "late"), ("lookup", "down")]]
    faults = [*_one_by_one("place", "insert", "journal"), *lost]
    for number, wrong in enumerate(faults):
        _live(tmp_path / str(number), _submitted, wrong, end)
