"""Certification of a venue: a written list of cases, run against a sandbox, with its answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from oem_exec.errors import ExecError
from oem_exec.model.enums import OrderType, Side, TimeInForce, UnknownCause
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState
from oem_exec.router import LiveExecutionRouter, RouterSettings
from oem_exec.routes import Route, RouteTable
from oem_exec.store.sqlite import SqliteOrderStore
from oem_exec.venue import BookSnapshot, Capabilities, PlaceAnswer, Unknown, Venue
from oem_security.clock import Clock, SystemClock, rfc3339


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case: what was tried, whether it held, and what was seen."""

    case: str
    passed: bool
    seen: str


@dataclass(frozen=True, slots=True)
class CertificationReport:
    """The answers of one venue to the whole list."""

    venue: str
    symbol: str
    started: str
    results: tuple[CaseResult, ...]

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)

    def as_json(self) -> dict[str, object]:
        """Return the report in JSON's types."""
        return {
            "venue": self.venue,
            "symbol": self.symbol,
            "started": self.started,
            "passed": self.passed,
            "cases": [{"case": r.case, "passed": r.passed, "seen": r.seen} for r in self.results],
        }


class _AnswerLost:
    """A venue whose next order is sent, or not sent, and whose answer is lost either way."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.lose: str = ""

    def __getattr__(self, name: str) -> object:
        return getattr(self._venue, name)

    async def place(self, order: Order) -> PlaceAnswer:
        lose, self.lose = self.lose, ""
        if lose == "request":
            return Unknown(UnknownCause.CONNECTION, "certification: the request is lost")
        answer = await self._venue.place(order)
        if lose == "answer":
            return Unknown(UnknownCause.CONNECTION, "certification: the answer is lost")
        return answer


async def certify(
    venue: Venue, symbol: str, folder: Path, clock: Clock | None = None, run: str = "c"
) -> CertificationReport:
    """Run every case against a venue and return what was seen.

    The venue must be a sandbox: orders of the smallest size are placed, filled and cancelled.

    Args:
        venue: The venue; it is closed afterwards.
        symbol: A liquid symbol of it.
        folder: Where the run's order store is made.
        clock: Time.
        run: Start of the run's intent ids; use another for every run against the same account.
    """
    clock = clock or SystemClock()
    started = rfc3339(clock.now_ns())
    runner = _Runner(venue, symbol, folder, clock, run)
    return CertificationReport(venue.name, symbol, started, await runner.run_all())


class _Runner:
    def __init__(self, venue: Venue, symbol: str, folder: Path, clock: Clock, run: str) -> None:
        self._venue = _AnswerLost(venue)
        self._symbol = symbol
        self._clock = clock
        self._run = run
        self._store = SqliteOrderStore.open(folder / "certification.sqlite")
        self._router = self._new_router()

    def _new_router(self) -> LiveExecutionRouter:
        window: Capabilities = self._venue.capabilities  # type: ignore[assignment]
        patience = 3 * (window.receive_window_s + window.visibility_delay_s) + 10
        return LiveExecutionRouter(
            self._store,
            [self._venue],  # type: ignore[list-item]
            RouteTable((Route(venues=(str(self._venue.name),)),)),
            clock=self._clock,
            settings=RouterSettings(resolve_patience_s=patience, start_patience_s=patience),
        )

    async def run_all(self) -> tuple[CaseResult, ...]:
        cases: dict[str, Callable[[], Awaitable[tuple[bool, str]]]] = {
            "accept": self._accept,
            "fill": self._fill,
            "immediate-or-cancel ends": self._ioc,
            "post-only refused when it would take": self._post_only,
            "cancel": self._cancel,
            "cancel after fill": self._cancel_after_fill,
            "amend": self._amend,
            "unknown then found": self._unknown_found,
            "unknown then absent": self._unknown_absent,
            "duplicate id": self._duplicate,
            "restart with open orders": self._restart,
            "nothing left open": self._tidy,
        }
        results: list[CaseResult] = []
        await self._router.start()
        try:
            for name, case in cases.items():
                try:
                    passed, seen = await case()
                except ExecError as error:
                    passed, seen = False, str(error)
                results.append(CaseResult(name, passed, seen))
        finally:
            await self._router.stop()
            self._store.close()
        return tuple(results)

    async def _prices(self) -> tuple[Instrument, Decimal, Decimal, Decimal]:
        instruments = await self._venue.instruments()  # type: ignore[operator]
        instrument: Instrument = instruments[self._symbol]
        book = await self._venue.book(self._symbol, 5)  # type: ignore[operator]
        if not isinstance(book, BookSnapshot) or not book.bids or not book.asks:
            raise ExecError("no book", where=self._symbol, remedy="certify on a liquid symbol")
        bid, ask = book.bids[0][0], book.asks[0][0]
        least = max(instrument.min_quantity, instrument.min_notional * 2 / bid)
        quantity = instrument.round_quantity(least) + instrument.lot_size
        return instrument, bid, ask, quantity

    async def _order(
        self,
        name: str,
        place: str,
        kind: OrderType = OrderType.LIMIT,
        time_in_force: TimeInForce = TimeInForce.GTC,
    ) -> Order:
        instrument, bid, ask, quantity = await self._prices()
        price = {
            "far": instrument.round_price(bid * Decimal("0.97")),
            "through": instrument.round_price(ask * Decimal("1.01")),
        }[place]
        intent = OrderIntent(
            f"{self._run}-{name}",
            self._symbol,
            Side.BUY,
            quantity,
            kind,
            price if kind.needs_price else None,
            time_in_force=time_in_force,
        )
        return await self._router.submit(intent)

    async def _after_poll(self, order: Order) -> Order:
        await self._router.poll()
        return self._router.order(order.intent_id)

    async def _accept(self) -> tuple[bool, str]:
        order = await self._order("accept", "far")
        return order.state is OrderState.OPEN and bool(order.venue_order_id), order.state.value

    async def _fill(self) -> tuple[bool, str]:
        order = await self._after_poll(await self._order("fill", "through"))
        return order.state is OrderState.FILLED and order.settled, f"{order.state} {order.fees}"

    async def _ioc(self) -> tuple[bool, str]:
        if TimeInForce.IOC not in self._venue.capabilities.times_in_force:  # type: ignore[attr-defined]
            return True, "not offered"
        order = await self._after_poll(
            await self._order("ioc", "far", time_in_force=TimeInForce.IOC)
        )
        return order.state in {OrderState.EXPIRED, OrderState.CANCELED}, order.state.value

    async def _post_only(self) -> tuple[bool, str]:
        order = await self._after_poll(await self._order("post", "through", OrderType.POST_ONLY))
        ended = {OrderState.REJECTED, OrderState.CANCELED, OrderState.EXPIRED}
        return order.state in ended and not order.filled_quantity, f"{order.state} {order.reason}"

    async def _cancel(self) -> tuple[bool, str]:
        order = await self._router.cancel(f"{self._run}-accept")
        return order.state is OrderState.CANCELED, order.state.value

    async def _cancel_after_fill(self) -> tuple[bool, str]:
        order = await self._router.cancel(f"{self._run}-fill")
        return order.state is OrderState.FILLED, order.state.value

    async def _amend(self) -> tuple[bool, str]:
        order = await self._order("amend", "far")
        instrument, *_ = await self._prices()
        wanted = (order.price or Decimal(0)) - instrument.tick_size
        after = await self._router.amend(order.intent_id, price=wanted)
        await self._router.cancel(order.intent_id)
        return after.price == wanted, f"price {after.price}, wanted {wanted}"

    async def _unknown_found(self) -> tuple[bool, str]:
        self._venue.lose = "answer"
        order = await self._order("found", "far")
        await self._router.cancel(order.intent_id)
        return order.state is OrderState.OPEN and order.attempt == 0, f"{order.state} at attempt 0"

    async def _unknown_absent(self) -> tuple[bool, str]:
        self._venue.lose = "request"
        order = await self._order("absent", "far")
        first, *rest = self._store.attempts(order.intent_id)
        await self._router.cancel(order.intent_id)
        return first.state is OrderState.ABSENT and len(
            rest
        ) == 1, f"{first.state}, then {order.state}"

    async def _duplicate(self) -> tuple[bool, str]:
        order = await self._order("twice", "far")
        again = await self._venue.place(replace(order, venue_order_id=""))
        found = await self._venue.lookup(order)  # type: ignore[operator]
        await self._router.cancel(order.intent_id)
        number = len(getattr(found, "orders", ()))
        return number == 1, f"{type(again).__name__}; {number} order with this id"

    async def _restart(self) -> tuple[bool, str]:
        order = await self._order("restart", "far")
        self._router = self._new_router()  # the old one is left as a killed process leaves it
        await self._router.start()
        after = self._router.order(order.intent_id)
        await self._router.cancel(order.intent_id)
        return after.state is OrderState.OPEN, after.state.value

    async def _tidy(self) -> tuple[bool, str]:
        report = await self._router.reconcile()
        mine = [o.intent_id for o in self._router.open_orders()]
        return not mine and not report.unresolved, f"open: {mine}"
