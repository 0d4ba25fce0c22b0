"""Any caller, any fault at any boundary, any moment of death: no order twice, none forgotten."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exec_audit import audit
from exec_faults import BOUNDARIES
from exec_support import D
from exec_virtual import LoopClock, VirtualLoop
from exec_world import BOOK, FAST_VIRTUAL, RemoteVenue, World, together
from oem_exec import Side

WRITING = ("insert", "save", "journal", "lookup", "trades")
numbers = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 6])
submits = st.tuples(st.just("submit"), numbers)
cancels = st.tuples(st.just("cancel"), numbers)
amends = st.tuples(
    st.just("amend"),
    numbers,
    st.sampled_from([None, D("0.02"), D("0.03"), D("2")]),
    st.sampled_from([None, D("59500"), D("60010")]),
)
questions = st.sampled_from([("poll",), ("reconcile",)])
actions = st.one_of(submits, submits, cancels, amends, questions)


def wrong_at(*boundaries: str) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Return lists of faults: the first boundary, which the action passes for sure, and others."""
    first = st.sampled_from([(boundaries[0], kind) for kind in BOUNDARIES[boundaries[0]]])
    rest = st.sampled_from([(where, kind) for where in boundaries for kind in BOUNDARIES[where]])
    return st.one_of(
        st.just([]),
        st.builds(lambda one, more: [one, *more], first, st.lists(rest, max_size=3)),
        st.lists(rest, max_size=3),
    )


class RouterMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="oem-exec-")
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        loop = self._runner.get_loop()
        self._clock = clock = LoopClock(loop)
        first, second = (RemoteVenue(n, clock, terse=n == "terse") for n in ("plain", "terse"))
        self.remote = (first, second)
        self.world = World(
            Path(self._folder.name),
            lambda: self.remote,
            {venue.name: venue.exchange for venue in self.remote},
            clock,
            FAST_VIRTUAL,
            late_s=(0.3,),
        )
        self._run(self.world.start())

    def _run(self, work: Any) -> Any:
        return self._runner.run(work)

    async def _revive(self, faults: list[tuple[str, str]]) -> None:
        if self.world.process.dead.is_set():
            await self.world.kill()
        elif self.world.router is not None and self.world.router.halted_by is not None:
            await self.world.stop()
        if self.world.router is None:
            await self.world.start(faults)

    def _act(self, acts: list[tuple[Any, ...]], wrong: list[tuple[str, str]]) -> None:
        async def run() -> None:
            await self._revive([])
            self.world.process.faults[:] = wrong
            await self.world.during(together(self.world, acts))

        self._run(run())

    @rule(acts=st.lists(submits, min_size=1, max_size=3), wrong=wrong_at("place", *WRITING))
    def orders_are_submitted(
        self, acts: list[tuple[Any, ...]], wrong: list[tuple[str, str]]
    ) -> None:
        self._act(acts, wrong)

    @rule(one=cancels, more=st.lists(actions, max_size=2), wrong=wrong_at("cancel", *WRITING))
    def an_order_is_cancelled(
        self, one: tuple[Any, ...], more: list[tuple[Any, ...]], wrong: list[tuple[str, str]]
    ) -> None:
        self._act([one, *more], wrong)

    @rule(
        one=amends,
        more=st.lists(actions, max_size=2),
        wrong=wrong_at("amend", "cancel", "place", *WRITING),
    )
    def an_order_is_amended(
        self, one: tuple[Any, ...], more: list[tuple[Any, ...]], wrong: list[tuple[str, str]]
    ) -> None:
        self._act([one, *more], wrong)

    @rule(
        one=questions,
        more=st.lists(actions, max_size=2),
        wrong=wrong_at("lookup", "trades", "open_orders", "save", "journal"),
    )
    def the_venues_are_asked(
        self, one: tuple[Any, ...], more: list[tuple[Any, ...]], wrong: list[tuple[str, str]]
    ) -> None:
        self._act([one, *more], wrong)

    @rule(state=st.sampled_from(["active", "active", "reducing", "halted"]), acts=st.lists(actions))
    def the_kill_switch_is_thrown(self, state: str, acts: list[tuple[Any, ...]]) -> None:
        self._run(self.world.during(together(self.world, [*acts, ("kill", state)])))

    @rule(
        which=st.integers(0, 1),
        price=st.sampled_from(["58990", "59500", "60010", "61010"]),
        size=st.sampled_from(["0.005", "0.5", "5"]),
    )
    def the_market_trades(self, which: int, price: str, size: str) -> None:
        side = Side.SELL if D(price) < 60000 else Side.BUY
        self.remote[which].feed_trade("BTC/USDT", price, size, side, self._clock.now_ns())
        self.remote[which].feed_book("BTC/USDT", *BOOK, 1)

    @rule(seconds=st.sampled_from([0.1, 1.0, 8.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self._run(self.world.during(asyncio.sleep(seconds)))

    @rule(power_cut=st.booleans())
    def the_process_is_killed(self, power_cut: bool) -> None:
        if self.world.router is not None:
            self._run(self.world.kill(power_cut=power_cut))

    @rule(wrong=wrong_at("lookup", "open_orders", "trades", "save", "journal"))
    def it_is_started_again(self, wrong: list[tuple[str, str]]) -> None:
        self._run(self._revive(wrong))

    @invariant()
    def nothing_has_gone_wrong(self) -> None:
        assert not self.world.violations, self.world.violations

    def teardown(self) -> None:
        try:
            self._run(self.world.heal(30.0))
            found = audit(self.world)
            assert not found, found
        finally:
            self._run(self.world.stop())
            self._runner.close()
            self._folder.cleanup()


@pytest.fixture(autouse=True)
def _commits_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    # virtual time cannot wait for a thread, so a slow disk must not make the store use one
    monkeypatch.setattr("oem_exec.store.writer._SLOW_S", float("inf"))


TestRouter = RouterMachine.TestCase
TestRouter.settings = settings(stateful_step_count=12)
