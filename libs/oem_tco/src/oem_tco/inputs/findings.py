"""What was wrong with the input, where, and what was done about it."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oem_tco.inputs.schema import TableName

Rows = npt.NDArray[np.int64]


class FindingCode(enum.StrEnum):
    """Everything an input can be found guilty of."""

    MISSING_VALUE = "missing_value"
    """A cell that must be filled is empty."""
    BAD_VALUE = "bad_value"
    """A cell that is no number, no instant, or has more decimals than 18."""
    NOT_POSITIVE = "not_positive"
    """A price, quantity, volume or rate that is zero or negative."""
    UNKNOWN_WORD = "unknown_word"
    """A word outside the closed set of its column."""
    DUPLICATE_FILL = "duplicate_fill"
    """The same fill reported again, all columns alike."""
    CONFLICTING_FILL = "conflicting_fill"
    """Two rows of one fill id that differ."""
    DUPLICATE_ORDER = "duplicate_order"
    """The same order row again."""
    CONFLICTING_ORDER = "conflicting_order"
    """Two rows of one order differ, and no revision says which is newer."""
    FILL_WITHOUT_ORDER = "fill_without_order"
    """A fill of an order that is not in the table."""
    REFUSED_FILL = "refused_fill"
    """An order one of whose fills cannot be used."""
    OVERFILLED_ORDER = "overfilled_order"
    """More was filled than ordered."""
    NO_DECISION_PRICE = "no_decision_price"
    """An order without the mid at its decision."""
    NO_ARRIVAL_TIME = "no_arrival_time"
    """An order that does not say when it reached the market."""
    NO_ARRIVAL_PRICE = "no_arrival_price"
    """An order without the mid at its arrival."""
    NO_END_PRICE = "no_end_price"
    """An order with an unfilled part and no last price."""
    NO_LIQUIDITY = "no_liquidity"
    """A fill that does not say whether it was maker or taker."""
    NO_QUOTE = "no_quote"
    """A fill before which there is no quote."""
    STALE_QUOTE = "stale_quote"
    """The last quote before a fill is too old to count."""
    CROSSED_QUOTE = "crossed_quote"
    """Bid above ask, or a side that is not positive."""
    TIED_QUOTES = "tied_quotes"
    """Several quotes at the instant that counts, and no seq that orders them."""
    NO_FEE = "no_fee"
    """A fill without a fee."""
    NO_SCHEDULE = "no_schedule"
    """A fee that had to be estimated, and no schedule, or a gap in it."""
    UNKNOWN_FEE_ASSET = "unknown_fee_asset"
    """A fee in an asset for which there is no rate at the time."""
    STALE_RATE = "stale_rate"
    """The rate of a fee asset is older than allowed."""
    CLOCK_SKEW = "clock_skew"
    """Times in an order that cannot be: a fill before its order arrived, an end before a fill."""
    FUNDING_JITTER = "funding_jitter"
    """A settlement that is not stamped on the full minute."""
    FUNDING_DUPLICATE = "funding_duplicate"
    """A settlement published twice."""
    FUNDING_CONFLICT = "funding_conflict"
    """Two settlements at one instant that differ in rate or mark."""
    NO_MARK = "no_mark"
    """A settlement without a mark price."""
    NO_FUNDING = "no_funding"
    """An order of a perpetual contract for which no settlement is in the table."""
    NO_BENCHMARK = "no_benchmark"
    """A benchmark price that the tables do not give."""
    TOO_LARGE = "too_large"
    """An amount of more than 20 billion quote units in one fill or order."""
    WRONG_SETTLEMENT = "wrong_settlement"
    """An inverse contract whose currency is not the base asset, in which it settles."""
    MIXED_CURRENCIES = "mixed_currencies"
    """Amounts in several currencies; they are grouped by currency, never added."""


class Treatment(enum.StrEnum):
    """What was done about a finding."""

    REFUSED = "refused"
    """The rows are not costed."""
    LEFT_OUT = "left_out"
    """The rows are ignored; what they repeat or belong to is not touched."""
    FALLBACK = "fallback"
    """The rows are costed by the fallback that the text states."""
    NOTED = "noted"
    """Nothing is changed by it."""


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One thing found in one table.

    Attributes:
        code: What.
        treatment: What was done.
        table: Where.
        column: Column, empty where it is about the row.
        text: What it means for the costs, in words.
        rows: Positions in the table as it was given, counted from 0, ascending.
        names: Id of each row, or what names it.
    """

    code: FindingCode
    treatment: Treatment
    table: TableName
    column: str
    text: str
    rows: Rows
    names: pa.Array

    def __str__(self) -> str:
        shown = [
            f"{row} ({name})" if name else str(row)
            for row, name in zip(self.rows[:5].tolist(), self.names[:5].to_pylist(), strict=True)
        ]
        more = f" and {len(self.rows) - 5} more" if len(self.rows) > 5 else ""
        place = f"{self.table.value}.{self.column}" if self.column else self.table.value
        return (
            f"{place}: {self.code.value.replace('_', ' ')}, {self.treatment.value}: {self.text}; "
            f"row {', '.join(shown)}{more}"
        )


class Findings:
    """Collects findings; empty ones are dropped."""

    def __init__(self, found: Iterable[Finding] = ()) -> None:
        self._found = list(found)

    def add(
        self,
        code: FindingCode,
        treatment: Treatment,
        table: TableName,
        column: str,
        text: str,
        rows: npt.NDArray[np.integer],
        names: pa.Array | None = None,
    ) -> None:
        """Remember a finding of some rows; `names` has one entry a row."""
        if not len(rows):
            return
        order = np.argsort(rows, kind="stable")
        known = (
            pa.array([""] * len(rows), pa.string())
            if names is None
            else names.take(pa.array(order))
        )
        self._found.append(
            Finding(code, treatment, table, column, text, rows[order].astype(np.int64), known)
        )

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.sorted())

    def sorted(self) -> tuple[Finding, ...]:
        """Return all findings by table, code, column and text, each row once in each of them."""
        alike: dict[tuple[str, ...], list[Finding]] = {}
        for found in self._found:
            key = (found.table.value, found.code.value, found.column, found.text, found.treatment)
            alike.setdefault(key, []).append(found)
        return tuple(_merged(alike[key]) for key in sorted(alike))

    def table(self) -> pa.Table:
        """Return one line a row and finding: code, treatment, table, column, row, name, text."""
        found = self.sorted()
        counts = [len(f.rows) for f in found]
        columns: dict[str, pa.Array] = {}
        for name in ("code", "treatment", "table", "column", "text"):
            words = [str(getattr(f, name)) for f in found]
            columns[name] = pa.array(np.repeat(np.array(words, dtype=object), counts), pa.string())
        rows = [f.rows for f in found]
        columns["row"] = pa.array(np.concatenate(rows) if rows else [], pa.int64())
        names = [f.names.cast(pa.string()) for f in found]
        columns["name"] = pa.concat_arrays(names) if names else pa.array([], pa.string())
        return pa.table(columns)


def _merged(found: list[Finding]) -> Finding:
    """Return findings that say the same as one."""
    if len(found) == 1:
        return found[0]
    rows, first = np.unique(np.concatenate([f.rows for f in found]), return_index=True)
    names = pa.concat_arrays([f.names.cast(pa.string()) for f in found]).take(pa.array(first))
    return replace(found[0], rows=rows, names=names)
