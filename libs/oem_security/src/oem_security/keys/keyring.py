"""A keyring: the secret keys of one site or one vendor, in one private file."""

from __future__ import annotations

import enum
import hmac
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from oem_security.clock import NS_PER_SECOND, Clock, SystemClock, rfc3339
from oem_security.errors import InputError, KeyringError, StateError
from oem_security.fields import Fields, b64
from oem_security.files import (
    PRIVATE_FILE,
    exclusive,
    make_private_dir,
    read_bounded,
    require_private,
    require_unwritable,
    sweep,
    write_atomic,
)
from oem_security.keys.key import (
    SECRET_BYTES,
    KeyEpoch,
    KeyState,
    Purpose,
    RotationRule,
    hkdf_sha384,
)
from oem_security.strict_json import loads
from oem_security.values import dataclass, replace

KEYRING_FILE = "keyring.json"
VERSION = 1
"""Of the file's format."""
_MAX_BYTES = 1 << 20
_MAX_DAYS = 36_500


class KeyringKind(enum.Enum):
    """Whose keys these are; the two never share a directory."""

    SITE = "site"
    VENDOR = "vendor"


PURPOSES: Mapping[KeyringKind, tuple[Purpose, ...]] = {
    KeyringKind.SITE: (
        Purpose.DOCUMENT,
        Purpose.TOKEN,
        Purpose.STATE,
        Purpose.DEVICE,
        Purpose.JOURNAL,
    ),
    KeyringKind.VENDOR: (
        Purpose.VENDOR,
        Purpose.ROOT,
        Purpose.TRANSPORT,
        Purpose.DOCUMENT,
        Purpose.STATE,
        Purpose.JOURNAL,
    ),
}
"""The purposes each kind of keyring has keys for."""

