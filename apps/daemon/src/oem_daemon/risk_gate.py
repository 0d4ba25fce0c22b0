"""The risk engine as the pipeline sees it: portfolio in, verdict out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import oem_tco
from oem_daemon.errors import OrderRefused
from oem_daemon.portfolio import Portfolio
from oem_exec import OrderIntent, Side
from oem_risk import Exposure, OrderFacts, RiskEngine, RiskVerdict


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The engine's verdict in the forms that others need.

    Attributes:
        symbol: Symbol of the order.
        kill_switch: Where the switch stands.
        verdict: The engine's answer.
        measured: Whether the symbol's volatility was measured, or assumed for want of bars.
    """

    symbol: str
    kill_switch: str
    verdict: RiskVerdict
    measured: bool = True

    @property
    def allowed(self) -> bool:
        return self.verdict.allowed

    def facts(self) -> oem_tco.RiskFacts:
        """Return the verdict as the orchestrator wants it."""
        return oem_tco.RiskFacts(
            allowed=self.verdict.allowed,
            reasons=tuple(reason.value.upper() for reason in self.verdict.reasons),
            margins=dict(self.verdict.margins),
            kill_switch=self.kill_switch,
        )

    def record(self) -> dict[str, object]:
        """Return the verdict as the decision log wants it."""
        return {
            "allowed": self.verdict.allowed,
            "reasons": [reason.value for reason in self.verdict.reasons],
            "margins": {name: round(room, 9) for name, room in self.verdict.margins.items()},
            "reduces": self.verdict.reduces,
            **({} if self.measured else {"volatility": "assumed"}),
        }

    def require(self) -> None:
        """Raise OrderRefused with every reason unless the order is allowed."""
        if not self.allowed:
            names = ", ".join(reason.value for reason in self.verdict.reasons)
            raise OrderRefused(
                f"the risk engine refuses the order: {names}",
                where=self.symbol,
                remedy="make it smaller, or reduce other positions first",
            )


class RiskGate:
    """Asks the risk engine about candidates and orders.

    Args:
        engine: The engine of the site's profile.
    """

    def __init__(self, engine: RiskEngine) -> None:
        self.engine = engine

    def check_candidate(
        self, portfolio: Portfolio, made: oem_tco.Candidate, estimate: oem_tco.CostEstimate
    ) -> GateVerdict:
        """Return the verdict on a candidate with its estimated cost."""
        return self._check(
            portfolio,
            made.symbol,
            float(made.quantity) * made.side.sign,
            float(made.reference_price),
            estimate.high_bps,
        )

    def check_intent(
        self, portfolio: Portfolio, intent: OrderIntent, estimate: oem_tco.CostEstimate
    ) -> GateVerdict:
        """Return the verdict on an operator's order with its estimated cost."""
        sign = 1 if intent.side is Side.BUY else -1
        price = estimate.reference_price if intent.price is None else intent.price
        return self._check(
            portfolio,
            intent.symbol,
            float(intent.quantity) * sign,
            float(price),
            estimate.high_bps,
        )

    def observe(self, portfolio: Portfolio) -> bool:
        """Trip the engine's switch when the drawdown limit is reached; return whether it moved."""
        return self.engine.observe(_exposure(portfolio))

    def limits(self, portfolio: Portfolio) -> tuple[tuple[str, float, float, str], ...]:
        """Return (name, value, limit, unit) of every limit on holdings as it stands now."""
        profile, equity = self.engine.profile, float(portfolio.equity)

        def share(amount: float) -> float:
            return amount / equity if equity > 0 else math.inf * (amount > 0)

        largest = max((abs(float(p.notional)) for p in portfolio.positions.values()), default=0.0)
        lost = -float(portfolio.daily_pnl)
        began = equity + lost
        return (
            ("position", share(largest), profile.max_position, "fraction"),
            ("leverage", float(portfolio.leverage), profile.max_leverage, "x"),
            (
                "daily_loss",
                max(0.0, lost / began) if began > 0 else 1.0,
                profile.max_daily_loss,
                "fraction",
            ),
            ("drawdown", float(portfolio.drawdown), profile.max_drawdown, "fraction"),
            (
                "open_positions",
                float(portfolio.open_positions),
                float(profile.max_open_positions),
                "count",
            ),
            (
                "cost_budget",
                max(0.0, share(float(portfolio.cost_today))),
                profile.cost_budget,
                "fraction",
            ),
            (
                "volatility",
                share(portfolio.volatility_notional),
                profile.volatility_target,
                "fraction",
            ),
        )

    def _check(
        self,
        portfolio: Portfolio,
        symbol: str,
        signed_quantity: float,
        price: float,
        cost_high_bps: float,
    ) -> GateVerdict:
        held = portfolio.position(symbol)
        order = OrderFacts(symbol, signed_quantity, price, cost_high_bps, held.limit_volatility)
        verdict = self.engine.check(order, _exposure(portfolio))
        return GateVerdict(
            symbol, self.engine.state.value, verdict, measured=not math.isnan(held.volatility)
        )


def _exposure(portfolio: Portfolio) -> Exposure:
    return Exposure(
        equity=float(portfolio.equity),
        positions={
            name: (float(p.quantity), float(p.mark)) for name, p in portfolio.positions.items()
        },
        daily_pnl=float(portfolio.daily_pnl),
        drawdown=float(portfolio.drawdown),
        gross_notional=float(portfolio.gross_notional),
        open_positions=portfolio.open_positions,
        # a rebate is no budget: the budget is of what is paid
        cost_today=max(0.0, float(portfolio.cost_today)),
        volatility_notional=portfolio.volatility_notional,
    )
