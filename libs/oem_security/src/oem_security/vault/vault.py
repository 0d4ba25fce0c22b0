"""A file of secrets: names can be read, values only with the passphrase.

The passphrase opens two random keys; the first opens each secret, bound to the vault, its
name and its version. A tag over the whole file, made with the vault key, notices whatever was
removed, moved, or taken from an older copy; a counter beside the file, made with the second key,
notices when the whole file is an older copy.

Sources: RFC 9106 (Argon2id), NIST SP 800-38D (AES-GCM).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from oem_security.errors import (
    InputError,
    OemSecurityError,
    StateError,
    StorageError,
    VaultError,
)
from oem_security.fields import b64
from oem_security.files import exclusive, read_bounded, sweep, write_atomic
from oem_security.strict_json import canonical
from oem_security.vault.content import (
    KEY,
    MAX_BYTES,
    MAX_SECRET_BYTES,
    MAX_SECRETS,
    WHAT,
    Content,
    Sealed,
    parse_vault,
)
from oem_security.vault.floor import highest_seen, read_floor, write_floor
from oem_security.vault.kdf import Kdf, KdfParameters

_NAME = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}"


@dataclass(slots=True)
class Vault:
    """An open vault. Every change is written at once, whole or not at all.

    Args are those of `create` and `open`; use them, not the constructor.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from oem_security.vault.kdf import KdfParameters
        >>> cheap = KdfParameters(19_456, 2, 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     vault = Vault.create(Path(folder) / "api.vault", "correct horse", cheap)
        ...     vault.put("binance/key", "s3cret")
        ...     again = Vault.open(Path(folder) / "api.vault", "correct horse")
        ...     again.names(), again.get("binance/key")
        (('binance/key',), 's3cret')
    """

    path: Path
    _content: Content = field(repr=False)
    _key: bytes = field(repr=False)
    floor_missing: bool = False

    @classmethod
    def create(cls, path: Path, passphrase: str, parameters: KdfParameters | None = None) -> Vault:
        """Make an empty vault.

        Args:
            path: The file; its folder must be private.
            passphrase: At least 8 characters.
            parameters: Work factors; None for those of RFC 9106.

        Raises:
            StateError: The file is there already.
            VaultError: The passphrase is too short.
        """
        if path.exists():
            raise StateError(
                "there is a vault already", where=str(path), remedy="open it, or move it away"
            )
        key = secrets.token_bytes(2 * KEY)
        content = _wrapped(
            Content(secrets.token_hex(8), 0, Kdf.fresh(parameters), b"", b"", {}), key, passphrase
        )
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        vault = cls(path, content, key)
        vault._save(content)
        return vault

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Vault:
        """Open a vault and verify all of it.

        Raises:
            VaultError: The passphrase is wrong, something was changed, or the file is an older
                copy than was seen before.
            MalformedError: It is not a vault.
        """
        content, tag = _read(path)
        key = _unwrap(content, passphrase, path)
        if not hmac.compare_digest(_tag(key, content), tag):
            raise VaultError(
                "the vault was changed by someone without its key",
                where=str(path),
                remedy="keep it as evidence and recover a backup: oem vault recover",
            )
        floor = read_floor(path, key, content.id)
        if floor is not None and content.version < floor:
            raise VaultError(
                f"the vault is version {content.version}, and version {floor} was seen before",
                where=str(path),
                remedy="an older copy was put in its place: recover it on purpose with: "
                "oem vault recover",
            )
        return cls(path, content, key, floor_missing=floor is None)

    @property
    def version(self) -> int:
        """Number of changes so far; it never goes back."""
        return self._content.version

    @property
    def parameters(self) -> KdfParameters:
        """Work factors of the passphrase."""
        return self._content.kdf.parameters

    def names(self) -> tuple[str, ...]:
        """Return the names of all secrets, in order."""
        return tuple(sorted(self._content.secrets))

    def get(self, name: str) -> str:
        """Return a secret.

        Raises:
            VaultError: There is no such secret, or it is not the one stored under that name.
        """
        sealed = self._content.secrets.get(name)
        if sealed is None:
            raise VaultError(
                "there is no such secret", where=name, remedy="see the names: oem vault list"
            )
        return _open_secret(self._key, self._content.id, name, sealed)

    def put(self, name: str, value: str) -> None:
        """Store a secret, replacing an older one of that name."""
        self.put_all({name: value})

    def put_all(self, values: Mapping[str, str]) -> None:
        """Store several secrets in one change.

        Raises:
            InputError: A name or value is not allowed; nothing was stored.
        """
        sealed = dict(self._content.secrets)
        for name, value in values.items():
            if not re.fullmatch(_NAME, name):
                raise InputError(
                    f"{name!r} cannot be the name of a secret",
                    where=name,
                    remedy="use letters, digits, dot, slash, dash and underscore",
                )
            version = sealed[name].version + 1 if name in sealed else 1
            sealed[name] = _seal_secret(self._key, self._content.id, name, version, value)
        if len(sealed) > MAX_SECRETS:
            raise InputError(
                f"{len(sealed)} secrets", where=str(self.path), remedy="use several vaults"
            )
        self._save(replace(self._content, secrets=sealed))

    def remove(self, name: str) -> None:
        """Remove a secret; VaultError when there is none."""
        self.get(name)
        left = {n: s for n, s in self._content.secrets.items() if n != name}
        self._save(replace(self._content, secrets=left))

    def rotate(self, passphrase: str, parameters: KdfParameters | None = None) -> None:
        """Change the passphrase, the work factors and the vault key; every secret is sealed anew.

        Args:
            passphrase: The new one, or the old one to change the work factors only.
            parameters: None keeps the work factors.
        """
        values = {name: self.get(name) for name in self.names()}
        key = secrets.token_bytes(KEY) + self._key[KEY:]
        kdf = Kdf.fresh(parameters or self.parameters)
        content = _wrapped(replace(self._content, kdf=kdf), key, passphrase)
        sealed = {
            name: _seal_secret(key, content.id, name, content.secrets[name].version + 1, value)
            for name, value in values.items()
        }
        self._save(replace(content, secrets=sealed), key)

    def backup(self, target: Path) -> None:
        """Copy the vault as it is, still sealed, to a file that is not there yet."""
        if target.exists():
            raise StateError(
                "the file is there already", where=str(target), remedy="choose another name"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, _encoded(self._content, self._key), mode=0o600)

    @classmethod
    def recover(cls, path: Path, backup: Path, passphrase: str) -> Vault:
        """Put a verified backup in a vault's place; what was there is kept beside it.

        The counter goes on from the highest version seen, so that the copy that was replaced can
        never be put back unnoticed.

        Raises:
            InputError: There is no such backup.
            VaultError: The backup does not hold with this passphrase.
        """
        if not backup.exists():
            raise InputError("there is no backup", where=str(backup), remedy="correct the path")
        content, tag = _read(backup)
        key = _unwrap(content, passphrase, backup)
        if not hmac.compare_digest(_tag(key, content), tag):
            raise VaultError(
                "the backup was changed", where=str(backup), remedy="use an older backup"
            )
        highest = max(content.version, highest_seen(path, key, content.id))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.path.lexists(path):
            _keep(path)
        vault = cls(path, replace(content, version=highest), key)
        vault._save(vault._content, over_any=True)
        return vault

    def _save(self, content: Content, key: bytes | None = None, *, over_any: bool = False) -> None:
        key = key or self._key
        content = replace(content, version=content.version + 1)
        data = _encoded(content, key)
        if len(data) > MAX_BYTES:
            raise InputError(
                f"the vault would have {len(data)} bytes, at most {MAX_BYTES} can be read again",
                where=str(self.path),
                remedy="use several vaults; nothing was stored",
            )
        with exclusive(self.path.with_name(f"{self.path.name}.lock"), what=WHAT):
            if not over_any and self.path.exists() and self._changed():
                raise StateError(
                    "the vault was changed by another process",
                    where=str(self.path),
                    remedy="open it again and repeat",
                )
            # the floor first would lock the owner out after a crash in between
            sweep(self.path)  # a copy that a crash left would open with an older passphrase
            write_atomic(self.path, data, mode=0o600)
            write_floor(self.path, key, content.id, content.version)
        self._content, self._key, self.floor_missing = content, key, False

    def _changed(self) -> bool:
        """Tell whether the file is not the one that was opened or written last."""
        there = _read(self.path)[0]
        return (there.id, there.version) != (self._content.id, self._content.version)


def preview(
    values: Mapping[str, str], include: Iterable[str] = (), exclude: Iterable[str] = ()
) -> tuple[tuple[str, int], ...]:
    """Return (name, length) of what would be imported; values are never shown."""
    return tuple((name, len(v)) for name, v in sorted(chosen(values, include, exclude).items()))


def chosen(
    values: Mapping[str, str], include: Iterable[str] = (), exclude: Iterable[str] = ()
) -> dict[str, str]:
    """Return the values whose name matches a pattern of `include` and none of `exclude`.

    Patterns are those of a shell: `binance*`. No pattern to include means all.
    """
    from fnmatch import fnmatchcase

    wanted, unwanted = tuple(include), tuple(exclude)
    return {
        name: value
        for name, value in values.items()
        if (not wanted or any(fnmatchcase(name, p) for p in wanted))
        and not any(fnmatchcase(name, p) for p in unwanted)
    }


def _seal_secret(key: bytes, vault: str, name: str, version: int, value: str) -> Sealed:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        data = value.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            "the secret is no text: it holds half a surrogate pair, or bytes that are not UTF-8",
            where=name,
            remedy="store binary secrets as base64",
        ) from None
    if len(data) > MAX_SECRET_BYTES:
        raise InputError(
            f"the secret has {len(data)} bytes",
            where=name,
            remedy=f"store at most {MAX_SECRET_BYTES} bytes",
        )
    nonce = secrets.token_bytes(12)
    return Sealed(
        version, nonce, AESGCM(key[:KEY]).encrypt(nonce, data, _bound(vault, name, version))
    )


def _open_secret(key: bytes, vault: str, name: str, sealed: Sealed) -> str:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    bound = _bound(vault, name, sealed.version)
    try:
        return AESGCM(key[:KEY]).decrypt(sealed.nonce, sealed.data, bound).decode("utf-8")
    except InvalidTag:
        raise VaultError(
            "the secret is not the one stored under this name",
            where=name,
            remedy="recover a backup: oem vault recover",
        ) from None


def _bound(vault: str, name: str, version: int) -> bytes:
    return b"oem-vault-v1\n" + canonical({"name": name, "vault": vault, "version": version})


def _wrapped(content: Content, key: bytes, passphrase: str) -> Content:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(12)
    sealed = AESGCM(content.kdf.derive(passphrase)).encrypt(nonce, key, _header(content))
    return replace(content, wrap_nonce=nonce, wrapped=sealed)


def _unwrap(content: Content, passphrase: str, path: Path) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(content.kdf.derive(passphrase)).decrypt(
            content.wrap_nonce, content.wrapped, _header(content)
        )
    except InvalidTag:
        raise VaultError(
            "the passphrase is wrong, or the head of the vault was changed",
            where=str(path),
            remedy="check the passphrase; if it is right, recover a backup: oem vault recover",
        ) from None


def _header(content: Content) -> bytes:
    return b"oem-vault-key-v1\n" + canonical({"id": content.id, "kdf": content.kdf.as_json()})


def _tag(key: bytes, content: Content) -> bytes:
    message = b"oem-vault-file-v1\n" + canonical(content.as_json())
    return hmac.digest(key[:KEY], message, hashlib.sha384)


def _encoded(content: Content, key: bytes) -> bytes:
    return canonical({**content.as_json(), "tag": b64(_tag(key, content))}) + b"\n"


def _read(path: Path) -> tuple[Content, bytes]:
    if not path.exists():
        raise VaultError("there is no vault", where=str(path), remedy="make one: oem vault init")
    return parse_vault(read_bounded(path, MAX_BYTES, what=WHAT))


def _keep(path: Path) -> None:
    """Keep what stands in a vault's place beside it, whatever that is."""
    names = (path.with_name(f"{path.name}.replaced{n or ''}") for n in count())
    try:
        there = read_bounded(path, MAX_BYTES, what=WHAT)
    except OemSecurityError:
        # no vault, and none to lose: it is moved, not copied
        try:
            path.rename(next(name for name in names if not os.path.lexists(name)))
        except OSError as error:
            raise StorageError(
                f"what stands in the vault's place cannot be moved: {error.strerror or error}",
                where=str(path),
                remedy="move it away by hand, then repeat",
            ) from error
    else:
        write_atomic(next(name for name in names if not name.is_dir()), there, mode=0o600)
