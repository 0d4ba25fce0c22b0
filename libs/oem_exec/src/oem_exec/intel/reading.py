"""What is known about one market at one moment, and how old each part of it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, TypeVar

from oem_exec.errors import StaleMarketData
from oem_exec.intel import measures
from oem_exec.intel.source import IntelField
from oem_exec.model.enums import Side
from oem_exec.model.market import FundingQuote, Ticker
from oem_exec.venue import BookSnapshot

T = TypeVar("T")
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Observation(Generic[T]):
    """One answer of a venue and when it was true.

    Attributes:
        value: The answer.
        received_ns: When it arrived here, UTC nanoseconds.
        venue_ns: When it was true by the venue's clock; 0 where the venue does not say.
    """

    value: T
    received_ns: int
    venue_ns: int = 0

    def age_s(self, now_ns: int) -> float:
        """Return its age in seconds: by arrival, or by the venue's own time if that is older."""
        oldest = min(self.received_ns, self.venue_ns or self.received_ns)
        return max(now_ns - oldest, 0) / _NS


@dataclass(frozen=True, slots=True)
class MarketReading:
    """One market as it was last seen.

    The figures below raise `StaleMarketData` when what they rest on is stale or was never seen;
    `as_json` shows everything and marks what is stale.

    Attributes:
        venue: Venue name.
        symbol: Unified symbol.
        now_ns: The moment of this reading, UTC nanoseconds.
        max_age_s: Field to the age, seconds, from which it is stale.
        last_book: The last usable book.
        last_ticker: The last ticker.
        last_volatility_bps: The last realised volatility, basis points per square root of a second.
        last_funding: The last funding quote; None for markets without funding.
        round_trips_s: The newest round trips to the venue, seconds, oldest first.
        problems: Field to the reason why its last poll brought nothing.
        not_offered: Fields that the venue does not have for this market.
    """

    venue: str
    symbol: str
    now_ns: int
    max_age_s: Mapping[IntelField, float]
    last_book: Observation[BookSnapshot] | None = None
    last_ticker: Observation[Ticker] | None = None
    last_volatility_bps: Observation[float] | None = None
    last_funding: Observation[FundingQuote] | None = None
    round_trips_s: tuple[float, ...] = ()
    problems: Mapping[IntelField, str] = field(default_factory=dict)
    not_offered: frozenset[IntelField] = frozenset()

    @property
    def stale(self) -> frozenset[IntelField]:
        """Return the offered fields that were never seen or are older than allowed."""
        offered = (one for one in IntelField if one not in self.not_offered)
        return frozenset(one for one in offered if self.is_stale(one))

    def is_stale(self, one: IntelField) -> bool:
        """Return whether a field was never seen or is older than allowed."""
        age = self.age_s(one)
        return age is None or age > self.max_age_s[one]

    def age_s(self, one: IntelField) -> float | None:
        """Return the age of a field in seconds, None when it was never seen."""
        seen = self._observation(one)
        return None if seen is None else seen.age_s(self.now_ns)

    @property
    def book(self) -> BookSnapshot:
        """Return the book; raises `StaleMarketData`."""
        return self._fresh(IntelField.BOOK, self.last_book)

    @property
    def mid(self) -> Decimal:
        """Return the middle between best bid and best ask; raises `StaleMarketData`."""
        return measures.mid_price(self.book)

    @property
    def spread_bps(self) -> float:
        """Return the quoted spread in basis points of the mid; raises `StaleMarketData`."""
        return measures.spread_bps(self.book)

    def depth(self, side: Side, within_bps: float) -> Decimal:
        """Return base units within a distance of the mid; raises `StaleMarketData`."""
        return measures.depth_within(self.book, side, within_bps)

    def size_cost_bps(self, side: Side, quantity: Decimal) -> float | None:
        """Return the cost of taking a size at once, without fees; raises `StaleMarketData`.

        None when the visible book is not deep enough.
        """
        return measures.size_cost_bps(self.book, side, quantity)

    @property
    def volume_24h(self) -> Decimal:
        """Return base units traded in the last 24 hours; raises `StaleMarketData`."""
        return self._fresh(IntelField.TICKER, self.last_ticker).volume_base

    @property
    def volatility_bps_per_sqrt_s(self) -> float:
        """Return realised volatility; raises `StaleMarketData`."""
        return self._fresh(IntelField.CANDLES, self.last_volatility_bps)

    @property
    def funding(self) -> FundingQuote:
        """Return the funding quote; raises `StaleMarketData`, also for markets without funding."""
        return self._fresh(IntelField.FUNDING, self.last_funding)

    @property
    def round_trip_s(self) -> float | None:
        """Return the median of the newest round trips, seconds; None before the first."""
        return measures.quantile(self.round_trips_s, 0.5)

    @property
    def round_trip_p95_s(self) -> float | None:
        """Return the 95th percentile of the newest round trips, seconds; None before the first."""
        return measures.quantile(self.round_trips_s, 0.95)

    def as_json(self, sizes: tuple[Decimal, ...] = ()) -> dict[str, object]:
        """Return everything in JSON's types; what is stale is there and marked.

        Args:
            sizes: Base units to price, each for a buy and a sell.
        """
        book = None if self.last_book is None else self.last_book.value
        ticker = None if self.last_ticker is None else self.last_ticker.value
        funding = None if self.last_funding is None else self.last_funding.value
        volatility = self.last_volatility_bps
        return {
            "venue": self.venue,
            "symbol": self.symbol,
            "stale": sorted(self.stale),
            "not_offered": sorted(self.not_offered),
            "age_s": {one.value: self.age_s(one) for one in IntelField},
            "problems": {one.value: text for one, text in sorted(self.problems.items())},
            "bid": None if book is None else str(book.bids[0][0]),
            "ask": None if book is None else str(book.asks[0][0]),
            "spread_bps": None if book is None else measures.spread_bps(book),
            "depth": {} if book is None else _depths(book),
            "size_cost_bps": {} if book is None else _costs(book, sizes),
            "volume_24h": None if ticker is None else str(ticker.volume_base),
            "volatility_bps_per_sqrt_s": None if volatility is None else volatility.value,
            "funding_rate": None if funding is None else str(funding.rate),
            "round_trip_s": self.round_trip_s,
            "round_trip_p95_s": self.round_trip_p95_s,
        }

    def _observation(self, one: IntelField) -> Observation[object] | None:
        seen: Mapping[IntelField, Observation[object] | None] = {
            IntelField.BOOK: self.last_book,  # type: ignore[dict-item]
            IntelField.TICKER: self.last_ticker,  # type: ignore[dict-item]
            IntelField.CANDLES: self.last_volatility_bps,  # type: ignore[dict-item]
            IntelField.FUNDING: self.last_funding,  # type: ignore[dict-item]
        }
        return seen[one]

    def _fresh(self, one: IntelField, seen: Observation[T] | None) -> T:
        if seen is None:
            raise StaleMarketData(
                f"no {one} of {self.symbol} was ever read",
                where=self.venue,
                remedy=self.problems.get(one) or "wait for the first poll, or ask another venue",
            )
        age = seen.age_s(self.now_ns)
        if age > self.max_age_s[one]:
            raise StaleMarketData(
                f"the {one} of {self.symbol} is {age:.3f} s old",
                where=self.venue,
                remedy=f"at most {self.max_age_s[one]:g} s are allowed; check the venue's answers",
            )
        return seen.value


def _depths(book: BookSnapshot) -> dict[str, dict[str, str]]:
    return {
        f"{bps:g}_bps": {side.value: str(measures.depth_within(book, side, bps)) for side in Side}
        for bps in (5.0, 25.0, 100.0)
    }


def _costs(book: BookSnapshot, sizes: tuple[Decimal, ...]) -> dict[str, dict[str, float | None]]:
    return {
        str(size): {side.value: measures.size_cost_bps(book, side, size) for side in Side}
        for size in sizes
    }
