"""From a proposal to a choice: its variants, what each costs and risks, and which is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

import oem_tco
from oem_daemon import translate
from oem_daemon.decision_log import DecisionLog
from oem_daemon.market import PAPER, Bar, Market
from oem_daemon.portfolio import Portfolio
from oem_daemon.risk_gate import RiskGate
from oem_daemon.scheduler import Proposal
from oem_exec import BookSnapshot, Instrument
from oem_security.clock import Clock

WORST_LATENCY_FACTOR = 10
"""The stress test's latency as a multiple of the usual one."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What stays the same over a run.

    Attributes:
        profile: Risk profile of the site.
        quote: Quote currency of every symbol.
        fee_venue: Venue whose fee schedule the paper venue charges.
        compliance: Tells the facts of licence and client as they stand now.
        entry_sizes: Shares of a proposed entry that stand against each other, the whole first.
    """

    profile: str
    quote: str
    fee_venue: str
    compliance: Callable[[], oem_tco.ComplianceFacts]
    entry_sizes: tuple[Decimal, ...] = (Decimal(1),)

    def schedule_of(self, venue: str) -> str:
        """Return the venue whose fee schedule a venue charges."""
        return self.fee_venue if venue == PAPER else venue


@dataclass(frozen=True, slots=True)
class Choice:
    """What the orchestrator made of one proposal.

    Attributes:
        members: Inputs and decision of every variant, in the order they were made.
    """

    members: tuple[tuple[oem_tco.DecisionInputs, oem_tco.Decision], ...]

    @property
    def taken(self) -> tuple[oem_tco.DecisionInputs, oem_tco.Decision] | None:
        """The variant that is to be traded; None when nothing is."""
        return next(((i, d) for i, d in self.members if d.accepted), None)


class Chooser:
    """Has the orchestrator choose between the variants of a proposal, and logs every step.

    A variant is a size at a venue. Entries come in the sizes of `Terms.entry_sizes`: a half may
    earn what the whole loses to its own impact. Exits come whole, for Paper Labs judged the
    strategies by exits that are made. Both come once for every venue of the route that shows a
    fresh book. Doing nothing is what every variant is held against.

    Args:
        terms: Profile, compliance, sizes.
        market: Books and latencies.
        clock: Market time.
        orchestrator: Decides.
        fees: Fee schedules for the estimates.
        gate: Risk verdict of each variant.
        coverage: Puts estimates right by what past orders cost.
        log: The decision log.
        instruments: Lots and smallest notionals by symbol.
        routed: Venues of the route for a symbol and profile, the preferred first.
    """

    def __init__(
        self,
        *,
        terms: Terms,
        market: Market,
        clock: Clock,
        orchestrator: oem_tco.DecisionOrchestrator,
        fees: oem_tco.FeeBook,
        gate: RiskGate,
        coverage: oem_tco.CoverageTracker,
        log: DecisionLog,
        instruments: Callable[[str], Instrument],
        routed: Callable[[str, str], Sequence[str]],
    ) -> None:
        self._terms = terms
        self._market = market
        self._clock = clock
        self._orchestrator = orchestrator
        self._fees = fees
        self._gate = gate
        self._coverage = coverage
        self._log = log
        self._instruments = instruments
        self._routed = routed
        self._model = oem_tco.EstimateModel()
        self._numbers = count(1)
        self._run = f"{clock.now_ns():x}"

    async def choose(self, proposal: Proposal, bar: Bar, portfolio: Portfolio) -> Choice:
        """Return the choice, once it is in the decision log.

        Raises:
            StaleMarketData: No venue of the route shows a fresh book.
            DecisionLogFailed: The decision log cannot be written.
        """
        decided_ns = self._clock.now_ns()
        volatility = self._volatility(proposal.symbol)
        books = await self._market.books(
            proposal.symbol, self._routed(proposal.symbol, self._terms.profile)
        )
        sizes = self._sizes(proposal, bar.close)
        variants = [(venue, book, size) for size in sizes for venue, book in books.items()]
        first = f"{self._run}-{next(self._numbers)}"
        inputs: list[oem_tco.DecisionInputs] = []
        for venue, book, quantity in variants:
            made = translate.candidate(
                proposal,
                candidate_id=f"{self._run}-{next(self._numbers)}" if inputs else first,
                at_ns=decided_ns,
                profile=self._terms.profile,
                venue=venue,
                mid=translate.mid(book),
                quantity=quantity,
                group=first if len(variants) > 1 else "",
            )
            inputs.append(self._inputs(made, book, bar, volatility, portfolio))
        decisions = self._orchestrator.choose(inputs)
        records = (
            oem_tco.choice_records(inputs, decisions, self._orchestrator.policy)
            if len(variants) > 1
            else oem_tco.decision_records(inputs[0], decisions[0], self._orchestrator.policy)
        )
        for kind, body in records[:-1]:
            self._log.write(kind, body)
        await self._log.append(*records[-1])
        return Choice(tuple(zip(inputs, decisions, strict=True)))

    def estimate(
        self,
        query: oem_tco.OrderQuery,
        book: BookSnapshot,
        bar: Bar | None,
        volatility: float | None = None,
    ) -> oem_tco.CostEstimate:
        """Return what an order is expected to cost, by what past orders taught."""
        known = self._volatility(query.symbol) if volatility is None else volatility
        return oem_tco.estimate(
            query,
            translate.market_view(book, bar, known, self._market.interval_ns),
            self._fees,
            model=self._coverage.calibrated(self._model),
        )

    def _inputs(
        self,
        made: oem_tco.Candidate,
        book: BookSnapshot,
        bar: Bar,
        volatility: float,
        portfolio: Portfolio,
    ) -> oem_tco.DecisionInputs:
        latency_ms = self._market.latency_ms(made.venue, made.symbol)
        query = translate.order_query(made, self._terms.schedule_of(made.venue), latency_ms)
        estimate = self.estimate(query, book, bar, volatility)
        return oem_tco.DecisionInputs(
            made,
            estimate,
            self._gate.check_candidate(portfolio, made, estimate).facts(),
            self._terms.compliance(),
            oem_tco.StressFacts(
                worst_latency_ms=WORST_LATENCY_FACTOR * latency_ms,
                volatility_bps_per_sqrt_s=volatility,
            ),
        )

    def _sizes(self, proposal: Proposal, price: Decimal) -> tuple[Decimal, ...]:
        """Return the quantities that stand against each other, the whole first."""
        if proposal.reduces:
            return (proposal.quantity,)
        rules = self._instruments(proposal.symbol)
        found = [
            rules.round_quantity(proposal.quantity * share) for share in self._terms.entry_sizes
        ]
        large = [q for q in found if q and q * price >= rules.min_notional]
        return tuple(dict.fromkeys(large)) or (proposal.quantity,)

    def _volatility(self, symbol: str) -> float:
        closes = self._market.closes(symbol, translate.VOLATILITY_BARS)
        measured = translate.volatility_per_sqrt_s(closes, self._market.interval_ns)
        return self._model.fallback_volatility_bps_per_sqrt_s if measured is None else measured
