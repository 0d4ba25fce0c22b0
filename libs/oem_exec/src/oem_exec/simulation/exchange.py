"""A whole simulated exchange without any I/O: orders in, executions out, the same every time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from oem_exec.errors import InvalidOrder
from oem_exec.model.enums import (
    InstrumentKind,
    Liquidity,
    RefusalReason,
    Side,
    TimeInForce,
)
from oem_exec.model.instrument import Instrument
from oem_exec.model.intent import OrderIntent
from oem_exec.model.market import Ticker
from oem_exec.model.states import OrderState
from oem_exec.simulation.account import Account, FundingPayment
from oem_exec.simulation.admission import admit, needed, reducible
from oem_exec.simulation.fills import fill_of
from oem_exec.simulation.market import Market, Refusal, SimOrder
from oem_exec.simulation.matching import Execution
from oem_exec.simulation.recording import BookUpdates
from oem_exec.simulation.register import OrderRegister
from oem_security.clock import Clock

_ZERO = Decimal(0)


class SimExchange:
    """Accounts, markets and orders of a simulated exchange.

    Args:
        instruments: What is traded.
        clock: Time of orders and trades that a feed does not time.
        name: Venue name written into fills.
        prefix: Start of order and trade ids, so that two exchanges never share one.
        remember: Finished orders kept for look-ups; the oldest are forgotten first.
        fees_in_received: Fees are taken from what a trade brings in: base units of a buy, quote
            units of a sale, as Binance does without a fee token; otherwise in quote units always.
            Derivatives pay in the quote asset either way.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        *,
        clock: Clock,
        name: str,
        prefix: str = "",
        remember: int = 1_000_000,
        fees_in_received: bool = False,
    ) -> None:
        self.markets: dict[str, Market] = {i.symbol: Market(i) for i in instruments}
        self.accounts: dict[str, Account] = {}
        self._register = OrderRegister(remember)
        self.orders = self._register.orders
        self._clock = clock
        self._name = name
        self._prefix = prefix
        self._fees_in_received = fees_in_received
        self._next_order = 1
        self._next_trade = 1

    # orders

    def market(self, symbol: str) -> Market:
        """Return a market; refuses unknown symbols."""
        found = self.markets.get(symbol)
        if found is None:
            raise Refusal(RefusalReason.UNKNOWN_SYMBOL, f"unknown symbol {symbol}")
        return found

    def account(self, owner: str) -> Account:
        """Return an account, made empty when new."""
        found = self.accounts.get(owner)
        if found is None:
            found = self.accounts[owner] = Account()
        return found

    def place(self, owner: str, client_order_id: str, intent: OrderIntent) -> SimOrder:
        """Accept an order and match it; raises `Refusal` when nothing of it exists afterwards."""
        market = self.market(intent.symbol)
        admit(self.account(owner), owner, market, intent)
        now = self._clock.now_ns()
        order = SimOrder(
            order_id=f"{self._prefix}{self._next_order}",
            owner=owner,
            client_order_id=client_order_id,
            intent=intent,
            quantity=intent.quantity,
            price=intent.price,
            created_ns=now,
            updated_ns=now,
            triggered=not intent.type.needs_stop_price,
        )
        self._next_order += 1
        spot = market.instrument.kind is InstrumentKind.SPOT
        self._register.add(order, reducing=intent.reduce_only and not spot)
        if order.triggered:
            self._enter(market, order)
        else:
            self._reserve(market, order)
        self._register.forget()
        return order

    def cancel(self, order: SimOrder, *, state: OrderState = OrderState.CANCELED) -> SimOrder:
        """End an order; raises `Refusal` when it has ended already."""
        if not order.state.open:
            raise Refusal(RefusalReason.OTHER, f"order {order.order_id} is {order.state}")
        market = self.markets[order.intent.symbol]
        market.book.remove(order.order_id)
        self._finish(order, state)
        return order

    def amend(self, order: SimOrder, quantity: Decimal, price: Decimal | None) -> SimOrder:
        """Change an open order in place, under the rules of a new one.

        A smaller quantity at the same price keeps its place in the queue; everything else goes to
        the back of it.

        Raises:
            Refusal: The order has ended, or a new order of these numbers would be refused; the old
                one goes on as it was.
        """
        if not order.state.open:
            raise Refusal(RefusalReason.OTHER, f"order {order.order_id} is {order.state}")
        market = self.markets[order.intent.symbol]
        price = order.price if price is None else price
        wanted = self._changed(order, quantity, price)
        if quantity <= order.filled:
            raise Refusal(RefusalReason.INVALID, f"{order.filled} are executed already")
        held = self.account(order.owner).reserved.pop(order.order_id, None)
        try:
            admit(self.account(order.owner), order.owner, market, wanted, already=order.filled)
        except Refusal:
            if held is not None:
                self.account(order.owner).reserved[order.order_id] = held
            raise
        keeps_place = price == order.price and quantity < order.quantity
        order.quantity, order.price = quantity, price
        order.updated_ns = self._clock.now_ns()
        if keeps_place and market.book.shrink(order.order_id, market.lots(order.remaining)):
            self._reserve(market, order)
            return order
        market.book.remove(order.order_id)
        if order.triggered:
            self._enter(market, order, entering=False)
        else:
            self._reserve(market, order)
        return order

    def _changed(self, order: SimOrder, quantity: Decimal, price: Decimal | None) -> OrderIntent:
        try:
            return replace(order.intent, quantity=quantity, price=price)
        except InvalidOrder as error:
            raise Refusal(RefusalReason.INVALID, error.what) from error

    def find(self, owner: str, client_order_id: str) -> list[SimOrder]:
        """Return the orders an account gave this client order id, oldest first."""
        self.expire()
        return self._register.find(owner, client_order_id)

    def open_orders(self, owner: str) -> list[SimOrder]:
        """Return an account's open orders, oldest first."""
        self.expire()
        return self._register.open_of(owner)

    def all_open(self, symbol: str) -> list[SimOrder]:
        """Return every account's open orders of a symbol, oldest first."""
        return self._register.open_in(symbol)

    def expire(self, now_ns: int | None = None) -> None:
        """End good-till-date orders whose time has come, by the clock or by a feed's time."""
        if not self._register.dated:
            return
        now = self._clock.now_ns() if now_ns is None else now_ns
        for order in list(self._register.dated.values()):
            if order.intent.expires_ns is not None and order.intent.expires_ns <= now:
                self.cancel(order, state=OrderState.EXPIRED)

    # feeds

    def feed_book(
        self,
        symbol: str,
        bids: Iterable[tuple[Decimal, Decimal]],
        asks: Iterable[tuple[Decimal, Decimal]],
        time_ns: int,
    ) -> None:
        """Replace the outside liquidity of a symbol."""
        market = self.markets[symbol]
        self.feed_touch(
            market,
            [(market.ticks(p), market.lots(s)) for p, s in bids],
            [(market.ticks(p), market.lots(s)) for p, s in asks],
            time_ns,
        )

    def feed_trade(
        self, symbol: str, price: Decimal, size: Decimal, aggressor: Side, time_ns: int
    ) -> None:
        """Let an outside trade happen: it fills resting orders and wakes stops."""
        market = self.markets[symbol]
        self.feed_print(market, market.ticks(price), market.lots(size), aggressor, time_ns)

    def feed_updates(self, market: Market, updates: BookUpdates, time_ns: int) -> None:
        """Apply level updates in ticks and lots; a snapshot replaces all outside liquidity."""
        self.expire(time_ns)
        market.time_ns = time_ns
        if updates.snapshot:
            rows = list(zip(updates.are_bids, updates.ticks, updates.lots, strict=True))
            executions = market.book.replace(
                [(price, size) for is_bid, price, size in rows if is_bid],
                [(price, size) for is_bid, price, size in rows if not is_bid],
            )
        else:
            executions = market.book.replay(updates.are_bids, updates.ticks, updates.lots)
        if executions:
            self._book(market, executions, time_ns)

    def feed_touch(
        self,
        market: Market,
        bids: Iterable[tuple[int, int]],
        asks: Iterable[tuple[int, int]],
        time_ns: int,
    ) -> None:
        """Replace the outside liquidity of a market by levels in ticks and lots."""
        self.expire(time_ns)
        market.time_ns = time_ns
        if executions := market.book.replace(bids, asks):
            self._book(market, executions, time_ns)

    def feed_print(
        self, market: Market, ticks: int, lots: int, aggressor: Side, time_ns: int
    ) -> None:
        """Let an outside trade in ticks and lots happen."""
        if self._register.dated:
            self.expire(time_ns)
        instrument = market.instrument
        price = ticks * instrument.tick_size
        market.time_ns = time_ns
        market.last = price
        market.tape.trade(price, lots * instrument.lot_size, time_ns)
        if executions := market.book.trade(ticks, lots, aggressor):
            self._book(market, executions, time_ns)
        if self._register.stops:
            self.wake_stops(market, price, price)

    def feed_range(self, symbol: str, low: Decimal, high: Decimal, last: Decimal) -> None:
        """Wake the stops that a bar's range reached."""
        self.markets[symbol].last = last
        self.wake_stops(self.markets[symbol], low, high)

    def book(self, market: Market, executions: list[Execution]) -> None:
        """Book executions that a bulk replay of the market's book produced."""
        self._book(market, executions, market.time_ns or self._clock.now_ns())

    def ticker(self, symbol: str) -> Ticker:
        """Return a market's last price and what it traded in a day."""
        market = self.markets[symbol]
        return market.ticker(market.time_ns or self._clock.now_ns())

    def settle_funding(
        self, symbol: str, rate: Decimal, mark: Decimal, time_ns: int
    ) -> list[FundingPayment]:
        """Pay funding on every position in a perpetual."""
        instrument = self.markets[symbol].instrument
        return [
            account.settle_funding(instrument, rate, mark, time_ns)
            for account in self.accounts.values()
            if account.positions.get(symbol, (_ZERO, _ZERO))[0]
        ]

    # inside

    def _reserve(self, market: Market, order: SimOrder) -> None:
        account = self.account(order.owner)
        if account.unlimited:
            return
        price = order.price if order.price is not None else order.intent.stop_price
        asset, amount = needed(order.owner, market, order.intent, order.remaining, price)
        account.reserve(order.order_id, asset, amount)

    def _enter(self, market: Market, order: SimOrder, *, entering: bool = True) -> None:
        intent = order.intent
        limit = None if order.price is None else market.ticks(order.price)
        lots = market.lots(order.remaining)
        if entering and intent.time_in_force is TimeInForce.FOK and intent.type.needs_stop_price:
            # a stop's fill-or-kill is judged when it wakes; others were judged at the door
            got = market.book.match(order.owner, intent.side, lots, limit)
            if sum(part for _, part, _ in got) < lots:
                self._finish(order, OrderState.EXPIRED)
                return
        executions = market.book.take(order.order_id, order.owner, intent.side, lots, limit)
        if executions:
            self._book(market, executions, self._clock.now_ns())
        if order.remaining <= 0 or not order.state.open:
            return
        if limit is None or (
            entering and intent.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}
        ):
            self._finish(order, OrderState.EXPIRED)
            return
        market.book.rest(
            order.order_id, order.owner, intent.side, limit, market.lots(order.remaining)
        )
        self._reserve(market, order)

    def _book(self, market: Market, executions: list[Execution], time_ns: int) -> None:
        instrument = market.instrument
        previous: Execution | None = None
        for execution in executions:
            order = self.orders[execution.order_id]
            price, quantity = market.price(execution.price), market.quantity(execution.quantity)
            maker = execution.liquidity is Liquidity.MAKER
            if order.order_id in self._register.reducing:
                quantity = min(
                    quantity,
                    reducible(self.account(order.owner), order.intent.symbol, order.intent.side),
                )
                if not quantity:
                    continue
            # taker and maker of one trade share its id, as on a real exchange
            if not (maker and previous is not None and previous.liquidity is Liquidity.TAKER):
                self._next_trade += 1
            fill = fill_of(
                order,
                execution.liquidity,
                instrument,
                price,
                quantity,
                name=self._name,
                trade_id=f"{self._prefix}{self._next_trade}",
                time_ns=time_ns,
                in_received=self._fees_in_received,
            )
            order.fills.append(fill)
            order.filled += quantity
            order.notional += fill.notional
            order.updated_ns = time_ns
            account = self.account(order.owner)
            account.trade(instrument, order.intent.side, quantity, price)
            account.change(fill.fee_asset, -fill.fee)
            market.last = price
            if not maker:
                market.tape.trade(price, quantity, time_ns)
            previous = execution
            if order.remaining <= 0:
                self._finish(order, OrderState.FILLED, time_ns)
            else:
                order.state = OrderState.PARTIALLY_FILLED
                if maker:
                    self._reserve(market, order)
        if executions and self._register.reducing:
            self._trim(market)

    def _trim(self, market: Market) -> None:
        """Cut reduce-only orders to what is left of the position; cancel those without any."""
        symbol = market.instrument.symbol
        for order in list(self._register.reducing.values()):
            if order.intent.symbol != symbol or not order.state.open:
                continue
            left = reducible(self.account(order.owner), symbol, order.intent.side)
            if not left:
                self.cancel(order)
            elif order.remaining > left:
                order.quantity = order.filled + left
                market.book.shrink(order.order_id, market.lots(order.remaining))

    def _finish(self, order: SimOrder, state: OrderState, time_ns: int = 0) -> None:
        order.state = state
        order.updated_ns = time_ns or self._clock.now_ns()
        self._register.ended(order)
        self.account(order.owner).release(order.order_id)

    def wake_stops(self, market: Market, low: Decimal, high: Decimal) -> None:
        """Wake the stops that prices from `low` to `high` reach."""
        for order in self._register.reached(market.instrument.symbol, low, high):
            if not order.state.open or order.triggered:
                continue  # an order that woke before it has ended or woken this one
            self._register.woke(order)
            order.triggered = True
            if self._affords_now(market, order):
                self._enter(market, order)
            else:
                order.reason = "the balance does not cover the price at which it woke"
                self._finish(order, OrderState.EXPIRED)

    def _affords_now(self, market: Market, order: SimOrder) -> bool:
        account = self.account(order.owner)
        if account.unlimited or order.price is not None:
            return True  # a limit order's worst price was held since it was placed
        account.release(order.order_id)
        asset, amount = needed(order.owner, market, order.intent, order.remaining, None)
        return account.affords(asset, amount)
