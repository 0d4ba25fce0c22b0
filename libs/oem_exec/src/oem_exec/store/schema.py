"""The tables, their version, and the steps from each older version to the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from oem_exec.errors import StoreCorrupt, StoreTooNew

APPLICATION_ID = 0x4F454D58
"""`OEMX`: what `file` and SQLite show for a store of this library."""

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        """CREATE TABLE orders (
            client_order_id TEXT PRIMARY KEY,
            intent_id TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            venue TEXT NOT NULL,
            symbol TEXT NOT NULL,
            state TEXT NOT NULL,
            intent TEXT NOT NULL,
            quantity TEXT NOT NULL,
            price TEXT,
            venue_order_id TEXT NOT NULL,
            filled_quantity TEXT NOT NULL,
            filled_notional TEXT NOT NULL,
            reason TEXT NOT NULL,
            cancel_requested INTEGER NOT NULL,
            sent_ns INTEGER NOT NULL,
            valid_until_ns INTEGER NOT NULL,
            answered_ns INTEGER NOT NULL,
            updated_ns INTEGER NOT NULL,
            settled INTEGER NOT NULL,
            UNIQUE (intent_id, attempt)
        ) WITHOUT ROWID""",
        "CREATE INDEX orders_unsettled ON orders (client_order_id) WHERE settled = 0",
        """CREATE TABLE fills (
            venue TEXT NOT NULL,
            symbol TEXT NOT NULL,
            trade_id TEXT NOT NULL,
            client_order_id TEXT NOT NULL,
            side TEXT NOT NULL,
            quantity TEXT NOT NULL,
            price TEXT NOT NULL,
            fee TEXT NOT NULL,
            fee_asset TEXT NOT NULL,
            liquidity TEXT NOT NULL,
            time_ns INTEGER NOT NULL,
            notional TEXT NOT NULL,
            PRIMARY KEY (venue, symbol, trade_id)
        ) WITHOUT ROWID""",
        "CREATE INDEX fills_of_order ON fills (client_order_id)",
        """CREATE TABLE quarantine (
            id INTEGER PRIMARY KEY,
            time_ns INTEGER NOT NULL,
            venue TEXT NOT NULL,
            client_order_id TEXT NOT NULL,
            what TEXT NOT NULL,
            evidence TEXT NOT NULL
        )""",
        """CREATE TABLE kill_switch (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            state TEXT NOT NULL,
            reason TEXT NOT NULL,
            operator TEXT NOT NULL,
            time_ns INTEGER NOT NULL
        )""",
    ),
    # version 2: an operator looks for the newest orders first
    ("CREATE INDEX orders_by_time ON orders (sent_ns)",),
    # version 3: two orders of one account that meet share a trade id, and both keep their fill;
    # what an amendment asked for is durable before it is sent
    (
        """CREATE TABLE fills_of_orders (
            venue TEXT NOT NULL,
            symbol TEXT NOT NULL,
            trade_id TEXT NOT NULL,
            client_order_id TEXT NOT NULL,
            side TEXT NOT NULL,
            quantity TEXT NOT NULL,
            price TEXT NOT NULL,
            fee TEXT NOT NULL,
            fee_asset TEXT NOT NULL,
            liquidity TEXT NOT NULL,
            time_ns INTEGER NOT NULL,
            notional TEXT NOT NULL,
            PRIMARY KEY (client_order_id, venue, symbol, trade_id)
        ) WITHOUT ROWID""",
        "INSERT INTO fills_of_orders SELECT * FROM fills",
        "DROP TABLE fills",
        "ALTER TABLE fills_of_orders RENAME TO fills",
        "ALTER TABLE orders ADD COLUMN asked_quantity TEXT",
    ),
    # version 4: whose trade it is, is asked by the venue's own order id
    (
        """CREATE INDEX orders_by_venue_id ON orders (venue_order_id)
            WHERE venue_order_id <> ''""",
    ),
)
"""Statements that lead from version n to version n + 1, for n = 0, 1, …"""

VERSION = len(MIGRATIONS)
"""The schema version this library writes."""


def migrate(connection: sqlite3.Connection, where: str) -> int:
    """Bring a store to `VERSION` in one transaction and return the version it had.

    Raises:
        StoreTooNew: A newer version wrote it.
        StoreCorrupt: It is a database of something else.
    """
    found: int
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if found > VERSION:
        raise StoreTooNew(
            f"the order store has version {found}, this program knows up to {VERSION}",
            where=where,
            remedy="install the newer version again, or restore the backup made before it",
        )
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and tables:
        raise StoreCorrupt(
            "the file is a database of something else",
            where=where,
            remedy="name the site's own var/exec/orders.sqlite",
        )
    if found == VERSION:
        return found
    connection.execute("BEGIN IMMEDIATE")
    for statements in MIGRATIONS[found:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    return found
