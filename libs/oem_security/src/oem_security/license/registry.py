"""A licence registry folded from its journal: what was issued, installed, revoked, and by whom.

The journal's seals say that nobody changed the registry; the rules here say that it makes sense.
Both sides keep one: the vendor of what it issued, a site of what it installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from oem_security.errors import LicenseError, OemSecurityError
from oem_security.fields import Fields
from oem_security.journal.reader import read_journal
from oem_security.journal.record import Record
from oem_security.keys.keyring import Keyring
from oem_security.license.revocations import Revoked
from oem_security.license.terms import License

APPROVED = "license.approved"
ISSUED = "license.issued"
REVOKED = "license.revoked"
PUBLISHED = "revocations.published"
TRUSTED = "vendor.trusted"
ROLLED = "vendor.rolled"
REQUESTED = "license.requested"
INSTALLED = "license.installed"
LIST_INSTALLED = "revocations.installed"
LEASED = "license.leased"
RESTORED = "license.restored"


@dataclass(frozen=True, slots=True)
class Registry:
    """What a registry says, whole and consistent.

    Attributes:
        issued: Vendor: the newest revision of each licence.
        revoked: Vendor: what is revoked, by licence.
        nonces: Vendor: requests that were answered.
        list_number: Number of the newest revocation list, published or installed.
        vendor: Site: key id of the vendor it trusts.
        installed: Site: revision and issue of each installed licence, newest last.
        records: How many records were read.
        last_ns: Time of the last one.
        open_approval: Vendor: nonce of the approval the next issue belongs to.
    """

    issued: Mapping[str, License] = field(default_factory=dict)
    revoked: Mapping[str, Revoked] = field(default_factory=dict)
    nonces: frozenset[str] = frozenset()
    list_number: int = 0
    vendor: str = ""
    installed: tuple[tuple[str, int, int], ...] = ()
    records: int = 0
    last_ns: int = 0
    open_approval: str = ""

    @property
    def newest_installed(self) -> tuple[str, int, int]:
        """Licence, revision and issue (UTC nanoseconds) of the newest one installed."""
        return max(self.installed, key=lambda i: (i[2], i[1]), default=("", 0, 0))


def read_registry(path: Path, keyring: Keyring) -> Registry:
    """Verify a registry's journal record by record and fold it; an absent one is empty.

    Raises:
        JournalError: A record was changed; the error names the line.
        LicenseError: The records hold and contradict each other; the error names the record.
    """
    if not path.exists():
        return Registry()
    return fold(read_journal(path, keyring, strict=True), str(path))


def fold(records: Iterable[Record], where: str = "registry") -> Registry:
    """Fold records into what they say, in time proportional to their number.

    Raises:
        LicenseError: They contradict each other.
    """
    state = _Folding()
    for record in records:
        step = _STEPS.get(record.kind)
        try:
            if step is not None:
                step(state, Fields(dict(record.body), record.kind))
            elif not record.kind.startswith("journal."):
                raise _wrong(f"{record.kind!r} has no place in a licence registry")
            state.records, state.last_ns = state.records + 1, record.time_ns
        except OemSecurityError as error:
            raise LicenseError(
                f"record {record.seq} of the registry makes no sense: {error.what}",
                where=f"{where}:{record.seq + 1}",
                remedy="somebody with the keys wrote it: keep the file as evidence and restore "
                "the registry from a backup",
            ) from None
    return state.folded()


@dataclass(slots=True)
class _Folding:
    """A registry that grows record by record; fields as those of `Registry`."""

    issued: dict[str, License] = field(default_factory=dict)
    revoked: dict[str, Revoked] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)
    list_number: int = 0
    vendor: str = ""
    installed: list[tuple[str, int, int]] = field(default_factory=list)
    records: int = 0
    last_ns: int = 0
    open_approval: str = ""

    def folded(self) -> Registry:
        return Registry(
            self.issued,
            self.revoked,
            frozenset(self.nonces),
            self.list_number,
            self.vendor,
            tuple(self.installed),
            self.records,
            self.last_ns,
            self.open_approval,
        )


def _approved(state: _Folding, fields: Fields) -> None:
    nonce = fields.hex("nonce", 32)
    if not fields.text("approved_by").strip():
        raise _wrong("nobody approved it")
    if nonce in state.nonces:
        raise _wrong("the request was answered before")
    state.nonces.add(nonce)
    state.open_approval = nonce


def _issued(state: _Folding, fields: Fields) -> None:
    found = License.from_fields(fields.object("license"))
    ended = fields.object("ends") if fields.has("ends") else None
    fields.done()
    if not found.nonce or found.nonce != state.open_approval:
        raise _wrong("a licence was issued without an approval of its own")
    before = state.issued.get(found.license_id)
    if found.revision != (before.revision if before else 0) + 1:
        raise _wrong(f"revision {found.revision} does not follow")
    if before is not None and before.site != found.site:
        raise _wrong("a licence went over to another site")
    gone = state.revoked.get(found.license_id)
    if gone is not None and gone.revision >= found.revision:
        raise _wrong("a revoked licence was issued again")
    state.issued[found.license_id] = found
    state.open_approval = ""
    if ended is not None:
        entry = _entry(ended)
        ended.done()
        if entry.license_id != found.license_id or entry.revision >= found.revision:
            raise _wrong("an issue ends another licence")
        state.revoked[entry.license_id] = entry


def _revoked(state: _Folding, fields: Fields) -> None:
    entry = _entry(fields)
    if not fields.text("approved_by").strip():
        raise _wrong("nobody approved the revocation")
    if entry.license_id not in state.issued:
        raise _wrong("a licence is revoked that was never issued")
    state.revoked[entry.license_id] = entry


def _entry(fields: Fields) -> Revoked:
    return Revoked(
        fields.text("license_id"), fields.integer("revision", 1, 1 << 30), fields.text("reason")
    )


def _listed(state: _Folding, fields: Fields) -> None:
    number = fields.integer("number", 1, 1 << 40)
    if number <= state.list_number:
        raise _wrong(f"list {number} follows list {state.list_number}")
    state.list_number = number


def _trusted(state: _Folding, fields: Fields) -> None:
    vendor = fields.text("vendor")
    if state.vendor and state.vendor != vendor:
        raise _wrong(f"the site trusted {state.vendor} and then another vendor")
    state.vendor = vendor


def _rolled(state: _Folding, fields: Fields) -> None:
    if fields.text("from") != state.vendor:
        raise _wrong("the vendor's keys rolled over from keys that were not trusted")
    state.vendor = fields.text("to")


def _installed(state: _Folding, fields: Fields) -> None:
    one = (
        fields.text("license_id"),
        fields.integer("revision", 1, 1 << 30),
        fields.time_ns("issued"),
    )
    # each was refused where it went back, so the last one is the newest
    if state.installed and one[2] < state.installed[-1][2]:
        raise _wrong("an older licence was installed over a newer one")
    state.installed.append(one)


def _noted(_: _Folding, __: Fields) -> None:
    return None


_STEPS: Mapping[str, Callable[[_Folding, Fields], None]] = {
    APPROVED: _approved,
    ISSUED: _issued,
    REVOKED: _revoked,
    PUBLISHED: _listed,
    TRUSTED: _trusted,
    ROLLED: _rolled,
    REQUESTED: _noted,
    INSTALLED: _installed,
    LIST_INSTALLED: _listed,
    LEASED: _noted,
    RESTORED: _noted,
}


def _wrong(what: str) -> LicenseError:
    return LicenseError(what, where="registry", remedy="see oem license registry")
