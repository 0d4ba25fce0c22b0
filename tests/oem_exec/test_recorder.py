"""What is learnt reaches the log before the store, in order, and rides with intents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from exec_support import market
from oem_exec import JournalFailed, Order, OrderState, SqliteOrderStore
from oem_exec.recorder import Entry, Recorder


class SlowJournal:
    """A log that answers when the test says so; what was handed in is written with the line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.waits: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()
        self._handed_in: list[str] = []

    async def asked(self) -> asyncio.Future[None]:
        """Return the oldest wait that the test has not seen; its result lets the log answer."""
        return await asyncio.wait_for(self.waits.get(), 10)

    def write(self, kind: str, body: Mapping[str, object]) -> None:
        self._handed_in.append(str(body["line"]))

    async def append(self, kind: str, body: Mapping[str, object]) -> None:
        waiting = asyncio.get_running_loop().create_future()
        mine, self._handed_in = [*self._handed_in, str(body["line"])], []
        self.waits.put_nowait(waiting)
        await waiting
        self.lines += mine


def _order(name: str, state: OrderState = OrderState.SUBMITTING) -> Order:
    intent = market(name)
    return Order(intent, intent.client_order_id(0), "v", 0, state, intent.quantity, None, sent_ns=1)


def _entry(name: str, state: OrderState, *, durable: bool = False) -> Entry:
    return Entry(
        "order.outcome", _order(name, state), (), None, durable, {"line": f"{name} {state}"}
    )


Room = tuple[SqliteOrderStore, SlowJournal, Recorder]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with SqliteOrderStore.open(tmp_path / "orders.sqlite") as store:
        journal = SlowJournal()
        yield store, journal, Recorder(store, journal)


def _admitting(recorder: Recorder, name: str) -> asyncio.Task[bool]:
    return asyncio.create_task(recorder.admit(_order(name), {"line": name}))


async def _riding(room: Room) -> tuple[asyncio.Task[bool], asyncio.Future[None]]:
    """Admit a, record it open, and begin to admit b, with which that entry rides."""
    _, journal, recorder = room
    first = _admitting(recorder, "a")
    (await journal.asked()).set_result(None)
    assert await first
    recorder.record(_entry("a", OrderState.OPEN))
    return _admitting(recorder, "b"), await journal.asked()


def _state(store: SqliteOrderStore, name: str) -> OrderState | None:
    found = store.order(_order(name).client_order_id)
    return None if found is None else found.state


async def _stored(store: SqliteOrderStore, name: str) -> None:
    """Wait until an intent's row is stored."""
    for _ in range(10_000):
        if _state(store, name) is not None:
            return
        await asyncio.sleep(0.001)
    pytest.fail(f"intent {name} was not stored")


async def test_an_entry_rides_with_the_next_intent_and_is_stored_after_its_line(
    room: Room,
) -> None:
    store, journal, recorder = room
    admitting, asked = await _riding(room)
    await _stored(store, "b")
    assert _state(store, "a") is OrderState.SUBMITTING, "not stored before it is in the log"
    asked.set_result(None)
    assert await admitting
    await recorder.durable()
    assert journal.lines == ["a", "a open", "b"]
    assert _state(store, "a") is OrderState.OPEN


async def test_what_was_learnt_later_is_stored_later(room: Room) -> None:
    store, journal, recorder = room
    admitting, asked = await _riding(room)
    recorder.record(_entry("a", OrderState.CANCELED, durable=True))
    await _stored(store, "b")
    assert journal.waits.empty(), "it waits for what rides before it"
    asked.set_result(None)
    assert await admitting
    (await journal.asked()).set_result(None)
    await recorder.durable()
    assert journal.lines == ["a", "a open", "b", "a canceled"]
    assert _state(store, "a") is OrderState.CANCELED


async def test_an_intent_given_up_leaves_its_riders_to_be_written(room: Room) -> None:
    store, journal, recorder = room
    admitting, _ = await _riding(room)
    admitting.cancel()
    await asyncio.gather(admitting, return_exceptions=True)
    (await journal.asked()).set_result(None)
    await recorder.durable()
    assert journal.lines[-1] == "a open"
    assert _state(store, "a") is OrderState.OPEN


async def test_a_log_that_refuses_stops_everything_that_waits(room: Room) -> None:
    _, _, recorder = room
    admitting, asked = await _riding(room)
    waiting = asyncio.create_task(recorder.durable())
    await asyncio.sleep(0)
    asked.set_exception(OSError(28, "No space left on device"))
    for task in (admitting, waiting):
        with pytest.raises(JournalFailed, match="No space left"):
            await task
    with pytest.raises(JournalFailed):
        await recorder.admit(_order("c"), {"line": "c"})
    await recorder.drain()
