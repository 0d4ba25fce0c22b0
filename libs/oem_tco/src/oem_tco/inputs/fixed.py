"""Decimal columns as integers: value = ints / 10^digits, exactly, whatever they were stored as."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MAX_DIGITS = 18
"""Decimals after the point that a column may have."""
_SAFE = 10**15  # decimals of up to 15 digits and doubles map to each other one to one
_MAX_EXPONENT = 40
_INT64 = 2**62  # room for one addition before int64 ends

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A column of exact decimals.

    Attributes:
        ints: int64, or Python integers (object) where a value does not fit.
        digits: Decimals after the point that the integers hold.
        present: Whether the cell holds a number; where not, the integer means nothing.
    """

    ints: npt.NDArray[Any]
    digits: int
    present: Bools

    def __len__(self) -> int:
        return len(self.ints)

    @property
    def small(self) -> bool:
        """Whether the integers are int64."""
        return self.ints.dtype != object

    def take(self, rows: npt.NDArray[np.integer]) -> Fixed:
        """Return the given rows."""
        return Fixed(self.ints[rows], self.digits, self.present[rows])

    def at(self, digits: int) -> Fixed:
        """Return the same values with at least as many digits as they have."""
        return self if digits == self.digits else _scaled(self, digits)

    def filled(self, other: Fixed, use: Bools) -> Fixed:
        """Return this column with the rows of `use` taken from another."""
        digits = max(self.digits, other.digits)
        mine, theirs = self.at(digits), other.at(digits)
        return Fixed(
            np.where(use, theirs.ints, mine.ints),
            digits,
            np.where(use, theirs.present, mine.present),
        )

    def decimal(self, row: int) -> Decimal | None:
        """Return one value, None where there is none."""
        if not self.present[row]:
            return None
        return Decimal(f"{int(self.ints[row])}e-{self.digits}")

    def numbers(self) -> npt.NDArray[np.float64]:
        """Return the values as float64, nan where there is none."""
        values = self.ints.astype(np.float64) / 10.0**self.digits
        return np.where(self.present, values, np.nan)


def _scaled(column: Fixed, digits: int) -> Fixed:
    factor = 10 ** (digits - column.digits)
    ints = column.ints
    if column.small and (factor >= _INT64 or _largest(ints) * factor >= _INT64):
        ints = ints.astype(object)
    return Fixed(ints * factor, digits, column.present)


def _largest(ints: npt.NDArray[Any]) -> int:
    return max(int(ints.max()), -int(ints.min())) if len(ints) else 0


def empty_fixed(rows: int) -> Fixed:
    """Return a column without any value."""
    return Fixed(np.zeros(rows, np.int64), 0, np.zeros(rows, np.bool_))


def fixed_of(values: list[Decimal | None]) -> Fixed:
    """Return decimals as a column with as few digits as they allow; None is an empty cell."""
    return _objects(values)[0]


def spread_fixed(column: Fixed, rows: npt.NDArray[np.integer], length: int) -> Fixed:
    """Return a column of a length that holds `column` at `rows` and is empty elsewhere."""
    ints = np.zeros(length, column.ints.dtype)
    present = np.zeros(length, np.bool_)
    ints[rows], present[rows] = column.ints, column.present
    return Fixed(ints, column.digits, present)


