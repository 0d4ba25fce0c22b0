"""What each supported venue can do and how; the docs' capability table is made from this."""

from __future__ import annotations

from oem_exec.ccxt_venue.answers import DEFINITE
from oem_exec.ccxt_venue.dialects import dialect_of
from oem_exec.errors import BadSettings
from oem_exec.model.enums import InstrumentKind, OrderType, TimeInForce
from oem_exec.venue import AmendMode, Capabilities, DuplicateIds, Limit, RequestKind

_DEFINITE = frozenset(DEFINITE)
_ALL_KINDS = frozenset(InstrumentKind)
_HEADER = (
    "| venue | sets the client id by | finds an order by | visible after | accepts late for |"
    " amends | post-only | order types | same id twice | one request at a time | limits |"
)
# stop orders of these venues have ids of another kind: a look-up by client id never finds them, and
# what is never found would be taken for absent
_NO_STOPS = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.POST_ONLY})
_NO_GTD = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})


def capabilities_of(venue: str) -> Capabilities:
    """Return a venue's row of the table; raises `BadSettings` for a venue that is not in it."""
    rows = capability_table()
    if venue not in rows:
        raise BadSettings(
            f"venue {venue!r} is not in the capability table",
            where="venues",
            remedy=f"use one of {', '.join(rows)}",
        )
    return rows[venue]


def capability_table() -> dict[str, Capabilities]:
    """Return venue to capabilities, as read in the venues' documents and in ccxt's source."""
    return {
        "binance": Capabilities(
            set_client_id="newClientOrderId",
            find_by_client_id="GET order by origClientOrderId",
            visibility_delay_s=2.0,
            receive_window_s=10.0,
            amend=AmendMode.CANCEL_REPLACE,
            post_only="type LIMIT_MAKER (spot), timeInForce GTX (futures)",
            duplicate_ids=DuplicateIds.REFUSED_WHILE_OPEN,
            answers_with_fills=True,
            definite_errors=_DEFINITE,
            times_in_force=_NO_GTD,
            kinds=_ALL_KINDS,
            limits=(Limit("weight", 6000, 60.0), Limit("orders", 100, 10.0)),
            costs={
                RequestKind.PLACE: {"weight": 1, "orders": 1},
                RequestKind.CANCEL: {"weight": 1},
                RequestKind.LOOKUP: {"weight": 4},
                RequestKind.OPEN_ORDERS: {"weight": 80},
                RequestKind.TRADES: {"weight": 20},
                RequestKind.BOOK: {"weight": 5},
                RequestKind.TICKER: {"weight": 2},
                RequestKind.CANDLES: {"weight": 2},
                RequestKind.FUNDING: {"weight": 1},
                RequestKind.MARKETS: {"weight": 20},
                RequestKind.TIME: {"weight": 1},
            },
        ),
        "kraken": Capabilities(
            set_client_id="cl_ord_id",
            find_by_client_id="OpenOrders and ClosedOrders by cl_ord_id (QueryOrders takes none)",
            visibility_delay_s=5.0,
            receive_window_s=15.0,
            amend=AmendMode.IN_PLACE,
            post_only="oflags post",
            duplicate_ids=DuplicateIds.REFUSED_WHILE_OPEN,
            sequential=True,
            definite_errors=_DEFINITE,
            definite_text=r'"error":\s*\["EOrder:[^"]+"\]',
            order_types=frozenset(OrderType),
            limits=(Limit("counter", 15, 45.0),),
            costs={
                RequestKind.PLACE: {},
                RequestKind.CANCEL: {},
                RequestKind.AMEND: {},
                RequestKind.LOOKUP: {"counter": 2},
                RequestKind.OPEN_ORDERS: {"counter": 1},
                RequestKind.TRADES: {"counter": 2},
                RequestKind.BOOK: {},
                RequestKind.TICKER: {},
                RequestKind.CANDLES: {},
            },
        ),
        "okx": Capabilities(
            set_client_id="clOrdId",
            find_by_client_id="GET trade/order by clOrdId",
            visibility_delay_s=2.0,
            receive_window_s=30.0,
            amend=AmendMode.IN_PLACE,
            post_only="ordType post_only",
            duplicate_ids=DuplicateIds.REFUSED,
            definite_errors=_DEFINITE,
            order_types=_NO_STOPS,
            times_in_force=_NO_GTD,
            kinds=_ALL_KINDS,
            limits=(Limit("requests", 60, 2.0),),
        ),
        "bybit": Capabilities(
            set_client_id="orderLinkId",
            find_by_client_id="GET order/realtime and order/history by orderLinkId",
            visibility_delay_s=3.0,
            receive_window_s=5.0,
            amend=AmendMode.IN_PLACE,
            post_only="timeInForce PostOnly",
            duplicate_ids=DuplicateIds.REFUSED,
            definite_errors=_DEFINITE,
            order_types=_NO_STOPS,
            times_in_force=_NO_GTD,
            kinds=_ALL_KINDS,
            limits=(Limit("requests", 600, 5.0), Limit("orders", 10, 1.0)),
            costs={
                RequestKind.PLACE: {"requests": 1, "orders": 1},
                RequestKind.CANCEL: {"requests": 1},
                RequestKind.LOOKUP: {"requests": 2},
            },
        ),
        "coinbase": Capabilities(
            set_client_id="client_order_id (ccxt drops clientOrderId)",
            find_by_client_id="list of orders since sending, compared by client_order_id",
            visibility_delay_s=5.0,
            receive_window_s=120.0,  # the life of a request's JWT
            amend=AmendMode.CANCEL_REPLACE,
            post_only="post_only in the order configuration",
            duplicate_ids=DuplicateIds.RETURNS_EXISTING,
            definite_errors=_DEFINITE,
            definite_text=r'"success":\s*false.*"error_response":\s*\{\s*"error":\s*"(?!UNKNOWN)\w+"',
            order_types=frozenset(OrderType) - {OrderType.STOP},
            limits=(Limit("requests", 30, 1.0),),
        ),
    }


