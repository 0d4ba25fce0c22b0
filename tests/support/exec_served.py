"""A venue server in a thread of its own, for tests that run whole commands."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exec_live_support import server_of
from oem_exec.venue_server.faults import FaultRule
from oem_exec.venue_server.server import VenueServer


@dataclass
class Served:
    """A server that listens, and the loop it lives in."""

    server: VenueServer
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return self.server.url

    def call(self, function: Any, *arguments: Any) -> Any:
        """Run a function of the server inside its own thread and return its result."""

        async def run() -> Any:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)


@contextlib.contextmanager
def served(dialect: str = "binance", *rules: FaultRule, **options: Any) -> Iterator[Served]:
    """Serve a dialect until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="venue-server")
    thread.start()
    server = server_of(dialect, *rules, **options)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield Served(server, loop)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
