"""Walking a book: the fill model as a plain function of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

N = TypeVar("N", bound=Any)
"""Any number type with order and arithmetic: float, int, Decimal, Fraction."""


def walk_book(
    levels: Iterable[tuple[N, N]], side: str, quantity: N, limit_price: N | None = None
) -> tuple[tuple[N, N], ...]:
    """Return what a taker gets from a book, level by level.

    Args:
        levels: `(price, size)` of the opposite side, best first.
        side: `buy` (walks asks upwards) or `sell` (walks bids downwards).
        quantity: Base units wanted, >= 0.
        limit_price: Worst acceptable price; None takes any.

    Returns:
        `(price, quantity)` per level touched; the quantities sum to less than `quantity` when the
        book is too thin or the limit is reached.

    Example:
        >>> walk_book([(100.0, 1.0), (101.0, 5.0)], "buy", 3.0)
        ((100.0, 1.0), (101.0, 2.0))
        >>> walk_book([(100.0, 1.0), (101.0, 5.0)], "buy", 3.0, limit_price=100.5)
        ((100.0, 1.0),)
    """
    taken: list[tuple[N, N]] = []
    remaining = quantity
    buys = side == "buy"
    for price, size in levels:
        if remaining <= 0:
            break
        if limit_price is not None and (price > limit_price if buys else price < limit_price):
            break
        part = min(remaining, size)
        if part > 0:
            taken.append((price, part))
            remaining = remaining - part
    return tuple(taken)


@dataclass(frozen=True, slots=True)
class SyntheticBook(Generic[N]):
    """A book made from a price and a depth, best levels first."""

    bids: tuple[tuple[N, N], ...]
    asks: tuple[tuple[N, N], ...]


def synthetic_book(
    mid: N, *, spread_bps: N, depth: N, levels: int = 10, step_bps: N | None = None
) -> SyntheticBook[N]:
    """Return a book around a price whose level sizes grow linearly away from the touch.

    Args:
        mid: Middle price, > 0.
        spread_bps: Distance between best bid and best ask, basis points of `mid`, >= 0.
        depth: Total size of each side, base units.
        levels: Number of levels of each side, >= 1.
        step_bps: Distance between levels, basis points of `mid`; None takes half the spread, at
            least 0.5.

    Example:
        >>> synthetic_book(100.0, spread_bps=10.0, depth=3.0, levels=2, step_bps=10.0).asks
        ((100.05, 1.0), (100.15, 2.0))
    """
    kind = type(mid)
    unit = mid / kind(10_000)
    half = kind(spread_bps) / kind(2)
    step = max(half, kind(1) / kind(2)) if step_bps is None else kind(step_bps)
    weight = kind(levels * (levels + 1) // 2)
    sizes = [kind(depth) * kind(rank + 1) / weight for rank in range(levels)]
    away = [unit * (half + step * kind(rank)) for rank in range(levels)]
    return SyntheticBook(
        bids=tuple((mid - distance, size) for distance, size in zip(away, sizes, strict=True)),
        asks=tuple((mid + distance, size) for distance, size in zip(away, sizes, strict=True)),
    )
