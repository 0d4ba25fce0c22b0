"""Cells of a column as numbers, with every bad cell named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oem_tco.errors import InputError
from oem_tco.inputs.findings import FindingCode, Findings, Rows, Treatment
from oem_tco.inputs.fixed import Bools, Fixed, decode_fixed, empty_fixed
from oem_tco.inputs.read import InputTable
from oem_tco.inputs.schema import SCHEMAS, Column, Presence

LATEST_NS = 4_500_000_000 * 10**9
"""Instants further from 1970, either way, are refused: differences of all others fit an int64."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A text column of few values: `words[codes[i]]`, words ascending, some perhaps unused.

    Attributes:
        codes: int32 positions in `words`; -1 where the cell is empty.
        words: The values that may occur.
    """

    codes: npt.NDArray[np.int32]
    words: tuple[str, ...]

    def take(self, rows: npt.NDArray[np.integer]) -> Coded:
        return Coded(self.codes[rows], self.words)

    @property
    def empty(self) -> Bools:
        """Which cells are empty."""
        return self.codes < 0

    def text(self, row: int) -> str:
        """Return one cell, empty text where there is none."""
        code = int(self.codes[row])
        return self.words[code] if code >= 0 else ""

    def lower(self) -> Coded:
        """Return the same column in lower case; venues write their words in any."""
        words = tuple(sorted({word.lower() for word in self.words}))
        if words == self.words:
            return self
        moved = np.array([*(words.index(w.lower()) for w in self.words), -1], np.int32)
        return Coded(moved[self.codes], words)

    def lookup(self, values: dict[str, Any], otherwise: Any) -> npt.NDArray[Any]:
        """Return a value for every row, by its word."""
        known = [values.get(word, otherwise) for word in self.words]
        return np.array([*known, values.get("", otherwise)])[self.codes]


class Decoder:
    """Reads the columns of one table and collects what is wrong with their cells.

    Args:
        table: The table.
        findings: Where bad cells are named.
        names: What names a row in findings, one text a row; None for its position alone.
    """

    def __init__(self, table: InputTable, findings: Findings, names: pa.Array | None) -> None:
        self.table = table
        self._findings = findings
        self._names = names
        self._schema = SCHEMAS[table.name]
        self.refused: Bools = np.zeros(table.rows, np.bool_)

    def refuse(self, code: FindingCode, column: str, text: str, rows: Rows) -> None:
        """Name rows that are not costed."""
        self.note(code, Treatment.REFUSED, column, text, rows)
        self.refused[rows] = True

    def note_where(
        self, code: FindingCode, treatment: Treatment, column: str, text: str, mask: Bools
    ) -> None:
        """Name the rows of a mask."""
        if mask.any():
            self.note(code, treatment, column, text, np.flatnonzero(mask))

    def note(
        self, code: FindingCode, treatment: Treatment, column: str, text: str, rows: Rows
    ) -> None:
        """Name rows and what was done about them."""
        if not len(rows):
            return
        names = None if self._names is None else self._names.take(pa.array(rows))
        if self.table.positions is not None:
            rows = self.table.positions[rows]
        self._findings.add(code, treatment, self.table.name, column, text, rows, names)

    def fixed(self, name: str, rows: Rows | None = None) -> Fixed:
        """Return a decimal column, or some rows of it."""
        column, array = self._array(name)
        if array is None:
            return empty_fixed(self.table.rows if rows is None else len(rows))
        array = array if rows is None else array.take(pa.array(rows))
        values, bad = decode_fixed(array)
        at = (lambda mask: np.flatnonzero(mask)) if rows is None else (lambda mask: rows[mask])
        if bad.any():
            self.refuse(FindingCode.BAD_VALUE, name, "not a number of at most 18 decimals", at(bad))
        if column.positive:
            low = values.present & (values.ints <= 0)
            if low.any():
                self.refuse(FindingCode.NOT_POSITIVE, name, "must be above 0", at(low))
        if column.presence is Presence.REQUIRED and not values.present.all():
            self._missing(name, at(~values.present & ~bad))
        return values

    def times(self, name: str) -> tuple[npt.NDArray[np.int64], Bools]:
        """Return UTC nanoseconds, and in which rows there are any."""
        column, array = self._array(name)
        if array is None:
            return np.zeros(self.table.rows, np.int64), np.zeros(self.table.rows, np.bool_)
        try:
            values, bad = _instants(array)
        except pa.ArrowInvalid:
            raise InputError(
                f"{self.table.name.value}.{name} holds an instant beyond the years 1678 to 2262",
                where=self.table.name.value,
                remedy="check the unit of the column",
            ) from None
        present = np.ones(len(values), np.bool_)
        if values.null_count:
            present = values.is_valid().to_numpy(zero_copy_only=False)
            values = values.fill_null(0)
        ints = values.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
        unlikely = np.zeros(0, np.bool_)
        if len(ints) and ints.min() < 10**17:
            unlikely = present & (ints >= 10**12) & (ints < 10**17)
        if unlikely.any():
            raise InputError(
                f"{self.table.name.value}.{name} looks like milliseconds or microseconds: "
                f"{ints[unlikely][0]}",
                where=f"row {int(np.flatnonzero(unlikely)[0])}",
                remedy="give nanoseconds, or a timestamp with unit and time zone",
            )
        self.refuse(FindingCode.BAD_VALUE, name, "not an instant", np.flatnonzero(bad))
        if len(ints) and (int(ints.max()) > LATEST_NS or int(ints.min()) < -LATEST_NS):
            far = present & ((ints > LATEST_NS) | (ints < -LATEST_NS))
            self.refuse(
                FindingCode.BAD_VALUE, name, "not an instant of the years 1827 to 2112",
                np.flatnonzero(far),
            )  # fmt: skip
            ints = np.clip(ints, -LATEST_NS, LATEST_NS)
        if column.presence is Presence.REQUIRED and not present.all():
            self._missing(name, np.flatnonzero(~present & ~bad))
        return ints, present

    def coded(self, name: str) -> Coded:
        """Return a text column; words of a closed set in lower case, whatever they came in."""
        column, array = self._array(name)
        if array is None:
            return Coded(np.full(self.table.rows, -1, np.int32), ())
        coded = code_text(array)
        if column.words:
            coded = coded.lower()
            known = np.array([w in column.words for w in coded.words] + [True], np.bool_)
            unknown = np.zeros(0, np.bool_) if known.all() else ~known[coded.codes]
            if unknown.any():
                text = f"none of {', '.join(column.words)}"
                self.refuse(FindingCode.UNKNOWN_WORD, name, text, np.flatnonzero(unknown))
        if column.presence is Presence.REQUIRED and coded.empty.any():
            self._missing(name, np.flatnonzero(coded.empty))
        return coded

    def ids(self, name: str) -> pa.Array:
        """Return an id column as text, empty text where there is none."""
        column, array = self._array(name)
        if array is None:
            return pa.array([""] * self.table.rows, pa.string())
        if column.presence is Presence.REQUIRED:
            text = id_text(array)
            empty = pc.binary_length(text).to_numpy(zero_copy_only=False) == 0
            if empty.any():
                self._missing(name, np.flatnonzero(empty))
            return text
        return id_text(array)

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return a float column, nan where it is empty."""
        return self.fixed(name).numbers()

    def counts(self, name: str) -> npt.NDArray[np.int64] | None:
        """Return an int64 column with -1 where it is empty; None where there is no column."""
        _, array = self._array(name)
        if array is None:
            return None
        values, bad = decode_fixed(array)
        unit = 10**values.digits
        wrong = bad | (values.present & (values.ints % unit != 0))
        if wrong.any():
            self.refuse(FindingCode.BAD_VALUE, name, "not a whole number", np.flatnonzero(wrong))
        return np.where(values.present, values.ints // unit, -1).astype(np.int64)

    def _array(self, name: str) -> tuple[Column, pa.Array | None]:
        return self._schema[name], self.table.arrays.get(name)

    def _missing(self, name: str, rows: Rows) -> None:
        self.refuse(FindingCode.MISSING_VALUE, name, "must not be empty", rows)


def id_text(array: pa.Array) -> pa.Array:
    """Return ids as text, empty text for an empty cell."""
    text = array if pa.types.is_string(array.type) else array.cast(pa.string())
    return text.fill_null("") if text.null_count else text


def code_text(array: pa.Array) -> Coded:
    """Return a text column as codes of its sorted distinct words; empty text is no word."""
    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.string()).dictionary_encode()
    raw: Sequence[str | None] = array.dictionary.cast(pa.string()).to_pylist()
    indices = array.indices.fill_null(-1) if array.indices.null_count else array.indices
    codes = indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    words = sorted({word for word in raw if word})
    if words == raw:
        return Coded(codes, tuple(words))
    position = {word: code for code, word in enumerate(words)}
    mapping = np.array([*(position.get(word or "", -1) for word in raw), -1], np.int32)
    return Coded(mapping[codes], tuple(words))


