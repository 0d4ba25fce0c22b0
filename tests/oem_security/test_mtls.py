"""The private authority and both ends of a connection, attacked by name."""

from __future__ import annotations

import datetime as dt
import json
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from oem_security import (
    CertificateAuthority,
    CertificateError,
    InputError,
    Keyring,
    OemSecurityError,
    PeerCheck,
    StorageError,
    client_context,
    server_context,
    verify_file,
)
from oem_security.mtls.crl import build_crl, read_crl, seen_number
from oem_security.mtls.registry import Issued, Standing, read_registry, write_rotation

START_NS = 1_700_000_000 * 10**9


class At:
    """A clock that stands a number of days after the authority was made."""

    def __init__(self, days: float = 0) -> None:
        self.days = days

    def now_ns(self) -> int:
        return START_NS + int(self.days * 86_400 * 10**9)

    @property
    def moment(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.now_ns() // 10**9, dt.UTC)


@pytest.fixture
def clock() -> At:
    return At()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mtls"


@pytest.fixture
def authority(folder: Path, clock: At) -> CertificateAuthority:
    made = CertificateAuthority.create(folder, clock=clock)
    made.issue_server()
    made.issue_client()
    return made


def shown(folder: Path, name: str = "client") -> dict[str, list[bytes]]:
    """What gRPC says of a peer."""
    pem = (folder / f"{name}.pem").read_bytes()
    return {"ssl_tls_version": [b"TLSv1.3"], "x509_pem_cert": [pem]}


def refused(folder: Path, clock: At, words: str, name: str = "client") -> None:
    """A check refuses the peer, whether it ran before or begins now."""
    with pytest.raises(CertificateError, match=words) as caught:
        PeerCheck(folder, clock=clock).check(shown(folder, name))
    assert caught.value.remedy


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str = "localhost") -> str:
    """Shake hands in memory and return the TLS version; an ssl.SSLError where it fails."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=host)
    two = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(8):
        for end in (one, two):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    two.write(b"x")
    assert one.read(1) == b"x"
    return str(one.version())


def test_a_site_speaks_tls_13_with_its_own_clients(tmp_path: Path) -> None:
    folder = tmp_path / "now"  # OpenSSL asks the real clock
    authority = CertificateAuthority.create(folder)
    authority.issue_server(dns=("core.example",), ips=("192.0.2.7",))
    authority.issue_client()
    server, client = server_context(folder), client_context(folder)
    assert handshake(server, client, "core.example") == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        handshake(server, client, "other.example")
    authority.revoke(authority.issued()[-1].serial)
    with pytest.raises(ssl.SSLError):
        handshake(server_context(folder), client, "core.example")


def test_certificates_live_90_days_and_are_renewed_in_the_last_30(
    authority: CertificateAuthority, clock: At
) -> None:
    assert [s for _, s in authority.standings()] == [Standing.IN_FORCE] * 2
    clock.days = 59.9
    assert authority.renew_due() == ()
    clock.days = 60.1
    assert [s for _, s in authority.standings()] == [Standing.RENEW] * 2
    assert [e.name for e in authority.renew_due()] == ["server", "client"]
    standings = [s for _, s in authority.standings()]
    assert standings == [Standing.SUPERSEDED] * 2 + [Standing.IN_FORCE] * 2
    clock.days = 91
    assert [s for _, s in authority.standings()][:2] == [Standing.EXPIRED] * 2


def test_a_renewed_certificate_keeps_names_and_use(authority: CertificateAuthority) -> None:
    authority.issue_server("core", dns=("core.example", "*.core.example"), ips=("192.0.2.7",))
    before = authority.issued()[-1]
    after = authority.renew("core")
    assert (after.alternative, after.use) == (before.alternative, "server")
    assert after.serial != before.serial
    pem = (authority.directory / "core.pem").read_bytes()
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["core.example", "*.core.example"]
    with pytest.raises(InputError):
        authority.renew("nobody")


@pytest.mark.parametrize(
    "name", ["", "ca", "ca.x", "crl", "registry", "../x", "a/b", "x" * 65, "."]
)
def test_a_name_that_is_none_is_refused(authority: CertificateAuthority, name: str) -> None:
    with pytest.raises(InputError):
        authority.issue_client(name)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "-x",
        "ü.example",
        "x/y",
        "300.1.1.1/8",
        "300.1.1.1",
        "a..b",
        "a.-b",
        "a-.b",
        "x" * 64,
        "*.",
        "*",
        "a.*.b",
        "fe80::1%eth0",
    ],
)
def test_a_host_that_is_none_is_refused(authority: CertificateAuthority, host: str) -> None:
    with pytest.raises(InputError):
        authority.issue_server("other", dns=(host,), ips=())
    with pytest.raises(InputError):
        authority.issue_server("other", dns=(), ips=())


def test_lists_ahead_take_over_one_after_another(
    authority: CertificateAuthority, folder: Path, clock: At
) -> None:
    number = authority.write_crl(ahead=3, days=40)
    authority.issue_client("late")
    check = PeerCheck(folder, clock=clock)
    for day, expected in ((0, 0), (32, 0), (33.1, 1), (40, 1), (66.1, 2), (79, 2)):
        clock.days = day
        check.check(shown(folder, "late"))
        PeerCheck(folder, clock=clock)
        assert seen_number(folder) == number + expected
    clock.days = 99.2
    authority.renew("late")
    check.check(shown(folder, "late"))
    clock.days = 140
    refused(folder, clock, "out of date", "late")
    assert authority.crl_is_late()
    assert authority.write_crl() == number + 4
    with pytest.raises(InputError):
        authority.write_crl(ahead=99)


def test_revoking_writes_the_lists_ahead_anew(
    authority: CertificateAuthority, folder: Path, clock: At
) -> None:
    authority.write_crl(ahead=2)
    authority.issue_client("thief")
    serial = authority.issued()[-1].serial
    authority.revoke(serial)
    assert len(list((folder / "crl.d").glob("*.pem"))) == 2
    for day in (0, 84):
        clock.days = day
        refused(folder, clock, "revoked", "thief")
    assert read_registry(folder).crl_number == 7


def test_the_rotation_registry_is_sealed(
    authority: CertificateAuthority, folder: Path, tmp_path: Path
) -> None:
    keys, path = Keyring.create(tmp_path / "keys"), tmp_path / "tls_rotation.json"
    words = (authority.standings(), authority.registry(), authority.fingerprint, keys)
    write_rotation(path, *words)
    assert verify_file(path, keys).claims == {"registry": "tls-rotation"}
    told = json.loads(path.read_text())
    assert told["certificates"][0]["rotate_from"] < told["certificates"][0]["not_after"]


# attacks


def test_ca_no_crl(authority: CertificateAuthority, folder: Path, clock: At) -> None:
    check = PeerCheck(folder, clock=clock)
    (folder / "crl.pem").unlink()
    refused(folder, clock, "no revocation list")
    with pytest.raises(CertificateError, match="no revocation list"):
        check.check(shown(folder))
    for make in (server_context, client_context):
        with pytest.raises(CertificateError, match="no revocation list"):
            make(folder, clock=clock)


def test_ca_expired_crl(authority: CertificateAuthority, folder: Path, clock: At) -> None:
    check = PeerCheck(folder, clock=clock)
    clock.days = 89
    authority.renew("client")
    check.check(shown(folder))
    clock.days = 91
    refused(folder, clock, "out of date")
    with pytest.raises(CertificateError, match="out of date"):
        check.check(shown(folder))
    with pytest.raises(CertificateError, match="out of date"):
        server_context(folder, clock=clock)


def test_ca_crl_not_in_force_yet(authority: CertificateAuthority, folder: Path, clock: At) -> None:
    clock.days = -1
    refused(folder, clock, "not in force yet")


def test_ca_crl_of_another_issuer(
    authority: CertificateAuthority, folder: Path, clock: At, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    CertificateAuthority.create(other, clock=clock)  # of the same name, with another key
    (folder / "crl.pem").write_bytes((other / "crl.pem").read_bytes())
    refused(folder, clock, "another issuer")
    CertificateAuthority.create(tmp_path / "named", name="Another", clock=clock)
    (folder / "crl.pem").write_bytes((tmp_path / "named" / "crl.pem").read_bytes())
    refused(folder, clock, "another issuer")
    with pytest.raises(CertificateError, match="another issuer"):
        client_context(folder, clock=clock)


def own_authority(clock: At, *, crl_sign: bool, ca: bool = True) -> tuple[bytes, bytes]:
    """A certificate that may not sign lists, and a list it signed."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weak")])
    usage = x509.KeyUsage(
        digital_signature=False, key_cert_sign=ca, crl_sign=crl_sign, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(clock.moment)
        .not_valid_after(clock.moment + dt.timedelta(days=10))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA384())
    )
    times = {"this_update": clock.moment, "next_update": clock.moment + dt.timedelta(days=5)}
    return certificate.public_bytes(serialization.Encoding.PEM), build_crl(
        certificate, key, (), number=9, **times
    )


