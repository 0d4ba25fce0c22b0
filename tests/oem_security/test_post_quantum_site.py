"""A site whose trust anchors name ML-DSA-65 keys takes, and later asks for, a third signature."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from oem_security import (
    LicenseError,
    MalformedError,
    OemSecurityError,
    Purpose,
    SealError,
    audit_site,
    first_anchors,
    install_anchors,
    next_anchors,
    open_first,
    pack_activation,
)
from oem_security.anchors.chain import AnchorSet
from oem_security.anchors.trusted import Anchors
from oem_security.envelope.dsse import open_envelope
from oem_security.envelope.policy import PayloadType, PostQuantum
from oem_security.fields import Fields
from oem_security.license.opening import load_anchors
from oem_security.license.paths import LicensePaths
from security_licenses import Trade

pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")


@pytest.fixture
def trade(tmp_path: Path) -> Trade:
    return Trade.begin(tmp_path)


def follow(trade: Trade, wanted: PostQuantum, before: bytes = b"") -> bytes:
    """Have the site follow a version that says so."""
    if before:
        data = next_anchors(before, trade.vendor, post_quantum=wanted, clock=trade.clock)
    else:
        data = first_anchors(trade.vendor, post_quantum=wanted, clock=trade.clock)
    install_anchors(
        trade.paths, data, trade.site, sha384=open_first(data).sha384, clock=trade.clock
    )
    return data


def signed_by(data: bytes) -> set[str]:
    return {entry["keyid"].partition(":")[0] for entry in json.loads(data)["signatures"]}


def without_the_third(data: bytes) -> bytes:
    outer = json.loads(data)
    outer["signatures"] = [s for s in outer["signatures"] if not s["keyid"].startswith("ml-dsa")]
    return json.dumps(outer).encode()


def test_a_roll_over_to_three_signatures_never_stops_the_site(trade: Trade) -> None:
    two = trade.licensed()
    accepted = follow(trade, PostQuantum.ACCEPTED)
    assert trade.verify().license == two  # of before
    data = trade.issue(post_quantum=True)
    assert signed_by(data) == {"ed25519", "hmac-sha384", "ml-dsa-65"}
    trade.install(data)
    trade.verify()
    follow(trade, PostQuantum.REQUIRED, accepted)
    assert trade.verify().standing.value == "valid"
    assert load_anchors(trade.paths, trade.site).post_quantum_required


def test_a_site_that_asks_for_the_third_signature_refuses_a_licence_without_it(
    trade: Trade,
) -> None:
    first = trade.issue(post_quantum=False)
    follow(trade, PostQuantum.REQUIRED)
    with pytest.raises(SealError, match="vendor-pq"):
        trade.install(first)
    data = trade.issue(post_quantum=True)
    with pytest.raises(SealError, match="vendor-pq"):
        trade.install(without_the_third(data))
    trade.install(data)
    trade.paths.license.write_bytes(without_the_third(data))
    with pytest.raises(SealError, match="vendor-pq"):
        trade.verify()


def test_a_revocation_list_without_the_third_signature_is_refused(trade: Trade) -> None:
    follow(trade, PostQuantum.REQUIRED)
    with pytest.raises(SealError, match="vendor-pq"):
        trade.take_list(trade.publish())
    data = trade.publish(post_quantum=True)
    assert trade.take_list(data) == 2
    trade.install(trade.issue(post_quantum=True))
    trade.verify()
    trade.paths.revocations.write_bytes(without_the_third(data))
    with pytest.raises(SealError, match="vendor-pq"):
        trade.verify()


def test_a_third_signature_by_another_key_or_for_another_licence_is_refused(
    trade: Trade, tmp_path: Path
) -> None:
    follow(trade, PostQuantum.ACCEPTED)
    one, two = trade.issue(post_quantum=True), json.loads(trade.issue(post_quantum=True))
    mixed = json.loads(one)
    mixed["signatures"][-1] = two["signatures"][-1]
    with pytest.raises(SealError):
        trade.install(json.dumps(mixed).encode())
    with pytest.raises(SealError):
        trade.elsewhere(tmp_path / "b").install(one)


def test_a_site_without_such_anchors_takes_the_third_signature_for_an_unknown_one(
    trade: Trade,
) -> None:
    with pytest.raises(SealError):
        trade.install(trade.issue(post_quantum=True))


def test_a_key_that_was_rotated_still_verifies_by_both_algorithms(trade: Trade) -> None:
    before = follow(trade, PostQuantum.REQUIRED)
    held = trade.install(trade.issue(post_quantum=True))
    vendor = trade.vendor.rotate(Purpose.VENDOR, trade.clock)
    later = Trade(trade.site, vendor, trade.paths, trade.registry, trade.clock)
    data = next_anchors(before, vendor, clock=trade.clock)  # keeps what was wanted
    install_anchors(trade.paths, data, trade.site, clock=trade.clock)
    assert later.verify().license == held
    assert len(load_anchors(trade.paths, trade.site).post_quantum) == 2


def test_oem_verify_asks_for_the_third_signature_too(tmp_path: Path) -> None:
    begun = Trade.begin(tmp_path / "keys")
    root = tmp_path / "site"
    trade = replace(begun, paths=LicensePaths(root / "var" / "licenses"))
    follow(trade, PostQuantum.REQUIRED)
    data = trade.issue(post_quantum=True)
    trade.install(data)
    assert audit_site(root, trade.site).ok
    trade.paths.license.write_bytes(without_the_third(data))
    assert not audit_site(root, trade.site).ok


def test_an_activation_says_that_it_cannot_hold_the_third_signature(trade: Trade) -> None:
    with pytest.raises(LicenseError, match="does not fit"):
        pack_activation(trade.issue(post_quantum=True))


@pytest.mark.parametrize("keys", [[], ["AAAA"], ["é"], ["A" * 2604], 3])
def test_malformed_keys_are_refused(trade: Trade, keys: object) -> None:
    value = Anchors.of(trade.vendor, PostQuantum.ACCEPTED).as_json() | {"post_quantum": keys}
    with pytest.raises(MalformedError):
        Anchors.from_fields(Fields(value, "anchors"))  # type: ignore[arg-type]


def test_versions_without_such_keys_have_the_bytes_they_always_had(trade: Trade) -> None:
    data = first_anchors(trade.vendor, clock=trade.clock)
    found = open_first(data)
    assert b"post_quantum" not in found.payload()
    assert AnchorSet.from_payload(found.payload()) == found
    assert found.wanted is PostQuantum.NONE


def test_an_unknown_role_is_never_asked_for_by_the_document(trade: Trade) -> None:
    with pytest.raises(OemSecurityError):
        open_envelope(trade.issue(), PayloadType.LICENSE, {})
