"""The pre-trade engine: may this order be sent, and if not, for which reasons, all of them."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from oem_risk.limits.profile import RiskProfile
from oem_risk.limits.switch import MemorySwitch, Switch, SwitchPosition, TradingState


class RiskReason(enum.StrEnum):
    """Why an order is refused; the reference page is generated from these."""

    NOT_A_NUMBER = "not_a_number"
    """A quantity, price, equity, loss or cost is NaN, infinite, zero or negative where it must not
    be."""
    HALTED = "halted"
    """The kill switch stands at halted."""
    REDUCING_ONLY = "reducing_only"
    """The kill switch stands at reducing and the order would add exposure."""
    NO_EQUITY = "no_equity"
    """Equity is zero or less; only reducing orders pass."""
    ORDER_SIZE = "order_size"
    """The notional that the order adds, beyond what it closes, exceeds `max_order`."""
    POSITION = "position"
    """The symbol's notional after the order exceeds `max_position`."""
    LEVERAGE = "leverage"
    """Gross notional after the order exceeds `max_leverage`."""
    OPEN_POSITIONS = "open_positions"
    """The order would open one symbol more than `max_open_positions`."""
    DAILY_LOSS = "daily_loss"
    """The loss of the day, of the equity it began with, has reached `max_daily_loss`."""
    DRAWDOWN = "drawdown"
    """The loss from the peak has reached `max_drawdown`."""
    COST = "cost"
    """The upper end of the order's estimated cost exceeds `max_cost_bps`."""
    COST_BUDGET = "cost_budget"
    """The day's costs with the upper end of the order's would exceed `max_daily_cost`."""
    VOLATILITY = "volatility"
    """The holdings' volatility after the order, were they to move as one, exceeds
    `volatility_target`."""


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What the engine must know of an order.

    Attributes:
        symbol: Symbol to trade.
        signed_quantity: Base units, positive to buy, negative to sell; not 0.
        price: Expected price in quote units, > 0.
        cost_high_bps: Upper end of the estimated cost, basis points of the notional.
        volatility: Annualised volatility of the symbol, >= 0; None where the caller has no
            estimate, and then the volatility target is not checked and has no margin.
    """

    symbol: str
    signed_quantity: float
    price: float
    cost_high_bps: float = 0.0
    volatility: float | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the site holds and has lost, at the moment of the check.

    Attributes:
        equity: Equity in quote units.
        positions: Signed base quantity and mark price by symbol; symbols without holding may be
            absent. All notionals are in one quote currency: who trades several converts first.
        daily_pnl: Profit since the start of the UTC day, fees paid, in quote units; what the day
            began with is `equity - daily_pnl`.
        drawdown: Loss from the peak of equity as a fraction of the peak, >= 0; above 1 once more
            than everything is lost.
        gross_notional: Sum of the absolute notionals, in quote units.
        open_positions: Number of symbols with a holding.
        cost_today: Costs paid since the start of the UTC day, in quote units.
        volatility_notional: Sum of the absolute notionals, each times its symbol's annualised
            volatility, in quote units; None where the caller has no estimate.
    """

    equity: float
    positions: dict[str, tuple[float, float]]
    daily_pnl: float
    drawdown: float
    gross_notional: float
    open_positions: int
    cost_today: float = 0.0
    volatility_notional: float | None = None


@dataclass(frozen=True, slots=True)
class RiskVerdict:
    """The engine's answer.

    Attributes:
        allowed: Whether the order may be sent.
        reasons: Every reason against it; empty when allowed.
        margins: Limit name to the room left as a fraction of the limit; negative is a breach.
        reduces: Whether the order makes the symbol's holding smaller without turning it over.
    """

    allowed: bool
    reasons: tuple[RiskReason, ...]
    margins: dict[str, float]
    reduces: bool


