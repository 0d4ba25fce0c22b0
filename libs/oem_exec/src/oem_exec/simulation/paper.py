"""The paper venue: a simulated exchange that speaks the live venues' protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

from oem_exec.errors import BadSettings, UnknownSymbol
from oem_exec.model.enums import InstrumentKind, RefusalReason, Side, UnknownCause
from oem_exec.model.fill import Fill
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.market import Candle, FundingQuote, Ticker
from oem_exec.model.order import Order
from oem_exec.simulation.account import Account, FundingPayment
from oem_exec.simulation.exchange import SimExchange
from oem_exec.simulation.feed_numbers import Number, above_zero, exact, whole_levels
from oem_exec.simulation.latency import FixedLatency, LatencyModel
from oem_exec.simulation.market import Market, Refusal, SimOrder
from oem_exec.simulation.recording import Recording
from oem_exec.simulation.replay import BookShape, Replayer, play_bar
from oem_exec.simulation.tape import MINUTE_NS
from oem_exec.venue import (
    Accepted,
    AmendMode,
    BookSnapshot,
    CancelAnswer,
    Capabilities,
    DuplicateIds,
    Found,
    LookupAnswer,
    NotFound,
    PlaceAnswer,
    Refused,
    Unknown,
    VenueOrder,
)
from oem_security.clock import Clock, SystemClock

PAPER_CAPABILITIES = Capabilities(
    set_client_id="kept with the order",
    find_by_client_id="by the id itself",
    visibility_delay_s=0.0,
    receive_window_s=0.0,
    amend=AmendMode.IN_PLACE,
    post_only="refused when it would take",
    duplicate_ids=DuplicateIds.REFUSED,
    answers_with_fills=True,
    remembers=False,
    kinds=frozenset(InstrumentKind),
)


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """How the paper venue behaves.

    Attributes:
        seed: Seed of the latency draws.
        latency: Distribution of answer times.
        spread_bps: Spread of the book made around a bar or a quote-less price, basis points.
        depth_share: Size of each side of that book as a share of the bar's volume, > 0.
        levels: Levels of each side of that book.
        fees_in_received: Fees of spot buys are taken in base units, as Binance does.
    """

    seed: int = 0
    latency: LatencyModel = field(default_factory=FixedLatency)
    spread_bps: float = 2.0
    depth_share: float = 0.1
    levels: int = 10
    fees_in_received: bool = False


class PaperVenue:
    """Executes orders against books, quotes, trades or bars it is fed; the same every time.

    Args:
        instruments: What is traded, with precision, minima and fees.
        settings: Latency and the shape of books made from bars.
        clock: Time of orders.
        balances: Asset to amount; None lets every order through and still keeps the books.
        name: Venue name in routes.
        sleep: How latency is waited for; a simulation passes its own.
    """

    OWNER = "paper"

    def __init__(
        self,
        instruments: Iterable[Instrument],
        settings: PaperSettings | None = None,
        clock: Clock | None = None,
        balances: Mapping[str, Decimal] | None = None,
        name: str = "paper",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings or PaperSettings()
        self._rng = Random(self._settings.seed)  # noqa: S311 - simulated latency
        self._shape = BookShape(
            exact(self._settings.spread_bps),
            exact(self._settings.depth_share),
            self._settings.levels,
        )
        at_once = self._settings.latency == FixedLatency(0.0)
        self._capabilities = replace(PAPER_CAPABILITIES, answers_at_once=at_once)
        self._sleep = sleep
        self._name = name
        self._clock = clock or SystemClock()
        # ids carry the start time, so that a restarted paper venue never repeats a trade id
        self._exchange = SimExchange(
            instruments,
            clock=self._clock,
            name=name,
            prefix=f"{self._clock.now_ns():x}-",
            fees_in_received=self._settings.fees_in_received,
        )
        self._exchange.accounts[self.OWNER] = Account(
            totals=dict(balances or {}), unlimited=balances is None
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def account(self) -> Account:
        """Return the balances and positions."""
        return self._exchange.accounts[self.OWNER]

    @property
    def exchange(self) -> SimExchange:
        """Return the exchange behind the protocol."""
        return self._exchange

    async def instruments(self) -> Mapping[str, Instrument]:
        return {symbol: m.instrument for symbol, m in self._exchange.markets.items()}

    async def place(self, order: Order) -> PlaceAnswer:
        await self._delay()
        if self._exchange.find(self.OWNER, order.client_order_id):
            return Unknown(UnknownCause.DUPLICATE_ID, "this client order id is taken")
        try:
            placed = self._exchange.place(self.OWNER, order.client_order_id, _wanted(order))
        except Refusal as refusal:
            return Refused(refusal.reason, refusal.text)
        return Accepted(_venue_order(placed))

    async def cancel(self, order: Order) -> CancelAnswer:
        await self._delay()
        found = self._exchange.find(self.OWNER, order.client_order_id)
        if not found:
            return Refused(RefusalReason.OTHER, "no such order")
        try:
            return Accepted(_venue_order(self._exchange.cancel(found[-1])))
        except Refusal as refusal:
            return Refused(refusal.reason, refusal.text)

    async def amend(self, order: Order, quantity: Decimal, price: Decimal | None) -> CancelAnswer:
        await self._delay()
        found = self._exchange.find(self.OWNER, order.client_order_id)
        if not found:
            return Refused(RefusalReason.OTHER, "no such order")
        try:
            return Accepted(_venue_order(self._exchange.amend(found[-1], quantity, price)))
        except Refusal as refusal:
            return Refused(refusal.reason, refusal.text)

    async def lookup(self, order: Order) -> LookupAnswer:
        await self._delay()
        found = self._exchange.find(self.OWNER, order.client_order_id)
        return Found(tuple(map(_venue_order, found))) if found else NotFound()

    async def trades(self, order: Order) -> tuple[Fill, ...] | Unknown:
        found = self._exchange.find(self.OWNER, order.client_order_id)
        return tuple(fill for placed in found for fill in placed.fills)

    async def open_orders(self) -> tuple[VenueOrder, ...] | Unknown:
        return tuple(map(_venue_order, self._exchange.open_orders(self.OWNER)))

    async def book(self, symbol: str, depth: int = 20) -> BookSnapshot | Unknown:
        market = self._exchange.markets.get(symbol)
        if market is None:
            return Unknown(UnknownCause.UNCLASSIFIED, f"unknown symbol {symbol}")
        return BookSnapshot(
            symbol,
            tuple(
                (market.price(p), market.quantity(q))
                for p, q in market.book.levels(Side.BUY, depth)
            ),
            tuple(
                (market.price(p), market.quantity(q))
                for p, q in market.book.levels(Side.SELL, depth)
            ),
            market.time_ns,
        )

    async def ticker(self, symbol: str) -> Ticker | Unknown:
        """Return last price and volume of the last day, from the trades and bars it was fed."""
        if symbol not in self._exchange.markets:
            return Unknown(UnknownCause.UNCLASSIFIED, f"unknown symbol {symbol}")
        return self._exchange.ticker(symbol)

    async def candles(self, symbol: str, count: int) -> tuple[Candle, ...] | Unknown:
        """Return the newest closed candles: the bars it was fed, or minutes of trades."""
        market = self._exchange.markets.get(symbol)
        if market is None:
            return Unknown(UnknownCause.UNCLASSIFIED, f"unknown symbol {symbol}")
        return market.tape.candles(count, self._clock.now_ns())

    async def funding(self, symbol: str) -> FundingQuote | Unknown | None:
        """Return the funding it was fed last; None for spot, or before the first."""
        market = self._exchange.markets.get(symbol)
        if market is None:
            return Unknown(UnknownCause.UNCLASSIFIED, f"unknown symbol {symbol}")
        if market.instrument.kind is InstrumentKind.SPOT:
            return None
        return market.funding or Unknown(UnknownCause.UNCLASSIFIED, "no funding was fed yet")

    async def close(self) -> None:
        """Nothing is open."""

    def feed_book(
        self,
        symbol: str,
        bids: Iterable[tuple[Number, Number]],
        asks: Iterable[tuple[Number, Number]],
        time_ns: int,
    ) -> None:
        """Replace the book: `(price, size)` of each side in base units."""
        instrument = self._market(symbol).instrument
        self._exchange.feed_book(
            symbol, whole_levels(instrument, bids), whole_levels(instrument, asks), time_ns
        )

    def feed_quote(
        self,
        symbol: str,
        bid: Number,
        bid_size: Number,
        ask: Number,
        ask_size: Number,
        time_ns: int,
    ) -> None:
        """Replace the book by one level a side."""
        self.feed_book(symbol, [(bid, bid_size)], [(ask, ask_size)], time_ns)

    def feed_trade(
        self, symbol: str, price: Number, size: Number, aggressor: Side, time_ns: int
    ) -> None:
        """Let an outside trade happen: it fills resting orders and wakes stops."""
        instrument = self._market(symbol).instrument
        price, size = above_zero(price, size)
        self._exchange.feed_trade(
            symbol,
            instrument.round_price(price),
            instrument.round_quantity(size),
            aggressor,
            time_ns,
        )

    def feed_bar(
        self,
        symbol: str,
        open: Number,  # noqa: A002 - the field's word
        high: Number,
        low: Number,
        close: Number,
        volume: Number,
        time_ns: int,
        interval_ns: int = MINUTE_NS,
    ) -> None:
        """Let a bar happen: its range reaches resting orders and stops, its close makes the book.

        A resting order fills when the bar trades through its price; touching it is not enough, as
        nobody knows the queue. The volume that may fill it is `depth_share` of the bar's. The order
        of prices inside a bar is unknown, so its open decides nothing.

        Args:
            symbol: What traded.
            open: First price; high, low and close likewise.
            high: Highest price.
            low: Lowest price.
            close: Last price.
            volume: Base units.
            time_ns: When the bar closed, UTC nanoseconds.
            interval_ns: How long it was.
        """
        prices = above_zero(open, high, low, close)
        if (prices[1], prices[2]) != (max(prices), min(prices)) or exact(volume) < 0:
            raise BadSettings(
                f"a bar of {open}, {high}, {low}, {close}, volume {volume}",
                where=symbol,
                remedy="give low <= open, close <= high and a volume of 0 or more",
            )
        first, top, bottom, last = prices
        start = time_ns - interval_ns
        candle = Candle(start, first, top, bottom, last, exact(volume), interval_ns)
        play_bar(
            self._exchange, self._market(symbol).instrument.symbol, candle, self._shape, time_ns
        )

    def replay(self, recording: Recording, until_ns: int | None = None) -> int:
        """Let a whole recording happen now, each event at its own time.

        Args:
            recording: Books, quotes, trades, bars or funding of one symbol of this venue.
            until_ns: Leave out events after this moment.

        Returns:
            How many level updates, trades and other events that were.
        """
        return self.replayer(recording).play_all(until_ns)

    def replayer(self, recording: Recording) -> Replayer:
        """Return what plays a recording into this venue event by event."""
        self._market(recording.symbol)
        return Replayer(self._exchange, recording, self._shape)

    def feed_funding(
        self, symbol: str, rate: Number, mark: Number, time_ns: int, next_ns: int = 0
    ) -> None:
        """Show a perpetual's funding rate; nothing is paid by it."""
        self._market(symbol).funding = FundingQuote(
            symbol, exact(rate), next_ns, exact(mark), time_ns
        )

    def settle_funding(
        self, symbol: str, rate: Number, mark: Number, time_ns: int
    ) -> list[FundingPayment]:
        """Pay funding on an open position: position × mark × rate."""
        self.feed_funding(symbol, rate, mark, time_ns)
        return self._exchange.settle_funding(symbol, exact(rate), exact(mark), time_ns)

    async def _delay(self) -> None:
        seconds = self._settings.latency.draw(self._rng)
        if seconds > 0:
            await self._sleep(seconds)

    def _market(self, symbol: str) -> Market:
        found = self._exchange.markets.get(symbol)
        if found is None:
            raise UnknownSymbol(
                f"{symbol} is not traded here", where=self._name, remedy="give its instrument"
            )
        return found


def _wanted(order: Order) -> OrderIntent:
    """Return what this attempt asks for: an amended order's rest differs from its intent."""
    intent = order.intent
    if order.quantity == intent.quantity and order.price == intent.price:
        return intent
    return replace(intent, quantity=order.quantity, price=order.price)


def _venue_order(order: SimOrder) -> VenueOrder:
    return VenueOrder(
        client_order_id=order.client_order_id,
        venue_order_id=order.order_id,
        symbol=order.intent.symbol,
        state=order.state,
        filled_quantity=order.filled,
        filled_notional=order.notional,
        quantity=order.quantity,
        price=order.price,
        fills=tuple(order.fills),
        time_ns=order.updated_ns,
    )
