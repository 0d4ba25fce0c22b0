"""Material of an authority as a crash or a careless hand leaves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from oem_security import (
    CertificateAuthority,
    CertificateError,
    InputError,
    StateError,
    StorageError,
)
from oem_security.mtls import registry
from oem_security.mtls.authority import MAX_CERTIFICATES
from oem_security.mtls.peer import client_context, grpc_server_credentials, server_context


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path / "mtls")


@pytest.mark.parametrize("ends", [server_context, grpc_server_credentials])
def test_a_key_that_is_open_or_missing_is_a_typed_error(
    authority: CertificateAuthority, ends: object
) -> None:
    assert callable(ends)
    with pytest.raises(InputError, match="there is no key"):
        ends(authority.directory)
    authority.issue_server()
    ends(authority.directory)
    (authority.directory / "server.key").chmod(0o640)
    with pytest.raises(StorageError, match="open to others"):
        ends(authority.directory)
    (authority.directory / "server.key").chmod(0o600)
    (authority.directory / "server.pem").unlink()
    with pytest.raises(InputError, match="there is no certificate"):
        ends(authority.directory)


def test_a_key_that_a_crash_parted_from_its_certificate(authority: CertificateAuthority) -> None:
    authority.issue_client()
    before = (authority.directory / "client.pem").read_bytes()
    authority.renew("client")
    (authority.directory / "client.pem").write_bytes(before)
    with pytest.raises(CertificateError, match="do not belong together"):
        client_context(authority.directory)
    authority.renew("client")
    client_context(authority.directory)


@pytest.mark.parametrize("name", ["CA", "Ca", "CRL", "Registry", "ca.x"])
def test_no_certificate_takes_the_authoritys_files_where_case_does_not_count(
    authority: CertificateAuthority, name: str
) -> None:
    with pytest.raises(InputError, match="cannot name"):
        authority.issue_client(name)


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_an_authority_needs_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="characters"):
        CertificateAuthority.create(tmp_path / "other", name=name)
    assert not (tmp_path / "other").exists()


def test_a_full_registry_refuses_and_stays_readable(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.issue_client()
    held = authority.registry()
    full = replace(held, certificates=held.certificates * MAX_CERTIFICATES)
    registry.write_registry(authority.directory, full)
    assert len(authority.issued()) == MAX_CERTIFICATES
    # what follows reads and seals all of it several times: fewer show the same
    monkeypatch.setattr(registry, "MAX_CERTIFICATES", 100)
    monkeypatch.setattr("oem_security.mtls.authority.MAX_CERTIFICATES", 100)
    registry.write_registry(
        authority.directory, replace(held, certificates=held.certificates * 100)
    )
    with pytest.raises(StateError, match="no more are read"):
        authority.issue_client("other")
    assert len(authority.issued()) == 100
    authority.revoke(held.certificates[0].serial)


def test_lists_ahead_are_removed_after_the_newer_ones_are_there(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.write_crl(ahead=3)

    def crash(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("oem_security.mtls.authority.build_crl", crash)
        with pytest.raises(KeyboardInterrupt):
            authority.write_crl(ahead=1)
    assert len(list((authority.directory / "crl.d").glob("*.pem"))) == 3
    authority.write_crl(ahead=1)
    assert len(list((authority.directory / "crl.d").glob("*.pem"))) == 1
