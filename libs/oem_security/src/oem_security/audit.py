"""Verify every signed thing under a directory, and say what is wrong with whatever is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oem_security.anchors.chain import open_first
from oem_security.anchors.trusted import vendor_pins
from oem_security.envelope.dsse import open_envelope, payload_type_of
from oem_security.envelope.policy import PayloadType, Pins, Role, envelope_mac, site_pins
from oem_security.envelope.seal import SEAL_SUFFIX, verify_file
from oem_security.errors import JournalError, OemSecurityError
from oem_security.files import is_locked, open_sized, read_bounded
from oem_security.journal.epoch import known_journals, state_of
from oem_security.journal.head import HEAD_SUFFIX
from oem_security.journal.reader import verify_journal
from oem_security.journal.segments import closed_segments, journal_of, segment_path
from oem_security.keys.key import Purpose
from oem_security.keys.keyring import Keyring
from oem_security.license.opening import load_anchors
from oem_security.license.paths import LicensePaths

_SKIPPED = {"secrets"}
_MAX_BYTES = 128 << 20
_OF_VENDOR = (PayloadType.LICENSE, PayloadType.REVOCATIONS, PayloadType.BUNDLE_MANIFEST)


@dataclass(frozen=True, slots=True)
class Finding:
    """One signed thing and what was found.

    Attributes:
        path: The file, relative to the directory that was verified.
        kind: `journal`, `seal` or `envelope`.
        detail: What holds, in words, or what is wrong.
        where: File, line or field that does not hold; empty when all does.
        remedy: What to do; empty when all holds.
    """

    path: str
    kind: str
    detail: str
    where: str = ""
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return not self.where


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Everything that was verified."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)


def audit_site(root: Path, keyring: Keyring, paths: Iterable[Path] = ()) -> AuditReport:
    """Verify journals, sealed files and envelopes of a site.

    A journal that no process is writing is held against its head: one that was cut after its
    writer closed it does not hold; what a crash leaves does, and is named.

    Args:
        root: The site.
        keyring: The site's keyring.
        paths: Files or folders to verify; empty verifies the whole site but its secrets.

    Raises:
        InputError: There is no such file, or it is a device or a pipe.
    """
    findings = []
    for path in _files(root, tuple(paths)):
        try:
            kind = _kind(path)
        except OSError as error:
            findings.append(_unreadable(path, root, error))
            continue
        if kind is not None:
            findings.append(_verify(path, kind, root, keyring))
    if not paths:
        findings += _deleted(root, keyring)
    return AuditReport(tuple(findings))


def _deleted(root: Path, keyring: Keyring) -> list[Finding]:
    """Return the logs that the keyring knows and that left no file at all under `root`."""
    found = []
    for journal_id in known_journals(keyring.directory):
        try:
            state = state_of(keyring.directory, journal_id)
        except JournalError as error:
            name = f"journal {journal_id}"
            found.append(Finding(name, "journal", error.what, error.where, error.remedy))
            continue
        path = (keyring.directory / state.path).resolve()
        here = path.is_relative_to(root.resolve())
        if here and state.begun and not any(path.parent.glob(f"{path.name}*")):
            name, remedy = str(_relative(path, root)), "restore it from a backup"
            found.append(Finding(name, "journal", "the log was deleted", str(path), remedy))
    return found


def _files(root: Path, paths: tuple[Path, ...]) -> list[Path]:
    found: set[Path] = set()
    for path in paths or (root,):
        if path.is_dir():
            found.update(p for p in path.rglob("*") if p.is_file())
        else:
            open_sized(path)[1].close()
            found.add(path)
            sidecar = path.with_name(path.name + SEAL_SUFFIX)
            if sidecar.is_file():
                found.add(sidecar)
    kept = [p for p in found if not (set(_relative(p, root).parts[:1]) & _SKIPPED)]
    kept = [p for p in kept if not _is_evidence(p)]
    return sorted(kept)


def _is_evidence(path: Path) -> bool:
    """A damaged log that was set aside; the log beside it begins with a record of that."""
    folder = path.parent
    log, marked, _ = folder.name.rpartition(".damaged")
    return bool(marked) and path.name.startswith(log) and folder.with_name(log).exists()


def _kind(path: Path) -> str | None:
    if path.name.endswith(SEAL_SUFFIX):
        return "seal" if _is_seal(path) else "envelope"
    if path.suffix == ".jsonl" and _is_journal(path):
        return "journal"
    log = journal_of(path)
    if log != path:
        # a crash may have left closed segments and no open one; verifying the log tells
        first = path == segment_path(log, closed_segments(log)[0])
        return "journal" if first and not log.exists() else None
    if path.suffix == HEAD_SUFFIX:
        log = path.with_name(path.name.removesuffix(HEAD_SUFFIX))
        return None if log.exists() or closed_segments(log) else "head"
    # either word alone will do, so that a changed byte does not hide an envelope
    if path.suffix == ".json" and any(
        w in _head(path) for w in (b'"payloadType"', b'"signatures"')
    ):
        return "envelope"
    return None


def _is_journal(path: Path) -> bool:
    """A lock beside it or an opening record makes a journal; deleting one does not hide it."""
    if path.with_name(path.name + ".lock").exists():
        return True
    with path.open("rb") as stream:
        first = stream.readline(4096)
    return b"journal.opened" in first or b'"prev":"' in first


def _is_seal(sidecar: Path) -> bool:
    """A sidecar belongs to a file beside it; a damaged one is judged by that file's presence."""
    kind = payload_type_of(_head(sidecar))
    return kind is PayloadType.SEAL or (kind is None and _sealed(sidecar).exists())


