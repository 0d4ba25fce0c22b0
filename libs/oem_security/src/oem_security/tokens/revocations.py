"""Revoked operator tokens: a signed log that a running service looks at on every call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from oem_security.errors import InputError
from oem_security.journal.epoch import STATE_DIR, state_at
from oem_security.journal.reader import read_journal
from oem_security.journal.writer import Journal
from oem_security.keys.keyring import Keyring

REVOKED = "token.revoked"


class RevokedTokens:
    """The identifiers of revoked tokens, read again when their log has changed.

    A log that does not hold, was cut or deleted raises on the next look, so that nothing is
    granted on its word.

    Args:
        path: The log; where there never was one, nothing is revoked.
        keyring: The site's keyring.
    """

    def __init__(self, path: Path, keyring: Keyring) -> None:
        self._path = path
        self._keyring = keyring
        self._seen: tuple[int, int, int] | None = None
        self._ids: frozenset[str] = frozenset()
        self._none_at = -1

    def __contains__(self, token_id: object) -> bool:
        return token_id in self._current()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._current()))

    def __len__(self) -> int:
        return len(self._current())

    def _current(self) -> frozenset[str]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            if self._seen is not None or self._was_there():
                raise InputError(
                    "the log of revoked tokens is gone",
                    where=str(self._path),
                    remedy="restore it from a backup; no token is accepted without it",
                ) from None
            return self._ids
        mark = (found.st_mtime_ns, found.st_size, found.st_ino)
        if mark != self._seen:
            records = read_journal(self._path, self._keyring, kinds={REVOKED}, strict=True)
            self._ids = frozenset(str(record.body["token"]) for record in records)
            self._seen = mark
        return self._ids

    def _was_there(self) -> bool:
        """Tell whether the keyring knows a log that began here; looked up when its folder changes.

        Asked at each token where nothing was ever revoked, so it must cost little.
        """
        try:
            stamp = (self._keyring.directory / STATE_DIR).stat().st_mtime_ns
        except FileNotFoundError:
            return False
        if stamp == self._none_at:
            return False
        known = state_at(self._keyring.directory, self._path, whole_only=True)
        if known is not None and known.begun:
            return True
        self._none_at = stamp
        return False


def revoke_token(
    path: Path, keyring: Keyring, token_id: str, *, operator: str, reason: str
) -> None:
    """Write down that a token is revoked; returns once that is on disk.

    Args:
        path: The log of revocations; it is made.
        keyring: The site's keyring.
        token_id: Identifier of the token, 24 hexadecimal digits.
        operator: Who revokes it.
        reason: Why.

    Raises:
        InputError: The identifier is not one, or operator or reason is missing.
        JournalLockedError: Another process is revoking; repeat.
    """
    if len(token_id) != 24 or not set(token_id) <= set("0123456789abcdef"):
        raise InputError(
            "not the identifier of a token",
            where=token_id,
            remedy="see it with: oem token inspect FILE",
        )
    if not operator.strip() or not reason.strip():
        raise InputError(
            "a revocation needs an operator and a reason",
            where="token revoke",
            remedy="give --operator and --reason",
        )
    with Journal.open(path, keyring, subject="token revocations") as journal:
        journal.append(REVOKED, {"token": token_id, "operator": operator, "reason": reason})
