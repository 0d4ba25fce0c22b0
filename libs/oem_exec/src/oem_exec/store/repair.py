"""Saving what can be read of a damaged order store; what cannot be understood is kept aside."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from oem_exec.errors import StoreUnavailable
from oem_exec.model.enums import KillState
from oem_exec.store import rows
from oem_exec.store.schema import migrate
from oem_exec.store.sqlite import connect, take_lock

_TABLES = ("orders", "fills", "quarantine", "kill_switch")
_HALT = "the store was repaired and its kill switch could not be read"


def repair(path: Path) -> tuple[int, Path]:
    """Copy what can be read of a damaged store into a new one and keep the damaged file.

    Rows that can be read but make no sense (an unknown state, a quantity that is no number) go to
    the new store's quarantine, whole. Where the kill switch cannot be read, it is set to HALTED.

    Args:
        path: The damaged store; nobody may have it open for trading.

    Returns:
        The number of orders saved, and where the damaged file is now.

    Raises:
        StoreUnavailable: The store is in use, or nothing is there.
    """
    if not path.exists():
        raise StoreUnavailable("there is no order store", where=str(path), remedy="name the site")
    with take_lock(path):
        kept = path.with_name(f"{path.name}.damaged")
        number = 1
        while kept.exists():
            kept = path.with_name(f"{path.name}.damaged.{number}")
            number += 1
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(kept.with_name(kept.name + suffix))
        return _salvage(kept, path), kept


def _salvage(damaged: Path, fresh: Path) -> int:
    new = connect(fresh)
    fresh.chmod(0o600)
    migrate(new, str(fresh))
    saved = 0
    readable = False
    new.execute("BEGIN IMMEDIATE")
    try:
        old = sqlite3.connect(damaged, isolation_level=None)
        try:
            for table in _TABLES:
                found, whole = _copy(old, new, table)
                saved += found if table == "orders" else 0
                readable = readable or (table == "kill_switch" and whole)
        finally:
            old.close()
    except sqlite3.Error:
        readable = False
    if not readable:
        new.execute(
            "INSERT OR REPLACE INTO kill_switch VALUES (1, ?, ?, 'oem exec repair', 0)",
            (KillState.HALTED.value, _HALT),
        )
    new.execute("COMMIT")
    new.close()
    return saved


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> tuple[int, bool]:
    """Copy a table as far as it can be read; return the rows copied and whether it was whole."""
    columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    there = {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
    if not there:
        return 0, False
    # a store of an older version has no such column yet
    wanted = ", ".join(name if name in there else f"NULL AS {name}" for name in columns)
    insert = (
        f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) "  # noqa: S608 - own names
        f"VALUES ({', '.join('?' * len(columns))})"
    )
    sense = _SENSE.get(table)
    saved, whole = 0, True
    try:
        cursor = old.execute(f"SELECT {wanted} FROM {table}")  # noqa: S608 - own names
        while (row := cursor.fetchone()) is not None:
            if (wrong := _complaint(sense, columns, row)) is not None:
                evidence = json.dumps(dict(zip(columns, row, strict=True)), default=repr)
                what = f"repair: a row of {table} makes no sense: {wrong}"
                new.execute(rows.INSERT_CONTRADICTION, (0, "", _id(columns, row), what, evidence))
                whole = False
                continue
            new.execute(insert, row)
            saved += 1
    except sqlite3.Error:
        return saved, False  # the pages behind this point cannot be read; what came before is kept
    return saved, whole


def _complaint(
    sense: Callable[[dict[str, Any]], object] | None, columns: Sequence[str], row: Sequence[Any]
) -> str | None:
    if sense is None:
        return None
    try:
        sense(dict(zip(columns, row, strict=True)))
    except rows.UNREADABLE as error:
        return str(error)
    return None


def _id(columns: Sequence[str], row: Sequence[Any]) -> str:
    found = dict(zip(columns, row, strict=True)).get("client_order_id", "")
    return found if isinstance(found, str) else repr(found)


def _order(row: dict[str, Any]) -> object:
    return rows.order_of([row[name] for name in rows.ORDER_COLUMNS.split(", ")], ())


def _fill(row: dict[str, Any]) -> object:
    return rows.fill_of([row[name] for name in rows.FILL_COLUMNS.split(", ")])


_SENSE: dict[str, Callable[[dict[str, Any]], object]] = {
    "orders": _order,
    "fills": _fill,
    "kill_switch": lambda row: KillState(row["state"]),
}