def table_as_markdown() -> str:
    """Return the capability table as the reference page shows it."""
    lines = [
        _HEADER,
        "| --- " * 11 + "|",
    ]
    for name, c in capability_table().items():
        limits = ", ".join(f"{x.units} {x.bucket} in {x.window_s:g} s" for x in c.limits)
        lines.append(
            f"| {name} | {c.set_client_id} | {c.find_by_client_id} | {c.visibility_delay_s:g} s"
            f" | {c.receive_window_s:g} s | {c.amend.value} | {c.post_only}"
            f" | {', '.join(kind.value for kind in OrderType if kind in c.order_types)}"
            f" | {c.duplicate_ids.value} | {'yes' if c.sequential else 'no'} | {limits} |"
        )
    lines += ["", "Instruments, and what a look-up's answer must hold to count:", ""]
    lines += ["| venue | instruments | an answer counts only with |", "| --- | --- | --- |"]
    for name, c in capability_table().items():
        kinds = ", ".join(kind.value for kind in InstrumentKind if kind in c.kinds)
        lists = dialect_of(name).lists.items()
        holds = ", ".join(f"`{'.'.join(keys)}` ({part})" for part, keys in lists)
        lines.append(f"| {name} | {kinds} | {holds or 'the order itself'} |")
    lines += ["", "Texts that prove a refusal where ccxt knows only `ExchangeError`:", ""]
    lines += [
        f"- {n}: `{c.definite_text}`" for n, c in capability_table().items() if c.definite_text
    ]
    lines += ["", "Definite refusals (everything else is unknown):", ""]
    lines += [f"- `{name}`: {reason.value}" for name, reason in sorted(DEFINITE.items())]
    return "\n".join(lines) + "\n"
