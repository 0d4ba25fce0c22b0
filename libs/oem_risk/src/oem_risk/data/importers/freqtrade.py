"""What freqtrade keeps: candles as feather, trades as JSON, Kraken's trades as CSV."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather

from oem_risk.data.importers.candles import bars_from, json_rows, pair_hints, told
from oem_risk.data.importers.rows import ImportHints, Notes, cells, column, text_of, unix_times
from oem_risk.data.join import in_order
from oem_risk.data.names import symbol_of
from oem_risk.data.schema import times_of
from oem_risk.data.store import Series
from oem_risk.data.ticks import SIDES, Funding, Trades
from oem_risk.errors import DataProblem

_CANDLES = re.compile(
    r"^(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z0-9]+)(_(?P<settle>[A-Z0-9]+))?-(?P<timeframe>\d+[smhd])"
    r"(-(?P<candle>futures|mark|index|spot|funding_rate))?$"
)
_TRADES = re.compile(r"^(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z0-9]+)(_(?P<settle>[A-Z0-9]+))?-trades$")


class FreqtradeFeather:
    """Candles, mark prices and funding rates as feather; a rate stands in the column `open`."""

    name = "freqtrade_feather"

    def fits(self, path: Path) -> bool:
        return path.suffix == ".feather" and bool(_CANDLES.match(path.stem))

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        try:
            table = feather.read_table(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataProblem(
                f"not a feather file: {str(error).splitlines()[0][:120]}",
                where=str(path),
                remedy="check the path, or export the file again",
            ) from None
        wanted = ("date", "open", "high", "low", "close", "volume")
        missing = [name for name in wanted if name not in table.column_names]
        if missing or table.num_rows == 0:
            raise DataProblem(
                f"columns are missing: {', '.join(missing)}" if missing else "no rows",
                where=str(path),
                remedy="export the file again with freqtrade's own tools",
            )
        times = times_of(table.column("date"), where=str(path))
        real = [table.column(name).to_numpy().astype(np.float64) for name in wanted[1:]]
        match = _CANDLES.match(path.stem)
        if match and match["candle"] == "funding_rate":
            hints = pair_hints(hints, match)
            mark = np.full(len(times), np.nan)
            rates = Funding(hints.venue, hints.symbol, times, real[0], mark, path.name)
            return (in_order(rates),)
        columns = [times.astype(np.float64), *real]
        hints = pair_hints(hints, match)
        return (bars_from(columns, hints, Notes(), source=path.name, time_ns=times),)


class FreqtradeTrades:
    """Trades as JSON rows `[ms, id, type, side, price, amount, cost]`; an id counts once."""

    name = "freqtrade_trades"

    def fits(self, path: Path) -> bool:
        return path.suffix in (".json", ".gz") and bool(_TRADES.match(path.name.split(".")[0]))

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        rows = json_rows(path)
        short = next((i for i, row in enumerate(rows, 1) if len(row) < 6), 0)
        if short:
            raise DataProblem(
                "the row has fewer than 6 cells",
                where=f"{path.name}, row {short}",
                remedy="export the file again",
            )
        notes = Notes()
        ids = [row[1] for row in rows]
        known = {identity: place for place, identity in enumerate(ids) if identity is not None}
        if len(known) and None not in ids and len(known) < len(rows):
            notes.add(f"{len(rows) - len(known)} rows repeated an id, one of each was kept")
            rows = [rows[place] for place in sorted(known.values())]
        wrong = next((i for i, row in enumerate(rows, 1) if row[3] not in (*SIDES, None)), 0)
        if wrong:
            raise DataProblem(
                f"the side is {rows[wrong - 1][3]!r}",
                where=f"{path.name}, row {wrong}",
                remedy="sides are buy, sell or null",
            )
        match = _TRADES.match(path.name.split(".")[0])
        symbol = f"{match['base']}/{match['quote']}" if match else ""
        hints = told(hints, venue="unknown", symbol=symbol)
        trades = Trades(
            hints.venue,
            hints.symbol,
            unix_times(column(rows, 0, where=path.name), notes, where=path.name),
            column(rows, 4, where=path.name),
            column(rows, 5, where=path.name),
            np.array([row[3] for row in rows], dtype=object),
            path.name,
            notes=tuple(notes.lines),
        )
        return (in_order(trades),)


class KrakenTrades:
    """Kraken's downloadable history: `unix seconds, price, volume` without a side."""

    name = "kraken_trades"

    def fits(self, path: Path) -> bool:
        if path.suffix != ".csv" or not re.fullmatch(r"[A-Z0-9]{5,12}", path.stem):
            return False
        with path.open("rb") as stream:
            return (
                re.match(rb"^\d{9,10}(\.\d+)?,[\d.]+,[\d.]+\r?\n$", stream.readline(200))
                is not None
            )

    def read(self, path: Path, hints: ImportHints) -> tuple[Series, ...]:
        rows = cells(text_of(path).splitlines(), least=3, where=path.name)
        if not rows:
            raise DataProblem("the file has no rows", where=str(path), remedy="download it again")
        notes = Notes()
        notes.add("the source does not say who took")
        hints = told(hints, venue="kraken", symbol=hints.symbol or symbol_of(path.stem))
        trades = Trades(
            hints.venue,
            hints.symbol,
            unix_times(column(rows, 0, where=path.name), notes, where=path.name),
            column(rows, 1, where=path.name),
            column(rows, 2, where=path.name),
            np.full(len(rows), None, dtype=object),
            path.name,
            notes=tuple(notes.lines),
        )
        return (in_order(trades),)
