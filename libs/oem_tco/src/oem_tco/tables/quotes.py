"""Which quote held at an instant: the last at or before it, whatever order the rows came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oem_tco.inputs.decode import Coded, Decoder
from oem_tco.inputs.findings import FindingCode, Findings, Rows, Treatment
from oem_tco.inputs.fixed import Bools, Fixed, empty_fixed, spread_fixed
from oem_tco.inputs.read import InputTable
from oem_tco.tables.exact import Ints

_FEW = 24  # symbols that are found one by one sooner than by sorting all rows


@dataclass(frozen=True, slots=True)
class Keys:
    """Venue and symbol of every row that asks for a quote."""

    venue: Coded
    symbol: Coded

    def take(self, rows: npt.NDArray[np.integer]) -> Keys:
        return Keys(self.venue.take(rows), self.symbol.take(rows))


@dataclass(frozen=True, slots=True)
class Found:
    """Quotes found for rows that asked.

    Attributes:
        row: Row of the table; -1 where no quote counts.
        bid: Its bid, present only where the quote is sound; so is ask.
        stale: Where the last quote is older than allowed.
        crossed: Where the last quote is crossed or has only one side.
    """

    row: Ints
    bid: Fixed
    ask: Fixed
    stale: Bools
    crossed: Bools

    @property
    def sound(self) -> Bools:
        """Where there is a quote that counts."""
        return self.bid.present

    def mid(self) -> Fixed:
        """Return the middle of bid and ask, exactly."""
        return middle(self.bid, self.ask)


def middle(bid: Fixed, ask: Fixed) -> Fixed:
    """Return the middle of two prices of the same digits, exactly, with one digit more."""
    twice = bid.ints + ask.ints
    if bid.small and len(twice) and int(twice.max()) >= 2**60:
        twice = twice.astype(object)
    return Fixed(twice * 5, bid.digits + 1, bid.present & ask.present)


class TimedTable:
    """Rows of a table by venue and symbol, in the order of time.

    A rank is the place of a row in the order of time of the whole table.

    Args:
        decoder: The table's decoder; rows without symbol or time are named there and left out.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._symbol, self._venue = decoder.coded("symbol"), decoder.coded("venue")
        times, _ = decoder.times("time_ns")
        self.times, self._rows = times, None
        """Times by rank."""
        if decoder.refused.any():
            self._rows = np.flatnonzero(~decoder.refused)
            self.times = times[self._rows]
        if not (self.times[1:] >= self.times[:-1]).all():
            order = np.argsort(self.times, kind="stable")
            self.times = self.times[order]
            self._rows = order if self._rows is None else self._rows[order]
        self._key, self._known = self._combined()
        self._ranks: dict[tuple[str, str], Ints] = {}
        self._sorted: tuple[Ints, Ints] | None = None

    def ranks(self, venue: str, symbol: str) -> Ints:
        """Return the ranks of a symbol's rows at a venue; those of no venue where it has none."""
        name = (venue if (venue, symbol) in self._known else "", symbol)
        if name not in self._ranks:
            code = self._known.get(name)
            self._ranks[name] = np.zeros(0, np.int64) if code is None else self._of_key(code)
        return self._ranks[name]

    def prepare(self, keys: Keys) -> None:
        """Find the rows of every symbol that will be asked for; may run beside other work."""
        for venue, symbol, _ in groups_of(keys):
            self.ranks(venue, symbol)

    def _of_key(self, code: int) -> Ints:
        if len(self._known) <= _FEW:
            return np.flatnonzero(self._key == code)
        if self._sorted is None:
            order = np.argsort(self._key, kind="stable")
            self._sorted = order, np.cumsum(np.bincount(self._key))
        order, ends = self._sorted
        return order[ends[code - 1] : ends[code]]

    def rows(self, ranks: Ints) -> Ints:
        """Return the rows of the table that ranks stand for; -1 stays."""
        if self._rows is None or not len(self._rows):
            return ranks
        return np.where(ranks >= 0, self._rows[ranks], -1)

    def last(self, keys: Keys, at: Ints, asked: Bools | None = None) -> Ints:
        """Return the rank of the last row at or before each instant; -1 where there is none.

        Args:
            keys: Venue and symbol of each row that asks.
            at: UTC nanoseconds.
            asked: Rows that want one; None for all.
        """
        found = np.full(len(at), -1, np.int64)
        if not len(self.times):
            return found
        # one search in all times, then one in the ranks of each symbol: fewer times to read
        limit = np.searchsorted(self.times, at, side="right") - 1
        for venue, symbol, mine in groups_of(keys, asked):
            ranks = self.ranks(venue, symbol)
            if not len(ranks):
                continue
            place = np.searchsorted(ranks, limit if mine is None else limit[mine], side="right") - 1
            rank = ranks[place]
            if place.min() < 0:
                rank = np.where(place >= 0, rank, -1)
            found[slice(None) if mine is None else mine] = rank
        return found

    def _combined(self) -> tuple[npt.NDArray[np.integer], dict[tuple[str, str], int]]:
        symbol, venue = self._symbol, self._venue
        width = len(symbol.words) + 1
        size = (len(venue.words) + 1) * width
        # one byte a row is read much faster than four, once for every symbol
        kind: Any = np.uint8 if size <= 2**8 else np.uint16 if size <= 2**16 else np.int64
        key = np.add(symbol.codes, 1, dtype=kind, casting="unsafe")
        if venue.words:
            key += np.multiply(venue.codes + 1, width, dtype=kind, casting="unsafe")
        if self._rows is not None:
            key = key[self._rows]
        names = {
            (v, s): i * width + j + 1
            for i, v in enumerate(("", *venue.words))
            for j, s in enumerate(symbol.words)
        }
        if venue.words:
            seen = np.bincount(key, minlength=size) > 0
            names = {name: code for name, code in names.items() if seen[code]}
        return key, names


