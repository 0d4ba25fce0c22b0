"""Operator tokens: who may do what, authenticated by HMAC-SHA384 and denied by default.

A token is `v1.<payload>.<mac>` in unpadded base64url; there is one algorithm, so there is none to
choose. The payload is JSON that this library wrote itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from hmac import compare_digest

from oem_security.clock import NS_PER_SECOND, Clock, SystemClock
from oem_security.errors import InputError, OemSecurityError, TokenError
from oem_security.fields import Fields
from oem_security.journal.writer import Journal
from oem_security.keys.key import Purpose
from oem_security.keys.keyring import Keyring
from oem_security.strict_json import loads

MAX_TOKEN_BYTES = 4096
MAX_TTL_S = 366 * 86_400
_PREFIX = "v1"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says.

    Attributes:
        token_id: Random identifier, for revocation.
        audience: The service it is for.
        subject: Who holds it.
        roles: Roles; what they may do stands in the configuration, not here.
        not_before_s: First second it is valid, Unix time.
        expires_s: First second it is no longer valid.
        device: Fingerprint it is bound to, or empty.
    """

    token_id: str
    audience: str
    subject: str
    roles: tuple[str, ...]
    not_before_s: int
    expires_s: int
    device: str


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a verified caller is and what it may do."""

    subject: str
    roles: tuple[str, ...]
    scopes: frozenset[str]
    token_id: str


def issue_token(
    keyring: Keyring,
    *,
    audience: str,
    subject: str,
    roles: Iterable[str],
    ttl_s: int,
    device: str = "",
    clock: Clock | None = None,
) -> str:
    """Return a new token.

    Args:
        keyring: The site's keyring.
        audience: The service it is for, such as `oem-daemon`.
        subject: Who holds it.
        roles: At least one role.
        ttl_s: Life in seconds, 1 to 366 days.
        device: Bind it to this device fingerprint; empty binds it to none.
        clock: Tells the time.

    Raises:
        InputError: No subject, no role, a life out of range, or more than a token holds.
    """
    held = () if isinstance(roles, str) else tuple(dict.fromkeys(roles))
    said = bool(subject.strip() and audience and held and all(held))
    if not said or type(ttl_s) is not int or not 1 <= ttl_s <= MAX_TTL_S:
        raise InputError(
            "a token needs a subject, an audience, a role, and a life of 1 second to 366 days",
            remedy="give --subject, --role and --days",
        )
    now = (clock or SystemClock()).now_ns() // NS_PER_SECOND
    payload = json.dumps(
        {
            "jti": secrets.token_hex(12),
            "aud": audience,
            "sub": subject,
            "roles": list(held),
            "nbf": now,
            "exp": now + ttl_s,
            "dev": device,
        },
        separators=(",", ":"),
    ).encode()
    head = f"{_PREFIX}.{_encode(payload)}"
    mac = keyring.active(Purpose.TOKEN).mac_key("token").sign(head.encode())
    token = f"{head}.{_encode(mac)}"
    try:
        inspect_token(token)  # what could not be read back is not handed out
    except OemSecurityError as error:
        raise InputError(
            f"a token cannot hold this: {error.what}",
            where="token",
            remedy="use shorter names, fewer roles, and text without half surrogate pairs",
        ) from None
    return token


def inspect_token(text: str) -> Token:
    """Return what a token claims, without verifying it; for people to look at only."""
    return _parse(_split(text)[1])


class TokenVerifier:
    """Verifies tokens and grants scopes by role; every answer goes to the audit journal.

    Args:
        keyring: The keyring that issued the tokens.
        roles: Role to the scopes it grants; a role that is not named grants nothing.
        audience: The service that asks.
        revoked: Identifiers of revoked tokens; looked at on every call, so it may grow.
        audit: Journal of grants and denials, or None.
        device: Fingerprint of this device; a token bound to another is refused.
        clock: Tells the time.
    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        roles: Mapping[str, Collection[str]],
        audience: str,
        revoked: Container[str] = (),
        audit: Journal | None = None,
        device: str = "",
        clock: Clock | None = None,
    ) -> None:
        self._keys = tuple(epoch.mac_key("token") for epoch in keyring.usable(Purpose.TOKEN))
        self._roles = {role: frozenset(scopes) for role, scopes in roles.items()}
        self._audience = audience
        self._revoked = revoked
        self._audit = audit
        self._device = device
        self._clock = clock or SystemClock()

    def verify(self, text: str) -> Principal:
        """Return the holder of a token.

        Raises:
            TokenError: It is malformed, forged, for another service, not in force, or revoked.
        """
        head, payload, mac = _split(text)
        # every key is tried, so that the time taken does not tell which one fits
        fits = [key.verifies(mac, head) for key in self._keys]
        if not any(fits):
            raise _refused("the token is not authentic")
        token = _parse(payload)
        now = self._clock.now_ns() // NS_PER_SECOND
        if token.audience != self._audience:
            raise _refused(f"the token is for {token.audience!r}")
        if not token.not_before_s <= now < token.expires_s:
            raise _refused(
                "the token is expired" if now >= token.expires_s else "the token is not valid yet"
            )
        if token.token_id in self._revoked:
            raise _refused("the token is revoked")
        if token.device and not compare_digest(token.device.encode(), self._device.encode()):
            raise _refused("the token is bound to another device")
        scopes: frozenset[str] = frozenset().union(
            *(self._roles.get(role, frozenset()) for role in token.roles)
        )
        return Principal(token.subject, token.roles, scopes, token.token_id)

    def require(self, text: str, scope: str) -> Principal:
        """Return the holder of a token that grants `scope`, and write the answer to the audit.

        Raises:
            TokenError: The token does not hold, or does not grant the scope.
            JournalStorageError: The audit cannot be written any more; then nothing is granted.
        """
        try:
            principal = self.verify(text)
            if scope not in principal.scopes:
                raise TokenError(
                    f"{principal.subject} may not {scope}",
                    where="token",
                    remedy="use a token whose role grants this scope",
                )
        except OemSecurityError as error:
            self._record("rbac.denied", {"scope": scope, "why": error.what})
            raise
        self._note(
            "rbac.granted",
            {"scope": scope, "subject": principal.subject, "token": principal.token_id},
        )
        return principal

    def _record(self, kind: str, body: Mapping[str, str]) -> None:
        if self._audit is not None:
            self._audit.append(kind, body)

    def _note(self, kind: str, body: Mapping[str, str]) -> None:
        """Hand a grant to the audit without waiting for the disk; a poisoned audit refuses it."""
        if self._audit is not None:
            self._audit.submit(kind, body)


def _split(text: str) -> tuple[bytes, bytes, bytes]:
    parts = text.split(".") if len(text) <= MAX_TOKEN_BYTES and text.isascii() else []
    if len(parts) != 3 or parts[0] != _PREFIX:
        raise _refused("not a token of this product")
    return f"{parts[0]}.{parts[1]}".encode(), _decode(parts[1]), _decode(parts[2])


def _parse(payload: bytes) -> Token:
    fields = Fields(loads(payload, what="token", max_bytes=MAX_TOKEN_BYTES), "token")
    token = Token(
        token_id=fields.hex("jti", 24),
        audience=fields.text("aud"),
        subject=fields.text("sub"),
        roles=tuple(fields.texts("roles")),
        not_before_s=fields.integer("nbf", 0, 1 << 40),
        expires_s=fields.integer("exp", 0, 1 << 40),
        device=fields.text("dev"),
    )
    fields.done()
    return token


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise _refused("not a token of this product") from None
    if _encode(raw) != text:
        raise _refused("not a token of this product")
    return raw


def _refused(what: str) -> TokenError:
    return TokenError(what, where="token", remedy="have one issued: oem token issue")
