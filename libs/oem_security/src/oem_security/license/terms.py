"""What a licence says: the vendor's terms, and the licence that carries them."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

from oem_security.clock import NS_PER_SECOND, rfc3339
from oem_security.errors import LicenseError
from oem_security.fields import Fields
from oem_security.fingerprint.fingerprint import Fingerprint
from oem_security.keys.key import DAY_NS
from oem_security.values import dataclass, replace

MAX_DAYS = 3660
MAX_GRACE_DAYS = 90
MAX_SEATS = 10_000
MAX_FEATURES = 256
LICENSE_ID = "lic-"
"""A licence's identifier begins so; 16 hexadecimal digits follow."""
_WORD = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}")


class Fallback(enum.Enum):
    """What may stand in for hardware that cannot be read any more, if the licence allows it."""

    DONGLE = "dongle"
    """A dongle that was part of the fingerprint and proves itself."""
    TOTP = "totp"
    """A one-time password that the vendor's support reads out."""


@dataclass(frozen=True, slots=True)
class LicenseTerms:
    """What the vendor grants.

    Attributes:
        profile: Product profile, such as `paper`.
        features: What the site may do; `CapabilityGuard.require` asks for these.
        days: Validity from the issue, 1 to 3660 days.
        bundle_version: Version of the bundle it is for.
        issuer: Name of the issuer.
        grace_days: Days after the end in which it still grants everything, with a warning; 0 to 90.
        seats: Processes that may hold the licence at the same time, 1 to 10000.
        maintenance_days: Bundles released up to this many days after the issue may be used; 0
            means those released while it is valid.
        trial_features: Granted for `trial_days` only.
        trial_days: 0 to `days`; more than 0 exactly where there are trial features.
        list_max_age_days: A vendor's revocation list (or the licence itself) must not be older;
            0 means that none is needed.
        fallbacks: What may stand in for hardware.
    """

    profile: str
    features: tuple[str, ...]
    days: int = 365
    bundle_version: str = "0.1.0"
    issuer: str = "vendor"
    grace_days: int = 0
    seats: int = 1
    maintenance_days: int = 0
    trial_features: tuple[str, ...] = ()
    trial_days: int = 0
    list_max_age_days: int = 0
    fallbacks: tuple[Fallback, ...] = ()

    def require_sound(self) -> None:
        """Refuse terms no licence can carry.

        Raises:
            LicenseError: A number is out of range, or a name is not one.
        """
        names = (self.profile, *self.features, *self.trial_features)
        if not self.features or not all(_WORD.fullmatch(name) for name in names):
            raise _unsound("a licence needs a profile and a feature, in lower-case words")
        granted = (*self.features, *self.trial_features)
        if len({*granted}) != len(granted):
            twice = ", ".join(sorted({name for name in granted if granted.count(name) > 1}))
            raise _unsound(f"granted twice, or both on trial and for good: {twice}")
        if bool(self.trial_features) != bool(self.trial_days):
            raise _unsound("a trial needs features and days")
        for name, value, low, high in (
            ("days", self.days, 1, MAX_DAYS),
            ("grace_days", self.grace_days, 0, MAX_GRACE_DAYS),
            ("seats", self.seats, 1, MAX_SEATS),
            ("maintenance_days", self.maintenance_days, 0, MAX_DAYS),
            ("trial_days", self.trial_days, 0, self.days),
            ("list_max_age_days", self.list_max_age_days, 0, MAX_DAYS),
        ):
            if type(value) is not int or not low <= value <= high:
                raise _unsound(f"{name} is {value}, allowed is {low} to {high}")
        if len(self.features) > MAX_FEATURES or len(self.trial_features) > MAX_FEATURES:
            raise _unsound(f"a licence names at most {MAX_FEATURES} features")
        if not all(isinstance(fallback, Fallback) for fallback in self.fallbacks):
            raise _unsound("a fallback is none of those there are")
        for text in (self.bundle_version, self.issuer):
            if not 0 < len(text) <= 64:
                raise _unsound("bundle version and issuer have 1 to 64 characters")


