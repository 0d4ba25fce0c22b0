"""Seats: how many processes of a site may hold the licence at the same time.

A seat is a lock on a file that the kernel gives back when the process ends, however it ends.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from oem_security.errors import LicenseError
from oem_security.files import is_locked, lock


@dataclass(slots=True)
class Seat:
    """A seat that is held until it is left; a context manager.

    Attributes:
        number: 1, 2, 3 … up to the licence's seats.
    """

    number: int
    _handle: int

    def leave(self) -> None:
        """Give the seat back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()


def take_seat(folder: Path, seats: int) -> Seat:
    """Take a free seat.

    Args:
        folder: `LicensePaths.seats`.
        seats: How many the licence grants.

    Raises:
        LicenseError: All are taken.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with take_seat(Path(folder), 1) as seat:
        ...         print(seat.number, seats_taken(Path(folder), 1))
        1 (1,)
    """
    for number in range(1, seats + 1):
        handle = lock(_path(folder, number))
        if handle is not None:
            return Seat(number, handle)
    raise LicenseError(
        f"all {seats} seats of the licence are taken",
        where=str(folder),
        remedy="stop another process that holds one, or ask the vendor for more seats",
    )


def seats_taken(folder: Path, seats: int) -> tuple[int, ...]:
    """Return the numbers of the seats that somebody holds now."""
    return tuple(n for n in range(1, seats + 1) if is_locked(_path(folder, n)))


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number}.lock"
