"""The decision log as the event loop sees it: an append returns when its bytes are on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oem_daemon.errors import DecisionLogFailed
from oem_security import Journal, OemSecurityError


class DecisionLog:
    """Appends to the signed decision log of the stage; a failure stops trading, once and for all.

    Args:
        journal: The open journal.
        on_failure: Called once, with the error, when the journal can no longer be written.
    """

    def __init__(self, journal: Journal, on_failure: Callable[[DecisionLogFailed], None]) -> None:
        self._journal = journal
        self._on_failure = on_failure
        self._failure: DecisionLogFailed | None = None

    @property
    def failure(self) -> DecisionLogFailed | None:
        """The error that stopped the log, or None while it works."""
        return self._failure

    @property
    def records(self) -> int:
        """Number of records on disk."""
        return self._journal.records

    async def append(self, kind: str, body: Mapping[str, object]) -> object:
        """Write one record and return its receipt once it is durable.

        Raises:
            DecisionLogFailed: The disk refused, now or earlier.
        """
        self._require_working()
        try:
            return await self._journal.append_async(kind, body)
        except (OemSecurityError, OSError) as error:
            raise self._failed(error) from error

    def write(self, kind: str, body: Mapping[str, object]) -> None:
        """Hand in one record without waiting for the disk.

        The log is written in order, so a later `append` returns only when this record is durable
        too: what must stand before an action may be handed in here when the action itself is
        appended before it happens.

        Raises:
            DecisionLogFailed: The disk refused earlier.
        """
        self._require_working()
        try:
            self._journal.write(kind, body)
        except (OemSecurityError, OSError) as error:
            raise self._failed(error) from error

    def _require_working(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _failed(self, error: Exception) -> DecisionLogFailed:
        failure = DecisionLogFailed(
            f"the decision log cannot be written: {getattr(error, 'what', error)}; "
            "trading is stopped",
            where=str(self._journal.path),
            remedy="free space or mend the disk, then restart the daemon: it resumes halted",
        )
        if self._failure is None:
            self._failure = failure
            self._on_failure(failure)
        return failure