DEFAULT_RULES: Mapping[Purpose, RotationRule] = {
    Purpose.DEVICE: RotationRule(365, 30),
    Purpose.VENDOR: RotationRule(365, 60),
    Purpose.ROOT: RotationRule(1825, 180),
    Purpose.TRANSPORT: RotationRule(365, 60),
}
"""Rotation rules that differ from the usual 90 days."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one site or vendor.

    Attributes:
        directory: The private folder that holds `keyring.json`.
        kind: Site or vendor.
        id: Random identifier of the site or vendor, 16 hexadecimal digits.
        epochs: Every epoch of every purpose, oldest first.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     keyring = Keyring.create(Path(folder) / "keys")
        ...     Keyring.open(Path(folder) / "keys").active(Purpose.DOCUMENT).name
        'document/1'
    """

    directory: Path
    kind: KeyringKind
    id: str
    epochs: tuple[KeyEpoch, ...]

    @classmethod
    def create(
        cls,
        directory: Path,
        kind: KeyringKind = KeyringKind.SITE,
        *,
        clock: Clock | None = None,
        rules: Mapping[Purpose, RotationRule] = DEFAULT_RULES,
    ) -> Keyring:
        """Make a keyring with one active key for each purpose of its kind.

        Args:
            directory: A folder of its own, made private (mode 700).
            kind: Site or vendor.
            clock: Tells the creation time.
            rules: Rotation rules by purpose; the others rotate every 90 days.

        Raises:
            StateError: There is a keyring already.
            StorageError: The disk refused.
        """
        path = directory / KEYRING_FILE
        _require_none(path)
        now = (clock or SystemClock()).now_ns()
        make_private_dir(directory)
        with exclusive(directory / "keyring.lock", what="keyring"):
            _require_none(path)  # now that nobody else makes one
            epochs = tuple(_new_epoch(p, 1, now, rules) for p in PURPOSES[kind])
            keyring = cls(directory, kind, os.urandom(8).hex(), epochs)
            keyring._save()
        return keyring

    @classmethod
    def open(cls, directory: Path) -> Keyring:
        """Read the keyring of a directory.

        Raises:
            InputError: There is none, or its file is malformed.
            StorageError: Others can read it, or write in its folder.
        """
        path = directory / KEYRING_FILE
        data = read_bounded(path, _MAX_BYTES, what="keyring", remedy="make one with: oem init")
        require_private(path)
        require_unwritable(directory)
        fields = Fields(loads(data, what="keyring", max_bytes=_MAX_BYTES), str(path))
        if fields.text("format") != "oem-keyring":
            fields.fail("format", "is not oem-keyring")
        version = fields.take("version")
        if version != VERSION or not fields.has("mac"):
            raise KeyringError(
                f"the keyring is of another format than this program's version {VERSION}",
                where=str(path),
                remedy="use the release that wrote it; for this one make a new site with oem "
                "init, and have its licence issued anew",
            )
        kind = fields.choice("kind", KeyringKind)
        identity = fields.hex("id", 16)
        epochs = tuple(_read_epoch(entry) for entry in fields.objects("keys"))
        mac = fields.hex("mac", 96)
        fields.done()
        keyring = cls(directory, kind, identity, epochs)
        if not hmac.compare_digest(keyring._mac(), mac):
            raise KeyringError(
                "the keyring was edited by hand: its contents do not belong together",
                where=str(path),
                remedy="restore it from a backup; change it with oem keys only",
            )
        return keyring

    def active(self, purpose: Purpose) -> KeyEpoch:
        """Return the key that signs now.

        Raises:
            KeyringError: This keyring has no active key of that purpose.
        """
        for epoch in self.epochs:
            if epoch.purpose is purpose and epoch.state is KeyState.ACTIVE:
                return epoch
        raise KeyringError(
            f"there is no active {purpose.value} key in this {self.kind.value} keyring",
            where=str(self.directory / KEYRING_FILE),
            remedy="use the keyring of the right kind",
        )

    def usable(self, purpose: Purpose) -> tuple[KeyEpoch, ...]:
        """Return the keys that still verify, newest first."""
        return tuple(
            epoch
            for epoch in reversed(self.epochs)
            if epoch.purpose is purpose and epoch.state is not KeyState.REVOKED
        )

    def purposes(self) -> tuple[Purpose, ...]:
        return tuple(dict.fromkeys(epoch.purpose for epoch in self.epochs))

    def epoch(self, purpose: Purpose, number: int) -> KeyEpoch:
        """Return one epoch, whatever its state.

        Raises:
            InputError: There is no such epoch.
        """
        for epoch in self.epochs:
            if epoch.purpose is purpose and epoch.epoch == number:
                return epoch
        raise InputError(
            f"there is no key {purpose.value}/{number}",
            where=str(self.directory / KEYRING_FILE),
            remedy="name one of " + ", ".join(e.name for e in self.epochs),
        )

    def rotate(self, purpose: Purpose, clock: Clock, rule: RotationRule | None = None) -> Keyring:
        """Add a new active epoch; the previous one verifies on, so nothing stops verifying.

        Returns:
            The keyring after the rotation, already written to disk.
        """
        with exclusive(self.directory / "keyring.lock", what="keyring"):
            current = Keyring.open(self.directory)
            last = current.active(purpose)
            fresh = _new_epoch(
                purpose, last.epoch + 1, clock.now_ns(), {purpose: rule or last.rule}
            )
            epochs = tuple(e.superseded() if e is last else e for e in current.epochs)
            after = replace(current, epochs=(*epochs, fresh))
            after._save()
            return after

    def revoke(self, purpose: Purpose, number: int) -> Keyring:
        """Revoke an epoch and erase its secret: what it signed no longer verifies.

        Raises:
            StateError: It is the active epoch; rotate first.
        """
        with exclusive(self.directory / "keyring.lock", what="keyring"):
            current = Keyring.open(self.directory)
            target = current.epoch(purpose, number)
            if target.state is KeyState.ACTIVE:
                raise StateError(
                    f"the key {target.name} is the active one",
                    remedy="rotate it first, then revoke the superseded epoch",
                )
            epochs = tuple(e.revoked() if e is target else e for e in current.epochs)
            after = replace(current, epochs=epochs)
            after._save()
            return after

    def with_rule(self, purpose: Purpose, rule: RotationRule) -> Keyring:
        """Change when the active key of a purpose is to be replaced.

        Returns:
            The keyring with the new rule, already written to disk.

        Raises:
            InputError: The warning time is not shorter than the interval.
        """
        if not 0 <= rule.warn_days < rule.interval_days <= _MAX_DAYS:
            raise InputError(
                f"a key cannot be replaced every {rule.interval_days} days with a warning "
                f"{rule.warn_days} days before",
                remedy=f"choose 1 to {_MAX_DAYS} days, and a shorter warning time",
            )
        with exclusive(self.directory / "keyring.lock", what="keyring"):
            current = Keyring.open(self.directory)
            target = current.active(purpose)
            epochs = tuple(replace(e, rule=rule) if e is target else e for e in current.epochs)
            after = replace(current, epochs=epochs)
            after._save()
            return after

    def _mac(self) -> str:
        """Return the MAC that ties identifier, states and secrets together.

        Whoever can read the file can make it; it tells an edited file from a whole one.
        """
        secret = b"".join(epoch.secret for epoch in self.epochs)
        key = hkdf_sha384(secret, "oem-security/1/keyring", SECRET_BYTES)
        text = json.dumps(self._document(), sort_keys=True, separators=(",", ":"))
        return hmac.digest(key, text.encode(), "sha384").hex()

    def _save(self) -> None:
        """Write the keyring; for who holds its lock."""
        sweep(self.directory / KEYRING_FILE)
        document = {**self._document(), "mac": self._mac()}
        data = json.dumps(document, indent=1).encode() + b"\n"
        write_atomic(self.directory / KEYRING_FILE, data, mode=PRIVATE_FILE)

    def _document(self) -> dict[str, object]:
        return {
            "format": "oem-keyring",
            "version": VERSION,
            "kind": self.kind.value,
            "id": self.id,
            "keys": [
                {
                    "purpose": epoch.purpose.value,
                    "epoch": epoch.epoch,
                    "state": epoch.state.value,
                    "created": rfc3339(epoch.created_ns),
                    "interval_days": epoch.rule.interval_days,
                    "warn_days": epoch.rule.warn_days,
                    "secret": b64(epoch.secret),
                }
                for epoch in self.epochs
            ],
        }


