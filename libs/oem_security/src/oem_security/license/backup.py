"""A backup of what a site needs to be licensed again: keys, licence, registry, state.

One file, sealed as a vault by a passphrase, because it holds the site's keys. Every file in it is
named with size and SHA-384, and nothing is put in place before all of them were compared.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

from oem_security.clock import Clock, SystemClock
from oem_security.errors import (
    InputError,
    LicenseError,
    OemSecurityError,
    StateError,
    VaultError,
)
from oem_security.fields import Fields, b64, unb64
from oem_security.files import exclusive, make_private_dir, read_bounded, write_atomic
from oem_security.journal.head import HEAD_SUFFIX
from oem_security.journal.reader import verify_journal
from oem_security.journal.writer import Journal
from oem_security.keys.keyring import KEYRING_FILE, Keyring
from oem_security.license.opening import installed_license
from oem_security.license.paths import LicensePaths
from oem_security.license.registry import RESTORED, read_registry
from oem_security.license.state import read_state
from oem_security.license.terms import second_text
from oem_security.manifest.tree import require_path
from oem_security.strict_json import loads
from oem_security.vault.kdf import KdfParameters
from oem_security.vault.vault import Vault

_CHUNK = 48 << 10
_MAX_FILE = 8 << 20
_MAX_FILES = 2048
_MAX_TOTAL = 8 << 20
_MAX_LIST = 4 << 20
_LIST = "backup"
_SKIPPED = (".lock", ".sock")


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file of a backup: its path in the site, its size in bytes, its SHA-384 in hex."""

    path: str
    size: int
    sha384: str


@dataclass(frozen=True, slots=True)
class LicenseBackup:
    """What a backup holds, every hash verified.

    Attributes:
        site: Identifier of the site's keyring.
        made: When it was made, RFC 3339.
        files: Every file in it.
    """

    site: str
    made: str
    files: tuple[BackupFile, ...]


def backup_license(
    root: Path,
    parts: Iterable[str],
    target: Path,
    passphrase: str,
    *,
    keys: str = "secrets/keys",
    licenses: str = "var/licenses",
    parameters: KdfParameters | None = None,
    clock: Clock | None = None,
) -> LicenseBackup:
    """Write a backup of a site's licence into one sealed file.

    Args:
        root: The site.
        parts: Further files or folders of the site, relative to it; what is absent is left out.
        target: The backup; a file that is not there yet.
        passphrase: At least 8 characters; without it the backup is worthless.
        keys: Folder of the keyring, relative to the site.
        licenses: Folder of licence, registry and state.
        parameters: Work factors of the passphrase; None for those of RFC 9106.
        clock: Tells the time.

    Raises:
        InputError: The site has no keys, or holds more than a backup does.
        ManifestError: A file has a name that other systems do not have.
        StateError: The file is there already, or the registry is being written.
        VaultError: The passphrase is too short.
    """
    site = Keyring.open(root / keys).id
    lock = root / licenses / "registry.jsonl.lock"
    held = exclusive(lock, what="licence registry") if lock.exists() else nullcontext()
    content: dict[str, bytes] = {}
    with held:
        for path in _files(root, (keys, licenses, *parts)):
            data = read_bounded(path, _MAX_FILE, what="file of the site")
            content[path.relative_to(root).as_posix()] = data
    _require_restorable(content)
    files = tuple(BackupFile(p, len(d), _sha384(d)) for p, d in sorted(content.items()))
    made = second_text((clock or SystemClock()).now_ns())
    listing = {
        "site": site,
        "made": made,
        "files": [{"path": f.path, "size": f.size, "sha384": f.sha384} for f in files],
    }
    values = _pieces(_LIST, json.dumps(listing))
    for index, file in enumerate(files):
        data = content[file.path]
        for part in range(0, max(len(data), 1), _CHUNK):
            chunk = b64(data[part : part + _CHUNK])
            values[f"file/{index}/{part // _CHUNK}"] = chunk
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault.create(Path(folder) / "backup.vault", passphrase, parameters)
        vault.put_all(values)
        vault.backup(target)
    return LicenseBackup(site, made, files)


