"""Rate limits shared by every process of a site: a line and buckets for each venue."""

from __future__ import annotations

import asyncio
import mmap
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from oem_exec.bucket import CANCEL_MEMORY_NS, Bucket, bucket_bytes
from oem_exec.errors import StoreUnavailable
from oem_exec.line import LINE_BYTES, FileLock, WaitingLine
from oem_exec.venue import Limit

_NS = 1_000_000_000
_POLL_NS = 2_000_000
"""How often somebody in the line looks whether it is his turn."""


class Budgets(Protocol):
    """Who decides when a request may go."""

    async def acquire(self, venue: str, cost: Mapping[str, int], *, urgent: bool = False) -> None:
        """Return when the request may be sent; `urgent` (cancels) goes before everything else."""
        ...

    def settle(self, venue: str, cost: Mapping[str, int], took_s: float) -> None:
        """Say how long a request took from its `acquire` to its answer, or to giving it up."""
        ...

    def block(self, venue: str, seconds: float) -> None:
        """Send nothing to the venue for a while: it said so by 418, 429 or Retry-After."""
        ...

    def used_share(self, venue: str) -> Mapping[str, float]:
        """Return bucket to the share of its limit that is in use now."""
        ...


class SharedBudgets:
    """The budgets of all venues of a site, kept in one directory.

    Args:
        directory: Where the files are; every process of the site names the same.
        limits: Venue to its limits.
        burst_share: Share of a limit that may go at once, 0 to 1; the rest flows evenly.
        used_share: Share of a limit that is used under load, 0 to 1; the rest is the time by which
            requests may bunch up between here and the venue.
        monotonic_ns: A clock that all processes of the machine share.
        sleep: How to wait.
    """

    def __init__(
        self,
        directory: Path,
        limits: Mapping[str, tuple[Limit, ...]],
        *,
        burst_share: float = 0.01,
        used_share: float = 0.975,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], object] = asyncio.sleep,
    ) -> None:
        self._now = monotonic_ns
        self._sleep = sleep
        self._buckets: dict[str, dict[str, Bucket]] = {}
        self._locks: dict[str, FileLock] = {}
        self._waiting: dict[str, asyncio.Lock] = {}
        self._lines: dict[str, WaitingLine] = {}
        self._files: list[tuple[int, mmap.mmap]] = []
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for venue, venue_limits in limits.items():
                if venue_limits:
                    path = directory / f"{venue}.line.budget"
                    self._open(path, venue, venue_limits, burst_share, used_share)
        except OSError as error:
            self.close()
            raise StoreUnavailable(
                f"the shared budgets cannot be opened: {error}",
                where=str(directory),
                remedy="check the path and its permissions",
            ) from error

    def _open(
        self, path: Path, venue: str, limits: tuple[Limit, ...], burst: float, used: float
    ) -> None:
        offsets = [LINE_BYTES]
        for limit in limits:
            offsets.append(offsets[-1] + bucket_bytes(limit))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(descriptor).st_size < offsets[-1]:
            os.ftruncate(descriptor, offsets[-1])
        memory = mmap.mmap(descriptor, offsets[-1])
        self._files.append((descriptor, memory))
        self._buckets[venue] = {
            limit.bucket: Bucket(memory, offset, limit, burst, used)
            for offset, limit in zip(offsets, limits, strict=False)
        }
        self._locks[venue] = FileLock(descriptor)
        self._lines[venue] = WaitingLine(memory, self._locks[venue])
        self._waiting[venue] = asyncio.Lock()

    async def acquire(self, venue: str, cost: Mapping[str, int], *, urgent: bool = False) -> None:
        buckets = self._buckets.get(venue)
        if not buckets:
            return
        if not cost:
            # what costs nothing waits all the same while the venue has sent us away
            while wait_ns := max(b.blocked_for(self._now()) for b in buckets.values()):
                await self._pause(wait_ns)
            return
        if urgent:
            while wait_ns := self._try(venue, cost, urgent=True):
                await self._pause(min(wait_ns, CANCEL_MEMORY_NS // 2))
            return
        line = self._lines[venue]
        if line.is_empty(self._now()) and self._try(venue, cost, urgent=False) == 0:
            return
        # one of each process stands in the line; the others of the process wait behind it
        async with self._waiting[venue]:
            ticket = line.join(self._now())
            try:
                while wait_ns := self._try_in_line(venue, cost, ticket):
                    await self._pause(wait_ns)
            finally:
                line.leave(ticket)

    def _try_in_line(self, venue: str, cost: Mapping[str, int], ticket: int) -> int:
        line = self._lines[venue]
        if not line.is_first(ticket, self._now()):
            return _POLL_NS
        return min(self._try(venue, cost, urgent=False), line.patience_ns)

    async def _pause(self, wait_ns: int) -> None:
        waiting = self._sleep(max(wait_ns / _NS, 0.0002))
        await waiting  # type: ignore[misc]

    def _try(self, venue: str, cost: Mapping[str, int], *, urgent: bool) -> int:
        """Book the whole cost and return 0, or book nothing and return the nanoseconds to wait."""
        buckets = self._buckets[venue]
        asked = [(buckets[name], units) for name, units in cost.items() if name in buckets]
        with self._locks[venue]:
            now = self._now()
            wait_ns = max((b.wait_ns(units, now, urgent=urgent) for b, units in asked), default=0)
            if wait_ns == 0:
                for bucket, units in asked:
                    bucket.book(units, now, urgent=urgent)
            elif urgent:
                for bucket, _ in asked:
                    bucket.hold_others(now)
        return wait_ns

    def settle(self, venue: str, cost: Mapping[str, int], took_s: float) -> None:
        buckets = self._buckets.get(venue, {})
        late = [
            (buckets[name], units)
            for name, units in cost.items()
            if name in buckets and took_s * _NS > buckets[name].guard_ns
        ]
        if late:
            with self._locks[venue]:
                for bucket, units in late:
                    bucket.book(units, self._now(), urgent=False)

    def block(self, venue: str, seconds: float) -> None:
        if venue in self._buckets:
            with self._locks[venue]:
                for bucket in self._buckets[venue].values():
                    bucket.block(self._now() + int(seconds * _NS))

    def used_share(self, venue: str) -> Mapping[str, float]:
        now = self._now()
        return {name: b.used_share(now) for name, b in self._buckets.get(venue, {}).items()}

    def close(self) -> None:
        """Unmap and close the files; idempotent."""
        for descriptor, memory in self._files:
            memory.close()
            os.close(descriptor)
        self._files.clear()
        self._buckets.clear()
        self._lines.clear()
        self._locks.clear()


class Unlimited:
    """Budgets of venues without limits, such as paper."""

    async def acquire(self, venue: str, cost: Mapping[str, int], *, urgent: bool = False) -> None:
        """Return at once."""

    def settle(self, venue: str, cost: Mapping[str, int], took_s: float) -> None:
        """Nothing is limited here."""

    def block(self, venue: str, seconds: float) -> None:
        """Nothing is limited here."""

    def used_share(self, venue: str) -> Mapping[str, float]:  # noqa: ARG002 - the protocol's signature
        return {}
