"""Recordings of exchanges' streams, one JSON message a line: Bybit's order books, hftbacktest."""

from __future__ import annotations

import gzip
import json
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oem_risk.data.importers.candles import told
from oem_risk.data.importers.rows import ImportHints, Notes, number, text_of
from oem_risk.data.join import in_order
from oem_risk.data.names import symbol_of
from oem_risk.data.store import Series
from oem_risk.data.ticks import BookUpdates, Quotes, Trades
from oem_risk.errors import DataProblem

_MS = 1_000_000
_OB_FILE = re.compile(r"(^|-|_)ob\d+\.data$", re.IGNORECASE)


@dataclass(slots=True)
class _Levels:
    """Rows of a book as they are read."""

    time_ns: array[int] = field(default_factory=lambda: array("q"))
    side: list[str] = field(default_factory=list)
    price: array[float] = field(default_factory=lambda: array("d"))
    size: array[float] = field(default_factory=lambda: array("d"))
    snapshot: list[bool] = field(default_factory=list)
    seq: array[int] = field(default_factory=lambda: array("q"))

    def add(
        self, time_ns: int, bids: Any, asks: Any, *, snapshot: bool, seq: int, where: str
    ) -> None:
        for side, levels in (("bid", bids), ("ask", asks)):
            if not isinstance(levels, list):
                raise _malformed("a side of the book is missing", where)
            for level in levels:
                self.time_ns.append(time_ns)
                self.side.append(side)
                self.price.append(number(level[0], where=where))
                self.size.append(number(level[1], where=where))
                self.snapshot.append(snapshot)
                self.seq.append(seq)

    def updates(self, hints: ImportHints, source: str, notes: Notes) -> BookUpdates:
        return BookUpdates(
            hints.venue,
            hints.symbol,
            np.array(self.time_ns, dtype=np.int64),
            np.array(self.side, dtype=object),
            np.array(self.price, dtype=np.float64),
            np.array(self.size, dtype=np.float64),
            np.array(self.snapshot, dtype=np.bool_),
            np.array(self.seq, dtype=np.int64),
            source,
            notes=tuple(notes.lines),
        )


class BybitBook:
    """Bybit's archive of order books: snapshots and changes; gives the best quotes as well."""

    name = "bybit_book"

    def fits(self, path: Path) -> bool:
        return bool(_OB_FILE.search(path.name.removesuffix(".zip").removesuffix(".gz")))

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        levels, tops = _Levels(), _Tops()
        symbol = ""
        book: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}
        for place, message in _messages(path):
            data = message.get("data")
            if not isinstance(data, dict) or message.get("type") not in ("snapshot", "delta"):
                raise _malformed("the message is no snapshot and no change", place)
            snapshot = message["type"] == "snapshot"
            symbol = symbol or str(data.get("s", ""))
            time_ns = int(number(message.get("ts"), where=place)) * _MS
            levels.add(
                time_ns, data.get("b"), data.get("a"), snapshot=snapshot,
                seq=int(data.get("seq", -1)), where=place,
            )  # fmt: skip
            _apply(book, data, snapshot=snapshot)
            tops.add(time_ns, book)
        notes = Notes()
        if not hints.venue:
            notes.add("the file does not tell spot from futures, spot was taken")
        hints = told(hints, venue="bybit", symbol=hints.symbol or symbol_of(symbol))
        updates = levels.updates(hints, path.name, notes)
        return (in_order(updates), in_order(tops.quotes(hints, path.name)))