def _sealed(sidecar: Path) -> Path:
    return sidecar.with_name(sidecar.name.removesuffix(SEAL_SUFFIX))


def _head(path: Path) -> bytes:
    return path.read_bytes() if path.stat().st_size <= _MAX_BYTES else b""


def _unreadable(path: Path, root: Path, error: OSError) -> Finding:
    return Finding(
        str(_relative(path, root)),
        "file",
        f"it cannot be read: {error.strerror or error}",
        str(path),
        "check its permissions",
    )


def _verify(path: Path, kind: str, root: Path, keyring: Keyring) -> Finding:
    name = str(_relative(path, root))
    try:
        if kind == "journal":
            path = journal_of(path)
            report = verify_journal(path, keyring, strict=not _being_written(path))
            words = f"{report.records} records, {report.checkpointed} under a checkpoint"
            if not report.closed and not _being_written(path):
                words += "; its writer did not close it: opening it again completes it"
            return Finding(name, kind, words)
        if kind == "head":
            raise JournalError(
                "the log of this head is missing",
                where=str(path.with_name(path.name.removesuffix(HEAD_SUFFIX))),
                remedy="it was deleted or moved: restore it from a backup",
            )
        if kind == "seal":
            sealed = verify_file(_sealed(path), keyring)
            return Finding(name, kind, f"{sealed.name}, {sealed.size} bytes")
        return Finding(name, kind, _open(path, root, keyring))
    except OemSecurityError as error:
        return Finding(name, kind, error.what, error.where or name, error.remedy)
    except OSError as error:
        return _unreadable(path, root, error)


def _open(path: Path, root: Path, keyring: Keyring) -> str:
    data = read_bounded(path, _MAX_BYTES, what="envelope")
    payload_type = payload_type_of(data)
    if payload_type is None:
        raise OemSecurityError(
            "not an envelope any more",
            where=str(path),
            remedy="restore the file from a backup",
        )
    if payload_type is PayloadType.ANCHORS:
        return f"anchors, version {open_first(data).version}, signed by enough of their own roots"
    pins, also = _pins(payload_type, root, keyring)
    verified = open_envelope(data, payload_type, pins, also=also)
    return f"{payload_type.name.lower()}, signed by {', '.join(r.value for r in verified.key_ids)}"


def _pins(payload_type: PayloadType, root: Path, keyring: Keyring) -> tuple[Pins, tuple[Role, ...]]:
    if payload_type not in _OF_VENDOR:
        return site_pins(keyring), ()
    pins, also = vendor_pins(load_anchors(LicensePaths(root / "var" / "licenses"), keyring))
    if payload_type is PayloadType.BUNDLE_MANIFEST:
        return pins, ()  # its third signature is not asked for
    device = tuple(envelope_mac(e) for e in keyring.usable(Purpose.DEVICE))
    return {**pins, Role.DEVICE_MAC: device}, also


def _being_written(path: Path) -> bool:
    return is_locked(path.with_name(path.name + ".lock"))


def _relative(path: Path, root: Path) -> Path:
    try:
        return path.resolve().relative_to(root.resolve())
    except ValueError:
        return path
