"""One shared picture of all markets, polled over REST, that knows how old it is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Self

from oem_exec.budget import Budgets, Unlimited
from oem_exec.errors import BadSettings, StaleMarketData
from oem_exec.intel import measures
from oem_exec.intel.metrics import IntelMetrics
from oem_exec.intel.reading import MarketReading, Observation
from oem_exec.intel.source import IntelField, MarketSource
from oem_exec.model.enums import RefusalReason
from oem_exec.model.market import Candle, FundingQuote, Ticker
from oem_exec.venue import BookSnapshot, Refused, Unknown
from oem_security.clock import Clock, SystemClock

_DEFAULT_INTERVALS = MappingProxyType(
    {
        IntelField.BOOK: 1.0,
        IntelField.TICKER: 30.0,
        IntelField.CANDLES: 60.0,
        IntelField.FUNDING: 300.0,
    }
)
_DEFAULT_MAX_AGES = MappingProxyType(
    {
        IntelField.BOOK: 5.0,
        IntelField.TICKER: 180.0,
        IntelField.CANDLES: 300.0,
        IntelField.FUNDING: 1800.0,
    }
)


@dataclass(frozen=True, slots=True)
class IntelSettings:
    """How markets are polled.

    Attributes:
        interval_s: Field to the seconds between two polls of it, > 0.
        max_age_s: Field to the age from which it is stale, seconds, > 0.
        depth: Levels of the book that are read.
        candles: Candles behind the realised volatility.
        min_returns: Fewer returns than this are no volatility.
        request_timeout_s: Longest time for one request.
        round_trips: How many of the newest round trips are kept for each market.
    """

    interval_s: Mapping[IntelField, float] = field(default_factory=lambda: _DEFAULT_INTERVALS)
    max_age_s: Mapping[IntelField, float] = field(default_factory=lambda: _DEFAULT_MAX_AGES)
    depth: int = 50
    candles: int = 120
    min_returns: int = 10
    request_timeout_s: float = 10.0
    round_trips: int = 64

    def __post_init__(self) -> None:
        for name, times in (("interval_s", self.interval_s), ("max_age_s", self.max_age_s)):
            for one in IntelField:
                if not times.get(one, 0.0) > 0:
                    raise BadSettings(
                        f"{name} of {one} is {times.get(one)}",
                        where="market intelligence",
                        remedy="give seconds above 0 for every field",
                    )


@dataclass(slots=True)
class _Market:
    """What is kept of one market."""

    book: Observation[BookSnapshot] | None = None
    ticker: Observation[Ticker] | None = None
    volatility: Observation[float] | None = None
    funding: Observation[FundingQuote] | None = None
    mids: deque[tuple[int, Decimal]] = field(default_factory=lambda: deque(maxlen=4096))
    round_trips: deque[float] = field(default_factory=deque)
    problems: dict[IntelField, str] = field(default_factory=dict)
    due: dict[IntelField, float] = field(default_factory=dict)
    not_offered: set[IntelField] = field(default_factory=set)


class MarketIntelAggregator:
    """Reads every market of every venue at its own pace and hands out readings that know their age.

    One instance is shared by the runtime and the router: two that want the same answer at the same
    time wait for one request. Requests pass the site's budgets. Start the polling with `async with`
    or `start`; without it, `refresh` polls when asked.

    Args:
        sources: The venues' public market data.
        symbols: Venue to the symbols read there.
        settings: Paces, ages, depths.
        clock: Time of readings.
        budgets: Rate limits shared with the router; None limits nothing.
        metrics: Where to show the newest figures; None shows nothing.

    Raises:
        BadSettings: Two sources share a name, or symbols are given for a venue without source.
    """

    def __init__(
        self,
        sources: Iterable[MarketSource],
        symbols: Mapping[str, Sequence[str]],
        settings: IntelSettings | None = None,
        clock: Clock | None = None,
        budgets: Budgets | None = None,
        metrics: IntelMetrics | None = None,
    ) -> None:
        sources = list(sources)
        self._sources = {source.name: source for source in sources}
        strangers = set(symbols) - set(self._sources)
        if len(self._sources) != len(sources) or strangers:
            raise BadSettings(
                f"no source for {', '.join(sorted(strangers))}" if strangers else "a name twice",
                where="market intelligence",
                remedy="give each venue one source under its own name",
            )
        self.settings = settings or IntelSettings()
        self._clock = clock or SystemClock()
        self._budgets = budgets or Unlimited()
        self._markets = {(v, s): _Market() for v, names in symbols.items() for s in names}
        self._asking: dict[tuple[str, str, IntelField], asyncio.Task[None]] = {}
        self._pollers: list[asyncio.Task[None]] = []
        if metrics is not None:
            metrics.watch(self.readings)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Begin to poll, one request at a time to each venue."""
        if not self._pollers:
            self._pollers = [
                asyncio.create_task(self._poll_for_ever(name), name=f"oem-intel-{name}")
                for name in self._sources
            ]

    async def stop(self) -> None:
        """End the polling; what was read stays and grows stale."""
        tasks = [*self._pollers, *self._asking.values()]
        self._pollers = []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # readings

    @property
    def markets(self) -> tuple[tuple[str, str], ...]:
        """Return every (venue, symbol) that is read."""
        return tuple(self._markets)

    def venues(self, symbol: str) -> tuple[str, ...]:
        """Return the venues where a symbol is read."""
        return tuple(venue for venue, name in self._markets if name == symbol)

    def reading(self, venue: str, symbol: str) -> MarketReading:
        """Return what is known now, stale parts marked; raises `StaleMarketData` when never read.

        Args:
            venue: Venue name.
            symbol: Unified symbol.
        """
        market = self._market(venue, symbol)
        return MarketReading(
            venue,
            symbol,
            self._clock.now_ns(),
            self.settings.max_age_s,
            market.book,
            market.ticker,
            market.volatility,
            market.funding,
            tuple(market.round_trips),
            dict(market.problems),
            frozenset(market.not_offered),
        )

    def require(self, venue: str, symbol: str, *fields: IntelField) -> MarketReading:
        """Return a reading whose named fields are fresh; raises `StaleMarketData` otherwise."""
        reading = self.reading(venue, symbol)
        for one in fields:
            if reading.is_stale(one):
                age = reading.age_s(one)
                raise StaleMarketData(
                    f"the {one} of {symbol} "
                    + ("was never read" if age is None else f"is {age:.3f} s old"),
                    where=venue,
                    remedy=reading.problems.get(one)
                    or f"at most {self.settings.max_age_s[one]:g} s are allowed; poll more often",
                )
        return reading

    def readings(self) -> tuple[MarketReading, ...]:
        """Return a reading of every market."""
        return tuple(self.reading(venue, symbol) for venue, symbol in self._markets)

    # polling

    async def refresh(
        self, venue: str, symbol: str, fields: Iterable[IntelField] = tuple(IntelField)
    ) -> MarketReading:
        """Ask the venue now, at most once however many ask, and return what is known then."""
        self._market(venue, symbol)
        for one in fields:
            await self._ask_once(venue, symbol, one)
        return self.reading(venue, symbol)

    async def refresh_all(self, fields: Iterable[IntelField] = tuple(IntelField)) -> None:
        """Ask every venue now about every market of it, venues side by side."""
        wanted = tuple(fields)

        async def of(name: str) -> None:
            for venue, symbol in self._markets:
                if venue == name:
                    await self.refresh(venue, symbol, wanted)

        await asyncio.gather(*(of(name) for name in self._sources))

    async def _poll_for_ever(self, name: str) -> None:
        mine = [(symbol, m) for (venue, symbol), m in self._markets.items() if venue == name]
        while mine:
            for symbol, market in mine:
                for one in IntelField:
                    if one in market.not_offered or market.due.get(one, 0.0) > time.monotonic():
                        continue
                    market.due[one] = time.monotonic() + self.settings.interval_s[one]
                    await self._ask_once(name, symbol, one)
            soonest = min(at for _, m in mine for at in m.due.values())
            await asyncio.sleep(min(max(soonest - time.monotonic(), 0.001), 1.0))

    async def _ask_once(self, venue: str, symbol: str, one: IntelField) -> None:
        key = (venue, symbol, one)
        running = self._asking.get(key)
        if running is None:
            running = asyncio.create_task(self._ask(venue, symbol, one))
            self._asking[key] = running
            running.add_done_callback(lambda _: self._asking.pop(key, None))
        await asyncio.shield(running)

    async def _ask(self, venue: str, symbol: str, one: IntelField) -> None:
        source, market = self._sources[venue], self._markets[venue, symbol]
        if one in market.not_offered:
            return
        cost = source.capabilities.cost(one.request)
        await self._budgets.acquire(venue, cost)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.settings.request_timeout_s):
                answer = await self._request(source, symbol, one)
        except TimeoutError:
            market.problems[one] = f"no answer within {self.settings.request_timeout_s:g} s"
        except Exception as error:  # noqa: BLE001 - a defect of one source must not end the polling
            market.problems[one] = f"{type(error).__name__}: {error}"
        else:
            self._answered(venue, market, one, answer, time.perf_counter() - started)
        finally:
            self._budgets.settle(venue, cost, time.perf_counter() - started)

    def _answered(
        self, venue: str, market: _Market, one: IntelField, answer: Any, round_trip_s: float
    ) -> None:
        market.round_trips.append(round_trip_s)
        while len(market.round_trips) > self.settings.round_trips:
            market.round_trips.popleft()
        if isinstance(answer, Refused) and answer.reason is RefusalReason.RATE_LIMITED:
            self._budgets.block(venue, answer.retry_after_s or 1.0)
        if isinstance(answer, Unknown | Refused):
            market.problems[one] = answer.text or "no usable answer"
        else:
            self._learn(market, one, answer)

    async def _request(self, source: MarketSource, symbol: str, one: IntelField) -> object:
        if one is IntelField.BOOK:
            return await source.book(symbol, self.settings.depth)
        if one is IntelField.TICKER:
            return await source.ticker(symbol)
        if one is IntelField.CANDLES:
            return await source.candles(symbol, self.settings.candles)
        return await source.funding(symbol)

    def _learn(self, market: _Market, one: IntelField, answer: Any) -> None:
        now = self._clock.now_ns()
        market.problems.pop(one, None)
        if one is IntelField.BOOK:
            if not measures.sound(answer):
                market.problems[one] = "the book is empty, crossed or not in order"
                return
            market.book = Observation(answer, now, answer.time_ns)
            if not market.mids or now > market.mids[-1][0]:
                market.mids.append((now, measures.mid_price(answer)))
        elif one is IntelField.CANDLES:
            self._volatility(market, now, answer or ())
        elif answer is None:
            market.not_offered.add(one)
        elif one is IntelField.TICKER:
            market.ticker = Observation(answer, now, answer.time_ns)
        else:
            market.funding = Observation(answer, now, answer.time_ns)

    def _volatility(self, market: _Market, now: int, candles: Sequence[Candle]) -> None:
        """Take volatility from closed candles, or from the mids seen here where there are none."""
        samples = [(c.close_ns, c.close) for c in candles if c.close_ns <= now]
        if len(samples) <= self.settings.min_returns:
            samples = list(market.mids)
        if len(samples) <= self.settings.min_returns:
            market.problems[IntelField.CANDLES] = f"only {len(samples)} prices so far"
            return
        found = measures.realised_volatility_bps([t for t, _ in samples], [p for _, p in samples])
        if found is not None:
            market.volatility = Observation(found, now, samples[-1][0])

    def _market(self, venue: str, symbol: str) -> _Market:
        found = self._markets.get((venue, symbol))
        if found is None:
            raise StaleMarketData(
                f"{symbol} is not read at {venue}",
                where="market intelligence",
                remedy="add it to the symbols of the venue",
            )
        return found
