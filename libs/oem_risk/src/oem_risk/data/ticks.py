"""Trades, quotes, book updates and funding of one symbol, as columns, oldest first."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.schema import DataKind, require_one_length

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Words = NDArray[np.object_]
SIDES = ("buy", "sell")
BOOK_SIDES = ("bid", "ask")


@dataclass(frozen=True, slots=True)
class Trades:
    """Prints of one symbol.

    Attributes:
        venue: Venue such as `binance`; empty where unknown.
        symbol: Symbol such as `BTC/USDT`.
        time_ns: UTC nanoseconds, shape (rows,).
        price: Quote units.
        size: Base units.
        side: `buy` or `sell` of the aggressor; None where the venue does not say.
        source: Where they came from.
        sha384: Hash of the file, hex; empty where they were never in one.
        synthetic: Whether they were generated.
        notes: What was mended on the way in.
    """

    venue: str
    symbol: str
    time_ns: Times
    price: Floats
    size: Floats
    side: Words
    source: str
    sha384: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = ()

    kind = DataKind.TRADES

    def __post_init__(self) -> None:
        require_one_length(self.source, self.time_ns, self.price, self.size, self.side)

    def __len__(self) -> int:
        return len(self.time_ns)

    def take(self, index: NDArray[np.int64] | slice) -> Trades:
        """Return the rows at `index`."""
        return replace(
            self, time_ns=self.time_ns[index], price=self.price[index], size=self.size[index],
            side=self.side[index],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quotes:
    """Best bid and ask of one symbol; the other attributes as in `Trades`.

    Attributes:
        bid: Best buying price, quote units; `ask` the best selling price.
        bid_size: Base units at the best bid; `ask_size` at the best ask.
    """

    venue: str
    symbol: str
    time_ns: Times
    bid: Floats
    bid_size: Floats
    ask: Floats
    ask_size: Floats
    source: str
    sha384: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = ()

    kind = DataKind.QUOTES

    def __post_init__(self) -> None:
        require_one_length(
            self.source, self.time_ns, self.bid, self.bid_size, self.ask, self.ask_size
        )

    def __len__(self) -> int:
        return len(self.time_ns)

    def take(self, index: NDArray[np.int64] | slice) -> Quotes:
        """Return the rows at `index`."""
        columns = {n: getattr(self, n)[index] for n in ("bid", "bid_size", "ask", "ask_size")}
        return replace(self, time_ns=self.time_ns[index], **columns)

    @property
    def spread_bps(self) -> Floats:
        """Width of each quote relative to its middle, basis points, shape (rows,)."""
        return (self.ask - self.bid) / (self.ask + self.bid) * 2e4


@dataclass(frozen=True, slots=True)
class Funding:
    """Funding rates of one perpetual; the other attributes as in `Trades`.

    Attributes:
        rate: Paid by longs to shorts per interval, as a fraction of the notional.
        mark: Mark price at settlement, quote units; NaN where the source has none.
    """

    venue: str
    symbol: str
    time_ns: Times
    rate: Floats
    mark: Floats
    source: str
    sha384: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = ()

    kind = DataKind.FUNDING

    def __post_init__(self) -> None:
        require_one_length(self.source, self.time_ns, self.rate, self.mark)

    def __len__(self) -> int:
        return len(self.time_ns)

    def take(self, index: NDArray[np.int64] | slice) -> Funding:
        """Return the rows at `index`."""
        return replace(
            self, time_ns=self.time_ns[index], rate=self.rate[index], mark=self.mark[index]
        )


@dataclass(frozen=True, slots=True)
class BookUpdates:
    """Levels of an order book as they changed; the other attributes as in `Trades`.

    Attributes:
        side: `bid` or `ask`.
        price: Quote units.
        size: Base units that stand there now; 0 deletes the level.
        is_snapshot: Whether the row belongs to a full picture that replaces the book.
        seq: The venue's number of the update.
    """

    venue: str
    symbol: str
    time_ns: Times
    side: Words
    price: Floats
    size: Floats
    is_snapshot: NDArray[np.bool_]
    seq: Times
    source: str
    sha384: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = ()

    kind = DataKind.BOOKS

    def __post_init__(self) -> None:
        require_one_length(
            self.source, self.time_ns, self.side, self.price, self.size, self.is_snapshot, self.seq
        )

    def __len__(self) -> int:
        return len(self.time_ns)

    def take(self, index: NDArray[np.int64] | slice) -> BookUpdates:
        """Return the rows at `index`."""
        names = ("side", "price", "size", "is_snapshot", "seq")
        columns = {name: getattr(self, name)[index] for name in names}
        return replace(self, time_ns=self.time_ns[index], **columns)
