"""One symbol's book in whole ticks and lots: outside liquidity, resting orders, their queues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oem_exec.model.enums import Liquidity, Side

_NO_BID = -1
_NO_ASK = 1 << 62


@dataclass(slots=True)
class Resting:
    """An order waiting in the book.

    Attributes:
        order_id: Whose executions these are.
        owner: Account; an account never trades with itself.
        side: Buy or sell.
        price: Ticks.
        remaining: Lots.
        queue_ahead: Lots at the same price that must trade or go first.
    """

    order_id: str
    owner: str
    side: Side
    price: int
    remaining: int
    queue_ahead: int


@dataclass(frozen=True, slots=True)
class Execution:
    """A part of an order that traded: ticks and lots."""

    order_id: str
    price: int
    quantity: int
    liquidity: Liquidity


class MatchingBook:
    """Price-time matching against outside liquidity and the resting orders of other accounts.

    A resting order fills when trades eat through the queue ahead of it, when a trade happens
    beyond its price, or when outside liquidity crosses it. Cancels of outside orders shrink the
    queue ahead only when the level becomes smaller than the queue.
    """

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self._resting: dict[str, Resting] = {}
        self._at: dict[tuple[Side, int], list[Resting]] = {}
        self._own_bid_prices: set[int] = set()
        self._own_ask_prices: set[int] = set()
        self._best_own_bid = _NO_BID
        self._best_own_ask = _NO_ASK
        self._sorted: dict[Side, list[int]] = {}

    def replace(
        self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]
    ) -> list[Execution]:
        """Replace all outside liquidity; return the executions of orders it crosses."""
        self.bids = {price: size for price, size in bids if size > 0}
        self.asks = {price: size for price, size in asks if size > 0}
        self._sorted.clear()
        executions: list[Execution] = []
        for resting in list(self._resting.values()):
            level = (self.bids if resting.side is Side.BUY else self.asks).get(resting.price, 0)
            resting.queue_ahead = min(resting.queue_ahead, level)
        for side in Side:
            executions += self._cross(side)
        return executions

    def update(self, side: Side, price: int, size: int) -> list[Execution]:
        """Set the outside size of one level (0 removes it); return the executions it causes."""
        return self.replay((side is Side.BUY,), (price,), (size,))

    def replay(
        self, are_bids: Sequence[bool], prices: Sequence[int], sizes: Sequence[int]
    ) -> list[Execution]:
        """Apply many level updates in order; return the executions they cause.

        Args:
            are_bids: Whether each update is of the bid side.
            prices: Ticks.
            sizes: Absolute outside size in lots; 0 removes the level.
        """
        executions: list[Execution] = []
        bids, asks = self.bids, self.asks
        # sets and bounds are re-read after every hit, because executions change them
        own_bids, own_asks = self._own_bid_prices, self._own_ask_prices
        best_own_bid, best_own_ask = self._best_own_bid, self._best_own_ask
        for is_bid, price, size in zip(are_bids, prices, sizes, strict=True):
            if is_bid:
                if size:
                    bids[price] = size
                    if price >= best_own_ask:
                        executions += self._cross(Side.SELL)
                        best_own_ask = self._best_own_ask
                else:
                    bids.pop(price, None)
                if price in own_bids:
                    self._shrink(Side.BUY, price, size)
            else:
                if size:
                    asks[price] = size
                    if price <= best_own_bid:
                        executions += self._cross(Side.BUY)
                        best_own_bid = self._best_own_bid
                else:
                    asks.pop(price, None)
                if price in own_asks:
                    self._shrink(Side.SELL, price, size)
        self._sorted.clear()
        return executions

    def trade(self, price: int, size: int, aggressor: Side) -> list[Execution]:
        """Let an outside trade happen; return the executions of resting orders it reaches."""
        if aggressor is Side.SELL:
            if price > self._best_own_bid:
                return []
            maker_side = Side.BUY
        elif price < self._best_own_ask:
            return []
        else:
            maker_side = Side.SELL
        executions: list[Execution] = []
        left = size
        for resting in self._touched(maker_side, price):
            if left <= 0:
                break
            if resting.price == price:
                ahead = min(resting.queue_ahead, left)
                resting.queue_ahead -= ahead
                available = left - ahead
            else:  # the trade went through the order's price: its queue is gone
                resting.queue_ahead = 0
                available = left
            part = min(available, resting.remaining)
            if part > 0:
                left -= part
                executions.append(self._execute(resting, part))
        return executions

    def sweep(self, price: int, size: int, aggressor: Side) -> list[Execution]:
        """Fill the resting orders strictly beyond `price`, best first, with up to `size` lots."""
        executions: list[Execution] = []
        left = size
        for resting in self._touched(aggressor.opposite, price):
            part = min(left, resting.remaining)
            if resting.price == price or part <= 0:
                continue
            left -= part
            executions.append(self._execute(resting, part))
        return executions

    def match(
        self, owner: str, side: Side, quantity: int, limit: int | None
    ) -> list[tuple[int, int, str]]:
        """Return what an incoming order would get: `(price, lots, resting order id or "")`.

        Nothing is changed; `take` does the same and takes it.
        """
        found: list[tuple[int, int, str]] = []
        left = quantity
        outside = self.asks if side is Side.BUY else self.bids
        rivals = self._rivals(owner, side.opposite)
        prices = self._levels(side.opposite)
        if rivals:
            prices = sorted({*prices, *rivals}, reverse=side is Side.SELL)
        for price in prices:
            if left <= 0 or (
                limit is not None and (price > limit if side is Side.BUY else price < limit)
            ):
                break
            part = min(left, outside.get(price, 0))
            if part > 0:
                found.append((price, part, ""))
                left -= part
            for resting in rivals.get(price, ()):
                part = min(left, resting.remaining)
                if part > 0:
                    found.append((price, part, resting.order_id))
                    left -= part
        return found

    def take(
        self, order_id: str, owner: str, side: Side, quantity: int, limit: int | None
    ) -> list[Execution]:
        """Execute an incoming order against the book; return its and its makers' executions."""
        executions: list[Execution] = []
        outside = self.asks if side is Side.BUY else self.bids
        for price, part, maker in self.match(owner, side, quantity, limit):
            executions.append(Execution(order_id, price, part, Liquidity.TAKER))
            if maker:
                executions.append(self._execute(self._resting[maker], part))
                continue
            left = outside[price] - part
            if left:
                outside[price] = left
            else:
                del outside[price]
                self._sorted.pop(side.opposite, None)
        return executions

    def rest(self, order_id: str, owner: str, side: Side, price: int, quantity: int) -> None:
        """Put an order at the back of the queue at its price."""
        ahead = (self.bids if side is Side.BUY else self.asks).get(price, 0)
        resting = Resting(order_id, owner, side, price, quantity, ahead)
        self._resting[order_id] = resting
        self._at.setdefault((side, price), []).append(resting)
        self._index()

    def remove(self, order_id: str) -> int:
        """Take an order out of the book; return the lots it had left, 0 when it is not there."""
        resting = self._resting.pop(order_id, None)
        if resting is None:
            return 0
        queue = self._at[resting.side, resting.price]
        queue.remove(resting)
        if not queue:
            del self._at[resting.side, resting.price]
        self._index()
        return resting.remaining

    def shrink(self, order_id: str, quantity: int) -> bool:
        """Make a resting order smaller where it stands; False when it is not in the book."""
        resting = self._resting.get(order_id)
        if resting is None or not 0 < quantity <= resting.remaining:
            return False
        resting.remaining = quantity
        return True

    def best(self, side: Side) -> int | None:
        """Return the best price of a side, outside and resting together, in ticks."""
        outside = self._levels(side)
        candidates = [outside[0]] if outside else []
        own = self._best_own_bid if side is Side.BUY else self._best_own_ask
        if own not in {_NO_BID, _NO_ASK}:
            candidates.append(own)
        if not candidates:
            return None
        return max(candidates) if side is Side.BUY else min(candidates)

    def levels(self, side: Side, depth: int) -> list[tuple[int, int]]:
        """Return outside and resting size by price, best first."""
        outside = self.bids if side is Side.BUY else self.asks
        prices = self._levels(side)
        own: dict[int, int] = {}
        for (at_side, price), queue in self._at.items():
            if at_side is side:
                own[price] = sum(resting.remaining for resting in queue)
        if own:
            prices = sorted({*prices[:depth], *own}, reverse=side is Side.BUY)
        return [(price, outside.get(price, 0) + own.get(price, 0)) for price in prices[:depth]]

    def queue_ahead(self, order_id: str) -> int | None:
        """Return the lots ahead of a resting order, None when it is not in the book."""
        resting = self._resting.get(order_id)
        return None if resting is None else resting.queue_ahead

    def _levels(self, side: Side) -> list[int]:
        found = self._sorted.get(side)
        if found is None:
            found = sorted(self.bids, reverse=True) if side is Side.BUY else sorted(self.asks)
            self._sorted[side] = found
        return found

    def _rivals(self, owner: str, side: Side) -> dict[int, list[Resting]]:
        found: dict[int, list[Resting]] = {}
        for (at_side, price), queue in self._at.items():
            if at_side is side and (others := [r for r in queue if r.owner != owner]):
                found[price] = others
        return found

    def _touched(self, side: Side, price: int) -> list[Resting]:
        found = [
            resting
            for (at_side, at_price), queue in self._at.items()
            if at_side is side and (at_price >= price if side is Side.BUY else at_price <= price)
            for resting in queue
        ]
        # best price first; the sort is stable, so time decides at one price
        found.sort(key=lambda resting: -resting.price if side is Side.BUY else resting.price)
        return found

    def _cross(self, side: Side) -> list[Execution]:
        """Fill resting orders of `side` against outside liquidity that has reached them."""
        executions: list[Execution] = []
        outside = self.asks if side is Side.BUY else self.bids
        self._sorted.pop(side.opposite, None)
        while outside and self._resting:
            best = min(outside) if side is Side.BUY else max(outside)
            touched = self._touched(side, best)
            if not touched:
                break
            resting = touched[0]
            part = min(outside[best], resting.remaining)
            outside[best] -= part
            if not outside[best]:
                del outside[best]
            executions.append(self._execute(resting, part))
        return executions

    def _shrink(self, side: Side, price: int, size: int) -> None:
        for resting in self._at.get((side, price), ()):
            if resting.queue_ahead > size:
                resting.queue_ahead = size

    def _execute(self, resting: Resting, quantity: int) -> Execution:
        resting.remaining -= quantity
        if resting.remaining == 0:
            self.remove(resting.order_id)
        return Execution(resting.order_id, resting.price, quantity, Liquidity.MAKER)

    def _index(self) -> None:
        self._own_bid_prices.clear()
        self._own_ask_prices.clear()
        for side, price in self._at:
            (self._own_bid_prices if side is Side.BUY else self._own_ask_prices).add(price)
        self._best_own_bid = max(self._own_bid_prices, default=_NO_BID)
        self._best_own_ask = min(self._own_ask_prices, default=_NO_ASK)
