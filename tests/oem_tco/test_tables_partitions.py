"""Any partition, row order, executor and cluster gives the same bytes; groups are exact."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_tco import (
    Benchmark,
    CostRules,
    GroupSpec,
    InputError,
    InputTable,
    TableCosts,
    TcoTables,
    cost_partitions,
    cost_tables,
    group_partitions,
    read_table,
    split_tables,
)

SECOND = 10**9
RULES = CostRules(benchmarks=tuple(Benchmark), markouts_ns=(SECOND, 3 * SECOND))


def market(seed: int, orders: int = 12, bad: bool = True) -> TcoTables:
    """Tables of several symbols, venues and strategies, with rows that are wrong in many ways."""
    rng = np.random.default_rng(seed)
    symbols = np.array(["AA/USDT", "BB/USDT", "CC/EUR", "DD/USDT"])
    of = rng.integers(0, len(symbols), orders)
    start = rng.integers(100, 200, orders) * SECOND
    ids = [f"o{i}" for i in range(orders)]
    per_fill = rng.integers(0, orders, 3 * orders)
    fill_ids = [f"f{i}" for i in range(len(per_fill))]
    of_order = [ids[i] for i in per_fill]
    if bad:  # ids that stand with two symbols each
        of[:4] = (0, 1, 2, 3)
        ids[1] = ids[0]
        per_fill[1:3] = (2, 3)
        of_order[1:3] = (ids[2], ids[3])
        fill_ids[2] = fill_ids[1]
        of_order[3] = "nobody"
    order_table = pa.table(
        {
            "order_id": ids,
            "symbol": symbols[of],
            "side": np.where(rng.random(orders) < 0.5, "buy", "sell"),
            "quantity": np.round(rng.uniform(8, 20, orders), 3),
            "currency": [s.split("/")[1] for s in symbols[of]],
            "decision_time_ns": start,
            "decision_price": pa.array(np.round(rng.normal(100, 1, orders), 2)),
            "arrival_time_ns": start + SECOND,
            "arrival_price": pa.array(np.round(rng.normal(100, 1, orders), 2),
                                      mask=rng.random(orders) < 0.2),
            "venue": np.where(rng.random(orders) < 0.5, "v1", "v2"),
            "strategy": np.where(rng.random(orders) < 0.5, "s1", "s2"),
            "market": np.where(of == 3, "linear", "spot"),
        }
    )  # fmt: skip
    count = len(per_fill)
    fill_table = pa.table(
        {
            "fill_id": fill_ids,
            "order_id": of_order,
            "time_ns": start[per_fill] + rng.integers(0, 9, count) * SECOND,
            "price": np.round(rng.normal(100, 1, count), 2),
            "quantity": np.where(bad & (rng.random(count) < 0.05), -1.0,
                                 np.round(rng.uniform(0.1, 2, count), 4)),
            "liquidity": np.where(rng.random(count) < 0.5, "maker", "taker"),
            "fee_amount": pa.array(np.round(rng.normal(0.1, 0.1, count), 6),
                                   mask=rng.random(count) < 0.1),
            "fee_asset": rng.choice(["USDT", "EUR", "AA", "BNB", "XX"], count),
        }
    )  # fmt: skip
    quotes = _timed(rng, symbols, 60, bid=(99, 100), ask=(99.9, 101))
    volume = _timed(rng, symbols, 40, price=(99, 101), volume=(1, 5))
    funding = _timed(rng, symbols[3:], 9, rate=(-0.01, 0.01), mark=(99, 101))
    rates = pa.table({"asset": ["BNB"], "currency": ["USDT"], "time_ns": [0], "rate": ["600.5"]})
    return TcoTables(
        *(read_table(n, t) for n, t in (("orders", order_table), ("fills", fill_table))),
        quotes=read_table("quotes", quotes),
        funding=read_table("funding", funding),
        volume=read_table("volume", volume),
        rates=read_table("rates", rates),
    )


def _timed(
    rng: np.random.Generator, symbols: np.ndarray, rows: int, **columns: tuple[float, float]
) -> pa.Table:
    return pa.table(
        {
            "symbol": rng.choice(symbols, rows),
            "time_ns": rng.integers(95, 220, rows) * SECOND,
            **{n: np.round(rng.uniform(*ends, rows), 4) for n, ends in columns.items()},
        }
    )


def shuffled(table: InputTable | None, random: Random) -> InputTable | None:
    if table is None:
        return None
    rows = list(range(table.rows))
    random.shuffle(rows)
    return table.take(np.array(rows, np.int64))


def bytes_of(costs: TableCosts) -> list[bytes]:
    tables = [costs.orders, costs.fills, costs.benchmarks, costs.markouts, costs.findings.table()]
    found = []
    for table in tables:
        sink = pa.BufferOutputStream()
        assert table is not None
        pq.write_table(table, sink)  # what is kept and sealed is the file
        found.append(sink.getvalue().to_pybytes())
    return found


@settings(max_examples=4)
@given(st.integers(0, 10**6), st.integers(2, 4), st.just(True), st.randoms())
def test_any_parts_and_row_order_give_the_same_bytes(
    seed: int, parts: int, bad: bool, random: Random
) -> None:
    whole = market(seed, bad=bad)
    names = ("orders", "fills", "quotes", "funding", "volume", "rates")
    mixed = TcoTables(**{name: shuffled(getattr(whole, name), random) for name in names})
    expected = bytes_of(cost_tables(whole, RULES))
    assert bytes_of(cost_tables(mixed, RULES)) == expected
    assert bytes_of(cost_partitions(split_tables(mixed, parts), RULES)) == expected


@pytest.fixture(scope="module")
def pool() -> ProcessPoolExecutor:
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as executor:
        yield executor


@pytest.mark.no_cover
def test_processes_and_a_cluster_give_the_same_bytes(
    pool: ProcessPoolExecutor, tmp_path: Path
) -> None:
    from distributed import Client

    whole = market(5)
    parts = split_tables(whole, 3)
    expected = cost_tables(whole, RULES)
    files = []
    for row, part in enumerate(parts):
        files.append(tmp_path / f"{row}.parquet")
        pq.write_table(cost_tables(part, RULES).fills, files[-1], row_group_size=5)
    spec = GroupSpec(("venue", "hour"))
    groups = group_partitions([expected.fills], spec)
    assert bytes_of(cost_partitions(parts, RULES, pool)) == bytes_of(expected)
    assert group_partitions(files, spec, pool).equals(groups)
    with Client(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as client:
        executor = client.get_executor()
        assert bytes_of(cost_partitions(parts, RULES, executor)) == bytes_of(expected)
        assert group_partitions(files, spec, executor).equals(groups)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-10**18, 10**18),
                          st.integers(0, 5).map(lambda n: n * 10**17)), min_size=1, max_size=40),
       st.lists(st.integers(0, 40), max_size=3), st.sampled_from([0.0, 0.3]))  # fmt: skip
def test_sums_and_quantiles_of_groups_are_exact(
    rows: list[tuple[str, int, int]], cuts: list[int], small: float
) -> None:
    rows = [(k, int(t * small) if small else t, n) for k, t, n in rows]
    table = pa.table(
        {"k": [r[0] for r in rows], "total_minor": [r[1] for r in rows],
         "notional_minor": [r[2] for r in rows]}
    )  # fmt: skip
    edges = sorted({0, len(rows), *(min(c, len(rows)) for c in cuts)})
    pieces = [table.slice(a, b - a) for a, b in pairwise(edges)]
    found = group_partitions(pieces, GroupSpec(("k",), (0.1, 0.5, 1.0)))
    assert found.column("k").to_pylist() == sorted({r[0] for r in rows})
    for group in found.to_pylist():
        mine = [r for r in rows if r[0] == group["k"]]
        assert group["rows"] == len(mine)
        assert int(group["total_minor"]) == sum(r[1] for r in mine)
        values = sorted(float(t) * 1e4 / float(n) for _, t, n in mine if n)
        for q in (0.1, 0.5, 1.0):
            rank = math.ceil(len(values) * (1 if q == 1 else int(q * 10)) / (1 if q == 1 else 10))
            assert group[f"q{q}_bps"] == (values[rank - 1] if values else None)


def test_groups_are_those_of_another_engine(tmp_path: Path) -> None:
    import duckdb

    costs = cost_tables(market(11, orders=300, bad=False))
    pq.write_table(costs.fills, tmp_path / "fills.parquet", row_group_size=100)
    found = group_partitions(
        [tmp_path / "fills.parquet"], GroupSpec(("symbol", "venue", "currency", "day"))
    )
    with duckdb.connect() as other:
        expected = other.execute(
            "select symbol, venue, currency, strftime(make_timestamp_ns(time_ns), '%Y-%m-%d') d, "
            "count(*), sum(spread_minor), sum(total_minor), "
            "quantile_disc(total_minor * 1e4 / notional_minor, [0.05, 0.5, 0.95]) "
            f"from '{tmp_path}/fills.parquet' group by all order by all"
        ).fetchall()
    columns = ("symbol", "venue", "currency", "day", "rows", "spread_minor", "total_minor")
    quantiles = ("q0.05_bps", "q0.5_bps", "q0.95_bps")
    mine = [(*(r[c] for c in columns), [r[q] for q in quantiles]) for r in found.to_pylist()]
    assert mine == expected


def test_a_partition_that_is_something_else_is_refused(tmp_path: Path) -> None:
    table = pa.table({"total_minor": [1], "notional_minor": [1]})
    with pytest.raises(InputError, match="no column venue"):
        group_partitions([table], GroupSpec(("venue",)))
    with pytest.raises(InputError, match="no partition"):
        group_partitions([], GroupSpec(()))
    with pytest.raises(InputError, match="shares in"):
        GroupSpec((), (1.5,))


def test_keys_whose_combinations_leave_int64_are_still_told_apart() -> None:
    rows = 2_000
    ids = {f"k{by}": [f"{i * by % rows:04d}" for i in range(rows)] for by in (1, 3, 7, 9, 11, 13)}
    table = pa.table({**ids, "total_minor": list(range(rows)), "notional_minor": [1] * rows})
    found = group_partitions([table.slice(0, 900), table.slice(900)], GroupSpec(tuple(ids), (0.5,)))
    assert 2_000**6 > 2**63
    for name in ids:
        assert found.column(name).to_pylist() == ids[name]
    assert [int(t) for t in found.column("total_minor").to_pylist()] == list(range(rows))
