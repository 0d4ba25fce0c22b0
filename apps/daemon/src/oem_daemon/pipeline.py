"""One candidate on its way: estimate, decision, risk, order, fills, cost."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, replace
from decimal import Decimal

import oem_tco
from oem_daemon import translate
from oem_daemon.choice import Chooser, Terms
from oem_daemon.cost_book import CostBook
from oem_daemon.costed_fill import CostedFill, fee_in_quote, fill_costs
from oem_daemon.decision_log import DecisionLog
from oem_daemon.events import Event, EventHub
from oem_daemon.history import OrderHistory
from oem_daemon.market import Bar, Market
from oem_daemon.metrics import DaemonMetrics
from oem_daemon.portfolio import Portfolio, Watermarks
from oem_daemon.recall import WATERMARKS, Recall, Recalled
from oem_daemon.risk_gate import RiskGate
from oem_daemon.scheduler import OPERATOR, SCHEDULER_NAME, MultiStrategyScheduler, Proposal
from oem_exec import (
    BookSnapshot,
    ExecError,
    Fill,
    KillSwitchEngaged,
    LiveExecutionRouter,
    Order,
    OrderEvent,
    OrderIntent,
    Side,
    SplitRouter,
    StaleMarketData,
    UnknownOrder,
    VenueUnavailable,
)
from oem_security.clock import Clock

KEPT_DECISIONS = 10_000


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
        chooser: Chooser,
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
        splitter: SplitRouter | None = None,
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
        self._chooser = chooser
        self._splitter = splitter
        self._fees = fees
        self._costs = costs
        self._log = log
        self._metrics = metrics
        self._events = events
        self._watermarks: Watermarks | None = None
        self._touch: dict[str, BookSnapshot] = {}
        self._sending: set[str] = set()
        self._expected: dict[str, tuple[oem_tco.Candidate, oem_tco.CostEstimate]] = {}

    def restore(self, recall: Recall | None = None) -> None:
        """Take up the orders there are, then listen for what happens to them.

        Positions and the cost ledger are rebuilt from the orders. Call it once, when the router
        has started and before the first cycle.

        Args:
            recall: Asks the decision log; None where there cannot be anything in it.
        """
        behind = self._costs.behind(self.history)
        recalled = Recalled() if recall is None else recall(behind.unknown)
        self._costs.catch_up(behind, self.history, recalled.terms)
        for fill, strategy in self.history.fills():
            self._hold(fill, strategy)
        if recalled.watermarks is not None:
            self.portfolio.resume(recalled.watermarks)
        self._note_watermarks()  # also those that did not move: the next start finds them near
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
        volatility = {symbol: self._sizing_volatility(symbol) for symbol in bars}
        closes = {symbol: bar.close for symbol, bar in bars.items()}
        self.portfolio.mark(closes, self._clock.now_ns(), volatility)
        self._note_watermarks()
        if self.gate.observe(self.portfolio):
            stands = self.gate.engine.position
            await self._log.append(
                "risk.switch", {"state": stands.state.value, "reason": stands.reason}
            )
        equity = self.portfolio.equity
        for proposal in self._scheduler.propose(self.market, bars, equity, volatility):
            try:
                await self._carry(proposal, bars[proposal.symbol])
            except StaleMarketData as error:
                await self._log.append(
                    "market.stale",
                    {"symbol": proposal.symbol, "strategy": proposal.strategy, "why": str(error)},
                )
                self._metrics.candidates.labels(proposal.strategy, "stale_market").inc()
        self._note_watermarks()
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
        estimate = self._operators_estimate(intent, book)
        verdict = self.gate.check_intent(self.portfolio, intent, estimate)
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
        return await self._send(intent, book, OPERATOR, None, estimate)

    def _operators_estimate(self, intent: OrderIntent, book: BookSnapshot) -> oem_tco.CostEstimate:
        """Return what an operator's order costs, and see that its symbol's volatility is known."""
        position = self.portfolio.position(intent.symbol)
        if math.isnan(position.volatility):
            position.volatility = self._sizing_volatility(intent.symbol)
        venue = self.market.venue
        query = translate.intent_query(
            intent,
            self.terms.schedule_of(venue),
            self._clock.now_ns(),
            self.market.latency_ms(venue, intent.symbol),
        )
        return self._chooser.estimate(query, book, self.market.current().get(intent.symbol))

    async def _carry(self, proposal: Proposal, bar: Bar) -> None:
        started = time.perf_counter()
        choice = await self._chooser.choose(proposal, bar, self.portfolio)
        for inputs, decision in choice.members:
            order_id, outcome = "", decision.verdict.value
            if decision.accepted:
                order_id, outcome = await self._execute(inputs.candidate, inputs.estimate)
            decided = Decided(inputs, decision, order_id)
            self.decisions.append(decided)
            self._events.publish(Event("decision", decided, inputs.candidate.decision_time_ns))
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
            found = await self.market.books(intent.symbol, [made.venue])
            order = await self._send(intent, found[made.venue], SCHEDULER_NAME, made, estimate)
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
        if (order.venue, order.intent.quantity) != (made.venue, made.quantity):
            return  # the estimate was of the whole at the chosen venue
        fills = [(f.price, f.quantity, self._fee(f)) for f in order.fills]
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
        intent = replace(intent, arrival_price=translate.mid(arrival))
        row = translate.order_terms(
            intent,
            venue=made.venue if made else self.market.venue,
            quote=self.terms.quote,
            scheduler=scheduler,
            decision_time_ns=made.decision_time_ns if made else arrival_ns,
            decision_price=made.reference_price if made else translate.mid(arrival),
            arrival_time_ns=arrival_ns,
            arrival_price=translate.mid(arrival),
            estimate=estimate,
        )
        self._costs.announce(row)
        if made is not None and estimate is not None:
            self._expected[intent.intent_id] = (made, estimate)
        try:
            orders = await self._place(intent, made)
        except ExecError:
            self._expected.pop(intent.intent_id, None)
            raise
        end = await self._look(intent.symbol)
        now, middle = self._clock.now_ns(), translate.mid(end) if end else None
        for order in orders:
            self._costs.outcome(translate.part_terms(row, order), order, now, middle)
        return orders[0]

    async def _place(
        self, intent: OrderIntent, made: oem_tco.Candidate | None
    ) -> tuple[Order, ...]:
        """Have an intent executed; a decision's order at its venue first, or split over the route.

        Each part of a split is an order with its own row in the cost ledger, under the decision's
        id. What no venue was asked for is named in the log; the next cycle may want it again.
        """
        if made is None:
            return (await self.router.submit(intent),)
        routed = self.router.routed(made.symbol, made.profile)
        if self._splitter is None or len(routed) < 2:
            others = (name for name in routed if name != made.venue)
            return (await self.router.submit(intent, venues=(made.venue, *others)),)
        split = await self._splitter.submit(intent)
        if split.unsent or split.errors:
            await self._log.append(
                "order.unsent",
                {
                    "decision_id": made.candidate_id,
                    "quantity": str(split.unsent),
                    "why": dict(split.errors),
                },
            )
        if not split.orders:
            raise VenueUnavailable(
                f"no part of the order was sent: {'; '.join(split.errors.values())}",
                where=intent.intent_id,
                remedy="see order.unsent in the decision log",
            )
        return split.orders

    def _sizing_volatility(self, symbol: str) -> float:
        closes = self.market.closes(symbol, translate.SIZING_BARS)
        return translate.sizing_volatility(closes, self.market.interval_ns)

    def _note_watermarks(self) -> None:
        """Write down what losses are measured from, when it moved: a restart goes on from there."""
        stands = self.portfolio.watermarks
        if stands != self._watermarks:
            self._watermarks = stands
            self._log.write(WATERMARKS, stands.to_record())

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
        self._costs.changed(order, self._clock.now_ns(), translate.mid(touch) if touch else None)
        if order.state.terminal:
            self._learn(order)
        self._events.publish(Event("order", order, self._clock.now_ns()))

    def _book_fill(self, fill: Fill, order: Order, touch: BookSnapshot | None) -> None:
        fee = self._hold(fill, order.intent.strategy)
        self._costs.filled(fill, order, touch)
        costed = CostedFill(fill, order, fill_costs(fill, touch, fee))
        slipped = sum(bps for part, bps in costed.costs if part is not oem_tco.Component.FEES)
        self.portfolio.apply_slippage(fill.notional * Decimal(str(slipped)) / 10_000)
        self.fills.append(costed)
        self._metrics.trade_cost.labels(fill.symbol).observe(sum(bps for _, bps in costed.costs))
        self._events.publish(Event("fill", costed, fill.time_ns))

    def _hold(self, fill: Fill, strategy: str) -> Decimal:
        """Book a fill to the portfolio and its strategy; returns its fee in quote units."""
        quantity = fill.quantity if fill.side is Side.BUY else -fill.quantity
        fee = self._fee(fill)
        # a venue that takes its fee from what was traded leaves less of it
        taken = fill.fee if fill.fee_asset == fill.symbol.split("/")[0] else Decimal(0)
        self.portfolio.apply_fill(fill.symbol, quantity, fill.price, fee, taken)
        self._scheduler.book_fill(strategy, fill.symbol, quantity - taken)
        return fee

    def _fee(self, fill: Fill) -> Decimal:
        return fee_in_quote(fill, self.terms, self._fees)

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
