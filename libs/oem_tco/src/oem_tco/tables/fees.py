"""Fees of fills in the quote currency: as paid, converted at the time, or from the schedule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from oem_tco.fees.book import Commission, FeeAccount, FeeBook
from oem_tco.inputs.decode import Coded, Decoder
from oem_tco.inputs.findings import FindingCode, Findings, Treatment
from oem_tco.inputs.fixed import Bools, Fixed, empty_fixed, fixed_of, spread_fixed
from oem_tco.inputs.read import InputTable
from oem_tco.money import to_minor
from oem_tco.tables.exact import Ints, product_minor, rows_alike, times_rate
from oem_tco.tables.prepare import Fills, Orders
from oem_tco.tables.rolling import RollingVolume
from oem_tco.terms import Liquidity, Provenance

C, T = FindingCode, Treatment


@dataclass(frozen=True, slots=True)
class FeeRules:
    """How a fee is found where the fill does not tell it.

    Attributes:
        book: The fee schedules; None for those that come with the library.
        accounts: What each venue knows of the account, by venue.
        max_rate_age_ns: Age above which the rate of a fee asset does not count.
        as_reported: Whether the fees have the sign of each venue's own reports, which its schedule
            states; else positive is a cost at every venue.
        volumes: What was traded by venue and market, from `with_traded_volume`; the 30 days before
            a fill are added to the account's `volume_30d`, and set its tier.
    """

    book: FeeBook | None = None
    accounts: dict[str, FeeAccount] = field(default_factory=dict)
    max_rate_age_ns: int = 3600 * 10**9
    as_reported: bool = False
    volumes: Mapping[tuple[str, str], RollingVolume] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FillFees:
    """Fees in minor units, with the range that estimates have, and where each comes from.

    Attributes:
        amount: Positive is a cost.
        low: Lowest plausible amount, `amount` itself where it was measured.
        high: Highest plausible amount.
        provenance: Position in `tuple(Provenance)` of each.
        large: Which are too large for the arithmetic.
    """

    amount: Ints
    low: Ints
    high: Ints
    provenance: np.ndarray[tuple[int], np.dtype[np.int8]]
    large: Bools


_PROVENANCES = tuple(Provenance)


class RateTable:
    """Rates of assets, asked by asset, currency and time; a rate is also used the other way round.

    Args:
        table: The rates.
        findings: Where bad rows are named.
    """

    def __init__(self, table: InputTable, findings: Findings) -> None:
        decoder = Decoder(table, findings, None)
        asset, currency = decoder.coded("asset"), decoder.coded("currency")
        times, _ = decoder.times("time_ns")
        rate = decoder.fixed("rate")
        good = np.flatnonzero(~decoder.refused)
        # of rates at one instant the highest counts, in whatever order they come
        order = good[_by_time_and_rate(times[good], rate.take(good))]
        self._by_pair: dict[tuple[str, str], tuple[Ints, Fixed]] = {}
        pairs = asset.codes.astype(np.int64) * (len(currency.words) + 1) + currency.codes
        for alike in rows_alike(pairs[order]):
            rows = order[alike]
            name = (asset.text(int(rows[0])), currency.text(int(rows[0])))
            self._by_pair[name] = (times[rows], rate.take(rows))

    def find(self, asset: str, currency: str, at: Ints) -> tuple[Fixed, Ints]:
        """Return the rate that held at each instant, none before the first, and its age in ns."""
        pair, inverse = self._by_pair.get((asset, currency)), False
        if pair is None:
            pair, inverse = self._by_pair.get((currency, asset)), True
        if pair is None:
            return empty_fixed(len(at)), np.zeros(len(at), np.int64)
        times, rate = pair
        if inverse:
            rate = fixed_of([_inverse(rate.decimal(row)) for row in range(len(rate))])
        place = np.searchsorted(times, at, side="right") - 1
        found = rate.take(place)
        held = place >= 0
        age = np.where(held, at - times[place], 0)
        return Fixed(found.ints, found.digits, found.present & held), age


def _inverse(rate: Decimal | None) -> Decimal | None:
    return None if rate is None else round(1 / rate, 18)


def _by_time_and_rate(times: Ints, rate: Fixed) -> Ints:
    if rate.small:
        return np.lexsort((rate.ints, times))
    pairs = list(zip(times.tolist(), rate.ints.tolist(), strict=True))
    return np.array(sorted(range(len(pairs)), key=pairs.__getitem__), np.int64)


def fill_fees(
    orders: Orders, fills: Fills, notional: Ints, rules: FeeRules, rates: RateTable | None
) -> FillFees:
    """Return the fee of every fill in its order's currency.

    A fee in the quote currency is taken as it is; one in the base asset is valued at the fill's
    price; one in a third asset at `fee_rate_to_quote`, else at the rate of that time. Where there
    is no fee, or no rate, the fee schedule says what it would have been.

    Args:
        orders: The orders.
        fills: The fills.
        notional: Price times quantity of each fill, minor units.
        rules: Schedules and accounts.
        rates: Rates of fee assets; None where there are none.
    """
    unit = Fixed(np.ones(len(fills), np.int64), 0, np.ones(len(fills), np.bool_))
    in_quote, in_base = _whose(orders, fills)
    free = fills.fee.present & (fills.fee.ints == 0)
    other = ~in_quote & ~free & fills.fee.present
    unknown = np.zeros(len(fills), np.bool_)
    if other.any():
        given = other & fills.fee_rate.present
        unit = unit.filled(fills.fee_rate, given)
        base = other & ~given & in_base
        unit = unit.filled(fills.price, base)
        third = other & ~given & ~base
        if third.any():
            found = _converted(orders, fills, third, rules, rates)
            unit = unit.filled(found, third & found.present)
            unknown = third & ~found.present
    fee = _as_cost(orders, fills, rules) if rules.as_reported else fills.fee
    amount, large = product_minor(fee, unit)
    missing = ~fills.fee.present
    note = fills.decoder.note
    if missing.any():
        row = fills.row[missing]
        note(C.NO_FEE, T.FALLBACK, "fee_amount", "costed by the fee schedule", row)
    if unknown.any():
        text = "no rate at the time; costed by the fee schedule"
        note(C.UNKNOWN_FEE_ASSET, T.FALLBACK, "fee_asset", text, fills.row[unknown])
    guess = np.flatnonzero(missing | unknown)
    low = high = amount
    provenance = np.zeros(len(fills), np.int8)
    if len(guess):
        low, high = amount.copy(), amount.copy()
        _estimate(orders, fills, guess, notional, rules, amount, low, high, provenance)
        large[guess] = False
    return FillFees(amount, low, high, provenance, large)


def _as_cost(orders: Orders, fills: Fills, rules: FeeRules) -> Fixed:
    """Return the fees with the sign of a cost, put right where a venue reports the other way."""
    book = rules.book or FeeBook.shipped()
    venue, market = (orders.names[name].take(fills.order) for name in ("venue", "market"))
    sign = np.ones(len(fills), np.int64)
    code = (venue.codes.astype(np.int64) + 1) * (len(market.words) + 1) + market.codes + 1
    for rows in rows_alike(code):
        row = int(rows[0])
        sign[rows] = int(book.fee_cost(venue.text(row), market.text(row), Decimal(1)))
    return Fixed(fills.fee.ints * sign, fills.fee.digits, fills.fee.present)


def _whose(orders: Orders, fills: Fills) -> tuple[Bools, Bools]:
    """Return which fees are in the quote currency and which in the base asset."""
    currency, symbol = orders.names["currency"], orders.names["symbol"]
    words = fills.fee_asset.words
    position = {word: code for code, word in enumerate(words)}
    quote = currency.lookup({w: position.get(w, -2) for w in currency.words}, -2)
    bases = {w: position.get(w.split("/")[0], -2) if "/" in w else -2 for w in symbol.words}
    base = symbol.lookup(bases, -2)
    asset = fills.fee_asset.codes
    in_quote = (asset == quote[fills.order]) | (asset < 0)
    return in_quote, ~in_quote & (asset == base[fills.order])


def _converted(
    orders: Orders, fills: Fills, third: Bools, rules: FeeRules, rates: RateTable | None
) -> Fixed:
    known = empty_fixed(len(fills))
    if rates is None:
        return known
    currency = orders.names["currency"].take(fills.order)
    asset = fills.fee_asset
    rows = np.flatnonzero(third)
    pairs = asset.codes[rows].astype(np.int64) * len(currency.words) + currency.codes[rows]
    for alike in rows_alike(pairs):
        mine = rows[alike]
        names = asset.text(int(mine[0])), currency.text(int(mine[0]))
        found, age = rates.find(*names, fills.at_ns[mine])
        stale = found.present & (age > rules.max_rate_age_ns)
        fills.decoder.note(
            C.STALE_RATE, T.NOTED, "fee_asset", "the last rate is too old and does not count",
            fills.row[mine[stale]],
        )  # fmt: skip
        fresh = spread_fixed(
            Fixed(found.ints, found.digits, found.present & ~stale), mine, len(third)
        )
        known = known.filled(fresh, fresh.present)
    return known


def _estimate(
    orders: Orders,
    fills: Fills,
    guess: Ints,
    notional: Ints,
    rules: FeeRules,
    amount: Ints,
    low: Ints,
    high: Ints,
    provenance: np.ndarray[tuple[int], np.dtype[np.int8]],
) -> None:
    """Fill in what the schedule says, one question for every stretch between two versions."""
    venue, market, symbol = (
        orders.names[name].take(fills.order[guess]) for name in ("venue", "market", "symbol")
    )
    maker = fills.maker[guess]
    book = rules.book or FeeBook.shipped()
    for name, kind, code, rows in _alike(venue, market, symbol, maker):
        changes = book.changes(name, kind)
        stretch = np.searchsorted(np.array(changes, np.int64), fills.at_ns[guess[rows]], "right")
        account = rules.accounts.get(name) or FeeAccount()
        step, steps = _reached(name, kind, account, fills.at_ns[guess[rows]], rules, book)
        cells = stretch.astype(np.int64) * (len(steps) + 1) + step
        for alike in rows_alike(cells):
            mine = guess[rows[alike]]
            liquidity = Liquidity.MAKER if fills.maker[mine[0]] else Liquidity.TAKER
            at = int(fills.at_ns[mine[0]])
            if steps:
                # any volume between two steps has the tier of the lower one
                volume = steps[int(step[alike[0]]) - 1] if step[alike[0]] else Decimal(0)
                account = replace(account, volume_30d=volume)
            found = book.commission(name, kind, liquidity, at, account, symbol=code)
            _put(found, mine, notional, amount, low, high)
            provenance[mine] = _PROVENANCES.index(found.provenance)
            if found.provenance is Provenance.ESTIMATED:
                fills.decoder.note(
                    C.NO_SCHEDULE, T.FALLBACK, "fee_amount",
                    f"{found.note}; {found.rate} of the notional, between {found.low_rate} and "
                    f"{found.high_rate}", fills.row[mine],
                )  # fmt: skip


def _reached(
    venue: str, market: str, account: FeeAccount, at: Ints, rules: FeeRules, book: FeeBook
) -> tuple[Ints, tuple[Decimal, ...]]:
    """Return how many steps of volume each fill's account has reached, and the steps."""
    volumes = rules.volumes.get((venue, market))
    if volumes is None or account.tier:
        return np.zeros(len(at), np.int64), ()
    steps = book.volume_steps(venue, market)
    traded = volumes.before(at) + to_minor(account.volume_30d)
    ends = [to_minor(step) for step in steps]
    return np.array([bisect_right(ends, amount) for amount in traded], np.int64), steps


def _put(
    found: Commission, rows: Ints, notional: Ints, amount: Ints, low: Ints, high: Ints
) -> None:
    for out, rate in ((amount, found.rate), (low, found.low_rate), (high, found.high_rate)):
        column = fixed_of([rate]).take(np.zeros(len(rows), np.int64))
        out[rows] = times_rate(notional[rows], column)[0]


def _alike(
    venue: Coded, market: Coded, symbol: Coded, maker: Bools
) -> list[tuple[str, str, str, Ints]]:
    """Return venue, market, symbol and rows of every group of rows alike in them and in maker."""
    width = (len(market.words) + 1, len(symbol.words) + 1)
    code = (venue.codes.astype(np.int64) + 1) * width[0] + market.codes + 1
    code = (code * width[1] + symbol.codes + 1) * 2 + maker
    groups = []
    for rows in rows_alike(code):
        row = int(rows[0])
        groups.append((venue.text(row), market.text(row), symbol.text(row), rows))
    return groups
