"""The states of an order and the one table of what may follow what."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType


class OrderState(enum.StrEnum):
    """Where an order stands, as far as evidence goes."""

    SUBMITTING = "submitting"
    """Durable here, and a request may be on its way."""
    UNKNOWN = "unknown"
    """A request was sent and its outcome is not known; nothing is repeated."""
    OPEN = "open"
    """Accepted by the venue, nothing filled."""
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    """Ended by a cancel; it may have fills."""
    EXPIRED = "expired"
    """Ended by its own time in force; it may have fills."""
    REJECTED = "rejected"
    """Refused definitely; it never existed at the venue."""
    ABSENT = "absent"
    """Proven never accepted: not found after the visibility delay and the receive window."""
    QUARANTINED = "quarantined"
    """The venue contradicts itself about this order; a person has to look."""

    @property
    def terminal(self) -> bool:
        """Whether nothing may follow without new evidence against it."""
        return self in _TERMINAL

    @property
    def open(self) -> bool:
        """Whether the order may still trade, or may do so for all we know."""
        return self not in _TERMINAL and self is not OrderState.QUARANTINED


_TERMINAL = frozenset(
    {
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.EXPIRED,
        OrderState.REJECTED,
        OrderState.ABSENT,
    }
)
LIVE = frozenset({OrderState.OPEN, OrderState.PARTIALLY_FILLED})
"""Known to be at the venue and able to trade."""

_ENDED_AT_VENUE = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED})
_QUARANTINE = frozenset({OrderState.QUARANTINED})

TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        OrderState.SUBMITTING: LIVE
        | _ENDED_AT_VENUE
        | _QUARANTINE
        | {OrderState.REJECTED, OrderState.UNKNOWN, OrderState.ABSENT},
        OrderState.UNKNOWN: LIVE
        | _ENDED_AT_VENUE
        | _QUARANTINE
        | {OrderState.REJECTED, OrderState.ABSENT},
        OrderState.OPEN: _ENDED_AT_VENUE
        | _QUARANTINE
        | {OrderState.PARTIALLY_FILLED, OrderState.REJECTED},
        OrderState.PARTIALLY_FILLED: _ENDED_AT_VENUE | _QUARANTINE,
        OrderState.FILLED: frozenset(),
        # a cancel and a fill cross on the wire: the trade is evidence against "canceled, unfilled"
        OrderState.CANCELED: frozenset({OrderState.FILLED}),
        OrderState.EXPIRED: frozenset({OrderState.FILLED}),
        # a refused or absent order that turns up must not be explained away
        OrderState.REJECTED: _QUARANTINE,
        OrderState.ABSENT: _QUARANTINE,
        # only an operator's release leads out, and only to what the venue shows
        OrderState.QUARANTINED: LIVE | _ENDED_AT_VENUE | {OrderState.REJECTED, OrderState.ABSENT},
    }
)
"""State to the states that may follow it. Staying in a state is always allowed."""


def may_follow(before: OrderState, after: OrderState) -> bool:
    """Return whether the table has this transition (staying is allowed).

    Example:
        >>> may_follow(OrderState.UNKNOWN, OrderState.OPEN)
        True
        >>> may_follow(OrderState.FILLED, OrderState.OPEN)
        False
    """
    return before is after or after in TRANSITIONS[before]
