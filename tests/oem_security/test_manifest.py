"""Manifests: a tree is what it was, byte for byte, and tricks with names and files are refused."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oem_security import (
    InputError,
    Keyring,
    KeyringKind,
    Manifest,
    ManifestError,
    ManifestVersions,
    OemSecurityError,
    SealError,
    make_manifest,
    read_manifest,
    verify_tree,
)
from oem_security.envelope.policy import PayloadType, Role, site_pins
from oem_security.keys.key import Algorithm, Purpose
from oem_security.manifest.manifest import parse_manifest
from oem_security.manifest.tree import FileEntry, hash_entry, require_distinct, require_path

SITE = PayloadType.SITE_MANIFEST


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    for name in ("bin/daemon", "config/core.yaml", "empty", "żółw/ü.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else name.encode() * 1_000)
    return folder


def made(root: Path, keys: Keyring, version: int = 1) -> Manifest:
    return read_manifest(
        make_manifest(root, keys, name="core", version=version), SITE, site_pins(keys)
    )


def test_a_tree_holds_until_anything_changes(root: Path, keys: Keyring) -> None:
    manifest = made(root, keys)
    assert verify_tree(root, manifest) == 4
    assert [f.path for f in manifest.files] == sorted(f.path for f in manifest.files)
    for damage, word in (
        (lambda p: p.write_bytes(b"X" + p.read_bytes()[1:]), "not what was sealed"),
        (lambda p: p.write_bytes(p.read_bytes() + b"X"), "the manifest says"),
        (lambda p: p.unlink(), "missing"),
    ):
        path = root / "config" / "core.yaml"
        before = path.read_bytes()
        damage(path)
        with pytest.raises(ManifestError, match=word) as refused:
            verify_tree(root, manifest)
        assert "core.yaml" in refused.value.where
        path.write_bytes(before)
    assert verify_tree(root, manifest, threads=1) == 4


def test_extra_files_are_refused_unless_allowed(root: Path, keys: Keyring) -> None:
    manifest = made(root, keys)
    (root / "bin" / "evil").write_text("x")
    with pytest.raises(ManifestError, match="not listed"):
        verify_tree(root, manifest)
    assert verify_tree(root, manifest, allow_extra=["bin/*"]) == 4
    (root / "bin" / "daemon").write_text("x")
    with pytest.raises(ManifestError):  # what is listed is never left out by a pattern
        verify_tree(root, manifest, allow_extra=["bin/*"])


def test_links(root: Path, keys: Keyring, tmp_path: Path) -> None:
    manifest = made(root, keys)
    outside = tmp_path / "outside"
    outside.write_bytes((root / "bin" / "daemon").read_bytes())
    (root / "bin" / "daemon").unlink()
    (root / "bin" / "daemon").symlink_to(outside)
    with pytest.raises(ManifestError, match="link"):
        verify_tree(root, manifest)
    with pytest.raises(ManifestError, match="link"):
        make_manifest(root, keys, name="core", version=2)
    (root / "bin" / "daemon").unlink()
    (root / "bin").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (root / "bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ManifestError, match="link"):
        verify_tree(root, manifest)


def test_a_name_or_folder_that_cannot_be_is_bad_input(root: Path, keys: Keyring) -> None:
    for folder, name, version in ((root, "core", 0), (root, "", 1), (root, "a\x1b[2J", 1),
                                  (root / "none", "core", 1)):  # fmt: skip
        with pytest.raises(InputError):
            make_manifest(folder, keys, name=name, version=version)


def test_a_pattern_hides_no_linked_folder_of_listed_files(
    root: Path, keys: Keyring, tmp_path: Path
) -> None:
    manifest = made(root, keys)
    shutil.move(root / "bin", tmp_path / "elsewhere")
    (root / "bin").symlink_to(tmp_path / "elsewhere")  # the same content, for now
    with pytest.raises(ManifestError, match="a link"):
        verify_tree(root, manifest, allow_extra=["bin"])
    (root / "bin").unlink()
    with pytest.raises(ManifestError, match="missing"):
        verify_tree(root, manifest, allow_extra=["bin"])


def test_special_files(root: Path, keys: Keyring) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(ManifestError, match="special"):
        make_manifest(root, keys, name="core", version=1)
    with pytest.raises(ManifestError, match="special"):
        hash_entry(root, "pipe")


def hash_often(root: Path, name: str) -> None:
    for _ in range(50):
        hash_entry(root, name)


def test_endless_file(tmp_path: Path) -> None:
    path = tmp_path / "grows"
    path.write_bytes(b"x" * (8 << 20))
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab") as stream:
            while not stop.is_set():
                stream.write(b"x" * (1 << 20))
                stream.flush()
                if stream.tell() > 256 << 20:
                    return

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(ManifestError, match="changed while"):
            hash_often(tmp_path, "grows")
    finally:
        stop.set()
        writer.join()
    with pytest.raises(ManifestError, match="special"):
        hash_entry(Path("/dev"), "zero")


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../up", "a/../../b", "a//b", "./a", "a\\b", "c:evil", "a\x00b", "a\nb",
     "x" * 2_000, "", "a/", "\ud800", "dot.", "space ", "a\u202eb", "a/NUL", "com1.txt", "Aux .c"],
)  # fmt: skip
def test_traversal(path: str) -> None:
    with pytest.raises(ManifestError):
        require_path(path)


@pytest.mark.parametrize(
    "pair",
    [("a/B", "a/b"), ("\u00fc", "u\u0308"), ("straße", "STRASSE"), ("K", "\u212a"), ("a", "A/b")],
)
def test_case_collisions(pair: tuple[str, str]) -> None:
    with pytest.raises(ManifestError, match="cannot both be there"):
        require_distinct(pair)


def test_rollback(root: Path, keys: Keyring, tmp_path: Path) -> None:
    versions = ManifestVersions(tmp_path / "versions.json", keys)
    old, new = made(root, keys, 1), made(root, keys, 2)
    versions.accept(old)
    versions.accept(new)
    versions.accept(new)
    with pytest.raises(ManifestError, match="accepted before"):
        versions.accept(old)
    path = tmp_path / "versions.json"
    path.write_bytes(path.read_bytes().replace(b"payload", b"paylaod", 1))
    with pytest.raises(ManifestError, match="do not hold"):
        versions.accept(new)


def test_mix_and_match(root: Path, keys: Keyring, tmp_path: Path) -> None:
    old = made(root, keys, 1)
    (root / "config" / "core.yaml").write_text("new and signed")
    new = made(root, keys, 2)
    (root / "bin" / "daemon").write_text("from another version")
    for manifest in (old, new):
        with pytest.raises(ManifestError):
            verify_tree(root, manifest)
    other = Keyring.create(tmp_path / "other")
    path = make_manifest(root, other, name="core", version=3)
    with pytest.raises(SealError):
        read_manifest(path, SITE, site_pins(keys))


def test_a_vendor_signs_bundles_and_a_site_cannot(
    root: Path, keys: Keyring, tmp_path: Path
) -> None:
    vendor = Keyring.create(tmp_path / "vendor", KeyringKind.VENDOR)
    pins = {Role.VENDOR_SIGN: (vendor.active(Purpose.VENDOR).public(Algorithm.ED25519),)}
    path = make_manifest(root, vendor, name="core", version=1)
    manifest = read_manifest(path, PayloadType.BUNDLE_MANIFEST, pins)
    assert verify_tree(root, manifest) == 4
    path = make_manifest(root, keys, name="core", version=2)
    with pytest.raises(OemSecurityError):
        read_manifest(path, PayloadType.BUNDLE_MANIFEST, pins)


def entry(path: str) -> dict[str, object]:
    return {"path": path, "size": 0, "sha384": "0" * 96}


@pytest.mark.parametrize(
    "files",
    [
        [entry("b"), entry("a")], [entry("a"), entry("a")], [entry("../a")],
        [entry("A"), entry("a")], [{**entry("a"), "size": -1}], [{**entry("a"), "more": 1}],
    ],
)  # fmt: skip
def test_a_manifest_that_nobody_should_sign_is_refused(files: list[object]) -> None:
    value = {"name": "n", "version": 1, "created_at": "2026-01-01T00:00:00Z", "files": files}
    with pytest.raises(OemSecurityError):
        parse_manifest(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@settings(max_examples=40)
@given(st.fixed_dictionaries({}, optional={
    "name": json_values, "version": json_values, "created_at": json_values, "files": json_values,
}))  # fmt: skip
def test_noise_is_an_error_or_a_manifest(value: dict[str, object]) -> None:
    try:
        assert isinstance(parse_manifest(value), Manifest)
    except OemSecurityError:
        return


def test_an_entry_says_what_the_file_is(root: Path) -> None:
    found = hash_entry(root, "empty")
    # SHA-384 of nothing, FIPS 180-4
    assert found == FileEntry("empty", 0, (
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
        "274edebfe76f65fbd51ad2f14898b95b"
    ))  # fmt: skip
