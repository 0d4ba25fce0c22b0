"""One request at a time to venues whose nonces must arrive in order, over all processes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path


class Sequencer:
    """Lets one request at a time through to a venue.

    Args:
        path: A lock file shared by the processes that use the same key; None orders the requests
            of this process alone.
        poll_s: How often a taken lock is tried again, seconds.
    """

    def __init__(self, path: Path | None = None, poll_s: float = 0.002) -> None:
        self._lock = asyncio.Lock()
        self._path = path
        self._poll_s = poll_s

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold the venue for the length of one request."""
        async with self._lock:
            if self._path is None:
                yield
                return
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                while True:
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        await asyncio.sleep(self._poll_s)
                yield
            finally:
                os.close(descriptor)  # closing lets the lock go
