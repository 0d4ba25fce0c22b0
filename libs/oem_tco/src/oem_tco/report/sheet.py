"""Tables for auditors: typed columns, one CSV form, control totals that anyone can add up again.

The form is RFC 4180: CRLF line ends, a header, fields quoted where they must be. Numbers are exact
decimals with a point and no exponent. No text cell can be taken for a formula by a spreadsheet.
"""

from __future__ import annotations

import csv
import enum
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from oem_security.clock import parse_rfc3339, rfc3339
from oem_tco.errors import ReportError
from oem_tco.money import from_minor_text, minor_text

TOTAL = "TOTAL"
DIGEST_MARK = "csv-sha384="
"""Stands before the CSV's digest in the metadata of its PDF."""
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n", "|", "%", "'")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Kind(enum.StrEnum):
    """What the cells of a column hold."""

    TEXT = "text"
    INTEGER = "integer"
    AMOUNT = "amount"
    """Minor units of the row's currency, written with all 8 decimals."""
    QUANTITY = "quantity"
    """An exact decimal."""
    NUMBER = "number"
    """A rounded figure with 6 decimals."""
    TIME = "time"
    """UTC nanoseconds, written as RFC 3339."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Header; the unit is its last word where it has one (`_bps`, `_quote`, `_utc`).
        kind: What its cells hold.
        unit: Unit in words for the reference.
        summed: Whether the TOTAL lines add it up.
    """

    name: str
    kind: Kind = Kind.TEXT
    unit: str = ""
    summed: bool = False


Cell = str | int | float | Decimal | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with its control totals.

    Attributes:
        columns: The columns, in order; the first is a text that names the row.
        rows: Cells by column, None where there is nothing.
        currency: Column whose values the totals are kept apart by; empty for one total.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    currency: str = ""

    def controls(self) -> dict[str, dict[str, int]]:
        """Return the sums of every summed column, by currency; integers or minor units."""
        place = self.place(self.currency) if self.currency else None
        summed = [(i, c.name) for i, c in enumerate(self.columns) if c.summed]
        found: dict[str, dict[str, int]] = {} if self.currency else {"": {n: 0 for _, n in summed}}
        for row in self.rows:
            key = "" if place is None else str(row[place])
            sums = found.setdefault(key, {name: 0 for _, name in summed})
            for i, name in summed:
                value = row[i]
                sums[name] += value if isinstance(value, int) else 0
        return dict(sorted(found.items()))

    def place(self, name: str) -> int:
        """Return the position of a column."""
        return next(i for i, column in enumerate(self.columns) if column.name == name)


