"""The site's device key travels by HPKE: checked by another implementation, and that by vectors.

The library's API for HPKE takes no associated data, so that the vectors of RFC 9180 (which all have
some) cannot be put through it. The few lines below are HPKE by the RFC's own pseudocode; they hold
against the published vectors, and they open what the product sealed.

Sources: RFC 9180, sections 4, 5 and appendix A; its test-vectors.json in cryptography-vectors.
"""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oem_security import Fingerprint, Keyring, KeyringKind, Purpose, create_request, read_request
from oem_security.anchors.trusted import Anchors
from oem_security.envelope.dsse import peek_payload
from oem_security.envelope.policy import PayloadType
from oem_security.fields import unb64

KEM = b"KEM" + (0x20).to_bytes(2, "big")
SUITE = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (0x20, 1, 2))
"""DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
INFO = b"oem-security/1/license-request"


def extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    data = b"HPKE-v1" + suite + label + material
    return hmac.digest(salt or bytes(32), data, "sha256")


def expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    data = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, data + b"\x01", "sha256")[:length]


def key_schedule(private: X25519PrivateKey, enc: bytes, info: bytes) -> tuple[bytes, bytes, bytes]:
    """Return shared secret, key and base nonce of the receiver in base mode."""
    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + private.public_key().public_bytes_raw()
    secret = expand(KEM, extract(KEM, b"", b"eae_prk", shared), b"shared_secret", context, 32)
    about = (
        b"\x00" + extract(SUITE, b"", b"psk_id_hash", b"") + extract(SUITE, b"", b"info_hash", info)
    )
    key = extract(SUITE, secret, b"secret", b"")
    return (
        secret,
        expand(SUITE, key, b"key", about, 32),
        expand(SUITE, key, b"base_nonce", about, 12),
    )


def vectors() -> list[dict[str, Any]]:
    path = Path(cryptography_vectors.__file__).parent / "HPKE" / "test-vectors.json"
    wanted = {"mode": 0, "kem_id": 0x20, "kdf_id": 1, "aead_id": 2}
    return [v for v in json.loads(path.read_text()) if wanted.items() <= v.items()]


def test_the_key_schedule_is_that_of_rfc_9180() -> None:
    found = vectors()
    assert found
    for vector in found:
        text = {n: bytes.fromhex(vector[n]) for n in ("skRm", "enc", "info", "key", "base_nonce")}
        private = X25519PrivateKey.from_private_bytes(text["skRm"])
        secret, key, nonce = key_schedule(private, text["enc"], text["info"])
        assert secret.hex() == vector["shared_secret"]
        assert (key, nonce) == (text["key"], text["base_nonce"])
        first = vector["encryptions"][0]
        sealed, aad = bytes.fromhex(first["ct"]), bytes.fromhex(first["aad"])
        assert AESGCM(key).decrypt(nonce, sealed, aad).hex() == first["pt"]


@pytest.fixture
def parties(tmp_path: Path) -> tuple[Keyring, Keyring]:
    return Keyring.create(tmp_path / "s"), Keyring.create(tmp_path / "v", KeyringKind.VENDOR)


def test_what_a_request_seals_is_opened_by_the_rfcs_own_steps(
    parties: tuple[Keyring, Keyring],
) -> None:
    site, vendor = parties
    device = Fingerprint.of({"machine_id": "m"})
    data = create_request(site, device, Anchors.of(vendor), features=("paper",))
    claims = peek_payload(data, PayloadType.LICENSE_REQUEST)
    sealed = unb64(str(claims["device_key"])) or b""
    enc, cipher = sealed[:32], sealed[32:]
    _, key, nonce = key_schedule(vendor.active(Purpose.TRANSPORT).x25519(), enc, INFO)
    opened = json.loads(AESGCM(key).decrypt(nonce, cipher, b""))
    expected = read_request(data, vendor).device_key
    assert (opened["key_id"], unb64(opened["secret"])) == (expected.key_id, expected.secret)


def test_what_the_rfcs_own_steps_seal_is_opened_by_the_library() -> None:
    receiver, ephemeral = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    enc = ephemeral.public_key().public_bytes_raw()
    _, key, nonce = key_schedule(receiver, enc, INFO)
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    sealed = enc + AESGCM(key).encrypt(nonce, b"text", b"")
    assert suite.decrypt(sealed, receiver, INFO) == b"text"