def read_backup(path: Path, passphrase: str) -> tuple[LicenseBackup, dict[str, bytes]]:
    """Open a backup, compare every hash, and return what it holds.

    Raises:
        InputError: There is none.
        VaultError: The passphrase is wrong, or the backup was changed.
        LicenseError: A file in it is not what its hash says.
        ManifestError: It names a path outside a site.
    """
    if not path.is_file():
        raise InputError("there is no such backup", where=str(path), remedy="correct the path")
    try:
        vault = Vault.open(path, passphrase)
    except VaultError as error:
        raise VaultError(
            f"the backup does not open: {error.what}",
            where=str(path),
            remedy="check the passphrase, or use another copy of the backup",
        ) from None
    listing = "".join(vault.get(name) for name in _names_of(_LIST, vault.names()))
    fields = Fields(loads(listing.encode(), what="backup", max_bytes=_MAX_LIST), "backup")
    site, made = fields.hex("site", 16), fields.text("made", max_length=40)
    files, content = [], {}
    names = set(vault.names())
    for index, entry in enumerate(fields.objects("files", max_items=_MAX_FILES)):
        file = BackupFile(
            entry.text("path"),
            entry.integer("size", 0, _MAX_FILE),
            entry.hex("sha384", 96),
        )
        entry.done()
        require_path(file.path)
        parts = range(-(-max(file.size, 1) // _CHUNK))
        chunks = [f"file/{index}/{part}" for part in parts]
        present = [vault.get(name) if name in names else "" for name in chunks]
        data = b"".join(unb64(text) or b"" for text in present)
        if len(data) != file.size or _sha384(data) != file.sha384:
            raise LicenseError(
                f"{file.path} is not what its SHA-384 says",
                where=str(path),
                remedy="use another copy of the backup",
            )
        files.append(file)
        content[file.path] = data
    fields.done()
    return LicenseBackup(site, made, tuple(files)), content


def _require_restorable(content: dict[str, bytes]) -> None:
    """Refuse to make a backup that could not be restored."""
    size = sum(map(len, content.values()))
    if len(content) > _MAX_FILES or size > _MAX_TOTAL:
        raise InputError(
            f"{len(content)} files of {size} bytes; a backup holds {_MAX_FILES} files and "
            f"{_MAX_TOTAL} bytes",
            where="backup",
            remedy="name fewer further files; large ones belong into a backup of the disk",
        )
    for path in content:
        require_path(path)


def _pieces(name: str, text: str) -> dict[str, str]:
    """Return a text under names of its own, each as long as a vault's secret may be."""
    parts = range(0, max(len(text), 1), _CHUNK)
    return {name if not at else f"{name}/{at // _CHUNK}": text[at : at + _CHUNK] for at in parts}


def _names_of(name: str, names: tuple[str, ...]) -> list[str]:
    """Return the names that `_pieces` gave, in order."""
    present, more = set(names), (f"{name}/{n}" for n in count(1))
    return [name, *takewhile(present.__contains__, more)]


def restore_license(
    root: Path,
    backup: Path,
    passphrase: str,
    *,
    keys: str = "secrets/keys",
    licenses: str = "var/licenses",
    clock: Clock | None = None,
) -> LicenseBackup:
    """Put a verified backup in place, verify the result, and note it in the registry.

    Keys that are there already stay, and so does a registry that holds and has gone on since.

    Args:
        root: The site; new, or the one the backup was made of.
        backup: The file `backup_license` wrote.
        passphrase: Its passphrase.
        keys: Folder of the keyring, relative to the site.
        licenses: Folder of licence, registry and state.
        clock: Tells the time.

    Raises:
        VaultError: The passphrase is wrong, or the backup was changed.
        StateError: Another site's keys are here, or newer licences than the backup has.
        LicenseError: A file in it is not what its hash says.
    """
    found, content = read_backup(backup, passphrase)
    paths = LicensePaths(root / licenses)
    _require_place(root / keys, paths, found, content, licenses)
    folder = root / keys
    make_private_dir(folder.parent)
    make_private_dir(folder)
    kept = _kept(root, keys, licenses, content)
    # the keyring first: a restore that was interrupted can be repeated
    for path in sorted(content, key=lambda path: (not path.endswith(KEYRING_FILE), path)):
        if path not in kept:
            write_atomic(root / path, content[path], mode=0o600)
    keyring = Keyring.open(root / keys)
    if paths.license.exists():
        installed_license(paths, keyring)
    if paths.registry.exists():
        verify_journal(paths.registry, keyring, strict=True)
        read_registry(paths.registry, keyring)
        with Journal.open(paths.registry, keyring, subject="licences", clock=clock) as registry:
            registry.append(RESTORED, {"made": found.made, "files": len(found.files)})
    return found


def _require_place(
    keys: Path,
    paths: LicensePaths,
    found: LicenseBackup,
    content: dict[str, bytes],
    licenses: str,
) -> None:
    if not (keys / KEYRING_FILE).exists():
        return
    here = Keyring.open(keys)
    if here.id != found.site:
        raise StateError(
            f"the keys of another site, {here.id}, are here; the backup is of {found.site}",
            where=str(keys),
            remedy="restore into a new directory",
        )
    now = read_state(paths.state, here)
    if now is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "state"
        copy.write_bytes(content.get(f"{licenses}/{paths.state.name}", b""))
        then = read_state(copy, here) if copy.stat().st_size else None
    marks = [(s.issued_ns, s.revision, s.list_number) if s else (0, 0, 0) for s in (then, now)]
    if any(before < after for before, after in zip(*marks, strict=True)):
        raise StateError(
            "the site holds a newer licence or revocation list than the backup",
            where=str(paths.folder),
            remedy="keep what is there, or make a newer backup",
        )


def _kept(root: Path, keys: str, licenses: str, content: dict[str, bytes]) -> set[str]:
    """Return the paths of the backup that stay as they are here."""
    if not (root / keys / KEYRING_FILE).exists():
        return set()
    keyring = Keyring.open(root / keys)
    registry = root / licenses / "registry.jsonl"
    parts = [p for p in content if p.startswith(f"{licenses}/{registry.name}")]
    lines = sum(content[p].count(b"\n") for p in parts if not p.endswith(HEAD_SUFFIX))
    try:
        goes_on = verify_journal(registry, keyring, strict=True).records >= lines
    except OemSecurityError:
        goes_on = False
    present = {p for p in content if p.startswith(f"{keys}/") and (root / p).exists()}
    return {f"{keys}/{KEYRING_FILE}", *(present | set(parts) if goes_on else ())}


def _files(root: Path, parts: Iterable[str]) -> list[Path]:
    found: list[Path] = []
    for part in parts:
        path = root / part
        inside = path.rglob("*") if path.is_dir() else [path]
        found += [
            p for p in inside if p.is_file() and not p.is_symlink() and p.suffix not in _SKIPPED
        ]
    return sorted(set(found))


def _sha384(data: bytes) -> str:
    return hashlib.sha384(data).hexdigest()
