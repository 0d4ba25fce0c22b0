"""Rate limits shared by every process of a site: one token bucket a limit, in one mapped file."""

from __future__ import annotations

import asyncio
import fcntl
import mmap
import os
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from oem_exec.errors import BadSettings, StoreUnavailable
from oem_exec.venue import Limit

_RECORD = struct.Struct("<qqqq")
"""Full-again time, blocked-until time, last waiting cancel, units booked in total."""
_NS = 1_000_000_000
_CANCEL_MEMORY_NS = 50_000_000
_MANY_UNITS = 40
_LEAST_GUARD = 0.003


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


class TokenBucket:
    """One limit as a token bucket (GCRA, ITU-T I.371) in 32 bytes of a shared file.

    The state is the moment at which the bucket will be full again. Check and booking are one step
    under the file's lock. In any window (t, t + window + guard], fixed or sliding, less than
    `burst + rate × (window + guard)` units go, and the rate makes that `units + 1`: units are
    whole, so at most `units` go. A request heavier than the burst waits until the bucket has been
    empty for as long as the rest of it takes, which keeps the bound; it goes before others then.

    That bounds what is sent. What arrives in a window is more by what was on its way when the
    window began: the guard allows for that while answers take less than the guard; a request that
    takes longer is booked a second time when its answer comes, inside that window.

    Args:
        memory: The mapped file.
        descriptor: The file to lock.
        offset: Where this bucket's record begins.
        limit: The venue's limit.
        burst_share: Share of the limit that may go at once.
        used_share: Share of the limit that flows under load; what is left of it is the guard, by
            which requests may bunch up on their way.
    """

    def __init__(
        self,
        memory: mmap.mmap,
        descriptor: int,
        offset: int,
        limit: Limit,
        burst_share: float,
        used_share: float,
    ) -> None:
        self._memory = memory
        self._descriptor = descriptor
        self._offset = offset
        self.limit = limit
        # two units let a late waiter catch up; a limit of few units has none to spare for that
        self._burst = max(limit.units * burst_share, 2.0 if limit.units >= _MANY_UNITS else 1.0)
        flowing = limit.units + 1 - self._burst
        if flowing <= 0:
            raise BadSettings(
                f"a limit of {limit.units} leaves no rate beside its burst",
                where=limit.bucket,
                remedy="give a larger limit or a smaller burst share",
            )
        guard_share = max(_LEAST_GUARD, flowing / (limit.units * used_share) - 1)
        self._guard_ns = int(limit.window_s * guard_share * _NS)
        rate = flowing / (limit.window_s * (1 + guard_share))
        self._unit_ns = _NS / rate
        self._window_ns = int(limit.window_s * _NS)

    def try_take(self, units: int, now_ns: int, *, urgent: bool) -> int:
        """Book `units` and return 0, or book nothing and return the nanoseconds to wait."""
        if units > self.limit.units:
            raise BadSettings(
                f"a request of {units} units can never pass a limit of {self.limit.units}",
                where=self.limit.bucket,
                remedy="correct the weights of the venue",
            )
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, _RECORD.size, self._offset)
        try:
            full_ns, blocked_ns, cancel_ns, booked = _RECORD.unpack_from(self._memory, self._offset)
            if full_ns - now_ns > 2 * self._window_ns:
                full_ns = now_ns  # written before a reboot set the clock back
            if blocked_ns > now_ns:
                return int(blocked_ns - now_ns)
            first = urgent or units > self._burst
            if not first and 0 <= now_ns - cancel_ns < _CANCEL_MEMORY_NS:
                return int(_CANCEL_MEMORY_NS - (now_ns - cancel_ns))
            wait = int(full_ns + (units - self._burst) * self._unit_ns - now_ns)
            if wait > 0:
                if first:
                    _RECORD.pack_into(
                        self._memory, self._offset, full_ns, blocked_ns, now_ns, booked
                    )
                return wait
            after = max(full_ns, now_ns) + int(units * self._unit_ns)
            cancel_ns = 0 if first else cancel_ns
            _RECORD.pack_into(
                self._memory, self._offset, after, blocked_ns, cancel_ns, booked + units
            )
            return 0
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, _RECORD.size, self._offset)

    def settle(self, units: int, took_ns: int, now_ns: int) -> None:
        """Book a request again that was on its way for longer than the guard."""
        if took_ns > self._guard_ns:
            again = int(units * self._unit_ns)
            self._change(lambda record: (max(record[0], now_ns) + again, *record[1:]))

    def give_back(self, units: int) -> None:
        """Undo a booking whose request was not sent."""
        self._change(lambda record: (record[0] - int(units * self._unit_ns), *record[1:]))

    def block(self, until_ns: int) -> None:
        """Let nothing through until a moment."""
        self._change(lambda record: (record[0], max(record[1], until_ns), *record[2:]))

    def blocked_for(self, now_ns: int) -> int:
        """Return for how many nanoseconds nothing may go, 0 when the venue takes requests."""
        _, blocked_ns, *_ = _RECORD.unpack_from(self._memory, self._offset)
        return max(int(blocked_ns) - now_ns, 0)

    def used_share(self, now_ns: int) -> float:
        """Return how far the bucket is from full, 0 to about 1 of its burst and backlog."""
        full_ns, *_ = _RECORD.unpack_from(self._memory, self._offset)
        return float(max(0.0, (full_ns - now_ns) / (self._burst * self._unit_ns)))

    def _change(self, change: Callable[[tuple[int, ...]], tuple[int, ...]]) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, _RECORD.size, self._offset)
        try:
            record = _RECORD.unpack_from(self._memory, self._offset)
            _RECORD.pack_into(self._memory, self._offset, *change(record))
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, _RECORD.size, self._offset)


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
        self._buckets: dict[str, dict[str, TokenBucket]] = {}
        self._waiting: dict[str, asyncio.Lock] = {}
        self._files: list[tuple[int, mmap.mmap]] = []
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for venue, venue_limits in limits.items():
                if venue_limits:
                    self._open(
                        directory / f"{venue}.budget", venue, venue_limits, burst_share, used_share
                    )
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
        size = _RECORD.size * len(limits)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(descriptor).st_size < size:
            os.ftruncate(descriptor, size)
        memory = mmap.mmap(descriptor, size)
        self._files.append((descriptor, memory))
        self._buckets[venue] = {
            limit.bucket: TokenBucket(memory, descriptor, index * _RECORD.size, limit, burst, used)
            for index, limit in enumerate(limits)
        }
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
        if self._try(buckets, cost, urgent=urgent) == 0:
            return
        if urgent:
            await self._wait(buckets, cost, urgent=True)
            return
        # one waiter at a time keeps the order of arrival and spares the lock
        async with self._waiting[venue]:
            await self._wait(buckets, cost, urgent=False)

    async def _wait(
        self, buckets: Mapping[str, TokenBucket], cost: Mapping[str, int], *, urgent: bool
    ) -> None:
        while wait_ns := self._try(buckets, cost, urgent=urgent):
            await self._pause(wait_ns)

    async def _pause(self, wait_ns: int) -> None:
        waiting = self._sleep(max(wait_ns / _NS, 0.0002))
        await waiting  # type: ignore[misc]

    def _try(
        self, buckets: Mapping[str, TokenBucket], cost: Mapping[str, int], *, urgent: bool
    ) -> int:
        taken: list[tuple[TokenBucket, int]] = []
        now = self._now()
        for name, units in cost.items():
            bucket = buckets.get(name)
            if bucket is None or units <= 0:
                continue
            wait = bucket.try_take(units, now, urgent=urgent)
            if wait:
                for done, booked in taken:
                    done.give_back(booked)
                return wait
            taken.append((bucket, units))
        return 0

    def settle(self, venue: str, cost: Mapping[str, int], took_s: float) -> None:
        buckets, now = self._buckets.get(venue, {}), self._now()
        for name, units in cost.items():
            if name in buckets and units > 0:
                buckets[name].settle(units, int(took_s * _NS), now)

    def block(self, venue: str, seconds: float) -> None:
        until = self._now() + int(seconds * _NS)
        for bucket in self._buckets.get(venue, {}).values():
            bucket.block(until)

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
