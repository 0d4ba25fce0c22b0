"""One-time passwords, for a device whose hardware cannot be read.

Sources: RFC 4226 (HOTP), RFC 6238 (TOTP).
"""

from __future__ import annotations

import hmac
from typing import Literal

from oem_security.errors import FingerprintError, InputError

Hash = Literal["sha1", "sha256", "sha512"]
STEP_S = 30
LEAST_SECRET = 16
_HASHES = ("sha1", "sha256", "sha512")


def hotp(secret: bytes, counter: int, *, digits: int = 6, algorithm: Hash = "sha1") -> str:
    """Return the one-time password of a counter.

    Args:
        secret: Shared secret, at least 16 bytes (RFC 4226, 4, R6).
        counter: At least 0 and below 2^64.
        digits: 6 to 8.
        algorithm: Hash of the HMAC.

    Raises:
        InputError: An argument is out of range.

    Example:
        >>> hotp(b"12345678901234567890", 0)
        '755224'
    """
    if len(secret) < LEAST_SECRET or not 0 <= counter < 1 << 64 or not 6 <= digits <= 8:
        raise InputError(
            f"a secret of {len(secret)} bytes, counter {counter}, {digits} digits",
            where="hotp",
            remedy=f"give at least {LEAST_SECRET} bytes, a counter, and 6 to 8 digits",
        )
    if algorithm not in _HASHES:
        raise InputError(
            f"hash {algorithm!r}", where="algorithm", remedy="use sha1, sha256 or sha512"
        )
    digest = hmac.digest(secret, counter.to_bytes(8, "big"), algorithm)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def totp(secret: bytes, time_s: int, *, digits: int = 6, algorithm: Hash = "sha1") -> str:
    """Return the one-time password of a moment, in steps of 30 seconds from the Unix epoch.

    Example:
        >>> totp(b"12345678901234567890", 59, digits=8)
        '94287082'
    """
    return hotp(secret, time_s // STEP_S, digits=digits, algorithm=algorithm)


def accept_totp(
    secret: bytes,
    code: str,
    time_s: int,
    *,
    last_step: int = -1,
    window: int = 1,
    digits: int = 6,
    algorithm: Hash = "sha1",
) -> int:
    """Return the step of a password that is right now and was not used before.

    Args:
        secret: Shared secret.
        code: What was typed.
        time_s: Now, Unix seconds.
        last_step: Step of the last password accepted; that and older ones are refused, so that a
            password seen over a shoulder is worthless (RFC 6238, 5.2). Keep what is returned.
        window: Steps the clocks may differ by, 0 to 10.
        digits: 6 to 8.
        algorithm: Hash of the HMAC.

    Raises:
        FingerprintError: The password is wrong, too old, or used already.
        InputError: An argument is out of range.
    """
    if not 0 <= window <= 10:
        raise InputError(f"window is {window}", where="window", remedy="give 0 to 10 steps")
    now = time_s // STEP_S
    matched = -1
    for step in range(max(now - window, 0), now + window + 1):
        expected = hotp(secret, step, digits=digits, algorithm=algorithm)
        # every step is compared, so that the time taken does not tell which one fits
        if hmac.compare_digest(expected.encode(), code.encode("utf-8", "replace")):
            matched = max(matched, step)
    if matched < 0 or matched <= last_step:
        raise used_up()
    return matched


def used_up() -> FingerprintError:
    """Return the error of a one-time password that is not taken, or not taken again."""
    return FingerprintError(
        "the one-time password is wrong, too old, or was used already",
        where="one-time password",
        remedy="wait for the next one, and check the clock of this machine",
    )