def _instants(array: pa.Array) -> tuple[pa.Array, Bools]:
    nothing = np.zeros(len(array), np.bool_)
    if pa.types.is_timestamp(array.type):
        return array.cast(pa.timestamp("ns", array.type.tz)).cast(pa.int64()), nothing
    if pa.types.is_integer(array.type):
        return array if pa.types.is_int64(array.type) else array.cast(pa.int64()), nothing
    if pa.types.is_null(array.type):
        return array.cast(pa.int64()), nothing
    text = pc.utf8_trim_whitespace(
        array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    )
    text = pc.if_else(pc.equal(text, ""), None, text)
    whole = pc.fill_null(pc.match_substring_regex(text, r"^-?[0-9]{1,18}[0-9]?$"), False)
    dated = pc.fill_null(
        pc.match_substring_regex(
            text,
            r"^[0-9]{4}-[0-1][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
            r"(Z|[+-][0-2][0-9]:[0-5][0-9])$",
        ),
        False,
    )
    numbers = pc.if_else(whole, text, None).cast(pa.int64())
    try:
        moments = pc.if_else(dated, text, None).cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid:  # a day that no month has: cell by cell
        moments = pa.array(
            [
                _moment(t) if d else None
                for t, d in zip(text.to_pylist(), dated.to_pylist(), strict=True)
            ],
            pa.int64(),
        )
    values = pc.coalesce(numbers, moments)
    bad = pc.and_(text.is_valid(), values.is_null()).to_numpy(zero_copy_only=False)
    return values, bad


def _moment(text: str) -> int | None:
    try:
        value: int | None = pa.scalar(text).cast(pa.timestamp("ns", "UTC")).value
    except pa.ArrowInvalid:
        return None
    return value