def decode_fixed(column: pa.Array) -> tuple[Fixed, Bools]:
    """Return a column as exact decimals, and which cells are neither empty nor a number.

    A float64 is taken for the shortest decimal that gives it back, as it would be printed.

    Args:
        column: decimal128, decimal256, integer, float or text; one array, not chunked.

    Raises:
        TypeError: The column is of another type.

    Example:
        >>> column, bad = decode_fixed(pa.array(["61837.63", "1e-8", None, "n/a"]))
        >>> column.decimal(0), column.decimal(1), column.decimal(2), bad.tolist()
        (Decimal('61837.63000000'), Decimal('1E-8'), None, [False, False, False, True])
    """
    kind = column.type
    if pa.types.is_integer(kind):
        ints = column.fill_null(0).to_numpy(zero_copy_only=False)
        if ints.dtype == np.uint64 and _largest(ints) >= _INT64:
            return _objects([None if v is None else Decimal(v) for v in column.to_pylist()])
        return Fixed(ints.astype(np.int64), 0, _present(column)), np.zeros(len(column), np.bool_)
    if pa.types.is_floating(kind):
        return _from_floats(column if pa.types.is_float64(kind) else column.cast(pa.float64()))
    if pa.types.is_decimal(kind):
        return _from_decimals(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _from_text(column)
    if pa.types.is_dictionary(kind):
        return decode_fixed(column.dictionary_decode())
    if pa.types.is_null(kind):
        return empty_fixed(len(column)), np.zeros(len(column), np.bool_)
    raise TypeError(str(kind))


def _present(column: pa.Array) -> Bools:
    if not column.null_count:
        return np.ones(len(column), np.bool_)
    valid: Bools = column.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _from_floats(column: pa.Array) -> tuple[Fixed, Bools]:
    values = column.to_numpy(zero_copy_only=False)
    present, bad = _present(column), np.zeros(len(column), np.bool_)
    finite = np.isfinite(values)
    if not finite.all():
        bad = present & ~finite & ~np.isnan(values)  # pandas writes an empty number as nan
        present = present & finite
        values = np.where(finite, values, 0.0)
    start = _digits_of_sample(values)
    whole = np.rint(values * 10.0**start)
    if _fits(whole, start, values).all():
        return Fixed(whole.astype(np.int64), start, present), bad
    rows, parts = np.arange(len(values)), []
    for digits in (start, *(d for d in range(MAX_DIGITS + 1) if d != start)):
        if not len(rows):
            break
        wanted = values[rows]
        guess = np.rint(wanted * 10.0**digits)
        fits = _fits(guess, digits, wanted)
        if fits.any():
            parts.append((digits, rows[fits], guess[fits].astype(np.int64)))
            rows = rows[~fits]
    return _joined(values, parts, rows, present, bad)


def _fits(whole: npt.NDArray[np.float64], digits: int, values: npt.NDArray[np.float64]) -> Bools:
    """Return which whole numbers are the values, at so many digits, without any doubt."""
    fits: Bools = whole / 10.0**digits == values
    fits &= np.abs(whole) < _SAFE
    return fits


def _digits_of_sample(values: npt.NDArray[np.float64]) -> int:
    sample = values[:: max(len(values) // 32, 1)][:32].tolist()
    return min(max((_whole(Decimal(repr(v)))[1] for v in sample), default=0), MAX_DIGITS)


def _joined(
    values: npt.NDArray[np.float64],
    parts: list[tuple[int, npt.NDArray[np.intp], npt.NDArray[np.int64]]],
    rest: npt.NDArray[np.intp],
    present: Bools,
    bad: Bools,
) -> tuple[Fixed, Bools]:
    """Put together rows of different digits; the rest has 16 or 17 figures and goes by repr."""
    slow = [_whole(Decimal(repr(v))) for v in values[rest].tolist()]
    held = [d <= MAX_DIGITS for _, d in slow]
    digits = max([d for d, _, _ in parts] + [d for _, d in slow if d <= MAX_DIGITS], default=0)
    fits = all(_largest(ints) * 10 ** (digits - d) < _INT64 for d, _, ints in parts)
    whole = [n * 10 ** (digits - d) if d <= MAX_DIGITS else 0 for n, d in slow]
    fits = fits and all(abs(v) < _INT64 for v in whole)
    out = np.zeros(len(values), np.int64 if fits else object)
    for d, rows, ints in parts:
        out[rows] = (ints if fits else ints.astype(object)) * 10 ** (digits - d)
    out[rest] = whole
    lost = rest[~np.array(held, np.bool_)] if len(rest) else rest
    present, bad = present.copy(), bad.copy()
    bad[lost] = present[lost]
    present[lost] = False
    return Fixed(out, digits, present), bad


def _from_decimals(column: pa.Array) -> tuple[Fixed, Bools]:
    nothing = np.zeros(len(column), np.bool_)
    if not pa.types.is_decimal128(column.type) or column.type.scale < 0:
        return _objects(column.to_pylist())
    words = np.frombuffer(column.buffers()[1], np.int64)[2 * column.offset :]
    low, high = words[0 : 2 * len(column) : 2], words[1 : 2 * len(column) : 2]
    present = _present(column)
    fits = (high == low >> 63) & (np.abs(low) < _INT64)
    if column.type.scale > MAX_DIGITS or not (fits | ~present).all():
        return _objects(column.to_pylist())
    return Fixed(np.where(present, low, 0), column.type.scale, present), nothing


_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$"


_FEW = 500  # cells that Python reads sooner than Arrow gets going


def _from_text(column: pa.Array) -> tuple[Fixed, Bools]:
    if len(column) <= _FEW:
        return _from_cells([(cell or "").strip() for cell in column.to_pylist()])
    text = pc.utf8_trim_whitespace(column)
    filled = pc.fill_null(pc.not_equal(text, ""), False)
    point = pc.find_substring(text, ".")
    after = pc.subtract(pc.subtract(pc.utf8_length(text), point), 1)
    after = pc.if_else(pc.less(point, 0), 0, after)
    plain = pc.and_(pc.match_substring_regex(text, _NUMBER), pc.less(pc.utf8_length(text), 37))
    plain = pc.fill_null(pc.and_(plain, pc.less_equal(after, MAX_DIGITS)), False)
    digits = pc.max(pc.if_else(plain, after, 0)).as_py() or 0
    # a cell of 36 figures is widened by up to 18 more
    whole = pc.if_else(plain, text, None).cast(pa.decimal256(60, digits))
    narrow = pc.max(pc.utf8_length(pc.if_else(plain, text, None))).as_py() or 0
    fixed, bad = _from_decimals(
        whole.cast(pa.decimal128(38, digits)) if narrow + digits <= 38 else whole
    )
    rest = np.flatnonzero(pc.and_(filled, pc.invert(plain)).to_numpy(zero_copy_only=False))
    if not len(rest):
        return fixed, bad
    values: list[Decimal | None] = [None] * len(column)
    bad = bad.copy()
    for row, cell in zip(rest.tolist(), text.take(pa.array(rest)).to_pylist(), strict=True):
        values[row] = _number(cell)
        bad[row] = values[row] is None
    slow, lost = _objects(values)
    return fixed.filled(slow, slow.present), bad | lost


def _from_cells(cells: list[str]) -> tuple[Fixed, Bools]:
    values = [_number(cell) if cell else None for cell in cells]
    wrong = [bool(cell) and value is None for cell, value in zip(cells, values, strict=True)]
    fixed, lost = _objects(values)
    return fixed, lost | np.array(wrong, np.bool_)


def _number(cell: str) -> Decimal | None:
    try:
        value = Decimal(cell)
    except InvalidOperation:
        return None
    return value if value.is_finite() and "_" not in cell else None


def _objects(values: list[Decimal | None]) -> tuple[Fixed, Bools]:
    """Return decimals of any size; those with more decimals than a column may have are bad."""
    parts = [None if v is None else _whole(v) for v in values]
    bad = np.array([p is not None and p[1] > MAX_DIGITS for p in parts], np.bool_)
    kept = [None if p is None or p[1] > MAX_DIGITS else p for p in parts]
    digits = max((p[1] for p in kept if p is not None), default=0)
    ints = [0 if p is None else p[0] * 10 ** (digits - p[1]) for p in kept]
    fits = all(abs(v) < _INT64 for v in ints)
    present = np.array([p is not None for p in kept], np.bool_)
    return Fixed(np.array(ints, np.int64 if fits else object), digits, present), bad


def _whole(value: Decimal) -> tuple[int, int]:
    """Return n and d with value = n / 10^d, d the fewest; no context rounds on the way."""
    sign, figures, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent > _MAX_EXPONENT:
        return 0, MAX_DIGITS + 1  # no number, or larger than any amount: a bad cell
    number = int("".join(map(str, figures)))
    if exponent >= 0:
        number, exponent = number * 10**exponent, 0
    while exponent < 0 and number % 10 == 0:
        if number == 0:
            exponent = 0
            break
        number, exponent = number // 10, exponent + 1
    return -number if sign else number, -exponent
