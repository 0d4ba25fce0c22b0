"""Costs of many orders: totals, groups, and what was wrong with the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from oem_tco.ledger.rows import FillRow
from oem_tco.ledger.shortfall import Shortfall, shortfall
from oem_tco.ledger.store import LedgerRows
from oem_tco.money import bps
from oem_tco.terms import COMPONENTS, Component, DelayConvention


@dataclass(frozen=True, slots=True)
class CostTotal:
    """Costs of a set of orders, minor units; the parts sum to `total` exactly.

    Attributes:
        orders: Number of orders.
        fills: Number of fills.
        notional: Wanted quantity at the decision prices; what bps refer to.
        parts: Component to amount.
        total: Sum of the parts.
    """

    orders: int
    fills: int
    notional: int
    parts: dict[Component, int]
    total: int

    def bps(self, component: Component | None = None) -> float:
        """Return one component, or the total, in basis points of the notional."""
        amount = self.total if component is None else self.parts[component]
        return bps(amount, self.notional)


@dataclass(frozen=True, slots=True)
class TcoResult:
    """The cost analysis of a ledger.

    Attributes:
        convention: How delay is counted.
        currency: Quote currency of every amount.
        orders: Shortfall of every order, by decision time and id.
        fill_counts: Number of fills of each order, in the same order.
        total: Costs of all orders.
        groups: Dimension (`strategy`, `symbol`, `venue`, `profile`, `scheduler`) to value to costs.
        findings: What was wrong with the input, in words, with the rows named.
    """

    convention: DelayConvention
    currency: str
    orders: tuple[Shortfall, ...]
    fill_counts: tuple[int, ...]
    total: CostTotal
    groups: dict[str, dict[str, CostTotal]]
    findings: tuple[str, ...]


_DIMENSIONS: dict[str, Callable[[Shortfall], str]] = {
    "strategy": lambda s: s.order.strategy,
    "symbol": lambda s: s.order.symbol,
    "venue": lambda s: s.order.venue,
    "profile": lambda s: s.order.profile,
    "scheduler": lambda s: s.order.scheduler,
}


def analyze(
    rows: LedgerRows, *, convention: DelayConvention = DelayConvention.WHOLE_ORDER
) -> TcoResult:
    """Return the cost analysis of ledger rows; the order of the rows does not matter.

    Args:
        rows: Orders and fills.
        convention: Whether the unfilled part shares in the delay.

    Raises:
        InputError: An order cannot be costed, or the ledger mixes quote currencies.
    """
    by_order: dict[str, list[FillRow]] = {order.order_id: [] for order in rows.orders}
    orphans: list[FillRow] = []
    for fill in rows.fills:
        by_order.get(fill.order_id, orphans).append(fill)
    costed = []
    for order in sorted(rows.orders, key=lambda o: (o.decision_time_ns, o.order_id)):
        fills = sorted(by_order[order.order_id], key=lambda f: (f.time_ns, f.fill_id))
        costed.append((shortfall(order, fills, convention=convention), len(fills)))
    findings = [f"fill without an order, left out: {fill.fill_id}" for fill in orphans]
    findings += [f"fill reported twice, counted once: {name}" for name in rows.duplicate_fills]
    findings += [f"order {s.order.order_id}: {note}" for s, _ in costed for note in s.notes]
    return result_of(costed, convention, findings)


def result_of(
    costed: Sequence[tuple[Shortfall, int]], convention: DelayConvention, findings: Iterable[str]
) -> TcoResult:
    """Return the analysis of orders that are costed already.

    Args:
        costed: Shortfall and number of fills of each order, by decision time and id.
        convention: How the delay of all of them is counted.
        findings: What was wrong with the input, in words.
    """
    currencies = sorted({s.order.currency for s, _ in costed})
    found = list(findings)
    if len(currencies) > 1:
        found.append(f"several quote currencies, kept apart: {', '.join(currencies)}")
    return TcoResult(
        convention=convention,
        currency="/".join(currencies),
        orders=tuple(s for s, _ in costed),
        fill_counts=tuple(count for _, count in costed),
        total=total_of(costed),
        groups={name: _grouped(costed, key) for name, key in _DIMENSIONS.items()},
        findings=tuple(sorted(found)),
    )


def _grouped(
    costed: Sequence[tuple[Shortfall, int]], key: Callable[[Shortfall], str]
) -> dict[str, CostTotal]:
    groups: dict[str, list[tuple[Shortfall, int]]] = {}
    for pair in costed:
        groups.setdefault(key(pair[0]), []).append(pair)
    return {value: total_of(groups[value]) for value in sorted(groups)}


def total_of(costed: Iterable[tuple[Shortfall, int]]) -> CostTotal:
    """Return the exact sum of orders, each with its number of fills."""
    parts = dict.fromkeys(COMPONENTS, 0)
    orders = fills = notional = total = 0
    for found, count in costed:
        orders += 1
        fills += count
        notional += found.notional
        total += found.total
        for component, amount in found.parts.items():
            parts[component] += amount
    return CostTotal(orders, fills, notional, parts, total)
