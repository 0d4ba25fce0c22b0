"""What a book gives to market orders: replaceable by the caller, scalar or for many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class FillModel(Protocol):
    """How much of a market order a book takes, and at which prices; replaceable by the caller.

    A model may also have `sell_many` (see `ManyFills`), which is asked for whole columns of orders
    at once; it must answer as `sell` does.
    """

    def sell(
        self, quantity: float, *, mid: float, spread_bps: float, depth: float
    ) -> tuple[float, float]:
        """Return (quantity filled, average price) of a market sell.

        Args:
            quantity: Base units, > 0.
            mid: Middle of the book, quote units.
            spread_bps: Width of the book.
            depth: Base units on the buying side, >= 0.
        """
        ...


@runtime_checkable
class ManyFills(Protocol):
    """A fill model that answers for many orders at once, as fast as arrays are."""

    def sell_many(
        self, quantity: Floats, *, mid: Floats, spread_bps: Floats, depth: Floats
    ) -> tuple[Floats, Floats]:
        """Return (quantities filled, average prices) of market sells, each in a book of its own.

        Args:
            quantity: Base units, > 0, shape (orders,).
            mid: Middle of each book.
            spread_bps: Width of each book.
            depth: Base units on each buying side, >= 0.
        """
        ...


@dataclass(frozen=True, slots=True)
class LinearBook:
    """A book whose depth is spread evenly over a price range; the default fill model.

    Attributes:
        range_bps: Distance from the touch to the last buyer, basis points.
    """

    range_bps: float = 50.0

    def sell(
        self, quantity: float, *, mid: float, spread_bps: float, depth: float
    ) -> tuple[float, float]:
        filled = min(quantity, depth)
        if filled <= 0:
            return 0.0, mid
        walked = self.range_bps * filled / depth / 2
        return filled, mid * (1 - (spread_bps / 2 + walked) * 1e-4)

    def sell_many(
        self, quantity: Floats, *, mid: Floats, spread_bps: Floats, depth: Floats
    ) -> tuple[Floats, Floats]:
        filled = np.minimum(quantity, depth)
        walked = self.range_bps * filled / np.where(depth > 0, depth, 1.0) / 2
        price = mid * (1 - (spread_bps / 2 + walked) * 1e-4)
        return filled, np.where(filled > 0, price, mid)


def sell_each(
    fills: FillModel, quantity: Floats, *, mid: Floats, spread_bps: Floats, depth: Floats
) -> tuple[Floats, Floats]:
    """Return (quantities filled, average prices) of many market sells, each in its own book.

    Args:
        fills: The book; asked at once where it can be, else order by order.
        quantity: Base units, > 0, shape (orders,).
        mid: Middle of each book.
        spread_bps: Width of each book.
        depth: Base units on each buying side, >= 0.
    """
    if isinstance(fills, ManyFills):
        return fills.sell_many(quantity, mid=mid, spread_bps=spread_bps, depth=depth)
    filled, price = np.empty(len(quantity)), np.empty(len(quantity))
    for i, amount in enumerate(quantity):
        filled[i], price[i] = fills.sell(
            float(amount), mid=float(mid[i]), spread_bps=float(spread_bps[i]),
            depth=float(depth[i]),
        )  # fmt: skip
    return filled, price
