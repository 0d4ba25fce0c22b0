"""A dry run of live execution: every step but the sending, with a report of what would be sent."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from oem_exec.errors import ExecError
from oem_exec.intel import measures
from oem_exec.journal import Journal
from oem_exec.model.enums import KillState, OrderType, Side
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.order import Order
from oem_exec.model.states import OrderState
from oem_exec.rehearsal import RehearsalVenue, Rehearsed
from oem_exec.router import LiveExecutionRouter, RouterSettings
from oem_exec.routes import Route, RouteTable
from oem_exec.store.sqlite import SqliteOrderStore
from oem_exec.venue import BookSnapshot, Found, NotFound, Venue
from oem_security.clock import Clock, SystemClock, rfc3339

PREFIX = "dry_run."
"""Before the kind of every decision-log entry of a dry run: nobody may take it for an order."""


@dataclass(frozen=True, slots=True)
class AdapterCheck:
    """One question to one adapter, whether its answer is right, and what was seen."""

    venue: str
    check: str
    passed: bool
    seen: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DryRunReport:
    """What a dry run found.

    Attributes:
        started: When, RFC 3339.
        kill_state: The site's kill switch; HALTED would have let nothing out.
        checks: The adapters' answers.
        orders: The rehearsed orders as the router ended them.
        rehearsed: Every request that would have been sent, by venue.
        refused: Intent id to the reason why nothing of it would have been sent.
    """

    started: str
    kill_state: KillState
    checks: tuple[AdapterCheck, ...]
    orders: tuple[Order, ...]
    rehearsed: Mapping[str, tuple[Rehearsed, ...]]
    refused: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Return whether every adapter answered rightly and every intent got a certain end."""
        certain = all(order.state not in _FAILED for order in self.orders)
        return all(check.passed for check in self.checks) and certain and not self.refused

    @property
    def adapter_errors(self) -> tuple[AdapterCheck, ...]:
        """Return the checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def as_json(self) -> dict[str, object]:
        """Return the report in JSON's types."""
        return {
            "kind": "live_execution_dry_run",
            "started": self.started,
            "passed": self.passed,
            "kill_state": self.kill_state.value,
            "adapter_errors": [asdict(check) for check in self.adapter_errors],
            "checks": [asdict(check) for check in self.checks],
            "orders": [order.as_json() for order in self.orders],
            "refused": dict(self.refused),
            "would_send": {
                venue: [asdict(one) for one in requests]
                for venue, requests in self.rehearsed.items()
            },
        }


_FAILED = frozenset(
    {OrderState.REJECTED, OrderState.UNKNOWN, OrderState.QUARANTINED, OrderState.SUBMITTING}
)


