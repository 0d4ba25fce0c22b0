"""What a cost report is made from: the ledger as it stood, its digests, the schedules it met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from oem_tco.errors import LedgerError
from oem_tco.fees.book import FeeBook
from oem_tco.ledger.rows import FillRow, OrderRow
from oem_tco.ledger.store import LedgerRows, read_ledger
from oem_tco.report.files import digest_inputs

ATTEMPTS = 3
T = TypeVar("T")


def read_with_digests(folder: Path) -> tuple[LedgerRows, dict[str, str]]:
    """Return a ledger's rows and the SHA-384 of exactly the files they were read from.

    A daemon may be writing: the files are read again until they did not change meanwhile.

    Args:
        folder: Folder of `orders.csv` and `fills.csv`.

    Raises:
        LedgerError: There is no ledger, or it changed during every attempt.
        InputError: A row is malformed; the error names file, row and column.
    """
    paths = [folder / "orders.csv", folder / "fills.csv"]
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise LedgerError(
            "there is no cost ledger", where=str(missing), remedy="trade first, or correct the path"
        )
    return read_unchanged(paths, lambda: read_ledger(folder))


def read_unchanged(paths: Sequence[Path], read: Callable[[], T]) -> tuple[T, dict[str, str]]:
    """Return what a function reads and the SHA-384 of exactly the files it was read from.

    Args:
        paths: The files and folders it reads.
        read: Reads them; called again where one of them changed meanwhile.

    Raises:
        LedgerError: They changed during every attempt.
        InputError: There is no such file.
        ReportError: A folder is empty.
    """
    for _ in range(ATTEMPTS):
        before = digest_inputs(paths)
        found = read()
        if digest_inputs(paths) == before:
            return found, before
    raise LedgerError(
        "the inputs change while they are read",
        where=", ".join(map(str, paths)),
        remedy="analyse while nothing writes them, or a copy of them",
    )


def only_orders(rows: LedgerRows, keep: Callable[[OrderRow], bool]) -> LedgerRows:
    """Return the orders that are wanted with their fills; fills without any order stay."""
    dropped = {order.order_id for order in rows.orders if not keep(order)}
    return replace(
        rows,
        orders=tuple(order for order in rows.orders if order.order_id not in dropped),
        fills=tuple(fill for fill in rows.fills if fill.order_id not in dropped),
    )


def schedules_met(
    rows: LedgerRows, fees: FeeBook, fee_venues: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return the fee schedule versions that were in effect for the fills, by name.

    Args:
        rows: The ledger.
        fees: Schedules.
        fee_venues: Venue to the venue whose schedule it charges, for a paper venue.
    """
    orders = {order.order_id: order for order in rows.orders}
    met = set()
    for fill in rows.fills:
        order = orders.get(fill.order_id)
        if order is None:
            continue
        venue = (fee_venues or {}).get(order.venue, order.venue)
        rate = fees.commission(
            venue, order.market, fill.liquidity, fill.time_ns, symbol=order.symbol
        )
        met.add(rate.schedule_version or f"estimated ({rate.note})")
    return tuple(sorted(met))


def last_moment(orders: Iterable[OrderRow], fills: Iterable[FillRow]) -> int:
    """Return the latest time a ledger knows of, UTC nanoseconds; 0 of an empty one."""
    times = [t for o in orders for t in (o.decision_time_ns, o.arrival_time_ns, o.end_time_ns or 0)]
    return max([*times, *(fill.time_ns for fill in fills)], default=0)
