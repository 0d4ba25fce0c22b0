"""What the router needs from a store of orders."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Protocol

from oem_exec.model.enums import KillState
from oem_exec.model.fill import Fill
from oem_exec.model.order import Order


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """The durable kill switch: its state, and who set it, when and why."""

    state: KillState = KillState.ACTIVE
    reason: str = ""
    operator: str = ""
    time_ns: int = 0


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Evidence of a venue that cannot be true beside what is known; kept for a person.

    Attributes:
        time_ns: When it was seen.
        venue: Who said it.
        client_order_id: The order concerned, empty when it is not ours.
        what: What contradicts what, one clause.
        evidence: The venue's words, as JSON text.
    """

    time_ns: int
    venue: str
    client_order_id: str
    what: str
    evidence: str = ""


class OrderStore(Protocol):
    """Durable orders; what a write returns is done only when the bytes are on disk.

    Writes take effect in the order in which they were asked for.
    """

    def insert(self, order: Order) -> Awaitable[int]:
        """Insert a new order; 0 and no change when its id or (intent, attempt) exists, else 1."""
        ...

    def save(
        self, orders: Iterable[Order], fills: Iterable[Fill] = (), *, lazy: bool = False
    ) -> Awaitable[object]:
        """Write the newest state of known orders and add fills, those known already once only.

        With `lazy` a power cut may lose it: the venue can be asked again.
        """
        ...

    async def quarantine(self, contradiction: Contradiction) -> None:
        """Keep a contradiction."""
        ...

    async def set_kill_switch(self, switch: KillSwitch) -> None:
        """Replace the kill switch."""
        ...

    def kill_switch(self) -> KillSwitch:
        """Return the kill switch as it is now, also when another process changed it."""
        ...

    def glance(self, intent_id: str) -> tuple[bool, KillSwitch]:
        """Return whether the intent has any order, and the kill switch, in one look."""
        ...

    def order(self, client_order_id: str) -> Order | None:
        """Return one order by the id the venue sees."""
        ...

    def attempts(self, intent_id: str) -> tuple[Order, ...]:
        """Return all orders of an intent, oldest first."""
        ...

    def unsettled(self) -> tuple[Order, ...]:
        """Return the orders that are not finished or not fully explained by trades."""
        ...

    def orders(self, *, limit: int | None = None) -> tuple[Order, ...]:
        """Return orders, newest first, at most `limit`; None returns all.

        Raises:
            BadSettings: The limit is negative, or beyond what a store counts.
        """
        ...

    def known_ids(self, venue: str, venue_order_ids: Iterable[str]) -> frozenset[str]:
        """Return which of a venue's own order ids are those of orders of this store."""
        ...

    def contradictions(self) -> tuple[Contradiction, ...]:
        """Return everything in quarantine, oldest first."""
        ...

    def close(self) -> None:
        """Write what is queued and release the store."""
        ...
