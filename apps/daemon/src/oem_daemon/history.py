"""Every order of the site's stage there ever was, read from the store as far as one looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oem_exec import BookedFill, LiveExecutionRouter, Order, Outcome, PageQuery, SqliteOrderStore

Place = tuple[int, str]
"""Where a page of orders ends: `sent_ns` and `client_order_id` of its last order."""


class OrderHistory:
    """The orders of a stage's venues, those of earlier processes too.

    Nothing of it is kept in memory: a site that has traded for a year starts as it did at first.

    Args:
        store: Where the orders are.
        router: Knows what the store is still being told.
        venues: The venues of the stage; orders of another stage are left out.
    """

    def __init__(
        self, store: SqliteOrderStore, router: LiveExecutionRouter, venues: Sequence[str]
    ) -> None:
        self._store = store
        self._router = router
        self._venues = tuple(venues)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield how every intent stands, by its newest order."""
        return self._store.outcomes(self._venues)

    def fills(self) -> Iterator[BookedFill]:
        """Yield every fill in the order of time."""
        return self._store.booked_fills(self._venues)

    def order(self, client_order_id: str) -> Order:
        """Return one order by the id the venue sees.

        Raises:
            KeyError: There is no such order.
        """
        found = self._store.order(client_order_id)
        if found is None:
            raise KeyError(client_order_id)
        return found

    def page(
        self,
        limit: int,
        *,
        symbol: str = "",
        intent_id: str = "",
        unfinished: bool = False,
        before: Place | None = None,
    ) -> tuple[tuple[Order, ...], Place | None]:
        """Return at most `limit` orders, newest first, each as it stands now, and where they end.

        The place is None where no order is left for a further page.

        Args:
            limit: Orders on the page.
            symbol: Only of this symbol; empty for all.
            intent_id: Only of this intent; empty for all.
            unfinished: Only those that are not in a terminal state; one that has just ended is
                left out, and the page is shorter for it.
            before: Where the page before ended.
        """
        query = PageQuery(self._venues, symbol, intent_id, unfinished, before)
        found = self._store.page(query, limit)
        end = found[-1] if len(found) == limit else None
        now = {order.client_order_id: order for order in self._router.orders()}
        page = (now.get(order.client_order_id, order) for order in found)
        kept = tuple(o for o in page if not (unfinished and o.state.terminal))
        return kept, None if end is None else (end.sent_ns, end.client_order_id)
