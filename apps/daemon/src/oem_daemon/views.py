"""What the API shows: values of the daemon as messages of `oem_api`."""

from __future__ import annotations

from decimal import Decimal

from oem_api import pb
from oem_api.text import enum_of
from oem_daemon.costed_fill import CostedFill
from oem_daemon.pipeline import Decided
from oem_daemon.portfolio import Portfolio
from oem_daemon.risk_gate import RiskGate
from oem_exec import Order


def decimal(value: Decimal | None) -> str:
    """Return a decimal in plain notation; empty when it is not known, or not finite."""
    return format(value, "f") if value is not None and value.is_finite() else ""


def rounded(value: Decimal, places: int) -> str:
    """Return a decimal in plain notation with so many places; empty when it is not finite."""
    return decimal(round(value, places) if value.is_finite() else None)


def order_view(order: Order) -> pb.Order:
    """Return an order as the API shows it."""
    intent = order.intent
    force = intent.time_in_force.value.lower()
    return pb.Order(
        client_order_id=intent.intent_id,
        symbol=intent.symbol,
        side=enum_of(pb.Side, intent.side.value),
        type=enum_of(pb.OrderType, intent.type.value),
        time_in_force=enum_of(pb.TimeInForce, force if force in ("ioc", "fok") else "gtc"),
        quantity=decimal(intent.quantity),
        limit_price=decimal(intent.price),
        stop_price=decimal(intent.stop_price),
        reduce_only=intent.reduce_only,
        state=enum_of(pb.OrderState, order.state.value),
        filled_quantity=decimal(order.filled_quantity),
        average_price=decimal(order.average_price),
        fees=[pb.FeeAmount(asset=asset, amount=decimal(amount)) for asset, amount in order.fees],
        venue=order.venue,
        venue_client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id or "",
        reason=order.reason,
        strategy=intent.strategy,
        profile=intent.profile,
        created_ns=intent.created_ns,
        updated_ns=order.updated_ns,
        latency_ns=order.latency_ns,
    )


def fill_view(costed: CostedFill) -> pb.Fill:
    """Return a fill with its costs as the API shows it."""
    fill = costed.fill
    return pb.Fill(
        venue=fill.venue,
        trade_id=fill.trade_id,
        client_order_id=costed.order.intent_id,
        symbol=fill.symbol,
        side=enum_of(pb.Side, fill.side.value),
        quantity=decimal(fill.quantity),
        price=decimal(fill.price),
        fee=decimal(fill.fee),
        fee_asset=fill.fee_asset,
        liquidity=enum_of(pb.Liquidity, fill.liquidity.value),
        time_ns=fill.time_ns,
        costs=[
            pb.CostPart(
                component=enum_of(pb.CostComponent, component.value),
                bps=bps,
                provenance="measured",
            )
            for component, bps in costed.costs
        ],
        cost_bps=sum(bps for _, bps in costed.costs),
    )


def decision_view(decided: Decided) -> pb.Decision:
    """Return a decision with its estimate and margins as the API shows it."""
    made, estimate = decided.inputs.candidate, decided.inputs.estimate
    decision = decided.decision
    return pb.Decision(
        decision_id=decision.decision_id,
        time_ns=made.decision_time_ns,
        strategy=made.strategy,
        profile=made.profile,
        symbol=made.symbol,
        venue=made.venue,
        side=enum_of(pb.Side, made.side.value),
        quantity=decimal(made.quantity),
        reference_price=decimal(made.reference_price),
        verdict=enum_of(pb.Verdict, decision.verdict.value),
        reasons=[reason.value for reason in decision.reasons],
        expected_edge_bps=made.expected_edge_bps,
        net_edge_bps=decision.net_edge_bps,
        net_edge_low_bps=decision.net_edge_low_bps,
        stressed_net_edge_bps=decision.stressed_net_edge_bps,
        cost_bps=estimate.expected_bps,
        cost_low_bps=estimate.low_bps,
        cost_high_bps=estimate.high_bps,
        costs=[
            pb.CostPart(
                component=enum_of(pb.CostComponent, part.component.value),
                bps=part.expected_bps,
                provenance=part.provenance.value,
            )
            for part in estimate.components
        ],
        margins=[pb.Margin(name=name, value=value) for name, value in decision.margins.items()],
        client_order_id=decided.order_id,
    )


def risk_view(
    portfolio: Portfolio, gate: RiskGate, *, state: str, quote: str, now_ns: int
) -> pb.Risk:
    """Return exposure, profit and loss, and every limit as the API shows them."""
    return pb.Risk(
        time_ns=now_ns,
        currency=quote,
        equity=rounded(portfolio.equity, 2),
        cash=rounded(portfolio.cash, 2),
        gross_notional=rounded(portfolio.gross_notional, 2),
        leverage=rounded(portfolio.leverage, 6),
        daily_pnl=rounded(portfolio.daily_pnl, 2),
        drawdown=rounded(portfolio.drawdown, 9),
        fees_paid=rounded(portfolio.fees_paid, 2),
        open_positions=portfolio.open_positions,
        trading_state=enum_of(pb.TradingState, state),
        limits=[
            pb.RiskLimit(
                name=name,
                value=f"{value:.6f}",
                limit=f"{limit:g}",
                unit=unit,
                used=value / limit,
                breached=value > limit,
            )
            for name, value, limit, unit in gate.limits(portfolio)
        ],
        positions=[
            pb.Position(
                symbol=symbol,
                quantity=decimal(position.quantity),
                average_price=rounded(position.average_price, 8),
                mark_price=decimal(position.mark),
                notional=rounded(position.notional, 2),
                unrealized_pnl=rounded(position.unrealized, 8),
                realized_pnl=rounded(position.realized, 8),
            )
            for symbol, position in sorted(portfolio.positions.items())
        ],
        profile=gate.engine.profile.name,
    )
