"""One candidate on its way: estimate, decision, risk, order, fills, cost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

import oem_tco
from oem_daemon import translate
from oem_daemon.cost_book import CostBook, ReadTerms
from oem_daemon.decision_log import DecisionLog
from oem_daemon.events import Event, EventHub
from oem_daemon.history import OrderHistory
from oem_daemon.market import Bar, Market
from oem_daemon.metrics import DaemonMetrics
from oem_daemon.portfolio import Portfolio
from oem_daemon.risk_gate import RiskGate
from oem_daemon.scheduler import SCHEDULER_NAME, MultiStrategyScheduler, Proposal
from oem_exec import (
    BookedFill,
    BookSnapshot,
    ExecError,
    Fill,
    KillSwitchEngaged,
    LiveExecutionRouter,
    Order,
    OrderEvent,
    OrderIntent,
    Side,
    StaleMarketData,
    UnknownOrder,
)
from oem_security.clock import Clock

KEPT_DECISIONS = 10_000
VOLATILITY_BARS = 48


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, what it was made from, and the order it led to.

    Attributes:
        inputs: Candidate, estimate, risk, compliance and stress facts.
        decision: The orchestrator's decision.
        order_id: Id of the order's intent, empty when none was sent.
    """

    inputs: oem_tco.DecisionInputs
    decision: oem_tco.Decision
    order_id: str


