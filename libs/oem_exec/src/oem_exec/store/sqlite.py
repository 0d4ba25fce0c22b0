"""The order store in one SQLite file in WAL mode, durable at every commit."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from oem_exec.errors import BadSettings, ExecError, StoreCorrupt, StoreUnavailable
from oem_exec.model.enums import KillState
from oem_exec.model.fill import Fill
from oem_exec.model.order import Order
from oem_exec.store import history, rows
from oem_exec.store.history import BookedFill, Outcome, PageQuery
from oem_exec.store.protocol import Contradiction, KillSwitch
from oem_exec.store.schema import migrate
from oem_exec.store.writer import GroupCommitWriter, Statement

T = TypeVar("T")
_GLANCE = """SELECT EXISTS (SELECT 1 FROM orders WHERE intent_id = ?),
    state, reason, operator, time_ns FROM (SELECT 1) LEFT JOIN kill_switch"""
_MOST_ROWS = 2**62
_PART = 500
"""Names in one statement; every SQLite takes as many."""
_REPAIR = "run `oem exec repair` with the daemon stopped; it keeps the damaged file"


class SqliteOrderStore:
    """Orders, fills, quarantine and kill switch of one site.

    One process at a time may trade on a store (`exclusive`); others may read it and throw the
    kill switch. Make one with `open`.
    """

    def __init__(
        self,
        path: Path,
        reader: sqlite3.Connection,
        writer: GroupCommitWriter,
        lock: IO[str] | None,
    ) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, exclusive: bool = True) -> Self:
        """Open or make the store, migrating older versions.

        Args:
            path: The SQLite file; its directory is made with private mode when absent.
            exclusive: Hold the trading lock until `close`.

        Raises:
            StoreCorrupt: The file is damaged or not an order store.
            StoreTooNew: A newer version wrote it.
            StoreUnavailable: It cannot be opened, or another process trades on it.
        """
        lock: IO[str] | None = None
        connections: list[sqlite3.Connection] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if exclusive:
                lock = take_lock(path)
            fresh = not path.exists()
            writer = connect(path)
            connections.append(writer)
            if fresh:
                path.chmod(0o600)
            _check(writer, path)
            migrate(writer, str(path))
            reader = connect(path)
            connections.append(reader)
            return cls(path, reader, GroupCommitWriter(writer, str(path)), lock)
        except (sqlite3.Error, OSError, ExecError) as error:
            for connection in connections:
                connection.close()
            if lock is not None:
                lock.close()
            if isinstance(error, ExecError):
                raise
            raise _translated(error, path) from error

    @property
    def path(self) -> Path:
        return self._path

    def insert(self, order: Order) -> Awaitable[int]:
        return self._writer.write((rows.INSERT_ORDER, (rows.order_row(order),)))

    def save(
        self, orders: Iterable[Order], fills: Iterable[Fill] = (), *, lazy: bool = False
    ) -> Awaitable[object]:
        statements: list[Statement] = []
        if updates := [rows.update_row(order) for order in orders]:
            statements.append((rows.UPDATE_ORDER, updates))
        if trades := [rows.fill_row(fill) for fill in fills]:
            statements.append((rows.INSERT_FILL, trades))
        return self._writer.write(*statements, lazy=lazy)

    async def quarantine(self, contradiction: Contradiction) -> None:
        await self._writer.write(
            (
                rows.INSERT_CONTRADICTION,
                (
                    (
                        contradiction.time_ns,
                        contradiction.venue,
                        contradiction.client_order_id,
                        contradiction.what,
                        contradiction.evidence,
                    ),
                ),
            )
        )

    async def set_kill_switch(self, switch: KillSwitch) -> None:
        row = (switch.state.value, switch.reason, switch.operator, switch.time_ns)
        await self._writer.write(
            ("INSERT OR REPLACE INTO kill_switch VALUES (1, ?, ?, ?, ?)", (row,))
        )

    def kill_switch(self) -> KillSwitch:
        found = self._query("SELECT state, reason, operator, time_ns FROM kill_switch")
        if not found:
            return KillSwitch()
        return self._switch(found[0])

    def _switch(self, row: Sequence[Any]) -> KillSwitch:
        state, reason, operator, time_ns = row
        try:
            return KillSwitch(KillState(state), reason, operator, time_ns)
        except ValueError as error:
            raise _unreadable("the kill switch", error, self._path) from error

    def glance(self, intent_id: str) -> tuple[bool, KillSwitch]:
        known, *switch = self._query(_GLANCE, (intent_id,))[0]
        return bool(known), KillSwitch() if switch[0] is None else self._switch(switch)

    def order(self, client_order_id: str) -> Order | None:
        found = self._orders("WHERE client_order_id = ?", (client_order_id,))
        return found[0] if found else None

    def attempts(self, intent_id: str) -> tuple[Order, ...]:
        return self._orders("WHERE intent_id = ? ORDER BY attempt", (intent_id,))

    def unsettled(self) -> tuple[Order, ...]:
        return self._orders("WHERE settled = 0 ORDER BY sent_ns")

    def orders(self, *, limit: int | None = None) -> tuple[Order, ...]:
        if limit is not None and not 0 <= limit <= _MOST_ROWS:
            raise BadSettings(
                f"{limit} orders cannot be shown",
                where="limit",
                remedy=f"ask for 0 to {_MOST_ROWS:,}",
            )
        return self._orders(
            "ORDER BY sent_ns DESC, attempt DESC LIMIT ?", (-1 if limit is None else limit,)
        )

    def page(self, query: PageQuery, limit: int) -> tuple[Order, ...]:
        """Return at most `limit` orders that fit a query, newest first."""
        return self._orders(*history.page_clause(query, limit))

    def booked_fills(self, venues: Sequence[str]) -> Iterator[BookedFill]:
        """Yield every fill at these venues in the order of time, in flat memory.

        Raises:
            StoreCorrupt: A row cannot be read.
        """
        return self._each(history.SELECT_BOOKED, venues, history.booked_of, "fill")

    def outcomes(self, venues: Sequence[str]) -> Iterator[Outcome]:
        """Yield how every intent at these venues stands, by its newest order there.

        Raises:
            StoreCorrupt: A row cannot be read.
        """
        return self._each(history.SELECT_OUTCOMES, venues, history.outcome_of, "order")

    def newest_fill_ns(self, venue: str) -> int:
        """Return the time of the newest fill at a venue, 0 where there is none."""
        ((found,),) = self._query(history.SELECT_NEWEST_FILL, (venue,))
        return found or 0

    def contradictions(self) -> tuple[Contradiction, ...]:
        found = self._query(
            "SELECT time_ns, venue, client_order_id, what, evidence FROM quarantine ORDER BY id"
        )
        return tuple(Contradiction(*row) for row in found)

    def close(self) -> None:
        self._writer.close()
        self._reader.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _orders(self, tail: str, values: Sequence[Any] = ()) -> tuple[Order, ...]:
        found = self._query(f"{rows.SELECT_ORDERS} {tail}", values)
        fills: dict[str, list[Fill]] = {}
        ids = [row[0] for row in found]
        for start in range(0, len(ids), _PART):
            part = ids[start : start + _PART]
            marks = ", ".join("?" * len(part))
            for row in self._query(
                f"{rows.SELECT_FILLS} WHERE client_order_id IN ({marks}) ORDER BY time_ns",
                part,
            ):
                try:
                    fill = rows.fill_of(row)
                except rows.UNREADABLE as error:
                    raise _unreadable(f"fill {row[2]!r}", error, self._path) from error
                fills.setdefault(fill.client_order_id, []).append(fill)
        return tuple(self._order(row, fills.get(row[0], ())) for row in found)

    def _order(self, row: Sequence[Any], fills: Sequence[Fill]) -> Order:
        try:
            return rows.order_of(row, fills)
        except rows.UNREADABLE as error:
            raise _unreadable(f"order {row[0]!r}", error, self._path) from error

    def known_ids(self, venue: str, venue_order_ids: Iterable[str]) -> frozenset[str]:
        found: set[str] = set()
        ids = [name for name in venue_order_ids if name]
        for start in range(0, len(ids), _PART):
            part = ids[start : start + _PART]
            sql = rows.SELECT_KNOWN_IDS.format(marks=", ".join("?" * len(part)))
            found.update(row[0] for row in self._query(sql, (venue, *part)))
        return frozenset(found)

    def _each(
        self, sql: str, venues: Sequence[str], made: Callable[[Any], T], noun: str
    ) -> Iterator[T]:
        try:
            for row in self._reader.execute(sql.format(marks=history.marks(venues)), venues):
                try:
                    value = made(row)
                except rows.UNREADABLE as error:
                    raise _unreadable(f"{noun} {row[:3]!r}", error, self._path) from error
                yield value
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._reader.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error


def take_lock(path: Path) -> IO[str]:
    """Return the held trading lock of a store; raises `StoreUnavailable` where it is taken."""
    lock = Path(f"{path}.lock").open("a", encoding="utf-8")  # noqa: SIM115 - held until close
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreUnavailable(
            "another process trades on this store",
            where=str(path),
            remedy="stop it first (`oem daemon stop`), or use another site",
        ) from error
    os.set_inheritable(lock.fileno(), False)
    return lock


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit and WAL mode that waits for the disk at every commit."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=5, cached_statements=64
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    findings = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if findings != ["ok"]:
        raise StoreCorrupt(
            f"the order store is damaged: {findings[0]}", where=str(path), remedy=_REPAIR
        )


def _unreadable(what: str, error: Exception, path: Path) -> StoreCorrupt:
    return StoreCorrupt(
        f"the order store is damaged: {what} cannot be read ({error})",
        where=str(path),
        remedy=_REPAIR,
    )


def _translated(error: sqlite3.Error | OSError, path: Path) -> StoreUnavailable:
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return StoreCorrupt(f"the order store is damaged: {error}", where=str(path), remedy=_REPAIR)
    return StoreUnavailable(
        f"the order store cannot be used: {error}",
        where=str(path),
        remedy="check the path, its permissions and the free space",
    )
