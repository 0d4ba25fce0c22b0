"""Published vectors: one-time passwords, HMAC-SHA384, canonical JSON."""

from __future__ import annotations

import hmac

import pytest

from oem_security import hotp, totp
from oem_security.strict_json import canonical

SECRET = b"12345678901234567890"


def test_hotp_rfc_4226_appendix_d() -> None:
    published = [
        "755224", "287082", "359152", "969429", "338314",
        "254676", "287922", "162583", "399871", "520489",
    ]  # fmt: skip
    assert [hotp(SECRET, counter) for counter in range(10)] == published


@pytest.mark.parametrize(
    ("time_s", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"),
        (1111111109, "07081804", "68084774", "25091201"),
        (1111111111, "14050471", "67062674", "99943326"),
        (1234567890, "89005924", "91819424", "93441116"),
        (2000000000, "69279037", "90698825", "38618901"),
        (20000000000, "65353130", "77737706", "47863826"),
    ],
)
def test_totp_rfc_6238_appendix_b(time_s: int, sha1: str, sha256: str, sha512: str) -> None:
    secrets = {"sha1": 20, "sha256": 32, "sha512": 64}
    found = tuple(
        totp((SECRET * 4)[:size], time_s, digits=8, algorithm=name)
        for name, size in secrets.items()
    )
    assert found == (sha1, sha256, sha512)


@pytest.mark.parametrize(
    ("key", "data", "mac"),
    [
        (b"\x0b" * 20, b"Hi There",
         ("afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
         "faea9ea9076ede7f4af152e8b2fa9cb6")),
        (b"Jefe", b"what do ya want for nothing?",
         ("af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
         "8e2240ca5e69e2c78b3239ecfab21649")),
        (b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First",
         ("4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
         "0c2ef6ab4030fe8296248df163f44952")),
    ],
)  # fmt: skip
def test_hmac_sha384_rfc_4231(key: bytes, data: bytes, mac: str) -> None:
    assert hmac.digest(key, data, "sha384").hex() == mac


def test_canonical_json_rfc_8785_section_3_2() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\u002f",
        "literals": [None, True, False],
    }
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
