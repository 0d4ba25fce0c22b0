"""What an account has traded before each fill, so that a fee has the tier that was reached then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oem_tco.errors import InputError
from oem_tco.fees.book import FeeBook
from oem_tco.inputs.findings import Findings
from oem_tco.money import MINOR_DIGITS
from oem_tco.tables.costs import CostRules, TcoTables
from oem_tco.tables.exact import Ints, product_minor, rows_alike, times_rate
from oem_tco.tables.fees import RateTable
from oem_tco.tables.prepare import Fills, Orders, read_fills, read_orders
from oem_tco.tables.rolling import RollingVolume


@dataclass(frozen=True, slots=True)
class _Market:
    venue: str
    market: str
    currency: str
    rows: Ints


def with_traded_volume(rules: CostRules, tables: TcoTables) -> CostRules:
    """Return the rules with what each account traded, by the fills of the tables themselves.

    Ask it of whole tables, before they are cut into parts: a tier counts every symbol of a market.
    What the tables do not hold is added from `FeeAccount.volume_30d`.

    Args:
        rules: Choices; a venue whose account names its tier keeps that tier.
        tables: The tables; `rates` convert to the currency that a schedule counts volume in.

    Raises:
        InputError: A fill's currency has no rate to that currency at the time.
    """
    findings = Findings()
    orders = read_orders(tables.orders, findings)
    orders, fills = read_fills(tables.fills, orders, findings, dict(rules.clock_ahead_ns))
    rates = None if tables.rates is None else RateTable(tables.rates, findings)
    book = rules.fees.book or FeeBook.shipped()
    traded: dict[tuple[str, str], list[tuple[Ints, Ints]]] = {}
    for one in _markets(orders, fills):
        counted_in = book.volume_currency(one.venue, one.market)
        if not counted_in:
            continue  # no schedule: there are no tiers to reach
        amounts = _amounts(orders, fills, one, counted_in, rates)
        traded.setdefault((one.venue, one.market), []).append((fills.at_ns[one.rows], amounts))
    volumes = {key: RollingVolume.of(parts) for key, parts in sorted(traded.items())}
    return replace(rules, fees=replace(rules.fees, volumes=volumes))


def _markets(orders: Orders, fills: Fills) -> Iterable[_Market]:
    names = [orders.names[name] for name in ("venue", "market", "currency", "symbol")]
    code: npt.NDArray[Any] = np.zeros(len(orders), np.int64)
    for column in names:
        code = code * (len(column.words) + 1) + column.codes + 1
    for rows in rows_alike(code[fills.order]):
        order = int(fills.order[rows[0]])
        venue, market, currency, symbol = (column.text(order) for column in names)
        if orders.inverse[order]:
            # counted in quote units already
            currency = symbol.partition("/")[2].partition(":")[0] or "USD"
        yield _Market(venue, market, currency, rows)


def _amounts(
    orders: Orders, fills: Fills, one: _Market, counted_in: str, rates: RateTable | None
) -> Ints:
    """Return what each fill adds to the volume, minor units of the schedule's currency."""
    quantity = fills.quantity.take(one.rows)
    if orders.inverse[fills.order[one.rows[0]]]:
        digits = max(quantity.digits, MINOR_DIGITS)
        amounts = quantity.at(digits).ints // 10 ** (digits - MINOR_DIGITS)
    else:
        amounts, _ = product_minor(fills.price.take(one.rows), quantity)
    if one.currency == counted_in:
        return np.asarray(amounts)
    at = fills.at_ns[one.rows]
    found = None if rates is None else rates.find(one.currency, counted_in, at)[0]
    if found is None or not found.present.all():
        raise InputError(
            f"{one.venue}/{one.market} counts volume in {counted_in}, and there is no rate from "
            f"{one.currency} at the time of a fill",
            where="rates",
            remedy=f"give the rate of {one.currency} in {counted_in} from the first fill on",
        )
    return times_rate(np.asarray(amounts).astype(np.int64), found)[0]
