"""Whose word a bundle's manifest is: the vendor's, the site's own, or that of its whitelist."""

from __future__ import annotations

from pathlib import Path

import pytest

from oem_security import (
    InputError,
    Keyring,
    KeyringKind,
    ManifestError,
    OemSecurityError,
    SealError,
    make_manifest,
)
from oem_security.anchors.trusted import Anchors
from oem_security.license.guard import Trust
from oem_security.manifest.trust import Whitelist, judge_manifest
from security_licenses import DAY, T0, At


@pytest.fixture
def site(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "site")


@pytest.fixture
def vendor(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "vendor", KeyringKind.VENDOR)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    return folder


@pytest.fixture
def listed(tmp_path: Path, site: Keyring) -> Whitelist:
    return Whitelist(tmp_path / "var" / "whitelist.dsse.json", site)


def test_a_vendors_and_a_sites_own_manifest_say_whose_they_are(
    site: Keyring, vendor: Keyring, bundle: Path, listed: Whitelist
) -> None:
    key = Anchors.of(vendor).vendors
    path = make_manifest(bundle, vendor, name="core", version=1)
    assert judge_manifest(path, key, site, listed).trust is Trust.VENDOR
    make_manifest(bundle, site, name="core", version=1)
    assert judge_manifest(path, key, site, listed).words == "self-signed"


def test_a_strangers_bundle_passes_by_the_whitelist_only_and_the_verdict_names_who_let_it(
    site: Keyring, vendor: Keyring, bundle: Path, listed: Whitelist, tmp_path: Path
) -> None:
    stranger = Keyring.create(tmp_path / "stranger", KeyringKind.VENDOR)
    path = make_manifest(bundle, stranger, name="core", version=1)
    for key in (Anchors.of(vendor).vendors, ()):
        with pytest.raises(SealError):
            judge_manifest(path, key, site, listed)
    listed.allow(path, operator="anna", reason="no EV certificate yet", days=3, clock=At())
    judged = judge_manifest(path, Anchors.of(vendor).vendors, site, listed, clock=At())
    assert judged.trust is Trust.WHITELISTED
    assert judged.words.startswith("whitelisted by anna until 2027-01-18")
    assert judged.words.endswith("no EV certificate yet")
    assert judged.manifest.files[0].path == "a.txt"
    with pytest.raises(SealError, match="ended"):
        judge_manifest(path, (), site, listed, clock=At(T0 + 3 * DAY))
    # the very same bytes, no others
    make_manifest(bundle, stranger, name="core", version=2)
    with pytest.raises(SealError):
        judge_manifest(path, (), site, listed, clock=At())


def test_the_whitelist_is_sealed_and_needs_who_and_why(
    site: Keyring, vendor: Keyring, bundle: Path, listed: Whitelist, tmp_path: Path
) -> None:
    path = make_manifest(bundle, vendor, name="core", version=1)
    for wrong in ({"operator": " "}, {"reason": ""}, {"days": 0}, {"days": 367}):
        with pytest.raises(InputError):
            listed.allow(path, **{"operator": "a", "reason": "b", "days": 1, **wrong})  # type: ignore[arg-type]
    with pytest.raises(ManifestError):
        listed.allow(
            make_manifest(bundle, site, name="x", version=1), operator="a", reason="b", days=1
        )
    make_manifest(bundle, vendor, name="core", version=1)
    listed.allow(path, operator="a", reason="b", days=1)
    listed.allow(path, operator="c", reason="d", days=1)
    assert [e.operator for e in listed.entries().values()] == ["c"]
    file = tmp_path / "var" / "whitelist.dsse.json"
    file.write_bytes(file.read_bytes().replace(b"A", b"B", 1))
    with pytest.raises(OemSecurityError):
        listed.entries()
    (bundle / "MANIFEST.dsse.json").write_bytes(b"{}")
    with pytest.raises(OemSecurityError):
        judge_manifest(path, (), site, Whitelist(tmp_path / "none", site))
