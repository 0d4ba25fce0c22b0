"""Whole answers only: ccxt reads a cut body as an empty list, and an empty list says "no order"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oem_exec.ccxt_venue.parse import Unusable, plain_text


def demand_whole(exchange: Any, lists: Mapping[str, tuple[str, ...]]) -> None:
    """Let an exchange object raise `Unusable` for answers that are not what was asked for.

    ccxt hands the text of a body that is no JSON to its parsers, and these find nothing in it:
    a look-up would count as "not found", and the order would be sent again.

    Args:
        exchange: A ccxt exchange; its `fetch` is replaced on this object alone.
        lists: Part of a path to the keys that lead to what the answer must hold.
    """
    fetch = exchange.fetch

    async def whole(
        url: str, method: str = "GET", headers: object = None, body: object = None
    ) -> Any:
        answer = await fetch(url, method, headers, body)
        if not isinstance(answer, dict | list):
            raise Unusable(f"not JSON: {plain_text(repr(answer)[:120])}")
        for part, keys in lists.items():
            if part in url:
                _walk(answer, keys)
        return answer

    exchange.fetch = whole


def _walk(answer: Any, keys: tuple[str, ...]) -> None:
    found = answer
    for key in keys:
        if not isinstance(found, dict) or not isinstance(found.get(key), dict | list):
            raise Unusable(f"an answer without {'.'.join(keys)}: {plain_text(repr(answer)[:120])}")
        found = found[key]
