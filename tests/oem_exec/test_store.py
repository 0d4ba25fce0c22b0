"""The store: restart, versions, damage, one trader at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from exec_support import limit, make_router, market, paper
from oem_exec import (
    KillState,
    OrderState,
    SqliteOrderStore,
    StoreCorrupt,
    StoreTooNew,
    StoreUnavailable,
)
from oem_exec.store.protocol import KillSwitch
from oem_exec.store.schema import APPLICATION_ID, MIGRATIONS, VERSION
from oem_exec.store.sqlite import repair


async def _filled(tmp_path: Path) -> Path:
    router, store = make_router(tmp_path, [paper()])
    async with router:
        await router.submit(market("a"))
        await router.submit(limit("b", "50000"))
    store.close()
    return tmp_path / "orders.sqlite"


async def test_orders_and_fills_come_back_equal(tmp_path: Path) -> None:
    router, store = make_router(tmp_path, [paper()])
    async with router:
        sent = await router.submit(market("a", "1.5"))
    store.close()
    with SqliteOrderStore.open(tmp_path / "orders.sqlite") as again:
        assert again.attempts("a") == (sent,)
        assert again.unsettled() == ()


async def test_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = await _filled(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(StoreTooNew, match="newer version"):
        SqliteOrderStore.open(path)


def test_store_of_an_older_version_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    SqliteOrderStore.open(path).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


async def test_damaged_store_is_refused_with_the_repair_command_and_repaired(
    tmp_path: Path,
) -> None:
    path = await _filled(tmp_path)
    content = bytearray(path.read_bytes())
    page = 4096
    for offset in range(page, len(content), page):
        content[offset : offset + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="oem exec repair"):
        SqliteOrderStore.open(path)
    _, kept = repair(path)
    assert kept.read_bytes() == bytes(content)
    SqliteOrderStore.open(path).close()


async def test_repair_of_a_healthy_store_saves_everything(tmp_path: Path) -> None:
    path = await _filled(tmp_path)
    saved, _ = repair(path)
    assert saved == 2
    with SqliteOrderStore.open(path) as again:
        assert again.attempts("a")[0].state is OrderState.FILLED
        assert len(again.attempts("a")[0].fills) == 1


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    path.write_bytes(b"not a database at all, but long enough to look like one" * 100)
    with pytest.raises(StoreCorrupt):
        SqliteOrderStore.open(path)


def test_only_one_process_trades_on_a_store(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    with (
        SqliteOrderStore.open(path),
        pytest.raises(StoreUnavailable, match="another process trades"),
    ):
        SqliteOrderStore.open(path)
    SqliteOrderStore.open(path).close()


async def test_a_write_under_way_when_the_store_closes_is_done_and_answered(
    tmp_path: Path,
) -> None:
    path = tmp_path / "orders.sqlite"
    store = SqliteOrderStore.open(path)
    halted = KillSwitch(KillState.HALTED, "test", "operator", 1)
    writing = asyncio.create_task(store.set_kill_switch(halted))
    await asyncio.sleep(0)
    store.close()
    await asyncio.wait_for(writing, 2)
    with SqliteOrderStore.open(path) as again:
        assert again.kill_switch() == halted
