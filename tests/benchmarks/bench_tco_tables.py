"""Costs of whole tables: join and split, groups with quantiles, memory, and two processes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from harness import Result, alternate, peak_rss_kib

from oem_tco import GroupSpec, TcoTables, cost_tables, group_partitions, read_table, write_partition

MILLION = 1_000_000
SYMBOLS = np.array([f"S{i}/USDT" for i in range(8)])
DAY_NS = 86_400 * 10**9
START_NS = 19_675 * DAY_NS
KEYS = ("strategy", "venue", "symbol")
AMOUNTS = ("delay", "spread", "impact_temporary", "impact_permanent", "fees")
SPEC = GroupSpec(KEYS)


def join() -> list[Result]:
    """1 million fills of 200,000 orders against 10 million quotes of 8 symbols."""
    tables, plain = _market(np.random.default_rng(7), MILLION, 10 * MILLION, 200_000)
    coded = Result("tco.join.categorical", *_joined(tables, plain, 3), "")
    # symbols as a Parquet file of others gives them: text, to both sides
    for name in ("orders", "quotes"):
        at = tables[name].column_names.index("symbol")
        text = tables[name].column("symbol").cast(pa.string())
        tables[name] = tables[name].set_column(at, "symbol", text)
    plain = tuple(frame.assign(symbol=frame["symbol"].astype("str")) for frame in plain)
    return [Result("tco.join", *_joined(tables, plain, 5), "<= 3"), coded]


def _joined(
    tables: dict[str, pa.Table], plain: tuple[pd.DataFrame, ...], rounds: int
) -> tuple[float, str, str, float]:
    def ours() -> None:
        read = {name: read_table(name, table) for name, table in tables.items()}
        costs = cost_tables(TcoTables(**read))
        assert costs.fills.num_rows == MILLION
        assert not costs.findings.sorted()

    def bare() -> None:
        pd.merge_asof(plain[0], plain[1], on="time_ns", by="symbol")

    value, baseline = alternate(_timed(ours), _timed(bare), rounds=rounds)
    words = f"bare pandas.merge_asof by symbol ({plain[0]['symbol'].dtype}) of the same tables"
    return value, "s", words, baseline


def aggregate() -> list[Result]:
    """10 million fills by three keys, with sums of 7 amounts and 3 quantiles."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = _partitions(folder, 10)
        other = duckdb.connect()
        other.execute("set threads = 2")
        sums = ", ".join(f"sum({a}_minor)" for a in (*AMOUNTS, "notional", "total"))
        query = (
            f"select {', '.join(KEYS)}, count(*), {sums}, "
            "quantile_disc(total_minor * 1e4 / notional_minor, [0.05, 0.5, 0.95]) "
            f"from '{folder}/*.parquet' group by all order by all"
        )
        expected = other.execute(query).fetchall()
        found = group_partitions(files, SPEC).to_pylist()
        assert [[r["q0.05_bps"], r["q0.5_bps"], r["q0.95_bps"]] for r in found] == [
            r[-1] for r in expected
        ]
        value, baseline = alternate(
            _timed(lambda: group_partitions(files, SPEC)),
            _timed(lambda: other.execute(query).fetchall()),
            rounds=3,
        )
        other.close()
    words = "DuckDB, one query over the same Parquet files, same result"
    return [Result("tco.aggregate", value, "s", words, baseline, "<= 2")]


def memory() -> list[Result]:
    """Peak memory of a process that groups 50 million fills against one that groups 10 million."""
    with tempfile.TemporaryDirectory() as name:
        files = _partitions(Path(name), 10)
        small = _peak_mb(files)
        large = _peak_mb(files * 5)
    words = "peak resident memory at 10 million fills, of partitions of 1 million; subject at 50"
    return [Result("tco.aggregate.memory", large, "MB", words, small, "<= 1.2")]


def scale() -> list[Result]:
    """The partition functions over two processes against one, 8 million fills in 8 files."""
    with tempfile.TemporaryDirectory() as name:
        files = _partitions(Path(name), 8)
        context = get_context("forkserver")
        with (
            ProcessPoolExecutor(1, mp_context=context) as one,
            ProcessPoolExecutor(2, mp_context=context) as two,
        ):
            assert group_partitions(files, SPEC, two).equals(group_partitions(files, SPEC, one))
            value, baseline = alternate(
                _rate(lambda: group_partitions(files, SPEC, two)),
                _rate(lambda: group_partitions(files, SPEC, one)),
                rounds=3,
            )
    words = "the same partitions over one process"
    return [Result("tco.scale", value, "runs/s", words, baseline, ">= 1.7")]


