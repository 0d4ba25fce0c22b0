"""Where decisions and outcomes are written before anyone may rely on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Journal(Protocol):
    """A log that returns when the entry is durable, and raises when it is not."""

    async def append(self, kind: str, body: Mapping[str, object]) -> object:
        """Append one entry; any exception makes the router stop trading."""
        ...
