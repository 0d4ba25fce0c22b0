"""Fan-out of what happens to whoever listens: streams of the API, tests, the console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

MAX_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: `order`, `fill`, `decision`, `risk` or `alert`.
        value: The value concerned; its type follows from the kind.
        time_ns: Market time, UTC nanoseconds.
    """

    kind: str
    value: object
    time_ns: int


class EventHub:
    """Hands every event to every subscriber; one that falls behind is ended, never waited for."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Event | None]] = set()

    def publish(self, event: Event) -> None:
        """Give an event to all subscribers."""
        for queue in list(self._queues):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._queues.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    async def subscribe(self) -> AsyncGenerator[Event, None]:
        """Yield events until the hub closes or the subscriber falls `MAX_BACKLOG` events behind."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(MAX_BACKLOG)
        self._queues.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End every subscription."""
        for queue in list(self._queues):
            self._queues.discard(queue)
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)