class RiskEngine:
    """Holds orders to a profile. `check` is pure; only the kill switch is state.

    Args:
        profile: The limits.
        state: Where the kill switch stands at first, when no `switch` is given.
        switch: The kill switch; a `JournalledSwitch` survives a restart. None is one in memory.

    Example:
        >>> from oem_risk import Exposure, OrderFacts, RiskEngine, shipped_profile
        >>> engine = RiskEngine(shipped_profile("balanced"))
        >>> flat = Exposure(100_000.0, {}, 0.0, 0.0, 0.0, 0)
        >>> engine.check(OrderFacts("BTC/USDT", 1.0, 50_000.0), flat).reasons
        (<RiskReason.ORDER_SIZE: 'order_size'>, <RiskReason.POSITION: 'position'>)
    """

    def __init__(
        self,
        profile: RiskProfile,
        state: TradingState = TradingState.ACTIVE,
        *,
        switch: Switch | None = None,
    ) -> None:
        self.profile = profile
        self._switch: Switch = MemorySwitch(state) if switch is None else switch
        # a check looks nothing up in the profile: its fields cost more than the arithmetic
        self._limits = (
            profile.max_order,
            profile.max_position,
            profile.max_leverage,
            profile.volatility_target,
            profile.cost_budget,
            profile.max_open_positions,
            profile.max_daily_loss,
            profile.max_drawdown,
            profile.max_cost_bps,
        )

    @property
    def state(self) -> TradingState:
        """Where the kill switch stands."""
        return self._switch.position.state

    @property
    def position(self) -> SwitchPosition:
        """Where the kill switch stands, who put it there, and why."""
        return self._switch.position

    def trip(self, state: TradingState, reason: str = "") -> bool:
        """Tighten the kill switch; returns whether it moved. It never loosens here."""
        return self._switch.trip(state, reason)

    def reset(self, operator: str, reason: str = "") -> None:
        """Set the kill switch back to active.

        Raises:
            OperatorRequired: No operator is named; a machine never resets the switch.
        """
        self._switch.reset(operator, reason)

    def observe(self, exposure: Exposure) -> bool:
        """Trip to reducing when the drawdown limit is reached; returns whether the switch moved.

        Without this the limit stops new exposure only while the loss stands; with it, a person
        looks at the loss before anything is added again. Nothing is done on a daily loss: that
        limit ends with the day.
        """
        if not exposure.drawdown >= self.profile.max_drawdown:
            return False
        return self._switch.trip(
            TradingState.REDUCING,
            f"drawdown {exposure.drawdown:.2%} reached {self.profile.max_drawdown:.2%}",
        )

    def check(self, order: OrderFacts, exposure: Exposure) -> RiskVerdict:
        """Return the verdict on one order, with every reason against it.

        An order that only reduces a holding passes whatever else is wrong or unknown: its
        quantities alone say that it reduces. Any other order with a malformed number is refused.
        """
        quantity, price = order.signed_quantity, order.price
        entry = exposure.positions.get(order.symbol)
        held = 0.0 if entry is None else entry[0]
        # a holding that is no number proves nothing
        if held and (held > 0) != (quantity > 0) and 0 < abs(quantity) <= abs(held) < math.inf:
            return _REDUCES
        equity, gross = exposure.equity, exposure.gross_notional
        size = abs(held + quantity)
        added = (size - abs(held)) * price
        after = size * price
        notional = abs(quantity) * price
        cost_bps = order.cost_high_bps
        order_cost = notional * cost_bps * 1e-4
        # a sum is finite only when all its terms are
        sound = math.isfinite(
            after + gross + order_cost + equity + exposure.daily_pnl + exposure.drawdown
            + exposure.cost_today
        )  # fmt: skip
        pnl = exposure.daily_pnl
        if (
            not sound or price <= 0 or quantity == 0 or equity <= 0
            # a number that no holding has would make room for others
            or gross < 0 or exposure.drawdown < 0 or exposure.open_positions < 0
        ):  # fmt: skip
            return self._malformed(order, exposure, held)
        (
            most_order, most_position, most_gross, target, budget,
            most_open, most_loss, most_fall, most_bps,
        ) = self._limits  # fmt: skip
        # what turns a holding over closes first, and closing is never too large
        by_order = 1 - min(notional, after) / (most_order * equity)
        by_position = 1 - after / (most_position * equity)
        by_gross = 1 - (gross + added) / (most_gross * equity)
        by_count = 1 - (exposure.open_positions + (not held)) / most_open
        # a loss breaches its limit when it reaches it: the smallest step below 0 says so
        by_day = (1 + pnl / (equity - pnl if pnl < 0 else equity) / most_loss) or -_STEP
        by_fall = (1 - exposure.drawdown / most_fall) or -_STEP
        by_cost = 1 - cost_bps / most_bps
        by_budget = 1 - (exposure.cost_today + order_cost) / (budget * equity)
        margins = {
            "order_size": by_order,
            "position": by_position,
            "leverage": by_gross,
            "open_positions": by_count,
            "daily_loss": by_day,
            "drawdown": by_fall,
            "cost": by_cost,
            "cost_budget": by_budget,
        }
        inside = (
            by_order >= 0 and by_position >= 0 and by_gross >= 0 and by_count >= 0
            and by_day >= 0 and by_fall >= 0 and by_cost >= 0 and by_budget >= 0
        )  # fmt: skip
        if order.volatility is not None and exposure.volatility_notional is not None:
            volatile = exposure.volatility_notional + added * order.volatility
            if (
                not math.isfinite(volatile)
                or order.volatility < 0
                or exposure.volatility_notional < 0
            ):
                return self._malformed(order, exposure, held)
            margins["volatility"] = room = 1 - volatile / (target * equity)
            inside = inside and room >= 0
        state = self._switch.position.state
        if inside and state is TradingState.ACTIVE:
            return RiskVerdict(True, (), margins, False)  # keywords cost, on this one path
        reasons = [_REASONS[name] for name, room in margins.items() if room < 0]
        return RiskVerdict(False, (*_STATES[state], *reasons), margins, reduces=False)

    def _malformed(self, order: OrderFacts, exposure: Exposure, held: float) -> RiskVerdict:
        """Refuse an order of which not everything is known, with every reason that is."""
        numbers = (
            order.signed_quantity, order.price, order.cost_high_bps, held, exposure.equity,
            exposure.gross_notional, exposure.daily_pnl, exposure.drawdown, exposure.cost_today,
            order.volatility or 0.0, exposure.volatility_notional or 0.0,
        )  # fmt: skip
        reasons = list(_STATES[self.state])
        sound = all(math.isfinite(number) for number in numbers)
        # of equity it is said below, profits and rebates may have either sign
        signless = (
            exposure.gross_notional, exposure.drawdown, exposure.open_positions,
            order.volatility or 0.0, exposure.volatility_notional or 0.0,
        )  # fmt: skip
        if not sound or order.price <= 0 or order.signed_quantity == 0 or min(signless) < 0:
            reasons.insert(0, RiskReason.NOT_A_NUMBER)
        if not exposure.equity > 0:
            reasons.append(RiskReason.NO_EQUITY)
        margins = self._known_margins(order, exposure, held)
        reasons += [_REASONS[name] for name, room in margins.items() if room < 0]
        if not reasons:  # finite numbers whose product is not
            reasons.append(RiskReason.NOT_A_NUMBER)
        return RiskVerdict(False, tuple(reasons), margins, reduces=False)

    def _known_margins(
        self, order: OrderFacts, exposure: Exposure, held: float
    ) -> dict[str, float]:
        """Return the margins that can be told from the numbers that are finite."""
        profile, equity = self.profile, max(exposure.equity, 1e-12)
        if not math.isfinite(equity):
            equity = math.nan
        size = abs(held + order.signed_quantity)
        notional = abs(order.signed_quantity) * order.price
        added = (size - abs(held)) * order.price
        spent = exposure.cost_today + notional * order.cost_high_bps * 1e-4
        count, pnl = exposure.open_positions + (held == 0), exposure.daily_pnl
        uses = {
            "order_size": min(notional, size * order.price) / (profile.max_order * equity),
            "position": size * order.price / (profile.max_position * equity),
            "leverage": (exposure.gross_notional + added) / (profile.max_leverage * equity),
            "open_positions": count / profile.max_open_positions,
            "daily_loss": -pnl / (equity - min(pnl, 0.0)) / profile.max_daily_loss,
            "drawdown": exposure.drawdown / profile.max_drawdown,
            "cost": order.cost_high_bps / profile.max_cost_bps,
            "cost_budget": spent / (profile.cost_budget * equity),
        }
        return {
            name: (1 - use) or -_STEP if name in ("daily_loss", "drawdown") else 1 - use
            for name, use in uses.items()
            if math.isfinite(use)
        }


_STEP = 1e-12
_REASONS = {
    "order_size": RiskReason.ORDER_SIZE,
    "position": RiskReason.POSITION,
    "leverage": RiskReason.LEVERAGE,
    "open_positions": RiskReason.OPEN_POSITIONS,
    "daily_loss": RiskReason.DAILY_LOSS,
    "drawdown": RiskReason.DRAWDOWN,
    "cost": RiskReason.COST,
    "cost_budget": RiskReason.COST_BUDGET,
    "volatility": RiskReason.VOLATILITY,
}
_STATES: dict[TradingState, tuple[RiskReason, ...]] = {
    TradingState.ACTIVE: (),
    TradingState.REDUCING: (RiskReason.REDUCING_ONLY,),
    TradingState.HALTED: (RiskReason.HALTED,),
}
_REDUCES = RiskVerdict(True, (), {}, reduces=True)
