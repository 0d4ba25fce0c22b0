"""One venue behind its budget, its turn-taking, its breaker and its time-outs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from oem_exec.breaker import BreakerSettings, BreakerState, CircuitBreaker
from oem_exec.budget import Budgets
from oem_exec.metrics import RouterMetrics
from oem_exec.model.enums import RefusalReason, UnknownCause
from oem_exec.model.fill import Fill
from oem_exec.model.instrument import Instrument
from oem_exec.model.order import Order
from oem_exec.sequencer import Sequencer
from oem_exec.venue import (
    CancelAnswer,
    Capabilities,
    LookupAnswer,
    PlaceAnswer,
    Refused,
    RequestKind,
    Unknown,
    Venue,
    VenueOrder,
    VenueTrade,
)
from oem_security.clock import Clock

T = TypeVar("T")


class Gateway:
    """Every request of the router to one venue goes through here.

    Args:
        venue: The venue.
        budgets: Rate limits shared with other processes.
        breaker: When to stop asking.
        metrics: Where latencies go; None observes nothing.
        clock: Time for the breaker.
        timeout_s: Longest time for one request, after its turn has come.
        sequencer: Turn-taking for venues that demand it.
    """

    def __init__(
        self,
        venue: Venue,
        budgets: Budgets,
        breaker: BreakerSettings,
        metrics: RouterMetrics | None,
        clock: Clock,
        timeout_s: float,
        sequencer: Sequencer | None = None,
    ) -> None:
        self._venue = venue
        self._budgets = budgets
        self._breaker = CircuitBreaker(breaker)
        self._metrics = metrics
        self._clock = clock
        self._timeout_s = timeout_s
        self._name = venue.name
        self._at_once = venue.capabilities.answers_at_once
        self._sequencer = sequencer or (Sequencer() if venue.capabilities.sequential else None)
        self._instruments: Mapping[str, Instrument] | None = None
        self._shown: BreakerState | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._venue.capabilities

    def allows(self) -> bool:
        """Return whether the breaker lets a new order through."""
        return self._breaker.allow(self._clock.now_ns())

    async def instrument(self, symbol: str) -> Instrument | None:
        """Return an instrument, None when the venue does not trade it."""
        if self._instruments is None:
            self._instruments = await self._venue.instruments()
        return self._instruments.get(symbol)

    async def reserve_place(self) -> float:
        """Wait for the budget of one order; call it before the order is made durable.

        Returns:
            The moment it was granted, for `place`.
        """
        return await self._budget(RequestKind.PLACE)

    async def place(self, order: Order, granted_s: float) -> PlaceAnswer:
        """Send an order whose budget is reserved."""
        answer = await self._timed(RequestKind.PLACE, lambda: self._venue.place(order), granted_s)
        return self._judged(answer)

    async def cancel(self, order: Order) -> CancelAnswer:
        granted_s = await self._budget(RequestKind.CANCEL)
        answer = await self._timed(RequestKind.CANCEL, lambda: self._venue.cancel(order), granted_s)
        return self._judged(answer)

    async def amend(self, order: Order, quantity: Decimal, price: Decimal | None) -> CancelAnswer:
        granted_s = await self._budget(RequestKind.AMEND)
        answer = await self._timed(
            RequestKind.AMEND, lambda: self._venue.amend(order, quantity, price), granted_s
        )
        return self._judged(answer)

    async def lookup(self, order: Order) -> LookupAnswer:
        granted_s = await self._budget(RequestKind.LOOKUP)
        answer = await self._timed(RequestKind.LOOKUP, lambda: self._venue.lookup(order), granted_s)
        return self._judged(answer)

    async def trades(self, order: Order) -> tuple[Fill, ...] | Unknown:
        granted_s = await self._budget(RequestKind.TRADES)
        return self._judged(
            await self._timed(RequestKind.TRADES, lambda: self._venue.trades(order), granted_s)
        )

    async def open_orders(self) -> tuple[VenueOrder, ...] | Unknown:
        granted_s = await self._budget(RequestKind.OPEN_ORDERS)
        return self._judged(
            await self._timed(RequestKind.OPEN_ORDERS, lambda: self._venue.open_orders(), granted_s)
        )

    async def account_trades(self, symbol: str, since_ns: int) -> tuple[VenueTrade, ...] | Unknown:
        """Return the account's trades; none where the venue cannot list them."""
        listed = getattr(self._venue, "account_trades", None)
        if listed is None:
            return ()
        granted_s = await self._budget(RequestKind.TRADES)
        found: tuple[VenueTrade, ...] | Unknown = await self._timed(
            RequestKind.TRADES, lambda: listed(symbol, since_ns), granted_s
        )
        return self._judged(found)

    async def close(self) -> None:
        await self._venue.close()

    async def _budget(self, kind: RequestKind) -> float:
        cost = self._venue.capabilities.cost(kind)
        await self._budgets.acquire(self.name, cost, urgent=kind is RequestKind.CANCEL)
        if cost and self._metrics is not None:
            for bucket, share in self._budgets.used_share(self.name).items():
                self._metrics.budget(self.name, bucket, share)
        return time.monotonic()

    async def _timed(
        self, kind: RequestKind, request: Callable[[], Awaitable[T]], granted_s: float
    ) -> T | Unknown:
        if self._at_once:
            started = time.perf_counter()
            answer = await request()
            if self._metrics is not None:
                self._metrics.latency(self._name, kind.value, time.perf_counter() - started)
            return answer
        async with self._sequencer.turn() if self._sequencer else contextlib.nullcontext():
            started = time.perf_counter()
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await request()
            except TimeoutError:
                return Unknown(UnknownCause.TIMEOUT, f"no answer within {self._timeout_s} s")
            finally:
                cost = self._venue.capabilities.cost(kind)
                self._budgets.settle(self.name, cost, time.monotonic() - granted_s)
                if self._metrics is not None:
                    self._metrics.latency(self.name, kind.value, time.perf_counter() - started)

    def _judged(self, answer: T) -> T:
        now = self._clock.now_ns()
        if isinstance(answer, Unknown) and answer.cause is not UnknownCause.DUPLICATE_ID:
            self._breaker.failed(now)
        else:
            self._breaker.succeeded()
        if isinstance(answer, Refused) and answer.reason is RefusalReason.RATE_LIMITED:
            self._budgets.block(self.name, answer.retry_after_s or 1.0)
        if self._metrics is not None and (state := self._breaker.state(now)) is not self._shown:
            self._shown = state
            self._metrics.breaker(self.name, state)
        return answer
