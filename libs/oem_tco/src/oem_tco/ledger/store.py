"""The cost ledger on disk: two append-only CSV files that a daemon feeds."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from oem_tco.errors import InputError, LedgerError
from oem_tco.ledger.rows import FillRow, OrderRow, fill_from, header, order_from, to_cells


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """What a ledger holds: the newest row of every order, and every fill once, in file order."""

    orders: tuple[OrderRow, ...]
    fills: tuple[FillRow, ...]
    duplicate_fills: tuple[str, ...] = ()


class CostLedger:
    """Appends orders and fills; a torn last line, as a crash leaves it, is dropped on opening.

    Args are those of `open`; use it, not the constructor.
    """

    def __init__(self, folder: Path, recovered: tuple[str, ...]) -> None:
        self.folder = folder
        self.recovered = recovered
        try:
            self._orders = (folder / "orders.csv").open("a", newline="", encoding="utf-8")
            self._fills = (folder / "fills.csv").open("a", newline="", encoding="utf-8")
        except OSError as error:
            raise _refused(error, folder) from None

    @classmethod
    def open(cls, folder: Path) -> CostLedger:
        """Open the ledger of a folder, and make it when it is not there.

        Raises:
            LedgerError: The disk refuses.
        """
        recovered = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, kind in (("orders.csv", OrderRow), ("fills.csv", FillRow)):
                path = folder / name
                if path.exists() and _drop_torn(path):
                    recovered.append(name)
                # a crash while the file was made may have torn the header itself
                if not path.exists() or not path.stat().st_size:
                    path.write_text(_line(header(kind)), encoding="utf-8")
        except OSError as error:
            raise _refused(error, folder) from None
        return cls(folder, tuple(recovered))

    def record_order(self, row: OrderRow) -> None:
        """Append an order; a later row of the same id replaces it."""
        self._append(self._orders, to_cells(row))

    def record_fill(self, row: FillRow) -> None:
        """Append a fill; a second row of the same id is ignored when read."""
        self._append(self._fills, to_cells(row))

    def sync(self) -> None:
        """Return once everything recorded is on disk.

        Raises:
            LedgerError: The disk refuses.
        """
        try:
            for stream in (self._orders, self._fills):
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise _refused(error, self.folder) from None

    def close(self) -> None:
        """Write what is buffered and let go of the files, whether or not the disk takes it.

        Raises:
            LedgerError: The disk refuses.
        """
        try:
            self.sync()
        finally:
            for stream in (self._orders, self._fills):
                with suppress(OSError):  # what cannot be flushed was named above
                    stream.close()

    def rows(self) -> LedgerRows:
        """Return everything recorded so far."""
        self.sync()
        return read_ledger(self.folder)

    def statuses(self) -> dict[str, str]:
        """Return the last status of every order, by order id; the rows are not read otherwise."""
        self.sync()
        cells = _cells(self.folder / "orders.csv", "order_id", "status")
        return {row[0]: row[1] for row in cells}

    def fill_ids(self) -> frozenset[str]:
        """Return the ids of all fills; the rows are not read otherwise."""
        self.sync()
        return frozenset(row[0] for row in _cells(self.folder / "fills.csv", "fill_id"))

    def orders(self, ids: Collection[str]) -> dict[str, OrderRow]:
        """Return the newest rows of some orders, by order id; those not recorded are left out.

        Raises:
            InputError: A row of them is malformed; the error names file, row and column.
        """
        self.sync()
        path = self.folder / "orders.csv"
        newest = {c["order_id"]: (where, c) for where, c in _rows(path) if c["order_id"] in ids}
        return {name: order_from(cells, where) for name, (where, cells) in newest.items()}

    def _append(self, stream: io.TextIOWrapper, cells: list[str]) -> None:
        try:
            stream.write(_line(cells))
        except OSError as error:
            raise _refused(error, self.folder) from None


def read_ledger(folder: Path) -> LedgerRows:
    """Return the rows of a ledger's files.

    Raises:
        InputError: A row is malformed; the error names file, row and column.
        LedgerError: A file is missing.
    """
    orders: dict[str, OrderRow] = {}
    for where, cells in _rows(folder / "orders.csv"):
        order = order_from(cells, where)
        orders[order.order_id] = order
    fills: dict[str, FillRow] = {}
    doubled = []
    for where, cells in _rows(folder / "fills.csv"):
        fill = fill_from(cells, where)
        if fill.fill_id in fills:
            doubled.append(fill.fill_id)
        fills.setdefault(fill.fill_id, fill)
    return LedgerRows(tuple(orders.values()), tuple(fills.values()), tuple(doubled))


def _cells(path: Path, *columns: str) -> Iterator[tuple[str, ...]]:
    """Yield these columns of every row."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.reader(stream)
        names = next(rows, [])
        try:
            places = [names.index(column) for column in columns]
        except ValueError:
            raise InputError(
                f"column {' or '.join(columns)} is missing",
                where=str(path),
                remedy="restore the ledger's file from a backup",
            ) from None
        for number, row in enumerate(rows, start=2):
            try:
                yield tuple([row[place] for place in places])
            except IndexError:
                raise InputError(
                    "the row is too short",
                    where=f"{path}:{number}",
                    remedy="restore the ledger's file from a backup",
                ) from None


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            for number, cells in enumerate(csv.DictReader(stream), start=2):
                yield f"{path}:{number}", {k: v for k, v in cells.items() if k and v is not None}
    except FileNotFoundError:
        raise LedgerError(
            "there is no cost ledger", where=str(path), remedy="trade first, or correct the path"
        ) from None


def _line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _drop_torn(path: Path) -> bool:
    data = path.read_bytes()
    if not data or data.endswith(b"\n"):
        return False
    os.truncate(path, data.rfind(b"\n") + 1)
    return True


def _refused(error: OSError, folder: Path) -> LedgerError:
    return LedgerError(
        f"the cost ledger cannot be written: {error.strerror or error}",
        where=str(folder),
        remedy="free space or mend the disk, then restart",
    )