@dataclass(slots=True)
class _Tops:
    """Best quotes, written where they change."""

    rows: list[tuple[int, float, float, float, float]] = field(default_factory=list)

    def add(self, time_ns: int, book: dict[str, dict[float, float]]) -> None:
        if not book["bid"] or not book["ask"]:
            return
        bid, ask = max(book["bid"]), min(book["ask"])
        top = (bid, book["bid"][bid], ask, book["ask"][ask])
        if not self.rows or self.rows[-1][1:] != top:
            self.rows.append((time_ns, *top))

    def quotes(self, hints: ImportHints, source: str) -> Quotes:
        times = np.array([row[0] for row in self.rows], dtype=np.int64)
        bid, bid_size, ask, ask_size = _four(self.rows)
        notes = ("best bid and ask of the book after each message",)
        return Quotes(
            hints.venue, hints.symbol, times, bid, bid_size, ask, ask_size, source, notes=notes
        )


def _apply(book: dict[str, dict[float, float]], data: dict[str, Any], *, snapshot: bool) -> None:
    for side, key in (("bid", "b"), ("ask", "a")):
        if snapshot:
            book[side].clear()
        for price, size in data[key]:
            if float(size) == 0:
                book[side].pop(float(price), None)
            else:
                book[side][float(price)] = float(size)


class HftBacktest:
    """hftbacktest's raw recordings of Binance: `receive_ns JSON` a line, streams mixed.

    Trades and book changes carry the exchange's time; spot's best quotes carry none and are
    stamped when they were received. The notes tell by how much the recorder's clock was off.
    """

    name = "hftbacktest"

    def fits(self, path: Path) -> bool:
        if path.suffix != ".gz" or path.name.endswith((".json.gz", ".csv.gz")):
            return False
        try:
            with gzip.open(path) as stream:
                return re.match(rb"^\d{19} \{", stream.read(40)) is not None
        except (OSError, EOFError):
            return False

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        recording = _Recording(path.name)
        for line_number, line in enumerate(text_of(path).splitlines(), 1):
            place = f"{path.name}, line {line_number}"
            stamp, _, body = line.partition(" ")
            if not stamp.isdecimal():
                raise _malformed("the line does not start with a receive time", place)
            recording.take(int(stamp), _object(body, place), place)
        return recording.series(hints)


