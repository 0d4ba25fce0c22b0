"""A licence registry folded from its journal: what was issued, installed, revoked, and by whom.

The journal's seals say that nobody changed the registry; the rules here say that it makes sense.
Both sides keep one: the vendor of what it issued, a site of what it installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
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
    """Fold records into what they say.

    Raises:
        LicenseError: They contradict each other.
    """
    state = Registry()
    for record in records:
        step = _STEPS.get(record.kind)
        try:
            if step is not None:
                state = step(state, Fields(dict(record.body), record.kind))
            elif not record.kind.startswith("journal."):
                raise _wrong(f"{record.kind!r} has no place in a licence registry")
        except OemSecurityError as error:
            raise LicenseError(
                f"record {record.seq} of the registry makes no sense: {error.what}",
                where=f"{where}:{record.seq + 1}",
                remedy="somebody with the keys wrote it: keep the file as evidence and restore "
                "the registry from a backup",
            ) from None
        state = replace(state, records=state.records + 1, last_ns=record.time_ns)
    return state


def _approved(state: Registry, fields: Fields) -> Registry:
    nonce = fields.hex("nonce", 32)
    if not fields.text("approved_by").strip():
        raise _wrong("nobody approved it")
    if nonce in state.nonces:
        raise _wrong("the request was answered before")
    return replace(state, nonces=state.nonces | {nonce}, open_approval=nonce)


def _issued(state: Registry, fields: Fields) -> Registry:
    found = License.from_fields(fields.object("license"))
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
    return replace(state, issued={**state.issued, found.license_id: found}, open_approval="")


def _revoked(state: Registry, fields: Fields) -> Registry:
    entry = Revoked(
        fields.text("license_id"), fields.integer("revision", 1, 1 << 30), fields.text("reason")
    )
    if not fields.text("approved_by").strip():
        raise _wrong("nobody approved the revocation")
    if entry.license_id not in state.issued:
        raise _wrong("a licence is revoked that was never issued")
    return replace(state, revoked={**state.revoked, entry.license_id: entry})


def _listed(state: Registry, fields: Fields) -> Registry:
    number = fields.integer("number", 1, 1 << 40)
    if number <= state.list_number:
        raise _wrong(f"list {number} follows list {state.list_number}")
    return replace(state, list_number=number)


def _trusted(state: Registry, fields: Fields) -> Registry:
    vendor = fields.text("vendor")
    if state.vendor and state.vendor != vendor:
        raise _wrong(f"the site trusted {state.vendor} and then another vendor")
    return replace(state, vendor=vendor)


def _rolled(state: Registry, fields: Fields) -> Registry:
    if fields.text("from") != state.vendor:
        raise _wrong("the vendor's keys rolled over from keys that were not trusted")
    return replace(state, vendor=fields.text("to"))


def _installed(state: Registry, fields: Fields) -> Registry:
    one = (
        fields.text("license_id"),
        fields.integer("revision", 1, 1 << 30),
        fields.time_ns("issued"),
    )
    if one[2] < state.newest_installed[2]:
        raise _wrong("an older licence was installed over a newer one")
    return replace(state, installed=(*state.installed, one))


def _noted(state: Registry, _: Fields) -> Registry:
    return state


_STEPS: Mapping[str, Callable[[Registry, Fields], Registry]] = {
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
