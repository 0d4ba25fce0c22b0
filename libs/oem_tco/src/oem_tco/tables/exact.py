"""Exact integer arithmetic on whole columns: products in minor units, sums that never wrap.

int64 multiplication wraps; what it loses is won back from a float64 estimate of the quotient, whose
error is bounded: `a b = q d + r`, and r is known modulo 2^64, so a q off by less than 2^12 is put
right by the true remainder. Amounts beyond `LIMIT` are flagged, never wrapped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oem_tco.inputs.fixed import Bools, Fixed
from oem_tco.money import MINOR_DIGITS

LIMIT = 2 * 10**18
"""Largest amount of one fill or order in minor units: differences of three fit an int64."""
Ints = npt.NDArray[np.int64]


def product_minor(a: Fixed, b: Fixed) -> tuple[Ints, Bools]:
    """Return `a x b` in minor units, rounded half to even, and which rows are too large.

    Args:
        a: Prices.
        b: Quantities.

    Returns:
        int64 amounts, 0 where the row is too large, and the mask of such rows. What a row holds
        that is not present in `a` or `b` means nothing.

    Example:
        >>> from oem_tco.inputs.fixed import decode_fixed
        >>> price, _ = decode_fixed(pa.array([95900.1]))
        >>> quantity, _ = decode_fixed(pa.array(["0.5"]))
        >>> product_minor(price, quantity)[0].tolist()
        [4795005000000]
    """
    shift = a.digits + b.digits - MINOR_DIGITS
    divisor = 10 ** max(shift, 0)
    factor = 10 ** max(-shift, 0)
    if not (a.small and b.small) or divisor > 10**14:
        return _product_objects(a.ints.astype(object), b.ints.astype(object), divisor, factor)
    out, large = np.empty(len(a), np.int64), np.zeros(len(a), np.bool_)
    for start in range(0, len(a), _BLOCK):
        rows = slice(start, start + _BLOCK)
        _product_block(a.ints[rows], b.ints[rows], divisor, factor, out[rows], large[rows])
    return out, large


_BLOCK = 1 << 15  # rows whose intermediate columns stay in the processor's cache


def _product_block(a: Ints, b: Ints, divisor: int, factor: int, out: Ints, large: Bools) -> None:
    rest = a * b
    if factor != 1:
        rest *= factor
    if _largest(a) * _largest(b) * factor < LIMIT:
        quotient = rest // divisor
    else:
        rough = a.astype(np.float64)
        rough *= b
        rough *= factor / divisor
        large[:] = np.abs(rough) >= LIMIT
        rough[large] = 0.0
        quotient = np.rint(rough).astype(np.int64)
        quotient += (rest - quotient * divisor) // divisor
    if divisor > 1:
        rest -= quotient * divisor
        rest *= 2
        quotient += rest > divisor
        half = rest == divisor
        if half.any():
            quotient += half & (quotient & 1 == 1)
    out[:] = quotient
    out[large] = 0


def _largest(ints: Ints) -> int:
    return max(int(ints.max()), -int(ints.min())) if len(ints) else 0


def _product_objects(
    a: npt.NDArray[Any], b: npt.NDArray[Any], divisor: int, factor: int
) -> tuple[Ints, Bools]:
    whole = a * b * factor
    quotient = whole // divisor
    rest = (whole - quotient * divisor) * 2
    up = (rest > divisor) | ((rest == divisor) & (quotient % 2 == 1))
    rounded = quotient + up.astype(object)
    large = (np.abs(rounded) >= LIMIT).astype(np.bool_)
    return np.where(large, 0, rounded).astype(np.int64), large


def quotient_minor(quantity: Fixed, price: Fixed) -> tuple[Ints, Bools]:
    """Return `quantity / price` in minor units, rounded half to even, and what is too large.

    It is what inverse contracts are worth in the asset they settle in.

    Args:
        quantity: Quote units.
        price: Prices; what a row holds whose price is not present or not above 0 means nothing.
    """
    shift = MINOR_DIGITS + price.digits - quantity.digits
    top = quantity.ints.astype(object) * 10 ** max(shift, 0)
    sound = price.present & (price.ints > 0)
    bottom = np.where(sound, price.ints, 1).astype(object) * 10 ** max(-shift, 0)
    whole = top // bottom
    rest = (top - whole * bottom) * 2
    whole = whole + ((rest > bottom) | ((rest == bottom) & (whole % 2 == 1))).astype(object)
    large = (np.abs(whole) >= LIMIT).astype(np.bool_)
    return np.where(large, 0, whole).astype(np.int64), large


def worth_minor(price: Fixed, quantity: Fixed, inverse: Bools) -> tuple[Ints, Bools]:
    """Return what quantities are worth at prices, in minor units, and which are too large.

    Args:
        price: Prices.
        quantity: Base units; quote units of inverse contracts.
        inverse: Which are of inverse contracts.
    """
    if not inverse.any():
        return product_minor(price, quantity)
    rows = np.flatnonzero(inverse)
    rest = np.flatnonzero(~inverse)
    out, large = np.zeros(len(price), np.int64), np.zeros(len(price), np.bool_)
    out[rest], large[rest] = product_minor(price.take(rest), quantity.take(rest))
    out[rows], large[rows] = quotient_minor(quantity.take(rows), price.take(rows))
    return out, large


def times_rate(amounts: Ints, rate: Fixed) -> tuple[Ints, Bools]:
    """Return amounts in minor units times a rate, rounded half to even, and what is too large."""
    whole = Fixed(amounts, MINOR_DIGITS, np.ones(len(amounts), np.bool_))
    return product_minor(whole, rate)


def group_sums(values: npt.NDArray[Any], groups: Ints, count: int) -> npt.NDArray[Any]:
    """Return the exact sum of every group.

    Values are cut in two where a sum could leave int64.

    Args:
        values: int64, or Python integers.
        groups: Group of every value, in [0, count).
        count: How many groups.

    Returns:
        int64, or Python integers where a sum may not fit, shape (count,).

    Example:
        >>> group_sums(np.array([2**60 + 1, 2**60, -5]), np.array([0, 0, 1]), 3).tolist()
        [2305843009213693953, -5, 0]
    """
    if not len(values):
        return np.zeros(count, np.int64)
    if values.dtype == object:
        total = np.zeros(count, object)
        np.add.at(total, groups, values)
        return total
    total = np.zeros(count, np.int64)
    largest = _largest(values)
    if largest * len(values) < 2**62 or largest * _most(groups, count) < 2**62:
        np.add.at(total, groups, values)
        return total
    high = np.zeros(count, np.int64)
    np.add.at(total, groups, values & (2**32 - 1))
    np.add.at(high, groups, values >> 32)
    return np.asarray(total.astype(object) + high.astype(object) * 2**32)


def rows_alike(codes: Ints) -> list[Ints]:
    """Return the rows of each code that occurs, codes and rows ascending, by one sort.

    Example:
        >>> [rows.tolist() for rows in rows_alike(np.array([7, 3, 7]))]
        [[1], [0, 2]]
    """
    if not len(codes):
        return []
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _most(groups: Ints, count: int) -> int:
    return int(np.bincount(groups, minlength=count).max())


class PrefixSums:
    """Exact sums of products over intervals of rows, for averages weighted by time or volume.

    Prefix sums wrap modulo 2^64, and so does a difference of two; which multiple of 2^64 is
    missing follows from float64 prefix sums, whose error is far below 2^63.

    Args:
        a: Factors, shape (rows,), int64 or Python integers.
        b: Factors, shape (rows,).
    """

    def __init__(self, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> None:
        self._exact: npt.NDArray[Any] | None = None
        self._rough = np.zeros(len(a) + 1)
        np.cumsum(a.astype(np.float64) * b.astype(np.float64), out=self._rough[1:])
        bound = float(np.abs(self._rough).max()) * len(a) * 2.0**-52
        if a.dtype == object or b.dtype == object or bound >= 2.0**61:
            self._exact = np.zeros(len(a) + 1, object)
            self._exact[1:] = np.cumsum(a.astype(object) * b.astype(object))
            return
        self._wrapped = np.zeros(len(a) + 1, np.uint64)
        np.cumsum((a * b).astype(np.uint64), out=self._wrapped[1:])

    def between(self, start: Ints, stop: Ints) -> list[int]:
        """Return the sum over rows [start, stop) of every interval."""
        if self._exact is not None:
            return [int(v) for v in self._exact[stop] - self._exact[start]]
        rest = self._wrapped[stop] - self._wrapped[start]
        rough = self._rough[stop] - self._rough[start]
        turns = np.rint((rough - rest.astype(np.float64)) / 2.0**64)
        return [
            int(turn) * 2**64 + part
            for turn, part in zip(turns.tolist(), rest.tolist(), strict=True)
        ]


def minor_column(values: npt.NDArray[Any]) -> pa.Array:
    """Return sums in minor units as decimal128(38, 0), which holds any of them."""
    if values.dtype == object:
        return pa.array([int(v) for v in values], pa.decimal128(38, 0))
    return pa.array(values, pa.int64()).cast(pa.decimal128(38, 0), safe=False)


def decimal_column(column: Fixed) -> pa.Array:
    """Return exact decimals as decimal128(38, 18), whatever digits the column happens to have."""
    wide = pa.decimal128(38, 18)
    if not column.small:
        values = [column.decimal(row) for row in range(len(column))]
        return pa.array(values, pa.decimal256(76, 18)).cast(wide)
    words = np.empty((len(column), 2), np.int64)
    words[:, 0] = column.ints
    words[:, 1] = column.ints >> 63
    array = pa.Array.from_buffers(
        pa.decimal128(38, column.digits), len(column), [None, pa.py_buffer(words)]
    ).cast(wide)
    return array if column.present.all() else _masked(array, column.present)


def _masked(array: pa.Array, present: Bools) -> pa.Array:
    import pyarrow.compute as pc

    return pc.if_else(pa.array(present), array, pa.scalar(None, array.type))
