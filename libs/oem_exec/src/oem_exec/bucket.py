"""One of a venue's rate limits in a shared file: never above it in any window, and evenly used."""

from __future__ import annotations

import mmap
import struct

from oem_exec.errors import BadSettings
from oem_exec.venue import Limit

_NS = 1_000_000_000
_HEAD = struct.Struct("<qqqqqqq")
"""Full-again time, blocked-until time, last waiting cancel, units booked in total; and of the log
of bookings: the oldest entry, one past the newest, and the sum of what lies between."""
_ENTRY = struct.Struct("<qq")
"""When how many units were booked."""
_MOST_ENTRIES = 8192
CANCEL_MEMORY_NS = 50_000_000
"""For how long a waiting cancel holds everything else, after each of its looks."""
_MANY_UNITS = 40
_LEAST_GUARD = 0.003


def bucket_bytes(limit: Limit) -> int:
    """Return how many bytes a limit takes in the shared file."""
    return _HEAD.size + _entries(limit) * _ENTRY.size


def _entries(limit: Limit) -> int:
    return min(limit.units, _MOST_ENTRIES) + 1


class Bucket:
    """One limit: a log of what was booked bounds it, a token bucket paces it.

    The log is the bound: whatever the weights, at most `units` are booked in any (t, t + window +
    guard]. That bounds what is sent. What arrives in a window is more by what was on its way when
    the window began: the guard allows for that while answers take less than the guard; a request
    that takes longer is booked a second time when its answer comes, inside that window.

    The token bucket (GCRA, ITU-T I.371) is the pace: small requests flow evenly, so that a cancel
    finds room at any moment. A request heavier than the burst pays the pace for a burst alone; the
    rest of it is room that the log must show.

    A log that is full of small bookings (more than 8,192 in a window) lets nothing more in until
    its oldest entry has left the window. Callers hold the file's lock.

    Args:
        memory: The mapped file.
        offset: Where this bucket begins; zeros when new.
        limit: The venue's limit.
        burst_share: Share of the limit that may go at once.
        used_share: Share of the limit that flows under load; what is left of it is the guard, by
            which requests may bunch up on their way.

    Raises:
        BadSettings: The burst leaves no rate.
    """

    def __init__(
        self, memory: mmap.mmap, offset: int, limit: Limit, burst_share: float, used_share: float
    ) -> None:
        self._memory = memory
        self._offset = offset
        self._log = offset + _HEAD.size
        self._size = _entries(limit)
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
        self.guard_ns = int(limit.window_s * guard_share * _NS)
        """A request on its way for longer is booked again when its answer comes."""
        self._unit_ns = _NS * limit.window_s * (1 + guard_share) / flowing
        self._window_ns = int(limit.window_s * _NS) + self.guard_ns

    @property
    def total(self) -> int:
        """Return the units that were ever booked."""
        return int(_HEAD.unpack_from(self._memory, self._offset)[3])

    def wait_ns(self, units: int, now_ns: int, *, urgent: bool) -> int:
        """Return how long `units` have to wait at least, 0 when they may go now.

        Raises:
            BadSettings: The request is heavier than the whole limit.
        """
        if units > self.limit.units:
            raise BadSettings(
                f"a request of {units} units can never pass a limit of {self.limit.units}",
                where=self.limit.bucket,
                remedy="correct the weights of the venue",
            )
        full_ns, blocked_ns, cancel_ns, _, first, end, used = self._head(now_ns)
        if blocked_ns > now_ns:
            return blocked_ns - now_ns
        if units <= 0:
            return 0
        if not urgent and 0 <= now_ns - cancel_ns < CANCEL_MEMORY_NS:
            return CANCEL_MEMORY_NS - (now_ns - cancel_ns)
        paced = min(float(units), self._burst)
        wait = int(full_ns + (paced - self._burst) * self._unit_ns) - now_ns
        over = used + units - self.limit.units
        full = end - first >= self._size - 1
        while first < end and (over > 0 or full):
            booked_ns, booked = self._entry(first)
            wait = max(wait, booked_ns + self._window_ns - now_ns)
            over, full, first = over - booked, False, first + 1
        return max(wait, 0)

    def book(self, units: int, now_ns: int, *, urgent: bool) -> None:
        """Note that `units` go now."""
        if units <= 0:
            return
        full_ns, blocked_ns, cancel_ns, booked, first, end, used = self._head(now_ns)
        paced = min(float(units), self._burst)
        if end - first >= self._size - 1:  # a late request's second booking: the oldest makes room
            used -= self._entry(first)[1]
            first += 1
        _ENTRY.pack_into(self._memory, self._place(end), now_ns, units)
        self._write(
            max(full_ns, now_ns) + int(paced * self._unit_ns),
            blocked_ns,
            0 if urgent else cancel_ns,
            booked + units,
            first,
            end + 1,
            used + units,
        )

    def hold_others(self, now_ns: int) -> None:
        """Let nothing but cancels go for a moment: one waits."""
        full_ns, blocked_ns, _, *rest = self._head(now_ns)
        self._write(full_ns, blocked_ns, now_ns, *rest)

    def block(self, until_ns: int) -> None:
        """Let nothing through until a moment."""
        full_ns, blocked_ns, *rest = _HEAD.unpack_from(self._memory, self._offset)
        self._write(full_ns, max(blocked_ns, until_ns), *rest)

    def blocked_for(self, now_ns: int) -> int:
        """Return for how many nanoseconds nothing may go, 0 when the venue takes requests."""
        _, blocked_ns, *_ = _HEAD.unpack_from(self._memory, self._offset)
        return max(int(blocked_ns) - now_ns, 0)

    def used_share(self, now_ns: int) -> float:
        """Return the share of the limit that was booked in the window that ends now, 0 to 1."""
        *_, used = self._head(now_ns)
        return used / self.limit.units

    def _head(self, now_ns: int) -> tuple[int, int, int, int, int, int, int]:
        """Return the record with what has left the window taken out of its log."""
        head: tuple[int, int, int, int, int, int, int]
        head = _HEAD.unpack_from(self._memory, self._offset)
        full_ns, blocked_ns, cancel_ns, total, first, end, used = head
        if full_ns - now_ns > 2 * self._window_ns:
            # written before a reboot set the clock back
            full_ns, blocked_ns, first, used = now_ns, 0, end, 0
        while first < end:
            booked_ns, units = self._entry(first)
            if booked_ns > now_ns - self._window_ns:
                break
            first, used = first + 1, used - units
        return full_ns, blocked_ns, cancel_ns, total, first, end, used

    def _entry(self, number: int) -> tuple[int, int]:
        booked_ns, units = _ENTRY.unpack_from(self._memory, self._place(number))
        return booked_ns, units

    def _place(self, number: int) -> int:
        return self._log + number % self._size * _ENTRY.size

    def _write(self, *head: int) -> None:
        _HEAD.pack_into(self._memory, self._offset, *head)