def _require_none(path: Path) -> None:
    if path.exists():
        raise StateError(
            "there is a keyring already",
            where=str(path),
            remedy="use it, or choose another directory; overwriting keys would orphan "
            "everything they signed",
        )


def _new_epoch(
    purpose: Purpose, number: int, now_ns: int, rules: Mapping[Purpose, RotationRule]
) -> KeyEpoch:
    rule = rules.get(purpose, RotationRule())
    created = now_ns - now_ns % NS_PER_SECOND
    return KeyEpoch(purpose, number, KeyState.ACTIVE, created, rule, os.urandom(SECRET_BYTES))


def _read_epoch(fields: Fields) -> KeyEpoch:
    epoch = KeyEpoch(
        purpose=fields.choice("purpose", Purpose),
        epoch=fields.integer("epoch", 1, 1_000_000),
        state=fields.choice("state", KeyState),
        created_ns=fields.time_ns("created"),
        rule=RotationRule(
            fields.integer("interval_days", 1, _MAX_DAYS), fields.integer("warn_days", 0, _MAX_DAYS)
        ),
        secret=fields.bytes_b64("secret", max_length=SECRET_BYTES),
    )
    expected = 0 if epoch.state is KeyState.REVOKED else SECRET_BYTES
    if len(epoch.secret) != expected:
        fields.fail("secret", f"has {len(epoch.secret)} bytes, expected {expected}")
    fields.done()
    return epoch


def active_epochs(epochs: Iterable[KeyEpoch]) -> tuple[KeyEpoch, ...]:
    """Return the epochs that sign now."""
    return tuple(epoch for epoch in epochs if epoch.state is KeyState.ACTIVE)
