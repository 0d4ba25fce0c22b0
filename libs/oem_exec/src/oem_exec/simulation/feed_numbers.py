"""Numbers as a feed gives them, made exact, positive and whole steps of an instrument."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from oem_exec.errors import BadSettings
from oem_exec.model.instrument import Instrument

Number = Decimal | float | int | str


def exact(value: Number) -> Decimal:
    """Return a number exactly as written; raises `BadSettings` for what is not one."""
    try:
        found = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise BadSettings(
            f"{value!r} is no number of a market", where="paper venue", remedy="repair the feed"
        )
    return found


def above_zero(*values: Number) -> tuple[Decimal, ...]:
    """Return numbers exactly as written; raises `BadSettings` for one that is not above 0."""
    found = tuple(map(exact, values))
    if min(found) <= 0:
        raise BadSettings(
            f"{min(found)} is not above 0", where="paper venue", remedy="repair the feed"
        )
    return found


def whole_levels(
    instrument: Instrument, levels: Iterable[tuple[Number, Number]]
) -> list[tuple[Decimal, Decimal]]:
    """Return a book's levels in whole ticks and lots; raises `BadSettings` for a wrong one."""
    found = [(*above_zero(p), exact(q)) for p, q in levels]
    if any(size < 0 for _, size in found):
        raise BadSettings("a size below 0", where=instrument.symbol, remedy="repair the feed")
    return [(instrument.round_price(p), instrument.round_quantity(q)) for p, q in found]
