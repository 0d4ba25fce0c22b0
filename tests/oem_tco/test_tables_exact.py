"""Integer arithmetic on columns is that of Python's integers, and never wraps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco.inputs.fixed import Fixed, decode_fixed, fixed_of, spread_fixed
from oem_tco.tables.exact import LIMIT, PrefixSums, decimal_column, group_sums, product_minor

WHOLE = st.one_of(
    st.integers(-(10**6), 10**6), st.integers(-(10**18), 10**18), st.integers(-(10**25), 10**25)
)
PAIRS = st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=12)


def column(ints: list[int], digits: int) -> Fixed:
    kind = np.int64 if max(map(abs, ints)) < 2**62 else object
    return Fixed(np.array(ints, kind), digits, np.ones(len(ints), np.bool_))


@given(PAIRS, st.integers(0, 18), st.integers(0, 18), st.booleans())
def test_a_product_is_rounded_once_half_to_even(
    pairs: list[tuple[int, int]], digits: int, more: int, halves: bool
) -> None:
    shift = digits + more - 8
    if halves and shift > 0:  # products that lie just between two minor units
        pairs = [((2 * a + 1) * 5 * 10 ** (shift - 1), 1) for a, _ in pairs]
    a, b = (column([pair[i] for pair in pairs], d) for i, d in ((0, digits), (1, more)))
    found, large = product_minor(a, b)
    for row, (left, right) in enumerate(pairs):
        exact = round(Fraction(left * right * 10**8, 10 ** (digits + more)))
        assert large[row] == (abs(exact) >= LIMIT)
        assert found[row] == (0 if large[row] else exact)


@given(
    st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 3)), max_size=30), st.booleans()
)
def test_sums_of_groups_are_those_of_python(rows: list[tuple[int, int]], wide: bool) -> None:
    values = np.array([v * 2**40 if wide else v for v, _ in rows], object if wide else np.int64)
    groups = np.array([g for _, g in rows], np.int64)
    expected = [
        sum(int(v) for v, g in zip(values, groups, strict=True) if g == k) for k in range(4)
    ]
    assert [int(v) for v in group_sums(values, groups, 4)] == expected


@given(
    st.lists(st.tuples(st.integers(-(10**14), 10**14), st.integers(0, 10**14)), max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8),
    st.sampled_from([1, 2**70]),
)
def test_sums_over_spans_are_those_of_python(
    rows: list[tuple[int, int]], spans: list[tuple[int, int]], scale: int
) -> None:
    kind = np.int64 if scale == 1 else object
    a = np.array([r[0] * scale for r in rows], kind)
    b = np.array([r[1] for r in rows], np.int64)
    cut = [sorted((min(i, len(rows)), min(j, len(rows)))) for i, j in spans]
    start, stop = (np.array([c[k] for c in cut], np.int64) for k in (0, 1))
    expected = [sum(int(x) * int(y) for x, y in zip(a[i:j], b[i:j], strict=True)) for i, j in cut]
    assert PrefixSums(a, b).between(start, stop) == expected


@settings(max_examples=15)
@given(st.lists(st.none() | st.decimals("-1e15", "1e15", places=7), min_size=1, max_size=9))
def test_columns_go_to_arrow_and_back(values: list[object]) -> None:
    fixed = fixed_of(values)  # type: ignore[arg-type]
    arrow = decimal_column(fixed)
    assert arrow.to_pylist() == values
    back, _ = decode_fixed(arrow)
    assert [back.decimal(row) for row in range(len(values))] == values
    wide = spread_fixed(fixed, np.arange(len(values)) * 2, 2 * len(values))
    assert [wide.decimal(2 * row) for row in range(len(values))] == values
    assert not wide.present[1::2].any()