@pytest.mark.parametrize(("crl_sign", "ca"), [(False, True), (True, False)])
def test_ca_crl_signer_without_crl_sign(
    authority: CertificateAuthority, folder: Path, clock: At, crl_sign: bool, ca: bool
) -> None:
    certificate, crl = own_authority(clock, crl_sign=crl_sign, ca=ca)
    loaded = x509.load_pem_x509_certificate(certificate)
    with pytest.raises(CertificateError, match="may not sign revocation lists"):
        read_crl(crl, loaded, "crl.pem")
    (folder / "ca.pem").write_bytes(certificate)
    (folder / "crl.pem").write_bytes(crl)
    refused(folder, clock, "may not sign revocation lists")
    with pytest.raises(CertificateError, match="may not sign"):
        server_context(folder, clock=clock)


def test_ca_wrong_eku(authority: CertificateAuthority, folder: Path, clock: At) -> None:
    refused(folder, clock, "not for a client", "server")
    PeerCheck(folder, clock=clock).check(shown(folder, "client"))


def test_ca_wrong_eku_in_a_handshake(tmp_path: Path) -> None:
    folder = tmp_path / "now"
    authority = CertificateAuthority.create(folder)
    authority.issue_server()
    authority.issue_client("localhost")
    with pytest.raises(ssl.SSLError):  # a client's certificate shown by a server
        handshake(server_context(folder, "localhost"), client_context(folder, "localhost"))
    with pytest.raises(ssl.SSLError):  # a server's certificate shown by a client
        handshake(server_context(folder), client_context(folder, "server"))


