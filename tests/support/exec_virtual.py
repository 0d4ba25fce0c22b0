"""An event loop whose waits cost no time: sleeping moves its clock instead."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping


class _Leaping(selectors.BaseSelector):
    """A selector that never blocks while a timer is pending; it moves the clock to the timer."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise AssertionError("everything waits and nothing will ever happen")
        # a little more than asked for: rounding must not leave the timer a hair in the future
        self.now_s += max(timeout, 0.0) + 1e-9
        return ready

    def register(self, fileobj: object, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)  # type: ignore[arg-type]

    def unregister(self, fileobj: object) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)  # type: ignore[arg-type]

    def get_map(self) -> Mapping[object, selectors.SelectorKey]:  # type: ignore[override]
        return self._real.get_map()  # type: ignore[return-value]

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; nothing that runs in it may wait for a thread or a socket."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now_s


class LoopClock:
    """The running loop's time as UTC nanoseconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_ns: int = 10**18) -> None:
        self._loop = loop
        self._start_ns = start_ns

    def now_ns(self) -> int:
        return self._start_ns + int(self._loop.time() * 1e9)
