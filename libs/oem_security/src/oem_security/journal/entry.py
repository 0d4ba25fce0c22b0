"""Entries on their way to the disk, and who waits for them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # asyncio is slow to import, and a command line does without it
    import asyncio

FLUSH = "journal.flush"
"""Not a record: its receipt is that of the record before."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an entry is on disk: its sequence number and its Merkle leaf, hex."""

    seq: int
    leaf: str


class Promise(Protocol):
    """Somebody who waits for an entry."""

    def set_result(self, receipt: Receipt, /) -> None:
        """Tell that the entry is on disk."""
        ...

    def set_exception(self, error: BaseException, /) -> None:
        """Tell that it is not."""
        ...


@dataclass(slots=True)
class Entry:
    """An entry that was handed in.

    Attributes:
        kind: Its kind.
        body: JSON bytes of its content.
        done: Who waits for it; None where a flush does.
    """

    kind: str
    body: bytes
    done: Promise | None

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that it was not written."""
        if self.done is not None:
            self.done.set_exception(error)


class ThreadPromise:
    """A thread that waits; a bare lock, which costs a fraction of a future."""

    __slots__ = ("_error", "_lock", "_receipt")

    def __init__(self) -> None:
        self._receipt: Receipt | None = None
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._lock.acquire()

    def set_result(self, receipt: Receipt, /) -> None:
        self._receipt = receipt
        self._lock.release()

    def set_exception(self, error: BaseException, /) -> None:
        self._error = error
        self._lock.release()

    def wait(self) -> Receipt:
        """Return the receipt once it is there; to be asked once."""
        self._lock.acquire()
        if self._receipt is None:
            raise self._error or RuntimeError("the journal told nothing")
        return self._receipt


class LoopPromise:
    """A coroutine that waits; it is told through its event loop."""

    __slots__ = ("future", "loop")

    def __init__(self) -> None:
        import asyncio  # whoever waits in a loop has it already

        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.future: asyncio.Future[Receipt] = self.loop.create_future()

    def set_result(self, receipt: Receipt, /) -> None:
        acknowledge([(self, receipt)])

    def set_exception(self, error: BaseException, /) -> None:
        def tell() -> None:
            if not self.future.done():
                self.future.set_exception(error)

        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self.loop.call_soon_threadsafe(tell)


def promise() -> Future[Receipt]:
    """Return a future that a caller who stops waiting cannot cancel: its entry is on its way."""
    done: Future[Receipt] = Future()
    done.set_running_or_notify_cancel()
    return done


def acknowledge(receipts: Iterable[tuple[Promise, Receipt]]) -> None:
    """Tell all who wait that their entries are on disk; each event loop is woken once."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Receipt], Receipt]]] = {}
    for done, receipt in receipts:
        if type(done) is LoopPromise:
            loops.setdefault(done.loop, []).append((done.future, receipt))
        else:
            done.set_result(receipt)
    for loop, group in loops.items():
        with contextlib.suppress(RuntimeError):  # as above
            loop.call_soon_threadsafe(_tell, group)


def _tell(group: list[tuple[asyncio.Future[Receipt], Receipt]]) -> None:
    for future, receipt in group:
        if not future.done():  # cancelled: its entry is on disk all the same
            future.set_result(receipt)
