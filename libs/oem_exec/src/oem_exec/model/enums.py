"""The closed sets of order handling."""

from __future__ import annotations

import enum


class Side(enum.StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """Return +1 for a buy and -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderType(enum.StrEnum):
    """What an order does at the venue."""

    MARKET = "market"
    LIMIT = "limit"
    POST_ONLY = "post_only"
    """A limit order that is refused rather than taking liquidity."""
    STOP = "stop"
    """A market order that wakes when the stop price trades."""
    STOP_LIMIT = "stop_limit"
    """A limit order that wakes when the stop price trades."""

    @property
    def needs_price(self) -> bool:
        return self is not OrderType.MARKET and self is not OrderType.STOP

    @property
    def needs_stop_price(self) -> bool:
        return self is OrderType.STOP or self is OrderType.STOP_LIMIT


class TimeInForce(enum.StrEnum):
    """How long an order lives."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"


class Liquidity(enum.StrEnum):
    """Whether a fill made or took liquidity."""

    MAKER = "maker"
    TAKER = "taker"


class InstrumentKind(enum.StrEnum):
    """What is traded."""

    SPOT = "spot"
    LINEAR_PERPETUAL = "linear_perpetual"


class KillState(enum.StrEnum):
    """The durable switch above all trading."""

    ACTIVE = "active"
    """Orders are sent."""
    REDUCING = "reducing"
    """Only orders that reduce a position are sent, and cancels."""
    HALTED = "halted"
    """Nothing is sent but cancels and look-ups."""


class RefusalReason(enum.StrEnum):
    """Why a venue refused definitely; the order does not exist there."""

    INVALID = "invalid"
    """Precision, size, price or parameter outside the venue's rules."""
    INSUFFICIENT_FUNDS = "insufficient_funds"
    WOULD_TAKE = "would_take"
    """A post-only order would have taken liquidity."""
    NOT_FILLABLE = "not_fillable"
    """A fill-or-kill order could not be filled at once."""
    UNKNOWN_SYMBOL = "unknown_symbol"
    MARKET_CLOSED = "market_closed"
    RATE_LIMITED = "rate_limited"
    """HTTP 418 or 429, or the venue's own code for it; nothing was executed."""
    NOT_AUTHORISED = "not_authorised"
    """Key, signature, permission or clock refused."""
    NOT_SUPPORTED = "not_supported"
    """The venue does not offer this kind of order."""
    NOT_SENT = "not_sent"
    """The request failed before its first byte left this machine."""
    BREAKER_OPEN = "breaker_open"
    """The circuit breaker of the venue is open; nothing was sent."""
    OTHER = "other"
    """The venue gave a definite code that has no name here; the text says which."""

    @property
    def venue_is_at_fault(self) -> bool:
        """Whether another venue may well accept the same order."""
        return self not in {RefusalReason.INVALID, RefusalReason.NOT_FILLABLE}


class UnknownCause(enum.StrEnum):
    """Why the outcome of a request is not known."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    SERVER_ERROR = "server_error"
    """5xx, or a status whose body carries no code of the venue."""
    BAD_BODY = "bad_body"
    """Truncated, not JSON, or not what the venue documents."""
    NO_ORDER_ID = "no_order_id"
    DUPLICATE_ID = "duplicate_id"
    """The venue knows this client order id already: the order may exist."""
    RESTART = "restart"
    """The process ended while the request was under way."""
    UNCLASSIFIED = "unclassified"
    """The venue's error is not on the list of definite refusals."""