def _peak_mb(files: list[Path]) -> float:
    """Return the peak resident memory of a process of its own that groups the files."""
    code = (
        "import sys\n"
        "from oem_tco import GroupSpec, group_partitions\n"
        f"group_partitions(sys.argv[1:], GroupSpec({KEYS!r}))\n"
    )
    # freed memory is given back at once, so that the peak is what is needed, not what is kept
    environment = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_TRIM_THRESHOLD_": "0"}
    return peak_rss_kib(code, *files, **environment) / 1024


def _partitions(folder: Path, count: int) -> list[Path]:
    """Write partitions of 1 million fills each; two are drawn, the others are links to them."""
    files = []
    for at in range(count):
        path = folder / f"{at:02d}.parquet"
        if at < 2:
            write_partition(_fills(np.random.default_rng(at), MILLION), path)
        else:
            path.hardlink_to(files[at % 2])
        files.append(path)
    return files


def _fills(rng: np.random.Generator, rows: int) -> pa.Table:
    notional = rng.integers(10**10, 10**13, rows)
    parts = {
        f"{a}_minor": (notional * rng.normal(2e-4, 5e-4, rows)).astype(np.int64) for a in AMOUNTS
    }
    return pa.table(
        {
            "strategy": _coded(rng, 5, "s", rows),
            "venue": _coded(rng, 4, "v", rows),
            "symbol": _coded(rng, 8, "y", rows),
            "notional_minor": notional,
            **parts,
            "total_minor": sum(parts.values()),
        }
    )


def _coded(rng: np.random.Generator, words: int, letter: str, rows: int) -> pa.Array:
    codes = rng.integers(0, words, rows).astype(np.int32)
    return pa.DictionaryArray.from_arrays(codes, [f"{letter}{i}" for i in range(words)])


def _market(
    rng: np.random.Generator, fills: int, quotes: int, orders: int
) -> tuple[dict[str, pa.Table], tuple[pd.DataFrame, ...]]:
    """Return orders, fills and quotes, and the frames that merge_asof takes."""
    quoted = START_NS + np.sort(rng.integers(0, DAY_NS, quotes))
    filled = START_NS + np.sort(rng.integers(10**10, DAY_NS, fills))
    of_quote = rng.integers(0, len(SYMBOLS), quotes).astype(np.int32)
    of_order = rng.integers(0, len(SYMBOLS), orders).astype(np.int32)
    order = rng.integers(0, orders, fills)
    first = np.full(orders, START_NS + DAY_NS)
    np.minimum.at(first, order, filled)
    bid = np.round(100 + rng.standard_normal(quotes), 2)
    ids = np.array([f"o{i:07d}" for i in range(orders)])

    def price(rows: int) -> np.ndarray:
        return np.round(100 + rng.standard_normal(rows), 2)

    def word(rows: int, *words: str) -> pa.Array:
        codes = rng.integers(0, len(words), rows).astype(np.int32)
        return pa.DictionaryArray.from_arrays(codes, list(words))

    def symbol(codes: np.ndarray) -> pa.Array:
        return pa.DictionaryArray.from_arrays(codes, SYMBOLS.tolist())

    tables = {
        "orders": pa.table(
            {
                "order_id": ids, "symbol": symbol(of_order), "side": word(orders, "buy", "sell"),
                "quantity": np.full(orders, 1000.0), "currency": word(orders, "USDT"),
                "decision_time_ns": first - 2 * 10**6, "decision_price": price(orders),
                "arrival_time_ns": first - 10**6, "arrival_price": price(orders),
                "end_price": price(orders), "strategy": word(orders, "s0", "s1", "s2"),
                "venue": word(orders, "paper"),
            }
        ),
        "fills": pa.table(
            {
                "fill_id": [f"f{i:08d}" for i in range(fills)], "order_id": ids[order],
                "time_ns": filled, "price": price(fills),
                "quantity": np.round(rng.random(fills) + 0.001, 5),
                "liquidity": word(fills, "maker", "taker"),
                "fee_amount": np.round(rng.random(fills) * 0.1, 8),
                "fee_asset": word(fills, "USDT"),
            }
        ),
        "quotes": pa.table(
            {
                "time_ns": quoted, "symbol": symbol(of_quote), "bid": bid,
                "ask": np.round(bid + 0.01, 2),
            }
        ),
    }  # fmt: skip
    left = pd.DataFrame(
        {
            "time_ns": filled,
            "symbol": pd.Categorical.from_codes(of_order[order], SYMBOLS),
            "price": tables["fills"].column("price").to_numpy(),
        }
    )
    return tables, (left, tables["quotes"].to_pandas())


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return run


def _rate(work: Callable[[], object]) -> Callable[[], float]:
    timed = _timed(work)
    return lambda: 1.0 / timed()


BENCHMARKS = [join, aggregate, memory, scale]
