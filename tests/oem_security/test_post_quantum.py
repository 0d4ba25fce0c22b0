"""ML-DSA-65 as a third signature: it may be there, it counts where its key is pinned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oem_security import Keyring, KeyringKind, OemSecurityError, PayloadType, Purpose
from oem_security.envelope.dsse import open_envelope, seal_bytes
from oem_security.envelope.policy import Pins, Role, vendor_signers
from oem_security.errors import SealError
from oem_security.keys.key import Algorithm
from oem_security.strict_json import canonical

pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
PAYLOAD = canonical({"number": 1})
LIST = PayloadType.REVOCATIONS


@pytest.fixture
def vendor(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "vendor", KeyringKind.VENDOR)


def pins(vendor: Keyring, *, post_quantum: bool) -> Pins:
    key = vendor.active(Purpose.VENDOR)
    found = {Role.VENDOR_SIGN: (key.public(Algorithm.ED25519),)}
    if post_quantum:
        found[Role.VENDOR_PQ] = (key.public(Algorithm.ML_DSA_65),)
    return found


def test_a_document_is_signed_by_both_kinds_of_key(vendor: Keyring) -> None:
    sealed = seal_bytes(PAYLOAD, LIST, vendor_signers(vendor, post_quantum=True))
    verified = open_envelope(sealed, LIST, pins(vendor, post_quantum=True))
    assert set(verified.key_ids) == {Role.VENDOR_SIGN, Role.VENDOR_PQ}
    assert verified.key_ids[Role.VENDOR_PQ].startswith("ml-dsa-65:")


def test_the_third_signature_is_optional_and_never_enough(vendor: Keyring) -> None:
    plain = seal_bytes(PAYLOAD, LIST, vendor_signers(vendor))
    assert open_envelope(plain, LIST, pins(vendor, post_quantum=True)).payload == PAYLOAD
    outer = json.loads(seal_bytes(PAYLOAD, LIST, vendor_signers(vendor, post_quantum=True)))
    outer["signatures"] = [s for s in outer["signatures"] if s["keyid"].startswith("ml-dsa")]
    with pytest.raises(SealError, match="vendor-sign is missing"):
        open_envelope(json.dumps(outer).encode(), LIST, pins(vendor, post_quantum=True))


def test_a_third_signature_that_does_not_hold_or_is_not_pinned_is_refused(
    vendor: Keyring, tmp_path: Path
) -> None:
    sealed = seal_bytes(PAYLOAD, LIST, vendor_signers(vendor, post_quantum=True))
    with pytest.raises(SealError):
        open_envelope(sealed, LIST, pins(vendor, post_quantum=False))
    outer = json.loads(sealed)
    other = Keyring.create(tmp_path / "other", KeyringKind.VENDOR)
    theirs = json.loads(seal_bytes(PAYLOAD, LIST, vendor_signers(other, post_quantum=True)))
    outer["signatures"][-1]["sig"] = theirs["signatures"][-1]["sig"]
    with pytest.raises(OemSecurityError):
        open_envelope(json.dumps(outer).encode(), LIST, pins(vendor, post_quantum=True))


def test_the_key_is_derived_from_the_vendors_secret_alone(vendor: Keyring) -> None:
    again = Keyring.open(vendor.directory).active(Purpose.VENDOR)
    one = vendor.active(Purpose.VENDOR).public(Algorithm.ML_DSA_65)
    assert again.public(Algorithm.ML_DSA_65) == one
    assert len(one.raw) == 1952  # FIPS 204, table 2
