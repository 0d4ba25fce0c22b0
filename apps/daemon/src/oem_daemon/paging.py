"""Pages of a listing and the tokens that lead from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from oem_api.server import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from oem_daemon.history import Place
from oem_security import InputError

T = TypeVar("T")
_REMEDY = f"ask for at most {MAX_PAGE_SIZE} a page, and give the token as the page before had it"


def page_size(wanted: int) -> int:
    """Return how many items a page holds; raises InputError where too many are asked for."""
    if not 0 <= wanted <= MAX_PAGE_SIZE:
        raise _wrong("page_size")
    return wanted or DEFAULT_PAGE_SIZE


def page_of(items: Sequence[T], wanted: int, token: str) -> tuple[Sequence[T], str]:
    """Return one page of what is in memory and the token of the next: its first item's place.

    Raises:
        InputError: Too many are asked for, or the token is none of these.
    """
    if token and not (token.isascii() and token.isdecimal() and len(token) < 12):
        raise _wrong("page_token")
    start, count = int(token or 0), page_size(wanted)
    end = start + count
    return items[start:end], str(end) if end < len(items) else ""


def token_of(place: Place | None) -> str:
    """Return a place among the orders as a token; empty where there is no further page."""
    return "" if place is None else f"{place[0]}:{place[1]}"


def place_of(token: str) -> Place | None:
    """Return the place that a token of `token_of` names; raises InputError for another one."""
    if not token:
        return None
    time_ns, _, client_order_id = token.partition(":")
    if not (time_ns.isascii() and time_ns.isdecimal() and len(time_ns) < 20 and client_order_id):
        raise _wrong("page_token")
    return int(time_ns), client_order_id


def _wrong(field: str) -> InputError:
    return InputError(f"{field} is missing or wrong", where=field, remedy=_REMEDY)