@dataclass(frozen=True, slots=True)
class License:
    """A verified licence.

    Attributes:
        license_id: Identifier, for the registry and for revocation; a renewal keeps it.
        site: Identifier of the site's keyring.
        issued_ns: When this revision was issued, UTC nanoseconds; so is not_after_ns its end.
        fingerprint: The device it is bound to.
        terms: What it grants.
        revision: 1 for the first, one more with every renewal and rebinding.
        nonce: That of the request it answers, hex; empty on one a site signed itself.
        list_number: Number of the vendor's newest revocation list at the issue.
        trial_until_ns: End of the trial features, 0 where there are none.
        maintenance_until_ns: Bundles released after this may not be used; 0 means its end.
    """

    license_id: str
    site: str
    issued_ns: int
    not_after_ns: int
    fingerprint: Fingerprint
    terms: LicenseTerms
    revision: int = 1
    nonce: str = ""
    list_number: int = 0
    trial_until_ns: int = 0
    maintenance_until_ns: int = 0

    @property
    def ends_ns(self) -> int:
        """The end of grace: nothing is granted from here on."""
        return self.not_after_ns + self.terms.grace_days * DAY_NS

    def features_at(self, now_ns: int) -> tuple[str, ...]:
        """Return the features it grants at a moment before its end."""
        trial = self.terms.trial_features if now_ns < self.trial_until_ns else ()
        return (*self.terms.features, *trial)

    def as_payload(self) -> dict[str, object]:
        """Return the payload that is signed; what has its usual value is left out."""
        terms = self.terms
        payload: dict[str, object] = {
            "license_id": self.license_id,
            "site": self.site,
            "issued": second_text(self.issued_ns),
            "not_after": second_text(self.not_after_ns),
            "fingerprint": self.fingerprint.as_json(),
            "profile": terms.profile,
            "features": list(terms.features),
            "bundle_version": terms.bundle_version,
            "issuer": terms.issuer,
        }
        unusual: Mapping[str, tuple[object, object]] = {
            "revision": (self.revision, 1),
            "nonce": (self.nonce, ""),
            "list_number": (self.list_number, 0),
            "grace_days": (terms.grace_days, 0),
            "seats": (terms.seats, 1),
            "maintenance_until": (_or_empty(self.maintenance_until_ns), ""),
            "trial_features": (list(terms.trial_features), []),
            "trial_until": (_or_empty(self.trial_until_ns), ""),
            "list_max_age_days": (terms.list_max_age_days, 0),
            "fallbacks": ([fallback.value for fallback in terms.fallbacks], []),
        }
        return payload | {k: value for k, (value, usual) in unusual.items() if value != usual}

    def granted(self, terms: LicenseTerms, now_ns: int) -> License:
        """Return this licence as issued now under the given terms, every date counted from now."""
        return replace(
            self,
            issued_ns=now_ns,
            not_after_ns=now_ns + terms.days * DAY_NS,
            terms=terms,
            trial_until_ns=now_ns + terms.trial_days * DAY_NS if terms.trial_days else 0,
            maintenance_until_ns=now_ns + terms.maintenance_days * DAY_NS
            if terms.maintenance_days
            else 0,
        )

    @classmethod
    def from_fields(cls, fields: Fields) -> License:
        """Return the licence of a verified payload.

        Raises:
            MalformedError: A field is missing, unknown, or out of range.
        """
        given = set(fields.names())

        def number(name: str, low: int, high: int, usual: int) -> int:
            return fields.integer(name, low, high) if name in given else usual

        def moment(name: str) -> int:
            return fields.time_ns(name) if name in given else 0

        issued, not_after = fields.time_ns("issued"), fields.time_ns("not_after")
        trial, maintenance = moment("trial_until"), moment("maintenance_until")
        if not_after <= issued:
            fields.fail("not_after", "is not after the issue")
        found = cls(
            license_id=fields.hex("license_id", 16, prefix=LICENSE_ID),
            site=fields.hex("site", 16),
            issued_ns=issued,
            not_after_ns=not_after,
            fingerprint=Fingerprint.from_fields(fields.object("fingerprint")),
            terms=LicenseTerms(
                profile=fields.text("profile", max_length=64),
                features=fields.texts("features"),
                days=_days(issued, not_after),
                bundle_version=fields.text("bundle_version", max_length=64),
                issuer=fields.text("issuer", max_length=64),
                grace_days=number("grace_days", 0, MAX_GRACE_DAYS, 0),
                seats=number("seats", 1, MAX_SEATS, 1),
                maintenance_days=_days(issued, maintenance),
                trial_features=fields.texts("trial_features") if "trial_features" in given else (),
                trial_days=_days(issued, trial),
                list_max_age_days=number("list_max_age_days", 0, MAX_DAYS, 0),
                fallbacks=_fallbacks(fields) if "fallbacks" in given else (),
            ),
            revision=number("revision", 1, 1 << 30, 1),
            nonce=fields.hex("nonce", 32) if "nonce" in given else "",
            list_number=number("list_number", 0, 1 << 40, 0),
            trial_until_ns=trial,
            maintenance_until_ns=maintenance,
        )
        fields.done()
        return found


def second_text(time_ns: int) -> str:
    """Return RFC 3339 text of whole seconds, as licences and lists state times."""
    return rfc3339(time_ns // NS_PER_SECOND * NS_PER_SECOND)[:19] + "Z"


def _or_empty(time_ns: int) -> str:
    return second_text(time_ns) if time_ns else ""


def _days(begin_ns: int, end_ns: int) -> int:
    return max(0, -(-(end_ns - begin_ns) // DAY_NS))


def _fallbacks(fields: Fields) -> tuple[Fallback, ...]:
    names = fields.texts("fallbacks", max_items=len(Fallback))
    known = {fallback.value: fallback for fallback in Fallback}
    if not set(names) <= set(known):
        fields.fail("fallbacks", "names what is not known to this version")
    return tuple(known[name] for name in names)


def _unsound(what: str) -> LicenseError:
    return LicenseError(
        what, where="terms", remedy="correct the terms: see oem license issue --help"
    )