def test_ca_number_rollback_in_a_running_process(
    authority: CertificateAuthority, folder: Path, clock: At
) -> None:
    old = (folder / "crl.pem").read_bytes()
    check = PeerCheck(folder, clock=clock)
    authority.revoke(authority.issued()[-1].serial)
    with pytest.raises(CertificateError, match="revoked"):
        check.check(shown(folder))
    (folder / "crl.pem").write_bytes(old)
    with pytest.raises(CertificateError, match="older revocation list was put back"):
        check.check(shown(folder))


def test_ca_number_rollback_across_a_restart(
    authority: CertificateAuthority, folder: Path, clock: At
) -> None:
    old = (folder / "crl.pem").read_bytes()
    authority.revoke(authority.issued()[-1].serial)
    refused(folder, clock, "revoked")
    (folder / "crl.pem").write_bytes(old)
    refused(folder, clock, "older revocation list was put back: number 1, seen was 2")
    with pytest.raises(CertificateError, match="put back"):
        server_context(folder, clock=clock)
    (folder / "crl.seen.json").write_bytes(b"{}")
    refused(folder, clock, "memory of revocation lists is damaged")


def test_ca_key_open_to_others(authority: CertificateAuthority, folder: Path) -> None:
    (folder / "ca.key").chmod(0o644)
    with pytest.raises(StorageError, match="open to others"):
        CertificateAuthority.open(folder)


def test_ca_key_of_another_authority(
    authority: CertificateAuthority, folder: Path, tmp_path: Path
) -> None:
    CertificateAuthority.create(tmp_path / "other")
    (folder / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(InputError, match="do not belong together"):
        CertificateAuthority.open(folder)


def test_certificate_of_another_authority(
    authority: CertificateAuthority, folder: Path, tmp_path: Path, clock: At
) -> None:
    CertificateAuthority.create(tmp_path / "other", clock=clock).issue_client()
    with pytest.raises(CertificateError, match="another authority"):
        PeerCheck(folder, clock=clock).check(shown(tmp_path / "other"))
    with pytest.raises(CertificateError, match=r"TLSv1\.2"):
        PeerCheck(folder, clock=clock).check({"ssl_tls_version": [b"TLSv1.2"]})


# noise


@given(noise=st.binary(max_size=200))
def test_noise_is_never_a_list_nor_a_registry(noise: bytes) -> None:
    certificate, crl = EXAMPLE
    for data in (noise, crl[:60] + noise + crl[-40:], crl.replace(b"M", noise[:1] or b"x", 1)):
        if data != crl:
            with pytest.raises(CertificateError):
                read_crl(data, certificate, "crl.pem")


@pytest.mark.parametrize(
    "change",
    [{"serial": "xyz"}, {"use": "both"}, {"name": "../x"}, {"not_after": "soon"},
     {"not_after": "2026-01-01T00:00:00"}, {"revoked": "yes"}, {"extra": 1}],
)  # fmt: skip
def test_a_registry_that_is_none_is_refused(
    authority: CertificateAuthority, folder: Path, change: dict[str, object]
) -> None:
    path = folder / "registry.json"
    document = json.loads(path.read_text())
    document["certificates"][0] |= change
    path.write_text(json.dumps(document))
    with pytest.raises(OemSecurityError):
        authority.issued()


def _example() -> tuple[x509.Certificate, bytes]:
    certificate, crl = own_authority(At(), crl_sign=True)
    return x509.load_pem_x509_certificate(certificate), crl


EXAMPLE = _example()


def test_the_registry_keeps_what_it_is_told(authority: CertificateAuthority) -> None:
    entry = authority.issued()[0]
    assert isinstance(entry, Issued)
    assert replace(entry) == authority.registry().certificates[0]
