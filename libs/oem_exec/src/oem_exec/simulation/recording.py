"""Recorded markets from Parquet files, as events in whole ticks and lots, in order of time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from oem_exec.errors import BadSettings
from oem_exec.model.enums import Side
from oem_exec.model.instrument import Instrument
from oem_exec.model.market import Candle

if TYPE_CHECKING:
    import pyarrow as pa

_OFF_TICK = 1e-4
"""Share of a tick by which a recorded price may miss one: floats, nothing more."""


@dataclass(frozen=True, slots=True)
class BookUpdates:
    """Level updates that the venue sent together: absolute lots at ticks, 0 removes a level."""

    time_ns: int
    snapshot: bool
    are_bids: Sequence[bool]
    ticks: Sequence[int]
    lots: Sequence[int]


@dataclass(frozen=True, slots=True)
class Print:
    """One trade of others: ticks, lots, and who was the aggressor."""

    time_ns: int
    ticks: int
    lots: int
    aggressor: Side


@dataclass(frozen=True, slots=True)
class Touch:
    """The best level of each side: ticks and lots."""

    time_ns: int
    bid: int
    bid_lots: int
    ask: int
    ask_lots: int


@dataclass(frozen=True, slots=True)
class BarClose:
    """A bar at the moment of its close."""

    time_ns: int
    candle: Candle


@dataclass(frozen=True, slots=True)
class FundingSettled:
    """A funding settlement; without a mark price the venue's last price stands in."""

    time_ns: int
    rate: Decimal
    mark: Decimal | None


MarketEvent = BookUpdates | Print | Touch | BarClose | FundingSettled
_ORDER = {FundingSettled: 0, Print: 1, BookUpdates: 2, Touch: 2, BarClose: 3}
"""At one time: funding before trades, trades before the book that shows what they left."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The events of one symbol, oldest first.

    Attributes:
        instrument: The symbol with the tick and lot that the events are counted in.
        events: What happened.
    """

    instrument: Instrument
    events: tuple[MarketEvent, ...]

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    @property
    def shows_book(self) -> bool:
        """Return whether the recording has books, quotes or bars, or trades alone."""
        return any(not isinstance(one, Print | FundingSettled) for one in self.events)


def read_recording(
    instrument: Instrument,
    *,
    books: Path | None = None,
    trades: Path | None = None,
    quotes: Path | None = None,
    bars: Path | None = None,
    funding: Path | None = None,
) -> Recording:
    """Read Parquet files of one symbol and merge them by time.

    Args:
        instrument: The symbol; its tick must divide every recorded price.
        books: timestamp, side (bid, ask), price, size (absolute, 0 deletes), is_snapshot.
        trades: timestamp, price, size, side of the aggressor.
        quotes: timestamp, bid, bid_size, ask, ask_size.
        bars: timestamp of the opening, open, high, low, close, volume; evenly spaced.
        funding: timestamp, rate, mark.

    Raises:
        BadSettings: A file or column is missing, a number is not usable, or prices are finer than
            the tick.
    """
    events: list[MarketEvent] = []
    if books is not None:
        events += _books(_Columns(books, "side", "price", "size", "is_snapshot"), instrument)
    if trades is not None:
        events += _prints(_Columns(trades, "price", "size", "side"), instrument)
    if quotes is not None:
        events += _touches(_Columns(quotes, "bid", "bid_size", "ask", "ask_size"), instrument)
    if bars is not None:
        events += _bars(_Columns(bars, "open", "high", "low", "close", "volume"))
    if funding is not None:
        events += _fundings(_Columns(funding, "rate", "mark"))
    if not events:
        raise BadSettings("nothing is recorded", where=instrument.symbol, remedy="name a file")
    events.sort(key=lambda event: (event.time_ns, _ORDER[type(event)]))
    return Recording(instrument, tuple(events))


