"""The pre-trade engine: may this order be sent, and if not, for which reasons, all of them."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from oem_risk.errors import OperatorRequired
from oem_risk.limits.profile import RiskProfile


class RiskReason(enum.StrEnum):
    """Why an order is refused; the reference page is generated from these."""

    NOT_A_NUMBER = "not_a_number"
    """A quantity, price, equity or cost is NaN, infinite, zero or negative where it must not be."""
    HALTED = "halted"
    """The kill switch stands at halted."""
    REDUCING_ONLY = "reducing_only"
    """The kill switch stands at reducing and the order would add exposure."""
    NO_EQUITY = "no_equity"
    """Equity is zero or less; only reducing orders pass."""
    ORDER_SIZE = "order_size"
    """The order's notional exceeds `max_order`."""
    POSITION = "position"
    """The symbol's notional after the order exceeds `max_position`."""
    LEVERAGE = "leverage"
    """Gross notional after the order exceeds `max_leverage`."""
    OPEN_POSITIONS = "open_positions"
    """The order would open one symbol more than `max_open_positions`."""
    DAILY_LOSS = "daily_loss"
    """The loss of the day has reached `max_daily_loss`."""
    DRAWDOWN = "drawdown"
    """The loss from the peak has reached `max_drawdown`."""
    COST = "cost"
    """The upper end of the order's estimated cost exceeds `max_cost_bps`."""


class TradingState(enum.StrEnum):
    """The engine's kill switch."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What the engine must know of an order.

    Attributes:
        symbol: Symbol to trade.
        signed_quantity: Base units, positive to buy, negative to sell; not 0.
        price: Expected price in quote units, > 0.
        cost_high_bps: Upper end of the estimated cost, basis points of the notional.
    """

    symbol: str
    signed_quantity: float
    price: float
    cost_high_bps: float = 0.0


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the site holds and has lost, at the moment of the check.

    Attributes:
        equity: Equity in quote units.
        positions: Signed base quantity and mark price by symbol; symbols without holding may be
            absent.
        daily_pnl: Profit since the start of the UTC day, in quote units.
        drawdown: Loss from the peak of equity as a fraction of the peak, in [0, 1].
        gross_notional: Sum of the absolute notionals, in quote units.
        open_positions: Number of symbols with a holding.
    """

    equity: float
    positions: dict[str, tuple[float, float]]
    daily_pnl: float
    drawdown: float
    gross_notional: float
    open_positions: int


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
        state: Where the kill switch stands, as read back from the journal after a restart.

    Example:
        >>> from oem_risk import Exposure, OrderFacts, RiskEngine, shipped_profile
        >>> engine = RiskEngine(shipped_profile("balanced"))
        >>> flat = Exposure(100_000.0, {}, 0.0, 0.0, 0.0, 0)
        >>> engine.check(OrderFacts("BTC/USDT", 1.0, 50_000.0), flat).reasons
        (<RiskReason.ORDER_SIZE: 'order_size'>, <RiskReason.POSITION: 'position'>)
    """

    def __init__(self, profile: RiskProfile, state: TradingState = TradingState.ACTIVE) -> None:
        self.profile = profile
        self._state = state

    @property
    def state(self) -> TradingState:
        """Where the kill switch stands."""
        return self._state

    def trip(self, state: TradingState) -> bool:
        """Tighten the kill switch; returns whether it moved. It never loosens here."""
        order = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)
        if order.index(state) <= order.index(self._state):
            return False
        self._state = state
        return True

    def reset(self, operator: str) -> None:
        """Set the kill switch back to active.

        Raises:
            OperatorRequired: No operator is named; a machine never resets the switch.
        """
        if not operator.strip():
            raise OperatorRequired(
                "the kill switch is reset by a person only",
                where="operator",
                remedy="name the operator who takes the responsibility",
            )
        self._state = TradingState.ACTIVE

    def check(self, order: OrderFacts, exposure: Exposure) -> RiskVerdict:
        """Return the verdict on one order; orders that only reduce a holding always pass.

        A malformed number is refused even on a reducing order, for it cannot be known to reduce.
        """
        held, _ = exposure.positions.get(order.symbol, (0.0, 0.0))
        after = held + order.signed_quantity
        # a sum is finite only when all its terms are
        sound = math.isfinite(order.signed_quantity + order.price + order.cost_high_bps + held)
        if not sound or order.price <= 0 or order.signed_quantity == 0:
            return RiskVerdict(False, (RiskReason.NOT_A_NUMBER,), {}, reduces=False)
        reduces = held != 0 and held * order.signed_quantity < 0 and abs(after) <= abs(held)
        if reduces and held * after >= 0:
            return RiskVerdict(True, (), {}, reduces=True)
        # an unknown loss is no reason to believe there is none
        if not math.isfinite(exposure.daily_pnl + exposure.drawdown + exposure.gross_notional):
            return RiskVerdict(False, (RiskReason.NOT_A_NUMBER,), {}, reduces=False)
        margins = self._margins(order, exposure, held, after)
        reasons = [reason for reason, name in _LIMITS if margins[name] < 0.0]
        if self._state is TradingState.HALTED:
            reasons.insert(0, RiskReason.HALTED)
        elif self._state is TradingState.REDUCING:
            reasons.insert(0, RiskReason.REDUCING_ONLY)
        if not math.isfinite(exposure.equity) or exposure.equity <= 0:
            reasons.insert(0, RiskReason.NO_EQUITY)
        return RiskVerdict(not reasons, tuple(reasons), margins, reduces=False)

    def _margins(
        self, order: OrderFacts, exposure: Exposure, held: float, after: float
    ) -> dict[str, float]:
        profile = self.profile
        equity = max(exposure.equity, 1e-12)
        order_notional = abs(order.signed_quantity) * order.price
        gross = exposure.gross_notional + (abs(after) - abs(held)) * order.price
        count = exposure.open_positions + (1 if held == 0 else 0)
        return {
            "order_size": 1 - order_notional / (profile.max_order * equity),
            "position": 1 - abs(after) * order.price / (profile.max_position * equity),
            "leverage": 1 - gross / (profile.max_leverage * equity),
            "open_positions": 1 - count / profile.max_open_positions,
            "daily_loss": _room(-exposure.daily_pnl / equity, profile.max_daily_loss),
            "drawdown": _room(exposure.drawdown, profile.max_drawdown),
            "cost": 1 - order.cost_high_bps / profile.max_cost_bps,
        }


_LIMITS = tuple(
    (reason, reason.value)
    for reason in RiskReason
    if reason.value
    in ("order_size", "position", "leverage", "open_positions", "daily_loss", "drawdown", "cost")
)


def _room(loss: float, limit: float) -> float:
    """Room under a limit that is breached when reached, not only when passed."""
    room = 1 - loss / limit
    return room if room > 0 else min(room, -1e-12)
