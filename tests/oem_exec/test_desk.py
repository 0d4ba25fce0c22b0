"""What the desk calls durable is on disk, also when the disk is busy with it right now."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from exec_support import ManualClock, market
from oem_exec import Order, OrderState, SqliteOrderStore
from oem_exec.desk import Desk, unsent


class SlowStore(SqliteOrderStore):
    """A store whose saves take their time."""

    saved = 0

    async def save(self, *args: Any, **options: Any) -> None:
        await asyncio.sleep(0.02)
        await super().save(*args, **options)
        self.saved += 1


async def test_durable_waits_for_a_batch_that_is_on_its_way_to_the_disk(tmp_path: Path) -> None:
    with SlowStore.open(tmp_path / "orders.sqlite") as store:
        desk = Desk(store, None, None, ManualClock())
        orders = []
        for name in ("a", "b"):
            intent = market(name)
            order = Order(
                intent, intent.client_order_id(0), "paper", 0, OrderState.SUBMITTING,
                intent.quantity, None, sent_ns=1, updated_ns=1,
            )  # fmt: skip
            assert await desk.admit(order)
            orders.append(order)
        await desk.durable()
        assert store.saved == 0, "nothing was learnt, so nothing is waited for"
        desk.change(unsent(orders[0], "test", 2), "outcome")
        await asyncio.sleep(0.005)  # the writer has taken the batch
        waiting = [asyncio.create_task(desk.durable()) for _ in range(3)]
        await asyncio.sleep(0.001)
        waiting[0].cancel()  # one caller that gives up must not release or harm the others
        await asyncio.gather(*waiting[1:])
        assert store.saved == 1
        desk.change(unsent(orders[1], "test", 2), "outcome")
        await desk.durable()
        assert store.saved == 2
        found = [store.order(o.client_order_id) for o in orders]
        assert [o.state for o in found if o] == [OrderState.REJECTED] * 2
