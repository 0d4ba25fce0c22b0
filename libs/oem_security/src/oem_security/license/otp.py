"""The vendor's one-time password for a device whose hardware reads differently.

Support and site share a secret already: the site's device key, which came with the request. Who
owns the machine can compute the password himself; it is a convenience that the licence has to
allow, not a lock.
"""

from __future__ import annotations

from collections.abc import Mapping

from oem_security.clock import NS_PER_SECOND, Clock, SystemClock
from oem_security.envelope.policy import envelope_mac
from oem_security.errors import FingerprintError
from oem_security.fingerprint.fingerprint import reading_digest
from oem_security.keys.key import MacKey, Purpose, hkdf_sha384
from oem_security.keys.keyring import Keyring
from oem_security.license.state import Lease
from oem_security.license.terms import License
from oem_security.tokens.one_time import accept_totp, totp

LEASE_NS = 72 * 3_600 * NS_PER_SECOND
DIGITS = 8
_INFO = "oem-security/1/license-totp"


def support_code(device_key: MacKey, *, clock: Clock | None = None) -> str:
    """Return the password the vendor's support reads out now.

    Args:
        device_key: The site's MAC key, from its request.
        clock: Tells the time.
    """
    now_s = (clock or SystemClock()).now_ns() // NS_PER_SECOND
    return totp(_secret(device_key), now_s, digits=DIGITS, algorithm="sha256")


def take_lease(
    found: License,
    observation: Mapping[str, str],
    keyring: Keyring,
    before: Lease,
    now_ns: int,
    code: str,
) -> Lease | None:
    """Return the lease that holds for this device, a new one for a right password, or None.

    Raises:
        FingerprintError: The password is wrong, too old, or was used already.
    """
    device = reading_digest(found.fingerprint, observation)
    if not code:
        return before if before.until_ns > now_ns and before.device == device else None
    step = before.step
    keys = keyring.usable(Purpose.DEVICE)
    for position, epoch in enumerate(keys):
        last = position == len(keys) - 1
        try:
            step = accept_totp(
                _secret(envelope_mac(epoch)),
                code,
                now_ns // NS_PER_SECOND,
                last_step=before.step,
                window=2,
                digits=DIGITS,
                algorithm="sha256",
            )
            break
        except FingerprintError:
            if last:
                raise
    until = (now_ns + LEASE_NS) // NS_PER_SECOND * NS_PER_SECOND
    return Lease(until, device, step)


def _secret(key: MacKey) -> bytes:
    return hkdf_sha384(key.secret, _INFO, 32)