class _Columns:
    """The columns of one file, checked."""

    def __init__(self, path: Path, *names: str) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise BadSettings(
                "pyarrow is not installed", where=str(path), remedy="install oem-exec[parquet]"
            ) from error
        self.path = path
        columns = ["timestamp", *names]
        try:
            known = set(pq.read_schema(path).names)
            self.table: pa.Table = pq.read_table(path, columns=[n for n in columns if n in known])
        except (OSError, pa.ArrowException) as error:
            raise BadSettings(
                f"the recording cannot be read: {str(error)[:200]}",
                where=str(path),
                remedy="name a Parquet file",
            ) from error
        if missing := [name for name in columns if name not in known]:
            raise BadSettings(
                f"no column {', '.join(missing)}",
                where=str(path),
                remedy=f"give timestamp, {', '.join(names)}",
            )

    def times(self) -> list[int]:
        """Return the timestamps as UTC nanoseconds."""
        import pyarrow as pa

        column = self.table["timestamp"]
        if not pa.types.is_timestamp(column.type):
            raise self._bad("timestamp", "is not a time")
        if column.null_count:
            raise self._bad("timestamp", "is missing in a row")
        in_ns = column.cast(pa.timestamp("ns", tz=column.type.tz))
        return _values(in_ns.cast(pa.int64()), "q")

    def numbers(self, name: str) -> list[float]:
        """Return a column of finite numbers."""
        return _values(self._finite(name), "d")

    def steps(self, name: str, step: Decimal) -> list[int]:
        """Return a column of prices as whole steps; raises when a price lies between two."""
        import pyarrow as pa
        import pyarrow.compute as pc

        exact = pc.divide(self._finite(name), float(step))
        found = pc.round(exact)
        missed = pc.greater(pc.abs(pc.subtract(exact, found)), _OFF_TICK)
        wrong = pc.index(pc.or_(missed, pc.less_equal(found, 0.0)), value=True).as_py()
        if wrong >= 0:
            price = self.table[name][wrong].as_py()
            raise self._bad(name, f"{price!r} is no multiple of {step} above 0")
        return _values(found.cast(pa.int64()), "q")

    def sizes(self, name: str, step: Decimal) -> list[int]:
        """Return a column of sizes as whole lots; a size below one lot counts as one."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = self._finite(name)
        if len(values) and pc.min(values).as_py() < 0:
            raise self._bad(name, "is below 0")
        lots = pc.round(pc.divide(values, float(step)))
        some = pc.and_(pc.equal(lots, 0.0), pc.greater(values, 0.0))
        return _values(pc.if_else(some, 1.0, lots).cast(pa.int64()), "q")

    def sides(self, first: str, second: str) -> list[bool]:
        """Return whether each side begins with the letter `first`; the other is `second`."""
        import pyarrow as pa

        column = self.table["side"]
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        column = column.unify_dictionaries()
        if not column.num_chunks:
            return []
        flags = []
        for word in column.chunk(0).dictionary.to_pylist():
            letter = str(word)[:1].lower()
            if letter not in {first, second}:
                raise self._bad("side", f"holds {word!r}; use bid and ask, or buy and sell")
            flags.append(letter == first)
        if column.null_count:
            raise self._bad("side", "is missing in a row")
        return [
            flags[index]
            for chunk in column.chunks
            for index in _values(chunk.indices.cast(pa.int64()), "q")
        ]

    def texts(self, name: str) -> list[Any]:
        """Return a column as it is."""
        found: list[Any] = self.table[name].to_pylist()
        return found

    def flags(self, name: str) -> list[int]:
        """Return a column of truth values as 0 and 1."""
        import pyarrow as pa

        column = self.table[name]
        if not pa.types.is_boolean(column.type) or column.null_count:
            raise self._bad(name, "is not true or false in every row")
        return _values(column.cast(pa.int64()), "q")

    def _finite(self, name: str) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            column = self.table[name].cast(pa.float64())
        except pa.ArrowException as error:
            raise self._bad(name, "is not a number") from error
        if column.null_count or not pc.all(pc.is_finite(column), min_count=0).as_py():
            raise self._bad(name, "holds something that is not a finite number")
        return column

    def _bad(self, name: str, what: str) -> BadSettings:
        return BadSettings(
            f"column {name}: {what}",
            where=str(self.path),
            remedy="correct the file, or the instrument's tick and lot",
        )


def _values(column: Any, code: Literal["q", "d"]) -> list[Any]:
    """Return the numbers of a column without nulls; `code` is their type as `struct` names it."""
    chunks = getattr(column, "chunks", [column])
    found: list[Any] = []
    for chunk in chunks:
        if len(chunk):
            plain = memoryview(chunk.buffers()[1]).cast("B").cast(code)
            found += plain[chunk.offset : chunk.offset + len(chunk)].tolist()
    return found


def _books(columns: _Columns, instrument: Instrument) -> Iterator[BookUpdates]:
    times = columns.times()
    are_bids = columns.sides("b", "a")
    ticks = columns.steps("price", instrument.tick_size)
    lots = columns.sizes("size", instrument.lot_size)
    snapshots = columns.flags("is_snapshot")
    start = 0
    for (time_ns, snapshot), together in itertools.groupby(zip(times, snapshots, strict=True)):
        end = start + sum(1 for _ in together)
        part = slice(start, end)
        yield BookUpdates(time_ns, bool(snapshot), are_bids[part], ticks[part], lots[part])
        start = end


def _prints(columns: _Columns, instrument: Instrument) -> Iterator[Print]:
    for time_ns, ticks, lots, buys in zip(
        columns.times(),
        columns.steps("price", instrument.tick_size),
        columns.sizes("size", instrument.lot_size),
        columns.sides("b", "s"),
        strict=True,
    ):
        yield Print(time_ns, ticks, lots, Side.BUY if buys else Side.SELL)


def _touches(columns: _Columns, instrument: Instrument) -> Iterator[Touch]:
    yield from map(
        Touch,
        columns.times(),
        columns.steps("bid", instrument.tick_size),
        columns.sizes("bid_size", instrument.lot_size),
        columns.steps("ask", instrument.tick_size),
        columns.sizes("ask_size", instrument.lot_size),
    )


def _bars(columns: _Columns) -> Iterator[BarClose]:
    times = columns.times()
    gaps = [after - before for before, after in itertools.pairwise(times)]
    if min(gaps, default=1) <= 0:
        raise BadSettings(
            "bars are not in order of time", where=str(columns.path), remedy="sort them"
        )
    interval = min(gaps, default=60_000_000_000)
    names = ("open", "high", "low", "close", "volume")
    for time_ns, *values in zip(times, *map(columns.numbers, names), strict=True):
        o, h, low, c, volume = (Decimal(repr(value)) for value in values)
        if not 0 < low <= min(o, c) <= max(o, c) <= h or volume < 0:
            raise BadSettings(
                f"a bar of {o}, {h}, {low}, {c}, volume {volume}",
                where=str(columns.path),
                remedy="correct the file: low <= open, close <= high, all above 0",
            )
        yield BarClose(time_ns + interval, Candle(time_ns, o, h, low, c, volume, interval))


def _fundings(columns: _Columns) -> Iterator[FundingSettled]:
    for time_ns, rate, mark in zip(
        columns.times(), columns.numbers("rate"), columns.texts("mark"), strict=True
    ):
        known = mark is not None and mark > 0
        yield FundingSettled(
            time_ns, Decimal(repr(rate)), Decimal(repr(float(mark))) if known else None
        )