class PrefixedJournal:
    """Writes a dry run's entries into the decision log under kinds of their own."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def append(self, kind: str, body: Mapping[str, object]) -> object:
        """Append one entry."""
        return await self._journal.append(PREFIX + kind, body)


async def dry_run(
    venues: Sequence[Venue],
    symbols: Sequence[str],
    folder: Path,
    *,
    journal: Journal | None = None,
    routes: RouteTable | None = None,
    intents: Sequence[OrderIntent] | None = None,
    kill_state: KillState = KillState.ACTIVE,
    clock: Clock | None = None,
    run: str = "dry",
) -> DryRunReport:
    """Check every adapter, then carry orders through the whole router without sending one.

    Args:
        venues: The venues; they are asked, never sent an order, and stay open.
        symbols: Symbols that are checked and, without `intents`, rehearsed.
        folder: Where the rehearsal's order store is made; nobody needs it afterwards.
        journal: The decision log; its entries' kinds begin with `dry_run.`.
        routes: Routes of the site; None routes everything along `venues`.
        intents: What to rehearse; None takes a market order, a resting order that is cancelled,
            and a post-only order of the smallest size for each symbol.
        kill_state: The site's kill switch, for the report.
        clock: Time.
        run: Start of the rehearsal's own intent ids.

    Raises:
        JournalFailed: The decision log refused an entry.
    """
    clock = clock or SystemClock()
    started = rfc3339(clock.now_ns())
    log = None if journal is None else PrefixedJournal(journal)
    checks: list[AdapterCheck] = []
    for venue in venues:
        checks += await _adapter(venue, symbols, clock, run)
    stages = {venue.name: RehearsalVenue(venue, clock) for venue in venues}
    wanted = intents if intents is not None else await _smallest(venues, symbols, run)
    store = SqliteOrderStore.open(folder / f"dry_run_{clock.now_ns()}.sqlite")
    refused: dict[str, str] = {}
    try:
        router = LiveExecutionRouter(
            store,
            list(stages.values()),
            routes or RouteTable((Route(venues=tuple(stages)),)),
            journal=log,
            clock=clock,
            settings=RouterSettings(max_attempts=len(stages)),
        )
        async with router:
            for intent in wanted:
                try:
                    order = await router.submit(intent)
                    if order.state.open:
                        await router.cancel(intent.intent_id)
                except ExecError as error:
                    refused[intent.intent_id] = str(error)
            orders = tuple(router.orders())
    finally:
        store.close()
    report = DryRunReport(
        started,
        kill_state,
        tuple(checks),
        orders,
        {name: tuple(stage.rehearsed) for name, stage in stages.items()},
        refused,
    )
    if log is not None:
        await log.append(
            "report",
            {
                "passed": report.passed,
                "adapter_errors": [
                    f"{one.venue} {one.check}: {one.seen}" for one in report.adapter_errors
                ],
                "orders": len(orders),
                "refused": refused,
                "kill_state": kill_state.value,
            },
        )
    return report


async def _adapter(
    venue: Venue, symbols: Sequence[str], clock: Clock, run: str
) -> list[AdapterCheck]:
    """Ask one adapter everything that live trading will ask it, without effect on the account."""
    found: list[AdapterCheck] = []

    def note(check: str, began: float, seen: str, *, passed: bool) -> None:
        seconds = round(time.perf_counter() - began, 6)
        found.append(AdapterCheck(venue.name, check, passed, seen[:300], seconds))

    began = time.perf_counter()
    try:
        instruments = await venue.instruments()
    except ExecError as error:
        note("instruments", began, str(error), passed=False)
        return found
    missing = [symbol for symbol in symbols if symbol not in instruments]
    seen = f"no {', '.join(missing)}" if missing else f"{len(instruments)} instruments"
    note("instruments", began, seen, passed=not missing)
    began = time.perf_counter()
    # signed: key, signature, permissions and clock are right when this is answered
    account = await venue.open_orders()
    if isinstance(account, tuple):
        note("open orders", began, f"{len(account)} open", passed=True)
    else:
        note("open orders", began, f"{account.cause}: {account.text}", passed=False)
    for symbol in symbols:
        if symbol not in instruments:
            continue
        began = time.perf_counter()
        book = await venue.book(symbol, 50)
        if isinstance(book, BookSnapshot) and measures.sound(book):
            note(
                f"book {symbol}", began, f"spread {measures.spread_bps(book):.3f} bps", passed=True
            )
        else:
            text = "not usable" if isinstance(book, BookSnapshot) else book.text
            note(f"book {symbol}", began, text, passed=False)
        began = time.perf_counter()
        answer = await venue.lookup(_nobody(venue, instruments[symbol], clock, run))
        what = type(answer).__name__
        text = "not found, as it must be" if isinstance(answer, NotFound) else f"{what}: {answer}"
        if isinstance(answer, Found):
            text = "an order nobody ever sent was found"
        note(f"look-up {symbol}", began, text, passed=isinstance(answer, NotFound))
    return found


def _nobody(venue: Venue, instrument: Instrument, clock: Clock, run: str) -> Order:
    """Return an order that was never sent, to see how the venue says so."""
    now = clock.now_ns()
    intent = OrderIntent(
        f"{run}-nobody-{now}",
        instrument.symbol,
        Side.BUY,
        instrument.lot_size,
        OrderType.LIMIT,
        instrument.tick_size,
    )
    return Order(
        intent,
        intent.client_order_id(0),
        venue.name,
        0,
        OrderState.UNKNOWN,
        intent.quantity,
        intent.price,
        sent_ns=now,
        updated_ns=now,
    )


async def _smallest(
    venues: Iterable[Venue], symbols: Sequence[str], run: str
) -> tuple[OrderIntent, ...]:
    """Return orders of the smallest size for every symbol, priced by the first venue's book."""
    made: list[OrderIntent] = []
    for symbol in symbols:
        for venue in venues:
            try:
                instrument = (await venue.instruments()).get(symbol)
            except ExecError:
                continue
            book = await venue.book(symbol, 5)
            if instrument and isinstance(book, BookSnapshot) and measures.sound(book):
                made += _orders(instrument, measures.mid_price(book), f"{run}-{symbol}")
                break
    return tuple(made)


def _orders(instrument: Instrument, mid: Decimal, run: str) -> list[OrderIntent]:
    price = instrument.round_price(mid * Decimal("0.98"))
    lots = max(
        instrument.min_quantity, instrument.min_notional / (price * instrument.contract_size)
    )
    steps = (lots / instrument.lot_size).to_integral_value(ROUND_CEILING) + 1
    quantity = steps * instrument.lot_size
    return [
        OrderIntent(f"{run}-market", instrument.symbol, Side.BUY, quantity),
        OrderIntent(f"{run}-limit", instrument.symbol, Side.BUY, quantity, OrderType.LIMIT, price),
        OrderIntent(
            f"{run}-post", instrument.symbol, Side.BUY, quantity, OrderType.POST_ONLY, price
        ),
    ]
