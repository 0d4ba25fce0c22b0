"""A sealed list of files: made by a site for itself, or by a vendor for a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from oem_security.clock import Clock, SystemClock, rfc3339
from oem_security.envelope.dsse import open_envelope, seal_bytes
from oem_security.envelope.policy import PayloadType, Pins, site_signers, vendor_signers
from oem_security.errors import InputError, ManifestError
from oem_security.fields import Fields
from oem_security.files import read_bounded, write_atomic
from oem_security.keys.keyring import Keyring, KeyringKind
from oem_security.manifest.tree import (
    MAX_FILES,
    FileEntry,
    hash_files,
    list_files,
    require_distinct,
    require_path,
)
from oem_security.strict_json import canonical

MANIFEST_NAME = "MANIFEST.dsse.json"
_MAX_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a tree must be.

    Attributes:
        name: What it is a manifest of; versions of one name follow each other.
        version: Counts up; an older one is refused once a newer was seen.
        files: Every file, in order of path.
        created_at: RFC 3339 time, by the maker's clock.
    """

    name: str
    version: int
    files: tuple[FileEntry, ...]
    created_at: str

    @property
    def sha384(self) -> str:
        """SHA-384 of the name, the version and every file, hex; not of when it was made."""
        files = [[f.path, f.size, f.sha384] for f in self.files]
        stated = {"name": self.name, "version": self.version, "files": files}
        return hashlib.sha384(canonical(stated)).hexdigest()


def make_manifest(
    root: Path,
    keyring: Keyring,
    *,
    name: str,
    version: int,
    target: Path | None = None,
    exclude: Iterable[str] = (),
    threads: int = 2,
    clock: Clock | None = None,
) -> Path:
    """Hash every file of a tree and seal the list; a vendor's keyring signs a bundle's manifest.

    Args:
        root: The folder.
        keyring: Of the site or the vendor.
        name: What it is a manifest of, at most 64 characters.
        version: At least 1, higher than the last.
        target: Where to write; `MANIFEST.dsse.json` in the folder when None.
        exclude: Shell patterns of relative paths that are left out.
        threads: Files hashed at the same time.
        clock: Tells the time.

    Raises:
        ManifestError: The tree holds what a manifest cannot; see `list_files`.
        InputError: Name or version cannot be one, or there is no such folder.
    """
    if not 1 <= version < 1 << 40 or not 0 < len(name) <= 64 or not name.isprintable():
        raise InputError(
            f"name {name!r}, version {version}",
            where="manifest",
            remedy="give a name of at most 64 printable characters and a version of at least 1",
        )
    if not root.is_dir():
        raise InputError("there is no such folder", where=str(root), remedy="correct the path")
    target = target or root / MANIFEST_NAME
    files = hash_files(root, list_files(root, _skipper(root, target, exclude)), threads=threads)
    payload = {
        "name": name,
        "version": version,
        "created_at": rfc3339((clock or SystemClock()).now_ns()),
        "files": [{"path": f.path, "size": f.size, "sha384": f.sha384} for f in files],
    }
    vendor = keyring.kind is KeyringKind.VENDOR
    kind = PayloadType.BUNDLE_MANIFEST if vendor else PayloadType.SITE_MANIFEST
    signers = vendor_signers(keyring) if vendor else site_signers(keyring)
    write_atomic(target, seal_bytes(canonical(payload), kind, signers))
    return target


def read_manifest(path: Path, payload_type: PayloadType, pins: Pins) -> Manifest:
    """Verify a manifest's seal and return what it says; no file of the tree is looked at.

    Args:
        path: The manifest.
        payload_type: `SITE_MANIFEST` or `BUNDLE_MANIFEST`, as the caller expects it.
        pins: Keys that are trusted for it: `site_pins`, or the vendor's.

    Raises:
        SealError: It is not sealed by a trusted key.
        ManifestError: It names a path that no manifest may name.
    """
    data = read_bounded(path, _MAX_BYTES, what="manifest", remedy="restore it from the bundle")
    return parse_manifest(open_envelope(data, payload_type, pins).value)


def parse_manifest(value: object) -> Manifest:
    """Return the manifest of a verified payload; MalformedError or ManifestError otherwise."""
    fields = Fields(value, "manifest")  # type: ignore[arg-type]
    entries = []
    for entry in fields.objects("files", max_items=MAX_FILES):
        found = FileEntry(
            entry.text("path"),
            entry.integer("size", 0, 1 << 52),
            entry.text("sha384", pattern="[0-9a-f]{96}"),
        )
        require_path(found.path)
        entry.done()
        entries.append(found)
    manifest = Manifest(
        fields.text("name", max_length=64),
        fields.integer("version", 1, 1 << 40),
        tuple(entries),
        fields.text("created_at", max_length=40),
    )
    fields.done()
    paths = [entry.path for entry in entries]
    if paths != sorted(set(paths)):
        raise ManifestError(
            "the files are not listed once each and in order",
            where="files",
            remedy="fetch an intact copy of the manifest",
        )
    require_distinct(paths)
    return manifest


def verify_tree(
    root: Path,
    manifest: Manifest,
    *,
    manifest_path: Path | None = None,
    allow_extra: Iterable[str] = (),
    threads: int = 2,
) -> int:
    """Hold every file of a tree against its manifest; returns how many there are.

    Args:
        root: The folder.
        manifest: What it must be.
        manifest_path: Where the manifest itself stands, if inside the folder.
        allow_extra: Shell patterns of paths that may be there without being listed.
        threads: Files hashed at the same time.

    Raises:
        ManifestError: A file is missing, changed, a link, or not listed; the first is named.
    """
    listed = {entry.path: entry for entry in manifest.files}
    skip = _skipper(root, manifest_path or root / MANIFEST_NAME, allow_extra)
    # a folder above a listed file is looked into, whatever the patterns say: it may be a link
    above = {str(folder) for path in listed for folder in PurePosixPath(path).parents}
    there = list_files(root, lambda path: path not in listed and path not in above and skip(path))
    missing = sorted(set(listed) - set(there))
    if missing:
        raise ManifestError(
            f"{len(missing)} files are missing, the first is {missing[0]!r}",
            where=str(root / missing[0]),
            remedy="restore it from the bundle or a backup",
        )
    extra = sorted(set(there) - set(listed))
    if extra:
        raise ManifestError(
            f"{len(extra)} files are not listed, the first is {extra[0]!r}",
            where=str(root / extra[0]),
            remedy="remove it, or allow it by a pattern",
        )
    sizes = {path: entry.size for path, entry in listed.items()}
    for found in hash_files(root, listed, sizes=sizes, threads=threads):
        if found.sha384 != listed[found.path].sha384:
            raise ManifestError(
                f"the content is not what was sealed: SHA-384 {found.sha384[:16]}…",
                where=str(root / found.path),
                remedy="restore it from the bundle or a backup",
            )
    return len(listed)


def _skipper(root: Path, manifest: Path, patterns: Iterable[str]) -> _Skip:
    try:
        own = manifest.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        own = ""
    return _Skip(own, tuple(patterns))


@dataclass(frozen=True, slots=True)
class _Skip:
    """Tells which paths are left out: the manifest itself, and what matches a pattern."""

    own: str
    patterns: tuple[str, ...]

    def __call__(self, path: str) -> bool:
        return path == self.own or any(fnmatchcase(path, pattern) for pattern in self.patterns)
