"""Trust anchors roll over by a signed chain; nobody else's version is ever followed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_security import InputError, Keyring, KeyringKind, OemSecurityError, Purpose, SystemClock
from oem_security.anchors.chain import (
    AnchorSet,
    add_signature,
    first_anchors,
    follow,
    next_anchors,
    open_first,
)
from oem_security.envelope.dsse import Parts, put_together, take_apart
from oem_security.envelope.policy import PayloadType
from oem_security.errors import SealError
from oem_security.keys.key import Algorithm, PublicKey


@pytest.fixture
def vendor(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "vendor", KeyringKind.VENDOR)


@pytest.fixture
def holders(tmp_path: Path) -> list[Keyring]:
    return [Keyring.create(tmp_path / f"holder{n}", KeyringKind.VENDOR) for n in range(2)]


def root(keyring: Keyring) -> PublicKey:
    return keyring.active(Purpose.ROOT).public(Algorithm.ED25519)


def rotated(keyring: Keyring, purpose: Purpose) -> Keyring:
    return keyring.rotate(purpose, SystemClock())


def test_each_version_is_followed_by_the_next(vendor: Keyring) -> None:
    data = first_anchors(vendor)
    trusted = open_first(data)
    for purpose in (Purpose.VENDOR, Purpose.TRANSPORT, Purpose.ROOT, Purpose.VENDOR):
        before, vendor = trusted, rotated(vendor, purpose)
        data = next_anchors(data, vendor)
        trusted = follow(trusted, data)
        assert trusted.version == before.version + 1
        assert set(before.vendors) <= set(trusted.vendors)  # what they signed verifies on
    assert trusted.vendors[0] == vendor.active(Purpose.VENDOR).public(Algorithm.ED25519)
    assert (len(trusted.vendors), trusted.roots) == (3, (root(vendor),))


def test_a_revoked_vendor_key_is_dropped_by_the_next_version(vendor: Keyring) -> None:
    data = first_anchors(vendor)
    old = vendor.active(Purpose.VENDOR).public(Algorithm.ED25519)
    vendor = rotated(vendor, Purpose.VENDOR).revoke(Purpose.VENDOR, 1)
    assert old not in follow(open_first(data), next_anchors(data, vendor)).vendors


def test_two_of_three_holders_must_sign(vendor: Keyring, holders: list[Keyring]) -> None:
    data = first_anchors(vendor, roots=[root(h) for h in holders], threshold=2)
    with pytest.raises(SealError, match="1 of its own root keys signed, 2 must"):
        open_first(data)
    trusted = open_first(add_signature(data, holders[1]))
    later = next_anchors(data, rotated(vendor, Purpose.VENDOR))
    with pytest.raises(SealError, match="1 of version 1's root keys"):
        follow(trusted, later)
    assert follow(trusted, add_signature(later, holders[0])).threshold == 2
    for threshold in (0, 4, 5):
        with pytest.raises(InputError):
            first_anchors(vendor, roots=[root(h) for h in holders], threshold=threshold)


def test_holders_change_only_by_the_old_quorum(vendor: Keyring, holders: list[Keyring]) -> None:
    data = add_signature(
        first_anchors(vendor, roots=[root(h) for h in holders], threshold=2), holders[0]
    )
    trusted = open_first(data)
    fresh = Keyring.create(vendor.directory.parent / "fresh", KeyringKind.VENDOR)
    # the third holder's key is replaced by a new one
    later = next_anchors(data, vendor, roots=[root(holders[0]), root(fresh)])
    with pytest.raises(SealError):
        follow(trusted, add_signature(later, fresh))  # enough of the new, too few of the old
    assert root(fresh) in follow(trusted, add_signature(later, holders[0])).roots


# attacks


def test_trust_anchor_swapped_by_the_user(vendor: Keyring, holders: list[Keyring]) -> None:
    data = first_anchors(vendor)
    trusted = open_first(data)
    mine = holders[0]
    forged = replace(
        AnchorSet.from_payload(take_apart(next_anchors(data, mine), PayloadType.ANCHORS).payload),
        roots=(root(mine),),
    )
    bare = Parts(forged.payload(), b"", (("x", b"\0"),))
    message = take_apart(put_together(PayloadType.ANCHORS, bare), PayloadType.ANCHORS).message
    signed = ((root(mine).key_id, mine.active(Purpose.ROOT).ed25519().sign(message)),)
    attack = put_together(PayloadType.ANCHORS, Parts(forged.payload(), message, signed))
    assert open_first(attack) == forged  # good in itself, and followed by nobody
    with pytest.raises(SealError, match="0 of version 1's root keys"):
        follow(trusted, attack)
    with pytest.raises(SealError):
        follow(trusted, first_anchors(mine))


def test_anchors_rolled_back_or_skipped(vendor: Keyring) -> None:
    versions = [first_anchors(vendor)]
    for _ in range(3):
        vendor = rotated(vendor, Purpose.VENDOR)
        versions.append(next_anchors(versions[-1], vendor))
    trusted = open_first(versions[0])
    with pytest.raises(SealError, match="version 3 does not follow version 1"):
        follow(trusted, versions[2])
    trusted = follow(follow(trusted, versions[1]), versions[2])
    for old in versions[:3]:
        with pytest.raises(SealError, match="does not follow"):
            follow(trusted, old)


def test_one_root_key_counted_twice(vendor: Keyring, holders: list[Keyring]) -> None:
    data = first_anchors(vendor, roots=[root(h) for h in holders], threshold=2)
    parts = take_apart(data, PayloadType.ANCHORS)
    outer = json.loads(data)
    outer["signatures"] *= 2
    with pytest.raises(OemSecurityError):
        open_first(json.dumps(outer).encode())
    twin = (*parts.signatures, ("another-name", parts.signatures[0][1]))
    with pytest.raises(SealError, match="1 of its own"):
        open_first(put_together(PayloadType.ANCHORS, Parts(parts.payload, parts.message, twin)))


def test_threshold_lowered_without_the_quorum(vendor: Keyring, holders: list[Keyring]) -> None:
    data = add_signature(
        first_anchors(vendor, roots=[root(h) for h in holders], threshold=2), holders[0]
    )
    trusted = open_first(data)
    with pytest.raises(SealError, match="1 of version 1's"):
        follow(trusted, next_anchors(data, vendor, threshold=1))


@given(position=st.integers(0, 4000), flip=st.integers(1, 255))
def test_a_changed_byte_is_never_followed(position: int, flip: int) -> None:
    data = bytearray(LATER)
    data[position % len(data)] ^= flip
    try:
        found = follow(TRUSTED, bytes(data))
    except OemSecurityError:
        return
    assert found == follow(TRUSTED, LATER)


@given(noise=st.binary(max_size=300))
def test_noise_is_never_a_version(noise: bytes) -> None:
    for read in (open_first, lambda data: follow(TRUSTED, data), AnchorSet.from_payload):
        with pytest.raises(OemSecurityError):
            read(noise)


def _example() -> tuple[AnchorSet, bytes]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        vendor = Keyring.create(Path(folder) / "keys", KeyringKind.VENDOR)
        data = first_anchors(vendor)
        return open_first(data), next_anchors(data, vendor)


TRUSTED, LATER = _example()