def sheet_csv(sheet: Sheet) -> bytes:
    """Return the CSV of a sheet: header, rows, and one TOTAL line for each currency."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([column.name for column in sheet.columns])
    for row in sheet.rows:
        writer.writerow([_text(c, v) for c, v in zip(sheet.columns, row, strict=True)])
    for currency, sums in sheet.controls().items():
        cells = [_text(c, sums[c.name]) if c.summed else "" for c in sheet.columns]
        cells[0] = TOTAL
        if sheet.currency:
            cells[sheet.place(sheet.currency)] = safe(currency)
        writer.writerow(cells)
    return buffer.getvalue().encode()


def read_csv(data: bytes, columns: Sequence[Column], currency: str, where: str) -> Sheet:
    """Return the sheet of `sheet_csv`'s bytes, every control total checked.

    Args:
        data: The file's content.
        columns: The columns it must have.
        currency: Column that its totals are kept apart by; empty for one total.
        where: File name for errors.

    Raises:
        ReportError: A header, cell or total is not what it must be; the line is named.
    """
    try:
        lines = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise wrong(f"not a CSV report: {error}", where) from None
    if not lines or lines[0] != [column.name for column in columns]:
        raise wrong("the columns are not those of this report", f"{where}:1")
    rows = []
    totals: dict[str, list[str]] = {}
    place = next((i for i, c in enumerate(columns) if c.name == currency), None)
    for number, cells in enumerate(lines[1:], start=2):
        spot = f"{where}:{number}"
        if len(cells) != len(columns):
            raise wrong(f"{len(cells)} cells, not {len(columns)}", spot)
        if cells[0] == TOTAL:
            totals[unsafe(cells[place]) if place is not None else ""] = cells
        elif totals:
            raise wrong("a row after the totals", spot)
        else:
            rows.append(tuple(_value(c, v, spot) for c, v in zip(columns, cells, strict=True)))
    sheet = Sheet(tuple(columns), tuple(rows), currency)
    controls = sheet.controls()
    if list(controls) != list(totals):
        raise wrong("a total is missing, or one too many", f"{where}:{len(lines)}")
    for key, sums in controls.items():
        for i, column in enumerate(columns):
            if column.summed and totals[key][i] != _text(column, sums[column.name]):
                raise wrong(
                    f"column {column.name} does not sum to its total", f"{where}:{len(lines)}"
                )
    return sheet


def controls_text(sheet: Sheet) -> dict[str, dict[str, str]]:
    """Return the control totals as the seal states them: exact texts."""
    kinds = {column.name: column for column in sheet.columns}
    return {
        currency: {name: _text(kinds[name], value) for name, value in sums.items()}
        for currency, sums in sheet.controls().items()
    }


def safe(text: str) -> str:
    r"""Return text that no spreadsheet takes for a formula, and that stays on the page.

    A text that begins like a formula, or with an apostrophe, has an apostrophe put before it
    (OWASP, CSV injection); characters that no CSV reader agrees on are written as `\xNN`.

    Example:
        >>> safe("=1+2"), safe("BTC/USDT")
        ("'=1+2", 'BTC/USDT')
    """
    text = visible(text)
    plain = text.lstrip(" \u00a0\ufeff")
    return f"'{text}" if plain.startswith(_FORMULA) or text == TOTAL else text


def visible(text: str) -> str:
    r"""Return text with its control characters and lone surrogates written as `\xNN`."""
    return _CONTROL.sub(lambda m: f"\\x{ord(m.group()):02x}", text)


def unsafe(text: str) -> str:
    """Return the text that `safe` was given, control characters excepted."""
    return text.removeprefix("'")


def wrong(what: str, where: str) -> ReportError:
    """Return the error of a report whose content does not hold."""
    return ReportError(what, where=where, remedy="write the report again from its inputs")


def _text(column: Column, value: Cell) -> str:
    if value is None:
        return ""
    match column.kind:
        case Kind.AMOUNT if isinstance(value, int):
            return minor_text(value)
        case Kind.TIME if isinstance(value, int):
            return rfc3339(value)
        case Kind.QUANTITY if isinstance(value, Decimal):
            return format(value, "f")
        case Kind.NUMBER if isinstance(value, int | float):
            return f"{value:.6f}" if math.isfinite(value) else ""
        case Kind.INTEGER if isinstance(value, int):
            return str(value)
        case _:
            return safe(str(value))


def _value(column: Column, text: str, where: str) -> Cell:
    if text == "":
        return None
    try:
        value = _READ[column.kind](text)
        # one value has one text: `1_0`, ` 1` and a formula without its apostrophe are none
        if _text(column, value) != text:
            raise ValueError
    except (ValueError, ArithmeticError):
        raise wrong(f"column {column.name} holds {text!r}", where) from None
    return value


_READ: dict[Kind, Callable[[str], Cell]] = {
    Kind.TEXT: unsafe,
    Kind.INTEGER: int,
    Kind.AMOUNT: from_minor_text,
    Kind.QUANTITY: Decimal,
    Kind.NUMBER: float,
    Kind.TIME: parse_rfc3339,
}


def cells_of(columns: Sequence[Column], values: Mapping[str, Cell]) -> tuple[Cell, ...]:
    """Return a row from values by column name; every column must be named."""
    return tuple(values[column.name] for column in columns)


def names_csv(pdf: bytes, csv_sha384: str) -> bool:
    """Return whether a report's PDF names this CSV in its own metadata."""
    return f"{DIGEST_MARK}{csv_sha384}".encode() in pdf
