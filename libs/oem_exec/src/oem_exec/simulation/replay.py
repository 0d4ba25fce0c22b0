"""Playing recorded events into a simulated exchange, one by one or all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from oem_exec.model.enums import Side
from oem_exec.model.market import Candle, FundingQuote
from oem_exec.simulation.exchange import SimExchange
from oem_exec.simulation.market import Market
from oem_exec.simulation.recording import (
    BarClose,
    BookUpdates,
    FundingSettled,
    MarketEvent,
    Print,
    Recording,
    Touch,
)
from oem_exec.simulation.walk import synthetic_book

_FEWEST_LOTS = 20
_WINDOW_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class BookShape:
    """The book made around a price where none is recorded.

    Attributes:
        spread_bps: Distance between best bid and best ask, basis points.
        depth_share: Size of each side as a share of the bar's volume, > 0; where trades alone are
            recorded, of the last minute's volume.
        levels: Levels of each side.
    """

    spread_bps: Decimal = Decimal(2)
    depth_share: Decimal = Decimal("0.1")
    levels: int = 10


class Replayer:
    """Plays a recording into an exchange; the same recording has the same effect every time.

    Books, quotes, trades and funding are taken as recorded. Where trades alone are recorded, a book
    is made around each; where no trade is recorded, stops wake when the touch reaches them.

    Args:
        exchange: The exchange; it trades the recording's symbol.
        recording: What happened.
        shape: The book made where none is recorded.
    """

    def __init__(
        self, exchange: SimExchange, recording: Recording, shape: BookShape | None = None
    ) -> None:
        self._exchange = exchange
        self._market = exchange.markets[recording.symbol]
        self._symbol = recording.symbol
        self._shape = shape or BookShape()
        self._makes_book = not recording.shows_book
        self._wakes_by_touch = not any(
            isinstance(one, Print | BarClose) for one in recording.events
        )
        self.recording = recording

    def play_all(self, until_ns: int | None = None) -> int:
        """Play every event at its own time; return how many level updates and trades that were.

        Args:
            until_ns: Leave out events after this moment.
        """
        count = 0
        for event in self.recording.events:
            if until_ns is not None and event.time_ns > until_ns:
                break
            count += self.play(event)
        return count

    def play(self, event: MarketEvent, time_ns: int | None = None) -> int:
        """Let one event happen; return how many level updates or trades it was.

        Args:
            event: What happened.
            time_ns: When it happens now; None takes the recorded time.
        """
        now = event.time_ns if time_ns is None else time_ns
        if type(event) is BookUpdates:
            self._exchange.feed_updates(self._market, event, now)
            if self._wakes_by_touch:
                self._wake()
            return len(event.ticks)
        if type(event) is Print:
            self._exchange.feed_print(self._market, event.ticks, event.lots, event.aggressor, now)
            if self._makes_book:
                self._make_book(now)
            return 1
        if type(event) is Touch:
            bids, asks = ((event.bid, event.bid_lots),), ((event.ask, event.ask_lots),)
            self._exchange.feed_touch(self._market, bids, asks, now)
            if self._wakes_by_touch:
                self._wake()
        elif type(event) is BarClose:
            play_bar(self._exchange, self._symbol, event.candle, self._shape, now)
        elif type(event) is FundingSettled:
            self._settle(event, now)
        return 1

    def _settle(self, event: FundingSettled, now: int) -> None:
        mark = event.mark if event.mark is not None else self._market.reference
        self._market.funding = FundingQuote(self._symbol, event.rate, 0, mark, now)
        if mark is not None:
            self._exchange.settle_funding(self._symbol, event.rate, mark, now)

    def _make_book(self, now: int) -> None:
        volume = self._market.tape.volume(now, _WINDOW_NS)
        make_book(self._exchange, self._market, self._market.last, volume, self._shape, now)

    def _wake(self) -> None:
        market = self._market
        bid, ask = market.book.best(Side.BUY), market.book.best(Side.SELL)
        if bid is not None and ask is not None:
            # a buy stop waits for the ask to rise to it, a sell stop for the bid to fall to it
            self._exchange.wake_stops(market, market.price(bid), market.price(ask))


def play_bar(
    exchange: SimExchange, symbol: str, candle: Candle, shape: BookShape, time_ns: int
) -> None:
    """Let a bar happen: its range reaches resting orders and stops, its close makes the book.

    A resting order fills when the bar trades through its price; touching it is not enough, as
    nobody knows the queue. The volume that may fill it is `shape.depth_share` of the bar's. The
    order of prices inside a bar is unknown, so its open decides nothing.
    """
    market = exchange.markets[symbol]
    rules = market.instrument
    market.tape.bar(candle)
    top, bottom = rules.round_price(candle.high), rules.round_price(candle.low)
    depth = _depth(market, candle.volume, shape)
    for price, aggressor in ((bottom, Side.SELL), (top, Side.BUY)):
        executions = market.book.sweep(market.ticks(price), market.lots(depth), aggressor)
        exchange.book(market, executions)
    last = rules.round_price(candle.close)
    make_book(exchange, market, last, candle.volume, shape, time_ns)
    exchange.feed_range(symbol, bottom, top, last)


def make_book(
    exchange: SimExchange,
    market: Market,
    price: Decimal | None,
    volume: Decimal,
    shape: BookShape,
    time_ns: int,
) -> None:
    """Replace a market's book by one made around a price, as deep as a share of a volume."""
    if price is None:
        return
    made = synthetic_book(
        price,
        spread_bps=shape.spread_bps,
        depth=_depth(market, volume, shape),
        levels=shape.levels,
    )
    exchange.feed_book(
        market.instrument.symbol,
        list(_apart(market, made.bids, -1)),
        list(_apart(market, made.asks, 1)),
        time_ns,
    )


def _depth(market: Market, volume: Decimal, shape: BookShape) -> Decimal:
    rules = market.instrument
    return rules.round_quantity(max(volume * shape.depth_share, _FEWEST_LOTS * rules.lot_size))


def _apart(
    market: Market, levels: Sequence[tuple[Decimal, Decimal]], direction: int
) -> Iterator[tuple[Decimal, Decimal]]:
    """Round levels outwards to ticks so that no two fall together and the sides stay apart."""
    rules = market.instrument
    tick = rules.tick_size
    rounding = ROUND_FLOOR if direction < 0 else ROUND_CEILING
    last: Decimal | None = None
    for raw, size in levels:
        price = (raw / tick).to_integral_value(rounding) * tick
        if last is not None and (price - last) * direction < tick:
            price = last + direction * tick
        last = price
        if price > 0:
            yield price, max(rules.round_quantity(size), rules.lot_size)