class QuoteBook:
    """The quotes of a table, asked by venue, symbol and time.

    Args:
        table: The quotes.
        findings: Where bad rows are named.
        max_age_ns: Age above which a quote does not count.
    """

    def __init__(self, table: InputTable, findings: Findings, max_age_ns: int) -> None:
        self._decoder = Decoder(table, findings, None)
        self.table = TimedTable(self._decoder)
        self.max_age_ns = max_age_ns
        self._seq = self._decoder.counts("seq")
        self._note_crossed()

    def find(self, keys: Keys, at: Ints, asked: Bools | None = None) -> Found:
        """Return the quote that held at each instant.

        Args:
            keys: Venue and symbol of each row.
            at: UTC nanoseconds.
            asked: Rows that want a quote; None for all.
        """
        rank = self.table.last(keys, at, asked)
        tied: list[Rows] = []
        row = self._untie(keys, rank, tied)
        have = rank >= 0
        age = at - self.table.times[rank] if len(self.table.times) else at
        stale = have & (age > self.max_age_ns)
        usable = have & ~stale
        bid, ask = self._prices(row, usable)
        digits = max(bid.digits, ask.digits)
        low, high = bid.at(digits), ask.at(digits)
        sound = low.present & high.present & (low.ints > 0) & (low.ints <= high.ints)
        if tied:
            self._decoder.note(
                FindingCode.TIED_QUOTES, Treatment.FALLBACK, "seq",
                "of several at one instant the lowest bid, then the highest ask counts",
                np.unique(np.concatenate(tied)),
            )  # fmt: skip
        return Found(
            row,
            Fixed(low.ints, digits, sound),
            Fixed(high.ints, digits, sound),
            stale,
            usable & ~sound,
        )

    def mids(self, venue: str, symbol: str) -> tuple[Ints, Fixed]:
        """Return instants and mids of a symbol, one for each instant, without crossed quotes."""
        ranks = self.table.ranks(venue, symbol)
        rows = self.table.rows(ranks)
        bid, ask = self._decoder.fixed("bid", rows), self._decoder.fixed("ask", rows)
        digits = max(bid.digits, ask.digits)
        bid, ask = bid.at(digits), ask.at(digits)
        times = self.table.times[ranks] if len(ranks) else ranks
        sound = bid.present & ask.present & (bid.ints > 0) & (bid.ints <= ask.ints)
        kept = np.flatnonzero(sound)
        if (times[kept][1:] == times[kept][:-1]).any():
            seq = np.zeros(len(rows), np.int64) if self._seq is None else self._seq[rows]
            place = [column[kept].tolist() for column in (times, seq, -bid.ints, ask.ints)]
            order = kept[sorted(range(len(kept)), key=list(zip(*place, strict=True)).__getitem__)]
            kept = order[np.append(times[order][1:] != times[order][:-1], True)]
        return times[kept], middle(bid.take(kept), ask.take(kept))

    def _prices(self, row: Ints, usable: Bools) -> tuple[Fixed, Fixed]:
        if usable.all():
            return self._decoder.fixed("bid", row), self._decoder.fixed("ask", row)
        if not usable.any():
            return empty_fixed(len(row)), empty_fixed(len(row))
        rows = np.flatnonzero(usable)
        bid, ask = (
            spread_fixed(self._decoder.fixed(name, row[rows]), rows, len(row))
            for name in ("bid", "ask")
        )
        return bid, ask

    def _untie(self, keys: Keys, rank: Ints, tied: list[Rows]) -> Ints:
        """Return rows of the table for ranks, one and the same for any row order."""
        table = self.table
        rows = table.rows(rank)
        if not len(table.times):
            return rows
        times = table.times
        # rows of other symbols may stand between, but not before an earlier time
        doubtful = np.flatnonzero((rank > 0) & (times[rank] == times[np.maximum(rank - 1, 0)]))
        for venue, symbol, mine in groups_of(keys.take(doubtful)):
            ranks = table.ranks(venue, symbol)
            asked = doubtful if mine is None else doubtful[mine]
            place = np.searchsorted(ranks, rank[asked])
            best, named = rows[asked], np.zeros(len(asked), np.bool_)
            left = np.arange(len(asked))
            while len(left):
                place = place - 1
                on = place >= 0
                on[on] = times[ranks[place[on]]] == times[rank[asked[left[on]]]]
                place, left = place[on], left[on]
                rival = table.rows(ranks[place])
                better, unclear = self._better(rival, best[left])
                best[left[better]] = rival[better]
                named[left[unclear]] = True
            rows[asked] = best
            if named.any():
                tied.append(best[named])
        return rows

    def _better(self, rival: Ints, best: Ints) -> tuple[Bools, Bools]:
        """Return where the rival counts before the best so far, and where only prices decide."""
        pairs = []
        for name in ("bid", "ask"):
            both = self._decoder.fixed(name, np.concatenate([rival, best]))
            pairs.append((both.ints[: len(rival)], both.ints[len(rival) :]))
        (rival_bid, bid), (rival_ask, ask) = pairs
        wider = (rival_bid < bid) | ((rival_bid == bid) & (rival_ask > ask))
        differs = (rival_bid != bid) | (rival_ask != ask)
        if self._seq is None:
            return wider, differs
        mine, theirs = self._seq[best], self._seq[rival]
        alike = mine == theirs
        return (theirs > mine) | (alike & wider), alike & differs

    def _note_crossed(self) -> None:
        bid, ask = (_rough(self._decoder, name) for name in ("bid", "ask"))
        with np.errstate(invalid="ignore"):
            sound = (bid > 0) & (ask >= bid)
        if not sound.all():
            self._decoder.note(
                FindingCode.CROSSED_QUOTE, Treatment.LEFT_OUT, "bid",
                "a quote that is crossed or has only one side is not used",
                np.flatnonzero(~sound),
            )  # fmt: skip


def _rough(decoder: Decoder, name: str) -> npt.NDArray[np.float64]:
    array = decoder.table.arrays[name]
    if pa.types.is_float64(array.type):
        return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        return array.cast(pa.float64()).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    return decoder.numbers(name)


def groups_of(keys: Keys, asked: Bools | None = None) -> list[tuple[str, str, Ints | None]]:
    """Return venue, symbol and rows of every group of rows; None for rows where it is all."""
    symbol, venue = keys.symbol, keys.venue
    width = len(symbol.words) + 1
    code = (venue.codes.astype(np.int64) + 1) * width + symbol.codes + 1
    if asked is not None and not asked.all():
        code = np.where(asked, code, -1)
    found = np.flatnonzero(np.bincount(code[code >= 0])) if len(code) else code
    groups: list[tuple[str, str, Ints | None]] = []
    for one in found.tolist():
        v, s = divmod(one, width)
        mine = None if len(found) == 1 and asked is None else np.flatnonzero(code == one)
        groups.append((venue.words[v - 1] if v else "", symbol.words[s - 1] if s else "", mine))
    return groups
