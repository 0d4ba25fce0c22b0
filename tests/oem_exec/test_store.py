"""The store: restart, versions, damage, one trader at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from exec_support import limit, make_router, market, paper
from oem_exec import (
    BadSettings,
    KillState,
    Order,
    OrderState,
    SqliteOrderStore,
    StoreCorrupt,
    StoreTooNew,
    StoreUnavailable,
)
from oem_exec.store.protocol import KillSwitch
from oem_exec.store.repair import repair
from oem_exec.store.rows import SELECT_KNOWN_IDS
from oem_exec.store.schema import APPLICATION_ID, MIGRATIONS, VERSION


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


async def test_as_many_orders_are_shown_as_asked_for(tmp_path: Path) -> None:
    with SqliteOrderStore.open(await _filled(tmp_path)) as store:
        assert [len(store.orders(limit=n)) for n in (0, 1, 2, 9)] == [0, 1, 2, 2]
        assert len(store.orders()) == 2
        for limit_ in (-1, 10**30):
            with pytest.raises(BadSettings, match="cannot be shown"):
                store.orders(limit=limit_)


async def test_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = await _filled(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(StoreTooNew, match="newer version"):
        SqliteOrderStore.open(path)


@pytest.mark.parametrize("version", range(1, VERSION))
def test_store_of_an_older_version_is_migrated(tmp_path: Path, version: int) -> None:
    path = tmp_path / "orders.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    for statements in MIGRATIONS[:version]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute(
        """INSERT INTO orders (client_order_id, intent_id, attempt, venue, symbol, state, intent,
            quantity, venue_order_id, filled_quantity, filled_notional, reason, cancel_requested,
            sent_ns, valid_until_ns, answered_ns, updated_ns, settled)
        VALUES ('c', 'i', 0, 'paper', 's', 'open', '{}', '1', 'v-7', '0', '0', '', 0, 1, 0, 0, 1, 0)
        """
    )
    connection.close()
    with SqliteOrderStore.open(path) as store:
        assert store.known_ids("paper", ["v-6", "v-7"]) == {"v-7"}
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


async def test_whose_an_order_id_is_is_asked_by_index_and_in_any_number(tmp_path: Path) -> None:
    with SqliteOrderStore.open(tmp_path / "orders.sqlite") as store:
        orders = [_sent(number) for number in range(3)]
        for order in orders:
            await store.insert(order)
        await store.save([order.changed(venue_order_id=f"v-{order.intent_id}") for order in orders])
        asked = ["", "v-i1", *(f"x{number}" for number in range(1200)), "v-i2"]
        assert store.known_ids("paper", asked) == {"v-i1", "v-i2"}
        assert store.known_ids("another", asked) == frozenset()
        assert store.known_ids("paper", []) == frozenset()
    connection = sqlite3.connect(tmp_path / "orders.sqlite")
    sql = "EXPLAIN QUERY PLAN " + SELECT_KNOWN_IDS.format(marks="?, ?")
    (step,) = connection.execute(sql, ("paper", "a", "b")).fetchall()
    assert "orders_by_venue_id (venue_order_id=?)" in step[3]
    connection.close()


def _sent(number: int) -> Order:
    intent = market(f"i{number}")
    name = intent.client_order_id(0)
    return Order(intent, name, "paper", 0, OrderState.SUBMITTING, intent.quantity, None)


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
    await asyncio.wait_for(writing, 30)
    with SqliteOrderStore.open(path) as again:
        assert again.kill_switch() == halted


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("orders", "state = 'no such state'"),
        ("orders", "quantity = 'a lot'"),
        ("orders", "intent = '{'"),
        ("orders", "intent = '[]'"),
        ("fills", "price = 'NaN?'"),
        ("fills", "side = 'left'"),
    ],
)
async def test_a_row_without_sense_is_refused_and_kept_aside_by_the_repair(
    tmp_path: Path, table: str, change: str
) -> None:
    path = await _filled(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {table} SET {change}")
    connection.close()
    with SqliteOrderStore.open(path) as store, pytest.raises(StoreCorrupt, match="oem exec repair"):
        store.orders()
    repair(path)
    with SqliteOrderStore.open(path) as again:
        kept = again.contradictions()
        assert len(kept) == (2 if table == "orders" else 1)
        assert change.partition("'")[2].rstrip("'") in kept[0].evidence
        assert len(again.orders()) == (0 if table == "orders" else 2)


async def test_after_a_repair_an_unreadable_kill_switch_is_halted(tmp_path: Path) -> None:
    path = await _filled(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO kill_switch VALUES (1, 'sideways', '', '', 1)")
    connection.close()
    with SqliteOrderStore.open(path) as store, pytest.raises(StoreCorrupt):
        store.kill_switch()
    repair(path)
    with SqliteOrderStore.open(path) as again:
        assert again.kill_switch().state is KillState.HALTED


async def test_a_halted_site_stays_halted_through_a_repair(tmp_path: Path) -> None:
    path = await _filled(tmp_path)
    with SqliteOrderStore.open(path) as store:
        await store.set_kill_switch(KillSwitch(KillState.HALTED, "stop", "op", 1))
    repair(path)
    with SqliteOrderStore.open(path) as again:
        assert again.kill_switch() == KillSwitch(KillState.HALTED, "stop", "op", 1)


async def test_two_own_orders_that_meet_both_keep_the_trade(tmp_path: Path) -> None:
    path = await _filled(tmp_path)
    with SqliteOrderStore.open(path) as store:
        filled, resting = store.attempts("a")[0], store.attempts("b")[0]
        other = replace(filled.fills[0], client_order_id=resting.client_order_id)
        await store.save([resting], [other])
        assert store.attempts("a")[0].fills == filled.fills
        assert store.attempts("b")[0].fills == (other,)


async def test_a_text_that_is_no_text_is_an_error_and_hangs_nobody(tmp_path: Path) -> None:
    with SqliteOrderStore.open(tmp_path / "orders.sqlite") as store:
        bad = KillSwitch(KillState.HALTED, "\ud800", "op", 1)
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(store.set_kill_switch(bad), 2)
        await store.set_kill_switch(replace(bad, reason="fine"))
