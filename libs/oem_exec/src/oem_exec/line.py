"""Who comes next: the waiting line of one venue's budgets, shared by every process of a site."""

from __future__ import annotations

import fcntl
import mmap
import struct

_SLOTS = 32
"""Waiting processes there is room for; one more waits without a place, and is not passed over for
long: places come free at the venue's rate."""
_HEAD = struct.Struct("<qq")
"""The last ticket given out, and when somebody waiting was last seen."""
_SLOT = struct.Struct("<qq")
"""A ticket, 0 for a free place, and when its holder was last seen."""
_TABLE = struct.Struct(f"<{2 * _SLOTS}q")
LINE_BYTES = _HEAD.size + _TABLE.size
"""Bytes of a line, at the beginning of the shared file."""
_SEEN_NS = 250_000_000
"""A holder that was not seen for so long is dead, or slower than those behind it can bear."""


class FileLock:
    """A shared file, locked against other processes for as long as a `with` block runs.

    Args:
        descriptor: The file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN)


class WaitingLine:
    """Tickets in a shared file: nobody takes from the buckets before those who came earlier.

    Without it, small requests of other processes would take what trickles in, for ever, before a
    heavy one has its sum together. A holder shows itself at each look; one that ended without
    leaving is passed over after a quarter of a second.

    Args:
        memory: The mapped file; the line is its first `LINE_BYTES` bytes, zero when new.
        lock: The file's lock.
    """

    patience_ns = _SEEN_NS // 5
    """Longest time between two looks of a holder."""

    def __init__(self, memory: mmap.mmap, lock: FileLock) -> None:
        self._memory = memory
        self._lock = lock

    def is_empty(self, now_ns: int) -> bool:
        """Return whether nobody waits."""
        _, seen_ns = _HEAD.unpack_from(self._memory, 0)
        if not 0 <= now_ns - seen_ns < _SEEN_NS:
            return True
        return not self._holders(now_ns)

    def join(self, now_ns: int) -> int:
        """Take a ticket and a place at the end, and return the ticket."""
        with self._lock:
            last, _ = _HEAD.unpack_from(self._memory, 0)
            ticket = int(last) + 1
            _HEAD.pack_into(self._memory, 0, ticket, now_ns)
            self._show(ticket, now_ns)
            return ticket

    def is_first(self, ticket: int, now_ns: int) -> bool:
        """Show that the holder still waits; return whether nobody living came earlier."""
        with self._lock:
            last, _ = _HEAD.unpack_from(self._memory, 0)
            _HEAD.pack_into(self._memory, 0, last, now_ns)
            self._show(ticket, now_ns)
            return all(ticket <= other for other in self._holders(now_ns))

    def leave(self, ticket: int) -> None:
        """Give the place up."""
        with self._lock:
            table = _TABLE.unpack_from(self._memory, _HEAD.size)
            for slot in range(_SLOTS):
                if table[2 * slot] == ticket:
                    _SLOT.pack_into(self._memory, _HEAD.size + slot * _SLOT.size, 0, 0)

    def _holders(self, now_ns: int) -> list[int]:
        table = _TABLE.unpack_from(self._memory, _HEAD.size)
        return [
            table[slot]
            for slot in range(0, 2 * _SLOTS, 2)
            if table[slot] and 0 <= now_ns - table[slot + 1] < _SEEN_NS
        ]

    def _show(self, ticket: int, now_ns: int) -> None:
        """Stand in the place of this ticket, else in a free or a dead one's."""
        table = _TABLE.unpack_from(self._memory, _HEAD.size)
        tickets, seen = table[::2], table[1::2]
        if ticket in tickets:
            slot = tickets.index(ticket)
        else:
            free = (i for i in range(_SLOTS) if not 0 <= now_ns - seen[i] < _SEEN_NS)
            slot = tickets.index(0) if 0 in tickets else next(free, -1)
        if slot >= 0:
            _SLOT.pack_into(self._memory, _HEAD.size + slot * _SLOT.size, ticket, now_ns)