class _Recording:
    def __init__(self, source: str) -> None:
        self._source = source
        self._symbol = ""
        self._quotes: list[tuple[int, float, float, float, float]] = []
        self._trades: dict[int, tuple[int, float, float, str]] = {}
        self._lags_ns: list[int] = []
        self._snapshot: tuple[int, dict[str, Any], str] | None = None
        self._changes: list[tuple[int, dict[str, Any], str]] = []
        self._again = 0

    def take(self, received_ns: int, message: dict[str, Any], place: str) -> None:
        if "lastUpdateId" in message:
            self._snapshot = self._snapshot or (received_ns // _MS * _MS, message, place)
            return
        data = message.get("data")
        stream = str(message.get("stream", ""))
        if not isinstance(data, dict):
            raise _malformed("the message has no data", place)
        self._symbol = self._symbol or str(data.get("s", ""))
        if "depth" in stream:
            self._depth(received_ns, data, place)
        elif stream.endswith("@trade"):
            self._trade(received_ns, data, place)
        elif stream.endswith("@bookTicker"):
            sent = data.get("E")
            time_ns = received_ns if sent is None else int(sent) * _MS
            real = [number(data.get(key), where=place) for key in ("b", "B", "a", "A")]
            self._quotes.append((time_ns, real[0], real[1], real[2], real[3]))

    def _depth(self, received_ns: int, data: dict[str, Any], place: str) -> None:
        time_ns = int(number(data.get("E"), where=place)) * _MS
        self._lags_ns.append(received_ns - time_ns)
        self._changes.append((time_ns, data, place))

    def _book(self, hints: ImportHints, notes: Notes) -> BookUpdates | None:
        """The snapshot is asked for while changes come in: those it holds already are left out."""
        if self._snapshot is None:
            if self._changes:
                notes.add("changes of a book without a snapshot were left out")
            return None
        received_ns, snapshot, place = self._snapshot
        held = int(snapshot["lastUpdateId"])
        kept = [change for change in self._changes if int(change[1].get("u", -1)) > held]
        if len(kept) < len(self._changes):
            notes.add(f"{len(self._changes) - len(kept)} changes older than the snapshot left out")
        levels = _Levels()
        # the snapshot carries no time: it holds just before the first change on top of it
        at_ns = kept[0][0] if kept else received_ns
        levels.add(
            at_ns, snapshot.get("bids"), snapshot.get("asks"), snapshot=True, seq=held, where=place
        )
        for time_ns, data, where in kept:
            levels.add(
                time_ns, data.get("b"), data.get("a"), snapshot=False, seq=int(data["u"]),
                where=where,
            )  # fmt: skip
        return levels.updates(hints, self._source, notes)

    def _trade(self, received_ns: int, data: dict[str, Any], place: str) -> None:
        time_ns = int(number(data.get("T"), where=place)) * _MS
        self._lags_ns.append(received_ns - time_ns)
        identity = int(number(data.get("t"), where=place))
        if identity in self._trades:
            self._again += 1
            return
        # m: the buyer was the maker, so the seller took
        side = "sell" if data.get("m") else "buy"
        price, size = (number(data.get(key), where=place) for key in ("p", "q"))
        self._trades[identity] = (time_ns, price, size, side)

    def series(self, hints: ImportHints) -> tuple[Series, ...]:
        hints = told(hints, venue="binance", symbol=hints.symbol or symbol_of(self._symbol))
        notes = Notes()
        if self._lags_ns:
            lag_ms = float(np.median(self._lags_ns)) / _MS
            notes.add(f"the recorder's clock stands {lag_ms:+.0f} ms to the exchange's (median)")
        of_book = Notes(list(notes.lines))
        book = self._book(hints, of_book)
        if book is None:
            notes = of_book
        found: list[Series] = []
        if self._trades:
            found.append(in_order(self._trades_of(hints, notes)))
        if self._quotes:
            found.append(in_order(self._quotes_of(hints, notes)))
        if book is not None:
            found.append(in_order(book))
        if not found:
            raise DataProblem(
                "the recording holds no trade, quote or book", where=self._source,
                remedy="name a recording of Binance's trade, bookTicker or depth streams",
            )  # fmt: skip
        return tuple(found)

    def _trades_of(self, hints: ImportHints, notes: Notes) -> Trades:
        rows = list(self._trades.values())
        again = (f"{self._again} trades were recorded twice, one of each was kept",)
        return Trades(
            hints.venue,
            hints.symbol,
            np.array([row[0] for row in rows], dtype=np.int64),
            np.array([row[1] for row in rows], dtype=np.float64),
            np.array([row[2] for row in rows], dtype=np.float64),
            np.array([row[3] for row in rows], dtype=object),
            self._source,
            notes=(*notes.lines, *(again if self._again else ())),
        )

    def _quotes_of(self, hints: ImportHints, notes: Notes) -> Quotes:
        bid, bid_size, ask, ask_size = _four(self._quotes)
        times = np.array([row[0] for row in self._quotes], dtype=np.int64)
        stamped = ("quotes without an exchange time carry the recorder's",)
        return Quotes(
            hints.venue, hints.symbol, times, bid, bid_size, ask, ask_size, self._source,
            notes=(*notes.lines, *stamped),
        )  # fmt: skip


def _four(rows: list[tuple[int, float, float, float, float]]) -> list[NDArray[np.float64]]:
    return [np.array([row[i] for row in rows], dtype=np.float64) for i in range(1, 5)]


def _messages(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for line_number, line in enumerate(text_of(path).splitlines(), 1):
        place = f"{path.name}, line {line_number}"
        yield place, _object(line, place)


def _object(text: str, place: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"not JSON: {error}", place) from None
    if not isinstance(message, dict):
        raise _malformed("not a JSON object", place)
    return message


def _malformed(what: str, where: str) -> DataProblem:
    return DataProblem(what, where=where, remedy="download or record the file again: it was cut")
