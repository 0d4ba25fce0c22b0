"""What is learnt reaches the log before the store, in order, and rides with intents."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from exec_support import market
from oem_exec import JournalFailed, Order, OrderState, SqliteOrderStore
from oem_exec.recorder import Entry, Recorder


class SlowJournal:
    """A log whose waits end when the test says so; what was handed in is written with them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.waits: list[asyncio.Future[None]] = []
        self._handed_in: list[str] = []

    def write(self, kind: str, body: Mapping[str, object]) -> None:
        self._handed_in.append(str(body["line"]))

    async def append(self, kind: str, body: Mapping[str, object]) -> None:
        waiting = asyncio.get_running_loop().create_future()
        mine, self._handed_in = [*self._handed_in, str(body["line"])], []
        self.waits.append(waiting)
        await waiting
        self.lines += mine


def _order(name: str, state: OrderState = OrderState.SUBMITTING) -> Order:
    intent = market(name)
    return Order(intent, intent.client_order_id(0), "v", 0, state, intent.quantity, None, sent_ns=1)


def _entry(name: str, state: OrderState, *, durable: bool = False) -> Entry:
    return Entry(
        "order.outcome", _order(name, state), (), None, durable, {"line": f"{name} {state}"}
    )


async def _admitted(recorder: Recorder, journal: SlowJournal, name: str) -> None:
    admitting = asyncio.create_task(recorder.admit(_order(name), {"line": name}))
    await asyncio.sleep(0.005)
    journal.waits.pop().set_result(None)
    assert await admitting


def _state(store: SqliteOrderStore, name: str) -> OrderState:
    found = store.order(_order(name).client_order_id)
    assert found is not None
    return found.state


async def test_an_entry_rides_with_the_next_intent_and_is_stored_after_its_line(
    tmp_path: Path,
) -> None:
    with SqliteOrderStore.open(tmp_path / "orders.sqlite") as store:
        journal = SlowJournal()
        recorder = Recorder(store, journal)
        await _admitted(recorder, journal, "a")
        recorder.record(_entry("a", OrderState.OPEN))
        admitting = asyncio.create_task(recorder.admit(_order("b"), {"line": "b"}))
        await asyncio.sleep(0.02)  # the intent's row is stored; the log has not answered
        assert _state(store, "a") is OrderState.SUBMITTING, "not stored before it is in the log"
        journal.waits.pop().set_result(None)
        assert await admitting
        await recorder.durable()
        assert journal.lines == ["a", "a open", "b"]
        assert _state(store, "a") is OrderState.OPEN


async def test_what_was_learnt_later_is_stored_later(tmp_path: Path) -> None:
    with SqliteOrderStore.open(tmp_path / "orders.sqlite") as store:
        journal = SlowJournal()
        recorder = Recorder(store, journal)
        await _admitted(recorder, journal, "a")
        recorder.record(_entry("a", OrderState.OPEN))
        admitting = asyncio.create_task(recorder.admit(_order("b"), {"line": "b"}))
        await asyncio.sleep(0.005)
        recorder.record(_entry("a", OrderState.CANCELED, durable=True))
        await asyncio.sleep(0.01)
        assert len(journal.waits) == 1, "it waits for what rides before it"
        journal.waits.pop().set_result(None)
        await admitting
        await asyncio.sleep(0.005)
        journal.waits.pop().set_result(None)
        await recorder.durable()
        assert journal.lines == ["a", "a open", "b", "a canceled"]
        assert _state(store, "a") is OrderState.CANCELED


async def test_an_intent_given_up_leaves_its_riders_to_be_written(tmp_path: Path) -> None:
    with SqliteOrderStore.open(tmp_path / "orders.sqlite") as store:
        journal = SlowJournal()
        recorder = Recorder(store, journal)
        await _admitted(recorder, journal, "a")
        recorder.record(_entry("a", OrderState.OPEN))
        admitting = asyncio.create_task(recorder.admit(_order("b"), {"line": "b"}))
        await asyncio.sleep(0.005)
        journal.waits.clear()
        admitting.cancel()
        await asyncio.gather(admitting, return_exceptions=True)
        await asyncio.sleep(0.005)
        journal.waits.pop().set_result(None)
        await recorder.durable()
        assert journal.lines[-1] == "a open"
        assert _state(store, "a") is OrderState.OPEN


async def test_a_log_that_refuses_stops_everything_that_waits(tmp_path: Path) -> None:
    with SqliteOrderStore.open(tmp_path / "orders.sqlite") as store:
        journal = SlowJournal()
        recorder = Recorder(store, journal)
        await _admitted(recorder, journal, "a")
        recorder.record(_entry("a", OrderState.OPEN))
        admitting = asyncio.create_task(recorder.admit(_order("b"), {"line": "b"}))
        await asyncio.sleep(0.005)
        waiting = asyncio.create_task(recorder.durable())
        await asyncio.sleep(0.005)
        journal.waits.pop().set_exception(OSError(28, "No space left on device"))
        for task in (admitting, waiting):
            with pytest.raises(JournalFailed, match="No space left"):
                await task
        with pytest.raises(JournalFailed):
            await recorder.admit(_order("c"), {"line": "c"})
        await recorder.drain()