@dataclass(frozen=True, slots=True)
class CostedFill:
    """A fill, its order, and the basis points it cost by component."""

    fill: Fill
    order: Order
    costs: tuple[tuple[oem_tco.Component, float], ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What stays the same over a run.

    Attributes:
        profile: Risk profile of the site.
        quote: Quote currency of every symbol.
        fee_venue: Venue whose fee schedule is charged.
        compliance: Tells the facts of licence and client as they stand now.
    """

    profile: str
    quote: str
    fee_venue: str
    compliance: Callable[[], oem_tco.ComplianceFacts]


class TradePipeline:
    """Carries candidates forward through every step, and journals each step before the next.

    Every part is passed in; the pipeline holds only what it has decided and filled so far.
    """

    def __init__(
        self,
        *,
        terms: Terms,
        market: Market,
        clock: Clock,
        scheduler: MultiStrategyScheduler,
        orchestrator: oem_tco.DecisionOrchestrator,
        fees: oem_tco.FeeBook,
        gate: RiskGate,
        router: LiveExecutionRouter,
        costs: CostBook,
        log: DecisionLog,
        portfolio: Portfolio,
        coverage: oem_tco.CoverageTracker,
        metrics: DaemonMetrics,
        events: EventHub,
        history: OrderHistory,
    ) -> None:
        self.terms = terms
        self.history = history
        self.market = market
        self.portfolio = portfolio
        self.gate = gate
        self.router = router
        self.coverage = coverage
        self.decisions: deque[Decided] = deque(maxlen=KEPT_DECISIONS)
        self.fills: deque[CostedFill] = deque(maxlen=KEPT_DECISIONS)
        self.cycles = 0
        self._clock = clock
        self._scheduler = scheduler
        self._orchestrator = orchestrator
        self._fees = fees
        self._costs = costs
        self._log = log
        self._metrics = metrics
        self._events = events
        self._model = oem_tco.EstimateModel()
        self._numbers = count(1)
        self._run = f"{clock.now_ns():x}"
        self._touch: dict[str, BookSnapshot] = {}
        self._sending: set[str] = set()
        self._expected: dict[str, tuple[oem_tco.Candidate, oem_tco.CostEstimate]] = {}

    def restore(self, terms: ReadTerms | None = None) -> None:
        """Take up the orders there are, then listen for what happens to them.

        Positions and the cost ledger are rebuilt from the orders. Call it once, when the router
        has started and before the first cycle.

        Args:
            terms: Reads the terms of orders from the decision log, where the ledger lacks them.
        """
        self._costs.restore(self.history, *(terms,) if terms else ())
        for fill in self.history.fills():
            self._hold(fill, fill.strategy)
        self.router.listeners.append(self._on_order_event)

    async def run_cycle(self) -> bool:
        """Take the next bar, mark the book, and carry every proposal through.

        Returns:
            False when there was no further bar, and nothing was done.

        Raises:
            DecisionLogFailed: The decision log cannot be written; nothing was sent after that.
        """
        bars = await self.market.advance()
        if bars is None:
            return False
        for symbol in bars:
            await self._look(symbol)
        await self.router.poll()
        now = self._clock.now_ns()
        self.portfolio.mark({symbol: bar.close for symbol, bar in bars.items()}, now)
        if self.gate.observe(self.portfolio):
            stands = self.gate.engine.position
            await self._log.append(
                "risk.switch", {"state": stands.state.value, "reason": stands.reason}
            )
        for proposal in self._scheduler.propose(self.market, bars, self.portfolio.equity):
            try:
                await self._carry(proposal, bars[proposal.symbol])
            except StaleMarketData as error:
                await self._log.append(
                    "market.stale",
                    {"symbol": proposal.symbol, "strategy": proposal.strategy, "why": str(error)},
                )
                self._metrics.candidates.labels(proposal.strategy, "stale_market").inc()
        self._costs.sync()
        self.cycles += 1
        self._metrics.cycles.inc()
        self._show()
        return True

    async def operator_order(self, intent: OrderIntent, *, caller: str, reason: str) -> Order:
        """Check and send an order that an operator wrote; the same id never sends twice.

        Raises:
            OrderRefused: The risk engine refuses it; all reasons are named.
            ExecError: The order is invalid or trading is halted.
            StaleMarketData: The market was not seen recently enough to judge the order.
            DecisionLogFailed: The decision log cannot be written.
        """
        key = intent.intent_id
        if key in self._sending or self._known(key) is not None:
            return await self.router.submit(intent)
        self._sending.add(key)
        try:
            return await self._first_time(intent, caller, reason)
        finally:
            self._sending.discard(key)

    async def _first_time(self, intent: OrderIntent, caller: str, reason: str) -> Order:
        book = await self.market.book(intent.symbol)
        verdict = self.gate.check_intent(self.portfolio, intent, _mid(book))
        body = {
            "client_order_id": intent.intent_id,
            "symbol": intent.symbol,
            "side": intent.side.value,
            "quantity": str(intent.quantity),
            "operator": caller,
            "reason": reason,
            "risk": verdict.record(),
        }
        if not verdict.allowed:
            await self._log.append("operator.order", body)
            verdict.require()
        self._log.write("operator.order", body)  # the router's own entry comes after it and waits
        return await self._send(intent, book, "operator", None, None)

    async def _carry(self, proposal: Proposal, bar: Bar) -> None:
        started = time.perf_counter()
        decided_ns = self._clock.now_ns()
        book = await self.market.book(proposal.symbol)
        closes = self.market.closes(proposal.symbol, VOLATILITY_BARS)
        volatility = translate.volatility_per_sqrt_s(closes, self.market.interval_ns)
        latency_ms = self.market.latency_ms(proposal.symbol)
        terms = self.terms
        made = translate.candidate(
            proposal,
            candidate_id=f"{self._run}-{next(self._numbers)}",
            at_ns=decided_ns,
            profile=terms.profile,
            venue=self.market.venue,
            mid=_mid(book),
        )
        estimate = oem_tco.estimate(
            translate.order_query(proposal, terms.fee_venue, decided_ns, latency_ms),
            translate.market_view(book, bar, volatility, self.market.interval_ns),
            self._fees,
            model=self.coverage.calibrated(self._model),
        )
        verdict = self.gate.check_candidate(self.portfolio, made, estimate)
        inputs = oem_tco.DecisionInputs(
            made,
            estimate,
            verdict.facts(),
            terms.compliance(),
            oem_tco.StressFacts(
                worst_latency_ms=10 * latency_ms, volatility_bps_per_sqrt_s=volatility
            ),
        )
        decision = self._orchestrator.decide(inputs)
        steps = oem_tco.decision_records(inputs, decision, self._orchestrator.policy)
        for kind, body in steps[:-1]:
            self._log.write(kind, body)
        await self._log.append(*steps[-1])
        order_id = ""
        outcome = decision.verdict.value
        if decision.accepted:
            order_id, outcome = await self._execute(made, estimate)
        decided = Decided(inputs, decision, order_id)
        self.decisions.append(decided)
        self._events.publish(Event("decision", decided, decided_ns))
        self._metrics.candidates.labels(proposal.strategy, outcome).inc()
        self._metrics.decision_seconds.observe(time.perf_counter() - started)

    async def _execute(
        self, made: oem_tco.Candidate, estimate: oem_tco.CostEstimate
    ) -> tuple[str, str]:
        """Pass the last gate and send; returns the order's id and what became of it."""
        intent = translate.order_intent(made, created_ns=self._clock.now_ns())
        verdict = self.gate.check_candidate(self.portfolio, made, estimate)
        body = {"decision_id": made.candidate_id, **verdict.record()}
        if not verdict.allowed:
            await self._log.append("risk.check", body)
            return "", "risk_refused"
        self._log.write("risk.check", body)  # the router's own entry comes after it and waits
        try:
            arrival = await self.market.book(intent.symbol)
            order = await self._send(intent, arrival, SCHEDULER_NAME, made, estimate)
        except KillSwitchEngaged:
            return "", "halted"
        except ExecError as error:
            if self._log.failure is not None:
                raise self._log.failure from error
            await self._log.append(
                "order.refused", {"decision_id": made.candidate_id, "why": str(error)}
            )
            return "", "refused"
        return order.intent_id, order.state.value

    def _learn(self, order: Order) -> None:
        """Hold the estimate against what the order cost; the next estimates are put right by it."""
        if sum((f.quantity for f in order.fills), Decimal(0)) != order.filled_quantity:
            return  # trades that are still to come would look like a cheaper order
        made, estimate = self._expected.pop(order.intent_id, (None, None))
        if made is None or estimate is None or not order.fills:
            return
        fills = [(f.price, f.quantity, self._fee_in_quote(f)) for f in order.fills]
        cost = oem_tco.realised_cost_bps(made.side, made.reference_price, fills)
        self.coverage.observe(estimate, cost, at_ns=made.decision_time_ns)
        self._metrics.coverage.set(self.coverage.coverage().share)

    async def _send(
        self,
        intent: OrderIntent,
        arrival: BookSnapshot,
        scheduler: str,
        made: oem_tco.Candidate | None,
        estimate: oem_tco.CostEstimate | None,
    ) -> Order:
        self._touch[intent.symbol] = arrival
        arrival_ns = self._clock.now_ns()
        row = translate.order_terms(
            intent,
            venue=self.market.venue,
            quote=self.terms.quote,
            scheduler=scheduler,
            decision_time_ns=made.decision_time_ns if made else arrival_ns,
            decision_price=made.reference_price if made else _mid(arrival),
            arrival_time_ns=arrival_ns,
            arrival_price=_mid(arrival),
            estimate=estimate,
        )
        self._costs.announce(row)
        if made is not None and estimate is not None:
            self._expected[intent.intent_id] = (made, estimate)
        try:
            order = await self.router.submit(intent)
        except ExecError:
            self._expected.pop(intent.intent_id, None)
            raise
        end = await self._look(intent.symbol)
        self._costs.outcome(row, order, self._clock.now_ns(), _mid(end) if end else None)
        return order

    def _known(self, intent_id: str) -> Order | None:
        try:
            return self.router.order(intent_id)
        except UnknownOrder:
            return None

    def _on_order_event(self, event: OrderEvent) -> None:
        order = event.order
        touch = self._touch.get(order.intent.symbol)
        if event.fill is not None:
            self._book_fill(event.fill, order, touch)
        self._costs.changed(order, self._clock.now_ns(), _mid(touch) if touch else None)
        if order.state.terminal:
            self._learn(order)
        self._events.publish(Event("order", order, self._clock.now_ns()))

    def _book_fill(self, fill: Fill, order: Order, touch: BookSnapshot | None) -> None:
        fee = self._hold(fill, order.intent.strategy)
        self._costs.filled(fill, order, touch)
        costed = CostedFill(fill, order, fill_costs(fill, touch, fee))
        self.fills.append(costed)
        self._metrics.trade_cost.labels(fill.symbol).observe(sum(bps for _, bps in costed.costs))
        self._events.publish(Event("fill", costed, fill.time_ns))

    def _hold(self, fill: Fill | BookedFill, strategy: str) -> Decimal:
        """Book a fill to the portfolio and its strategy; returns its fee in quote units."""
        quantity = fill.quantity if fill.side is Side.BUY else -fill.quantity
        fee = self._fee_in_quote(fill)
        self.portfolio.apply_fill(fill.symbol, quantity, fill.price, fee)
        self._scheduler.book_fill(strategy, fill.symbol, quantity)
        return fee

    def _fee_in_quote(self, fill: Fill | BookedFill) -> Decimal:
        """Return a fee in the quote currency; one paid in a third asset as the schedule has it."""
        base, quote = fill.symbol.split("/")
        if fill.fee_asset in (quote, "") or not fill.fee:
            return fill.fee
        if fill.fee_asset == base:
            return fill.fee * fill.price
        liquidity = oem_tco.Liquidity(fill.liquidity.value)
        venue = self.terms.fee_venue
        rate = self._fees.commission(venue, "spot", liquidity, fill.time_ns, symbol=fill.symbol)
        return rate.rate * fill.notional

    async def _look(self, symbol: str) -> BookSnapshot | None:
        """Remember the book as it stands, for what orders resting in it will have met."""
        try:
            self._touch[symbol] = await self.market.book(symbol)
        except StaleMarketData:
            self._touch.pop(symbol, None)
        return self._touch.get(symbol)

    def _show(self) -> None:
        self._metrics.equity.set(float(self.portfolio.equity))
        self._metrics.drawdown.set(float(self.portfolio.drawdown))
        for symbol, position in self.portfolio.positions.items():
            self._metrics.position.labels(symbol).set(float(position.notional))
        self._events.publish(Event("risk", self.portfolio, self._clock.now_ns()))


def fill_costs(
    fill: Fill, touch: BookSnapshot | None, fee: Decimal
) -> tuple[tuple[oem_tco.Component, float], ...]:
    """Return what one fill cost against the mid it met, in basis points of its notional.

    Args:
        fill: The fill.
        touch: The book just before it; None where nobody looked, and only the fee is known.
        fee: Its fee in the quote currency.
    """
    fees = (oem_tco.Component.FEES, float(fee / fill.notional * 10_000))
    if touch is None:
        return (fees,)
    sign = 1 if fill.side.value == "buy" else -1
    mid = _mid(touch)
    best = touch.asks[0][0] if sign > 0 else touch.bids[0][0]
    scale = Decimal(10_000) / mid
    return (
        (oem_tco.Component.SPREAD, float(sign * (best - mid) * scale)),
        (oem_tco.Component.IMPACT_TEMPORARY, float(sign * (fill.price - best) * scale)),
        fees,
    )


def _mid(book: BookSnapshot) -> Decimal:
    return (book.bids[0][0] + book.asks[0][0]) / 2
